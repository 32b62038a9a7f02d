use crate::Block;
use crate::packet::{FIXED_V3, u64_at};
use crate::samples::copy_run;

/// Bytes in front of the columns.
const HEADER_BYTES: usize = 64;
const ALIGNMENT: usize = 64;
const PACKETS: usize = 0;
const SAMPLES: usize = 1;
const WORDS: usize = 2;
const COUNT: usize = 3;
const SAMPLE_COUNT: usize = 4;
const WORD_COUNT: usize = 5;
const STATUS: usize = 6;
const CONSUMED: usize = 7;
const ERROR_OFFSET: usize = 8;
const WANTED: usize = 9;
/// Words of the largest layout.
const LAYOUT_WORDS: u32 = 2 + 2 * 32;
/// Earlier layouts of a block that a new packet is compared with.
const RECENT: usize = 8;

/// Room of a packet block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PacketLayout {
    /// Packets that fit.
    pub packets: u32,
    /// Samples that fit.
    pub samples: u32,
    /// Words for layouts that fit, at least 66: the largest layout.
    pub words: u32,
}

impl PacketLayout {
    /// Byte offsets of packet ids, connection packet numbers, timestamps, sample ends, layout rows, layout words and
    /// samples, then the end.
    pub fn offsets(self) -> [usize; 8] {
        let packets = self.packets as usize;
        let mut end = HEADER_BYTES;
        let mut offsets = [0; 8];
        let sizes = [8 * packets, 8 * packets, 8 * packets, 4 * packets, 4 * packets];
        let rest = [4 * self.words as usize, 4 * self.samples as usize, 0];
        for (offset, size) in offsets.iter_mut().zip(sizes.into_iter().chain(rest)) {
            *offset = end;
            end += size.next_multiple_of(ALIGNMENT);
        }
        offsets
    }

    /// Bytes of a whole block.
    pub fn byte_length(self) -> usize {
        self.offsets()[7]
    }
}

/// Why bytes are not a packet block.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketBlockError {
    /// The bytes are too few for the header's room, not aligned to 8, or the room is too small.
    #[error("a packet block of this room has {expected} bytes aligned to 8, not {actual}")]
    Bytes {
        /// Bytes that the room needs.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// It counts more than fits.
    #[error("the packet block counts more than fits")]
    Count,
}

/// What version 3 packets of one layout have in common, and the id that comes next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alike<'a> {
    /// Version, size and flags, as on the wire.
    pub(crate) head: [u8; 9],
    /// Channels and block sizes, as on the wire.
    pub(crate) variable: &'a [u8],
    /// Samples of a packet, at least 1.
    pub(crate) samples: usize,
    pub(crate) next_id: u64,
}

/// Packets in memory that somebody else owns: columns of header fields, and the samples of all packets as one array of
/// 32-bit floats, channel after channel.
///
/// Header words (u32): 0 packets, 1 samples, 2 layout words that fit; 3 packets, 4 samples, 5 layout words in it;
/// 6 status as in [`measurand_columns::Status`], 7 bytes consumed, 8 offset of an error, 9 samples that the next packet
/// needs where it fits into no block of this room. A layout is its flags, its number n of blocks, then for each block
/// its bit and `channels | blocksize << 16`; a packet's layout row is the word at which its layout starts.
#[derive(Debug)]
pub struct PacketBlock<'a> {
    header: &'a mut [u32],
    room: PacketLayout,
    count: usize,
    sample_count: usize,
    word_count: usize,
    packet_id: &'a mut [u64],
    connection_packet_number: &'a mut [u64],
    timestamp: &'a mut [u64],
    sample_end: &'a mut [u32],
    layout: &'a mut [u32],
    words: &'a mut [u32],
    samples: &'a mut [u8],
    recent: [(u64, u32); RECENT],
    recent_at: usize,
}

impl<'a> PacketBlock<'a> {
    /// Writes the header of an empty block.
    pub fn format(bytes: &mut [u8], room: PacketLayout) -> Result<(), PacketBlockError> {
        let wrong = PacketBlockError::Bytes { expected: room.byte_length(), actual: bytes.len() };
        if bytes.len() < room.byte_length() || room.words < LAYOUT_WORDS || room.packets == 0 {
            return Err(wrong);
        }
        let header = bytes.get_mut(..HEADER_BYTES).ok_or(wrong)?;
        let header: &mut [u32] = bytemuck::try_cast_slice_mut(header).map_err(|_| wrong)?;
        header.fill(0);
        (header[PACKETS], header[SAMPLES], header[WORDS]) = (room.packets, room.samples, room.words);
        Ok(())
    }

