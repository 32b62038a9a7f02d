use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use regex::{Regex, RegexBuilder};
use rust_decimal::{MathematicalOps, RoundingStrategy};

use super::Fault;
use super::evaluate::binary;
use super::expression::BinaryOperator;
use super::value::{Value, ValueType, compare_text, parse_guid};
use crate::data_set::{Civil, DateTime, TICKS_PER_DAY, TICKS_PER_SECOND, days_in_month};

/// Bytes that a compiled regular expression may take.
const REGEX_LIMIT: usize = 1 << 20;
/// Bytes of a text that an expression may make.
const TEXT_LIMIT: usize = 1 << 20;

macro_rules! functions {
    ($($name:ident $least:literal $most:literal $takes:literal),* $(,)?) => {
        /// The functions of the language, by their names.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Function { $($name),* }

        impl Function {
            /// The function of this name, whatever its case.
            pub(super) fn from_name(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case(stringify!($name)) { return Some(Self::$name); })*
                None
            }

            /// Refuses a number of arguments that the function does not take.
            pub(super) fn check(self, given: usize) -> Result<(), Fault> {
                let (takes, least, most) = match self { $(Self::$name => ($takes, $least, $most)),* };
                if (least..=most).contains(&given) { return Ok(()); }
                Err(Fault::Arguments { function: self.name(), takes, given })
            }

            fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }
        }
    };
}

functions! {
    Abs 1 1 "1", Ceiling 1 1 "1", Coalesce 1 1000 "1 or more", Convert 2 2 "2", Contains 2 3 "2 or 3", DateAdd 3 3 "3",
    DateDiff 3 3 "3", DatePart 2 2 "2", EndsWith 2 3 "2 or 3", Floor 1 1 "1", IIf 3 3 "3", IndexOf 2 3 "2 or 3",
    IsDate 1 1 "1", IsInteger 1 1 "1", IsGuid 1 1 "1", IsNull 2 2 "2", IsNumeric 1 1 "1", LastIndexOf 2 3 "2 or 3",
    Len 1 1 "1", Lower 1 1 "1", MaxOf 1 1000 "1 or more", MinOf 1 1000 "1 or more", Now 0 0 "no",
    NthIndexOf 3 4 "3 or 4", Power 2 2 "2", RegExMatch 2 2 "2", RegExVal 2 2 "2", Replace 3 4 "3 or 4", Reverse 1 1 "1",
    Round 1 1 "1", Split 3 4 "3 or 4", Sqrt 1 1 "1", StartsWith 2 3 "2 or 3", StrCount 2 3 "2 or 3",
    StrCmp 2 3 "2 or 3", SubStr 2 3 "2 or 3", Trim 1 1 "1", TrimLeft 1 1 "1", TrimRight 1 1 "1", Upper 1 1 "1",
    UtcNow 0 0 "no",
}

/// Compiles a regular expression within bounds.
pub(super) fn regular_expression(pattern: &str) -> Result<Regex, Fault> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_LIMIT).build();
    built.map_err(|_| Fault::RegularExpression(pattern.to_owned()))
}

/// Refuses a text of so many bytes before it is made, if they are too many: `Replace` within `Replace` could ask for any.
pub(super) fn bounded(length: usize) -> Result<(), Fault> {
    if length > TEXT_LIMIT { Err(Fault::TextLength { limit: TEXT_LIMIT }) } else { Ok(()) }
}

