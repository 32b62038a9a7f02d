//! The decoder's fast path: runs of measurements that are in the order of the frame before and have only a value code.
//!
//! Eight measurements are decoded in two passes. The first is serial, because each code's length says where the next one
//! is: it looks up the short codes by the next three bits and notes where each payload is, changing nothing. The second
//! is the same work for eight lanes: extract, combine with the history, count, append to the columns.

#![allow(
    unsafe_code,
    reason = "bounds checks lie on the serial chain, and a function compiled for a processor is called"
)]
#![allow(clippy::inline_always, reason = "what a function is compiled for reaches only what is inlined into it")]

use super::Path;
use super::bits::END;
use super::code;
use super::decoder::Decoder;
use super::points::{CODE, Points};
use super::shorts::{Counted, Shorts};
use super::sink::Sink;

/// Measurements a turn.
pub(super) const LANES: usize = 8;

/// What the first pass needs of a point: for each value of the next three bits a byte, [`Entry`].
///
/// [`Hot::NONE`] where the next measurement is not that of the next slot or has no row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hot(u64);

// A byte of `Hot`, bits 0 to 5: bits of code and payload together, 0 for what is not a short value code. As a short
// code has 1 to 3 bits and a nibble has 4, the lower three bits are those taken as bits (4 set: with a nibble) and the
// rest are those taken as bytes. Bits 6 and 7: which earlier value, where none differs.
const LENGTH: u64 = 0x3F;
pub(super) const BITS: u32 = 7;
pub(super) const NIBBLE: u32 = 4;
pub(super) const BYTES: u32 = 0x38;
pub(super) const KIND_SHIFT: u32 = 6;
/// The last value again; entries below are that.
const SAME: u8 = 1;
pub(super) const DIFFERENT: u32 = 4;

impl Hot {
    pub(super) const NONE: Self = Self(0);
    /// Tells a point without any short code from [`Self::NONE`]; the entry has no length.
    const LITERALS: u64 = 0x40 << 8;

    pub(super) fn new(shorts: Shorts) -> Self {
        let [first, second, third] = [0, 1, 2].map(|place| ENTRIES[place][shorts.codes[place] as usize & 63]);
        // Three zero bits are never a short code, so the entry's upper bits can say how many short codes there are.
        Self(first | second | third | u64::from(shorts.count) << KIND_SHIFT)
    }
}

/// The entries of each code at each place of the short ones, where they are in [`Hot`]; none of what is not a value code.
const ENTRIES: [[u64; 64]; 3] = {
    // By three bits that follow: 4 to 7 begin with the first short code, 2 and 3 with the second, 1 is the third.
    let places = [0x0101_0101 << 32, 0x0101 << 16, 1 << 8];
    let mut entries = [[0; 64]; 3];
    let mut place = 0;
    while place < 3 {
        let mut code = code::VALUE_1;
        while code < 32 {
            let entry = kind(code) << KIND_SHIFT | (place as u8 + 1 + code::value_bits(code));
            entries[place][code as usize] = places[place] * entry as u64;
            code += 1;
        }
        place += 1;
    }
    // No first code.
    entries[0][63] = Hot::LITERALS;
    entries
};

/// Bits 6 and 7 of an entry.
const fn kind(code: u8) -> u8 {
    if code < code::VALUE_XOR { code.wrapping_sub(code::VALUE_1) & 3 } else { 0 }
}

/// What the first pass found.
pub(super) struct Found {
    /// The 64 bits that begin with each code.
    pub(super) windows: [u64; LANES],
    /// The four bytes that end with each payload, turned.
    pub(super) payloads: [u32; LANES],
    /// Bytes of [`Hot`].
    pub(super) entries: [u8; LANES],
}

impl Found {
    const NONE: Self = Self { windows: [0; LANES], payloads: [0; LANES], entries: [0; LANES] };
}

/// The state of eight points that the second pass brings up to date.
pub(super) struct Lanes<'a> {
    pub(super) values: [&'a mut [u32; LANES]; 3],
    /// Those of the points through which the codes were read: one slot before.
    pub(super) counts: &'a mut [u32; LANES],
}

/// [`widen`], for a processor.
pub(super) trait Widen: Fn(&[u32; LANES], &mut [f64; LANES]) -> bool {}

impl<F: Fn(&[u32; LANES], &mut [f64; LANES]) -> bool> Widen for F {}

