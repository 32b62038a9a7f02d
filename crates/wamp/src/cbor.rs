use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::value::{ReadError, Reader, Token};
use crate::write::{Kind, Out, Write};

const FLOAT64: u8 = 0xfb;
const BREAK: u8 = 0xff;

/// Reads CBOR (RFC 8949). Tags are read over: the value behind a tag is given as if it had none.
#[derive(Debug)]
pub struct CborReader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> CborReader<'a> {
    /// A reader of one message's bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    /// The argument of a head; `None` for an unknown length.
    fn argument(&mut self, byte: u8) -> Result<Option<u64>, ReadError> {
        Ok(Some(match byte & 0x1f {
            small @ 0..=23 => small as u64,
            24 => u8::from_be_bytes(self.cursor.word()?) as u64,
            25 => u16::from_be_bytes(self.cursor.word()?) as u64,
            26 => u32::from_be_bytes(self.cursor.word()?) as u64,
            27 => u64::from_be_bytes(self.cursor.word()?),
            31 => return Ok(None),
            _ => return Err(ReadError::Marker { byte, offset: self.cursor.position() - 1 }),
        }))
    }

    /// An argument where no unknown length may be.
    fn number(&mut self, byte: u8) -> Result<u64, ReadError> {
        let offset = self.cursor.position() - 1;
        self.argument(byte)?.ok_or(ReadError::Marker { byte, offset })
    }

    /// A string of bytes, gathered where it comes in pieces.
    fn string(&mut self, byte: u8) -> Result<Cow<'a, [u8]>, ReadError> {
        if let Some(length) = self.argument(byte)? {
            return Ok(Cow::Borrowed(self.cursor.take(usize::try_from(length).map_err(|_| ReadError::Truncated)?)?));
        }
        let mut whole = Vec::new();
        loop {
            let offset = self.cursor.position();
            let [piece] = self.cursor.word()?;
            if piece == BREAK {
                return Ok(Cow::Owned(whole));
            }
            if piece >> 5 != byte >> 5 {
                return Err(ReadError::Marker { byte: piece, offset });
            }
            let length = self.number(piece)?;
            whole.extend_from_slice(self.cursor.take(usize::try_from(length).map_err(|_| ReadError::Truncated)?)?);
        }
    }

    fn items(&mut self, byte: u8, width: usize) -> Result<Option<usize>, ReadError> {
        let Some(length) = self.argument(byte)? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| ReadError::Truncated)?;
        self.cursor.count(length, width).map(Some)
    }

    fn simple(&mut self, byte: u8, offset: usize) -> Result<Token<'a>, ReadError> {
        match byte & 0x1f {
            20 => Ok(Token::Bool(false)),
            21 => Ok(Token::Bool(true)),
            22 | 23 => Ok(Token::Null),
            25 => Ok(Token::Float(half(u16::from_be_bytes(self.cursor.word()?)))),
            26 => Ok(Token::Float(f32::from_be_bytes(self.cursor.word()?) as f64)),
            27 => Ok(Token::Float(f64::from_be_bytes(self.cursor.word()?))),
            31 => Ok(Token::Break),
            _ => Err(ReadError::Marker { byte, offset }),
        }
    }
}

impl<'a> Reader<'a> for CborReader<'a> {
    const FLOAT64: u8 = FLOAT64;

    fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    fn cursor_mut(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        loop {
            let offset = self.cursor.position();
            let [byte] = self.cursor.word()?;
            return match byte >> 5 {
                0 => Ok(Token::Unsigned(self.number(byte)?)),
                1 => {
                    let number = self.number(byte)?;
                    // -1 - n; what an i64 cannot hold is a double, as other readers do.
                    Ok(i64::try_from(number)
                        .map_or_else(|_| Token::Float(-1.0 - number as f64), |number| Token::Signed(-1 - number)))
                }
                2 => Ok(Token::Bytes(self.string(byte)?)),
                3 => {
                    let invalid = ReadError::Utf8 { offset };
                    Ok(Token::Text(match self.string(byte)? {
                        Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| invalid)?),
                        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| invalid)?),
                    }))
                }
                4 => Ok(Token::Array(self.items(byte, 1)?)),
                5 => Ok(Token::Map(self.items(byte, 2)?)),
                6 => {
                    self.number(byte)?;
                    continue;
                }
                _ => self.simple(byte, offset),
            };
        }
    }

    fn at_number(&self) -> bool {
        matches!(self.cursor.rest().first(), Some(0x00..=0x1b | 0x20..=0x3b | 0xf9..=0xfb))
    }
}

/// A half-precision number.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let fraction = (bits & 0x3ff) as f64;
    // `powi` does not promise an exact power.
    let power = |exponent: u16| f64::from_bits(u64::from(exponent + 1023 - 25) << 52);
    match (bits >> 10) & 0x1f {
        0 => sign * fraction * power(1),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1024.0 + fraction) * power(exponent),
    }
}

/// Writes CBOR with known lengths, each as short as it goes, as the Python package does.
#[derive(Debug)]
pub struct CborWriter<'a> {
    out: Out<'a>,
}

impl<'a> CborWriter<'a> {
    /// A writer into a buffer.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { out: Out::new(buffer) }
    }

    fn argument(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match argument {
            0..=23 => self.put(&[major | argument as u8]),
            24..=0xff => self.put(&[major | 0x18, argument as u8]),
            0x100..=0xffff => self.put_marked(major | 0x19, (argument as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.put_marked(major | 0x1a, (argument as u32).to_be_bytes()),
            _ => self.put_marked(major | 0x1b, argument.to_be_bytes()),
        }
    }
}

impl Write for CborWriter<'_> {
    const FLOAT64: u8 = FLOAT64;
    const FALSE: u8 = 0xf4;
    const NULL: u8 = 0xf6;

    fn length(&self) -> usize {
        self.out.length()
    }

    fn place(&mut self, length: usize) -> Option<&mut [u8]> {
        self.out.place(length)
    }

    fn unsigned(&mut self, value: u64) {
        self.argument(0, value);
    }

    fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.argument(0, value),
            Err(_) => self.argument(1, !(value as u64)),
        }
    }

    fn head(&mut self, kind: Kind, length: usize) {
        let major = match kind {
            Kind::Bytes => 2,
            Kind::Text => 3,
            Kind::Array => 4,
            Kind::Map => 5,
        };
        self.argument(major, length as u64);
    }
}

#[cfg(test)]
mod tests;
