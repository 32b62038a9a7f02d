use std::borrow::Cow;
use std::ops::Range;

use thiserror::Error;

use crate::cbor::CborReader;
use crate::json::{JsonError, JsonScanner};
use crate::message_pack::MessagePackReader;
use crate::value::{ReadError, Reader, Token, skip_value};

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `wamp.2.json`.
    Json,
    /// `wamp.2.msgpack`.
    MessagePack,
    /// `wamp.2.cbor`.
    Cbor,
}

/// Why bytes are no WAMP message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// The bytes are no value.
    #[error(transparent)]
    Value(#[from] ReadError),
    /// The text is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The value is no array that begins with a message type.
    #[error("a message is an array that begins with its type")]
    Shape,
    /// Bytes behind the message.
    #[error("{length} bytes follow the message")]
    Trailing {
        /// How many.
        length: usize,
    },
}

/// The most items that a message has (ERROR).
const ITEMS: usize = 7;

/// Where the items of a message lie.
///
/// ```
/// use measurand_wamp::{Format, Head};
///
/// let message = br#"[48, 7, {}, "org.example.add", [1, 2]]"#;
/// let head = Head::read(Format::Json, message, 64).unwrap();
/// assert_eq!(head.kind, 48);
/// assert_eq!(&message[head.item(3).unwrap()], br#""org.example.add""#);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The message type: 48 is a CALL.
    pub kind: u64,
    /// How many items the message has, its type among them.
    pub count: usize,
    /// Where the last item ends.
    pub end: usize,
    ranges: [(usize, usize); ITEMS],
}

impl Head {
    /// Finds the items of a message and checks that all its bytes are well formed, with `depth` arrays and maps in one
    /// another at most.
    pub fn read(format: Format, bytes: &[u8], depth: usize) -> Result<Self, HeadError> {
        match format {
            Format::Json => Self::read_json(bytes, depth),
            Format::MessagePack => Self::read_binary(MessagePackReader::new(bytes), depth),
            Format::Cbor => Self::read_binary(CborReader::new(bytes), depth),
        }
    }

    /// Where an item lies; `None` where the message has no such item.
    pub fn item(&self, index: usize) -> Option<Range<usize>> {
        (index < self.count).then(|| self.ranges.get(index).map(|&(from, to)| from..to))?
    }

    /// The integer that an item is.
    pub fn number(&self, format: Format, bytes: &[u8], index: usize) -> Option<u64> {
        let item = bytes.get(self.item(index)?)?;
        let token = match format {
            Format::Json => return std::str::from_utf8(item).ok()?.parse().ok(),
            Format::MessagePack => MessagePackReader::new(item).token(),
            Format::Cbor => CborReader::new(item).token(),
        };
        match token {
            Ok(Token::Unsigned(number)) => Some(number),
            _ => None,
        }
    }

    /// Where the characters of an item lie that is text; `None` where it is none, or does not lie there as it reads.
    pub fn text(&self, format: Format, bytes: &[u8], index: usize) -> Option<Range<usize>> {
        let range = self.item(index)?;
        let item = bytes.get(range.clone())?;
        let token = match format {
            Format::Json => {
                let inner = item.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
                return (!inner.contains(&b'\\')).then_some(range.start + 1..range.end - 1);
            }
            Format::MessagePack => MessagePackReader::new(item).token(),
            Format::Cbor => CborReader::new(item).token(),
        };
        match token {
            Ok(Token::Text(Cow::Borrowed(text))) => Some(range.end - text.len()..range.end),
            _ => None,
        }
    }

    fn new(kind: u64) -> Self {
        Self { kind, count: 0, end: 0, ranges: [(0, 0); ITEMS] }
    }

    fn push(&mut self, from: usize, to: usize) {
        if let Some(range) = self.ranges.get_mut(self.count) {
            *range = (from, to);
        }
        self.count += 1;
        self.end = to;
    }

    fn read_binary<'a>(mut reader: impl Reader<'a>, depth: usize) -> Result<Self, HeadError> {
        let Token::Array(length) = reader.token()? else { return Err(HeadError::Shape) };
        // A message of unknown length cannot be cut and put together: its items would have no count in front.
        let Some(length) = length.filter(|&length| length > 0) else { return Err(HeadError::Shape) };
        let start = reader.position();
        let Token::Unsigned(kind) = reader.token()? else { return Err(HeadError::Shape) };
        let mut head = Self::new(kind);
        head.push(start, reader.position());
        for _ in 1..length {
            let from = reader.position();
            skip_value(&mut reader, depth)?;
            head.push(from, reader.position());
        }
        match reader.remaining() {
            0 => Ok(head),
            length => Err(HeadError::Trailing { length }),
        }
    }

    fn read_json(bytes: &[u8], depth: usize) -> Result<Self, HeadError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| HeadError::Value(ReadError::Utf8 { offset: error.valid_up_to() }))?;
        let mut scanner = JsonScanner::new(text, depth);
        scanner.expect(b'[').map_err(|_| HeadError::Shape)?;
        scanner.peek()?;
        let start = scanner.position();
        scanner.value()?;
        let kind = text.get(start..scanner.position()).and_then(|kind| kind.parse().ok()).ok_or(HeadError::Shape)?;
        let mut head = Self::new(kind);
        head.push(start, scanner.position());
        while scanner.peek()? == b',' {
            scanner.expect(b',')?;
            scanner.peek()?;
            let from = scanner.position();
            scanner.value()?;
            head.push(from, scanner.position());
        }
        scanner.expect(b']')?;
        if scanner.at_end() { Ok(head) } else { Err(HeadError::Trailing { length: bytes.len() - scanner.position() }) }
    }
}

#[cfg(test)]
mod tests;
