//! What historical subscriptions and the recovery of gaps need, for `ts/sttp`.

use measurand_columns::Block;
use measurand_sttp::data_set::DateTime;
use measurand_sttp::{MeasurementRows, RowTimes, parse_time_constraint};
use napi::bindgen_prelude::{BigInt, BigInt64Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};

/// The first and the last time of each signal among rows that were seen.
#[napi]
pub struct SttpRowTimes {
    inner: Guarded<RowTimes>,
}

#[napi]
#[allow(clippy::new_without_default, reason = "napi makes it")]
impl SttpRowTimes {
    /// Nothing was seen.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self { inner: Guarded::new(RowTimes::new()) }
    }

    /// Takes the rows of a block from `first_row` on.
    #[napi(catch_unwind)]
    pub fn observe(&mut self, mut block: Uint8ArraySlice<'_>, first_row: u32) -> Result<()> {
        self.inner.call(|times| {
            // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let block = Block::open(bytes).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))?;
            let rows = MeasurementRows::of(&block).from(first_row as usize);
            times.observe(rows.time, rows.signal);
            Ok(())
        })
    }

    /// The least time of each row of the signal table, ns since 1970-01-01 UTC; -2^63 where none was seen.
    #[napi(catch_unwind)]
    pub fn first(&mut self) -> Result<BigInt64Array> {
        self.inner.call(|times| Ok(BigInt64Array::new(times.first().to_vec())))
    }

    /// The greatest time of each row of the signal table, ns since 1970-01-01 UTC; -2^63 where none was seen.
    #[napi(catch_unwind)]
    pub fn last(&mut self) -> Result<BigInt64Array> {
        self.inner.call(|times| Ok(BigInt64Array::new(times.last().to_vec())))
    }
}

/// A limit of a historical subscription, absolute or relative to `now`: ticks of both; null where it is no time.
#[napi(catch_unwind)]
pub fn sttp_time_constraint(text: String, now: BigInt) -> Option<BigInt> {
    let now = DateTime(i64::try_from(now.get_u64().1).unwrap_or(i64::MAX));
    parse_time_constraint(&text, now).map(|time| BigInt::from(time.0))
}
