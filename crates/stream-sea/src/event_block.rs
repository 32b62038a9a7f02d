use crate::{Delivery, Published};

/// Why bytes are not a block of events.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EventBlockError {
    /// The bytes are too few for the capacities in the header.
    #[error("a block of these capacities has {expected} bytes, not {actual}")]
    Bytes {
        /// Bytes that it needs.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// More rows or text than fit.
    #[error("the block counts more than fits")]
    Count,
}

// Words of the header; the first ones and `STATUS` to `ERROR_OFFSET` stand where a measurement block has them.
const CAPACITY: usize = 0;
const TEXT_CAPACITY: usize = 1;
const COUNT: usize = 2;
const TEXT: usize = 3;
const NEEDED: usize = 4;
const STATUS: usize = 5;
const CONSUMED: usize = 6;
const ERROR_OFFSET: usize = 7;
const HEADER: usize = 64;

/// What a row is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
enum Kind {
    Delivery = 0,
    Published = 1,
    Duplicate = 2,
}

const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(64)
}

/// A block of deliveries, opened for appending. Little-endian, columns aligned to 64 bytes:
/// header of 16 words; `end` i32, one more than rows, the Arrow offsets of the text; `id` u32; `redelivered` u32; `offset`
/// and `time` i64 (-1: unknown; ms); `kind` u8; the text. Rows of kind 1 and 2 (a duplicate) answer a publish: `offset` is
/// that of its first message, `redelivered` how many it had; they have no text.
#[derive(Debug)]
pub struct EventBlock<'a> {
    header: &'a mut [u8],
    capacity: usize,
    text_capacity: usize,
    len: usize,
    text_len: usize,
    ends: &'a mut [u8],
    ids: &'a mut [u8],
    redelivered: &'a mut [u8],
    offsets: &'a mut [u8],
    times: &'a mut [u8],
    kinds: &'a mut [u8],
    text: &'a mut [u8],
}

impl<'a> EventBlock<'a> {
    /// Bytes of a block for so many rows and so much text.
    pub const fn byte_length(capacity: usize, text: usize) -> usize {
        HEADER
            + aligned(4 * (capacity + 1))
            + 2 * aligned(4 * capacity)
            + 2 * aligned(8 * capacity)
            + aligned(capacity)
            + aligned(text)
    }

    /// Opens a block whose header has the capacities and what it holds already.
    pub fn open(bytes: &'a mut [u8]) -> Result<Self, EventBlockError> {
        let actual = bytes.len();
        let short = EventBlockError::Bytes { expected: HEADER, actual };
        let (header, rest) = bytes.split_at_mut_checked(HEADER).ok_or(short)?;
        let (capacity, text_capacity) = (word(header, CAPACITY), word(header, TEXT_CAPACITY));
        let (len, text_len) = (word(header, COUNT), word(header, TEXT));
        let wrong = EventBlockError::Bytes { expected: Self::byte_length(capacity, text_capacity), actual };
        let (ends, rest) = rest.split_at_mut_checked(aligned(4 * (capacity + 1))).ok_or(wrong)?;
        let (ids, rest) = rest.split_at_mut_checked(aligned(4 * capacity)).ok_or(wrong)?;
        let (redelivered, rest) = rest.split_at_mut_checked(aligned(4 * capacity)).ok_or(wrong)?;
        let (offsets, rest) = rest.split_at_mut_checked(aligned(8 * capacity)).ok_or(wrong)?;
        let (times, rest) = rest.split_at_mut_checked(aligned(8 * capacity)).ok_or(wrong)?;
        let (kinds, rest) = rest.split_at_mut_checked(aligned(capacity)).ok_or(wrong)?;
        let text = rest.get_mut(..text_capacity).ok_or(wrong)?;
        if len > capacity || text_len > text_capacity || text_capacity > i32::MAX as usize {
            return Err(EventBlockError::Count);
        }
        Ok(Self { header, capacity, text_capacity, len, text_len, ends, ids, redelivered, offsets, times, kinds, text })
    }

    /// Rows that it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a delivery; `false` where it does not fit, and the header then says how much text it needs.
    pub fn push(&mut self, delivery: &Delivery<'_>) -> bool {
        let length = delivery.payload.len();
        if self.len == self.capacity || self.text_capacity - self.text_len < length {
            put(self.header, NEEDED, length as u32);
            return false;
        }
        if let Some(place) = self.text.get_mut(self.text_len..self.text_len + length) {
            place.copy_from_slice(delivery.payload);
        }
        self.text_len += length;
        self.row(Kind::Delivery, delivery.id, delivery.redelivered, delivery.offset, delivery.time);
        true
    }

