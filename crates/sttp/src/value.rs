//! The wire's float32 as the columns' double and back, bit by bit: a processor's conversion quiets signalling NaNs.

const SIGN: u64 = 1 << 63;
const EXPONENT: u64 = 0x7FF << 52;
const QUIET: u32 = 1 << 22;
const INFINITY: u32 = 0x7F80_0000;
/// Fraction bits that a double has and a float32 has not.
const SHIFT: u32 = 29;

/// The double of a float32's bits; a NaN keeps sign, payload and whether it signals.
#[inline]
pub(crate) fn widen(bits: u32) -> f64 {
    let value = f32::from_bits(bits);
    if value.is_nan() { widen_nan(bits) } else { f64::from(value) }
}

#[cold]
pub(crate) fn widen_nan(bits: u32) -> f64 {
    let sign = u64::from(bits >> 31) << 63;
    f64::from_bits(sign | EXPONENT | u64::from(bits & 0x007F_FFFF) << SHIFT)
}

/// [`widen`] of some values that a NaN is among.
#[cold]
pub(crate) fn widen_all(bits: &[u32], values: &mut [f64]) {
    for (value, &bits) in values.iter_mut().zip(bits) {
        *value = widen(bits);
    }
}

/// The float32 bits nearest to a double; a NaN keeps sign, the upper 23 bits of its payload and whether it signals.
#[inline]
pub(crate) fn narrow(value: f64) -> u32 {
    if value.is_nan() { narrow_nan(value) } else { (value as f32).to_bits() }
}

/// [`narrow`] of eight values that a NaN is among.
#[cold]
pub(crate) fn narrow_all(values: &[f64; 8]) -> [u32; 8] {
    values.map(narrow)
}

#[cold]
pub(crate) fn narrow_nan(value: f64) -> u32 {
    let bits = value.to_bits();
    let sign = ((bits & SIGN) >> 32) as u32;
    let fraction = (bits >> SHIFT) as u32 & 0x007F_FFFF;
    // A payload that only the cut-off bits held would become an infinity.
    sign | INFINITY | if fraction == 0 { QUIET } else { fraction }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_nan_never_becomes_an_infinity() {
        assert_eq!(narrow(f64::from_bits(0x7FF0_0000_0000_0001)), 0x7FC0_0000);
        assert_eq!(narrow(f64::MAX), 0x7F80_0000);
    }

    proptest! {
        #[test]
        fn every_float32_comes_back(bits in prop_oneof![any::<u32>(), 0x7F80_0000..=0x7FFF_FFFF_u32]) {
            prop_assert_eq!(narrow(widen(bits)), bits);
            prop_assert_eq!(widen(bits).is_nan(), f32::from_bits(bits).is_nan());
        }
    }
}
