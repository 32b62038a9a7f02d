//! `TiA`: packets, control messages and meta info for `ts/tia`.

use measurand_tia::{
    Block, BuildError, ChannelInfo, ChannelSelection, Dialect, Document, FramerOptions, MeasurementDecoder,
    MeasurementOptions, Message, MessageError, MessageLimits, MessageReader, MetaInfo, MetaInfoError, Notice, Pace,
    PacketBlock, PacketBuilder, PacketDecoder, PacketError, PacketLayout, SampleOrder, SignalInfo, SignalRows,
    SignalSelection, SignalType, SourceSignal, Subject, Version, renumber,
};
use napi::bindgen_prelude::{BigInt, Buffer, Float32Array, Float64Array, Uint8Array};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};

/// How a data connection is read.
#[napi(object)]
pub struct TiaDecoderOptions {
    /// Whether chunks are gathered datagrams.
    pub datagrams: bool,
    /// Bytes of a packet at most.
    pub limit: u32,
    /// Whether blocks are sample after sample (eegdev) instead of channel after channel.
    pub sample_major: bool,
    /// 3, 2, or 0: told by the first packet.
    pub version: u32,
    /// The meta info's signals in its order.
    pub document: Vec<TiaShape>,
}

/// Shape of a signal's block.
#[napi(object)]
pub struct TiaShape {
    /// Bit of the signal type.
    pub bit: u32,
    /// Channels.
    pub channels: u32,
    /// Samples per channel.
    pub blocksize: u32,
}

/// What a decoder stopped for.
#[napi(object)]
#[derive(Default)]
pub struct TiaNotice {
    /// `anchor`, `duplicate`, `gap`, `late`, `order-corrected`, `order-ambiguous`, `restart` or `signal`.
    pub kind: String,
    /// First missing id; of an anchor the first header time.
    pub first: Option<BigInt>,
    /// Last missing id; of an anchor the greatest header time of the chunk.
    pub last: Option<BigInt>,
    /// Id of the packet.
    pub id: Option<BigInt>,
    /// Samples in it.
    pub samples: Option<f64>,
    /// Packets behind the first.
    pub steps: Option<f64>,
    /// Bit of the signal type.
    pub bit: Option<u32>,
    /// Channels of the block.
    pub channels: Option<u32>,
    /// Samples per channel of the block.
    pub blocksize: Option<u32>,
}

/// Why bytes are malformed.
#[napi(object)]
pub struct TiaFault {
    /// `ERR_TIA_PACKET_...`
    pub code: String,
    /// For people.
    pub message: String,
    /// Bytes that are lost with it.
    pub length: u32,
}

/// Reads a data connection into the rows of blocks.
#[napi]
pub struct TiaMeasurementDecoder {
    inner: Guarded<MeasurementDecoder>,
}

#[napi]
impl TiaMeasurementDecoder {
    /// A decoder of one connection.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: TiaDecoderOptions) -> Result<Self> {
        let (framer, document) = framer_options(&options)?;
        let options = MeasurementOptions { framer, ..MeasurementOptions::default() };
        Ok(Self { inner: Guarded::new(MeasurementDecoder::new(options, document)) })
    }

    /// Appends the rows of a chunk.
    #[napi(catch_unwind)]
    pub fn decode(&mut self, chunk: Uint8Array, mut block: Uint8Array) -> Result<u32> {
        self.inner.call(|decoder| {
            refuse_lost(decoder.is_lost())?;
            // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let mut block =
                measurand_columns::Block::open(bytes).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))?;
            let (status, consumed) = decoder.decode(&chunk, &mut block);
            block.close(status, consumed, consumed);
            Ok(status as u32)
        })
    }

    /// What it stopped for with the status 2.
    #[napi(catch_unwind)]
    pub fn take_control(&mut self) -> Result<Option<TiaNotice>> {
        self.inner.call(|decoder| Ok(decoder.take_notice().map(notice)))
    }

    /// What it stopped for with the status 3 or 4.
    #[napi(catch_unwind)]
    pub fn take_error(&mut self) -> Result<Option<TiaFault>> {
        self.inner.call(|decoder| Ok(decoder.take_error().map(fault)))
    }

    /// Sets the time of header time 0 (ns since 1970-01-01 UTC) and the unit of header times in ns.
    #[napi(catch_unwind)]
    pub fn set_anchor(&mut self, anchor: BigInt, unit_ns: u32) -> Result<()> {
        self.inner.call(|decoder| {
            decoder.set_anchor(anchor.get_i64().0, i64::from(unit_ns));
            Ok(())
        })
    }

    /// Sets the signal table's rows of a signal type.
    #[napi(catch_unwind)]
    pub fn set_signal(&mut self, bit: u32, rows: Vec<u32>, rate: f64) -> Result<()> {
        self.inner.call(|decoder| {
            decoder.set_signal(SignalRows { bit: bit as u8, rows, rate });
            Ok(())
        })
    }

    /// Header time of the packet that was decoded last.
    #[napi(getter, catch_unwind)]
    pub fn last_timestamp(&mut self) -> Result<f64> {
        self.inner.call(|decoder| Ok(decoder.last_timestamp() as f64))
    }

    /// Bytes held of a packet that is not whole yet.
    #[napi(getter, catch_unwind)]
    pub fn pending(&mut self) -> Result<u32> {
        self.inner.call(|decoder| Ok(decoder.pending() as u32))
    }
}

