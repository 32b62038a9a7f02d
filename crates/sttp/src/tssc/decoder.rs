use measurand_columns::Block;

use super::bits::BitReader;
use super::decode_run::{self, Hot};
use super::points::{FRESH, Points};
use super::shorts::Shorts;
use super::sink::{BlockSink, Sink, WireColumns, WireSink};
use super::times::Times;
use super::{Path, TsscError, code};
use crate::signal_rows::{NO_ROW, SignalRows};

/// Limits of a decoder's memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DecoderOptions {
    /// Signals of which state is kept, about 110 bytes each. Default 4,194,304.
    pub max_signals: usize,
    /// Signal indexes below this are looked up in an array of up to 4 bytes each, larger ones in a hash map. Default
    /// 1,048,576.
    pub dense_indexes: usize,
    /// Bytes of a packet's block. The protocol's limit is 32,768, which is what peers keep to. Default 65,536.
    pub max_block_bytes: usize,
}

impl Default for DecoderOptions {
    fn default() -> Self {
        Self { max_signals: 1 << 22, dense_indexes: 1 << 20, max_block_bytes: 1 << 16 }
    }
}

/// How a call of [`Decoder::decode`] ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The packet is decoded.
    Done,
    /// The columns are full: call again with room.
    Full,
}

/// Decodes the blocks of one publisher's TSSC packets, in order, from a reset on.
///
/// A packet is taken by [`Decoder::begin`] and decoded by as many calls of [`Decoder::decode`] as its rows need blocks.
/// After an error the state is lost: every call repeats the error until [`Decoder::reset`].
#[derive(Clone, Debug)]
pub struct Decoder {
    pub(super) points: Points,
    pub(super) times: Times,
    pub(super) bits: BitReader,
    /// Slot of the last measurement, through which the next codes are written.
    pub(super) last: usize,
    pub(super) skipped: u64,
    /// [`SignalRows::stamp`] of the rows in `points`.
    rows_stamp: u64,
    /// What [`super::decode_run`] needs of each point in one word; see [`super::decode_run::Hot`].
    pub(super) hot: Vec<Hot>,
    pub(super) path: Path,
    failed: Option<TsscError>,
    options: DecoderOptions,
}

impl Decoder {
    /// A decoder that waits for the first packet after a reset of the publisher.
    pub fn new(options: DecoderOptions) -> Self {
        Self {
            points: Points::new(options.dense_indexes),
            times: Times::new(),
            bits: BitReader::new(),
            last: FRESH,
            skipped: 0,
            rows_stamp: 0,
            hot: Vec::new(),
            path: Path::Best,
            failed: None,
            options,
        }
    }

    /// Forgets all state, as sequence number 0 demands; memory is kept.
    pub fn reset(&mut self) {
        self.points.clear();
        self.hot.fill(Hot::NONE);
        self.times = Times::new();
        self.bits.begin(&[]);
        self.last = FRESH;
        self.failed = None;
    }

    /// Takes the block of the next packet (the bytes behind its sequence number). What was not decoded of the packet
    /// before is dropped, and the state with it: decode a packet to its end first.
    pub fn begin(&mut self, block: &[u8]) -> Result<(), TsscError> {
        let limit = self.options.max_block_bytes;
        if block.len() > limit {
            return Err(self.fail(TsscError::Length { length: block.len(), limit }));
        }
        self.bits.begin(block);
        self.skipped = 0;
        Ok(())
    }

    /// Appends the packet's measurements to `block`, those whose index has no row left out.
    pub fn decode(&mut self, rows: &SignalRows, block: &mut Block<'_>) -> Result<Progress, TsscError> {
        self.decode_into(rows, &mut BlockSink::new(block))
    }

    /// Does so with columns as the wire has them: nothing is converted.
    pub fn decode_wire(&mut self, rows: &SignalRows, columns: &mut WireColumns<'_>) -> Result<Progress, TsscError> {
        self.decode_into(rows, &mut WireSink::new(columns))
    }

    /// Measurements of this packet that were left out because their index has no row.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes of this packet that were read.
    pub fn consumed(&self) -> usize {
        self.bits.offset()
    }

    /// Bytes of this packet that were not read: behind an end code a publisher has no reason to write any.
    pub fn remaining(&self) -> usize {
        self.bits.remaining()
    }

