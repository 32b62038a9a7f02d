use measurand_columns::{Columns, Status, TIME_UNKNOWN};

use crate::framer::{Framer, FramerOptions, Head, SampleOrder};
use crate::packet_decoder::{Inspection, Verdict};
use crate::samples::copy_samples;
use crate::stop::Stop;
use crate::{Block, Notice, PacketError};

/// Rows of the signal table for the channels of a signal type.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalRows {
    /// Bit of the signal type.
    pub bit: u8,
    /// The row of each channel.
    pub rows: Vec<u32>,
    /// Samples per second of a channel; 0 for an aperiodic signal, whose values have the packet's time.
    pub rate: f64,
}

/// How packets become measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasurementOptions {
    /// How the connection's bytes are read.
    pub framer: FramerOptions,
    /// Nanoseconds of a header time's unit: 1,000 for pytia, 10,000 for libtia.
    pub unit_ns: i64,
}

impl Default for MeasurementOptions {
    fn default() -> Self {
        Self { framer: FramerOptions::default(), unit_ns: 1000 }
    }
}

#[derive(Clone, Debug)]
struct Mapped {
    rows: SignalRows,
    /// Offsets of a block's samples from the packet's time, for the block size that came last.
    offsets: Vec<i64>,
}

/// Reads a data connection into rows: one a sample, channel after channel as on the wire.
///
/// `time` is the anchor plus the header's time, less what lies between the sample and its block's last; `seq` is the
/// packet id, `idx` the position in the block, `flags` 0.
#[derive(Debug)]
pub struct MeasurementDecoder {
    framer: Framer,
    inspection: Inspection,
    unit_ns: i64,
    anchor: Option<i64>,
    signals: Vec<Option<Mapped>>,
    /// Rows of the packet at the front that are in earlier blocks.
    emitted: usize,
    mapped: u64,
    scratch: Vec<u8>,
    stop: Stop,
    last_timestamp: u64,
}

impl MeasurementDecoder {
    /// A decoder; `document` are the meta info's signals in its order, by which a wrong order of blocks is detected.
    pub fn new(options: MeasurementOptions, document: Vec<Block>) -> Self {
        Self {
            framer: Framer::new(options.framer),
            inspection: Inspection::new(document),
            unit_ns: options.unit_ns,
            anchor: None,
            signals: vec![None; 32],
            emitted: 0,
            mapped: 0,
            scratch: Vec::new(),
            stop: Stop::default(),
            last_timestamp: 0,
        }
    }

    /// Sets the time, ns since 1970-01-01 UTC, of header time 0, and the unit of header times in ns.
    pub fn set_anchor(&mut self, anchor: i64, unit_ns: i64) {
        self.anchor = Some(anchor);
        self.unit_ns = unit_ns;
    }

    /// Sets the rows of a signal type.
    pub fn set_signal(&mut self, rows: SignalRows) {
        self.mapped = 0;
        if let Some(signal) = self.signals.get_mut(usize::from(rows.bit)) {
            *signal = Some(Mapped { rows, offsets: Vec::new() });
        }
    }

    /// Header time of the packet that was decoded last.
    pub fn last_timestamp(&self) -> u64 {
        self.last_timestamp
    }

