use crate::reader::{Reader, write_counted};

/// Keys of the data channel, AES-256-CBC (response 85). Secret: sent only where the command channel is TLS.
#[derive(Clone, Eq, PartialEq)]
pub struct CipherKeys {
    /// Which pair the publisher uses now: 0 even, 1 odd.
    pub active: u8,
    /// Even and odd.
    pub pairs: [CipherKey; 2],
}

/// A key and its initialisation vector.
#[derive(Clone, Eq, PartialEq)]
pub struct CipherKey {
    /// 32 bytes for AES-256.
    pub key: Vec<u8>,
    /// 16 bytes.
    pub iv: Vec<u8>,
}

impl CipherKeys {
    /// Reads a payload; `None` if it ends early.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let active = reader.u8()?;
        let mut pair = || Some(CipherKey { key: reader.counted()?.to_vec(), iv: reader.counted()?.to_vec() });
        Some(Self { active, pairs: [pair()?, pair()?] })
    }

    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.active);
        for pair in &self.pairs {
            write_counted(&pair.key, out);
            write_counted(&pair.iv, out);
        }
    }
}

impl core::fmt::Debug for CipherKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CipherKeys").field("active", &self.active).finish_non_exhaustive()
    }
}

impl core::fmt::Debug for CipherKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CipherKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_are_not_printed() {
        let pair = |byte| CipherKey { key: vec![byte; 32], iv: vec![byte; 16] };
        let keys = CipherKeys { active: 1, pairs: [pair(170), pair(187)] };
        let mut payload = Vec::new();
        keys.write(&mut payload);
        assert_eq!(CipherKeys::parse(&payload), Some(keys.clone()));
        assert_eq!(CipherKeys::parse(&payload[..payload.len() - 1]), None);
        assert!(!format!("{keys:?}").contains("170"));
    }
}
