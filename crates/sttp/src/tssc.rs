//! Time-Series Special Compression: the blocks of compressed data packets, both ways.
//!
//! A measurement is up to four codes (id, time, flags, value), each written through the state of the signal that came
//! before it; see [`Decoder`] and [`Encoder`].

mod bits;
mod code;
mod decode_run;
#[cfg(target_arch = "x86_64")]
mod decode_run_avx2;
mod decoder;
mod encode_run;
#[cfg(target_arch = "x86_64")]
mod encode_run_avx2;
mod encoder;
mod points;
mod sequence;
mod shorts;
mod sink;
mod times;

pub use decoder::{Decoder, DecoderOptions, Progress};
pub use encoder::{Encoded, Encoder};
pub use sequence::{Sequence, SequenceStep};
pub use sink::WireColumns;

/// The version byte in front of a packet's sequence number.
pub const VERSION: u8 = 85;

/// Why a block cannot be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TsscError {
    /// A code stands where it cannot.
    #[error("code {code} cannot stand at byte {offset} of the block")]
    Code {
        /// Byte of the block.
        offset: usize,
        /// The code.
        code: u8,
    },
    /// The block is longer than the limit.
    #[error("the block has {length} bytes where {limit} are allowed")]
    Length {
        /// Its bytes.
        length: usize,
        /// [`DecoderOptions::max_block_bytes`].
        limit: usize,
    },
    /// More signals than the limit.
    #[error("byte {offset} of the block names more than {limit} signals")]
    Signals {
        /// Byte of the block.
        offset: usize,
        /// [`DecoderOptions::max_signals`].
        limit: usize,
    },
    /// The block ends within a measurement.
    #[error("the block ends within a measurement at byte {offset}")]
    Truncated {
        /// Byte of the block.
        offset: usize,
    },
}

/// Which code runs the fast path; all give the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(not(test), allow(dead_code, reason = "tests compare the paths"))]
enum Path {
    /// What the processor has.
    Best,
    /// Eight lanes without a processor's own instructions.
    Portable,
    /// None: measurement by measurement.
    Plain,
}

#[cfg(test)]
mod tests;