    /// What the decoder stopped for with [`Status::Control`].
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.stop.notice.take()
    }

    /// What it stopped for with [`Status::Malformed`] or [`Status::Lost`], and how many bytes are lost with it: the
    /// datagram, or all that is there of the stream.
    pub fn take_error(&mut self) -> Option<(PacketError, usize)> {
        self.stop.error.take()
    }

    /// Whether framing was lost: a new connection is needed.
    pub fn is_lost(&self) -> bool {
        self.stop.lost
    }

    /// Bytes held of a packet that is not whole yet.
    pub fn pending(&self) -> usize {
        self.framer.pending()
    }

    /// Appends the rows of a chunk; gives the status and how many bytes of the chunk it took.
    ///
    /// A block that fills up inside a packet goes on there in the next call.
    pub fn decode(&mut self, chunk: &[u8], block: &mut measurand_columns::Block<'_>) -> (Status, usize) {
        let mut at = 0;
        if self.stop.lost {
            return (Status::Lost, 0);
        }
        block.mark_present(Columns::SEQ | Columns::IDX);
        let status = self.fill(chunk, &mut at, block);
        (status, at)
    }

    fn fill(&mut self, chunk: &[u8], at: &mut usize, block: &mut measurand_columns::Block<'_>) -> Status {
        loop {
            let head = match self.framer.next(chunk, at) {
                Ok(Some(head)) => head,
                Ok(None) => return Status::NeedMore,
                Err(error) => return self.stop.fail(&self.framer, error, chunk, at),
            };
            let Some(anchor) = self.anchor else {
                let (first, last, steps) = self.framer.times(&head, chunk, *at);
                return self.stop.say(Notice::Anchor { first, last, steps });
            };
            match self.inspection.look(&head, &self.framer) {
                Verdict::Take => {}
                Verdict::Say(notice) => {
                    if matches!(notice, Notice::Restart { .. }) {
                        self.anchor = None;
                    }
                    return self.stop.say(notice);
                }
                Verdict::Skip(notice) => {
                    self.framer.advance(&head, at);
                    return self.stop.say(notice);
                }
            }
            if self.mapped != self.inspection.generation()
                && let Some(notice) = self.map()
            {
                return self.stop.say(notice);
            }
            if !self.rows(&head, anchor, chunk, *at, block) {
                return Status::Full;
            }
            self.last_timestamp = head.header.timestamp;
            self.emitted = 0;
            self.framer.advance(&head, at);
            self.inspection.done();
        }
    }

    /// Appends the packet's rows that fit; whether all are in.
    fn rows(
        &mut self,
        head: &Head,
        anchor: i64,
        chunk: &[u8],
        at: usize,
        block: &mut measurand_columns::Block<'_>,
    ) -> bool {
        let bytes = self.framer.bytes(head, chunk, at);
        let mut samples = bytes.get(head.prefix..).unwrap_or(&[]);
        if self.framer.options().order == SampleOrder::SampleMajor {
            self.scratch.resize(samples.len(), 0);
            copy_samples(SampleOrder::SampleMajor, self.inspection.blocks(), samples, &mut self.scratch);
            samples = &self.scratch;
        }
        let stamp = i64::try_from(head.header.timestamp).ok().filter(|_| head.header.version == 3);
        let time = stamp.and_then(|stamp| stamp.checked_mul(self.unit_ns)).and_then(|ns| ns.checked_add(anchor));
        let mut skip = self.emitted;
        for shape in self.inspection.blocks() {
            let Some(signal) = self.signals.get(usize::from(shape.bit)).and_then(Option::as_ref) else { continue };
            let size = usize::from(shape.blocksize);
            for &signal_row in signal.rows.rows.iter().take(usize::from(shape.channels)) {
                let Some((run, rest)) = samples.split_at_checked(4 * size) else { return true };
                samples = rest;
                if skip >= size {
                    skip -= size;
                    continue;
                }
                let row =
                    Run { skip, time, stamp: head.header.timestamp, id: head.header.packet_id, signal: signal_row };
                let raw = |time: i64| time.wrapping_sub(anchor).checked_div(self.unit_ns).unwrap_or(0) as u64;
                let taken = row.append(run, &signal.offsets, block, raw);
                self.emitted += taken;
                if skip + taken < size {
                    return false;
                }
                skip = 0;
            }
        }
        true
    }

    /// Prepares the offsets of every block; a notice where a signal or a channel has no row.
    #[cold]
    fn map(&mut self) -> Option<Notice> {
        for &Block { bit, channels, blocksize } in self.inspection.blocks() {
            let known = self.signals.get_mut(usize::from(bit)).and_then(Option::as_mut);
            let Some(signal) = known.filter(|signal| signal.rows.rows.len() >= usize::from(channels)) else {
                return Some(Notice::Signal { bit, channels, blocksize });
            };
            let period = if signal.rows.rate > 0.0 { 1e9 / signal.rows.rate } else { 0.0 };
            signal.offsets.clear();
            signal.offsets.extend((0..blocksize).rev().map(|back| -((f64::from(back) * period).round() as i64)));
        }
        self.mapped = self.inspection.generation();
        None
    }
}

/// The samples of one channel in one packet.
struct Run {
    skip: usize,
    time: Option<i64>,
    stamp: u64,
    id: u64,
    signal: u32,
}

impl Run {
    /// Appends those behind `skip` that fit; gives how many.
    fn append(
        &self,
        samples: &[u8],
        offsets: &[i64],
        block: &mut measurand_columns::Block<'_>,
        raw: impl Fn(i64) -> u64 + Copy,
    ) -> usize {
        let start = block.len();
        let rows = (samples.len() / 4).saturating_sub(self.skip).min(block.room());
        let end = start + rows;
        let samples = samples.get(4 * self.skip..4 * (self.skip + rows)).unwrap_or(&[]);
        let offsets = offsets.get(self.skip..self.skip + rows).unwrap_or(&[]);
        widen(samples, &mut block.value[start..end]);
        if let Some(time) = self.time {
            let times = block.time[start..end].iter_mut().zip(offsets);
            times.for_each(|(place, offset)| *place = time.saturating_add(*offset));
        } else {
            block.time[start..end].fill(TIME_UNKNOWN);
            block.mark_unknown_time();
        }
        block.signal[start..end].fill(self.signal);
        block.flags[start..end].fill(0);
        if let Some(seq) = block.seq.get_mut(start..end) {
            seq.fill(self.id);
        }
        if let Some(idx) = block.idx.get_mut(start..end) {
            idx.iter_mut().zip(self.skip as u32..).for_each(|(place, position)| *place = position);
        }
        if self.time.is_none() || block.wants_raw_time() {
            (start..end).for_each(|row| block.set_raw_time(row, self.stamp, raw));
        }
        block.advance(rows);
        rows
    }
}

/// Widens little-endian 32-bit floats; a NaN keeps its payload and stays signalling, so that narrowing gives it back.
fn widen(from: &[u8], to: &mut [f64]) {
    let mut all_numbers = true;
    for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
        let value = f32::from_le_bytes(*from);
        all_numbers &= !value.is_nan();
        *to = f64::from(value);
    }
    if all_numbers {
        return;
    }
    for (to, from) in to.iter_mut().zip(from.as_chunks::<4>().0) {
        let bits = u32::from_le_bytes(*from);
        if f32::from_bits(bits).is_nan() {
            let (sign, fraction) = (u64::from(bits >> 31), u64::from(bits & 0x7F_FFFF));
            *to = f64::from_bits(sign << 63 | 0x7FF << 52 | fraction << 29);
        }
    }
}

#[cfg(test)]
mod tests;
