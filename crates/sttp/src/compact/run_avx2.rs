//! Eight compact records of one form at a time: a record's index, value and time are in one 16-byte word (behind a time
//! of less than 8 bytes lies the next record), so eight records are an 8 x 4 matrix of 32-bit lanes to be turned.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_cmpeq_epi32, _mm256_cmpeq_epi64, _mm256_extracti128_si256, _mm256_movemask_epi8, _mm256_permute2x128_si256,
    _mm256_set_m128i, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_shuffle_epi8, _mm256_srl_epi64,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use measurand_columns::{Block, ticks};

use super::run::{self, Lanes};
use super::{HEAD_BYTES, RunTime};
use crate::signal_rows::{NO_ROW, SignalIndexes, SignalRows};
use crate::{MeasurementRows, lanes, state_flags, value};

const LANES: usize = 8;
/// Bytes of a record behind its flags that are read and written as one word.
const WORD_BYTES: usize = 16;

/// Decodes records into `block` as long as their times have this form and the time column holds them, and says how many.
/// `TIME` is how many bytes the time has.
#[target_feature(enable = "avx2")]
pub(super) fn decode<const TIME: usize>(
    records: &[u8],
    count: u32,
    form: RunTime,
    rows: &SignalRows,
    block: &mut Block<'_>,
) -> usize {
    if block.wants_raw_time() {
        return 0;
    }
    let identity = rows.identity_len();
    let stride = HEAD_BYTES + TIME;
    let mut known = (0, 0);
    let mut taken = 0;
    for Lanes { time, value, signal, flags: quality } in run::lanes(block, count) {
        let from = taken * stride;
        let Some(records) = records.get(from..from + 7 * stride + 1 + WORD_BYTES) else {
            break;
        };
        let mut any = 0;
        let mut all = u8::MAX;
        for lane in 0..LANES {
            any |= records[lane * stride];
            all &= records[lane * stride];
        }
        if any & RunTime::FLAGS != form.flags || all & RunTime::FLAGS != form.flags {
            break;
        }
        let [indexes, bits, low, high] = turn::<TIME>(records);
        *signal = bytemuck::cast(indexes);
        let is_known = match identity {
            Some(count) => lanes::all_below(signal, count),
            None => run::look_up(rows, signal),
        };
        if !is_known {
            break;
        }
        let same = _mm256_set1_epi64x(known.0 as i64);
        let same = _mm256_and_si256(_mm256_cmpeq_epi64(low, same), _mm256_cmpeq_epi64(high, same));
        if taken > 0 && _mm256_movemask_epi8(same) == -1 {
            time.fill(known.1);
        } else {
            let numbers = bytemuck::cast::<[__m256i; 2], [u64; LANES]>([low, high]);
            let mut exact = true;
            for (time, number) in time.iter_mut().zip(numbers) {
                let (ns, is_exact) = ticks::to_ns(form.base.wrapping_add(number.wrapping_mul(form.unit)));
                *time = ns;
                exact &= is_exact;
                known = (number, ns);
            }
            if !exact {
                break;
            }
        }
        let bits = bytemuck::cast(bits);
        if lanes::widen_avx2(&bits, value) {
            value::widen_all(&bits, value);
        }
        if any & !RunTime::FLAGS == 0 {
            quality.fill(0);
        } else {
            for (lane, quality) in quality.iter_mut().enumerate() {
                *quality = state_flags::from_compact(records[lane * stride]);
            }
        }
        taken += LANES;
    }
    block.advance(taken);
    taken
}

/// Indexes, values and times of eight records.
#[inline]
#[target_feature(enable = "avx2")]
fn turn<const TIME: usize>(records: &[u8]) -> [__m256i; 4] {
    // Index and value are 32 bits, the time 64 of which the first are its own, all big-endian.
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0A0B_0C0D_0E0F, 0x0405_0607_0001_0203));
    let stride = HEAD_BYTES + TIME;
    let pair = |lane: usize| {
        let words = _mm256_set_m128i(word(records, (lane + 4) * stride), word(records, lane * stride));
        _mm256_shuffle_epi8(words, swap)
    };
    let [r0, r1, r2, r3] = [pair(0), pair(1), pair(2), pair(3)];
    let front = _mm256_unpacklo_epi32(r0, r1);
    let back = _mm256_unpacklo_epi32(r2, r3);
    let behind = _mm_cvtsi32_si128(64 - 8 * TIME as i32);
    let front_time = _mm256_srl_epi64(_mm256_unpackhi_epi64(r0, r1), behind);
    let back_time = _mm256_srl_epi64(_mm256_unpackhi_epi64(r2, r3), behind);
    [
        _mm256_unpacklo_epi64(front, back),
        _mm256_unpackhi_epi64(front, back),
        _mm256_permute2x128_si256::<0x20>(front_time, back_time),
        _mm256_permute2x128_si256::<0x31>(front_time, back_time),
    ]
}

