use thiserror::Error;

use crate::message::Header;
use crate::reader::Reader;
use crate::{Fault, Limits, Malformed, MessageType};

const HEADER_BYTES: usize = 64;
/// Bytes of a record's columns: sequence, tags begin, tags length, blocks up to its end.
const RECORD_BYTES: usize = 8 + 4 + 4 + 4;
/// Bytes of a block's columns: begin, length.
const BLOCK_BYTES: usize = 4 + 4;

// Words of the header.
const RECORD_CAPACITY: usize = 0;
const BLOCK_CAPACITY: usize = 1;
const RECORDS: usize = 2;
const BLOCKS: usize = 3;
const KIND: usize = 4;
const SENDER_OFFSET: usize = 5;
const SENDER_LENGTH: usize = 6;
const TRAILING: usize = 7;
/// 1 where the records are numbered one after another, so that a reader need not look at each.
const CONSECUTIVE: usize = 8;
/// Bytes of all blocks, two words.
const PAYLOAD: usize = 9;

/// Why bytes are not an index.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("an index of {records} records and {blocks} blocks takes {expected} bytes aligned to 8, not {actual}")]
pub struct IndexError {
    /// Records that the header says.
    pub records: u32,
    /// Blocks that the header says.
    pub blocks: u32,
    /// Bytes that they need.
    pub expected: usize,
    /// Bytes given.
    pub actual: usize,
}

/// Where the records of one message stand: columns in memory that somebody else owns (in Node.js an `ArrayBuffer`).
///
/// All offsets count from the message's begin. Record `r` has the blocks `block_end[r - 1] .. block_end[r]`.
#[derive(Debug)]
pub struct MessageIndex<'a> {
    header: &'a mut [u32],
    /// Sequence numbers.
    pub sequence: &'a mut [u64],
    /// Where each record's tags (an encoded map) begin.
    pub tags_offset: &'a mut [u32],
    /// Bytes of each record's tags.
    pub tags_length: &'a mut [u32],
    /// Blocks of all records up to and with this one.
    pub block_end: &'a mut [u32],
    /// Where each block begins.
    pub block_offset: &'a mut [u32],
    /// Bytes of each block.
    pub block_length: &'a mut [u32],
}

impl<'a> MessageIndex<'a> {
    /// Bytes that an index of so many records and blocks takes.
    pub const fn byte_length(records: u32, blocks: u32) -> usize {
        HEADER_BYTES + RECORD_BYTES * records as usize + BLOCK_BYTES * blocks as usize
    }

    /// Writes the header of an empty index.
    pub fn format(bytes: &mut [u8], records: u32, blocks: u32) -> Result<(), IndexError> {
        let (actual, expected) = (bytes.len(), Self::byte_length(records, blocks));
        let header = bytes.get_mut(..HEADER_BYTES).and_then(|h| bytemuck::try_cast_slice_mut::<u8, u32>(h).ok());
        let (true, Some(header)) = (actual >= expected, header) else {
            return Err(IndexError { records, blocks, expected, actual });
        };
        header.fill(0);
        header[RECORD_CAPACITY] = records;
        header[BLOCK_CAPACITY] = blocks;
        Ok(())
    }

    /// Opens an index whose header says how much fits.
    pub fn open(bytes: &'a mut [u8]) -> Result<Self, IndexError> {
        let actual = bytes.len();
        let word =
            |index: usize| bytes.get(4 * index..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b));
        let (records, blocks) = (word(RECORD_CAPACITY), word(BLOCK_CAPACITY));
        let error = IndexError { records, blocks, expected: Self::byte_length(records, blocks), actual };
        let (head, rest) = bytes.split_at_mut_checked(HEADER_BYTES).ok_or(error)?;
        let (sequence, rest) = rest.split_at_mut_checked(8 * records as usize).ok_or(error)?;
        let rest =
            rest.get_mut(..(RECORD_BYTES - 8) * records as usize + BLOCK_BYTES * blocks as usize).ok_or(error)?;
        let words = bytemuck::try_cast_slice_mut::<u8, u32>(rest).map_err(|_| error)?;
        let (tags_offset, words) = words.split_at_mut(records as usize);
        let (tags_length, words) = words.split_at_mut(records as usize);
        let (block_end, words) = words.split_at_mut(records as usize);
        let (block_offset, block_length) = words.split_at_mut(blocks as usize);
        Ok(Self {
            header: bytemuck::try_cast_slice_mut(head).map_err(|_| error)?,
            sequence: bytemuck::try_cast_slice_mut(sequence).map_err(|_| error)?,
            tags_offset,
            tags_length,
            block_end,
            block_offset,
            block_length,
        })
    }

    /// Records in it.
    pub fn records(&self) -> usize {
        (self.header[RECORDS] as usize).min(self.sequence.len())
    }

    /// Blocks in it.
    pub fn blocks(&self) -> usize {
        (self.header[BLOCKS] as usize).min(self.block_offset.len())
    }

    /// What the message is.
    pub fn kind(&self) -> MessageType {
        MessageType::from_wire(u64::from(self.header[KIND])).unwrap_or(MessageType::Data)
    }

    /// Where the sender's name begins, and its bytes.
    pub fn sender(&self) -> (u32, u32) {
        (self.header[SENDER_OFFSET], self.header[SENDER_LENGTH])
    }

    /// Bytes behind the message's last value, which no peer minds.
    pub fn trailing(&self) -> u32 {
        self.header[TRAILING]
    }

    /// Whether each record's number is one above the number before.
    pub fn is_consecutive(&self) -> bool {
        self.header[CONSECUTIVE] == 1
    }

    /// The sequence numbers of the records in it.
    pub fn sequences(&self) -> &[u64] {
        &self.sequence[..self.records()]
    }

    /// Where the blocks of a record stand in the columns of blocks.
    pub fn blocks_of(&self, record: usize) -> std::ops::Range<usize> {
        let bound = |at: usize| self.block_end.get(at).map_or(0, |end| (*end as usize).min(self.blocks()));
        let start = if record == 0 { 0 } else { bound(record - 1) };
        start..bound(record).max(start)
    }

    fn clear(&mut self) {
        self.header[RECORDS..].fill(0);
    }
}

