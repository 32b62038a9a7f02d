use core::fmt;

/// A point in time in UTC: 100-ns ticks since 0001-01-01, as .NET counts them.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct DateTime(pub i64);

/// Ticks of a second.
pub(crate) const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks of a day.
pub(crate) const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;

/// Ticks of 1970-01-01.
const UNIX_EPOCH: i64 = measurand_columns::ticks::UNIX_EPOCH as i64;
/// Ticks of 10000-01-01, the first that .NET does not hold.
const END: i64 = 3_155_378_976_000_000_000;

/// Year, month, day and the ticks of the day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Civil {
    /// 1 to 9999.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
    /// Ticks since midnight.
    pub(crate) ticks: i64,
}

impl DateTime {
    /// The last that .NET holds, the end of the year 9999.
    pub const MAX: Self = Self(END - 1);

    /// The time of nanoseconds since 1970-01-01 UTC, rounded down to a tick.
    pub const fn from_unix_ns(time: i64) -> Self {
        Self(time.div_euclid(100) + UNIX_EPOCH)
    }

    /// The time of a date and the ticks of its day; `None` where there is no such date.
    pub(crate) fn from_civil(civil: Civil) -> Option<Self> {
        let Civil { year, month, day, ticks } = civil;
        let valid = (1..=9999).contains(&year) && (1..=12).contains(&month);
        if !valid || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self(days_before(year, month, day) * TICKS_PER_DAY + ticks)).filter(|time| (0..END).contains(&time.0))
    }

    /// Its date and the ticks of its day.
    pub(crate) fn civil(self) -> Civil {
        // Howard Hinnant's days-to-civil over 400-year eras that begin on March 1.
        let days = self.0.div_euclid(TICKS_PER_DAY) + 306;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil { year, month, day: of_year - (153 * shifted + 2) / 5 + 1, ticks: self.0.rem_euclid(TICKS_PER_DAY) }
    }

    /// Days since 0001-01-01, a Monday.
    pub(crate) const fn day_number(self) -> i64 {
        self.0.div_euclid(TICKS_PER_DAY)
    }

    /// Day of the year, from 1.
    pub(crate) fn day_of_year(self) -> i64 {
        self.day_number() - days_before(self.civil().year, 1, 1) + 1
    }

    /// Reads `2024-01-02`, `2024-01-02T03:04:05.1234567+01:00` (a space for the T, one-digit parts, `Z` or no zone, a
    /// dot without digits), `1/2/2024 03:04` and `01-02-2024 03:04`, the month first. Without a zone it is UTC; digits beyond 100 ns are cut.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan(text.trim().as_bytes());
        let (first, length) = scan.number()?;
        let (year, month, day) = if scan.take(b'/') {
            let (day, _) = scan.number()?;
            scan.expect(b'/')?;
            (scan.number()?.0, first, day)
        } else {
            scan.expect(b'-')?;
            let (second, _) = scan.number()?;
            scan.expect(b'-')?;
            let (third, digits) = scan.number()?;
            match (length, digits) {
                (3.., _) => (first, second, third),
                (_, 3..) => (third, first, second),
                _ => return None,
            }
        };
        let mut ticks = 0;
        let mut offset = 0;
        if scan.take(b'T') || scan.take(b't') || scan.take(b' ') {
            scan.skip_spaces();
            ticks = scan.time_of_day()?;
            scan.skip_spaces();
            offset = scan.zone()?;
        }
        let civil = Self::from_civil(Civil { year, month, day, ticks })?;
        scan.0.is_empty().then_some(Self(civil.0 - offset)).filter(|time| (0..END).contains(&time.0))
    }
}

/// As XML writes it, with at least one digit of a fraction: `05.Z` stops the Python implementation.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, ticks } = self.civil();
        let (seconds, fraction) = (ticks / TICKS_PER_SECOND, ticks % TICKS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let digits = format!("{fraction:07}");
        let digits = digits.trim_end_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{digits}Z")
    }
}

