use super::points::{FRESH, Points};
use super::times::Times;
use super::{Path, code, encode_run};
use crate::signal_rows::{NO_ROW, SignalIndexes};
use crate::{MeasurementRows, value};

/// Bytes of a block at most.
const BLOCK_BYTES: usize = 32_768;
/// A block with fewer bytes left takes no further measurement: one and the end code have 27 bytes at most, and eight may
/// be stored where the last of them goes.
pub(super) const RESERVE: usize = 100;

/// What a call of [`Encoder::encode`] put into a block.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Encoded {
    /// Rows taken from the columns: the next block begins behind them.
    pub rows: usize,
    /// Measurements in the block: the rows taken less those whose signal has no wire index.
    pub measurements: usize,
    /// Bytes written.
    pub bytes: usize,
}

/// Encodes measurements as the blocks of TSSC packets; state is carried from block to block until a reset.
#[derive(Clone, Debug)]
pub struct Encoder {
    pub(super) points: Points,
    pub(super) times: Times,
    /// Slot of the last measurement, through which the next codes are written.
    pub(super) last: usize,
    /// The time of [`Self::times`] in ns, if a time in ns has these ticks.
    pub(super) time: Option<i64>,
    /// By slot: the row of the next slot if that is expected next, else [`NO_ROW`].
    pub(super) follow: Vec<u32>,
    pub(super) path: Path,
    /// [`SignalIndexes::stamp`] of the indexes that `points` were made from.
    indexes_stamp: u64,
}

impl Encoder {
    /// An encoder whose first block is that of sequence number 0.
    pub fn new() -> Self {
        Self {
            points: Points::new(1 << 20),
            times: Times::new(),
            last: FRESH,
            time: None,
            follow: Vec::new(),
            path: Path::Best,
            indexes_stamp: 0,
        }
    }

    /// Forgets all state: the next block needs sequence number 0. Memory is kept.
    pub fn reset(&mut self) {
        self.points.clear();
        self.follow.fill(NO_ROW);
        self.time = None;
        self.times = Times::new();
        self.last = FRESH;
    }

    /// Writes to the front of `packet` one block with as many of `rows` as fit into it, and into the protocol's 32,768
    /// bytes.
    ///
    /// Without any measurement (no rows, none has an index, or there are fewer than 100 bytes) nothing is written.
    pub fn encode(&mut self, rows: &MeasurementRows<'_>, indexes: &SignalIndexes, packet: &mut [u8]) -> Encoded {
        let len = rows.len();
        let mut encoded = Encoded::default();
        if self.indexes_stamp != indexes.stamp() {
            // What a point knows of its row is not true any more; it is learned again.
            self.points.reserve(indexes.count());
            self.points.set_rows(|_| None);
            self.follow.fill(NO_ROW);
            self.indexes_stamp = indexes.stamp();
        }
        let mut bits = BitWriter::new(packet);
        loop {
            let run = encode_run::run(self, &mut bits, rows, encoded.rows);
            encoded.rows += run;
            encoded.measurements += run;
            let at = encoded.rows;
            if at == len || bits.position + RESERVE > bits.bytes.len() {
                break;
            }
            encoded.rows += 1;
            let row = rows.signal[at];
            if let Some(index) = indexes.index(row) {
                let ticks = rows.ticks(at);
                self.measurement(&mut bits, index, row, ticks, rows.flags[at], value::narrow(rows.value[at]));
                self.time = if rows.raw_time.is_empty() { Some(rows.time[at]) } else { None };
                encoded.measurements += 1;
            }
        }
        if bits.pending > 0 {
            self.code(&mut bits, code::END);
        }
        encoded.bytes = bits.position;
        encoded
    }

    /// Writes one measurement code by code.
    fn measurement(&mut self, writer: &mut BitWriter<'_>, id: u32, row: u32, ticks: u64, flags: u32, bits: u32) {
        let slot = self.slot(id, row);
        let next = self.points.next[self.last];
        if next != id {
            self.points.next[self.last] = id;
            self.refresh(self.last);
            let differing = next ^ id;
            let place = code::ID_BITS.iter().position(|&bits| u64::from(differing) >> bits == 0).unwrap_or(6);
            self.code(writer, code::ID + place as u8);
            writer.word(differing, code::ID_BITS[place]);
        }
        self.time(writer, ticks as i64);
        if self.points.flags[slot] != flags {
            if self.points.flags_before[slot] == flags {
                self.code(writer, code::FLAGS_BEFORE);
            } else {
                self.code(writer, code::FLAGS);
                writer.varint(u64::from(flags), 5);
            }
            self.points.flags_before[slot] = self.points.flags[slot];
            self.points.flags[slot] = flags;
        }
        let [first, second, third] = &self.points.values;
        let differing = first[slot] ^ bits;
        let code = if differing == 0 {
            code::VALUE_1
        } else if second[slot] == bits {
            code::VALUE_2
        } else if third[slot] == bits {
            code::VALUE_3
        } else if bits == 0 {
            code::VALUE_ZERO
        } else {
            code::VALUE_XOR - 1 + (35 - differing.leading_zeros() as u8) / 4
        };
        self.code(writer, code);
        if code >= code::VALUE_XOR {
            writer.word(differing, code::value_bits(code));
        }
        self.points.rotate(slot, code, bits);
        self.last = slot;
    }

