//! Sixteen compact records with full ticks at a time. Four records are 68 bytes: a load of 64 from their begin has their
//! flags, indexes and values, one of 64 to their end their ticks, and one permutation of bytes puts indexes and values in
//! order, little-endian.

use core::arch::x86_64::{
    __m256, __m256i, __m512d, __m512i, _CMP_UNORD_Q, _mm256_cmp_ps_mask, _mm512_castsi512_si256,
    _mm512_cmplt_epu32_mask, _mm512_cvtps_pd, _mm512_extracti64x4_epi64, _mm512_mask_blend_epi64,
    _mm512_mask_permutexvar_epi8, _mm512_mask_test_epi8_mask, _mm512_or_si512, _mm512_permutexvar_epi8,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use measurand_columns::{Block, ticks};

use super::RECORD_BYTES;
use super::run::{self, Lanes};
use crate::{SignalRows, state_flags, value};

const LANES: usize = 16;
const RUN_BYTES: usize = LANES * RECORD_BYTES;
/// Records of one load.
const GROUP: usize = 4;
const GROUP_BYTES: usize = GROUP * RECORD_BYTES;
/// Where the load of the ticks begins.
const REAR: usize = GROUP_BYTES - 64;

/// Decodes records into `block` as long as they have full ticks that the time column holds, and says how many.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
pub(super) fn decode(records: &[u8], count: u32, rows: &SignalRows, block: &mut Block<'_>) -> usize {
    if block.wants_raw_time() {
        return 0;
    }
    let identity = rows.identity_len();
    let places: __m512i = bytemuck::cast(FRONT);
    let crossed: __m512i = bytemuck::cast(FRONT_CROSSED);
    let limit = _mm512_set1_epi32(identity.unwrap_or(u32::MAX) as i32);
    // No record has these ticks without its time being looked at: they are not exact.
    let mut known = (_mm512_set1_epi64(0), 0);
    let mut taken = 0;
    let records = records.as_chunks::<RUN_BYTES>().0.iter();
    for (records, Lanes { time, value, signal, flags: quality }) in records.zip(run::lanes(block, count)) {
        let front = [load(records, 0, 0), load(records, 1, 0), load(records, 2, 0), load(records, 3, 0)];
        // Indexes of the first eight and values of the first eight behind them; of the others values first.
        let low = _mm512_permutexvar_epi8(places, front[0]);
        let low = _mm512_mask_permutexvar_epi8(low, ODD, places, front[1]);
        let high = _mm512_permutexvar_epi8(crossed, front[2]);
        let high = _mm512_mask_permutexvar_epi8(high, ODD, crossed, front[3]);
        let indexes = _mm512_mask_blend_epi64(0xF0, low, high);
        *signal = bytemuck::cast(indexes);
        let halves = [_mm512_extracti64x4_epi64::<1>(low), _mm512_castsi512_si256(high)];
        let [first, second] = bytemuck::cast::<[__m256i; 2], [__m256; 2]>(halves);
        *value = bytemuck::cast::<[__m512d; 2], [f64; LANES]>([_mm512_cvtps_pd(first), _mm512_cvtps_pd(second)]);
        *quality = [0; LANES];
        *time = [known.1; LANES];

        // 0xFE: all three; 0xF6: the first, or where the others differ.
        let any = _mm512_or_si512(_mm512_ternarylogic_epi64::<0xFE>(front[0], front[1], front[2]), front[3]);
        let differing = _mm512_xor_si512(load(records, 0, REAR), known.0);
        let differing = _mm512_ternarylogic_epi64::<0xF6>(differing, load(records, 1, REAR), known.0);
        let differing = _mm512_ternarylogic_epi64::<0xF6>(differing, load(records, 2, REAR), known.0);
        let differing = _mm512_ternarylogic_epi64::<0xF6>(differing, load(records, 3, REAR), known.0);
        let is_other_time = _mm512_mask_test_epi8_mask(TICKS, differing, differing) != 0;
        let has_flags = _mm512_mask_test_epi8_mask(FLAGS, any, any) != 0;
        let has_nan = _mm256_cmp_ps_mask::<_CMP_UNORD_Q>(first, second) != 0;
        let is_known = _mm512_cmplt_epu32_mask(indexes, limit) == u16::MAX;
        // What is not so plain is read again from the records, so that the loop keeps its registers.
        if identity.is_none() {
            if !run::look_up(rows, signal) {
                break;
            }
        } else if !is_known {
            break;
        }
        if has_flags && !read_flags(records, quality) {
            break;
        }
        if has_nan {
            read_values(records, value);
        }
        if is_other_time {
            let Some(last) = read_times(records, time) else {
                break;
            };
            known = (_mm512_permutexvar_epi8(bytemuck::cast(BACK), _mm512_set1_epi64(last as i64)), time[LANES - 1]);
        }
        taken += LANES;
    }
    block.advance(taken);
    taken
}

/// The quality words of sixteen records; false if one has no full ticks.
#[cold]
#[inline(never)]
fn read_flags(records: &[u8; RUN_BYTES], quality: &mut [u32; LANES]) -> bool {
    let mut any = 0;
    for (lane, quality) in quality.iter_mut().enumerate() {
        let flags = records[lane * RECORD_BYTES];
        *quality = state_flags::from_compact(flags);
        any |= flags;
    }
    any & state_flags::COMPACT_BASE_TIME_OFFSET == 0
}

/// The values of sixteen records that a NaN is among.
#[cold]
#[inline(never)]
fn read_values(records: &[u8; RUN_BYTES], values: &mut [f64; LANES]) {
    for (value, record) in values.iter_mut().zip(records.as_chunks::<RECORD_BYTES>().0) {
        *value = value::widen(u32::from_be_bytes([record[5], record[6], record[7], record[8]]));
    }
}

/// The times of sixteen records; the last one's ticks, or `None` if a time column does not hold one.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi")]
fn read_times(records: &[u8; RUN_BYTES], times: &mut [i64; LANES]) -> Option<u64> {
    let order: __m512i = bytemuck::cast(TIME);
    let turn = |first: usize| {
        let ticks = _mm512_permutexvar_epi8(order, load(records, first, REAR));
        _mm512_mask_permutexvar_epi8(ticks, 0xFFFF_FFFF_0000_0000, order, load(records, first + 1, REAR))
    };
    let ticks = bytemuck::cast::<[__m512i; 2], [u64; LANES]>([turn(0), turn(2)]);
    let mut all = true;
    for (time, ticks) in times.iter_mut().zip(ticks) {
        let (ns, exact) = ticks::to_ns(ticks);
        *time = ns;
        all &= exact;
    }
    all.then_some(ticks[LANES - 1])
}

/// 64 bytes of four records.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(records: &[u8; RUN_BYTES], group: usize, from: usize) -> __m512i {
    let mut bytes = [0; 64];
    let at = group * GROUP_BYTES + from;
    bytes.copy_from_slice(&records[at..at + 64]);
    bytemuck::cast(bytes)
}

