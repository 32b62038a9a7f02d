use measurand_columns::Block;

use super::points::{FRESH, Points};
use super::sink::{BlockSink, Sink};
use super::times::Times;
use super::{TsscError, code};
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
            failed: None,
            options,
        }
    }

    /// Forgets all state, as sequence number 0 demands; memory is kept.
    pub fn reset(&mut self) {
        self.points.clear();
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

    /// Measurements of this packet that were left out because their index has no row.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes of this packet that were read.
    pub fn consumed(&self) -> usize {
        self.bits.position
    }

    /// Bytes of this packet that were not read: behind an end code a publisher has no reason to write any.
    pub fn remaining(&self) -> usize {
        self.bits.len.saturating_sub(self.bits.position)
    }

    fn decode_into(&mut self, rows: &SignalRows, sink: &mut impl Sink) -> Result<Progress, TsscError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.rows_stamp != rows.stamp() {
            self.points.set_rows(|index| rows.row(index));
            self.rows_stamp = rows.stamp();
        }
        sink.set_time(self.times.now as u64);
        loop {
            if self.bits.is_done() {
                return Ok(Progress::Done);
            }
            if sink.room() == 0 {
                return Ok(Progress::Full);
            }
            match self.measurement(rows, sink) {
                Ok(true) => {}
                Ok(false) => {
                    self.bits.ended = true;
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
        let id = self.points.next[self.last];
        if self.points.is_followed(self.last) {
            return Ok(self.last + 1);
        }
        if let Some(slot) = self.points.slot(id) {
            return Ok(slot);
        }
        // The fresh point takes a slot of its own.
        if self.points.used() > self.options.max_signals {
            return Err(TsscError::Signals { offset: self.bits.position, limit: self.options.max_signals });
        }
        Ok(self.points.insert(id, rows.row(id).unwrap_or(NO_ROW)))
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
        }
        Ok(code)
    }

    /// Reads a code that must not be below `least`.
    fn code_from(&mut self, least: u8) -> Result<u8, TsscError> {
        let offset = self.bits.position;
        let code = self.code()?;
        if code < least { Err(TsscError::Code { offset, code }) } else { Ok(code) }
    }

    fn fail(&mut self, error: TsscError) -> TsscError {
        *self.failed.get_or_insert(error)
    }
}

/// Zero bytes behind a packet, so that eight bytes can be loaded wherever a read may begin.
pub(super) const PADDING: usize = 96;

/// Reads the bits and bytes that share a packet: a bit byte is opened where the reader stands when a bit is needed and
/// none is left, bytes are taken behind it.
#[derive(Clone, Debug)]
pub(super) struct BitReader {
    /// The packet and [`PADDING`].
    pub(super) bytes: Vec<u8>,
    pub(super) len: usize,
    /// Where the next byte is taken; at most `len`.
    pub(super) position: usize,
    /// Bits left of the open bit byte, at the upper end; zeros below.
    pub(super) open: u64,
    /// How many they are, up to 7.
    pub(super) left: u32,
    /// An end code was read.
    ended: bool,
}

impl BitReader {
    fn new() -> Self {
        Self { bytes: vec![0; PADDING], len: 0, position: 0, open: 0, left: 0, ended: false }
    }

    fn begin(&mut self, block: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(block);
        self.bytes.resize(block.len() + PADDING, 0);
        self.len = block.len();
        self.position = 0;
        self.open = 0;
        self.left = 0;
        self.ended = false;
    }

    fn is_done(&self) -> bool {
        self.ended || (self.left == 0 && self.position == self.len)
    }

    /// The next 57 bits or more, zeros behind the packet.
    fn window(&self) -> u64 {
        let mut word = [0; 8];
        if let Some(bytes) = self.bytes.get(self.position..self.position + 8) {
            word.copy_from_slice(bytes);
        }
        self.open | u64::from_be_bytes(word) >> self.left
    }

    /// Takes 1 to 12 bits.
    fn take(&mut self, count: u32) -> Result<u32, TsscError> {
        let window = self.window();
        let opened = (count + 7 - self.left.min(count)) / 8;
        self.position += opened as usize;
        if self.position > self.len {
            return Err(TsscError::Truncated { offset: self.len });
        }
        self.left = self.left.wrapping_sub(count) & 7;
        self.open = (window << count) & !(u64::MAX >> self.left);
        Ok((window >> (64 - count)) as u32)
    }

    fn byte(&mut self) -> Result<u8, TsscError> {
        if self.position >= self.len {
            return Err(TsscError::Truncated { offset: self.len });
        }
        self.position += 1;
        Ok(self.bytes[self.position - 1])
    }

    /// Takes a word of 4 to 32 bits: 4 bits first if the width asks for them, then bytes, low first.
    fn word(&mut self, bits: u8) -> Result<u32, TsscError> {
        let low = if bits % 8 == 4 { self.take(4)? } else { 0 };
        let mut word = 0;
        for place in 0..u32::from(bits / 8) {
            word |= u32::from(self.byte()?) << (8 * place);
        }
        Ok(if bits % 8 == 4 { word << 4 | low } else { word })
    }

    /// Takes a number of 7 bits a byte, low first; the last of `most` bytes has no continuation bit.
    fn varint(&mut self, most: u32) -> Result<u64, TsscError> {
        let mut number = 0;
        for place in 0..most - 1 {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                return Ok(number);
            }
        }
        Ok(number | u64::from(self.byte()?) << (7 * (most - 1)))
    }
}
