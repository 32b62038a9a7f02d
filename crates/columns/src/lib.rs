//! The block: the columns that every measurand codec writes and reads.
//!
//! A [`Block`] is a view on bytes that somebody else owns (in Node.js one `ArrayBuffer`): a 64-byte header, then
//! 64-byte aligned columns in the order of the measurement table. Its bytes are an Arrow record-batch body, so what a
//! decoder writes here goes to a file, a bus or a plot without a copy.
//!
//! The crate has no socket, no clock and no allocation. Time conversions that have to be exact live here too:
//! [`ticks`] for STTP and [`unix_seconds`] for sisock.

mod block;
mod layout;
pub mod ticks;
pub mod unix_seconds;

pub use block::{Block, BlockError, Status};
pub use layout::{Columns, HEADER_BYTES, Layout};

/// The value of a time column where the time is not known: -2^63 ns.
pub const TIME_UNKNOWN: i64 = i64::MIN;
