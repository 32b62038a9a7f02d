use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::value::{ReadError, Reader, Token};
use crate::write::{Kind, Out, Write};

/// Reads `MessagePack`. Extension types are read as their bytes.
#[derive(Debug)]
pub struct MessagePackReader<'a> {
    cursor: Cursor<'a>,
}

const FLOAT64: u8 = 0xcb;

impl<'a> MessagePackReader<'a> {
    /// A reader of one message's bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    fn length(&mut self, width: u8) -> Result<usize, ReadError> {
        Ok(match width {
            1 => u8::from_be_bytes(self.cursor.word()?) as usize,
            2 => u16::from_be_bytes(self.cursor.word()?) as usize,
            _ => u32::from_be_bytes(self.cursor.word()?) as usize,
        })
    }

    fn text(&mut self, length: usize) -> Result<Token<'a>, ReadError> {
        let offset = self.cursor.position();
        let text = std::str::from_utf8(self.cursor.take(length)?).map_err(|_| ReadError::Utf8 { offset })?;
        Ok(Token::Text(Cow::Borrowed(text)))
    }

    fn binary(&mut self, length: usize) -> Result<Token<'a>, ReadError> {
        Ok(Token::Bytes(Cow::Borrowed(self.cursor.take(length)?)))
    }

    fn array(&self, length: usize) -> Result<Token<'a>, ReadError> {
        self.cursor.count(length, 1).map(|length| Token::Array(Some(length)))
    }

    fn map(&self, length: usize) -> Result<Token<'a>, ReadError> {
        self.cursor.count(length, 2).map(|length| Token::Map(Some(length)))
    }

    fn signed(value: i64) -> Token<'a> {
        u64::try_from(value).map_or(Token::Signed(value), Token::Unsigned)
    }
}

impl<'a> Reader<'a> for MessagePackReader<'a> {
    const FLOAT64: u8 = FLOAT64;

    fn cursor(&self) -> &Cursor<'a> {
        &self.cursor
    }

    fn cursor_mut(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        let offset = self.cursor.position();
        let [byte] = self.cursor.word()?;
        match byte {
            0x00..=0x7f => Ok(Token::Unsigned(byte as u64)),
            0x80..=0x8f => self.map((byte & 0x0f) as usize),
            0x90..=0x9f => self.array((byte & 0x0f) as usize),
            0xa0..=0xbf => self.text((byte & 0x1f) as usize),
            0xc0 => Ok(Token::Null),
            0xc1 => Err(ReadError::Marker { byte, offset }),
            0xc2 => Ok(Token::Bool(false)),
            0xc3 => Ok(Token::Bool(true)),
            0xc4..=0xc6 => {
                let length = self.length(1 << (byte - 0xc4))?;
                self.binary(length)
            }
            0xc7..=0xc9 => {
                let length = self.length(1 << (byte - 0xc7))?;
                self.cursor.take(1)?;
                self.binary(length)
            }
            0xca => Ok(Token::Float(f32::from_be_bytes(self.cursor.word()?) as f64)),
            0xcb => Ok(Token::Float(f64::from_be_bytes(self.cursor.word()?))),
            0xcc => Ok(Token::Unsigned(u8::from_be_bytes(self.cursor.word()?) as u64)),
            0xcd => Ok(Token::Unsigned(u16::from_be_bytes(self.cursor.word()?) as u64)),
            0xce => Ok(Token::Unsigned(u32::from_be_bytes(self.cursor.word()?) as u64)),
            0xcf => Ok(Token::Unsigned(u64::from_be_bytes(self.cursor.word()?))),
            0xd0 => Ok(Self::signed(i8::from_be_bytes(self.cursor.word()?) as i64)),
            0xd1 => Ok(Self::signed(i16::from_be_bytes(self.cursor.word()?) as i64)),
            0xd2 => Ok(Self::signed(i32::from_be_bytes(self.cursor.word()?) as i64)),
            0xd3 => Ok(Self::signed(i64::from_be_bytes(self.cursor.word()?))),
            0xd4..=0xd8 => {
                self.cursor.take(1)?;
                self.binary(1 << (byte - 0xd4))
            }
            0xd9..=0xdb => {
                let length = self.length(1 << (byte - 0xd9))?;
                self.text(length)
            }
            0xdc | 0xdd => {
                let length = self.length(2 << (byte - 0xdc))?;
                self.array(length)
            }
            0xde | 0xdf => {
                let length = self.length(2 << (byte - 0xde))?;
                self.map(length)
            }
            0xe0..=0xff => Ok(Token::Signed(byte as i8 as i64)),
        }
    }

    fn at_number(&self) -> bool {
        matches!(self.cursor.rest().first(), Some(0x00..=0x7f | 0xca..=0xd3 | 0xe0..=0xff))
    }
}

/// Writes `MessagePack`, each integer and length as short as it goes, as the Python package does.
#[derive(Debug)]
pub struct MessagePackWriter<'a> {
    out: Out<'a>,
}

impl<'a> MessagePackWriter<'a> {
    /// A writer into a buffer.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { out: Out::new(buffer) }
    }
}

impl Write for MessagePackWriter<'_> {
    const FLOAT64: u8 = FLOAT64;
    const FALSE: u8 = 0xc2;
    const NULL: u8 = 0xc0;

    fn length(&self) -> usize {
        self.out.length()
    }

    fn place(&mut self, length: usize) -> Option<&mut [u8]> {
        self.out.place(length)
    }

    fn unsigned(&mut self, value: u64) {
        match value {
            0..=0x7f => self.put(&[value as u8]),
            0x80..=0xff => self.put(&[0xcc, value as u8]),
            0x100..=0xffff => self.put_marked(0xcd, (value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => self.put_marked(0xce, (value as u32).to_be_bytes()),
            _ => self.put_marked(0xcf, value.to_be_bytes()),
        }
    }

    fn signed(&mut self, value: i64) {
        match value {
            0.. => self.unsigned(value as u64),
            -0x20..0 => self.put(&[value as u8]),
            -0x80..-0x20 => self.put(&[0xd0, value as u8]),
            -0x8000..-0x80 => self.put_marked(0xd1, (value as i16).to_be_bytes()),
            -0x8000_0000..-0x8000 => self.put_marked(0xd2, (value as i32).to_be_bytes()),
            _ => self.put_marked(0xd3, value.to_be_bytes()),
        }
    }

    fn head(&mut self, kind: Kind, length: usize) {
        // A marker with a short length in it, up to which, and those in front of lengths of 1, 2 and 4 bytes.
        let (short, limit, one, two, four) = match kind {
            Kind::Array => (0x90, 16, None, 0xdc, 0xdd),
            Kind::Bytes => (0, 0, Some(0xc4), 0xc5, 0xc6),
            Kind::Map => (0x80, 16, None, 0xde, 0xdf),
            Kind::Text => (0xa0, 32, Some(0xd9), 0xda, 0xdb),
        };
        match (length, one) {
            _ if length < limit => self.put(&[short | length as u8]),
            (0..=0xff, Some(one)) => self.put(&[one, length as u8]),
            (0..=0xffff, _) => self.put_marked(two, (length as u16).to_be_bytes()),
            _ => self.put_marked(four, (length as u32).to_be_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
