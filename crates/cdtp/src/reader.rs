use rmp::Marker;

use crate::{Fault, Malformed};

/// A position in a frame; every read is checked against its end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) const fn at(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// Goes back to `position`, where a marker was looked at.
    pub(crate) const fn rewind(&mut self, position: usize) -> &mut Self {
        self.position = position;
        self
    }

    pub(crate) const fn fault(&self, fault: Fault) -> Malformed {
        Malformed { offset: self.position, fault }
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.position).copied().ok_or_else(|| self.fault(Fault::Truncated))?;
        self.position += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(|| self.fault(Fault::Truncated))?;
        self.position += length;
        Ok(taken)
    }

    #[inline]
    fn big_endian<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.first_chunk::<N>().ok_or_else(|| self.fault(Fault::Truncated))?;
        self.position += N;
        Ok(*taken)
    }

    #[inline]
    fn length(&mut self, width: u8) -> Result<u32, Malformed> {
        Ok(match width {
            1 => u32::from(self.byte()?),
            2 => u32::from(u16::from_be_bytes(self.big_endian()?)),
            _ => u32::from_be_bytes(self.big_endian()?),
        })
    }

    /// Steps back so that the fault names the byte of the marker.
    fn wrong_type<T>(&mut self, expected: &'static str, found: u8) -> Result<T, Malformed> {
        self.position -= 1;
        Err(self.fault(Fault::Type { expected, found }))
    }

    /// An unsigned integer in any of `MessagePack`'s integer forms.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let start = self.position;
        let byte = self.byte()?;
        let signed = match byte {
            0x00..=0x7f => return Ok(u64::from(byte)),
            0xcc => return Ok(u64::from(self.byte()?)),
            0xcd => return Ok(u64::from(u16::from_be_bytes(self.big_endian()?))),
            0xce => return Ok(u64::from(u32::from_be_bytes(self.big_endian()?))),
            0xcf => return Ok(u64::from_be_bytes(self.big_endian()?)),
            0xd0 => i64::from(i8::from_be_bytes(self.big_endian()?)),
            0xd1 => i64::from(i16::from_be_bytes(self.big_endian()?)),
            0xd2 => i64::from(i32::from_be_bytes(self.big_endian()?)),
            0xd3 => i64::from_be_bytes(self.big_endian()?),
            _ => -1,
        };
        u64::try_from(signed).map_err(|_| Malformed { offset: start, fault: Fault::Integer(byte) })
    }

    pub(crate) fn byte_value(&mut self) -> Result<u8, Malformed> {
        let start = self.position;
        let value = self.unsigned()?;
        u8::try_from(value).map_err(|_| Malformed { offset: start, fault: Fault::Integer(0xcd) })
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let byte = self.byte()?;
        let length = match byte {
            0xa0..=0xbf => u32::from(byte & 0x1f),
            0xd9 => self.length(1)?,
            0xda => self.length(2)?,
            0xdb => self.length(4)?,
            _ => return self.wrong_type("a string", byte),
        };
        self.text(length)
    }

    /// `length` bytes as UTF-8.
    pub(crate) fn text(&mut self, length: u32) -> Result<&'a str, Malformed> {
        let start = self.position;
        let bytes = self.take(length as usize)?;
        std::str::from_utf8(bytes)
            .map_err(|error| Malformed { offset: start + error.valid_up_to(), fault: Fault::Utf8 })
    }

    #[inline]
    pub(crate) fn array(&mut self) -> Result<u32, Malformed> {
        let byte = self.byte()?;
        match byte {
            0x90..=0x9f => Ok(u32::from(byte & 0x0f)),
            0xdc => self.length(2),
            0xdd => self.length(4),
            _ => self.wrong_type("an array", byte),
        }
    }

    #[inline]
    pub(crate) fn map(&mut self) -> Result<u32, Malformed> {
        let byte = self.byte()?;
        match byte {
            0x80..=0x8f => Ok(u32::from(byte & 0x0f)),
            0xde => self.length(2),
            0xdf => self.length(4),
            _ => self.wrong_type("a map", byte),
        }
    }

    /// Steps over a bin; gives where its bytes begin and how many there are.
    #[inline]
    pub(crate) fn block(&mut self) -> Result<(usize, u32), Malformed> {
        let start = self.position;
        let length = match self.byte()? {
            0xc4 => self.length(1)?,
            0xc5 => self.length(2)?,
            0xc6 => self.length(4)?,
            _ => return Err(Malformed { offset: start, fault: Fault::BlockType }),
        };
        let begin = self.position;
        self.take(length as usize)?;
        Ok((begin, length))
    }

    /// Steps over the key of a map.
    fn skip_key(&mut self) -> Result<(), Malformed> {
        let start = self.position;
        self.string().map(|_| ()).map_err(|malformed| match malformed.fault {
            Fault::Type { .. } => Malformed { offset: start, fault: Fault::KeyType },
            _ => malformed,
        })
    }

    /// Steps over a map with string keys and any values, checking all of it.
    #[inline]
    pub(crate) fn skip_map(&mut self, depth: u32) -> Result<(), Malformed> {
        let entries = self.map()?;
        for _ in 0..entries {
            self.skip_key()?;
            self.skip(depth)?;
        }
        Ok(())
    }

    /// Steps over one value, checking all of it.
    pub(crate) fn skip(&mut self, depth: u32) -> Result<(), Malformed> {
        let marker = Marker::from_u8(self.byte()?);
        match marker {
            Marker::FixArray(_)
            | Marker::Array16
            | Marker::Array32
            | Marker::FixMap(_)
            | Marker::Map16
            | Marker::Map32 => {
                self.position -= 1;
                let Some(deeper) = depth.checked_sub(1) else { return Err(self.fault(Fault::Depth(depth))) };
                if matches!(marker, Marker::FixMap(_) | Marker::Map16 | Marker::Map32) {
                    return self.skip_map(deeper);
                }
                for _ in 0..self.array()? {
                    self.skip(deeper)?;
                }
                Ok(())
            }
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                self.position -= 1;
                self.string().map(|_| ())
            }
            _ => self.body(marker).map(|_| ()),
        }
    }

    /// The bytes behind the marker of a value that is neither string, array nor map.
    pub(crate) fn body(&mut self, marker: Marker) -> Result<&'a [u8], Malformed> {
        let length = match marker {
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::Null | Marker::True | Marker::False => 0,
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 | Marker::FixExt1 => 2,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            Marker::FixExt2 => 3,
            Marker::FixExt4 => 5,
            Marker::FixExt8 => 9,
            Marker::FixExt16 => 17,
            Marker::Bin8 => self.length(1)? as usize,
            Marker::Bin16 => self.length(2)? as usize,
            Marker::Bin32 => self.length(4)? as usize,
            // The type byte is taken with the body: its length cannot overflow, `take` checks it against the frame.
            Marker::Ext8 => self.length(1)? as usize + 1,
            Marker::Ext16 => self.length(2)? as usize + 1,
            Marker::Ext32 => (self.length(4)? as usize).saturating_add(1),
            _ => return self.wrong_type("a value", marker.to_u8()),
        };
        self.take(length)
    }
}