    /// Appends the answer of a publish; `false` where it does not fit.
    pub fn push_published(&mut self, published: &Published) -> bool {
        if self.len == self.capacity {
            return false;
        }
        let kind = if published.duplicate { Kind::Duplicate } else { Kind::Published };
        self.row(kind, published.id, published.count, Some(published.offset), None);
        true
    }

    fn row(&mut self, kind: Kind, id: u32, redelivered: u32, offset: Option<u64>, time: Option<u64>) {
        let row = self.len;
        self.len += 1;
        put(self.ends, row + 1, self.text_len as u32);
        put(self.ids, row, id);
        put(self.redelivered, row, redelivered);
        put_wide(self.offsets, row, offset);
        put_wide(self.times, row, time);
        if let Some(place) = self.kinds.get_mut(row) {
            *place = kind as u8;
        }
    }

    /// Writes the header back.
    pub fn close(self, status: u32, consumed: usize, error_offset: usize) {
        put(self.header, COUNT, self.len as u32);
        put(self.header, TEXT, self.text_len as u32);
        put(self.header, STATUS, status);
        put(self.header, CONSUMED, consumed as u32);
        put(self.header, ERROR_OFFSET, error_offset as u32);
    }
}

fn word(words: &[u8], index: usize) -> usize {
    words.get(4 * index..).and_then(<[u8]>::first_chunk::<4>).map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

fn put(words: &mut [u8], index: usize, value: u32) {
    if let Some(place) = words.get_mut(4 * index..4 * index + 4) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

fn put_wide(words: &mut [u8], index: usize, value: Option<u64>) {
    if let Some(place) = words.get_mut(8 * index..8 * index + 8) {
        let value = value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1);
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn block(capacity: usize, text: usize) -> Vec<u8> {
        let mut bytes = vec![0; EventBlock::byte_length(capacity, text)];
        put(&mut bytes, CAPACITY, capacity as u32);
        put(&mut bytes, TEXT_CAPACITY, text as u32);
        bytes
    }

    #[test]
    fn rows_fill_it() {
        let mut bytes = block(2, 8);
        let mut open = EventBlock::open(&mut bytes).unwrap();
        let delivery = |payload| Delivery { id: 2, payload, offset: Some(7), time: None, redelivered: 0 };
        assert!(open.push(&delivery(b"12345")));
        assert!(!open.push(&delivery(b"1234")));
        assert!(open.push(&delivery(b"123")));
        assert!(!open.push(&delivery(b"")));
        assert!(!open.push_published(&Published { id: 3, offset: 0, count: 1, duplicate: false }));
        open.close(1, 9, 0);
        assert_eq!((word(&bytes, COUNT), word(&bytes, TEXT), word(&bytes, CONSUMED)), (2, 8, 9));
        assert_eq!(&bytes[HEADER..HEADER + 12], [0, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0]);
    }

    #[test]
    fn answers_of_publishes_are_rows_without_text() {
        let mut bytes = block(2, 0);
        let mut open = EventBlock::open(&mut bytes).unwrap();
        assert!(open.push_published(&Published { id: 3, offset: 7, count: 2, duplicate: false }));
        assert!(open.push_published(&Published { id: 4, offset: 0, count: 1, duplicate: true }));
        assert_eq!((word(open.ids, 1), word(open.redelivered, 0), word(open.offsets, 0)), (4, 2, 7));
        assert_eq!(open.kinds.get(..2), Some(&[1, 2][..]));
        open.close(0, 0, 0);
        assert_eq!((word(&bytes, COUNT), word(&bytes, TEXT)), (2, 0));
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let mut bytes = block(2, 8);
        put(&mut bytes, COUNT, 3);
        assert_eq!(EventBlock::open(&mut bytes).unwrap_err(), EventBlockError::Count);
        put(&mut bytes, CAPACITY, 1 << 20);
        assert!(matches!(EventBlock::open(&mut bytes), Err(EventBlockError::Bytes { .. })));
        assert!(EventBlock::open(&mut [0; 5]).is_err());
    }
}
