use crate::data_set::{DateTime, TICKS_PER_SECOND};

/// Reads a limit of a historical subscription (`startTimeConstraint`, `stopTimeConstraint`): a time in any form of
/// [`DateTime::parse`], or one relative to `now`: `*`, `*-30s`, `*+5m`, `*-1.5h`, `* - 2 d`. Times beyond what .NET
/// holds are cut to its ends; `None` where the text is none of these.
///
/// ```
/// use measurand_sttp::{data_set::DateTime, parse_time_constraint};
///
/// let now = DateTime::parse("2024-01-02T12:00:00Z").unwrap();
/// assert_eq!(parse_time_constraint("*-1h", now), DateTime::parse("2024-01-02T11:00:00Z"));
/// assert_eq!(parse_time_constraint("2024-01-01", now), DateTime::parse("2024-01-01"));
/// ```
pub fn parse_time_constraint(text: &str, now: DateTime) -> Option<DateTime> {
    let text = text.trim();
    let Some(offset) = text.strip_prefix('*') else {
        return DateTime::parse(text);
    };
    let offset = offset.trim_start();
    if offset.is_empty() {
        return Some(now);
    }
    let (sign, rest) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let rest = rest.trim();
    let digits = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = rest.split_at(digits);
    let ticks = sign * scaled(number, unit_ticks(unit.trim_start())?)?;
    Some(DateTime(now.0.saturating_add(ticks).clamp(0, DateTime::MAX.0)))
}

/// Ticks of a unit: second, minute, hour, day.
fn unit_ticks(unit: &str) -> Option<i64> {
    let seconds = match unit {
        "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 3600,
        "d" | "D" => 86_400,
        _ => return None,
    };
    Some(seconds * TICKS_PER_SECOND)
}

/// A number such as `12` or `1.5`, of units of so many ticks; what is beyond 64 bits is cut to their end.
fn scaled(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digit = |byte: u8| i64::from(byte - b'0');
    let whole = whole.bytes().fold(0_i64, |sum, byte| sum.saturating_mul(10).saturating_add(digit(byte)));
    let mut ticks = whole.saturating_mul(unit);
    let mut place = unit;
    for byte in fraction.bytes() {
        place /= 10;
        ticks = ticks.saturating_add(place * digit(byte));
    }
    Some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime {
        DateTime::parse(text).unwrap()
    }

    #[test]
    fn every_form() {
        let now = at("2024-01-02T12:00:00.5Z");
        for (text, expected) in [
            ("*", "2024-01-02T12:00:00.5Z"),
            (" * ", "2024-01-02T12:00:00.5Z"),
            ("*-30s", "2024-01-02T11:59:30.5Z"),
            ("*+5m", "2024-01-02T12:05:00.5Z"),
            ("*-1h", "2024-01-02T11:00:00.5Z"),
            ("* - 2 D", "2023-12-31T12:00:00.5Z"),
            ("*-1.5h", "2024-01-02T10:30:00.5Z"),
            ("*-.25s", "2024-01-02T12:00:00.25Z"),
            ("*-0.0000001s", "2024-01-02T12:00:00.4999999Z"),
            ("2024-01-01T00:00:00+01:00", "2023-12-31T23:00:00Z"),
            ("12-30-2000 23:59:59.033", "2000-12-30T23:59:59.033Z"),
            ("12/30/2000", "2000-12-30"),
        ] {
            assert_eq!(parse_time_constraint(text, now), Some(at(expected)), "{text}");
        }
        for text in ["", "**", "*30s", "*-", "*-s", "*-30", "*-30 years", "*-1..5s", "*-1.5.5s", "*-.s", "yesterday"] {
            assert_eq!(parse_time_constraint(text, now), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_far_is_cut() {
        let now = at("2024-01-02");
        assert_eq!(parse_time_constraint("*-99999999999999999999d", now), Some(DateTime(0)));
        assert_eq!(parse_time_constraint("*+99999999999999999999d", now), Some(DateTime::MAX));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC*", offset in "\\* ?[+-]\\PC*") {
            let now = at("2024-01-02");
            let _ = parse_time_constraint(&text, now);
            let _ = parse_time_constraint(&offset, now);
        }

        #[test]
        fn whole_offsets_are_exact(count in 0_i64..1_000_000, unit in 0..4_usize, back: bool) {
            let now = at("2024-01-02");
            let (name, seconds) = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)][unit];
            let sign = if back { -1 } else { 1 };
            let text = format!("*{}{count}{name}", if back { '-' } else { '+' });
            let exact = now.0.saturating_add(sign * count * seconds * TICKS_PER_SECOND).clamp(0, DateTime::MAX.0);
            prop_assert_eq!(parse_time_constraint(&text, now), Some(DateTime(exact)));
        }
    }
}
