use measurand_columns::{Block, TIME_UNKNOWN, ticks};

/// Where decoded measurements go.
pub(super) trait Sink {
    /// Rows that still fit.
    fn room(&self) -> usize;

    /// Sets the time of the rows that follow.
    fn set_time(&mut self, ticks: u64);

    /// Appends one row; the caller has looked at [`Sink::room`].
    fn push(&mut self, row: u32, flags: u32, bits: u32);
}

/// Appends to a block of the measurement table.
pub(super) struct BlockSink<'b, 'a> {
    block: &'b mut Block<'a>,
    ticks: u64,
    time: i64,
    exact: bool,
}

impl<'b, 'a> BlockSink<'b, 'a> {
    pub(super) fn new(block: &'b mut Block<'a>) -> Self {
        Self { block, ticks: 0, time: TIME_UNKNOWN, exact: false }
    }
}

impl Sink for BlockSink<'_, '_> {
    #[inline]
    fn room(&self) -> usize {
        self.block.room()
    }

    fn set_time(&mut self, ticks: u64) {
        self.ticks = ticks;
        (self.time, self.exact) = ticks::to_ns(ticks);
    }

    #[inline]
    fn push(&mut self, row: u32, flags: u32, bits: u32) {
        let at = self.block.len();
        if !self.exact || self.block.wants_raw_time() {
            self.block.set_raw_time(at, self.ticks, ticks::from_ns);
        }
        self.block.push(self.time, crate::value::widen(bits), row, flags);
    }
}
