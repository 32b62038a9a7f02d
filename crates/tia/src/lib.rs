//! TOBI interface A (`TiA`) 1.0: packets, control messages and meta info, both ways.
//!
//! The crate has no socket, no clock and no thread. The data connection is read by [`PacketDecoder`], which fills a
//! [`PacketBlock`] with whole packets (samples as one array of 32-bit floats), or by [`MeasurementDecoder`], which
//! fills the columns of a [`measurand_columns::Block`]; both take whole socket chunks, cut anywhere. A server makes
//! packets with [`PacketBuilder`] and, for a client with a signal info of its own, sends them through a
//! [`ChannelSelection`]. Control connections are read by [`MessageReader`]; [`MetaInfo`] is their XML.

// Samples are copied between the wire, which is little-endian, and memory.
const _: () = assert!(cfg!(target_endian = "little"));

mod channel_selection;
mod framer;
mod measurement_decoder;
mod message;
mod meta_info;
mod packet;
mod packet_block;
mod packet_builder;
mod packet_decoder;
mod samples;
mod sequence;
mod signal_type;
mod stop;

pub use channel_selection::{ChannelSelection, SelectionError, SignalSelection};
pub use framer::{FramerOptions, SampleOrder, Version};
pub use measurement_decoder::{MeasurementDecoder, MeasurementOptions, SignalRows};
pub use message::{Message, MessageError, MessageLimits, MessageReader};
pub use meta_info::{ChannelInfo, Document, MetaInfo, MetaInfoError, SignalInfo, Subject};
pub use packet::{Block, Packet, PacketError, PacketHeader, write_packet};
pub use packet_block::{PacketBlock, PacketBlockError, PacketLayout};
pub use packet_builder::{BuildError, Pace, PacketBuilder, SourceSignal, renumber};
pub use packet_decoder::PacketDecoder;
pub use sequence::{Arrival, Sequence};
pub use signal_type::{Dialect, SignalType};

/// What a decoder has to say between rows: it stops there, so that the order is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// The clock's anchor is wanted: the server's time in the chunk's first and last whole packet, and how many
    /// packets lie between them.
    Anchor {
        /// Header time of the first packet, in the server's unit.
        first: u64,
        /// The greatest header time in the chunk.
        last: u64,
        /// Packets after the first.
        steps: u64,
    },
    /// A packet came twice, or so late that nobody knows: it is left out.
    Duplicate {
        /// Its id.
        id: u64,
        /// Samples in it.
        samples: u64,
    },
    /// Packets are missing.
    Gap {
        /// Id of the first.
        first: u64,
        /// Id of the last.
        last: u64,
    },
    /// A missing packet came after all; its rows follow.
    Late {
        /// Its id.
        id: u64,
        /// Samples in it.
        samples: u64,
    },
    /// Blocks lie in the meta info's order instead of ascending bits: shapes told, and the bits are set right.
    OrderCorrected,
    /// The meta info's order is not that of the bits, and the shapes fit both.
    OrderAmbiguous,
    /// Ids began anew: the server did.
    Restart {
        /// The first new id.
        id: u64,
    },
    /// A block of a signal or a channel that has no row in the signal table yet.
    Signal {
        /// Bit of the signal type.
        bit: u8,
        /// Channels of the block.
        channels: u16,
        /// Samples per channel of the block.
        blocksize: u16,
    },
}