    /// Opens a block for appending.
    pub fn open(bytes: &'a mut [u8]) -> Result<Self, PacketBlockError> {
        let actual = bytes.len();
        let short = PacketBlockError::Bytes { expected: HEADER_BYTES, actual };
        let (header, body) = bytes.split_at_mut_checked(HEADER_BYTES).ok_or(short)?;
        let header: &mut [u32] = bytemuck::try_cast_slice_mut(header).map_err(|_| short)?;
        let room = PacketLayout { packets: header[PACKETS], samples: header[SAMPLES], words: header[WORDS] };
        let wrong = PacketBlockError::Bytes { expected: room.byte_length(), actual };
        if actual < room.byte_length() || room.words < LAYOUT_WORDS {
            return Err(wrong);
        }
        if header[COUNT] > room.packets || header[SAMPLE_COUNT] > room.samples || header[WORD_COUNT] > room.words {
            return Err(PacketBlockError::Count);
        }
        let packets = room.packets as usize;
        let mut cut = Cut(body);
        let mut opened = Self {
            room,
            count: header[COUNT] as usize,
            sample_count: header[SAMPLE_COUNT] as usize,
            word_count: header[WORD_COUNT] as usize,
            header,
            packet_id: cut.column(packets).ok_or(wrong)?,
            connection_packet_number: cut.column(packets).ok_or(wrong)?,
            timestamp: cut.column(packets).ok_or(wrong)?,
            sample_end: cut.column(packets).ok_or(wrong)?,
            layout: cut.column(packets).ok_or(wrong)?,
            words: cut.column(room.words as usize).ok_or(wrong)?,
            samples: cut.column(4 * room.samples as usize).ok_or(wrong)?,
            recent: [(0, 0); RECENT],
            recent_at: 0,
        };
        // The newest layout is looked up by its words, whatever its generation was.
        if let Some(&layout) = opened.count.checked_sub(1).and_then(|row| opened.layout.get(row)) {
            opened.recent[0] = (u64::MAX, layout);
        }
        Ok(opened)
    }

    /// Packets in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds no packet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Samples in it, as little-endian 32-bit floats.
    pub fn samples(&self) -> &[u8] {
        &self.samples[..4 * self.sample_count]
    }

    /// Ids of the packets in it.
    pub fn packet_ids(&self) -> &[u64] {
        &self.packet_id[..self.count]
    }

