use std::borrow::Cow;

use thiserror::Error;

use crate::cursor::{Cursor, count_doubles, exact, take_doubles};

/// One step of a value, as a [`Reader`] gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Token<'a> {
    /// Nothing (also CBOR's `undefined`).
    Null,
    /// True or false.
    Bool(bool),
    /// An integer of 0 or more.
    Unsigned(u64),
    /// An integer below 0.
    Signed(i64),
    /// A number with a fraction, or one that was written as such.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// An array of so many items follows; `None` where only [`Token::Break`] says where it ends.
    Array(Option<usize>),
    /// A map of so many pairs follows; `None` where only [`Token::Break`] says where it ends.
    Map(Option<usize>),
    /// The end of an array or map of unknown length.
    Break,
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes end inside the value.
    #[error("the message ends inside a value")]
    Truncated,
    /// A byte that begins nothing.
    #[error("the byte {byte:#04x} at {offset} begins no value")]
    Marker {
        /// The byte.
        byte: u8,
        /// Where it is.
        offset: usize,
    },
    /// Text that is not UTF-8.
    #[error("the text at {offset} is not UTF-8")]
    Utf8 {
        /// Where the text begins.
        offset: usize,
    },
    /// A map's key that is neither text nor an integer.
    #[error("the key at {offset} is neither text nor an integer")]
    Key {
        /// Where the key begins.
        offset: usize,
    },
    /// Arrays and maps nested deeper than the limit.
    #[error("arrays and maps are nested deeper than {limit}")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// Bytes behind the value.
    #[error("{length} bytes follow the message")]
    Trailing {
        /// How many.
        length: usize,
    },
}

/// What a message may be at most. Its length is the caller's to limit: every count is checked against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arrays and maps in one another, 1 to 500 (a level takes stack).
    pub depth: usize,
    /// The shortest array of numbers that becomes doubles; 0 leaves all arrays as they are.
    pub doubles: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, doubles: 16 }
    }
}

/// Reads a value step by step.
pub trait Reader<'a> {
    /// The byte in front of a double.
    const FLOAT64: u8;

    /// The bytes that are read.
    fn cursor(&self) -> &Cursor<'a>;

    /// The bytes that are read, to read on.
    fn cursor_mut(&mut self) -> &mut Cursor<'a>;

    /// Reads the next step. The count of an array or map is at most what the remaining bytes can hold.
    fn token(&mut self) -> Result<Token<'a>, ReadError>;

    /// Whether the next step is a number.
    fn at_number(&self) -> bool;

    /// Bytes read so far.
    fn position(&self) -> usize {
        self.cursor().position()
    }

    /// Bytes not read yet.
    fn remaining(&self) -> usize {
        self.cursor().rest().len()
    }

    /// Reads exactly as many numbers as `out` has places. Gives `false` and stays where it was when one of them is no
    /// number, or an integer that a double cannot hold.
    fn doubles(&mut self, out: &mut [f64]) -> Result<bool, ReadError> {
        let start = self.position();
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..)
            && !rest.is_empty()
        {
            let bytes = self.cursor().rest();
            if bytes.first() == Some(&Self::FLOAT64) {
                let taken = take_doubles(bytes, Self::FLOAT64, rest);
                if taken == 0 {
                    return Err(ReadError::Truncated);
                }
                self.cursor_mut().take(taken * 9)?;
                done += taken;
                continue;
            }
            let number = if self.at_number() { self.token()? } else { Token::Null };
            let value = match number {
                Token::Float(value) => Some(value),
                Token::Unsigned(value) => exact(value),
                Token::Signed(value) => exact(value.unsigned_abs()).map(|value| -value),
                _ if self.remaining() == 0 => return Err(ReadError::Truncated),
                _ => None,
            };
            let (Some(value), Some(place)) = (value, rest.first_mut()) else {
                self.cursor_mut().seek(start);
                return Ok(false);
            };
            *place = value;
            done += 1;
        }
        Ok(true)
    }

    /// Reads over as many doubles as follow one another, `limit` at most; gives how many.
    fn skip_doubles(&mut self, limit: usize) -> usize {
        let cursor = self.cursor_mut();
        let count = count_doubles(cursor.rest(), Self::FLOAT64, limit);
        cursor.seek(cursor.position() + count * 9);
        count
    }
}

/// Makes values of a caller's own kind out of what was read.
pub trait Builder {
    /// A value.
    type Value;
    /// An array that is being filled.
    type Array;
    /// A map that is being filled.
    type Map;
    /// What can go wrong, in the bytes or at the caller's.
    type Error: From<ReadError>;