/// The text in lower case, borrowed where it is so already.
pub(super) fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// Calls a function with values; [`Function::check`] has counted them.
pub(super) fn call<'a>(function: Function, values: Vec<Value<'a>>, regex: Option<&Regex>) -> Result<Value<'a>, Fault> {
    let arguments = Arguments { function, values };
    match function {
        Function::Coalesce | Function::IsNull => {
            let first = arguments.values.iter().position(|value| !value.is_null()).unwrap_or(0);
            Ok(arguments.values.into_iter().nth(first).unwrap_or(Value::Null(ValueType::Boolean)))
        }
        Function::Now | Function::UtcNow => Ok(Value::DateTime(now())),
        Function::MaxOf | Function::MinOf => extreme(arguments),
        Function::IsDate | Function::IsGuid | Function::IsInteger | Function::IsNumeric => {
            Ok(Value::Boolean(is(&arguments)))
        }
        // Every other function of a null is a null.
        _ if arguments.values.iter().any(Value::is_null) => Ok(Value::Null(result_kind(&arguments))),
        Function::Abs | Function::Ceiling | Function::Floor | Function::Round => rounded(arguments),
        Function::Convert => convert(arguments),
        Function::Power => power(&arguments),
        Function::Sqrt => Ok(Value::Double(arguments.double(0)?.sqrt())),
        Function::DateAdd => date_add(&arguments),
        Function::DateDiff => date_diff(&arguments),
        Function::DatePart => date_part(&arguments),
        Function::RegExMatch | Function::RegExVal => {
            let (pattern, text) = (arguments.text(0)?, arguments.text(1)?);
            let own = if regex.is_some() { None } else { Some(regular_expression(pattern)?) };
            let Some(regex) = regex.or(own.as_ref()) else {
                return Ok(Value::Null(ValueType::Boolean));
            };
            Ok(if function == Function::RegExMatch {
                Value::Boolean(regex.is_match(text))
            } else {
                string(regex.find(text).map_or("", |found| found.as_str()))
            })
        }
        _ => text_function(&arguments),
    }
}

struct Arguments<'a> {
    function: Function,
    values: Vec<Value<'a>>,
}

impl Arguments<'_> {
    fn fault(&self, index: usize) -> Fault {
        let left = self.values.get(index).map_or(ValueType::Boolean, Value::kind);
        Fault::Type { operation: self.function.name(), left, right: None }
    }

    fn text(&self, index: usize) -> Result<&str, Fault> {
        match self.values.get(index) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(self.fault(index)),
        }
    }

    fn integer(&self, index: usize) -> Result<i64, Fault> {
        let numeric = self.values.get(index).filter(|value| value.kind().is_numeric());
        match numeric.cloned().ok_or_else(|| self.fault(index))?.convert(ValueType::Int64)? {
            Value::Int64(value) => Ok(value),
            _ => Err(self.fault(index)),
        }
    }

    fn double(&self, index: usize) -> Result<f64, Fault> {
        let numeric = self.values.get(index).filter(|value| value.kind().is_numeric());
        numeric.and_then(Value::double).ok_or_else(|| self.fault(index))
    }

    fn date(&self, index: usize) -> Result<DateTime, Fault> {
        match self.values.get(index).cloned().map(|value| value.convert(ValueType::DateTime)) {
            Some(Ok(Value::DateTime(date))) => Ok(date),
            Some(Err(fault)) => Err(fault),
            _ => Err(self.fault(index)),
        }
    }

    /// The optional last argument `ignoreCase`.
    fn ignores_case(&self, index: usize) -> Result<bool, Fault> {
        match self.values.get(index) {
            None => Ok(false),
            Some(value) => value.double().map(|value| value != 0.0).ok_or_else(|| self.fault(index)),
        }
    }

    /// The texts at two places, both in lower case where `ignoreCase` stands at the third.
    fn folded(&self, first: usize, second: usize, case: usize) -> Result<(Cow<'_, str>, Cow<'_, str>), Fault> {
        let (first, second) = (self.text(first)?, self.text(second)?);
        Ok(if self.ignores_case(case)? {
            (lower(first), lower(second))
        } else {
            (Cow::Borrowed(first), Cow::Borrowed(second))
        })
    }
}

fn string(text: &str) -> Value<'static> {
    Value::String(Cow::Owned(text.to_owned()))
}

fn int32(value: usize) -> Value<'static> {
    Value::Int32(i32::try_from(value).unwrap_or(i32::MAX))
}

/// A place in characters; -1 where there is none.
fn place(text: &str, byte: Option<usize>) -> Value<'static> {
    byte.map_or(Value::Int32(-1), |byte| int32(text[..byte].chars().count()))
}