/// Reads a data connection into packet blocks.
#[napi]
pub struct TiaPacketDecoder {
    inner: Guarded<PacketDecoder>,
}

#[napi]
impl TiaPacketDecoder {
    /// A decoder of one connection.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: TiaDecoderOptions) -> Result<Self> {
        let (framer, document) = framer_options(&options)?;
        Ok(Self { inner: Guarded::new(PacketDecoder::new(framer, document)) })
    }

    /// Appends the packets of a chunk.
    #[napi(catch_unwind)]
    pub fn decode(&mut self, chunk: Uint8Array, mut block: Uint8Array) -> Result<u32> {
        self.inner.call(|decoder| {
            refuse_lost(decoder.is_lost())?;
            // SAFETY: ts/tia/packet-batch.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let mut block = PacketBlock::open(bytes).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))?;
            let (status, consumed) = decoder.decode(&chunk, &mut block);
            block.close(status, consumed, consumed);
            Ok(status as u32)
        })
    }

    /// What it stopped for with the status 2.
    #[napi(catch_unwind)]
    pub fn take_control(&mut self) -> Result<Option<TiaNotice>> {
        self.inner.call(|decoder| Ok(decoder.take_notice().map(notice)))
    }

    /// What it stopped for with the status 3 or 4.
    #[napi(catch_unwind)]
    pub fn take_error(&mut self) -> Result<Option<TiaFault>> {
        self.inner.call(|decoder| Ok(decoder.take_error().map(fault)))
    }

    /// Version of the packets, 3 or 2; 0 until the first is whole.
    #[napi(getter, catch_unwind)]
    pub fn version(&mut self) -> Result<u32> {
        self.inner.call(|decoder| {
            Ok(match decoder.version() {
                Version::Auto => 0,
                Version::V2 => 2,
                Version::V3 => 3,
            })
        })
    }

    /// Bytes held of a packet that is not whole yet.
    #[napi(getter, catch_unwind)]
    pub fn pending(&mut self) -> Result<u32> {
        self.inner.call(|decoder| Ok(decoder.pending() as u32))
    }
}

/// Writes the header of an empty packet block.
#[napi(catch_unwind)]
pub fn format_tia_packet_block(mut bytes: Uint8Array, packets: u32, samples: u32, words: u32) -> Result<()> {
    // SAFETY: ts/tia/packet-batch.ts owns the buffer and no other thread has it.
    let bytes = unsafe { bytes.as_mut() };
    PacketBlock::format(bytes, PacketLayout { packets, samples, words })
        .map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))
}

/// A signal that packets are built from.
#[napi(object)]
pub struct TiaSourceSignal {
    /// Bit of the signal type.
    pub bit: u32,
    /// Channels.
    pub channels: u32,
    /// Samples per channel of a block.
    pub blocksize: u32,
    /// Whether its blocks pace the packets.
    pub is_master: bool,
    /// Blocks for every `packets` packets; 0: what there is goes into the next packets.
    pub blocks: u32,
    /// Packets.
    pub packets: u32,
}

