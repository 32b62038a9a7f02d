use rmp::encode as msgpack;
use thiserror::Error;

use crate::{Timestamp, Value};

/// Which values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Only what the C++ framework reads: arrays of one scalar type, integers below 2^63, no binary, no foreign
    /// extension. Arrays of integers and floats are written as floats.
    #[default]
    Portable,
    /// Everything that `MessagePack` has.
    Full,
}

/// A value that the C++ framework would answer with an error.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// An array whose items differ in type, or of floats and integers that no float holds.
    #[error("an array of mixed types")]
    ArrayMixed,
    /// An array that holds arrays, maps or nil.
    #[error("an array of something else than scalars")]
    ArrayNested,
    /// A binary value.
    #[error("a binary value")]
    Binary,
    /// An extension that is no timestamp.
    #[error("an extension of type {0}")]
    Extension(i8),
    /// An integer of 2^63 or more.
    #[error("an integer beyond 2^63 - 1: {0}")]
    Integer(u64),
    /// A string, array, map or binary of 2^32 items or more.
    #[error("{0} items")]
    Length(usize),
}

impl Value {
    /// Appends the value in its shortest form (floats always as float64).
    pub fn encode(&self, profile: Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let portable = profile == Profile::Portable;
        match self {
            Self::Nil => out.push(0xc0),
            Self::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
            Self::Integer(value) => integer(*value, out),
            Self::Unsigned(value) if portable && i64::try_from(*value).is_err() => {
                return Err(EncodeError::Integer(*value));
            }
            Self::Unsigned(value) => unsigned(*value, out),
            Self::Float(value) => float(*value, out),
            Self::String(text) => string(text, out)?,
            Self::Binary(_) if portable => return Err(EncodeError::Binary),
            Self::Binary(bytes) => {
                written(msgpack::write_bin_len(out, length(bytes.len())?));
                out.extend_from_slice(bytes);
            }
            Self::Array(items) => return encode_array(items, profile, out),
            Self::Map(entries) => return encode_map(entries, profile, out),
            Self::Timestamp(timestamp) => timestamp.encode(out),
            Self::Extension(kind, _) if portable => return Err(EncodeError::Extension(*kind)),
            Self::Extension(kind, data) => {
                extension_header(*kind, length(data.len())?, out);
                out.extend_from_slice(data);
            }
        }
        Ok(())
    }
}

/// Appends a map.
pub(crate) fn encode_map(entries: &[(String, Value)], profile: Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    written(msgpack::write_map_len(out, length(entries.len())?));
    for (key, value) in entries {
        string(key, out)?;
        value.encode(profile, out)?;
    }
    Ok(())
}

fn encode_array(items: &[Value], profile: Profile, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    array(items.len(), out)?;
    if profile == Profile::Full {
        return items.iter().try_for_each(|item| item.encode(profile, out));
    }
    let is_number = |item: &Value| matches!(item, Value::Integer(_) | Value::Unsigned(_) | Value::Float(_));
    let as_floats = items.iter().all(is_number) && items.iter().any(|item| matches!(item, Value::Float(_)));
    let mut kind = None;
    for item in items {
        match item {
            Value::Array(_) | Value::Map(_) | Value::Nil => return Err(EncodeError::ArrayNested),
            Value::Integer(value) if as_floats && value.unsigned_abs() <= 1 << 53 => float(*value as f64, out),
            Value::Integer(_) | Value::Unsigned(_) if as_floats => return Err(EncodeError::ArrayMixed),
            _ if !as_floats
                && *kind.get_or_insert_with(|| std::mem::discriminant(item)) != std::mem::discriminant(item) =>
            {
                return Err(EncodeError::ArrayMixed);
            }
            _ => item.encode(profile, out)?,
        }
    }
    Ok(())
}

fn extension_header(kind: i8, length: u32, out: &mut Vec<u8>) {
    written(msgpack::write_ext_meta(out, length, kind));
}

pub(crate) fn array(items: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    written(msgpack::write_array_len(out, length(items)?));
    Ok(())
}

pub(crate) fn unsigned(value: u64, out: &mut Vec<u8>) {
    written(msgpack::write_uint(out, value));
}

fn integer(value: i64, out: &mut Vec<u8>) {
    written(msgpack::write_sint(out, value));
}

fn float(value: f64, out: &mut Vec<u8>) {
    out.push(0xcb);
    out.extend_from_slice(&value.to_bits().to_be_bytes());
}

pub(crate) fn string(text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    length(text.len())?;
    written(msgpack::write_str(out, text));
    Ok(())
}

pub(crate) fn block(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    written(msgpack::write_bin_len(out, length(bytes.len())?));
    out.extend_from_slice(bytes);
    Ok(())
}

/// The header of CHP, CSCP and CMDP: protocol, sender, time.
pub(crate) fn header(protocol: &str, sender: &str, time: Timestamp, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    string(protocol, out)?;
    string(sender, out)?;
    time.encode(out);
    Ok(())
}

fn length(items: usize) -> Result<u32, EncodeError> {
    u32::try_from(items).map_err(|_| EncodeError::Length(items))
}

/// A `Vec` takes every byte: rmp's error type for it is an I/O error that does not happen.
fn written<T, E>(result: Result<T, E>) {
    drop(result);
}