/// Decodes as far as turns of the fast path go; what stops it is left to the plain path.
pub(super) fn run(decoder: &mut Decoder, sink: &mut impl Sink) {
    if decoder.path == Path::Plain || decoder.hot.get(decoder.last).is_none_or(|&hot| hot == Hot::NONE) {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if decoder.path == Path::Best
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
    {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { run_avx2(decoder, sink) };
        return;
    }
    turns(decoder, sink, combine, adapt, widen);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn run_avx2(decoder: &mut Decoder, sink: &mut impl Sink) {
    turns(
        decoder,
        sink,
        |found, entries, lanes| super::decode_run_avx2::combine(found, entries, lanes),
        |decoder, last| adapt_avx2(decoder, last),
        |bits, values| crate::lanes::widen_avx2(bits, values),
    );
}

#[inline(always)]
fn turns<S: Sink>(
    decoder: &mut Decoder,
    sink: &mut S,
    combine: impl Fn(&Found, u64, Lanes<'_>) -> bool,
    adapt: impl Fn(&mut Decoder, usize),
    widen: impl Widen,
) {
    let mut found = [Found::NONE, Found::NONE];
    let [found, before] = &mut found;
    let (mut found, mut before) = (found, before);
    // The second pass is a turn behind: its vector loads would wait for the first one's single stores.
    let mut waiting = 0;
    let mut walk = Walk::new(decoder.bits.place * 8 + decoder.bits.left as usize, decoder.bits.window());
    while sink.room() >= LANES + waiting {
        let taken = find(decoder, decoder.last + waiting, &mut walk, found);
        if waiting > 0 {
            take(decoder, sink, before, waiting, &combine, &adapt, &widen);
        }
        (found, before) = (before, found);
        waiting = taken;
        if taken < LANES {
            break;
        }
    }
    if waiting > 0 {
        take(decoder, sink, before, waiting, &combine, &adapt, &widen);
    }
    let bits = &mut decoder.bits;
    bits.place = walk.at >> 3;
    bits.left = walk.at as u32 & 7;
    bits.open = walk.window & !(u64::MAX >> bits.left);
}

/// Where the first pass is.
#[derive(Clone, Copy)]
struct Walk {
    /// Bits to go: the next eight bytes are at `at >> 3` of the turned packet, `at & 7` bits are left of the open byte.
    at: usize,
    /// The 57 bits or more that follow.
    window: u64,
    /// The next three bits times 8 in the lower six, known sooner than `window`; above them anything.
    index: u64,
    /// Bits left of the open byte, negative and times 8, in the lower six; above them anything.
    left: u64,
}

impl Walk {
    fn new(at: usize, window: u64) -> Self {
        Self { at, window, index: (window >> 58) & 0x38, left: (at as u64).wrapping_neg() << 3 }
    }
}

/// Which of the next three bits come from the open byte, in the form of [`Walk::index`], by [`Walk::left`].
const OPEN: u64 = u64::from_le_bytes([0, 0x38, 0x38, 0x38, 0x38, 0x38, 0x30, 0x20]);
/// The others.
const BEHIND: u64 = OPEN ^ u64::from_le_bytes([0x38; 8]);

/// First pass: how many of the next eight measurements can be taken, and where they are.
#[inline(always)]
fn find(decoder: &mut Decoder, last: usize, walk: &mut Walk, found: &mut Found) -> usize {
    let Some(hot) = decoder.hot.get(last..).and_then(|hot| hot.first_chunk::<LANES>()) else {
        return 0;
    };
    let bytes = &decoder.bits.turned[..];
    decoder.points.fetch_ahead(last);
    let mut turn = Turn { hot, bytes, last, points: &mut decoder.points, found, walk: *walk };
    let taken = 'turn: {
        // Written out: the compiler does not unroll it.
        if !turn.step(0) {
            break 'turn 0;
        }
        if !turn.step(1) {
            break 'turn 1;
        }
        if !turn.step(2) {
            break 'turn 2;
        }
        if !turn.step(3) {
            break 'turn 3;
        }
        if !turn.step(4) {
            break 'turn 4;
        }
        if !turn.step(5) {
            break 'turn 5;
        }
        if !turn.step(6) {
            break 'turn 6;
        }
        if !turn.step(7) {
            break 'turn 7;
        }
        LANES
    };
    if turn.walk.at >> 3 < END {
        return 0;
    }
    *walk = turn.walk;
    taken
}

/// The first pass over eight measurements.
struct Turn<'a> {
    hot: &'a [Hot; LANES],
    bytes: &'a [u8],
    last: usize,
    points: &'a mut Points,
    found: &'a mut Found,
    walk: Walk,
}

impl Turn<'_> {
    /// Finds the measurement of a lane; false if it cannot be taken.
    #[inline(always)]
    fn step(&mut self, lane: usize) -> bool {
        let entry = self.hot[lane].0 >> (self.walk.index & 63);
        let length = entry & LENGTH;
        let window = self.walk.window;
        self.found.windows[lane] = window;
        if length == 0 {
            let Some(Literal { entry, code_bits }) = literal(self.points, self.last + lane, self.hot[lane], window)
            else {
                return false;
            };
            let behind = window << code_bits;
            let nibble = entry & NIBBLE as u8;
            let at = self.walk.at - usize::from(code_bits + nibble + (entry & BYTES as u8));
            let place = at >> 3;
            let open = (behind << nibble) & !(u64::MAX >> (at & 7));
            self.walk = Walk::new(at, open | load(self.bytes, place) >> (at & 7));
            self.found.windows[lane] = behind >> 3;
            self.found.payloads[lane] = payload(self.bytes, place);
            self.found.entries[lane] = entry;
            return true;
        }
        let at = self.walk.at - length as usize;
        let left = self.walk.left.wrapping_add(entry << 3);
        // What follows as bits, and what follows behind the bytes.
        let bits = window << (length & 7);
        let behind = window << length;
        let index =
            (bits.rotate_right(58) & (OPEN >> (left & 63))) | (behind.rotate_right(58) & (BEHIND >> (left & 63)));
        let place = at >> 3;
        let open = bits & !(u64::MAX >> (at & 7));
        self.walk = Walk { at, window: open | load(self.bytes, place) >> (at & 7), index, left };
        self.found.payloads[lane] = payload(self.bytes, place);
        self.found.entries[lane] = entry as u8;
        true
    }
}