    fn decode_into(&mut self, rows: &SignalRows, sink: &mut impl Sink) -> Result<Progress, TsscError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.rows_stamp != rows.stamp() {
            self.points.reserve(rows.count().min(self.options.max_signals));
            self.points.set_rows(|index| rows.row(index));
            self.rows_stamp = rows.stamp();
            self.hot.resize(self.points.capacity(), Hot::NONE);
            for slot in 0..self.points.used() {
                self.refresh(slot);
            }
        }
        sink.set_time(self.times.now as u64);
        loop {
            decode_run::run(self, sink);
            if self.bits.is_done() {
                return Ok(Progress::Done);
            }
            if sink.room() == 0 {
                return Ok(Progress::Full);
            }
            match self.measurement(rows, sink) {
                Ok(true) => {}
                Ok(false) => {
                    self.bits.finish();
                    return Ok(Progress::Done);
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    /// Decodes one measurement code by code; false at the end code.
    fn measurement(&mut self, rows: &SignalRows, sink: &mut impl Sink) -> Result<bool, TsscError> {
        let mut code = self.code()?;
        if code == code::END {
            return Ok(false);
        }
        if code < code::STEP_FORWARD {
            let bits = code::ID_BITS[(code - code::ID) as usize];
            self.points.next[self.last] ^= self.bits.word(bits)?;
            self.refresh(self.last);
            code = self.code_from(code::STEP_FORWARD)?;
        }
        let slot = self.slot(rows)?;
        if code <= code::TIME {
            let times = &self.times;
            let step = |code: u8| times.steps[code as usize & 3];
            let ticks = match code {
                code::TIME => times.now ^ self.bits.varint(9)? as i64,
                code::TIME_BEFORE => times.before,
                code::STEP_BACK.. => times.now.wrapping_sub(step(code)),
                _ => times.now.wrapping_add(step(code)),
            };
            self.times.push(ticks);
            sink.set_time(ticks as u64);
            code = self.code_from(code::FLAGS_BEFORE)?;
        }
        if code <= code::FLAGS {
            let before = self.points.flags_before[slot];
            let flags = if code == code::FLAGS_BEFORE { before } else { self.bits.varint(5)? as u32 };
            self.points.flags_before[slot] = self.points.flags[slot];
            self.points.flags[slot] = flags;
            code = self.code_from(code::VALUE_1)?;
        }
        let [first, second, third] = &self.points.values;
        let bits = match code {
            code::VALUE_1 => first[slot],
            code::VALUE_2 => second[slot],
            code::VALUE_3 => third[slot],
            code::VALUE_ZERO => 0,
            _ => first[slot] ^ self.bits.word(code::value_bits(code))?,
        };
        self.points.rotate(slot, code, bits);
        self.last = slot;
        match self.points.row[slot] {
            NO_ROW => self.skipped += 1,
            row => sink.push(row, self.points.flags[slot], bits),
        }
        Ok(true)
    }

    /// The slot of the measurement that follows, made if its id is new.
    fn slot(&mut self, rows: &SignalRows) -> Result<usize, TsscError> {
        if self.points.is_followed(self.last) {
            return Ok(self.last + 1);
        }
        let id = self.points.next[self.last];
        if self.points.forget_guesses(self.last) {
            self.refresh(self.points.used() - 1);
        }
        if let Some(slot) = self.points.slot(id) {
            return Ok(slot);
        }
        // The fresh point takes a slot of its own.
        let most = self.options.max_signals;
        if self.points.used() > most {
            return Err(TsscError::Signals { offset: self.bits.offset(), limit: most });
        }
        let slot = self.points.insert(id, rows.row(id).unwrap_or(NO_ROW));
        if id == self.points.id[slot - 1].wrapping_add(1) {
            self.points.guess(most + 1, |id| rows.row(id));
        }
        if self.hot.len() < self.points.capacity() {
            self.hot.resize(self.points.capacity(), Hot::NONE);
        }
        self.refresh(slot - 1);
        // What is guessed has rows and is new.
        let guessed = slot..self.points.used() - 1;
        self.hot[guessed].fill(Hot::new(Shorts::FIRST));
        self.refresh(self.points.used() - 1);
        Ok(slot)
    }

    /// Reads a code through the last point.
    fn code(&mut self) -> Result<u8, TsscError> {
        let shorts = self.points.shorts[self.last];
        let zeros = self.bits.window().leading_zeros();
        let (code, adapt) = if zeros < u32::from(shorts.count) {
            self.bits.take(zeros + 1)?;
            (shorts.codes[zeros as usize], self.points.count_short(self.last, zeros as usize))
        } else {
            let prefix = u32::from(shorts.count);
            let code = self.bits.take(prefix + 5)? as u8 & 31;
            (code, self.points.count_literal(self.last, code))
        };
        if adapt {
            self.points.adapt(self.last);
            self.refresh(self.last);
        }
        Ok(code)
    }

    /// Brings what [`decode_run::run`] needs of a point up to date.
    pub(super) fn refresh(&mut self, slot: usize) {
        let plain = self.points.is_followed(slot) && self.points.row[slot + 1] != NO_ROW;
        self.hot[slot] = if plain { Hot::new(self.points.shorts[slot]) } else { Hot::NONE };
    }

    /// Reads a code that must not be below `least`.
    fn code_from(&mut self, least: u8) -> Result<u8, TsscError> {
        let offset = self.bits.offset();
        let code = self.code()?;
        if code < least { Err(TsscError::Code { offset, code }) } else { Ok(code) }
    }

    fn fail(&mut self, error: TsscError) -> TsscError {
        *self.failed.get_or_insert(error)
    }
}
