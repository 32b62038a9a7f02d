use crate::{Columns, HEADER_BYTES, Layout, TIME_UNKNOWN};

/// How a call of a decoder ended; the header's `status` word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    /// The chunk is consumed; the next one continues it.
    #[default]
    NeedMore = 0,
    /// The block is full: call again with an empty one and the rest of the chunk.
    Full = 1,
    /// A control message is ready; rows before it are in the block.
    Control = 2,
    /// A message is malformed but its frame is intact: the next call goes on behind it.
    Malformed = 3,
    /// Framing is lost: the decoder is poisoned.
    Lost = 4,
}

/// Why bytes are not a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The header names a column that does not exist or leaves out a required one.
    #[error("the block's column word {0:#x} is not valid")]
    Columns(u32),
    /// More rows than fit.
    #[error("the block counts {count} rows where {capacity} fit")]
    Count {
        /// Rows counted.
        count: u32,
        /// Rows that fit.
        capacity: u32,
    },
    /// The bytes are too few for the header's capacity, or not aligned to 8.
    #[error("a block of this capacity has {expected} bytes aligned to 8, not {actual}")]
    Bytes {
        /// Bytes that the layout needs.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
}

/// A block opened for appending rows (or for reading those in it).
///
/// Columns without room are empty slices. [`Block::close`] writes the header back; until then the header is as it was.
#[derive(Debug)]
pub struct Block<'a> {
    header: &'a mut [u32],
    capacity: usize,
    columns: Columns,
    len: usize,
    present: Columns,
    nulls: Columns,
    /// ns since 1970-01-01 UTC.
    pub time: &'a mut [i64],
    /// Values.
    pub value: &'a mut [f64],
    /// Rows of the signal table.
    pub signal: &'a mut [u32],
    /// Quality words.
    pub flags: &'a mut [u32],
    /// Packet or record numbers.
    pub seq: &'a mut [u64],
    /// Positions in the packet.
    pub idx: &'a mut [u32],
    /// Times of receipt, ns.
    pub rx: &'a mut [i64],
    raw_time: &'a mut [u64],
}

// Words of the header.
const CAPACITY: usize = 0;
const COLUMNS: usize = 1;
const COUNT: usize = 2;
const PRESENT: usize = 3;
const NULLS: usize = 4;
const STATUS: usize = 5;
const CONSUMED: usize = 6;
const ERROR_OFFSET: usize = 7;

impl<'a> Block<'a> {
    /// Writes the header of an empty block into `bytes`, which [`Layout::byte_length`] has sized.
    pub fn format(bytes: &mut [u8], layout: Layout) -> Result<(), BlockError> {
        let actual = bytes.len();
        let expected = layout.byte_length();
        let header = bytes.get_mut(..HEADER_BYTES).and_then(|h| bytemuck::try_cast_slice_mut::<u8, u32>(h).ok());
        let (true, Some(header)) = (actual >= expected, header) else {
            return Err(BlockError::Bytes { expected, actual });
        };
        header.fill(0);
        header[CAPACITY] = layout.capacity;
        header[COLUMNS] = layout.columns.bits();
        Ok(())
    }

    /// Opens a block whose header says capacity, columns and the rows that it holds already.
    pub fn open(bytes: &'a mut [u8]) -> Result<Self, BlockError> {
        let actual = bytes.len();
        let short = BlockError::Bytes { expected: HEADER_BYTES, actual };
        let (header, body) = bytes.split_at_mut_checked(HEADER_BYTES).ok_or(short)?;
        let header: &mut [u32] = bytemuck::try_cast_slice_mut(header).map_err(|_| short)?;
        let columns = Columns::from_bits(header[COLUMNS])
            .filter(|columns| columns.contains(Columns::REQUIRED))
            .ok_or(BlockError::Columns(header[COLUMNS]))?;
        let layout = Layout { capacity: header[CAPACITY], columns };
        let wrong = BlockError::Bytes { expected: layout.byte_length(), actual };
        if actual < layout.byte_length() {
            return Err(wrong);
        }
        if header[COUNT] > layout.capacity {
            return Err(BlockError::Count { count: header[COUNT], capacity: layout.capacity });
        }
        let mut rest = Cut { body, at: HEADER_BYTES, capacity: layout.capacity as usize };
        let [time, value, signal, flags, seq, idx, rx, raw_time] = layout.offsets();
        Ok(Self {
            capacity: layout.capacity as usize,
            columns,
            len: header[COUNT] as usize,
            present: Columns::from_bits(header[PRESENT]).unwrap_or(Columns::NONE),
            nulls: Columns::from_bits(header[NULLS]).unwrap_or(Columns::NONE),
            header,
            time: rest.column(time).ok_or(wrong)?,
            value: rest.column(value).ok_or(wrong)?,
            signal: rest.column(signal).ok_or(wrong)?,
            flags: rest.column(flags).ok_or(wrong)?,
            seq: rest.column(seq).ok_or(wrong)?,
            idx: rest.column(idx).ok_or(wrong)?,
            rx: rest.column(rx).ok_or(wrong)?,
            raw_time: rest.column(raw_time).ok_or(wrong)?,
        })
    }

    /// Rows that fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Columns for which there is room.
    pub fn columns(&self) -> Columns {
        self.columns
    }

    /// Rows that it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Rows that still fit.
    pub fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Optional columns that some row needs.
    pub fn present(&self) -> Columns {
        self.present
    }

