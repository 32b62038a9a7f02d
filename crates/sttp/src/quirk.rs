/// A deviation of the peer from the protocol that is worked around; each is reported once for a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Quirk {
    /// Compact times count from a base time that was not sent: they are unknown.
    BaseTimeMissing,
    /// The cache index byte is FF where 0 is meant.
    CacheIndexFf,
    /// Data is not flagged with the cache that it uses: the newest cache is taken from the next reset on.
    CacheIndexFlagMissing,
    /// The cache index byte is above 1 and is taken for 1.
    CacheIndexValue,
    /// The size of a signal index cache is not that of its image.
    CacheSize,
    /// The cipher keys are none of AES-256: what they encrypt cannot be read.
    CipherKeysUnusable,
    /// Compact packets have no record count.
    CompactWithoutCount,
    /// A packet has more measurements than it says.
    PacketCount,
    /// The length inside a response is not that of its payload.
    PayloadLength,
    /// Bytes follow the end of a compressed block.
    TrailingBytes,
    /// TSSC is not reset by a new subscription and goes on where it was.
    TsscNotReset,
    /// Texts have their length in front.
    TextLengthPrefix,
    /// A text is not UTF-8.
    TextNotUtf8,
}

impl Quirk {
    /// The name under which a session lists it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BaseTimeMissing => "base-time-missing",
            Self::CacheIndexFf => "cache-index-ff",
            Self::CacheIndexFlagMissing => "cache-index-flag-missing",
            Self::CacheIndexValue => "cache-index-value",
            Self::CacheSize => "cache-size",
            Self::CipherKeysUnusable => "cipher-keys-unusable",
            Self::CompactWithoutCount => "compact-without-count",
            Self::PacketCount => "packet-count",
            Self::PayloadLength => "payload-length",
            Self::TrailingBytes => "trailing-bytes",
            Self::TsscNotReset => "tssc-not-reset",
            Self::TextLengthPrefix => "text-length-prefix",
            Self::TextNotUtf8 => "text-not-utf8",
        }
    }
}

/// The quirks that were seen on a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Quirks(u32);

impl Quirks {
    /// Whether it is the first time.
    pub(crate) fn insert(&mut self, quirk: Quirk) -> bool {
        let bit = 1 << quirk as u32;
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }

    pub(crate) const fn contains(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }
}
