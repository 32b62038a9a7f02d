use crate::packet::{
    Block, FIXED_V2, FIXED_V3, PacketError, PacketHeader, blocks_v3, check_size, read_head_v2, read_header_v3,
};
use crate::packet_block::Alike;

/// Which packets are on a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Version {
    /// Version 3, which goes with the control protocol 1.0.
    #[default]
    V3,
    /// The older version 2.
    V2,
    /// Told by the first packet: version 3 if it is a whole one, else version 2.
    Auto,
}

/// Order of a block's samples on the wire; decoders always give channel after channel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SampleOrder {
    /// All samples of channel 1, then of channel 2: libtia, pytia, pytiaclient.
    #[default]
    ChannelMajor,
    /// All channels of sample 1, then of sample 2: eegdev.
    SampleMajor,
}

/// How a connection's bytes are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FramerOptions {
    /// Whether the chunks are datagrams, each behind its length as a little-endian u16.
    pub datagrams: bool,
    /// Bytes of a packet at most; libtia's own buffer has 8 MiB, which is the default.
    pub limit: usize,
    /// Order of the samples on the wire.
    pub order: SampleOrder,
    /// Packet version.
    pub version: Version,
}

impl Default for FramerOptions {
    fn default() -> Self {
        Self { datagrams: false, limit: 8 << 20, order: SampleOrder::default(), version: Version::default() }
    }
}

/// The packet at the front, whose header and shapes are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) header: PacketHeader,
    /// Bytes before the samples.
    pub(crate) prefix: usize,
    /// Samples of all blocks.
    pub(crate) samples: usize,
    gathered: bool,
}

/// Cuts chunks into packets. Bytes of a packet that spans chunks are gathered, others stay where they are.
///
/// `partial` is empty or holds the front of one packet; a whole packet stays there until [`Framer::advance`].
#[derive(Debug)]
pub(crate) struct Framer {
    options: FramerOptions,
    partial: Vec<u8>,
    blocks: Vec<Block>,
    /// Flags and variable part of the packet that `blocks` describes.
    flags: u32,
    variable: Vec<u8>,
    samples: usize,
    version: Version,
    /// Counts the changes of `blocks`.
    generation: u64,
}

/// How much of a packet is there.
enum Measure {
    Need(usize),
    Whole(Head),
}

impl Framer {
    pub(crate) fn new(options: FramerOptions) -> Self {
        Self {
            version: options.version,
            options,
            partial: Vec::new(),
            blocks: Vec::new(),
            flags: 0,
            variable: Vec::new(),
            samples: 0,
            generation: 0,
        }
    }

    pub(crate) fn options(&self) -> &FramerOptions {
        &self.options
    }

    /// Shapes of the packet that [`Framer::next`] gave last.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Changes when [`Framer::blocks`] does.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The version of the packets, once it is known.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Bytes gathered of a packet that is not whole yet.
    pub(crate) fn pending(&self) -> usize {
        self.partial.len()
    }

    /// The packet at `at`, or `None` after taking the rest of the chunk.
    #[inline]
    pub(crate) fn next(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Head>, PacketError> {
        if self.options.datagrams {
            return self.next_datagram(chunk, at);
        }
        if !self.partial.is_empty() {
            return self.next_gathered(chunk, at);
        }
        let rest = chunk.get(*at..).unwrap_or(&[]);
        match self.measure(rest)? {
            Measure::Whole(head) => Ok(Some(head)),
            Measure::Need(_) => {
                self.partial.extend_from_slice(rest);
                *at = chunk.len();
                Ok(None)
            }
        }
    }

    /// The bytes of the packet that [`Framer::next`] gave.
    #[inline]
    pub(crate) fn bytes<'a>(&'a self, head: &Head, chunk: &'a [u8], at: usize) -> &'a [u8] {
        let size = head.header.size as usize;
        if head.gathered {
            return &self.partial;
        }
        let start = at + if self.options.datagrams { 2 } else { 0 };
        chunk.get(start..start + size).unwrap_or(&[])
    }

    /// What packets like the one that [`Framer::next`] gave have in common, where they lie whole in a stream's chunk
    /// and their samples as they are to be.
    #[inline]
    pub(crate) fn alike(&self, head: &Head) -> Option<Alike<'_>> {
        let FramerOptions { datagrams, order, .. } = self.options;
        if datagrams || order != SampleOrder::ChannelMajor || head.header.version != 3 || head.samples == 0 {
            return None;
        }
        let mut start = [3; 9];
        start[1..5].copy_from_slice(&head.header.size.to_le_bytes());
        start[5..].copy_from_slice(&head.header.flags.to_le_bytes());
        let next_id = head.header.packet_id.checked_add(1)?;
        Some(Alike { head: start, variable: &self.variable, samples: head.samples, next_id })
    }

    /// Goes behind the packet that [`Framer::next`] gave.
    #[inline]
    pub(crate) fn advance(&mut self, head: &Head, at: &mut usize) {
        if head.gathered {
            self.partial.clear();
            return;
        }
        *at += head.header.size as usize + if self.options.datagrams { 2 } else { 0 };
    }

    /// Goes behind the datagram at `at`, whatever it holds.
    pub(crate) fn skip_datagram(chunk: &[u8], at: &mut usize) {
        let length =
            chunk.get(*at..).and_then(|rest| rest.first_chunk()).map_or(0, |&length| u16::from_le_bytes(length));
        *at = (*at + 2 + usize::from(length)).min(chunk.len());
    }

