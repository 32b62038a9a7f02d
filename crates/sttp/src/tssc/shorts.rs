//! The codes that a point writes in fewer than 5 bits, and how they are chosen anew.

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    _mm_add_epi16, _mm_broadcastw_epi16, _mm_cvtsi128_si32, _mm_min_epu16, _mm_minpos_epu16, _mm_mullo_epi16,
    _mm_setr_epi16, _mm_srli_epi16, _mm256_add_epi8, _mm256_and_si256, _mm256_broadcastsi128_si256,
    _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_cmpeq_epi16, _mm256_extracti128_si256, _mm256_min_epu16,
    _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_unpackhi_epi8,
    _mm256_unpacklo_epi8, _mm256_xor_si256,
};

use super::code;

/// The up to three codes that a point writes in 1, 2 or 3 bits instead of 5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub(super) struct Shorts {
    /// The codes, shortest first; 0xFF where there is none.
    pub(super) codes: [u8; 3],
    /// How many there are: the mode of the point less 1.
    pub(super) count: u8,
}

impl Shorts {
    /// Those of a new point.
    pub(super) const FIRST: Self = Self { codes: [code::VALUE_1, code::VALUE_2, code::VALUE_3], count: 3 };

    /// The codes from the lowest byte on, and how many there are in the highest.
    pub(super) fn word(self) -> u32 {
        u32::from_le_bytes([self.codes[0], self.codes[1], self.codes[2], self.count])
    }

    /// The first `count` of three codes, from the lowest byte on.
    fn of(codes: u32, count: u32) -> Self {
        const UNUSED: [u32; 4] = [0xFF_FFFF, 0xFF_FF00, 0xFF_0000, 0];
        let [first, second, third, count] = (codes | UNUSED[count as usize & 3] | count << 24).to_le_bytes();
        Self { codes: [first, second, third], count }
    }

    /// The place of a code among them.
    pub(super) fn place(self, code: u8) -> Option<usize> {
        self.codes.iter().position(|&short| short == code)
    }
}

/// After how many codes a point adapts: the first time, the second, and from then on.
pub(super) const CODES: [u8; 3] = [6, 21, 101];

/// What a point counted since its short codes were chosen.
pub(super) struct Counted {
    /// How often each code came written in 5 bits.
    pub(super) literals: [u8; 32],
    /// The codes that were short.
    pub(super) shorts: Shorts,
    /// How often each of them came, from the lowest byte on.
    pub(super) counts: u32,
    /// Adaptions before this one, up to 2.
    pub(super) phase: u8,
}

impl Counted {
    /// The short codes that would have made them smallest; fewer of them on a tie.
    #[inline]
    pub(super) fn best(&self) -> Shorts {
        let mut stats = self.literals;
        for (short, count) in self.shorts.codes.into_iter().zip(self.counts.to_le_bytes()) {
            for (code, stat) in (0..).zip(&mut stats) {
                *stat = stat.wrapping_add(if code == short { count } else { 0 });
            }
        }
        // A count above its code, so that among equal counts the lowest code is the greatest; no two are the same.
        let mut ranks = [0; 32];
        for (code, (rank, stat)) in (0..).zip(ranks.iter_mut().zip(stats)) {
            *rank = i16::from(stat) << 5 | (31 - code);
        }
        let mut most = [(0, 0); 3];
        for (code, count) in &mut most {
            let mut greatest = [0; 8];
            for ranks in ranks.as_chunks::<8>().0 {
                for (greatest, &rank) in greatest.iter_mut().zip(ranks) {
                    *greatest = rank.max(*greatest);
                }
            }
            let greatest = greatest.into_iter().fold(0, i16::max);
            for rank in &mut ranks {
                *rank = if *rank == greatest { 0 } else { *rank };
            }
            *code = 31 - (greatest & 31) as u32;
            *count = i32::from(greatest >> 5);
        }
        smallest(most, CODES[usize::from(self.phase.min(2))].into())
    }