/// Builds packets from blocks of several signals.
#[napi]
pub struct TiaPacketBuilder {
    inner: Guarded<(PacketBuilder, Vec<u8>)>,
}

#[napi]
impl TiaPacketBuilder {
    /// A builder whose first packet has the id `first_id`.
    #[napi(constructor, catch_unwind)]
    pub fn new(signals: Vec<TiaSourceSignal>, first_id: f64, limit: u32) -> Result<Self> {
        let source = |signal: &TiaSourceSignal| {
            let shape = shape(signal.bit, signal.channels, signal.blocksize)?;
            let pace = match (signal.is_master, signal.blocks) {
                (true, _) => Pace::Master,
                (false, 0) => Pace::Buffered,
                (false, blocks) => Pace::Scheduled { blocks, packets: signal.packets },
            };
            let (channels, blocksize) = (shape.channels, shape.blocksize);
            Ok(SourceSignal { signal: signal_type(signal.bit)?, channels, blocksize, pace })
        };
        let signals = signals.iter().map(source).collect::<Result<Vec<_>>>()?;
        let builder = PacketBuilder::new(&signals, first_id as u64, limit as usize).map_err(build_error)?;
        Ok(Self { inner: Guarded::new((builder, Vec::new())) })
    }

    /// Takes whole blocks of a signal, each channel after channel.
    #[napi(catch_unwind)]
    pub fn push(&mut self, signal: u32, samples: Float32Array) -> Result<()> {
        self.inner.call(|(builder, _)| builder.push(signal as usize, &samples).map_err(build_error))
    }

    /// Packets that the master's blocks make.
    #[napi(getter, catch_unwind)]
    pub fn packets(&mut self) -> Result<u32> {
        self.inner.call(|(builder, _)| Ok(builder.packets() as u32))
    }

    /// Bytes that all packets take at most.
    #[napi(getter, catch_unwind)]
    pub fn byte_length(&mut self) -> Result<f64> {
        self.inner.call(|(builder, _)| Ok(builder.byte_length() as f64))
    }

    /// Writes all packets, whose header times are given; gives how many bytes they take.
    #[napi(catch_unwind)]
    pub fn build(&mut self, timestamps: Float64Array, mut out: Uint8Array) -> Result<u32> {
        self.inner.call(|(builder, bytes)| {
            if out.len() < builder.byte_length() {
                return Err(error("ERR_SESSION_BLOCK_BYTES", "the buffer is too small for the packets"));
            }
            bytes.clear();
            builder.build(&timestamps, bytes);
            // SAFETY: the caller made the buffer for this call and no other thread has it.
            let out = unsafe { out.as_mut() };
            out[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len() as u32)
        })
    }
}

/// Subtracts `base` from the ids of packets and counts the connection's packets by it.
#[napi(catch_unwind)]
pub fn renumber_tia_packets(mut packets: Uint8Array, base: f64) {
    // SAFETY: the caller copied the packets for this call and no other thread has them.
    renumber(unsafe { packets.as_mut() }, base as u64);
}

/// What a client keeps of a signal.
#[napi(object)]
pub struct TiaSelection {
    /// Bit of the signal type.
    pub bit: u32,
    /// Channels kept, from 0.
    pub channels: Vec<u32>,
    /// One sample of so many is kept.
    pub factor: u32,
}

/// Makes one client's packets from those of all.
#[napi]
pub struct TiaChannelSelection {
    inner: Guarded<ChannelSelection>,
}

#[napi]
impl TiaChannelSelection {
    /// A choice from the signals that are offered.
    #[napi(constructor, catch_unwind)]
    pub fn new(offered: Vec<TiaShape>, chosen: Vec<TiaSelection>) -> Result<Self> {
        let selection = |chosen: &TiaSelection| {
            let channels = chosen.channels.iter().map(|&channel| u16::try_from(channel).unwrap_or(u16::MAX)).collect();
            let factor = u16::try_from(chosen.factor).unwrap_or(0);
            Ok(SignalSelection { signal: signal_type(chosen.bit)?, channels, factor })
        };
        let chosen = chosen.iter().map(selection).collect::<Result<Vec<_>>>()?;
        let selection = ChannelSelection::new(&shapes(&offered)?, chosen)
            .map_err(|reason| error("ERR_TIA_SELECTION_INVALID", reason))?;
        Ok(Self { inner: Guarded::new(selection) })
    }

