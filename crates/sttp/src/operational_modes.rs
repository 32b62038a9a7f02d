/// The word of the first command: what a subscriber can and wants.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OperationalModes(pub u32);

/// How texts are encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// UTF-16, little-endian.
    Utf16LittleEndian,
    /// UTF-16, big-endian.
    Utf16BigEndian,
    /// UTF-8, the only one that every peer writes rightly.
    Utf8,
}

impl OperationalModes {
    /// Bits of the version.
    pub const VERSION_MASK: u32 = 0x1F;
    /// `GZip` is allowed for caches and metadata.
    pub const GZIP: u32 = 0x20;
    /// TSSC is allowed for data packets.
    pub const TSSC: u32 = 0x40;
    /// Bits of the encoding.
    pub const ENCODING_MASK: u32 = 0x300;
    /// Texts are UTF-8.
    pub const UTF8: u32 = 0x200;
    /// Metadata of external measurements is wanted.
    pub const RECEIVE_EXTERNAL_METADATA: u32 = 0x0200_0000;
    /// Metadata of internal measurements is wanted.
    pub const RECEIVE_INTERNAL_METADATA: u32 = 0x0400_0000;
    /// Data packets are compressed.
    pub const COMPRESS_PAYLOAD: u32 = 0x2000_0000;
    /// Signal index caches are compressed.
    pub const COMPRESS_SIGNAL_INDEX_CACHE: u32 = 0x4000_0000;
    /// Metadata is compressed.
    pub const COMPRESS_METADATA: u32 = 0x8000_0000;

    /// Version 2, UTF-8, caches and metadata by `GZip`; data compact.
    pub const COMPACT: Self = Self(0xC000_0222);
    /// Version 2, UTF-8, caches and metadata by `GZip`; data by TSSC.
    pub const COMPRESSED: Self = Self(0xE000_0262);

    /// The protocol version, of which 1 to 3 are spoken.
    pub const fn version(self) -> u8 {
        (self.0 & Self::VERSION_MASK) as u8
    }

    /// Whether a signal index cache has the byte that numbers it, and is confirmed before it is used.
    pub const fn has_two_caches(self) -> bool {
        self.version() > 1
    }

    /// How texts are encoded; `None` for the one value that names nothing.
    pub const fn encoding(self) -> Option<Encoding> {
        match self.0 & Self::ENCODING_MASK {
            0 => Some(Encoding::Utf16LittleEndian),
            0x100 => Some(Encoding::Utf16BigEndian),
            0x200 => Some(Encoding::Utf8),
            _ => None,
        }
    }

    /// Whether data packets are TSSC: both bits are needed.
    pub const fn is_tssc(self) -> bool {
        self.has(Self::COMPRESS_PAYLOAD | Self::TSSC)
    }

    /// Whether signal index caches are compressed.
    pub const fn compresses_cache(self) -> bool {
        self.has(Self::COMPRESS_SIGNAL_INDEX_CACHE | Self::GZIP)
    }

    /// Whether metadata is compressed.
    pub const fn compresses_metadata(self) -> bool {
        self.has(Self::COMPRESS_METADATA | Self::GZIP)
    }

    /// Whether all of these bits are set.
    pub const fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_peers() {
        let [tssc, compact, old] = [0xE000_0262, 0xC000_0222, 0xE000_0261].map(OperationalModes);
        assert_eq!((tssc.version(), compact.version(), old.version()), (2, 2, 1));
        assert_eq!((tssc.is_tssc(), compact.is_tssc(), old.is_tssc()), (true, false, true));
        assert!(tssc.has_two_caches() && !old.has_two_caches());
        assert!(tssc.compresses_cache() && compact.compresses_metadata());
        assert_eq!(tssc.encoding(), Some(Encoding::Utf8));
        assert_eq!((OperationalModes::COMPRESSED, OperationalModes::COMPACT), (tssc, compact));
        assert!(!OperationalModes(0xA000_0222).is_tssc());
        assert!(!OperationalModes(0xC000_0202).compresses_cache());
    }
}
