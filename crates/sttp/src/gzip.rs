//! `GZip` as caches, metadata and buffer blocks use it, bounded.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// Why bytes cannot be decompressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipError {
    /// They are not what `GZip` writes, or end early.
    #[error("the compressed bytes are damaged")]
    Damaged,
    /// They become longer than the limit.
    #[error("more than {limit} bytes come out of the compressed bytes")]
    Limit {
        /// The limit.
        limit: usize,
    },
}

/// Whether bytes begin as `GZip` with deflate does; neither a plain cache nor XML can.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1F, 0x8B, 0x08])
}

/// Decompresses at most `limit` bytes.
pub fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(bytes).take(limit as u64 + 1);
    decoder.read_to_end(&mut plain).map_err(|_| GzipError::Damaged)?;
    if plain.len() > limit { Err(GzipError::Limit { limit }) } else { Ok(plain) }
}

/// Appends the compressed bytes.
pub fn compress(bytes: &[u8], out: &mut Vec<u8>) {
    let mut encoder = GzEncoder::new(out, Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(bytes);
    let _ = encoder.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bomb_is_stopped() {
        let mut bomb = Vec::new();
        compress(&vec![0; 10_000_000], &mut bomb);
        assert!(bomb.len() < 100_000);
        assert_eq!(decompress(&bomb, 1000), Err(GzipError::Limit { limit: 1000 }));
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..500), cut in 1..20_usize) {
            let mut packed = Vec::new();
            compress(&bytes, &mut packed);
            prop_assert!(is_gzip(&packed));
            prop_assert_eq!(decompress(&packed, 500), Ok(bytes));
            packed.truncate(packed.len() - cut);
            prop_assert_eq!(decompress(&packed, 500), Err(GzipError::Damaged));
        }
    }
}
