use measurand_columns::{Block, TIME_UNKNOWN, ticks};

use super::decode_run::{LANES, Widen};
use crate::value;

/// Where decoded measurements go.
pub(super) trait Sink {
    /// Rows that still fit.
    fn room(&self) -> usize;

    /// Sets the time of the rows that follow.
    fn set_time(&mut self, ticks: u64);

    /// Appends one row; the caller has looked at [`Sink::room`].
    fn push(&mut self, row: u32, flags: u32, bits: u32);

    /// Appends the first `count` of eight rows; the caller has seen room for eight.
    fn push_lanes(
        &mut self,
        count: usize,
        rows: &[u32; LANES],
        flags: &[u32; LANES],
        bits: &[u32; LANES],
        widen: impl Widen,
    );
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
        self.block.push(self.time, value::widen(bits), row, flags);
    }

    #[allow(clippy::inline_always, reason = "it has to be compiled for the processor with its caller")]
    #[inline(always)]
    fn push_lanes(
        &mut self,
        count: usize,
        rows: &[u32; LANES],
        flags: &[u32; LANES],
        bits: &[u32; LANES],
        widen: impl Widen,
    ) {
        let at = self.block.len();
        if !self.exact || self.block.wants_raw_time() {
            for row in at..at + count {
                self.block.set_raw_time(row, self.ticks, ticks::from_ns);
            }
        }
        let lanes = at..at + LANES;
        let (Some(time), Some(value), Some(signal), Some(quality)) = (
            self.block.time.get_mut(lanes.clone()),
            self.block.value.get_mut(lanes.clone()),
            self.block.signal.get_mut(lanes.clone()),
            self.block.flags.get_mut(lanes),
        ) else {
            return;
        };
        time.fill(self.time);
        let Some(value) = value.first_chunk_mut() else {
            return;
        };
        if widen(bits, value) {
            value::widen_all(bits, value);
        }
        signal.copy_from_slice(rows);
        quality.copy_from_slice(flags);
        if self.time == TIME_UNKNOWN {
            self.block.mark_unknown_time();
        }
        self.block.advance(count);
    }
}