/// Days of a month, 28 to 31.
pub(crate) const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 0001-01-01 to a date.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let shifted_year = year - (month <= 2) as i64;
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 306
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    /// A number of one to seven digits and how many they were.
    fn number(&mut self) -> Option<(i64, usize)> {
        let digits = self.0.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || digits == 8 {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some((number.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')), digits))
    }

    fn time_of_day(&mut self) -> Option<i64> {
        let (hour, _) = self.number()?;
        self.expect(b':')?;
        let (minute, _) = self.number()?;
        let (mut second, mut fraction) = (0, 0);
        if self.take(b':') {
            (second, _) = self.number()?;
            if self.take(b'.') {
                let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (number, rest) = self.0.split_at(digits);
                self.0 = rest;
                for place in 0..7 {
                    fraction = fraction * 10 + number.get(place).map_or(0, |digit| i64::from(digit - b'0'));
                }
            }
        }
        let valid = hour < 24 && minute < 60 && second < 60;
        valid.then_some(((hour * 60 + minute) * 60 + second) * TICKS_PER_SECOND + fraction)
    }

    /// Ticks that the zone is ahead of UTC.
    fn zone(&mut self) -> Option<i64> {
        let sign = match self.0.first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(b'Z' | b'z') => {
                self.0 = &self.0[1..];
                return Some(0);
            }
            _ => return Some(0),
        };
        self.0 = &self.0[1..];
        let (hours, digits) = self.number()?;
        let (hours, minutes) = match digits {
            4 => (hours / 100, hours % 100),
            1 | 2 if self.take(b':') => (hours, self.number()?.0),
            1 | 2 => (hours, 0),
            _ => return None,
        };
        (hours < 15 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * TICKS_PER_SECOND)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    fn skip_spaces(&mut self) {
        while self.take(b' ') {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_that_peers_write() {
        let at = DateTime::parse("2024-01-02T03:04:05.125Z").unwrap();
        assert_eq!(at.0, 638_397_614_451_250_000);
        for text in [
            "2024-01-02T03:04:05.125+00:00",
            "2024-01-02 03:04:05.1250000",
            "2024-1-2T04:04:05.125+01:00",
            "2024-01-01T22:34:05.125-0430",
            "1/2/2024 3:4:5.125",
            "01-02-2024 03:04:05.125",
        ] {
            assert_eq!(DateTime::parse(text), Some(at), "{text}");
        }
        assert_eq!(DateTime::parse("2024-01-02T03:04:05.Z"), DateTime::parse("2024-01-02T03:04:05.0Z"));
        assert_eq!(DateTime::parse("2024-01-02"), DateTime::parse("2024-01-02T00:00"));
        assert_eq!(DateTime::parse("0001-01-01"), Some(DateTime(0)));
        for text in [
            "",
            "bad",
            "2024-13-01",
            "2023-02-29",
            "2024-01-02T25:00",
            "2024-01-02x",
            "24-01-02",
            "0001-01-01T00:00+01:00",
        ] {
            assert_eq!(DateTime::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_always_has_a_digit_behind_its_dot() {
        assert_eq!(DateTime::parse("2024-01-02T03:04:05Z").unwrap().to_string(), "2024-01-02T03:04:05.0Z");
        assert_eq!(
            DateTime::parse("2024-01-02T03:04:05.1234567Z").unwrap().to_string(),
            "2024-01-02T03:04:05.1234567Z"
        );
    }

    proptest! {
        #[test]
        fn written_times_come_back(ticks in 0..END) {
            let time = DateTime(ticks);
            prop_assert_eq!(DateTime::parse(&time.to_string()), Some(time));
            prop_assert_eq!(DateTime::from_civil(time.civil()), Some(time));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*") {
            let _ = DateTime::parse(&text);
        }
    }
}
