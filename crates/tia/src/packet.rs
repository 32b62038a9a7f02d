use crate::SignalType;

/// Bytes of a version 3 packet before its variable part.
pub(crate) const FIXED_V3: usize = 33;
/// Bytes of a version 2 packet before its variable part.
pub(crate) const FIXED_V2: usize = 28;
/// Bits that a version 2 packet's first word has, and those that it may have besides signal flags.
const V2_CODE: u32 = 0x0240_0000;
const V2_VERSIONS: u32 = 0x0C00_0000;
const V2_SIGNALS: u32 = 0x003F_FFFF;

/// The fixed part of a packet.
///
/// Version 2 has other fields: its packet number is `packet_id`, its sample number `connection_packet_number`, and
/// `timestamp` is its opaque time word.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PacketHeader {
    /// 3, or 2.
    pub version: u8,
    /// Bytes of the whole packet.
    pub size: u32,
    /// One bit per block.
    pub flags: u32,
    /// Number of the packet on the server or on the connection: gaps are lost packets.
    pub packet_id: u64,
    /// Number of the packet on this connection.
    pub connection_packet_number: u64,
    /// Time since the server's start, in us (libtia: 10 us).
    pub timestamp: u64,
}

/// Shape of a signal's block in a packet.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Block {
    /// Bit of the signal type.
    pub bit: u8,
    /// Channels.
    pub channels: u16,
    /// Samples per channel.
    pub blocksize: u16,
}

impl Block {
    /// Samples of all channels.
    pub const fn samples(self) -> usize {
        self.channels as usize * self.blocksize as usize
    }
}

/// Why bytes are not a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Version 2 counts values that its number of blocks does not divide.
    #[error("{values} values do not make {blocks} blocks")]
    Blocks {
        /// Values of a signal.
        values: u16,
        /// Blocks of that signal.
        blocks: u16,
    },
    /// The packet is longer than its datagram, or shorter.
    #[error("a datagram of {actual} bytes holds a packet of {expected}")]
    Datagram {
        /// Bytes that the packet needs.
        expected: usize,
        /// Bytes of the datagram.
        actual: usize,
    },
    /// The size field and the layout differ.
    #[error("the size field says {size} bytes, the layout {layout}")]
    Layout {
        /// Bytes that the header says.
        size: u64,
        /// Bytes that flags, channels and block sizes make.
        layout: u64,
    },
    /// More bytes than the reader takes.
    #[error("a packet of {size} bytes is over the limit of {limit}")]
    Limit {
        /// Bytes that the header says.
        size: u64,
        /// Bytes taken at most.
        limit: u64,
    },
    /// Fewer bytes than the header itself has.
    #[error("the size field says {size} bytes, the header alone has {minimum}")]
    Small {
        /// Bytes that the header says.
        size: u64,
        /// Bytes of the header.
        minimum: u64,
    },
    /// Neither version 3 nor 2.
    #[error("packet version {0} is not known")]
    Version(u8),
}

/// A whole packet, read at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet<'a> {
    /// Fixed part.
    pub header: PacketHeader,
    /// Shapes of its blocks, in the order of the samples.
    pub blocks: Vec<Block>,
    /// Samples as little-endian 32-bit floats, block after block, each as it lies on the wire.
    pub samples: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the version 3 packet at the front; `None` where bytes are missing.
    pub fn read(bytes: &'a [u8], limit: usize) -> Result<Option<Self>, PacketError> {
        let Some(header) = read_header_v3(bytes, limit)? else { return Ok(None) };
        let n = header.flags.count_ones() as usize;
        let Some(variable) = bytes.get(FIXED_V3..FIXED_V3 + 4 * n) else { return Ok(None) };
        let blocks = blocks_v3(header.flags, variable);
        check_size(&header, &blocks)?;
        let samples = bytes.get(FIXED_V3 + 4 * n..header.size as usize);
        Ok(samples.map(|samples| Packet { header, blocks, samples }))
    }
}

/// Appends a version 3 packet: samples are little-endian floats, block after block in ascending bits.
///
/// `header.size`, `header.flags` and `header.version` are made from the blocks.
pub fn write_packet(out: &mut Vec<u8>, header: &PacketHeader, blocks: &[Block], samples: &[u8]) {
    let flags = blocks.iter().fold(0_u32, |flags, block| flags | 1 << (block.bit & 31));
    out.reserve(FIXED_V3 + 4 * blocks.len() + samples.len());
    out.extend_from_slice(PacketHead::new(header, flags, blocks, samples.len()).bytes());
    out.extend_from_slice(samples);
}

/// Everything of a packet before its samples.
pub(crate) struct PacketHead {
    bytes: [u8; FIXED_V3 + 4 * 32],
    length: usize,
}