    /// Makes a value of a step that is neither array, map nor break.
    fn scalar(&mut self, token: Token<'_>) -> Result<Self::Value, Self::Error>;
    /// Begins an array; `length` is 0 where it is not known.
    fn array(&mut self, length: usize) -> Result<Self::Array, Self::Error>;
    /// Puts an item at its index.
    fn item(&mut self, array: &mut Self::Array, index: usize, value: Self::Value) -> Result<(), Self::Error>;
    /// Ends an array.
    fn end_array(&mut self, array: Self::Array) -> Result<Self::Value, Self::Error>;
    /// Begins a map.
    fn map(&mut self) -> Result<Self::Map, Self::Error>;
    /// Puts a pair.
    fn pair(&mut self, map: &mut Self::Map, key: &str, value: Self::Value) -> Result<(), Self::Error>;
    /// Ends a map.
    fn end_map(&mut self, map: Self::Map) -> Result<Self::Value, Self::Error>;
    /// Makes a column of `length` doubles, which `fill` writes; `None` where `fill` gave `false`.
    fn doubles(
        &mut self,
        length: usize,
        fill: &mut dyn FnMut(&mut [f64]) -> Result<bool, ReadError>,
    ) -> Result<Option<Self::Value>, Self::Error>;
}

/// Reads one whole value that takes all bytes of the reader.
///
/// Arrays of numbers become doubles from [`Limits::doubles`] items on, where they are at least two levels down: a
/// message and its list of arguments stay arrays.
pub fn read_value<'a, R: Reader<'a>, B: Builder>(
    reader: &mut R,
    builder: &mut B,
    limits: Limits,
) -> Result<B::Value, B::Error> {
    let token = reader.token()?;
    let value = read_token(reader, builder, limits, 0, token)?;
    match reader.remaining() {
        0 => Ok(value),
        length => Err(ReadError::Trailing { length }.into()),
    }
}

fn read_token<'a, R: Reader<'a>, B: Builder>(
    reader: &mut R,
    builder: &mut B,
    limits: Limits,
    depth: usize,
    token: Token<'a>,
) -> Result<B::Value, B::Error> {
    if depth >= limits.depth && matches!(token, Token::Array(_) | Token::Map(_)) {
        return Err(ReadError::Depth { limit: limits.depth }.into());
    }
    match token {
        Token::Array(length) => read_array(reader, builder, limits, depth, length),
        Token::Map(length) => read_map(reader, builder, limits, depth, length),
        Token::Break => Err(ReadError::Marker { byte: 0xff, offset: reader.position() - 1 }.into()),
        scalar => builder.scalar(scalar),
    }
}

fn read_array<'a, R: Reader<'a>, B: Builder>(
    reader: &mut R,
    builder: &mut B,
    limits: Limits,
    depth: usize,
    length: Option<usize>,
) -> Result<B::Value, B::Error> {
    if let Some(length) = length
        && limits.doubles > 0
        && length >= limits.doubles
        && depth >= 2
        && reader.at_number()
        && let Some(column) = builder.doubles(length, &mut |out| reader.doubles(out))?
    {
        return Ok(column);
    }
    let mut array = builder.array(length.unwrap_or(0))?;
    let mut index = 0;
    while length != Some(index) {
        let token = reader.token()?;
        if length.is_none() && token == Token::Break {
            break;
        }
        let value = read_token(reader, builder, limits, depth + 1, token)?;
        builder.item(&mut array, index, value)?;
        index += 1;
    }
    builder.end_array(array)
}

fn read_map<'a, R: Reader<'a>, B: Builder>(
    reader: &mut R,
    builder: &mut B,
    limits: Limits,
    depth: usize,
    length: Option<usize>,
) -> Result<B::Value, B::Error> {
    let mut map = builder.map()?;
    let mut index = 0;
    while length != Some(index) {
        let offset = reader.position();
        let key: Cow<'_, str> = match reader.token()? {
            Token::Break if length.is_none() => break,
            Token::Text(text) => text,
            Token::Unsigned(number) => number.to_string().into(),
            Token::Signed(number) => number.to_string().into(),
            _ => return Err(ReadError::Key { offset }.into()),
        };
        let token = reader.token()?;
        let value = read_token(reader, builder, limits, depth + 1, token)?;
        builder.pair(&mut map, &key, value)?;
        index += 1;
    }
    builder.end_map(map)
}

/// Reads over one value and says whether it is well formed.
pub fn skip_value<'a, R: Reader<'a>>(reader: &mut R, depth: usize) -> Result<(), ReadError> {
    // What is open: how many values are still to come, or `None` up to a break. A map counts two a pair.
    let mut open: Vec<(Option<usize>, bool)> = vec![(Some(1), false)];
    let mut odd: Vec<bool> = vec![false];
    while let Some((left, is_map)) = open.last_mut() {
        if *left == Some(0) {
            open.pop();
            odd.pop();
            continue;
        }
        if let Some(left) = left
            && !*is_map
        {
            *left -= reader.skip_doubles(*left);
            if *left == 0 {
                continue;
            }
        }
        let offset = reader.position();
        let token = reader.token()?;
        let expects_key = *is_map && !odd.last().copied().unwrap_or(false);
        if token == Token::Break {
            if left.is_some() || (*is_map && !expects_key) {
                return Err(ReadError::Marker { byte: 0xff, offset });
            }
            open.pop();
            odd.pop();
            continue;
        }
        if expects_key && !matches!(token, Token::Text(_) | Token::Unsigned(_) | Token::Signed(_)) {
            return Err(ReadError::Key { offset });
        }
        if let Some(left) = left {
            *left -= 1;
        }
        if let Some(odd) = odd.last_mut() {
            *odd = !*odd;
        }
        let inner = match token {
            Token::Array(length) => (length, false),
            Token::Map(length) => (length.map(|pairs| pairs * 2), true),
            _ => continue,
        };
        if open.len() > depth {
            return Err(ReadError::Depth { limit: depth });
        }
        open.push(inner);
        odd.push(false);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tree;
