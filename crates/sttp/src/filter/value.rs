use core::cmp::Ordering;
use core::fmt;
use std::borrow::Cow;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use uuid::Uuid;

use super::Fault;
use crate::data_set::{Cell, ColumnType, DateTime};

/// Type of a value in an expression, in the order of promotion.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[allow(missing_docs)]
pub enum ValueType {
    Boolean,
    Int32,
    Int64,
    Decimal,
    Double,
    String,
    Guid,
    DateTime,
}

impl ValueType {
    /// The type in which a column's values take part in expressions.
    pub(crate) const fn of_column(kind: ColumnType) -> Self {
        match kind {
            ColumnType::String => Self::String,
            ColumnType::Guid => Self::Guid,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::DateTime => Self::DateTime,
            ColumnType::Single | ColumnType::Double => Self::Double,
            ColumnType::Decimal => Self::Decimal,
            ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::UInt8 | ColumnType::UInt16 => {
                Self::Int32
            }
            ColumnType::Int64 | ColumnType::UInt32 | ColumnType::UInt64 => Self::Int64,
        }
    }

    /// Whether values of it are numbers (a truth value counts as 0 or 1).
    pub(super) fn is_numeric(self) -> bool {
        self <= Self::Double
    }

    /// Whether values of it are integers (a truth value counts as 0 or 1).
    pub(super) fn is_integer(self) -> bool {
        self <= Self::Int64
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A value of an expression; null has a type too.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Null(ValueType),
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Decimal(Decimal),
    Double(f64),
    String(Cow<'a, str>),
    Guid(Uuid),
    DateTime(DateTime),
}

impl<'a> Value<'a> {
    /// The value of a cell; `kind` is the type where it is null.
    pub(super) fn of_cell(cell: Cell<'a>, kind: ValueType) -> Self {
        match cell {
            Cell::Null => Self::Null(kind),
            Cell::String(value) => Self::String(Cow::Borrowed(value)),
            Cell::Guid(value) => Self::Guid(value),
            Cell::Boolean(value) => Self::Boolean(value),
            Cell::DateTime(value) => Self::DateTime(value),
            Cell::Single(value) => Self::Double(value.into()),
            Cell::Double(value) => Self::Double(value),
            Cell::Decimal(value) => Self::Decimal(value),
            Cell::Integer(value) if kind == ValueType::Int32 => Self::Int32(value as i32),
            Cell::Integer(value) => Self::Int64(value),
            Cell::Unsigned(value) if kind == ValueType::Int32 => Self::Int32(value as i32),
            Cell::Unsigned(value) => i64::try_from(value).map_or_else(|_| Self::Decimal(value.into()), Self::Int64),
        }
    }

    /// Its type.
    pub fn kind(&self) -> ValueType {
        match self {
            Self::Null(kind) => *kind,
            Self::Boolean(_) => ValueType::Boolean,
            Self::Int32(_) => ValueType::Int32,
            Self::Int64(_) => ValueType::Int64,
            Self::Decimal(_) => ValueType::Decimal,
            Self::Double(_) => ValueType::Double,
            Self::String(_) => ValueType::String,
            Self::Guid(_) => ValueType::Guid,
            Self::DateTime(_) => ValueType::DateTime,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null(_))
    }

    /// The value with text of its own.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null(kind) => Value::Null(kind),
            Self::Boolean(value) => Value::Boolean(value),
            Self::Int32(value) => Value::Int32(value),
            Self::Int64(value) => Value::Int64(value),
            Self::Decimal(value) => Value::Decimal(value),
            Self::Double(value) => Value::Double(value),
            Self::String(value) => Value::String(Cow::Owned(value.into_owned())),
            Self::Guid(value) => Value::Guid(value),
            Self::DateTime(value) => Value::DateTime(value),
        }
    }

