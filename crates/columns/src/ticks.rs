//! STTP ticks: 100 ns since 0001-01-01 UTC in 62 bits, a leap second in bit 63 and its direction in bit 62
//! (IEEE 2664 section on timestamps; the reference implementations' `Ticks`).

use crate::TIME_UNKNOWN;

/// The bits of the count.
pub const VALUE_MASK: u64 = 0x3FFF_FFFF_FFFF_FFFF;
/// Set while a leap second is inserted or deleted.
pub const LEAP_SECOND: u64 = 1 << 63;
/// Set where the leap second is a deleted one.
pub const LEAP_SECOND_NEGATIVE: u64 = 1 << 62;
/// Ticks of 1970-01-01 UTC.
pub const UNIX_EPOCH: u64 = 621_355_968_000_000_000;
/// Nanoseconds of one tick.
pub const NANOSECONDS: i64 = 100;

/// The first count whose time fits into i64 nanoseconds (and is not [`TIME_UNKNOWN`]).
const FIRST: u64 = UNIX_EPOCH - (i64::MAX / NANOSECONDS) as u64;
/// How many counts fit.
const SPAN: u64 = 2 * (i64::MAX / NANOSECONDS) as u64;

/// ns since 1970-01-01 UTC, and whether [`from_ns`] gives the same word back.
///
/// Leap bits are left out of the time; a count out of range (0 is one) has the time [`TIME_UNKNOWN`].
#[inline]
pub fn to_ns(ticks: u64) -> (i64, bool) {
    let count = ticks & VALUE_MASK;
    if count.wrapping_sub(FIRST) > SPAN {
        return (TIME_UNKNOWN, false);
    }
    ((count as i64 - UNIX_EPOCH as i64) * NANOSECONDS, count == ticks)
}

/// The ticks of a time, rounded down to 100 ns; 0 where it is [`TIME_UNKNOWN`].
#[inline]
pub fn from_ns(time: i64) -> u64 {
    if time == TIME_UNKNOWN {
        return 0;
    }
    (time.div_euclid(NANOSECONDS) + UNIX_EPOCH as i64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        assert_eq!(to_ns(UNIX_EPOCH), (0, true));
        assert_eq!(to_ns(638_396_640_000_000_000), (1_704_067_200_000_000_000, true));
        assert_eq!(to_ns(UNIX_EPOCH | LEAP_SECOND), (0, false));
        assert_eq!(to_ns(0), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(VALUE_MASK), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(FIRST), (-(i64::MAX / 100) * 100, true));
        assert_eq!(to_ns(FIRST - 1), (TIME_UNKNOWN, false));
        assert_eq!(to_ns(FIRST + SPAN), (i64::MAX / 100 * 100, true));
        assert_eq!(to_ns(FIRST + SPAN + 1), (TIME_UNKNOWN, false));
    }

    proptest! {
        #[test]
        fn exact_words_come_back(ticks in any::<u64>()) {
            let (time, exact) = to_ns(ticks);
            prop_assert_eq!(exact, from_ns(time) == ticks && time != TIME_UNKNOWN);
        }

        #[test]
        fn times_come_back_at_100_ns(time in -i64::MAX..=i64::MAX) {
            let back = to_ns(from_ns(time)).0;
            prop_assert!(back == TIME_UNKNOWN || (0..100).contains(&time.wrapping_sub(back)));
        }
    }
}