/// A value code that is not a short one.
#[derive(Clone, Copy)]
struct Literal {
    /// As of a short code of 3 bits.
    entry: u8,
    /// Bits in front of the nibble, or of what follows where there is none.
    code_bits: u8,
}

/// Reads a value code written in 5 bits and counts it; `None` where anything else stands.
#[inline(always)]
fn literal(points: &mut Points, slot: usize, hot: Hot, window: u64) -> Option<Literal> {
    let shorts = (hot.0 >> KIND_SHIFT) as u8 & 3;
    let code = (window << shorts >> 59) as u8;
    if hot == Hot::NONE || window.leading_zeros() < u32::from(shorts) || code < code::VALUE_1 {
        return None;
    }
    // Should the packet turn out to be cut within this turn, the decoder has failed and the count is of no use.
    points.tally(slot, code);
    let earlier = kind(code) << KIND_SHIFT | SAME;
    let entry = if code < code::VALUE_XOR { earlier } else { 3 + code::value_bits(code) };
    Some(Literal { entry, code_bits: shorts + 5 })
}

/// Second pass: takes the first `taken` measurements found.
#[inline(always)]
fn take<S: Sink>(
    decoder: &mut Decoder,
    sink: &mut S,
    found: &Found,
    taken: usize,
    combine: impl Fn(&Found, u64, Lanes<'_>) -> bool,
    adapt: impl Fn(&mut Decoder, usize),
    widen: impl Widen,
) {
    let entries = u64::from_le_bytes(found.entries) & (u64::MAX >> (64 - 8 * taken as u32));
    let last = decoder.last;
    let points = &mut decoder.points;
    let [first, second, third] = &mut points.values;
    let (Some(first), Some(second), Some(third), Some(flags), Some(rows), Some(counts)) = (
        lanes_mut(first, last + 1),
        lanes_mut(second, last + 1),
        lanes_mut(third, last + 1),
        lanes_mut(&mut points.flags, last + 1),
        lanes_mut(&mut points.row, last + 1),
        lanes_mut(&mut points.counts, last),
    ) else {
        return;
    };
    let some_adapt = combine(found, entries, Lanes { values: [first, second, third], counts });
    sink.push_lanes(taken, rows, flags, first, widen);
    decoder.last = last + taken;
    if some_adapt {
        adapt(decoder, last);
    }
}

/// Brings eight points up to date; true if one of them has to adapt. Lanes whose entry is 0 are left as they are.
#[inline(always)]
fn combine(found: &Found, entries: u64, lanes: Lanes<'_>) -> bool {
    let entries = entries.to_le_bytes();
    let Lanes { values: [first, second, third], counts } = lanes;
    let mut adapt = false;
    for lane in 0..LANES {
        let entry = u32::from(entries[lane]);
        let upper = (found.windows[lane] >> 32) as u32;
        if entry != 0 {
            counts[lane] = counts[lane].wrapping_add(COUNTS[(upper >> 29) as usize]);
            adapt |= counts[lane] < CODE;
        }
        let payload = found.payloads[lane].swap_bytes().checked_shr(32 - (entry & BYTES)).unwrap_or(0);
        let low = upper.checked_shr(32 - (entry & BITS)).unwrap_or(0) & 15;
        let differing = if entry & NIBBLE == 0 { payload } else { payload << 4 | low };
        let kind = entry >> KIND_SHIFT;
        let values = [first[lane], second[lane], third[lane]];
        first[lane] = match kind {
            0 => values[0] ^ differing,
            1 => values[1],
            2 => values[2],
            _ => 0,
        };
        second[lane] = if entry < DIFFERENT { values[1] } else { values[0] };
        third[lane] = if entry < DIFFERENT || kind == 1 { values[2] } else { values[1] };
    }
    adapt
}

/// Writes eight float32 words as doubles; true if a NaN is among them, whose double is then to be written again.
#[inline(always)]
fn widen(bits: &[u32; LANES], values: &mut [f64; LANES]) -> bool {
    let mut nan = false;
    for lane in 0..LANES {
        values[lane] = f64::from(f32::from_bits(bits[lane]));
        nan |= values[lane].is_nan();
    }
    nan
}

/// What a short code adds to [`Points::counts`], by the three bits that it begins with: its place is its zeros.
pub(super) const COUNTS: [u32; 8] = {
    const fn short(place: u32) -> u32 {
        (1_u32 << (8 * place)).wrapping_sub(CODE)
    }
    [0_u32.wrapping_sub(CODE), short(2), short(1), short(1), short(0), short(0), short(0), short(0)]
};

/// Adapts the points from `last` on through which codes were read and that have to.
#[cold]
#[inline(never)]
fn adapt(decoder: &mut Decoder, last: usize) {
    adapt_by(decoder, last, Counted::best);
}

#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn adapt_avx2(decoder: &mut Decoder, last: usize) {
    adapt_by(decoder, last, |counted| counted.best_avx2());
}