impl PacketHead {
    pub(crate) fn new(header: &PacketHeader, flags: u32, blocks: &[Block], sample_bytes: usize) -> Self {
        let mut head = Self { bytes: [0; FIXED_V3 + 4 * 32], length: 0 };
        let size = FIXED_V3 + 4 * blocks.len() + sample_bytes;
        head.put(&[3]);
        head.put(&(size as u32).to_le_bytes());
        head.put(&flags.to_le_bytes());
        head.put(&header.packet_id.to_le_bytes());
        head.put(&header.connection_packet_number.to_le_bytes());
        head.put(&header.timestamp.to_le_bytes());
        for block in blocks {
            head.put(&block.channels.to_le_bytes());
        }
        for block in blocks {
            head.put(&block.blocksize.to_le_bytes());
        }
        head
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    #[inline]
    fn put(&mut self, field: &[u8]) {
        let end = self.length + field.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(field);
            self.length = end;
        }
    }
}

/// Reads the fixed part of version 3; `None` where bytes are missing.
#[inline]
pub(crate) fn read_header_v3(bytes: &[u8], limit: usize) -> Result<Option<PacketHeader>, PacketError> {
    match bytes.first() {
        None => return Ok(None),
        Some(3) => {}
        Some(&version) => return Err(PacketError::Version(version)),
    }
    let Some(fixed) = bytes.first_chunk::<FIXED_V3>() else { return Ok(None) };
    let header = PacketHeader {
        version: 3,
        size: u32_at(fixed, 1),
        flags: u32_at(fixed, 5),
        packet_id: u64_at(fixed, 9),
        connection_packet_number: u64_at(fixed, 17),
        timestamp: u64_at(fixed, 25),
    };
    let minimum = FIXED_V3 as u64 + 4 * u64::from(header.flags.count_ones());
    let size = u64::from(header.size);
    if size < minimum {
        return Err(PacketError::Small { size, minimum });
    }
    if size > limit as u64 {
        return Err(PacketError::Limit { size, limit: limit as u64 });
    }
    Ok(Some(header))
}

/// Shapes from the variable part of version 3, which has 4 bytes for each set bit.
pub(crate) fn blocks_v3(flags: u32, variable: &[u8]) -> Vec<Block> {
    let (channels, sizes) = variable.split_at(variable.len() / 2);
    let pairs = channels.chunks_exact(2).zip(sizes.chunks_exact(2));
    bits(flags)
        .zip(pairs)
        .map(|(bit, (channels, size))| Block { bit, channels: u16_le(channels), blocksize: u16_le(size) })
        .collect()
}

/// Fails where the size field is not that of the layout.
pub(crate) fn check_size(header: &PacketHeader, blocks: &[Block]) -> Result<(), PacketError> {
    let samples: u64 = blocks.iter().map(|block| block.samples() as u64).sum();
    let layout = FIXED_V3 as u64 + 4 * blocks.len() as u64 + 4 * samples;
    let size = u64::from(header.size);
    if layout == size { Ok(()) } else { Err(PacketError::Layout { size, layout }) }
}

/// Reads header and shapes of version 2, whose size follows from them; `None` where bytes are missing.
pub(crate) fn read_head_v2(bytes: &[u8], limit: usize) -> Result<Option<(PacketHeader, Vec<Block>)>, PacketError> {
    let Some(fixed) = bytes.first_chunk::<FIXED_V2>() else { return Ok(None) };
    let head = u32_at(fixed, 0);
    let known = V2_CODE | V2_VERSIONS | V2_SIGNALS;
    if head & V2_CODE != V2_CODE || head & V2_VERSIONS == 0 || head & !known != 0 {
        return Err(PacketError::Version(fixed[0]));
    }
    let flags = head & V2_SIGNALS;
    let n = flags.count_ones() as usize;
    let Some(variable) = bytes.get(FIXED_V2..FIXED_V2 + 4 * n) else { return Ok(None) };
    let (values, counts) = variable.split_at(2 * n);
    let mut blocks = Vec::with_capacity(n);
    for ((bit, values), counts) in bits(flags).zip(values.chunks_exact(2)).zip(counts.chunks_exact(2)) {
        let (values, counts) = (u16_le(values), u16_le(counts));
        let even = if counts == 0 { values == 0 } else { values.is_multiple_of(counts) };
        if !even {
            return Err(PacketError::Blocks { values, blocks: counts });
        }
        blocks.push(Block { bit, channels: values.checked_div(counts).unwrap_or(0), blocksize: counts });
    }
    let samples: usize = blocks.iter().map(|block| block.samples()).sum();
    let size = FIXED_V2 + 4 * n + 4 * samples;
    if size > limit {
        return Err(PacketError::Limit { size: size as u64, limit: limit as u64 });
    }
    let header = PacketHeader {
        version: 2,
        size: size as u32,
        flags,
        packet_id: u64_at(fixed, 12),
        connection_packet_number: u64_at(fixed, 4),
        timestamp: u64_at(fixed, 20),
    };
    Ok(Some((header, blocks)))
}

/// The set bits, ascending.
pub(crate) fn bits(flags: u32) -> impl Iterator<Item = u8> {
    (0..32).filter_map(SignalType::from_bit).filter(move |signal| flags & signal.mask() != 0).map(SignalType::bit)
}

fn u16_le(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |&bytes| u16::from_le_bytes(bytes))
}

#[inline]
fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |&bytes| u32::from_le_bytes(bytes))
}

#[inline]
pub(crate) fn u64_at<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |&bytes| u64::from_le_bytes(bytes))
}

#[cfg(test)]
pub(crate) mod tests;
