//! The flags of data packets (response 82): `u8 flags | u32 count | body`.

/// Measurements are compact.
pub const COMPACT: u8 = 0x02;
/// The odd cipher key counts.
pub const CIPHER_INDEX: u8 = 0x04;
/// Measurements are TSSC.
pub const COMPRESSED: u8 = 0x08;
/// Wire indexes are those of cache 1.
pub const CACHE_INDEX: u8 = 0x10;

/// Bytes of a data packet that publishers do not exceed.
pub const MAX_BYTES: usize = 32_768;
