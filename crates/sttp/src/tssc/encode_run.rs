//! The encoder's fast path: runs of rows that are in the order of the frame before, at the time and with the flags of
//! the row before, so that each is only a value code.
//!
//! Eight rows are encoded in two passes: the codes of all lanes are chosen at once, then their bits and bytes are
//! written one after the other.

#![allow(
    unsafe_code,
    reason = "two stores a measurement without bounds checks, and a function compiled for a processor"
)]
#![allow(clippy::inline_always, reason = "what a function is compiled for reaches only what is inlined into it")]

use super::Path;
use super::code;
use super::encoder::{BitWriter, Encoder, RESERVE};
use super::points::{CODE, Points};
use super::shorts::{Counted, Shorts};
use crate::signal_rows::NO_ROW;
use crate::{MeasurementRows, value};

/// Rows a turn.
pub(super) const LANES: usize = 8;
/// Bytes that a turn may write: a code and its nibble are 12 bits at most, a value has 4 bytes.
const TURN_BYTES: usize = LANES * 7;

/// Eight rows of the columns, and the state of the points that they are of.
pub(super) struct Lanes<'a> {
    pub(super) value: &'a [f64; LANES],
    pub(super) signal: &'a [u32; LANES],
    pub(super) flags: &'a [u32; LANES],
    /// Rows of the table that are expected.
    pub(super) follow: &'a [u32; LANES],
    pub(super) flags_now: &'a [u32; LANES],
    pub(super) values: [&'a mut [u32; LANES]; 3],
    /// Of the points through which the codes are written: one slot before.
    pub(super) shorts: &'a [Shorts; LANES],
    pub(super) counts: &'a mut [u32; LANES],
}

/// What the first pass chose for each lane.
#[derive(Default)]
pub(super) struct Chosen {
    /// The value code.
    pub(super) codes: [u32; LANES],
    /// The bits to write: code and nibble.
    pub(super) bits: [u32; LANES],
    /// How many they are.
    pub(super) widths: [u32; LANES],
    /// The bytes to write.
    pub(super) payloads: [u32; LANES],
    /// How many they are.
    pub(super) bytes: [u32; LANES],
}

/// What the first pass found of all lanes.
pub(super) struct Summary {
    /// Lanes that can be taken.
    pub(super) taken: usize,
    /// Lanes, as bits, whose code is written in 5 bits.
    pub(super) literals: u32,
    /// Whether a point has to adapt.
    pub(super) adapt: bool,
}