    /// The same in vectors.
    #[cfg(target_arch = "x86_64")]
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn best_avx2(&self) -> Shorts {
        let codes = _mm256_setr_epi8(
            0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
            29, 30, 31,
        );
        let mut stats = bytemuck::cast(self.literals);
        let shorts = _mm256_set1_epi32(self.shorts.word() as i32);
        let counts = _mm256_set1_epi32(self.counts as i32);
        for place in 0..3 {
            let place = _mm256_set1_epi8(place);
            let is_short = _mm256_cmpeq_epi8(codes, _mm256_shuffle_epi8(shorts, place));
            stats = _mm256_add_epi8(stats, _mm256_and_si256(is_short, _mm256_shuffle_epi8(counts, place)));
        }
        // What a count lacks above its code: the least is that of the code that came most, the lowest among equals.
        let lacking = _mm256_xor_si256(stats, _mm256_set1_epi8(-1));
        let mut low = _mm256_unpacklo_epi8(codes, lacking);
        let mut high = _mm256_unpackhi_epi8(codes, lacking);
        let mut sizes = bytemuck::cast(SIZES[usize::from(self.phase.min(2))]);
        let mut word = 0;
        for (place, saved) in [
            _mm_setr_epi16(0, 5, 6, 7, 0, 0, 0, 0),
            _mm_setr_epi16(0, 0, 5, 6, 0, 0, 0, 0),
            _mm_setr_epi16(0, 0, 0, 5, 0, 0, 0, 0),
        ]
        .into_iter()
        .enumerate()
        {
            let both = _mm256_min_epu16(low, high);
            let both = _mm_min_epu16(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
            let least = _mm_broadcastw_epi16(_mm_minpos_epu16(both));
            let all = _mm256_broadcastsi128_si256(least);
            low = _mm256_or_si256(low, _mm256_cmpeq_epi16(low, all));
            high = _mm256_or_si256(high, _mm256_cmpeq_epi16(high, all));
            sizes = _mm_add_epi16(sizes, _mm_mullo_epi16(_mm_srli_epi16::<8>(least), saved));
            word |= (_mm_cvtsi128_si32(least) as u32 & 0xFF) << (8 * place);
        }
        // The first of the least.
        Shorts::of(word, _mm_cvtsi128_si32(_mm_minpos_epu16(sizes)) as u32 >> 16)
    }
}

/// By [`Counted::phase`]: the bits of all codes with none, one, two and three short codes that came 255 times each, to
/// which is added what each lacks. Nothing is smaller than what stands in the other places.
#[cfg(target_arch = "x86_64")]
const SIZES: [[u16; 8]; 3] = {
    let mut sizes = [[u16::MAX; 8]; 3];
    let mut phase = 0;
    while phase < 3 {
        let mut count = 0;
        let mut saved = 0_u16;
        while count < 4 {
            // The last place saves 5 bits, each before it one more.
            saved = if count == 0 { 0 } else { saved + 4 + count };
            sizes[phase][count as usize] = (CODES[phase] as u16 * (5 + count)).wrapping_sub(0xFF * saved);
            count += 1;
        }
        phase += 1;
    }
    sizes
};

/// As many of the three codes that came most as make `total` codes smallest.
#[inline]
fn smallest([(c1, n1), (c2, n2), (c3, n3)]: [(u32, i32); 3], total: i32) -> Shorts {
    // A code that did not come saves nothing, so where fewer than three came none of the others is chosen.
    let sizes = [5 * total, 6 * total - 5 * n1, 7 * total - 6 * n1 - 5 * n2, 8 * total - 7 * n1 - 6 * n2 - 5 * n3];
    let mut count = 0;
    for other in 1..4 {
        if sizes[other] < sizes[count] {
            count = other;
        }
    }
    Shorts::of(c1 | c2 << 8 | c3 << 16, count as u32)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn vectors_choose_the_same(
            codes in proptest::collection::vec(prop_oneof![6 => 24..28_u8, 3 => 20..32_u8, 1 => 0..32_u8], 101),
            phase in 0..3_u8,
            shorts in (0..32_u32, 0..31_u32, 0..30_u32, 0..4_u32),
        ) {
            if !is_x86_feature_detected!("avx2") {
                return Ok(());
            }
            let first = shorts.0;
            let second = (first + 1 + shorts.1) % 32;
            let third = (0..32).filter(|&code| code != first && code != second).nth(shorts.2 as usize).unwrap();
            let shorts = Shorts::of(first | second << 8 | third << 16, shorts.3);
            let mut counted = Counted { literals: [0; 32], shorts, counts: 0, phase };
            for code in codes.into_iter().take(CODES[usize::from(phase)].into()) {
                match shorts.place(code) {
                    Some(place) => counted.counts += 1 << (8 * place),
                    None => counted.literals[code as usize] += 1,
                }
            }
            // SAFETY: the processor has what it is compiled for.
            #[allow(unsafe_code, reason = "a function compiled for a processor is called")]
            let best = unsafe { counted.best_avx2() };
            prop_assert_eq!(counted.best(), best);
        }
    }
}
