//! Packets of a server, and what one client gets of them.

use measurand_tia::{BuildError, ChannelSelection, Pace, PacketBuilder, SignalSelection, SourceSignal, renumber};
use napi::bindgen_prelude::{Buffer, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use super::{TiaShape, shape, shapes, signal_type};
use crate::guard::{Code, Guarded, Result, error};

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
    inner: Guarded<PacketBuilder>,
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
        Ok(Self { inner: Guarded::new(builder) })
    }

    /// Takes whole blocks of a signal, each channel after channel.
    #[napi(catch_unwind)]
    pub fn push(&mut self, signal: u32, samples: &[f32]) -> Result<()> {
        self.inner.call(|builder| builder.push(signal as usize, samples).map_err(build_error))
    }

    /// Packets that the master's blocks make.
    #[napi(getter, catch_unwind)]
    pub fn packets(&mut self) -> Result<u32> {
        self.inner.call(|builder| Ok(builder.packets() as u32))
    }

    /// Bytes that all packets take at most.
    #[napi(getter, catch_unwind)]
    pub fn byte_length(&mut self) -> Result<f64> {
        self.inner.call(|builder| Ok(builder.byte_length() as f64))
    }

    /// Bytes that all packets take at most when the master gets so many samples more.
    #[napi(catch_unwind)]
    pub fn byte_length_with(&mut self, samples: u32) -> Result<f64> {
        self.inner.call(|builder| Ok(builder.byte_length_with(samples as usize) as f64))
    }

    /// Takes whole blocks of the master and writes the packets of all its blocks, whose header times are given; gives
    /// how many bytes they take.
    #[napi(catch_unwind)]
    pub fn build(&mut self, samples: &[f32], timestamps: &[f64], mut out: Uint8ArraySlice<'_>) -> Result<u32> {
        self.inner.call(|builder| {
            // SAFETY: the caller made the buffer for this call and no other thread has it.
            let out = unsafe { out.as_mut() };
            builder.build_from(samples, timestamps, out).map(|bytes| bytes as u32).map_err(build_error)
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

fn build_error(reason: BuildError) -> napi::Error<Code> {
    let code = match reason {
        BuildError::Duplicate(_) => "ERR_TIA_SIGNAL_DUPLICATE",
        BuildError::Limit { .. } => "ERR_TIA_PACKET_LIMIT",
        BuildError::Masters(_) => "ERR_TIA_SIGNAL_MASTER",
        BuildError::Room { .. } => "ERR_SESSION_BLOCK_BYTES",
        BuildError::Samples { .. } => "ERR_TIA_SAMPLES_LENGTH",
        BuildError::Waiting(_) => "ERR_TIA_SAMPLES_WAITING",
        BuildError::Signal(_) => "ERR_TIA_SIGNAL_UNKNOWN",
        _ => "ERR_TIA_SIGNAL_SHAPE",
    };
    error(code, reason)
}
