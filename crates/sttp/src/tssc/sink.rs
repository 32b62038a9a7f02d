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

/// Columns as the wire has them, all of one length: ticks and float32 instead of the block's ns and doubles.
///
/// For a caller who wants no other, and to measure what the conversion costs.
#[derive(Debug, Default)]
pub struct WireColumns<'a> {
    /// Ticks verbatim.
    pub ticks: &'a mut [u64],
    /// Values.
    pub value: &'a mut [f32],
    /// Rows of the signal table.
    pub signal: &'a mut [u32],
    /// Quality words.
    pub flags: &'a mut [u32],
    /// Rows that are written; those behind them are room.
    pub len: usize,
}

/// Appends to columns of the wire.
pub(super) struct WireSink<'b, 'a> {
    columns: &'b mut WireColumns<'a>,
    capacity: usize,
    ticks: u64,
}

impl<'b, 'a> WireSink<'b, 'a> {
    pub(super) fn new(columns: &'b mut WireColumns<'a>) -> Self {
        let WireColumns { ticks, value, signal, flags, .. } = columns;
        let capacity = ticks.len().min(value.len()).min(signal.len()).min(flags.len());
        columns.len = columns.len.min(capacity);
        Self { columns, capacity, ticks: 0 }
    }
}

impl Sink for WireSink<'_, '_> {
    #[inline]
    fn room(&self) -> usize {
        self.capacity - self.columns.len
    }

    fn set_time(&mut self, ticks: u64) {
        self.ticks = ticks;
    }

    #[inline]
    fn push(&mut self, row: u32, flags: u32, bits: u32) {
        let WireColumns { ticks, value, signal, flags: quality, len } = &mut *self.columns;
        let at = *len;
        (ticks[at], value[at], signal[at], quality[at]) = (self.ticks, f32::from_bits(bits), row, flags);
        *len = at + 1;
    }

    #[allow(clippy::inline_always, reason = "it has to be compiled for the processor with its caller")]
    #[inline(always)]
    fn push_lanes(
        &mut self,
        count: usize,
        rows: &[u32; LANES],
        flags: &[u32; LANES],
        bits: &[u32; LANES],
        _: impl Widen,
    ) {
        let WireColumns { ticks, value, signal, flags: quality, len } = &mut *self.columns;
        let lanes = *len..*len + LANES;
        let (Some(ticks), Some(value), Some(signal), Some(quality)) = (
            ticks.get_mut(lanes.clone()),
            value.get_mut(lanes.clone()),
            signal.get_mut(lanes.clone()),
            quality.get_mut(lanes),
        ) else {
            return;
        };
        ticks.fill(self.ticks);
        value.copy_from_slice(bytemuck::cast_slice(bits));
        signal.copy_from_slice(rows);
        quality.copy_from_slice(flags);
        *len += count;
    }
}
