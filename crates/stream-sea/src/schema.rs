use std::fmt;

use serde_json::Value;

use crate::{Cursor, JsonError, Kind};

/// Fields inside one another, at most.
const MAX_SCHEMA_DEPTH: usize = 64;
/// Violations that are told of one publish.
const MAX_VIOLATIONS: usize = 100;

/// Why text is not a list of fields.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// A field lacks a name.
    #[error("{path} has no name")]
    Name {
        /// Where the field stands.
        path: String,
    },
    /// Two fields have one name.
    #[error("{path} is there twice")]
    Twice {
        /// The second one.
        path: String,
    },
    /// A field has none of the types that there are.
    #[error("{path} has no known type")]
    Type {
        /// Where the field stands.
        path: String,
    },
    /// A field of type `enum` has no list of texts.
    #[error("{path} has no list of values")]
    Enum {
        /// Where the field stands.
        path: String,
    },
    /// A field of type `object` or `array<object>` has no list of fields, or the schema itself has none.
    #[error("{path} has no list of fields")]
    Fields {
        /// Where the field stands.
        path: String,
    },
    /// Fields are nested deeper than allowed.
    #[error("the fields are nested too deep")]
    Depth,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scalar {
    String,
    Float,
    Integer,
    Date,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Type {
    Scalar(Scalar),
    Enum(Vec<String>),
    Object(Fields),
    Array(Scalar),
    Objects(Fields),
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Field {
    name: String,
    kind: Type,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Fields(Vec<Field>);

/// What a message of a stream may be. No field is required; one that the schema does not name is a violation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Schema {
    fields: Fields,
}

/// One thing in which a message is not what its schema says.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// The value is not of the field's type.
    Type {
        /// Where it stands in the message.
        path: String,
        /// The type that it should have.
        expected: &'static str,
    },
    /// The schema has no such field.
    Unknown {
        /// Where it stands in the message.
        path: String,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { path, expected } => write!(f, "{path} is not a valid {expected}"),
            Self::Unknown { path } => write!(f, "{path} is not a field of the schema"),
        }
    }
}

impl Schema {
    /// Reads a schema's `fields` as they stand in a definition.
    pub fn from_fields(fields: &Value) -> Result<Self, SchemaError> {
        Ok(Self { fields: Fields::read(fields, "fields", 0)? })
    }

    /// Reads one message and tells what is wrong with it; `path` is how its place is called.
    pub fn check(&self, cursor: &mut Cursor<'_>, path: &str, violations: &mut Vec<Violation>) -> Result<(), JsonError> {
        if cursor.kind()? == Kind::Object {
            return self.fields.check(cursor, path, violations);
        }
        let path = if path.is_empty() { "payload" } else { path };
        mismatch(cursor, path, "object", violations)
    }
}

impl Fields {
    fn read(value: &Value, path: &str, depth: usize) -> Result<Self, SchemaError> {
        if depth >= MAX_SCHEMA_DEPTH {
            return Err(SchemaError::Depth);
        }
        let list = value.as_array().ok_or_else(|| SchemaError::Fields { path: path.to_owned() })?;
        let mut fields: Vec<Field> = Vec::with_capacity(list.len());
        for (index, field) in list.iter().enumerate() {
            let nameless = || SchemaError::Name { path: format!("{path}[{index}]") };
            let name = field.get("name").and_then(Value::as_str).ok_or_else(nameless)?;
            let path = format!("{path}.{name}");
            if fields.iter().any(|field| field.name == name) {
                return Err(SchemaError::Twice { path });
            }
            let nested = || Self::read(field.get("fields").unwrap_or(&Value::Null), &path, depth + 1);
            let kind = match field.get("type").and_then(Value::as_str) {
                Some("string") => Type::Scalar(Scalar::String),
                Some("float") => Type::Scalar(Scalar::Float),
                Some("integer") => Type::Scalar(Scalar::Integer),
                Some("date") => Type::Scalar(Scalar::Date),
                Some("enum") => Type::Enum(texts(field.get("enum")).ok_or(SchemaError::Enum { path })?),
                Some("object") => Type::Object(nested()?),
                Some("array<string>") => Type::Array(Scalar::String),
                Some("array<float>") => Type::Array(Scalar::Float),
                Some("array<integer>") => Type::Array(Scalar::Integer),
                Some("array<date>") => Type::Array(Scalar::Date),
                Some("array<object>") => Type::Objects(nested()?),
                _ => return Err(SchemaError::Type { path }),
            };
            fields.push(Field { name: name.to_owned(), kind });
        }
        Ok(Self(fields))
    }

    fn check(&self, cursor: &mut Cursor<'_>, path: &str, violations: &mut Vec<Violation>) -> Result<(), JsonError> {
        let mut guess = 0;
        cursor.object(|cursor, key| {
            // Messages mostly have their fields in the schema's order.
            let found = match self.0.get(guess) {
                Some(field) if field.name.as_bytes() == key => Some(guess),
                _ => self.position(key),
            };
            let Some(index) = found else {
                cursor.value()?;
                let path = inside(path, key);
                tell(violations, Violation::Unknown { path });
                return Ok(());
            };
            guess = index + 1;
            match self.0.get(index) {
                Some(field) => field.check(cursor, path, violations),
                None => cursor.value().map(drop),
            }
        })
    }

    fn position(&self, key: &[u8]) -> Option<usize> {
        if key.contains(&b'\\') {
            let key = unescape(key)?;
            return self.0.iter().position(|field| field.name == key);
        }
        self.0.iter().position(|field| field.name.as_bytes() == key)
    }
}