    /// Appends a packet whose samples `fill` writes; false where it does not fit. `generation` changes with `blocks`.
    #[inline]
    pub(crate) fn push(
        &mut self,
        header: &crate::PacketHeader,
        blocks: &[Block],
        generation: u64,
        samples: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> bool {
        let row = self.count;
        let end = self.sample_count + samples;
        if row == self.packet_id.len() || end > self.room.samples as usize {
            return false;
        }
        let Some(layout) = self.layout_row(header.flags, blocks, generation) else { return false };
        self.packet_id[row] = header.packet_id;
        self.connection_packet_number[row] = header.connection_packet_number;
        self.timestamp[row] = header.timestamp;
        self.sample_end[row] = end as u32;
        self.layout[row] = layout;
        fill(&mut self.samples[4 * self.sample_count..4 * end]);
        self.sample_count = end;
        self.count = row + 1;
        true
    }

    /// Appends the packets at the front that are like the newest one and follow it, as many as fit; gives how many.
    ///
    /// One loop over equal pieces instead of a look at each packet: twice as fast for small ones.
    pub(crate) fn push_alike(&mut self, bytes: &[u8], alike: &Alike<'_>) -> usize {
        let Alike { head, variable, samples, next_id } = *alike;
        let Some(&layout) = self.count.checked_sub(1).and_then(|row| self.layout.get(row)) else { return 0 };
        let room = (self.room.samples as usize - self.sample_count).checked_div(samples).unwrap_or(0);
        let first = self.count;
        let rows = room.min(self.packet_id.len() - first);
        let ids = self.packet_id[first..first + rows].iter_mut();
        let numbers = self.connection_packet_number[first..first + rows].iter_mut();
        let times = self.timestamp[first..first + rows].iter_mut();
        let places = self.samples[4 * self.sample_count..].chunks_exact_mut((4 * samples).max(1));
        let packets = bytes.chunks_exact(FIXED_V3 + variable.len() + 4 * samples);
        let mut taken = 0;
        for (packet, (((id, number), time), place)) in packets.zip(ids.zip(numbers).zip(times).zip(places)) {
            let Some((fixed, rest)) = packet.split_first_chunk::<FIXED_V3>() else { break };
            let Some((shapes, from)) = rest.split_at_checked(variable.len()) else { break };
            let packet_id = u64_at(fixed, 9);
            if fixed.first_chunk() != Some(&head) || shapes != variable || packet_id != next_id + taken as u64 {
                break;
            }
            *id = packet_id;
            *number = u64_at(fixed, 17);
            *time = u64_at(fixed, 25);
            copy_run(from, place);
            taken += 1;
        }
        let ends = self.sample_end[first..first + taken].iter_mut();
        ends.zip(1..).for_each(|(end, packets)| *end = (self.sample_count + packets * samples) as u32);
        self.layout[first..first + taken].fill(layout);
        self.sample_count += taken * samples;
        self.count += taken;
        taken
    }

    /// Says how many samples the next packet needs.
    pub(crate) fn want(&mut self, samples: usize) {
        self.header[WANTED] = if samples > self.room.samples as usize { samples as u32 } else { 0 };
    }

    /// Writes counts, status, bytes consumed of the chunk and the offset of an error into the header.
    pub fn close(self, status: measurand_columns::Status, consumed: usize, error_offset: usize) {
        self.header[COUNT] = self.count as u32;
        self.header[SAMPLE_COUNT] = self.sample_count as u32;
        self.header[WORD_COUNT] = self.word_count as u32;
        self.header[STATUS] = status as u32;
        self.header[CONSUMED] = consumed as u32;
        self.header[ERROR_OFFSET] = error_offset as u32;
    }

    #[inline]
    fn layout_row(&mut self, flags: u32, blocks: &[Block], generation: u64) -> Option<u32> {
        let newest = self.recent[self.recent_at];
        if newest.0 == generation {
            return Some(newest.1);
        }
        self.other_layout_row(flags, blocks, generation)
    }

    #[cold]
    fn other_layout_row(&mut self, flags: u32, blocks: &[Block], generation: u64) -> Option<u32> {
        let shape = |block: &Block| u32::from(block.channels) | u32::from(block.blocksize) << 16;
        let wanted = || {
            let pairs = blocks.iter().flat_map(|block| [u32::from(block.bit), shape(block)]);
            [flags, blocks.len() as u32].into_iter().chain(pairs)
        };
        let length = 2 + 2 * blocks.len();
        let known = self.recent.iter().filter(|recent| recent.0 != 0).map(|recent| recent.1).find(|&start| {
            let start = start as usize;
            self.words.get(start..start + length).is_some_and(|words| words.iter().copied().eq(wanted()))
        });
        let row = if let Some(row) = known {
            row
        } else {
            let start = self.word_count;
            let place = self.words.get_mut(start..start + length)?;
            place.iter_mut().zip(wanted()).for_each(|(word, wanted)| *word = wanted);
            self.word_count = start + length;
            start as u32
        };
        self.recent_at = (self.recent_at + 1) % RECENT;
        self.recent[self.recent_at] = (generation, row);
        Some(row)
    }
}

/// Cuts a body into columns, each padded to the alignment.
struct Cut<'a>(&'a mut [u8]);

impl<'a> Cut<'a> {
    fn column<T: bytemuck::Pod>(&mut self, rows: usize) -> Option<&'a mut [T]> {
        let bytes = rows * size_of::<T>();
        let body = core::mem::take(&mut self.0);
        let (column, rest) = body.split_at_mut_checked(bytes.next_multiple_of(ALIGNMENT))?;
        self.0 = rest;
        bytemuck::try_cast_slice_mut(column.get_mut(..bytes)?).ok()
    }
}
