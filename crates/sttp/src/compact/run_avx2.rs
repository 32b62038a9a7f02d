//! Eight compact records with full ticks at a time: a record's index, value and ticks are one 16-byte word, so eight
//! records are an 8 x 4 matrix of 32-bit lanes to be turned.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_set_epi64x, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi32,
    _mm256_cmpeq_epi64, _mm256_extracti128_si256, _mm256_movemask_epi8, _mm256_permute2x128_si256, _mm256_set_m128i,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_shuffle_epi8, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use measurand_columns::{Block, ticks};

use super::RECORD_BYTES;
use crate::signal_rows::{NO_ROW, SignalIndexes, SignalRows};
use crate::{MeasurementRows, lanes, state_flags, value};

const LANES: usize = 8;
const RUN_BYTES: usize = LANES * RECORD_BYTES;

/// Decodes records into `block` as long as they have full ticks that the time column holds, and says how many.
#[target_feature(enable = "avx2")]
pub(super) fn decode(records: &[u8], count: u32, rows: &SignalRows, block: &mut Block<'_>) -> usize {
    if block.wants_raw_time() {
        return 0;
    }
    let identity = rows.identity_len();
    let most = (count as usize).min(block.room()) / LANES * LANES;
    let first = block.len();
    let (Some(times), Some(values), Some(signals), Some(flags)) = (
        block.time.get_mut(first..first + most),
        block.value.get_mut(first..first + most),
        block.signal.get_mut(first..first + most),
        block.flags.get_mut(first..first + most),
    ) else {
        return 0;
    };
    let outputs = times
        .as_chunks_mut::<LANES>()
        .0
        .iter_mut()
        .zip(values.as_chunks_mut::<LANES>().0)
        .zip(signals.as_chunks_mut::<LANES>().0.iter_mut().zip(flags.as_chunks_mut::<LANES>().0));
    let mut known = (0, 0);
    let mut taken = 0;
    for (records, ((time, value), (signal, quality))) in records.as_chunks::<RUN_BYTES>().0.iter().zip(outputs) {
        let any = (0..LANES).fold(0, |any, lane| any | records[lane * RECORD_BYTES]);
        if any & state_flags::COMPACT_BASE_TIME_OFFSET != 0 {
            break;
        }
        let [indexes, bits, low, high] = turn(records);
        let indexes = bytemuck::cast(indexes);
        match identity {
            Some(count) => {
                if !lanes::all_below(&indexes, count) {
                    break;
                }
                *signal = indexes;
            }
            None => {
                if !look_up(rows, &indexes, signal) {
                    break;
                }
            }
        }
        let same = _mm256_set1_epi64x(known.0 as i64);
        let same = _mm256_and_si256(_mm256_cmpeq_epi64(low, same), _mm256_cmpeq_epi64(high, same));
        if taken > 0 && _mm256_movemask_epi8(same) == -1 {
            time.fill(known.1);
        } else {
            let ticks = bytemuck::cast::<[__m256i; 2], [u64; LANES]>([low, high]);
            let mut all = true;
            for (time, ticks) in time.iter_mut().zip(ticks) {
                let (ns, exact) = ticks::to_ns(ticks);
                *time = ns;
                all &= exact;
                known = (ticks, ns);
            }
            if !all {
                break;
            }
        }
        let bits = bytemuck::cast(bits);
        if lanes::widen_avx2(&bits, value) {
            value::widen_all(&bits, value);
        }
        if any == 0 {
            quality.fill(0);
        } else {
            read_flags(records, quality);
        }
        taken += LANES;
    }
    block.advance(taken);
    taken
}

/// The rows of eight indexes; false if one has none. Apart, to keep its registers out of the loop.
#[inline(never)]
fn look_up(rows: &SignalRows, indexes: &[u32; LANES], signal: &mut [u32; LANES]) -> bool {
    *signal = indexes.map(|index| rows.row(index).unwrap_or(NO_ROW));
    !signal.contains(&NO_ROW)
}

/// The quality words of eight records. Apart, to keep its registers out of the loop.
#[inline(never)]
fn read_flags(records: &[u8; RUN_BYTES], quality: &mut [u32; LANES]) {
    for (lane, quality) in quality.iter_mut().enumerate() {
        *quality = state_flags::from_compact(records[lane * RECORD_BYTES]);
    }
}

