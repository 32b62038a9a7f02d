use rmp::Marker;

use crate::reader::Reader;
use crate::{Fault, Malformed, Timestamp};

/// A `MessagePack` value, exact: integers of 64 bits, timestamps of ns, binary apart from text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// nil.
    Nil,
    /// A boolean.
    Boolean(bool),
    /// An integer from -2^63 to 2^63 - 1.
    Integer(i64),
    /// An integer from 2^63 to 2^64 - 1.
    Unsigned(u64),
    /// A floating point number; float32 is widened.
    Float(f64),
    /// Text.
    String(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// An array.
    Array(Vec<Self>),
    /// A map with string keys, in the order of the wire.
    Map(Vec<(String, Self)>),
    /// An extension -1.
    Timestamp(Timestamp),
    /// Any other extension, and an extension -1 whose length is none of the three.
    Extension(i8, Vec<u8>),
}

/// What a decoder refuses before it allocates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep arrays and maps may lie in each other. Default 32.
    pub depth: u32,
    /// Bytes of a message. Default 1 GiB.
    pub message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 32, message_bytes: 1 << 30 }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Unsigned(value), Self::Integer)
    }
}

impl Value {
    /// Decodes one value from the begin of `bytes`; gives how many bytes it took.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<(Self, usize), Malformed> {
        let mut reader = Reader::new(bytes);
        let value = Self::read(&mut reader, limits.depth)?;
        Ok((value, reader.position()))
    }

    /// The value of a key, where this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, depth: u32) -> Result<Self, Malformed> {
        let start = reader.position();
        let marker = Marker::from_u8(reader.byte()?);
        match marker {
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                Reader::string(reader.rewind(start)).map(|text| Self::String(text.to_owned()))
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let Some(deeper) = depth.checked_sub(1) else {
                    return Err(reader.rewind(start).fault(Fault::Depth(depth)));
                };
                let length = reader.rewind(start).array()?;
                // An item takes a byte at least: a length beyond the frame allocates no more than the frame.
                let mut items = Vec::with_capacity((length as usize).min(reader.remaining()).min(1 << 12));
                for _ in 0..length {
                    items.push(Self::read(reader, deeper)?);
                }
                Ok(Self::Array(items))
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let Some(deeper) = depth.checked_sub(1) else {
                    return Err(reader.rewind(start).fault(Fault::Depth(depth)));
                };
                Self::read_map(reader.rewind(start), deeper).map(Self::Map)
            }
            _ => reader.body(marker).map(|body| Self::scalar(marker, body)),
        }
    }

    /// Reads a map with string keys.
    pub(crate) fn read_map(reader: &mut Reader<'_>, depth: u32) -> Result<Vec<(String, Self)>, Malformed> {
        let length = reader.map()?;
        let mut entries = Vec::with_capacity((length as usize).min(reader.remaining() / 2).min(1 << 12));
        for _ in 0..length {
            let start = reader.position();
            let key = reader.string().map_err(|malformed| match malformed.fault {
                Fault::Type { .. } => Malformed { offset: start, fault: Fault::KeyType },
                _ => malformed,
            })?;
            entries.push((key.to_owned(), Self::read(reader, depth)?));
        }
        Ok(entries)
    }

    fn scalar(marker: Marker, body: &[u8]) -> Self {
        match marker {
            Marker::FixPos(value) => Self::Integer(i64::from(value)),
            Marker::FixNeg(value) => Self::Integer(i64::from(value)),
            Marker::True => Self::Boolean(true),
            Marker::False => Self::Boolean(false),
            Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => Self::from(unsigned(body)),
            Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => Self::Integer(signed(body)),
            Marker::F32 => Self::Float(f64::from(f32::from_bits(unsigned(body) as u32))),
            Marker::F64 => Self::Float(f64::from_bits(unsigned(body))),
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => Self::Binary(body.to_vec()),
            Marker::Null => Self::Nil,
            _ => extension(body),
        }
    }
}

/// Big-endian bytes, at most eight of them.
fn unsigned(body: &[u8]) -> u64 {
    body.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// Big-endian bytes in two's complement, at most eight of them.
fn signed(body: &[u8]) -> i64 {
    let unused = 64 - 8 * body.len() as u32;
    (unsigned(body) as i64).wrapping_shl(unused).wrapping_shr(unused)
}

/// The type byte and the body behind it.
fn extension(body: &[u8]) -> Value {
    let (kind, data) = body.split_first().map_or((0, body), |(kind, data)| (*kind as i8, data));
    if kind == Timestamp::EXTENSION
        && let Some(timestamp) = Timestamp::decode(data)
    {
        return Value::Timestamp(timestamp);
    }
    Value::Extension(kind, data.to_vec())
}