impl Field {
    fn check(&self, cursor: &mut Cursor<'_>, parent: &str, violations: &mut Vec<Violation>) -> Result<(), JsonError> {
        let kind = cursor.kind()?;
        if kind == Kind::Null {
            return cursor.value().map(drop);
        }
        let path = || inside(parent, self.name.as_bytes());
        match (&self.kind, kind) {
            (Type::Scalar(scalar), _) => {
                if !scalar.accepts(cursor, kind)? {
                    let expected = scalar.name();
                    tell(violations, Violation::Type { path: path(), expected });
                }
                Ok(())
            }
            (Type::Enum(values), Kind::String) => {
                let text = cursor.string()?;
                let known = if text.contains(&b'\\') {
                    unescape(text).is_some_and(|text| values.contains(&text))
                } else {
                    values.iter().any(|value| value.as_bytes() == text)
                };
                if !known {
                    tell(violations, Violation::Type { path: path(), expected: "enum" });
                }
                Ok(())
            }
            (Type::Object(fields), Kind::Object) => fields.check(cursor, &path(), violations),
            (Type::Array(scalar), Kind::Array) => {
                let mut index = 0;
                cursor.array(|cursor| {
                    let kind = cursor.kind()?;
                    if !scalar.accepts(cursor, kind)? {
                        let path = format!("{}[{index}]", path());
                        tell(violations, Violation::Type { path, expected: scalar.name() });
                    }
                    index += 1;
                    Ok(())
                })
            }
            (Type::Objects(fields), Kind::Array) => {
                let mut index = 0;
                cursor.array(|cursor| {
                    let path = format!("{}[{index}]", path());
                    index += 1;
                    if cursor.kind()? == Kind::Object {
                        return fields.check(cursor, &path, violations);
                    }
                    mismatch(cursor, &path, "object", violations)
                })
            }
            _ => mismatch(cursor, &path(), self.kind.name(), violations),
        }
    }
}

impl Type {
    fn name(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.name(),
            Self::Enum(_) => "enum",
            Self::Object(_) => "object",
            Self::Array(Scalar::String) => "array<string>",
            Self::Array(Scalar::Float) => "array<float>",
            Self::Array(Scalar::Integer) => "array<integer>",
            Self::Array(Scalar::Date) => "array<date>",
            Self::Objects(_) => "array<object>",
        }
    }
}

impl Scalar {
    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Date => "date",
        }
    }

    fn accepts(self, cursor: &mut Cursor<'_>, kind: Kind) -> Result<bool, JsonError> {
        Ok(match (self, kind) {
            (Self::String, Kind::String) => {
                cursor.string()?;
                true
            }
            (Self::Date, Kind::String) => is_date(cursor.string()?),
            (Self::Float, Kind::Number) => is_finite(cursor.number()?),
            (Self::Integer, Kind::Number) => is_integer(cursor.number()?),
            _ => {
                cursor.value()?;
                false
            }
        })
    }
}

fn tell(violations: &mut Vec<Violation>, violation: Violation) {
    if violations.len() < MAX_VIOLATIONS {
        violations.push(violation);
    }
}

fn mismatch(
    cursor: &mut Cursor<'_>,
    path: &str,
    expected: &'static str,
    violations: &mut Vec<Violation>,
) -> Result<(), JsonError> {
    cursor.value()?;
    tell(violations, Violation::Type { path: path.to_owned(), expected });
    Ok(())
}

fn inside(path: &str, key: &[u8]) -> String {
    let key = String::from_utf8_lossy(key);
    if path.is_empty() { key.into_owned() } else { format!("{path}.{key}") }
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The text that JSON text between quotes stands for.
fn unescape(text: &[u8]) -> Option<String> {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}

fn parsed(number: &[u8]) -> Option<f64> {
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Whether a number of JSON is one that a double can be. Only long ones and those with exponents can miss.
fn is_finite(number: &[u8]) -> bool {
    number.len() < 300 && !number.iter().any(|byte| matches!(byte, b'e' | b'E'))
        || parsed(number).is_some_and(f64::is_finite)
}

/// Whether a number has no fraction, however it is written and however long it is.
fn is_integer(number: &[u8]) -> bool {
    if number.iter().all(|byte| matches!(byte, b'-' | b'0'..=b'9')) {
        return true;
    }
    let text = std::str::from_utf8(number).unwrap_or_default();
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.bytes().chain(fraction.bytes()).all(|byte| matches!(byte, b'-' | b'0')) {
        return true;
    }
    let Ok(exponent) = exponent.parse::<i64>() else { return false };
    let fraction = fraction.trim_end_matches('0');
    let trailing = || whole.len() - whole.trim_end_matches('0').len();
    parsed(number).is_some_and(f64::is_finite)
        && if fraction.is_empty() { exponent >= -(trailing() as i64) } else { exponent >= fraction.len() as i64 }
}

/// Whether text is `YYYY-MM-DDTHH:mm:ssZ`, fractions of a second allowed, and names a time that there is.
fn is_date(text: &[u8]) -> bool {
    let number = |from: usize, to: usize| -> Option<u32> {
        let mut value = 0;
        for byte in text.get(from..to)? {
            value = value * 10 + u32::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        Some(value)
    };
    let punctuation = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if punctuation.iter().any(|&(at, byte)| text.get(at) != Some(&byte)) {
        return false;
    }
    let parts = (number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19));
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = parts else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    // A leap second can only be the last of its minute.
    let fraction = match text.get(19..) {
        Some(b"Z") => true,
        Some([b'.', digits @ .., b'Z']) => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second <= 60 && fraction
}

#[cfg(test)]
mod tests;