/// The flag bytes of a load from the begin of four records.
const FLAGS: u64 = 1 | 1 << RECORD_BYTES | 1 << (2 * RECORD_BYTES) | 1 << (3 * RECORD_BYTES);
/// The ticks of a load to the end of four records.
const TICKS: u64 = {
    let first = 0xFF << (9 - REAR);
    first | first << RECORD_BYTES | first << (2 * RECORD_BYTES) | first << (3 * RECORD_BYTES)
};
/// The second and the fourth 16 bytes.
const ODD: u64 = 0xFFFF_0000_FFFF_0000;

/// Four indexes twice, then four values twice.
const FRONT: [u8; 64] = front(1, 5);
/// Four values twice, then four indexes twice.
const FRONT_CROSSED: [u8; 64] = front(5, 1);
/// Four ticks, twice.
const TIME: [u8; 64] = {
    let mut from = [0; 64];
    let mut at = 0;
    while at < 64 {
        from[at] = (at % 32 / 8 * RECORD_BYTES + 9 - REAR + 7 - at % 8) as u8;
        at += 1;
    }
    from
};
/// From eight times the same ticks where a load to the end of four records has theirs.
const BACK: [u8; 64] = {
    let mut from = [0; 64];
    let mut at = 0;
    while at < 64 {
        // Bytes that are no ticks are not looked at.
        from[at] = 7 - ((at + REAR + 8) % RECORD_BYTES) as u8 % 8;
        at += 1;
    }
    from
};

const fn front(lower: usize, upper: usize) -> [u8; 64] {
    let mut from = [0; 64];
    let mut at = 0;
    while at < 64 {
        let field = if at < 32 { lower } else { upper };
        from[at] = (at % 16 / 4 * RECORD_BYTES + field + 3 - at % 4) as u8;
        at += 1;
    }
    from
}