    /// What is left of the server's packets.
    #[napi(catch_unwind)]
    pub fn apply(&mut self, packets: Uint8Array) -> Result<Buffer> {
        self.inner.call(|selection| {
            let mut out = Vec::new();
            selection.apply(&packets, &mut out).map_err(|reason| error("ERR_TIA_PACKET_LAYOUT", reason))?;
            Ok(Buffer::from(out))
        })
    }
}

/// A control message.
#[napi(object)]
pub struct TiaMessage {
    /// What follows `TiA `.
    pub version: String,
    /// Command or reply.
    pub command: String,
    /// What follows the colon; of an error its text.
    pub parameter: Option<String>,
    /// Content.
    pub content: Option<Buffer>,
}

/// Cuts a control connection into messages.
#[napi]
pub struct TiaMessageReader {
    inner: Guarded<MessageReader>,
}

#[napi]
impl TiaMessageReader {
    /// A reader; `resynchronise` skips what lies between messages, as a client must with pytia.
    #[napi(constructor, catch_unwind)]
    pub fn new(resynchronise: bool, line: u32, content: u32) -> Self {
        let limits = MessageLimits { line: line as usize, content: content as usize };
        let reader = if resynchronise { MessageReader::resynchronising(limits) } else { MessageReader::new(limits) };
        Self { inner: Guarded::new(reader) }
    }

    /// Takes a chunk.
    #[napi(catch_unwind)]
    pub fn push(&mut self, chunk: Uint8Array) -> Result<()> {
        self.inner.call(|reader| {
            reader.push(&chunk);
            Ok(())
        })
    }

    /// The next whole message.
    #[napi(catch_unwind)]
    pub fn next(&mut self) -> Result<Option<TiaMessage>> {
        self.inner.call(|reader| {
            let message = reader.next_message().map_err(|reason| error(message_code(reason), reason))?;
            Ok(message.map(|message| TiaMessage {
                version: message.version,
                command: message.command,
                parameter: message.parameter,
                content: message.content.map(Buffer::from),
            }))
        })
    }

    /// Bytes that lay between messages.
    #[napi(getter, catch_unwind)]
    pub fn skipped(&mut self) -> Result<f64> {
        self.inner.call(|reader| Ok(reader.skipped() as f64))
    }
}

/// The bytes of a control message of the version 1.0.
#[napi(catch_unwind)]
pub fn encode_tia_message(command: String, parameter: Option<String>, content: Option<Uint8Array>) -> Buffer {
    let content = content.map(|content| content.to_vec());
    Buffer::from(Message { parameter, content, ..Message::new(command) }.to_bytes())
}

/// A document of meta info or custom signal info.
#[napi(object)]
pub struct TiaMetaInfo {
    /// Whether it is a client's choice.
    pub is_custom: bool,
    /// Who is measured: `id`, `firstName`, `surname` and others, as name and value.
    pub subject: Option<Vec<Vec<String>>>,
    /// Sampling rate of the master, Hz.
    pub master_rate: Option<f64>,
    /// Block size of the master.
    pub master_blocksize: Option<u32>,
    /// Signals in the document's order.
    pub signals: Vec<TiaSignalInfo>,
}

/// A signal of a document.
#[napi(object)]
pub struct TiaSignalInfo {
    /// Its type's name.
    #[napi(js_name = "type")]
    pub name: String,
    /// Bit of the type; -1 where the name is not known.
    pub bit: i32,
    /// Samples per second of a channel.
    pub sample_rate: f64,
    /// Samples per channel and packet.
    pub blocksize: u32,
    /// Channels.
    pub channels: u32,
    /// One sample is kept of so many.
    pub downsampling: u32,
    /// Numbers of the named channels, from 1.
    pub numbers: Vec<u32>,
    /// Their labels.
    pub labels: Vec<String>,
}