/// The word behind the flags of the record that begins at `from`.
#[inline]
fn word(records: &[u8], from: usize) -> __m128i {
    let mut word = [0; WORD_BYTES];
    word.copy_from_slice(&records[from + 1..from + 1 + WORD_BYTES]);
    bytemuck::cast(word)
}

/// Encodes rows as long as they fit and have no flags, eight of them one time, and that time this form, and says how many.
/// `TIME` is how many bytes the time has; a few bytes behind the last record are written too.
#[target_feature(enable = "avx2")]
pub(super) fn encode<const TIME: usize>(
    rows: &MeasurementRows<'_>,
    indexes: &SignalIndexes,
    form: RunTime,
    packet: &mut [u8],
) -> usize {
    let columns = rows
        .time
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(rows.value.as_chunks::<LANES>().0)
        .zip(rows.signal.as_chunks::<LANES>().0.iter().zip(rows.flags.as_chunks::<LANES>().0));
    let identity = indexes.identity_len();
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0A0B_0C0D_0E0F, 0x0405_0607_0001_0203));
    let stride = HEAD_BYTES + TIME;
    let mut known = (measurand_columns::TIME_UNKNOWN, 0);
    let mut turns = 0;
    for ((time, value), (signal, quality)) in columns {
        let from = turns * LANES * stride;
        let Some(records) = packet.get_mut(from..from + 7 * stride + 1 + WORD_BYTES) else {
            break;
        };
        let [low, high] = bytemuck::cast::<[i64; LANES], [__m256i; 2]>(*time);
        let now = _mm256_set1_epi64x(time[0]);
        let same = _mm256_and_si256(_mm256_cmpeq_epi64(low, now), _mm256_cmpeq_epi64(high, now));
        let plain = _mm256_cmpeq_epi32(bytemuck::cast(*quality), _mm256_set1_epi32(0));
        if _mm256_movemask_epi8(_mm256_and_si256(same, plain)) != -1 {
            break;
        }
        if turns == 0 || known.0 != time[0] {
            let Some(number) = form.number(ticks::from_ns(time[0])) else {
                break;
            };
            known = (time[0], number << (64 - 8 * TIME));
        }
        let index = match identity {
            Some(count) if lanes::all_below(signal, count) => *signal,
            Some(_) => break,
            None => {
                let found = signal.map(|row| indexes.index(row).unwrap_or(NO_ROW));
                if found.contains(&NO_ROW) {
                    break;
                }
                found
            }
        };
        let (mut bits, nan) = lanes::narrow_avx2(value);
        if nan {
            bits = value::narrow_all(value);
        }
        let [index, bits] = [bytemuck::cast(index), bytemuck::cast(bits)];
        let number = _mm256_set1_epi64x(known.1 as i64);
        let front = _mm256_unpacklo_epi32(index, bits);
        let back = _mm256_unpackhi_epi32(index, bits);
        let pairs = [
            _mm256_unpacklo_epi64(front, number),
            _mm256_unpackhi_epi64(front, number),
            _mm256_unpacklo_epi64(back, number),
            _mm256_unpackhi_epi64(back, number),
        ];
        let mut words = [[0; WORD_BYTES]; LANES];
        for (lane, pair) in pairs.into_iter().enumerate() {
            let pair = _mm256_shuffle_epi8(pair, swap);
            words[lane] = bytemuck::cast::<__m128i, [u8; WORD_BYTES]>(_mm256_extracti128_si256::<0>(pair));
            words[lane + 4] = bytemuck::cast::<__m128i, [u8; WORD_BYTES]>(_mm256_extracti128_si256::<1>(pair));
        }
        // In their order: each word reaches into the next record where its time is short.
        for (lane, word) in words.iter().enumerate() {
            records[lane * stride] = form.flags;
            records[lane * stride + 1..lane * stride + 1 + WORD_BYTES].copy_from_slice(word);
        }
        turns += 1;
    }
    turns * LANES
}
