use std::collections::HashMap;

use super::code;
use crate::signal_rows::NO_ROW;

/// Slots that may be read and written behind the last point, so that eight lanes need no end case.
pub(super) const MARGIN: usize = 16;

/// The slot of the point that is in no table and stands before the first measurement.
pub(super) const FRESH: usize = 0;

/// The up to three codes that a point writes in 1, 2 or 3 bits instead of 5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub(super) struct Shorts {
    /// The codes, shortest first; [`Self::NONE`] where there is none.
    pub(super) codes: [u8; 3],
    /// How many there are: the mode of the point less 1.
    pub(super) count: u8,
}

impl Shorts {
    /// No code.
    pub(super) const NONE: u8 = 0xFF;
    /// Those of a new point.
    const FIRST: Self = Self { codes: [code::VALUE_1, code::VALUE_2, code::VALUE_3], count: 3 };

    /// The codes from the lowest byte on, and how many there are in the highest.
    pub(super) fn word(self) -> u32 {
        u32::from_le_bytes([self.codes[0], self.codes[1], self.codes[2], self.count])
    }

    /// The place of a code among them.
    pub(super) fn place(self, code: u8) -> Option<usize> {
        self.codes.iter().position(|&short| short == code)
    }
}

/// One unit of the countdown in [`Points::counts`].
pub(super) const CODE: u32 = 1 << 24;

/// The state of every signal ("point"), one array a field, in the order in which signals came first.
///
/// Publishers repeat their order frame by frame, so consecutive measurements lie in consecutive slots whatever their
/// ids are, and eight of them are one vector.
#[derive(Clone, Debug)]
pub(super) struct Points {
    /// Slot of an id below [`Self::dense_limit`]; 0 where it has none.
    dense: Vec<u32>,
    dense_limit: usize,
    /// Slot of the other ids.
    sparse: HashMap<u32, u32>,
    used: usize,
    pub(super) id: Vec<u32>,
    /// The id that came after this point the last time.
    pub(super) next: Vec<u32>,
    pub(super) flags: Vec<u32>,
    pub(super) flags_before: Vec<u32>,
    /// The last three distinct values, float32 bits, newest first.
    pub(super) values: [Vec<u32>; 3],
    pub(super) shorts: Vec<Shorts>,
    /// Codes until the next adaption in the upper byte; below it how often each short code came.
    pub(super) counts: Vec<u32>,
    /// How often each code came written in 5 bits.
    literals: Vec<[u8; 32]>,
    /// Adaptions behind this point, up to 2.
    phase: Vec<u8>,
    /// Row of the signal table, [`NO_ROW`] if the id has none.
    pub(super) row: Vec<u32>,
}

impl Points {
    pub(super) fn new(dense_limit: usize) -> Self {
        let mut points = Self {
            dense: Vec::new(),
            dense_limit,
            sparse: HashMap::new(),
            used: 0,
            id: Vec::new(),
            next: Vec::new(),
            flags: Vec::new(),
            flags_before: Vec::new(),
            values: [Vec::new(), Vec::new(), Vec::new()],
            shorts: Vec::new(),
            counts: Vec::new(),
            literals: Vec::new(),
            phase: Vec::new(),
            row: Vec::new(),
        };
        points.push(0, 0, NO_ROW);
        points
    }

    /// Forgets every point but keeps the memory.
    pub(super) fn clear(&mut self) {
        for &id in &self.id[1..self.used] {
            if let Some(slot) = self.dense.get_mut(id as usize) {
                *slot = 0;
            }
        }
        self.sparse.clear();
        self.used = 0;
        self.push(0, 0, NO_ROW);
    }