    /// Header times of the whole packets from `at` on: the first, the greatest, and how many come after the first.
    pub(crate) fn times(&self, head: &Head, chunk: &[u8], at: usize) -> (u64, u64, u64) {
        let first = head.header.timestamp;
        let (mut last, mut steps) = (first, 0);
        if self.options.datagrams || head.header.version != 3 {
            return (first, last, steps);
        }
        let mut at = if head.gathered { at } else { at + head.header.size as usize };
        while let Ok(Some(header)) = read_header_v3(chunk.get(at..).unwrap_or(&[]), self.options.limit) {
            at += header.size as usize;
            if at > chunk.len() {
                break;
            }
            last = last.max(header.timestamp);
            steps += 1;
        }
        (first, last, steps)
    }

    #[cold]
    fn next_gathered(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Head>, PacketError> {
        loop {
            let partial = core::mem::take(&mut self.partial);
            let measured = self.measure(&partial);
            self.partial = partial;
            match measured? {
                Measure::Whole(head) => return Ok(Some(Head { gathered: true, ..head })),
                Measure::Need(total) => {
                    let missing = total.saturating_sub(self.partial.len());
                    let rest = chunk.get(*at..).unwrap_or(&[]);
                    let take = missing.min(rest.len());
                    self.partial.extend_from_slice(rest.get(..take).unwrap_or(&[]));
                    *at += take;
                    if take < missing || take == 0 {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn next_datagram(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Head>, PacketError> {
        let rest = chunk.get(*at..).unwrap_or(&[]);
        let Some((&length, rest)) = rest.split_first_chunk::<2>() else {
            *at = chunk.len();
            return Ok(None);
        };
        let actual = usize::from(u16::from_le_bytes(length));
        let datagram = rest.get(..actual).unwrap_or(rest);
        match self.measure(datagram)? {
            Measure::Whole(head) if head.header.size as usize == actual => Ok(Some(head)),
            Measure::Whole(head) => Err(PacketError::Datagram { expected: head.header.size as usize, actual }),
            Measure::Need(expected) => Err(PacketError::Datagram { expected, actual }),
        }
    }

    #[inline]
    fn measure(&mut self, bytes: &[u8]) -> Result<Measure, PacketError> {
        match self.version {
            Version::V3 => self.measure_v3(bytes),
            Version::V2 => self.measure_v2(bytes),
            Version::Auto => self.measure_first(bytes),
        }
    }

    #[cold]
    fn measure_first(&mut self, bytes: &[u8]) -> Result<Measure, PacketError> {
        let as_v3 = self.measure_v3(bytes);
        if let Ok(Measure::Whole(_)) = as_v3 {
            self.version = Version::V3;
            return as_v3;
        }
        match self.measure_v2(bytes) {
            Ok(Measure::Whole(head)) => {
                self.version = Version::V2;
                Ok(Measure::Whole(head))
            }
            Ok(Measure::Need(need)) => match as_v3 {
                Ok(Measure::Need(other)) => Ok(Measure::Need(need.min(other))),
                _ => Ok(Measure::Need(need)),
            },
            Err(_) => as_v3,
        }
    }

    #[inline]
    fn measure_v3(&mut self, bytes: &[u8]) -> Result<Measure, PacketError> {
        let Some(header) = read_header_v3(bytes, self.options.limit)? else { return Ok(Measure::Need(FIXED_V3)) };
        let prefix = FIXED_V3 + 4 * header.flags.count_ones() as usize;
        let Some(variable) = bytes.get(FIXED_V3..prefix) else { return Ok(Measure::Need(prefix)) };
        // A layout that repeats is not read again.
        if self.generation == 0 || header.flags != self.flags || !is_same(variable, &self.variable) {
            let blocks = blocks_v3(header.flags, variable);
            check_size(&header, &blocks)?;
            self.remember(header.flags, variable, blocks);
        }
        let samples = self.samples;
        let size = prefix + 4 * samples;
        if size != header.size as usize {
            return Err(PacketError::Layout { size: u64::from(header.size), layout: size as u64 });
        }
        if bytes.len() < size {
            return Ok(Measure::Need(size));
        }
        Ok(Measure::Whole(Head { header, prefix, samples, gathered: false }))
    }

    fn measure_v2(&mut self, bytes: &[u8]) -> Result<Measure, PacketError> {
        let Some((header, blocks)) = read_head_v2(bytes, self.options.limit)? else {
            let flags = bytes.first_chunk().map_or(0, |&head| u32::from_le_bytes(head)) & 0x003F_FFFF;
            return Ok(Measure::Need(FIXED_V2 + 4 * flags.count_ones() as usize));
        };
        let prefix = FIXED_V2 + 4 * blocks.len();
        if bytes.len() < header.size as usize {
            return Ok(Measure::Need(header.size as usize));
        }
        let variable = bytes.get(FIXED_V2..prefix).unwrap_or(&[]);
        if self.generation == 0 || header.flags != self.flags || variable != self.variable {
            self.remember(header.flags, variable, blocks);
        }
        Ok(Measure::Whole(Head { header, prefix, samples: self.samples, gathered: false }))
    }

    fn remember(&mut self, flags: u32, variable: &[u8], blocks: Vec<Block>) {
        self.flags = flags;
        self.variable.clear();
        self.variable.extend_from_slice(variable);
        self.samples = blocks.iter().map(|block| block.samples()).sum();
        self.blocks = blocks;
        self.generation += 1;
    }
}

/// Compares variable parts; that of one signal without a call.
#[inline]
fn is_same(variable: &[u8], known: &[u8]) -> bool {
    match (<&[u8; 4]>::try_from(variable), <&[u8; 4]>::try_from(known)) {
        (Ok(variable), Ok(known)) => variable == known,
        _ => variable == known,
    }
}