fn text_function(arguments: &Arguments<'_>) -> Result<Value<'static>, Fault> {
    Ok(match arguments.function {
        Function::Contains => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            Value::Boolean(text.contains(&*part))
        }
        Function::StartsWith => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            Value::Boolean(text.starts_with(&*part))
        }
        Function::EndsWith => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            Value::Boolean(text.ends_with(&*part))
        }
        Function::IndexOf => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            place(&text, text.find(&*part))
        }
        Function::LastIndexOf => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            place(&text, text.rfind(&*part))
        }
        Function::NthIndexOf => {
            let (text, part) = arguments.folded(0, 1, 3)?;
            let nth = usize::try_from(arguments.integer(2)?).ok();
            place(&text, nth.and_then(|nth| text.match_indices(&*part).nth(nth)).map(|(byte, _)| byte))
        }
        Function::StrCount => {
            let (text, part) = arguments.folded(0, 1, 2)?;
            int32(if part.is_empty() { 0 } else { text.matches(&*part).count() })
        }
        Function::StrCmp => {
            let order = compare_text(arguments.text(0)?, arguments.text(1)?, !arguments.ignores_case(2)?);
            Value::Int32(order as i32)
        }
        Function::Split => {
            let (text, part) = arguments.folded(0, 1, 3)?;
            let nth = usize::try_from(arguments.integer(2)?).ok();
            // Found in the folded text, cut from the one that was given (their lengths agree unless folding changed them).
            let original = if text.len() == arguments.text(0)?.len() { arguments.text(0)? } else { &text };
            let piece = nth.and_then(|nth| text.split(&*part).nth(nth));
            let start = piece.map_or(0, |piece| piece.as_ptr() as usize - text.as_ptr() as usize);
            string(original.get(start..start + piece.map_or(0, str::len)).unwrap_or_default())
        }
        Function::Replace => {
            let (text, old, new) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
            let length = |places: usize| text.len().saturating_add(places.saturating_mul(new.len()));
            if arguments.ignores_case(3)? {
                let pattern = regular_expression(&format!("(?i){}", regex::escape(old)))?;
                bounded(length(pattern.find_iter(text).count()))?;
                string(&pattern.replace_all(text, regex::NoExpand(new)))
            } else {
                bounded(length(text.matches(old).count()))?;
                string(&text.replace(old, new))
            }
        }
        Function::SubStr => {
            let text = arguments.text(0)?;
            let start = usize::try_from(arguments.integer(1)?);
            let length = if arguments.values.len() > 2 { arguments.integer(2)? } else { i64::MAX };
            let length = usize::try_from(length).unwrap_or(0);
            start
                .map_or_else(|_| string(""), |start| string(&text.chars().skip(start).take(length).collect::<String>()))
        }
        Function::Len => int32(arguments.text(0)?.chars().count()),
        Function::Lower => string(&arguments.text(0)?.to_lowercase()),
        Function::Upper => string(&arguments.text(0)?.to_uppercase()),
        Function::Reverse => string(&arguments.text(0)?.chars().rev().collect::<String>()),
        Function::Trim => string(arguments.text(0)?.trim()),
        Function::TrimLeft => string(arguments.text(0)?.trim_start()),
        _ => string(arguments.text(0)?.trim_end()),
    })
}

/// The type of a null that a function gives for a null.
fn result_kind(arguments: &Arguments<'_>) -> ValueType {
    match arguments.function {
        Function::Contains | Function::StartsWith | Function::EndsWith | Function::RegExMatch => ValueType::Boolean,
        Function::IndexOf
        | Function::LastIndexOf
        | Function::NthIndexOf
        | Function::StrCount
        | Function::StrCmp
        | Function::Len
        | Function::DateDiff
        | Function::DatePart => ValueType::Int32,
        Function::Sqrt => ValueType::Double,
        Function::DateAdd => ValueType::DateTime,
        Function::Abs | Function::Ceiling | Function::Floor | Function::Round | Function::Power => {
            arguments.values.first().map_or(ValueType::Boolean, Value::kind)
        }
        _ => ValueType::String,
    }
}