    /// Slots in use, the fresh point's included.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn slot(&self, id: u32) -> Option<usize> {
        let slot = match self.dense.get(id as usize) {
            Some(&slot) => slot,
            None => self.sparse.get(&id).copied().unwrap_or(0),
        };
        (slot != 0).then_some(slot as usize)
    }

    /// Makes the point of an id that has none.
    pub(super) fn insert(&mut self, id: u32, row: u32) -> usize {
        let slot = self.push(id, id.wrapping_add(1), row);
        let at = id as usize;
        if at < self.dense_limit {
            if self.dense.len() <= at {
                let len = (at + 1).next_power_of_two().min(self.dense_limit);
                self.dense.resize(len, 0);
            }
            self.dense[at] = slot as u32;
        } else {
            self.sparse.insert(id, slot as u32);
        }
        slot
    }

    /// Whether the next measurement is that of the next slot, unless an id code says otherwise.
    pub(super) fn is_followed(&self, slot: usize) -> bool {
        slot + 1 < self.used && self.next[slot] == self.id[slot + 1]
    }

    /// Counts a short code; true when the point has to adapt.
    pub(super) fn count_short(&mut self, slot: usize, place: usize) -> bool {
        self.counts[slot] = self.counts[slot].wrapping_add(1 << (8 * place)).wrapping_sub(CODE);
        self.counts[slot] < CODE
    }

    /// Counts a code written in 5 bits; true when the point has to adapt.
    pub(super) fn count_literal(&mut self, slot: usize, code: u8) -> bool {
        self.tally(slot, code);
        self.counts[slot] = self.counts[slot].wrapping_sub(CODE);
        self.counts[slot] < CODE
    }

    /// Counts a code written in 5 bits; the countdown is the caller's.
    #[inline]
    pub(super) fn tally(&mut self, slot: usize, code: u8) {
        let count = &mut self.literals[slot][code as usize & 31];
        // A packet that is cut may count more than its codes; the decoder has failed then.
        *count = count.wrapping_add(1);
    }

    /// Chooses the short codes anew from what was counted since the last time: after 6 codes, after 21 more, then
    /// after every 101.
    pub(super) fn adapt(&mut self, slot: usize) {
        let mut stats = core::mem::take(&mut self.literals[slot]);
        let shorts = &mut self.shorts[slot];
        for (place, &code) in shorts.codes.iter().enumerate() {
            if code != Shorts::NONE {
                let count = &mut stats[code as usize & 31];
                *count = count.wrapping_add((self.counts[slot] >> (8 * place)) as u8);
            }
        }
        *shorts = best_shorts(&stats);
        let phase = &mut self.phase[slot];
        *phase = (*phase + 1).min(2);
        self.counts[slot] = CODE * if *phase == 1 { 21 } else { 101 };
    }

    /// Takes the new rows of every point.
    pub(super) fn set_rows(&mut self, row: impl Fn(u32) -> Option<u32>) {
        for slot in 1..self.used {
            self.row[slot] = row(self.id[slot]).unwrap_or(NO_ROW);
        }
    }

    /// Takes the values that follow a value code: `code` below [`code::VALUE_XOR`], or a new value.
    pub(super) fn rotate(&mut self, slot: usize, code: u8, bits: u32) {
        let [first, second, third] = &mut self.values;
        if code == code::VALUE_1 {
            return;
        }
        if code != code::VALUE_2 {
            third[slot] = second[slot];
        }
        second[slot] = first[slot];
        first[slot] = bits;
    }

    fn push(&mut self, id: u32, next: u32, row: u32) -> usize {
        let slot = self.used;
        if slot + MARGIN >= self.id.len() {
            self.grow();
        }
        self.used += 1;
        self.id[slot] = id;
        self.next[slot] = next;
        self.flags[slot] = 0;
        self.flags_before[slot] = 0;
        for values in &mut self.values {
            values[slot] = 0;
        }
        self.shorts[slot] = Shorts::FIRST;
        self.counts[slot] = CODE * 6;
        self.literals[slot] = [0; 32];
        self.phase[slot] = 0;
        self.row[slot] = row;
        slot
    }

    fn grow(&mut self) {
        let len = (self.id.len() * 2).max(4 * MARGIN);
        self.counts.resize(len, CODE);
        for words in
            [&mut self.id, &mut self.next, &mut self.flags, &mut self.flags_before].into_iter().chain(&mut self.values)
        {
            words.resize(len, 0);
        }
        self.shorts.resize(len, Shorts::FIRST);
        self.literals.resize(len, [0; 32]);
        self.phase.resize(len, 0);
        self.row.resize(len, NO_ROW);
    }

    /// Slots that the arrays have room for, [`MARGIN`] included.
    pub(super) fn capacity(&self) -> usize {
        self.id.len()
    }
}

/// The short codes that make the counted codes smallest; fewer of them on a tie.
fn best_shorts(stats: &[u8; 32]) -> Shorts {
    // Where fewer than three codes came, the rest of the places keep what was shifted into them.
    let mut best = [(0_u8, 0_u32), (1, 0), (2, 0)];
    let mut total = 0;
    for (quarter, counts) in stats.chunks_exact(8).enumerate() {
        if counts.iter().all(|&count| count == 0) {
            continue;
        }
        for (at, &count) in counts.iter().enumerate() {
            let entry = ((quarter * 8 + at) as u8, u32::from(count));
            total += entry.1;
            if entry.1 > best[2].1 {
                best[2] = entry;
                if entry.1 > best[1].1 {
                    best.swap(1, 2);
                }
                if entry.1 > best[0].1 {
                    best.swap(0, 1);
                }
            }
        }
    }
    let [(c1, n1), (c2, n2), (c3, n3)] = best;
    let sizes = [5 * total, 6 * total - 5 * n1, 7 * total - 6 * n1 - 5 * n2, 8 * total - 7 * n1 - 6 * n2 - 5 * n3];
    let mut count = 0;
    for other in 1..4 {
        if sizes[other] < sizes[count] {
            count = other;
        }
    }
    let mut codes = [Shorts::NONE; 3];
    codes[..count].copy_from_slice(&[c1, c2, c3][..count]);
    Shorts { codes, count: count as u8 }
}