/// Reads a document.
#[napi(catch_unwind)]
pub fn read_tia_meta_info(xml: String) -> Result<TiaMetaInfo> {
    let info = MetaInfo::from_xml(&xml).map_err(|reason| {
        let code = match reason {
            MetaInfoError::Limit(..) => "ERR_TIA_METAINFO_LIMIT",
            MetaInfoError::Xml(_) => "ERR_TIA_METAINFO_XML",
            _ => "ERR_TIA_METAINFO_CONTENT",
        };
        error(code, reason)
    })?;
    let subject = info.subject.map(|subject| {
        let named = [("id", subject.id), ("firstName", subject.first_name), ("surname", subject.surname)];
        let named = named.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
        named.chain(subject.other.into_iter().map(|(name, value)| vec![name, value])).collect()
    });
    let signals = info.signals.into_iter().map(|signal| TiaSignalInfo {
        bit: signal.signal.map_or(-1, |signal| i32::from(signal.bit())),
        name: signal.name,
        sample_rate: signal.sampling_rate,
        blocksize: signal.block_size,
        channels: signal.num_channels,
        downsampling: signal.downsampling_factor,
        numbers: signal.channels.iter().map(|channel| channel.nr).collect(),
        labels: signal.channels.into_iter().map(|channel| channel.label).collect(),
    });
    Ok(TiaMetaInfo {
        is_custom: info.document == Document::CustomSignalInfo,
        subject,
        master_rate: info.master.map(|master| master.0),
        master_blocksize: info.master.map(|master| master.1),
        signals: signals.collect(),
    })
}

/// Writes a document with the type names of a dialect: 0 pytia, 1 libtia, 2 pytiaclient.
#[napi(catch_unwind)]
pub fn write_tia_meta_info(info: TiaMetaInfo, dialect: u32) -> String {
    let subject = info.subject.map(|pairs| {
        let mut subject = Subject::default();
        for pair in pairs {
            let [name, value] = pair.try_into().unwrap_or_default();
            match name.as_str() {
                "id" => subject.id = value,
                "firstName" => subject.first_name = value,
                "surname" => subject.surname = value,
                _ => subject.other.push((name, value)),
            }
        }
        subject
    });
    let signals = info.signals.into_iter().map(|signal| {
        let channels = signal.numbers.into_iter().zip(signal.labels).map(|(nr, label)| ChannelInfo { nr, label });
        SignalInfo {
            signal: u8::try_from(signal.bit).ok().and_then(SignalType::from_bit),
            name: signal.name,
            sampling_rate: signal.sample_rate,
            block_size: signal.blocksize,
            num_channels: signal.channels,
            downsampling_factor: signal.downsampling,
            channels: channels.collect(),
        }
    });
    let document = if info.is_custom { Document::CustomSignalInfo } else { Document::MetaInfo };
    let master = info.master_rate.zip(info.master_blocksize);
    MetaInfo { document, subject, master, signals: signals.collect() }.to_xml(dialect_of(dialect))
}

/// The bit of a signal type's name in any dialect; -1 where it is not known.
#[napi(catch_unwind)]
pub fn tia_signal_bit(name: String) -> i32 {
    SignalType::from_name(&name).map_or(-1, |signal| i32::from(signal.bit()))
}

/// The name of a signal type in a dialect: 0 pytia, 1 libtia, 2 pytiaclient.
#[napi(catch_unwind)]
pub fn tia_signal_name(bit: u32, dialect: u32) -> Result<String> {
    Ok(signal_type(bit)?.name(dialect_of(dialect)))
}

fn dialect_of(number: u32) -> Dialect {
    match number {
        1 => Dialect::Libtia,
        2 => Dialect::Pytiaclient,
        _ => Dialect::Pytia,
    }
}

fn signal_type(bit: u32) -> Result<SignalType> {
    let signal = u8::try_from(bit).ok().and_then(SignalType::from_bit);
    signal.ok_or_else(|| error("ERR_TIA_SIGNAL_TYPE", format!("there is no signal type of bit {bit}")))
}

fn shape(bit: u32, channels: u32, blocksize: u32) -> Result<Block> {
    let narrow = |number: u32| {
        u16::try_from(number).map_err(|_| error("ERR_TIA_SIGNAL_SHAPE", format!("{number} is more than 65,535")))
    };
    Ok(Block { bit: signal_type(bit)?.bit(), channels: narrow(channels)?, blocksize: narrow(blocksize)? })
}