fn is(arguments: &Arguments<'_>) -> bool {
    let Some(value) = arguments.values.first() else {
        return false;
    };
    match (arguments.function, value) {
        (_, Value::Null(_)) => false,
        (Function::IsDate, Value::DateTime(_)) | (Function::IsGuid, Value::Guid(_)) => true,
        (Function::IsDate, Value::String(text)) => DateTime::parse(text).is_some(),
        (Function::IsGuid, Value::String(text)) => parse_guid(text).is_some(),
        (Function::IsInteger, Value::String(text)) => text.trim().parse::<i64>().is_ok(),
        (Function::IsInteger, value) => value.kind().is_integer(),
        (Function::IsNumeric, Value::String(text)) => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        (Function::IsNumeric, value) => value.kind().is_numeric(),
        _ => false,
    }
}

fn extreme(arguments: Arguments<'_>) -> Result<Value<'_>, Fault> {
    let operator = if arguments.function == Function::MaxOf { BinaryOperator::Greater } else { BinaryOperator::Less };
    let mut values = arguments.values.into_iter();
    let mut best = values.next().unwrap_or(Value::Null(ValueType::Boolean));
    for value in values {
        if best.is_null() || binary(operator, value.clone(), best.clone())? == Value::Boolean(true) {
            best = value;
        }
    }
    Ok(best)
}

fn rounded(arguments: Arguments<'_>) -> Result<Value<'_>, Fault> {
    let fault = arguments.fault(0);
    let function = arguments.function;
    match arguments.values.into_iter().next() {
        Some(Value::Decimal(value)) => Ok(Value::Decimal(match function {
            Function::Abs => value.abs(),
            Function::Ceiling => value.ceil(),
            Function::Floor => value.floor(),
            _ => value.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven),
        })),
        Some(Value::Double(value)) => Ok(Value::Double(match function {
            Function::Abs => value.abs(),
            Function::Ceiling => value.ceil(),
            Function::Floor => value.floor(),
            _ => value.round_ties_even(),
        })),
        Some(Value::Int32(value)) if function == Function::Abs => Ok(Value::Int32(value.wrapping_abs())),
        Some(Value::Int64(value)) if function == Function::Abs => Ok(Value::Int64(value.wrapping_abs())),
        Some(value) if value.kind().is_integer() => Ok(value),
        _ => Err(fault),
    }
}

fn convert(arguments: Arguments<'_>) -> Result<Value<'_>, Fault> {
    let name = arguments.text(1)?;
    let lower = name.trim().to_ascii_lowercase();
    let to = match lower.strip_prefix("system.").unwrap_or(&lower) {
        "boolean" => ValueType::Boolean,
        "int32" | "int16" | "sbyte" | "byte" | "uint16" => ValueType::Int32,
        "int64" | "uint32" | "uint64" => ValueType::Int64,
        "decimal" => ValueType::Decimal,
        "double" | "single" => ValueType::Double,
        "string" => ValueType::String,
        "guid" => ValueType::Guid,
        "datetime" => ValueType::DateTime,
        _ => return Err(Fault::UnknownName { kind: "type", name: name.to_owned() }),
    };
    let single = lower.ends_with("single");
    let value = arguments.values.into_iter().next().unwrap_or(Value::Null(to)).convert(to)?;
    Ok(match value {
        Value::Double(value) if single => Value::Double(f64::from(value as f32)),
        value => value,
    })
}

fn power(arguments: &Arguments<'_>) -> Result<Value<'static>, Fault> {
    let (base, exponent) = (arguments.double(0)?, arguments.double(1)?);
    let kind = arguments.values.iter().map(Value::kind).max().unwrap_or(ValueType::Double);
    Ok(match (kind, &arguments.values[..]) {
        (ValueType::Double, _) => Value::Double(base.powf(exponent)),
        (ValueType::Decimal, [base, exponent]) => {
            let decimals = base.decimal().zip(exponent.decimal()).ok_or(Fault::Arithmetic)?;
            Value::Decimal(decimals.0.checked_powd(decimals.1).ok_or(Fault::Arithmetic)?)
        }
        (ValueType::Int64, _) => Value::Int64(base.powf(exponent) as i64),
        _ => Value::Int32(base.powf(exponent) as i32),
    })
}

fn now() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    DateTime::from_unix_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[derive(Clone, Copy, PartialEq)]
enum Interval {
    Year,
    Month,
    DayOfYear,
    Day,
    Week,
    WeekDay,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Interval {
    fn from_name(name: &str) -> Result<Self, Fault> {
        Ok(match name.trim().to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "month" => Self::Month,
            "dayofyear" => Self::DayOfYear,
            "day" => Self::Day,
            "week" => Self::Week,
            "weekday" => Self::WeekDay,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            _ => return Err(Fault::UnknownName { kind: "interval", name: name.to_owned() }),
        })
    }

    /// Ticks of one; years and months have no fixed number.
    const fn ticks(self) -> i64 {
        match self {
            Self::Week => 7 * TICKS_PER_DAY,
            Self::Hour => 3600 * TICKS_PER_SECOND,
            Self::Minute => 60 * TICKS_PER_SECOND,
            Self::Second => TICKS_PER_SECOND,
            Self::Millisecond => TICKS_PER_SECOND / 1000,
            _ => TICKS_PER_DAY,
        }
    }
}

fn date_add(arguments: &Arguments<'_>) -> Result<Value<'static>, Fault> {
    let (date, count) = (arguments.date(0)?, arguments.integer(1)?);
    let interval = Interval::from_name(arguments.text(2)?)?;
    let added = if matches!(interval, Interval::Year | Interval::Month) {
        let civil = date.civil();
        let months = count.checked_mul(if interval == Interval::Year { 12 } else { 1 });
        let month = months.and_then(|months| months.checked_add(civil.year * 12 + civil.month - 1));
        month.and_then(|month| {
            let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
            DateTime::from_civil(Civil { year, month, day: civil.day.min(days_in_month(year, month)), ..civil })
        })
    } else {
        let ticks = count.checked_mul(interval.ticks()).and_then(|ticks| ticks.checked_add(date.0));
        ticks.filter(|ticks| (0..3_155_378_976_000_000_000).contains(ticks)).map(DateTime)
    };
    added.map(Value::DateTime).ok_or(Fault::Arithmetic)
}

fn date_diff(arguments: &Arguments<'_>) -> Result<Value<'static>, Fault> {
    let (left, right) = (arguments.date(0)?, arguments.date(1)?);
    let interval = Interval::from_name(arguments.text(2)?)?;
    let (from, to) = (left.civil(), right.civil());
    let difference = match interval {
        Interval::Year => to.year - from.year,
        Interval::Month => (to.year - from.year) * 12 + to.month - from.month,
        _ => (right.0 - left.0) / interval.ticks(),
    };
    i32::try_from(difference).map(Value::Int32).map_err(|_| Fault::Arithmetic)
}

fn date_part(arguments: &Arguments<'_>) -> Result<Value<'static>, Fault> {
    let date = arguments.date(0)?;
    let Civil { year, month, day, ticks } = date.civil();
    let seconds = ticks / TICKS_PER_SECOND;
    let part = match Interval::from_name(arguments.text(1)?)? {
        Interval::Year => year,
        Interval::Month => month,
        Interval::DayOfYear => date.day_of_year(),
        Interval::Day => day,
        Interval::Week => iso_week(date),
        // 0001-01-01 was a Monday; Sunday counts 1.
        Interval::WeekDay => (date.day_number() + 1).rem_euclid(7) + 1,
        Interval::Hour => seconds / 3600,
        Interval::Minute => seconds / 60 % 60,
        Interval::Second => seconds % 60,
        Interval::Millisecond => ticks % TICKS_PER_SECOND / (TICKS_PER_SECOND / 1000),
    };
    Ok(Value::Int32(part as i32))
}

/// The week that holds the date's Thursday, counted in that Thursday's year.
fn iso_week(date: DateTime) -> i64 {
    let thursday = date.day_number() - date.day_number().rem_euclid(7) + 3;
    (DateTime(thursday * TICKS_PER_DAY).day_of_year() - 1) / 7 + 1
}
