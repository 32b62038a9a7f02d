//! Seconds since 1970-01-01 UTC in a double, as sisock writes them: converted exactly in integers, because `x * 1e9` in
//! floating point brings 7 % of present-day times back as another double.

use crate::TIME_UNKNOWN;

const NANOSECONDS: i128 = 1_000_000_000;

/// The double's exact value times 10^9, rounded to the nearest ns (ties to even), and whether [`from_ns`] gives the
/// same double back. NaN, infinities and what i64 cannot hold are [`TIME_UNKNOWN`].
pub fn to_ns(seconds: f64) -> (i64, bool) {
    // Past 2^34 s the count of ns leaves i64; below 2^-31 s it rounds to 0.
    if !seconds.is_finite() || seconds.abs() >= (1_u64 << 34) as f64 {
        return (TIME_UNKNOWN, false);
    }
    let bits = seconds.to_bits();
    let exponent = ((bits >> 52) & 0x7FF) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 52) };
    // value = mantissa * 2^power
    let power = exponent.max(1) - 1075;
    let scaled = i128::from(mantissa) * NANOSECONDS;
    let magnitude = match power {
        0.. => scaled << power,
        -120..0 => round_shift(scaled, -power as u32),
        _ => 0,
    };
    let signed = if seconds.is_sign_negative() { -magnitude } else { magnitude };
    let Some(time) = i64::try_from(signed).ok().filter(|&time| time != TIME_UNKNOWN) else {
        return (TIME_UNKNOWN, false);
    };
    (time, from_ns(time).to_bits() == bits)
}

/// The double nearest to `time` / 10^9 (ties to even); NaN for [`TIME_UNKNOWN`].
pub fn from_ns(time: i64) -> f64 {
    if time == TIME_UNKNOWN {
        return f64::NAN;
    }
    if time == 0 {
        return 0.0;
    }
    let magnitude = u128::from(time.unsigned_abs());
    // A quotient of 55 bits or more, whose lowest bit also stands for any remainder: the one rounding is then the
    // conversion of the integer to a double.
    let shift = 56 + 30 - (128 - magnitude.leading_zeros()).min(56);
    let dividend = magnitude << shift;
    let quotient = dividend / NANOSECONDS as u128;
    let sticky = u128::from(!dividend.is_multiple_of(NANOSECONDS as u128));
    // `powi` does not promise an exact power.
    let scale = f64::from_bits(u64::from(1023 - shift) << 52);
    let value = (quotient | sticky) as f64 * scale;
    if time < 0 { -value } else { value }
}

fn round_shift(value: i128, bits: u32) -> i128 {
    let floor = value >> bits;
    let rest = value - (floor << bits);
    let half = 1_i128 << (bits - 1);
    floor + i128::from(rest > half || (rest == half && floor & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        assert_eq!(to_ns(0.0), (0, true));
        assert_eq!(to_ns(-0.0), (0, false));
        assert_eq!(to_ns(1.5), (1_500_000_000, true));
        assert_eq!(to_ns(-1.5), (-1_500_000_000, true));
        assert_eq!(to_ns(f64::NAN), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(f64::INFINITY), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(1e300), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(1e-10), (0, false));
        assert_eq!(to_ns(f64::from_bits(1)), (0, false));
    }

    proptest! {
        #[test]
        fn present_day_doubles_come_back(seconds in 1e9_f64..4e9) {
            prop_assert!(to_ns(seconds).1);
        }

        #[test]
        fn division_is_correctly_rounded(time in any::<i64>()) {
            prop_assume!(time != TIME_UNKNOWN);
            // Parsing a decimal is correctly rounded, so it is an oracle of its own.
            let magnitude = time.unsigned_abs();
            let text = format!("{}{}.{:09}", if time < 0 { "-" } else { "" }, magnitude / 1_000_000_000, magnitude % 1_000_000_000);
            prop_assert_eq!(from_ns(time).to_bits(), text.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn any_double_is_taken(bits in any::<u64>()) {
            let seconds = f64::from_bits(bits);
            let (time, exact) = to_ns(seconds);
            prop_assert_eq!(exact, time != TIME_UNKNOWN && from_ns(time).to_bits() == bits);
        }
    }
}