    /// The slot of an id, made if it is new.
    fn slot(&mut self, id: u32, row: u32) -> usize {
        if self.points.is_followed(self.last)
            && self.points.row[self.last + 1] == row
            && self.points.id[self.last + 1] == id
        {
            return self.last + 1;
        }
        let slot = self.points.slot(id).unwrap_or_else(|| self.points.insert(id, NO_ROW));
        if self.follow.len() < self.points.capacity() {
            self.follow.resize(self.points.capacity(), NO_ROW);
        }
        if self.points.row[slot] != row {
            self.points.row[slot] = row;
            self.refresh(slot - 1);
        }
        slot
    }

    /// Brings what [`encode_run::run`] expects behind a slot up to date.
    fn refresh(&mut self, slot: usize) {
        let followed = self.points.is_followed(slot);
        self.follow[slot] = if followed { self.points.row[slot + 1] } else { NO_ROW };
    }

    fn time(&mut self, writer: &mut BitWriter<'_>, ticks: i64) {
        let times = &self.times;
        let now = times.now;
        if now == ticks {
            return;
        }
        let code = if times.before == ticks {
            code::TIME_BEFORE
        } else if now < ticks {
            let place = times.steps.iter().position(|&step| now.wrapping_add(step) == ticks);
            place.map_or(code::TIME, |place| code::STEP_FORWARD + place as u8)
        } else {
            let place = times.steps.iter().position(|&step| now.wrapping_sub(step) == ticks);
            place.map_or(code::TIME, |place| code::STEP_BACK + place as u8)
        };
        self.code(writer, code);
        if code == code::TIME {
            writer.varint((now ^ ticks) as u64, 9);
        }
        self.times.push(ticks);
    }

    /// Writes a code through the last point.
    fn code(&mut self, writer: &mut BitWriter<'_>, code: u8) {
        let shorts = self.points.shorts[self.last];
        let adapt = if let Some(place) = shorts.place(code) {
            writer.put(1, place as u32 + 1);
            self.points.count_short(self.last, place)
        } else {
            writer.put(u32::from(code), u32::from(shorts.count) + 5);
            self.points.count_literal(self.last, code)
        };
        if adapt {
            self.points.adapt(self.last);
        }
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes the bits and bytes that share a packet: a bit byte is opened at the end when its first bit is written.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    /// The block: [`BLOCK_BYTES`] at most.
    pub(super) bytes: &'a mut [u8],
    pub(super) position: usize,
    /// Bits written of the open bit byte, at the lower end.
    pub(super) open: u32,
    /// How many they are, up to 7.
    pub(super) pending: u32,
    /// Where the open bit byte is.
    pub(super) slot: usize,
}

impl<'a> BitWriter<'a> {
    fn new(packet: &'a mut [u8]) -> Self {
        let most = packet.len().min(BLOCK_BYTES);
        Self { bytes: &mut packet[..most], position: 0, open: 0, pending: 0, slot: 0 }
    }

    /// Writes the lower `count` bits, 1 to 12 of them.
    fn put(&mut self, bits: u32, count: u32) {
        self.open = self.open << count | bits;
        let mut width = self.pending + count;
        let mut opened = self.pending > 0;
        while width > 0 {
            if !opened {
                self.slot = self.position;
                self.position += 1;
            }
            opened = false;
            self.bytes[self.slot] = (u64::from(self.open) << 8 >> width) as u8;
            if width < 8 {
                break;
            }
            width -= 8;
        }
        self.pending = width;
        self.open &= (1 << width) - 1;
    }

    /// Writes the lower `bits` bits of a word: 4 bits first if the width asks for them, then bytes, low first.
    fn word(&mut self, word: u32, bits: u8) {
        let mut word = word;
        if bits % 8 == 4 {
            self.put(word & 15, 4);
            word >>= 4;
        }
        for byte in &word.to_le_bytes()[..usize::from(bits / 8)] {
            self.byte(*byte);
        }
    }

    /// Writes a number of 7 bits a byte, low first; the last of `most` bytes has no continuation bit.
    fn varint(&mut self, number: u64, most: usize) {
        let mut number = number;
        for _ in 1..most {
            if number < 128 {
                break;
            }
            self.byte(number as u8 | 128);
            number >>= 7;
        }
        self.byte(number as u8);
    }

    fn byte(&mut self, byte: u8) {
        self.bytes[self.position] = byte;
        self.position += 1;
    }
}