    /// Converts it; null stays null. Fractions are cut, text is parsed.
    pub(crate) fn convert(self, to: ValueType) -> Result<Self, Fault> {
        let from = self.kind();
        if self.is_null() {
            return Ok(Self::Null(to));
        }
        if from == to {
            return Ok(self);
        }
        let failed = |value: &Self| Fault::Conversion { text: value.to_string(), wanted: name_of(to) };
        let converted = match to {
            ValueType::Boolean => match &self {
                Self::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                    "true" | "1" => Some(Self::Boolean(true)),
                    "false" | "0" => Some(Self::Boolean(false)),
                    _ => None,
                },
                _ => self.double().map(|value| Self::Boolean(value != 0.0)),
            },
            ValueType::Int32 => self.integer().and_then(|value| i32::try_from(value).ok()).map(Self::Int32),
            ValueType::Int64 => self.integer().and_then(|value| i64::try_from(value).ok()).map(Self::Int64),
            ValueType::Decimal => self.decimal().map(Self::Decimal),
            ValueType::Double => self.double().map(Self::Double),
            ValueType::String => Some(Self::String(Cow::Owned(self.to_string()))),
            ValueType::Guid => match &self {
                Self::String(text) => parse_guid(text).map(Self::Guid),
                _ => None,
            },
            ValueType::DateTime => match &self {
                Self::String(text) => DateTime::parse(text).map(Self::DateTime),
                _ => None,
            },
        };
        converted.ok_or_else(|| failed(&self))
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Self::Boolean(value) => Some((*value).into()),
            Self::Int32(value) => Some((*value).into()),
            Self::Int64(value) => Some((*value).into()),
            Self::Decimal(value) => value.trunc().to_i128(),
            Self::Double(value) if value.abs() < 1e19 => Some(value.trunc() as i128),
            Self::String(text) => parse_decimal(text).and_then(|value| value.trunc().to_i128()),
            _ => None,
        }
    }

    /// Its decimal, where it has one.
    pub(super) fn decimal(&self) -> Option<Decimal> {
        match self {
            Self::Boolean(value) => Some(Decimal::from(i32::from(*value))),
            Self::Int32(value) => Some((*value).into()),
            Self::Int64(value) => Some((*value).into()),
            Self::Decimal(value) => Some(*value),
            Self::Double(value) => Decimal::from_f64(*value),
            Self::String(text) => parse_decimal(text),
            _ => None,
        }
    }

    /// Its double, where it has one.
    pub(super) fn double(&self) -> Option<f64> {
        match self {
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            Self::Int32(value) => Some((*value).into()),
            Self::Int64(value) => Some(*value as f64),
            Self::Decimal(value) => value.to_f64(),
            Self::Double(value) => Some(*value),
            Self::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }
}

/// The value as text: numbers without trailing zeros, truth values in lower case, times as in XML.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(_) => Ok(()),
            Self::Boolean(value) => value.fmt(f),
            Self::Int32(value) => value.fmt(f),
            Self::Int64(value) => value.fmt(f),
            Self::Decimal(value) => value.normalize().fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::String(value) => f.write_str(value),
            Self::Guid(value) => value.hyphenated().fmt(f),
            Self::DateTime(value) => value.fmt(f),
        }
    }
}

/// Orders two values of one type; `None` where a NaN has no order.
pub(super) fn compare(left: &Value<'_>, right: &Value<'_>, exact: bool) -> Option<Ordering> {
    match (left, right) {
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Int32(left), Value::Int32(right)) => Some(left.cmp(right)),
        (Value::Int64(left), Value::Int64(right)) => Some(left.cmp(right)),
        (Value::Decimal(left), Value::Decimal(right)) => Some(left.cmp(right)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        (Value::String(left), Value::String(right)) => Some(compare_text(left, right, exact)),
        (Value::Guid(left), Value::Guid(right)) => Some(left.cmp(right)),
        (Value::DateTime(left), Value::DateTime(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Orders texts, by their lower case unless `exact`.
pub(super) fn compare_text(left: &str, right: &str, exact: bool) -> Ordering {
    if exact {
        return left.cmp(right);
    }
    let lower = |text: &'_ str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    if left.is_ascii() && right.is_ascii() {
        let left = left.bytes().map(|byte| byte.to_ascii_lowercase());
        return left.cmp(right.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    lower(left).cmp(&lower(right))
}

/// Reads a GUID, bare or in braces.
pub(super) fn parse_guid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.trim()).ok()
}

fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

const fn name_of(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Boolean => "Boolean",
        ValueType::Int32 => "Int32",
        ValueType::Int64 => "Int64",
        ValueType::Decimal => "Decimal",
        ValueType::Double => "Double",
        ValueType::String => "String",
        ValueType::Guid => "Guid",
        ValueType::DateTime => "DateTime",
    }
}
