use measurand_columns::{Block, ticks};

/// The columns of measurements to encode, all of the length of `value`; a shorter one ends them all.
#[derive(Clone, Copy, Debug)]
pub struct MeasurementRows<'a> {
    /// ns since 1970-01-01 UTC, [`measurand_columns::TIME_UNKNOWN`] where it is not known (ticks 0).
    pub time: &'a [i64],
    /// Ticks verbatim, in place of `time`; empty where no row needs them.
    pub raw_time: &'a [u64],
    /// Values, sent as float32.
    pub value: &'a [f64],
    /// Rows of the session's signal table.
    pub signal: &'a [u32],
    /// Quality words.
    pub flags: &'a [u32],
}

impl<'a> MeasurementRows<'a> {
    /// How many measurements they are.
    pub fn len(&self) -> usize {
        let len = self.time.len().min(self.value.len()).min(self.signal.len()).min(self.flags.len());
        if self.raw_time.is_empty() { len } else { len.min(self.raw_time.len()) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows from `first` on; none if there are fewer.
    #[must_use]
    pub fn from(&self, first: usize) -> Self {
        fn tail<T>(column: &[T], first: usize) -> &[T] {
            column.get(first..).unwrap_or_default()
        }
        Self {
            time: tail(self.time, first),
            raw_time: tail(self.raw_time, first),
            value: tail(self.value, first),
            signal: tail(self.signal, first),
            flags: tail(self.flags, first),
        }
    }

    /// The ticks of a row; 0 behind the last.
    #[inline]
    pub(crate) fn ticks(&self, row: usize) -> u64 {
        match (self.raw_time.get(row), self.time.get(row)) {
            (Some(&ticks), _) => ticks,
            (None, Some(&time)) => ticks::from_ns(time),
            (None, None) => 0,
        }
    }

    /// The later of the first and the last row's time, ticks without leap bits; 0 where neither is known. Rows are published
    /// about in their order, and to look at all of them would cost as much as to encode them.
    pub fn recent_ticks(&self) -> u64 {
        let last = self.len().saturating_sub(1);
        (self.ticks(0) & ticks::VALUE_MASK).max(self.ticks(last) & ticks::VALUE_MASK)
    }

    /// The rows that a block holds.
    pub fn of(block: &'a Block<'_>) -> Self {
        let len = block.len();
        Self {
            time: &block.time[..len],
            raw_time: block.raw_time(),
            value: &block.value[..len],
            signal: &block.signal[..len],
            flags: &block.flags[..len],
        }
    }
}