/// Indexes, values and ticks of eight records.
#[inline]
#[target_feature(enable = "avx2")]
fn turn(records: &[u8; RUN_BYTES]) -> [__m256i; 4] {
    // Index and value are 32 bits, ticks 64, all big-endian.
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0A0B_0C0D_0E0F, 0x0405_0607_0001_0203));
    let pair = |lane: usize| {
        let words = _mm256_set_m128i(word(records, lane + 4), word(records, lane));
        _mm256_shuffle_epi8(words, swap)
    };
    let [r0, r1, r2, r3] = [pair(0), pair(1), pair(2), pair(3)];
    let front = _mm256_unpacklo_epi32(r0, r1);
    let back = _mm256_unpacklo_epi32(r2, r3);
    let front_ticks = _mm256_unpackhi_epi64(r0, r1);
    let back_ticks = _mm256_unpackhi_epi64(r2, r3);
    [
        _mm256_unpacklo_epi64(front, back),
        _mm256_unpackhi_epi64(front, back),
        _mm256_permute2x128_si256::<0x20>(front_ticks, back_ticks),
        _mm256_permute2x128_si256::<0x31>(front_ticks, back_ticks),
    ]
}

/// A record without its flags.
#[inline]
fn word(records: &[u8; RUN_BYTES], lane: usize) -> __m128i {
    let mut word = [0; 16];
    word.copy_from_slice(&records[lane * RECORD_BYTES + 1..(lane + 1) * RECORD_BYTES]);
    bytemuck::cast(word)
}

/// Encodes rows as long as they fit and have one time and no flags, and says how many.
#[target_feature(enable = "avx2")]
pub(super) fn encode(rows: &MeasurementRows<'_>, indexes: &SignalIndexes, flags: u8, packet: &mut [u8]) -> usize {
    let records = packet.as_chunks_mut::<RUN_BYTES>().0;
    let columns = rows
        .time
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(rows.value.as_chunks::<LANES>().0)
        .zip(rows.signal.as_chunks::<LANES>().0.iter().zip(rows.flags.as_chunks::<LANES>().0));
    let identity = indexes.identity_len();
    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0809_0A0B_0C0D_0E0F, 0x0405_0607_0001_0203));
    let mut known = (measurand_columns::TIME_UNKNOWN, 0);
    let mut turns = 0;
    for (records, ((time, value), (signal, quality))) in records.iter_mut().zip(columns) {
        let [low, high] = bytemuck::cast::<[i64; LANES], [__m256i; 2]>(*time);
        let now = _mm256_set1_epi64x(time[0]);
        let same = _mm256_and_si256(_mm256_cmpeq_epi64(low, now), _mm256_cmpeq_epi64(high, now));
        let plain = _mm256_cmpeq_epi32(bytemuck::cast(*quality), _mm256_set1_epi32(0));
        if _mm256_movemask_epi8(_mm256_and_si256(same, plain)) != -1 {
            break;
        }
        if known.0 != time[0] {
            known = (time[0], ticks::from_ns(time[0]));
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
        let ticks = _mm256_set1_epi64x(known.1 as i64);
        let front = _mm256_unpacklo_epi32(index, bits);
        let back = _mm256_unpackhi_epi32(index, bits);
        let pairs = [
            _mm256_unpacklo_epi64(front, ticks),
            _mm256_unpackhi_epi64(front, ticks),
            _mm256_unpacklo_epi64(back, ticks),
            _mm256_unpackhi_epi64(back, ticks),
        ];
        for (lane, pair) in pairs.into_iter().enumerate() {
            let pair = _mm256_shuffle_epi8(pair, swap);
            let words = [_mm256_extracti128_si256::<0>(pair), _mm256_extracti128_si256::<1>(pair)];
            for (lane, word) in [lane, lane + 4].into_iter().zip(words) {
                records[lane * RECORD_BYTES] = flags;
                let word = bytemuck::cast::<__m128i, [u8; 16]>(word);
                records[lane * RECORD_BYTES + 1..(lane + 1) * RECORD_BYTES].copy_from_slice(&word);
            }
        }
        turns += 1;
    }
    turns * LANES
}
