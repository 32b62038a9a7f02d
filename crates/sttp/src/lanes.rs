//! Conversions of eight values at once, shared by the codecs' fast paths.

use core::arch::x86_64::{
    __m128, __m256, __m256d, __m256i, _CMP_UNORD_Q, _mm256_castsi256_ps, _mm256_cmp_pd, _mm256_cmp_ps,
    _mm256_cmpeq_epi32, _mm256_cvtpd_ps, _mm256_cvtps_pd, _mm256_max_epu32, _mm256_movemask_pd, _mm256_movemask_ps,
    _mm256_or_pd, _mm256_set_m128, _mm256_set1_epi32,
};

/// Writes eight float32 words as doubles; true if a NaN is among them, whose double is then to be written again.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn widen_avx2(bits: &[u32; 8], values: &mut [f64; 8]) -> bool {
    let [low, high] = bytemuck::cast::<[u32; 8], [__m128; 2]>(*bits);
    *values = bytemuck::cast([_mm256_cvtps_pd(low), _mm256_cvtps_pd(high)]);
    let bits = bytemuck::cast::<[u32; 8], __m256>(*bits);
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(bits, bits)) != 0
}

/// The float32 words of eight doubles; true if a NaN is among them, whose word is then to be made again.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn narrow_avx2(values: &[f64; 8]) -> ([u32; 8], bool) {
    let [low, high] = bytemuck::cast::<[f64; 8], [__m256d; 2]>(*values);
    let bits = _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
    let nan = _mm256_or_pd(_mm256_cmp_pd::<_CMP_UNORD_Q>(low, low), _mm256_cmp_pd::<_CMP_UNORD_Q>(high, high));
    (bytemuck::cast(bits), _mm256_movemask_pd(nan) != 0)
}

/// Whether eight numbers are below a limit.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn all_below(numbers: &[u32; 8], limit: u32) -> bool {
    let (numbers, limit) = (bytemuck::cast::<[u32; 8], __m256i>(*numbers), _mm256_set1_epi32(limit as i32));
    // x >= limit exactly where max(x, limit) = x.
    let above = _mm256_cmpeq_epi32(_mm256_max_epu32(numbers, limit), numbers);
    _mm256_movemask_ps(_mm256_castsi256_ps(above)) == 0
}
