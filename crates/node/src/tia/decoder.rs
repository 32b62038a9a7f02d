//! A data connection as measurements, or as packets.

use measurand_tia::{
    Block, FramerOptions, MeasurementDecoder, MeasurementOptions, Notice, PacketBlock, PacketDecoder, PacketError,
    PacketLayout, SampleOrder, SignalRows, Version,
};
use napi::bindgen_prelude::{BigInt, Uint8ArraySlice};
use napi_derive::napi;

use super::{TiaShape, shapes};
use crate::columns::open_block;
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
    pub fn decode(&mut self, chunk: &[u8], mut block: Uint8ArraySlice<'_>) -> Result<u32> {
        self.inner.call(|decoder| {
            refuse_lost(decoder.is_lost())?;
            // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let mut block = open_block(bytes)?;
            let (status, consumed) = decoder.decode(chunk, &mut block);
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
    pub fn decode(&mut self, chunk: &[u8], mut block: Uint8ArraySlice<'_>) -> Result<u32> {
        self.inner.call(|decoder| {
            refuse_lost(decoder.is_lost())?;
            // SAFETY: ts/tia/packet-batch.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let mut block = PacketBlock::open(bytes).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))?;
            let (status, consumed) = decoder.decode(chunk, &mut block);
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
pub fn format_tia_packet_block(mut bytes: Uint8ArraySlice<'_>, packets: u32, samples: u32, words: u32) -> Result<()> {
    // SAFETY: ts/tia/packet-batch.ts owns the buffer and no other thread has it.
    let bytes = unsafe { bytes.as_mut() };
    PacketBlock::format(bytes, PacketLayout { packets, samples, words })
        .map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))
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