#[inline(always)]
fn adapt_by(decoder: &mut Decoder, last: usize, best: impl Fn(&Counted) -> Shorts) {
    let Some(hot) = decoder.hot.get_mut(last..).and_then(|hot| hot.first_chunk_mut::<LANES>()) else {
        return;
    };
    // A run goes through no other points than those that are followed.
    decoder.points.adapt_eight(last, best, |lane, shorts| hot[lane] = Hot::new(shorts));
}

#[inline(always)]
fn lanes_mut(column: &mut [u32], at: usize) -> Option<&mut [u32; LANES]> {
    column.get_mut(at..).and_then(|lanes| lanes.first_chunk_mut())
}

/// The eight bytes at a place of the turned packet.
#[inline(always)]
fn load(bytes: &[u8], place: usize) -> u64 {
    debug_assert!(place + 8 <= bytes.len());
    // SAFETY: a turn begins at `END` (88) or behind it, and eight measurements take eight times 63 bits at most, so no
    // place is below 24. None is above `END` + the packet's length, and `PADDING` is `END` + 8.
    // Gain over a checked load, alone: 190 instead of 167 M/s (1,000 synchrophasors).
    u64::from_le_bytes(unsafe { bytes.as_ptr().add(place).cast::<[u8; 8]>().read() })
}

/// The four bytes behind the eight that [`load`] loads, which the reader has just taken.
#[inline(always)]
fn payload(bytes: &[u8], place: usize) -> u32 {
    debug_assert!(place + 12 <= bytes.len());
    // SAFETY: as for `load`; behind the turned packet are `REAR` bytes more.
    // Gain over a checked load, alone: 190 instead of 173 M/s.
    u32::from_le_bytes(unsafe { bytes.as_ptr().add(place + 8).cast::<[u8; 4]>().read() })
}
