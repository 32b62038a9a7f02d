use measurand_columns::{Block, Columns, Layout, ticks, unix_seconds};
use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;

use crate::guard::{Result, error};

/// Writes the header of an empty block into `bytes`.
#[napi(catch_unwind)]
pub fn format_block(mut bytes: Uint8Array, capacity: u32, columns: u32) -> Result<()> {
    let columns = Columns::from_bits(columns)
        .ok_or_else(|| error("ERR_SESSION_BLOCK_COLUMNS", format!("{columns:#x} names no columns")))?;
    // SAFETY: the caller (ts/batch/block.ts) owns the buffer and no other thread has it: shared buffers are refused there.
    let bytes = unsafe { bytes.as_mut() };
    Block::format(bytes, Layout { capacity, columns }).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))
}

/// Opens a block that JavaScript owns.
pub(crate) fn open_block(bytes: &mut [u8]) -> Result<Block<'_>> {
    Block::open(bytes).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))
}

/// Nanoseconds since 1970-01-01 UTC of STTP ticks; -2^63 where they are out of range.
#[napi(catch_unwind)]
pub fn ticks_to_ns(ticks: BigInt) -> BigInt {
    BigInt::from(ticks::to_ns(ticks.get_u64().1).0)
}

/// STTP ticks of nanoseconds since 1970-01-01 UTC, rounded down.
#[napi(catch_unwind)]
pub fn ns_to_ticks(time: BigInt) -> BigInt {
    BigInt::from(ticks::from_ns(time.get_i64().0))
}

/// Nanoseconds since 1970-01-01 UTC of seconds in a double, exact; -2^63 where they are out of range.
#[napi(catch_unwind)]
pub fn seconds_to_ns(seconds: f64) -> BigInt {
    BigInt::from(unix_seconds::to_ns(seconds).0)
}

/// The double nearest to a time in nanoseconds, in seconds since 1970-01-01 UTC.
#[napi(catch_unwind)]
pub fn ns_to_seconds(time: BigInt) -> f64 {
    unix_seconds::from_ns(time.get_i64().0)
}
