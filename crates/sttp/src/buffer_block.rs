use crate::gzip::{self, GzipError};
use crate::reader::Reader;

/// A block of bytes that belongs to a signal (response 88).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BufferBlock {
    /// Number of the block, from 0 for each connection.
    pub sequence: u32,
    /// Flags, see the constants.
    pub flags: u8,
    /// Wire index of the signal.
    pub index: i32,
    /// The bytes as they came: compressed where the flag says so.
    pub payload: Vec<u8>,
}

impl BufferBlock {
    /// The subscriber has to confirm it.
    pub const CONFIRM: u8 = 0x01;
    /// The odd cipher key counts.
    pub const CIPHER_INDEX: u8 = 0x04;
    /// The payload is `GZip`.
    pub const COMPRESSED: u8 = 0x08;
    /// The index is that of cache 1.
    pub const CACHE_INDEX: u8 = 0x10;

    /// Reads a payload; `None` if it is shorter than 9 bytes.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (sequence, flags, index) = (reader.u32()?, reader.u8()?, reader.i32()?);
        Some(Self { sequence, flags, index, payload: reader.rest().to_vec() })
    }

    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.push(self.flags);
        out.extend_from_slice(&self.index.to_be_bytes());
        out.extend_from_slice(&self.payload);
    }

    /// The bytes that the publisher meant, at most `limit` of them.
    pub fn bytes(&self, limit: usize) -> Result<Vec<u8>, GzipError> {
        if self.flags & Self::COMPRESSED == 0 {
            return Ok(self.payload.clone());
        }
        gzip::decompress(&self.payload, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_block_comes_back(
            (sequence, flags, index) in any::<(u32, u8, i32)>(),
            payload in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let block = BufferBlock { sequence, flags, index, payload };
            let mut bytes = Vec::new();
            block.write(&mut bytes);
            prop_assert_eq!(BufferBlock::parse(&bytes), Some(block));
            prop_assert_eq!(BufferBlock::parse(&bytes[..8]), None);
        }
    }

    #[test]
    fn a_compressed_payload_is_decompressed() {
        let mut payload = Vec::new();
        gzip::compress(b"waveform", &mut payload);
        let mut block = BufferBlock { sequence: 0, flags: BufferBlock::COMPRESSED, index: 3, payload };
        assert_eq!(block.bytes(8), Ok(b"waveform".to_vec()));
        assert_eq!(block.bytes(7), Err(GzipError::Limit { limit: 7 }));
        block.flags = 0;
        assert!(block.bytes(0).is_ok_and(|bytes| gzip::is_gzip(&bytes)));
    }
}
