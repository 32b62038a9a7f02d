//! Compact measurements: the records of uncompressed data packets, both ways.

mod decode;
mod encode;
#[cfg(target_arch = "x86_64")]
mod run;
#[cfg(target_arch = "x86_64")]
mod run_avx2;
#[cfg(target_arch = "x86_64")]
mod run_avx512;

pub use decode::{Body, Decoded, body, decode};
pub use encode::encode;

use crate::state_flags;

/// Bytes of a record in front of its time.
const HEAD_BYTES: usize = 9;
/// Bytes of the longest record, whose time is full ticks.
const RECORD_BYTES: usize = HEAD_BYTES + 8;
/// Ticks of a millisecond.
const MILLISECOND: u64 = 10_000;

/// How records carry their time: what the subscriber asked for, and the base times that the publisher sent since.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeForm {
    /// Records have a time (`includeTime`).
    pub include_time: bool,
    /// Offsets are 2 bytes of milliseconds instead of 4 of ticks (`useMillisecondResolution`).
    pub milliseconds: bool,
    /// Ticks that offsets count from; 0 where none was sent.
    pub base_times: [u64; 2],
}

impl TimeForm {
    /// Full ticks in each record.
    pub const FULL: Self = Self { include_time: true, milliseconds: false, base_times: [0; 2] };

    /// Bytes of a record at least and at most.
    pub(crate) const fn record_bytes(&self) -> (usize, usize) {
        match (self.include_time, self.milliseconds) {
            (false, _) => (HEAD_BYTES, HEAD_BYTES),
            (true, true) => (HEAD_BYTES + 2, RECORD_BYTES),
            (true, false) => (HEAD_BYTES + 4, RECORD_BYTES),
        }
    }

    /// Bytes of the time in a record with a given flag byte.
    const fn time_bytes(&self, flags: u8) -> usize {
        if !self.include_time {
            0
        } else if flags & state_flags::COMPACT_BASE_TIME_OFFSET == 0 {
            8
        } else if self.milliseconds {
            2
        } else {
            4
        }
    }
}

/// The form that the times of neighbouring records have: flags, and what a number in them counts.
#[derive(Clone, Copy, Debug)]
struct RunTime {
    /// What [`RunTime::FLAGS`] are in each record.
    flags: u8,
    /// Ticks from which the numbers count; 0 for full ticks.
    base: u64,
    /// Ticks of one.
    unit: u64,
    /// The times that are sent as offsets: from the first on to the last, exclusive.
    reach: (u64, u64),
}

impl RunTime {
    /// The flags that say a time's form.
    const FLAGS: u8 = state_flags::COMPACT_BASE_TIME_OFFSET | state_flags::COMPACT_TIME_INDEX;

    /// The form of full ticks; `flags` may name the base time that is not used.
    fn full(form: &TimeForm, flags: u8) -> Self {
        let reach = Self::offset(form, flags & state_flags::COMPACT_TIME_INDEX != 0).map_or((0, 0), |run| run.reach);
        Self { flags: flags & state_flags::COMPACT_TIME_INDEX, base: 0, unit: 1, reach }
    }

    /// The form of offsets; `None` where there is no base time to count from.
    fn offset(form: &TimeForm, time_index: bool) -> Option<Self> {
        let base = form.base_times[usize::from(time_index)];
        let index = if time_index { state_flags::COMPACT_TIME_INDEX } else { 0 };
        // The highest number of 2 and of 4 bytes is left out.
        let (unit, numbers) = if form.milliseconds { (MILLISECOND, 0xFFFF) } else { (1, 0xFFFF_FFFF) };
        let reach = (base.saturating_add(1), base.saturating_add(unit * numbers));
        (base > 0).then_some(Self { flags: state_flags::COMPACT_BASE_TIME_OFFSET | index, base, unit, reach })
    }

    /// A time's number; `None` where it is sent in the other form.
    fn number(self, ticks: u64) -> Option<u64> {
        let is_offset = (self.reach.0..self.reach.1).contains(&ticks);
        (is_offset == (self.base > 0)).then(|| (ticks - self.base) / self.unit)
    }
}

/// Why a compact packet cannot be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The packet ends before the record count does.
    #[error("the packet ends within a record at byte {offset}, {missing} records before its count")]
    Truncated {
        /// Byte of the records.
        offset: usize,
        /// Records that are missing.
        missing: u32,
    },
    /// The packet has no room for the record count.
    #[error("the packet has {length} bytes where the record count takes 4")]
    Count {
        /// Bytes behind the packet's flags.
        length: usize,
    },
}

#[cfg(test)]
mod tests;
