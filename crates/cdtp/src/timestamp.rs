/// A `MessagePack` timestamp (extension -1): seconds since 1970-01-01 UTC and nanoseconds in that second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 UTC.
    pub seconds: i64,
    /// Nanoseconds in the second; a wire may carry more than 999,999,999, which are kept as they came.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// The `MessagePack` extension type.
    pub const EXTENSION: i8 = -1;

    /// The timestamp of nanoseconds since 1970-01-01 UTC.
    pub const fn from_ns(ns: i64) -> Self {
        Self { seconds: ns.div_euclid(1_000_000_000), nanoseconds: ns.rem_euclid(1_000_000_000) as u32 }
    }

    /// Nanoseconds since 1970-01-01 UTC, or `None` where they do not fit 64 bits.
    pub const fn to_ns(self) -> Option<i64> {
        let ns = self.seconds as i128 * 1_000_000_000 + self.nanoseconds as i128;
        if ns < i64::MIN as i128 || ns > i64::MAX as i128 { None } else { Some(ns as i64) }
    }

    /// Reads the body of an extension -1 in its 4, 8 or 12 byte form.
    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        if let Ok(bytes) = <[u8; 4]>::try_from(body) {
            return Some(Self { seconds: i64::from(u32::from_be_bytes(bytes)), nanoseconds: 0 });
        }
        if let Ok(bytes) = <[u8; 8]>::try_from(body) {
            let word = u64::from_be_bytes(bytes);
            return Some(Self { seconds: (word & 0x3_ffff_ffff) as i64, nanoseconds: (word >> 34) as u32 });
        }
        let (nanoseconds, seconds) = body.split_first_chunk::<4>()?;
        let seconds = <[u8; 8]>::try_from(seconds).ok()?;
        Some(Self { seconds: i64::from_be_bytes(seconds), nanoseconds: u32::from_be_bytes(*nanoseconds) })
    }

    /// Writes the shortest form.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let (seconds, nanoseconds) = (self.seconds, self.nanoseconds);
        match (u32::try_from(seconds), nanoseconds) {
            (Ok(seconds), 0) => {
                out.extend_from_slice(&[0xd6, 0xff]);
                out.extend_from_slice(&seconds.to_be_bytes());
            }
            _ if (0..1 << 34).contains(&seconds) && nanoseconds < 1 << 30 => {
                out.extend_from_slice(&[0xd7, 0xff]);
                out.extend_from_slice(&((u64::from(nanoseconds) << 34) | seconds as u64).to_be_bytes());
            }
            _ => {
                out.extend_from_slice(&[0xc7, 12, 0xff]);
                out.extend_from_slice(&nanoseconds.to_be_bytes());
                out.extend_from_slice(&seconds.to_be_bytes());
            }
        }
    }
}
