//! What historical subscriptions and the recovery of gaps need, for `ts/sttp`.

use measurand_columns::Block;
use measurand_sttp::data_set::DateTime;
use measurand_sttp::{MeasurementRows, RowTimes, parse_time_constraint};
use napi::bindgen_prelude::{BigInt, BigInt64Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::columns::open_block;
use crate::guard::{Result, Shared};

/// The first and the last time of each signal among rows that were seen.
#[napi]
pub struct SttpRowTimes {
    inner: SharedRowTimes,
}

/// Times that a downlink shares, which notes what it decodes.
#[derive(Clone)]
pub(crate) struct SharedRowTimes(Shared<RowTimes>);

impl SharedRowTimes {
    /// Takes the rows of a block from one on.
    pub(crate) fn observe(&self, block: &Block<'_>, first_row: usize) -> Result<()> {
        self.0.call(|times| {
            let rows = MeasurementRows::of(block).from(first_row);
            times.observe(rows.time, rows.signal);
            Ok(())
        })
    }
}

impl SttpRowTimes {
    /// The same times, for a downlink.
    pub(crate) fn share(&self) -> SharedRowTimes {
        self.inner.clone()
    }
}

#[napi]
#[allow(clippy::new_without_default, reason = "napi makes it")]
impl SttpRowTimes {
    /// Nothing was seen.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self { inner: SharedRowTimes(Shared::new(RowTimes::new())) }
    }

    /// Takes the rows of a block from `first_row` on.
    #[napi(catch_unwind)]
    pub fn observe(&mut self, mut block: Uint8ArraySlice<'_>, first_row: u32) -> Result<()> {
        // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
        let bytes = unsafe { block.as_mut() };
        let block = open_block(bytes)?;
        self.inner.observe(&block, first_row as usize)
    }

    /// Whether nothing was seen.
    #[napi(getter, catch_unwind)]
    pub fn is_empty(&mut self) -> Result<bool> {
        self.inner.0.call(|times| Ok(times.is_empty()))
    }

    /// The least time of each row of the signal table, ns since 1970-01-01 UTC; -2^63 where none was seen.
    #[napi(catch_unwind)]
    pub fn first(&mut self) -> Result<BigInt64Array> {
        self.inner.0.call(|times| Ok(BigInt64Array::new(times.first().to_vec())))
    }

    /// The greatest time of each row of the signal table, ns since 1970-01-01 UTC; -2^63 where none was seen.
    #[napi(catch_unwind)]
    pub fn last(&mut self) -> Result<BigInt64Array> {
        self.inner.0.call(|times| Ok(BigInt64Array::new(times.last().to_vec())))
    }
}

/// A limit of a historical subscription, absolute or relative to `now`: ticks of both; null where it is no time.
#[napi(catch_unwind)]
pub fn sttp_time_constraint(text: String, now: BigInt) -> Option<BigInt> {
    let now = DateTime(i64::try_from(now.get_u64().1).unwrap_or(i64::MAX));
    parse_time_constraint(&text, now).map(|time| BigInt::from(time.0))
}