    /// Times as the protocol wrote them, one for every row; empty while no row needs them.
    pub fn raw_time(&self) -> &[u64] {
        let len = if self.present.contains(Columns::RAW_TIME) { self.len } else { 0 };
        &self.raw_time[..len]
    }

    /// Marks optional columns as written by every row from the first on.
    pub fn mark_present(&mut self, columns: Columns) {
        self.present |= columns;
    }

    /// Counts `rows` more, whose columns the caller has written behind [`Block::len`].
    ///
    /// Rows that do not fit are a caller's mistake and are cut off.
    pub fn advance(&mut self, rows: usize) {
        self.len = self.len.saturating_add(rows).min(self.capacity);
    }

    /// Appends one row of the required columns; false when the block is full.
    pub fn push(&mut self, time: i64, value: f64, signal: u32, flags: u32) -> bool {
        let row = self.len;
        if row == self.capacity {
            return false;
        }
        self.time[row] = time;
        self.value[row] = value;
        self.signal[row] = signal;
        self.flags[row] = flags;
        if time == TIME_UNKNOWN {
            self.nulls |= Columns::TIME;
        }
        self.len = row + 1;
        true
    }

    /// Says that some time in the block is [`TIME_UNKNOWN`].
    pub fn mark_unknown_time(&mut self) {
        self.nulls |= Columns::TIME;
    }

    /// Writes the raw time of a row that `time` cannot hold. The column then counts for the whole block: `before` gives
    /// the raw time of each earlier row from its `time`.
    pub fn set_raw_time(&mut self, row: usize, raw: u64, before: impl Fn(i64) -> u64) {
        if row >= self.raw_time.len() {
            return;
        }
        if !self.present.contains(Columns::RAW_TIME) {
            self.present |= Columns::RAW_TIME;
            for (raw, &time) in self.raw_time[..row].iter_mut().zip(&*self.time) {
                *raw = before(time);
            }
        }
        self.raw_time[row] = raw;
    }

    /// Whether rows have to write their raw time because an earlier one needed it.
    pub fn wants_raw_time(&self) -> bool {
        self.present.contains(Columns::RAW_TIME)
    }

    /// Writes count, status, bytes consumed of the chunk and the offset of an error into the header.
    pub fn close(self, status: Status, consumed: usize, error_offset: usize) {
        self.header[COUNT] = self.len as u32;
        self.header[PRESENT] = self.present.bits();
        self.header[NULLS] = self.nulls.bits();
        self.header[STATUS] = status as u32;
        self.header[CONSUMED] = consumed as u32;
        self.header[ERROR_OFFSET] = error_offset as u32;
    }
}

/// Cuts a body into columns from front to back.
struct Cut<'a> {
    body: &'a mut [u8],
    at: usize,
    capacity: usize,
}

impl<'a> Cut<'a> {
    /// The column at `offset`, empty where there is none; `None` if the bytes are not aligned for its type.
    fn column<T: bytemuck::Pod>(&mut self, offset: Option<usize>) -> Option<&'a mut [T]> {
        let Some(offset) = offset else {
            return Some(&mut []);
        };
        let (_, body) = core::mem::take(&mut self.body).split_at_mut(offset - self.at);
        let bytes = self.capacity * size_of::<T>();
        let (column, rest) = body.split_at_mut(bytes);
        self.body = rest;
        self.at = offset + bytes;
        bytemuck::try_cast_slice_mut(column).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aligned(bytes: usize) -> Vec<u64> {
        vec![0; bytes.div_ceil(8)]
    }

    #[test]
    fn rows_survive_close_and_open() {
        let layout = Layout { capacity: 3, columns: Columns::REQUIRED | Columns::RAW_TIME };
        let mut memory = aligned(layout.byte_length());
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let mut block = Block::open(bytes).unwrap();
        assert!(block.push(10, 1.5, 7, 0));
        assert!(block.push(TIME_UNKNOWN, -0.0, 8, 1));
        block.set_raw_time(1, 99, |time| time as u64 + 1);
        block.close(Status::Control, 12, 0);
        let mut block = Block::open(bytes).unwrap();
        assert_eq!((block.len(), block.room()), (2, 1));
        assert_eq!(block.raw_time(), [11, 99]);
        assert!(block.push(1, 0.0, 0, 0));
        assert!(!block.push(1, 0.0, 0, 0));
        assert_eq!(block.header[NULLS], Columns::TIME.bits());
        assert_eq!(block.header[STATUS], Status::Control as u32);
    }

    #[test]
    fn a_lying_header_is_refused() {
        let layout = Layout { capacity: 3, columns: Columns::REQUIRED };
        let mut memory = aligned(layout.byte_length());
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        bytes[COUNT * 4] = 4;
        assert_eq!(Block::open(bytes).unwrap_err(), BlockError::Count { count: 4, capacity: 3 });
        bytes[COLUMNS * 4] = 1;
        assert_eq!(Block::open(bytes).unwrap_err(), BlockError::Columns(1));
        assert!(matches!(Block::open(&mut bytes[..40]).unwrap_err(), BlockError::Bytes { .. }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut words in proptest::collection::vec(any::<u64>(), 0..64)) {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
            if let Ok(block) = Block::open(bytes) {
                prop_assert!(block.len() <= block.capacity());
            }
        }
    }
}