fn shapes(shapes: &[TiaShape]) -> Result<Vec<Block>> {
    shapes.iter().map(|given| shape(given.bit, given.channels, given.blocksize)).collect()
}

fn framer_options(options: &TiaDecoderOptions) -> Result<(FramerOptions, Vec<Block>)> {
    let framer = FramerOptions {
        datagrams: options.datagrams,
        limit: options.limit as usize,
        order: if options.sample_major { SampleOrder::SampleMajor } else { SampleOrder::ChannelMajor },
        version: match options.version {
            0 => Version::Auto,
            2 => Version::V2,
            _ => Version::V3,
        },
    };
    Ok((framer, shapes(&options.document)?))
}

fn refuse_lost(is_lost: bool) -> Result<()> {
    if is_lost { Err(error("ERR_SESSION_CODEC_POISONED", "framing was lost before")) } else { Ok(()) }
}

fn notice(notice: Notice) -> TiaNotice {
    let kind = |kind: &str| TiaNotice { kind: kind.to_owned(), ..TiaNotice::default() };
    let id = |id: u64| Some(BigInt::from(id));
    match notice {
        Notice::Anchor { first, last, steps } => {
            TiaNotice { first: id(first), last: id(last), steps: Some(steps as f64), ..kind("anchor") }
        }
        Notice::Duplicate { id: of, samples } => {
            TiaNotice { id: id(of), samples: Some(samples as f64), ..kind("duplicate") }
        }
        Notice::Gap { first, last } => TiaNotice { first: id(first), last: id(last), ..kind("gap") },
        Notice::Late { id: of, samples } => TiaNotice { id: id(of), samples: Some(samples as f64), ..kind("late") },
        Notice::OrderAmbiguous => kind("order-ambiguous"),
        Notice::OrderCorrected => kind("order-corrected"),
        Notice::Restart { id: of } => TiaNotice { id: id(of), ..kind("restart") },
        Notice::Signal { bit, channels, blocksize } => TiaNotice {
            bit: Some(u32::from(bit)),
            channels: Some(u32::from(channels)),
            blocksize: Some(u32::from(blocksize)),
            ..kind("signal")
        },
        _ => kind("unknown"),
    }
}

fn fault((reason, length): (PacketError, usize)) -> TiaFault {
    let code = match reason {
        PacketError::Blocks { .. } => "ERR_TIA_PACKET_BLOCKS",
        PacketError::Datagram { .. } => "ERR_TIA_PACKET_DATAGRAM",
        PacketError::Limit { .. } => "ERR_TIA_PACKET_LIMIT",
        PacketError::Small { .. } => "ERR_TIA_PACKET_SMALL",
        PacketError::Version(_) => "ERR_TIA_PACKET_VERSION",
        _ => "ERR_TIA_PACKET_LAYOUT",
    };
    TiaFault { code: code.to_owned(), message: reason.to_string(), length: length as u32 }
}

fn message_code(reason: MessageError) -> &'static str {
    match reason {
        MessageError::ContentLimit { .. } => "ERR_TIA_MESSAGE_CONTENT_LIMIT",
        MessageError::ContentLength => "ERR_TIA_MESSAGE_LENGTH",
        MessageError::LineLimit(_) => "ERR_TIA_MESSAGE_LINE_LIMIT",
        MessageError::Version => "ERR_TIA_MESSAGE_VERSION",
        _ => "ERR_TIA_MESSAGE_LINE",
    }
}

fn build_error(reason: BuildError) -> napi::Error<crate::guard::Code> {
    let code = match reason {
        BuildError::Duplicate(_) => "ERR_TIA_SIGNAL_DUPLICATE",
        BuildError::Limit { .. } => "ERR_TIA_PACKET_LIMIT",
        BuildError::Masters(_) => "ERR_TIA_SIGNAL_MASTER",
        BuildError::Samples { .. } => "ERR_TIA_SAMPLES_LENGTH",
        BuildError::Waiting(_) => "ERR_TIA_SAMPLES_WAITING",
        BuildError::Signal(_) => "ERR_TIA_SIGNAL_UNKNOWN",
        _ => "ERR_TIA_SIGNAL_SHAPE",
    };
    error(code, reason)
}