/// How a call of [`Indexer::index`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All records are in the index.
    Done,
    /// The index is full: read it and call again with the same message.
    Full,
}

/// Turns messages into indexes; goes on inside a message whose records do not fit one index.
///
/// A message is checked to its end before its first record is given: a malformed one gives none.
#[derive(Debug, Default)]
pub struct Indexer {
    limits: Limits,
    /// Where the next record begins and how many are to come; 0 where the next call begins a message.
    position: usize,
    remaining: u32,
}

impl Indexer {
    /// An indexer that refuses what is beyond the limits.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, position: 0, remaining: 0 }
    }

    /// Fills the index with the message's records, from where the call before ended with [`Outcome::Full`].
    pub fn index(&mut self, message: &[u8], index: &mut MessageIndex<'_>) -> Result<Outcome, Malformed> {
        let result = self.fill(message, index);
        if !matches!(result, Ok(Outcome::Full)) {
            (self.position, self.remaining) = (0, 0);
        }
        if result.is_err() {
            index.clear();
        }
        result
    }

    fn fill(&mut self, message: &[u8], index: &mut MessageIndex<'_>) -> Result<Outcome, Malformed> {
        index.clear();
        let header = Header::read(message, self.limits)?;
        if self.position == 0 {
            (self.position, self.remaining) = (header.body, header.records);
            if header.records as usize > index.sequence.len() {
                self.check(message, index.block_offset.len(), header.records)?;
            }
        }
        let mut reader = Reader::at(message, self.position);
        let depth = self.limits.depth;
        let capacity = index.block_offset.len();
        let (mut records, mut blocks, mut payload) = (0, 0, 0_u64);
        let mut consecutive = true;
        let mut expected = None;
        let columns = index
            .sequence
            .iter_mut()
            .zip(&mut *index.tags_offset)
            .zip(&mut *index.tags_length)
            .zip(&mut *index.block_end);
        for (((sequence, tags_offset), tags_length), block_end) in columns {
            if self.remaining == 0 {
                break;
            }
            let record = RecordHead::read(&mut reader, depth)?;
            let spans = index
                .block_offset
                .get_mut(blocks..)
                .unwrap_or_default()
                .iter_mut()
                .zip(index.block_length.get_mut(blocks..).unwrap_or_default());
            if record.blocks as usize > capacity {
                return Err(reader.fault(Fault::BlockLimit(record.blocks)));
            }
            if record.blocks as usize > capacity - blocks {
                break;
            }
            for (offset, length) in spans.take(record.blocks as usize) {
                let (begin, bytes) = reader.block()?;
                (*offset, *length) = (begin as u32, bytes);
                payload += u64::from(bytes);
            }
            blocks += record.blocks as usize;
            (*sequence, *tags_offset, *tags_length, *block_end) =
                (record.sequence, record.tags_offset as u32, record.tags_length as u32, blocks as u32);
            consecutive &= expected.is_none_or(|number| number == record.sequence);
            expected = Some(record.sequence.wrapping_add(1));
            records += 1;
            self.remaining -= 1;
            self.position = reader.position();
        }
        let is_done = self.remaining == 0;
        let words = &mut index.header;
        words[RECORDS] = records;
        words[BLOCKS] = blocks as u32;
        words[KIND] = header.kind as u32;
        words[SENDER_OFFSET] = header.sender.0 as u32;
        words[SENDER_LENGTH] = header.sender.1 as u32;
        words[TRAILING] = if is_done { (message.len() - self.position) as u32 } else { 0 };
        words[CONSECUTIVE] = u32::from(consecutive);
        words[PAYLOAD] = payload as u32;
        words[PAYLOAD + 1] = (payload >> 32) as u32;
        Ok(if is_done { Outcome::Done } else { Outcome::Full })
    }

    /// Checks all records of a message that needs several indexes.
    fn check(&self, message: &[u8], capacity: usize, records: u32) -> Result<(), Malformed> {
        let mut reader = Reader::at(message, self.position);
        for _ in 0..records {
            let record = RecordHead::read(&mut reader, self.limits.depth)?;
            if record.blocks as usize > capacity {
                return Err(reader.fault(Fault::BlockLimit(record.blocks)));
            }
            for _ in 0..record.blocks {
                reader.block()?;
            }
        }
        Ok(())
    }
}

/// A record up to its blocks.
struct RecordHead {
    sequence: u64,
    tags_offset: usize,
    tags_length: usize,
    blocks: u32,
}

impl RecordHead {
    #[inline]
    fn read(reader: &mut Reader<'_>, depth: u32) -> Result<Self, Malformed> {
        let start = reader.position();
        let fields = reader.array()?;
        if fields != 3 {
            return Err(Malformed { offset: start, fault: Fault::RecordFields(fields) });
        }
        let sequence = reader.unsigned()?;
        let tags_offset = reader.position();
        reader.skip_map(depth)?;
        let tags_length = reader.position() - tags_offset;
        Ok(Self { sequence, tags_offset, tags_length, blocks: reader.array()? })
    }
}
