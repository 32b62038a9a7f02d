//! The first pass of [`super::encode_run`] in vectors of eight 32-bit lanes.

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_cmpeq_epi32, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps, _mm256_movemask_epi8, _mm256_movemask_ps,
    _mm256_or_si256, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_sllv_epi32,
    _mm256_srli_epi32, _mm256_srlv_epi32, _mm256_sub_epi32, _mm256_xor_si256,
};

use super::code;
use super::encode_run::{Chosen, LANES, Lanes, Summary};
use super::points::CODE;
use super::shorts::Shorts;
use crate::signal_rows::NO_ROW;
use crate::{lanes, value};

/// [`super::encode_run`]'s `choose`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn choose(row: Lanes<'_>, chosen: &mut Chosen) -> Summary {
    let all = |word: u32| _mm256_set1_epi32(word as i32);
    let Lanes { value, signal, flags, follow, flags_now, values: [newest, second, third], shorts, counts } = row;
    let follow = bytemuck::cast(*follow);
    let expected = _mm256_andnot_si256(
        _mm256_cmpeq_epi32(follow, all(NO_ROW)),
        _mm256_and_si256(
            _mm256_cmpeq_epi32(bytemuck::cast(*signal), follow),
            _mm256_cmpeq_epi32(bytemuck::cast(*flags), bytemuck::cast(*flags_now)),
        ),
    );
    let taken = (!mask(expected)).trailing_zeros().min(8);
    let live = _mm256_cmpgt_epi32(all(taken), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));

    let (mut bits, nan) = lanes::narrow_avx2(value);
    if nan {
        bits = value::narrow_all(value);
    }
    let bits = bytemuck::cast(bits);

    let [v1, v2, v3] = [bytemuck::cast(*newest), bytemuck::cast(*second), bytemuck::cast(*third)];
    let differing = _mm256_xor_si256(v1, bits);
    // The exponent of the highest bit alone, which no rounding can move, tells how many nibbles there are.
    let highest = _mm256_andnot_si256(_mm256_srli_epi32::<1>(differing), differing);
    let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(highest)));
    let exponent = _mm256_and_si256(exponent, all(0xFF));
    let code = _mm256_srli_epi32::<2>(_mm256_sub_epi32(exponent, all(31)));
    let is_same = _mm256_cmpeq_epi32(differing, _mm256_setzero_si256());
    let is_second = _mm256_cmpeq_epi32(v2, bits);
    let is_third = _mm256_cmpeq_epi32(v3, bits);
    let is_zero = _mm256_cmpeq_epi32(bits, _mm256_setzero_si256());
    let code = select(is_zero, all(u32::from(code::VALUE_ZERO)), code);
    let code = select(is_third, all(u32::from(code::VALUE_3)), code);
    let code = select(is_second, all(u32::from(code::VALUE_2)), code);
    let code = select(is_same, all(u32::from(code::VALUE_1)), code);

    let keep_second = _mm256_or_si256(is_same, _mm256_xor_si256(live, all(u32::MAX)));
    let keep_third = _mm256_or_si256(keep_second, is_second);
    *newest = bytemuck::cast(select(live, bits, v1));
    *second = bytemuck::cast(select(keep_second, v2, v1));
    *third = bytemuck::cast(select(keep_third, v3, v2));

    // A place of the short codes, or none.
    let shorts = bytemuck::cast::<[u32; LANES], __m256i>(shorts.map(Shorts::word));
    let byte = all(0xFF);
    let is_1 = _mm256_cmpeq_epi32(_mm256_and_si256(shorts, byte), code);
    let is_2 = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_srli_epi32::<8>(shorts), byte), code);
    let is_3 = _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_srli_epi32::<16>(shorts), byte), code);
    let width = _mm256_add_epi32(_mm256_srli_epi32::<24>(shorts), all(5));
    let width = select(is_1, all(1), select(is_2, all(2), select(is_3, all(3), width)));
    let is_short = _mm256_or_si256(is_1, _mm256_or_si256(is_2, is_3));
    let word = select(is_short, all(1), code);
    let count = _mm256_and_si256(is_3, all(1 << 16));
    let count = select(is_1, all(1), select(is_2, all(1 << 8), count));
    let count = _mm256_and_si256(_mm256_sub_epi32(count, all(CODE)), live);
    let sum = _mm256_add_epi32(bytemuck::cast(*counts), count);
    *counts = bytemuck::cast(sum);
    let adapt = _mm256_cmpeq_epi32(_mm256_srli_epi32::<24>(sum), _mm256_setzero_si256());

    let has_value = _mm256_cmpgt_epi32(code, all(u32::from(code::VALUE_XOR) - 1));
    // Even codes have a nibble.
    let nibble = _mm256_andnot_si256(_mm256_slli_epi32::<2>(code), _mm256_and_si256(has_value, all(4)));
    let low = _mm256_and_si256(differing, _mm256_sub_epi32(_mm256_sllv_epi32(all(1), nibble), all(1)));
    chosen.codes = bytemuck::cast(code);
    chosen.bits = bytemuck::cast(_mm256_or_si256(_mm256_sllv_epi32(word, nibble), low));
    chosen.widths = bytemuck::cast(_mm256_add_epi32(width, nibble));
    chosen.payloads = bytemuck::cast(_mm256_and_si256(has_value, _mm256_srlv_epi32(differing, nibble)));
    let bytes = _mm256_srli_epi32::<1>(_mm256_sub_epi32(code, all(u32::from(code::VALUE_XOR) - 1)));
    chosen.bytes = bytemuck::cast(_mm256_and_si256(has_value, bytes));
    Summary {
        taken: taken as usize,
        literals: mask(_mm256_andnot_si256(is_short, live)),
        adapt: _mm256_movemask_epi8(adapt) != 0,
    }
}

/// A bit a lane.
#[inline]
#[target_feature(enable = "avx2")]
fn mask(lanes: __m256i) -> u32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(lanes)) as u32
}

#[inline]
#[target_feature(enable = "avx2")]
fn select(mask: __m256i, yes: __m256i, no: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(mask, yes), _mm256_andnot_si256(mask, no))
}
