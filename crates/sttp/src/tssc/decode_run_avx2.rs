//! The second pass of [`super::decode_run`] in vectors of eight 32-bit lanes.

use core::arch::x86_64::{
    __m256i, _mm_cvtsi64_si128, _mm_set_epi64x, _mm256_add_epi32, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_broadcastsi128_si256, _mm256_castps_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_cmpgt_epi32,
    _mm256_cvtepu8_epi32, _mm256_movemask_epi8, _mm256_or_si256, _mm256_permute4x64_epi64, _mm256_permutevar8x32_epi32,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_ps, _mm256_sllv_epi32,
    _mm256_srli_epi32, _mm256_srlv_epi32, _mm256_sub_epi32, _mm256_xor_si256,
};

use super::decode_run::{BITS, BYTES, COUNTS, DIFFERENT, Found, KIND_SHIFT, Lanes, NIBBLE};

/// [`super::decode_run`]'s `combine`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn combine(found: &Found, entries: u64, lanes: Lanes<'_>) -> bool {
    let all = |word: u32| _mm256_set1_epi32(word as i32);
    let Lanes { values: [first, second, third], counts } = lanes;
    let entry = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(entries as i64));
    let [low, high] = bytemuck::cast::<[u64; 8], [__m256i; 2]>(found.windows);
    // The upper halves of eight 64-bit lanes, in order.
    let upper = _mm256_castps_si256(_mm256_shuffle_ps::<0xDD>(_mm256_castsi256_ps(low), _mm256_castsi256_ps(high)));
    let upper = _mm256_permute4x64_epi64::<0b11_01_10_00>(upper);

    let count = _mm256_permutevar8x32_epi32(bytemuck::cast(COUNTS), _mm256_srli_epi32::<29>(upper));
    let none = _mm256_cmpeq_epi32(entry, _mm256_setzero_si256());
    let sum = _mm256_add_epi32(bytemuck::cast(*counts), _mm256_andnot_si256(none, count));
    *counts = bytemuck::cast(sum);
    let adapt = _mm256_cmpeq_epi32(_mm256_srli_epi32::<24>(sum), _mm256_setzero_si256());

    let swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0C0D_0E0F_0809_0A0B, 0x0405_0607_0001_0203));
    let bytes = _mm256_sub_epi32(all(32), _mm256_and_si256(entry, all(BYTES)));
    let payload = _mm256_srlv_epi32(_mm256_shuffle_epi8(bytemuck::cast(found.payloads), swap), bytes);
    let bits = _mm256_sub_epi32(all(32), _mm256_and_si256(entry, all(BITS)));
    let nibble = _mm256_and_si256(entry, all(NIBBLE));
    let has_nibble = _mm256_cmpeq_epi32(nibble, all(NIBBLE));
    let low = _mm256_and_si256(_mm256_srlv_epi32(upper, bits), _mm256_and_si256(has_nibble, all(15)));
    // The width of a nibble is its flag.
    let differing = _mm256_or_si256(_mm256_sllv_epi32(payload, nibble), low);

    let [v1, v2, v3] = [bytemuck::cast(*first), bytemuck::cast(*second), bytemuck::cast(*third)];
    let kind = _mm256_srli_epi32::<KIND_SHIFT_I>(entry);
    let is_second = _mm256_cmpeq_epi32(kind, all(1));
    let is_third = _mm256_cmpeq_epi32(kind, all(2));
    let is_earlier = _mm256_cmpgt_epi32(kind, _mm256_setzero_si256());
    let is_same = _mm256_cmpgt_epi32(all(DIFFERENT), entry);
    let earlier = _mm256_or_si256(_mm256_and_si256(is_second, v2), _mm256_and_si256(is_third, v3));
    let newest = _mm256_or_si256(_mm256_andnot_si256(is_earlier, _mm256_xor_si256(v1, differing)), earlier);
    *first = bytemuck::cast(newest);
    *second = bytemuck::cast(select(is_same, v2, v1));
    *third = bytemuck::cast(select(_mm256_or_si256(is_same, is_second), v3, v2));
    _mm256_movemask_epi8(adapt) != 0
}

const KIND_SHIFT_I: i32 = KIND_SHIFT as i32;

#[inline]
#[target_feature(enable = "avx2")]
fn select(mask: __m256i, yes: __m256i, no: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(mask, yes), _mm256_andnot_si256(mask, no))
}