/// Encodes rows from `first` on as far as turns of the fast path go, and says how many. What stops it is left to the
/// plain path.
pub(super) fn run(encoder: &mut Encoder, bits: &mut BitWriter<'_>, rows: &MeasurementRows<'_>, first: usize) -> usize {
    if encoder.path == Path::Plain || encoder.follow.get(encoder.last).is_none_or(|&row| row == NO_ROW) {
        return 0;
    }
    #[cfg(target_arch = "x86_64")]
    if encoder.path == Path::Best
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe")
    {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { run_avx2(encoder, bits, rows, first) };
    }
    turns(encoder, bits, rows, first, choose, adapt)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn run_avx2(encoder: &mut Encoder, bits: &mut BitWriter<'_>, rows: &MeasurementRows<'_>, first: usize) -> usize {
    turns(
        encoder,
        bits,
        rows,
        first,
        |lanes, chosen| super::encode_run_avx2::choose(lanes, chosen),
        |points, last| adapt_avx2(points, last),
    )
}

#[allow(clippy::needless_bitwise_bool, reason = "eight comparisons at once")]
#[inline(always)]
fn turns(
    encoder: &mut Encoder,
    bits: &mut BitWriter<'_>,
    rows: &MeasurementRows<'_>,
    first: usize,
    choose: impl Fn(Lanes<'_>, &mut Chosen) -> Summary,
    adapt: impl Fn(&mut Points, usize),
) -> usize {
    let mut at = first;
    let mut chosen = Chosen::default();
    let Encoder { points, times, follow, last, time, .. } = encoder;
    let mut writer = Writer::open(bits);
    while writer.position + TURN_BYTES + RESERVE <= writer.bytes.len() {
        points.fetch_ahead(*last);
        let same_time = if rows.raw_time.is_empty() {
            let (Some(times), Some(now)) = (lanes(rows.time, at), *time) else {
                break;
            };
            times.iter().fold(true, |same, &time| same & (time == now))
        } else {
            let (Some(ticks), now) = (lanes(rows.raw_time, at), times.now as u64) else {
                break;
            };
            ticks.iter().fold(true, |same, &ticks| same & (ticks == now))
        };
        let [newest, second, third] = &mut points.values;
        let (
            true,
            Some(value),
            Some(signal),
            Some(flags),
            Some(follow),
            Some(flags_now),
            Some(newest),
            Some(second),
            Some(third),
            Some(shorts),
            Some(counts),
        ) = (
            same_time,
            lanes(rows.value, at),
            lanes(rows.signal, at),
            lanes(rows.flags, at),
            lanes(follow, *last),
            lanes(&points.flags, *last + 1),
            lanes_mut(newest, *last + 1),
            lanes_mut(second, *last + 1),
            lanes_mut(third, *last + 1),
            lanes(&points.shorts, *last),
            lanes_mut(&mut points.counts, *last),
        )
        else {
            break;
        };
        let values = [newest, second, third];
        let lanes = Lanes { value, signal, flags, follow, flags_now, values, shorts, counts };
        let summary = choose(lanes, &mut chosen);
        if summary.taken == LANES {
            for lane in 0..LANES {
                writer.write(chosen.bits[lane], chosen.widths[lane], chosen.payloads[lane], chosen.bytes[lane]);
            }
        } else {
            for lane in 0..summary.taken {
                writer.write(chosen.bits[lane], chosen.widths[lane], chosen.payloads[lane], chosen.bytes[lane]);
            }
        }
        if summary.literals != 0 {
            tally(points, *last, summary.literals, &chosen.codes);
        }
        if summary.adapt {
            adapt(points, *last);
        }
        at += summary.taken;
        *last += summary.taken;
        if summary.taken < LANES {
            break;
        }
    }
    let Writer { position, slot, open, pending, .. } = writer;
    bits.position = position - usize::from(pending == 0);
    bits.slot = slot;
    bits.open = open;
    bits.pending = pending;
    at - first
}

/// First pass: the codes of the rows that can be taken, whose points are brought up to date.
#[inline(always)]
fn choose(lanes: Lanes<'_>, chosen: &mut Chosen) -> Summary {
    let Lanes { value, signal, flags, follow, flags_now, values: [newest, second, third], shorts, counts } = lanes;
    let mut summary = Summary { taken: LANES, literals: 0, adapt: false };
    for lane in 0..LANES {
        if signal[lane] != follow[lane] || follow[lane] == NO_ROW || flags[lane] != flags_now[lane] {
            summary.taken = lane;
            break;
        }
        let bits = value::narrow(value[lane]);
        let differing = newest[lane] ^ bits;
        let code = if differing == 0 {
            code::VALUE_1
        } else if second[lane] == bits {
            code::VALUE_2
        } else if third[lane] == bits {
            code::VALUE_3
        } else if bits == 0 {
            code::VALUE_ZERO
        } else {
            code::VALUE_XOR - 1 + (35 - differing.leading_zeros() as u8) / 4
        };
        if code != code::VALUE_1 {
            if code != code::VALUE_2 {
                third[lane] = second[lane];
            }
            second[lane] = newest[lane];
            newest[lane] = bits;
        }
        let (word, width, count) = if let Some(place) = shorts[lane].place(code) {
            (1, place as u32 + 1, 1 << (8 * place))
        } else {
            summary.literals |= 1 << lane;
            (u32::from(code), u32::from(shorts[lane].count) + 5, 0)
        };
        counts[lane] = counts[lane].wrapping_add(count).wrapping_sub(CODE);
        summary.adapt |= counts[lane] < CODE;
        let nibble = u32::from(code::value_bits(code)) & 4;
        chosen.codes[lane] = u32::from(code);
        chosen.bits[lane] = if nibble == 0 { word } else { word << 4 | (differing & 15) };
        chosen.widths[lane] = width + nibble;
        chosen.bytes[lane] = u32::from(code::value_bits(code) / 8);
        chosen.payloads[lane] = if code < code::VALUE_XOR { 0 } else { differing >> nibble };
    }
    summary
}

/// Counts the codes written in 5 bits.
fn tally(points: &mut Points, last: usize, literals: u32, codes: &[u32; LANES]) {
    let mut literals = literals;
    while literals != 0 {
        let lane = literals.trailing_zeros() as usize;
        points.tally(last + lane, codes[lane] as u8);
        literals &= literals - 1;
    }
}

/// Adapts those of eight points that have to.
#[cold]
#[inline(never)]
fn adapt(points: &mut Points, last: usize) {
    points.adapt_eight(last, Counted::best, |_, _| {});
}

#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,movbe")]
fn adapt_avx2(points: &mut Points, last: usize) {
    points.adapt_eight(last, |counted| counted.best_avx2(), |_, _| {});
}

/// [`BitWriter`] while a run is written: the bit byte that takes the next bit is always open.
struct Writer<'a> {
    bytes: &'a mut [u8],
    position: usize,
    slot: usize,
    open: u32,
    pending: u32,
}

impl<'a> Writer<'a> {
    #[inline(always)]
    fn open(bits: &'a mut BitWriter<'_>) -> Self {
        let closed = usize::from(bits.pending == 0);
        Self {
            slot: if closed == 1 { bits.position } else { bits.slot },
            position: bits.position + closed,
            open: bits.open,
            pending: bits.pending,
            bytes: bits.bytes,
        }
    }

    /// Writes the lower `width` of `bits`, 1 to 12, and then `bytes` bytes of `payload`, low first.
    #[inline(always)]
    fn write(&mut self, bits: u32, width: u32, payload: u32, bytes: u32) {
        let open = self.open << width | bits;
        let pending = self.pending + width;
        let upper = open << (32 - pending);
        // Bit bytes behind the open one.
        let more = (pending - 1) / 8;
        let word = u64::from((upper << 8).swap_bytes()) | u64::from(payload) << (8 * more);
        store(self.bytes, self.slot, (upper >> 24) as u8, self.position, word);
        let before = self.position + more as usize;
        let after = before + bytes as usize;
        let full = pending.is_multiple_of(8);
        self.slot = if full {
            after
        } else if more > 0 {
            before - 1
        } else {
            self.slot
        };
        self.position = after + usize::from(full);
        self.pending = pending % 8;
        self.open = open & ((1 << self.pending) - 1);
    }
}

fn lanes<T>(column: &[T], at: usize) -> Option<&[T; LANES]> {
    column.get(at..).and_then(|lanes| lanes.first_chunk())
}

fn lanes_mut(column: &mut [u32], at: usize) -> Option<&mut [u32; LANES]> {
    column.get_mut(at..).and_then(|lanes| lanes.first_chunk_mut())
}

/// Stores the open bit byte at `slot` and eight bytes at `position`.
#[inline(always)]
fn store(bytes: &mut [u8], slot: usize, open: u8, position: usize, word: u64) {
    debug_assert!(slot < bytes.len() && position + 8 <= bytes.len());
    // SAFETY: a turn begins only with `TURN_BYTES` + `RESERVE` of `bytes` left, a row writes 7 bytes at most, and `slot` is
    // below `position`.
    // Gain over checked stores, alone: 161 instead of 147 M/s (1,000 synchrophasors).
    unsafe {
        *bytes.as_mut_ptr().add(slot) = open;
        bytes.as_mut_ptr().add(position).cast::<[u8; 8]>().write(word.to_le_bytes());
    }
}
