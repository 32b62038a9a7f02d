use aes::Aes256;
use cbc::cipher::block_padding::{NoPadding, Pkcs7};
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use cbc::{Decryptor, Encryptor};

use crate::{CipherKey, CipherKeys};

/// Bytes of a cipher block.
const BLOCK_BYTES: usize = 16;

/// AES-256-CBC under one key of a connection, each message from the key's initialisation vector on, with PKCS #7 padding.
#[derive(Clone)]
pub struct Cipher {
    aes: Aes256,
    iv: [u8; BLOCK_BYTES],
}

/// The bytes are no whole number of cipher blocks, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{length} bytes are not a whole number of cipher blocks")]
pub struct CipherLengthError {
    /// Bytes given.
    pub length: usize,
}

impl Cipher {
    /// The cipher of a key; `None` unless it has 32 bytes and an initialisation vector of 16.
    pub fn new(key: &CipherKey) -> Option<Self> {
        let aes = Aes256::new_from_slice(&key.key).ok()?;
        Some(Self { aes, iv: key.iv.as_slice().try_into().ok()? })
    }

    /// Appends what was encrypted to `plain`. Padding that is not as it should be is left in place: some peers do not pad.
    pub fn decrypt(&self, encrypted: &[u8], plain: &mut Vec<u8>) -> Result<(), CipherLengthError> {
        let length = encrypted.len();
        if length == 0 || !length.is_multiple_of(BLOCK_BYTES) {
            return Err(CipherLengthError { length });
        }
        let start = plain.len();
        plain.extend_from_slice(encrypted);
        let decryptor = Decryptor::inner_iv_init(self.aes.clone(), &self.iv.into());
        let room = plain.get_mut(start..).unwrap_or_default();
        let kept = match decryptor.decrypt_padded::<NoPadding>(room) {
            Ok(decrypted) => decrypted.len() - padding(decrypted),
            Err(_) => return Err(CipherLengthError { length }),
        };
        plain.truncate(start + kept);
        Ok(())
    }

    /// Appends the encrypted bytes of `plain`: 1 to 16 more than these are.
    pub fn encrypt(&self, plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plain);
        out.resize(start + encrypted_bytes(plain.len()), 0);
        let encryptor = Encryptor::inner_iv_init(self.aes.clone(), &self.iv.into());
        let room = out.get_mut(start..).unwrap_or_default();
        let encrypted = encryptor.encrypt_padded::<Pkcs7>(room, plain.len()).map_or(0, <[u8]>::len);
        debug_assert_eq!(encrypted, encrypted_bytes(plain.len()));
    }
}

impl core::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cipher(secret)")
    }
}

/// Bytes that so many become when they are encrypted.
pub const fn encrypted_bytes(plain: usize) -> usize {
    (plain / BLOCK_BYTES + 1) * BLOCK_BYTES
}

/// Bytes of PKCS #7 padding at the end; 0 where there is none.
fn padding(plain: &[u8]) -> usize {
    let Some(&last) = plain.last() else {
        return 0;
    };
    let bytes = usize::from(last);
    let is_padding = (1..=BLOCK_BYTES).contains(&bytes) && plain.iter().rev().take(bytes).all(|&byte| byte == last);
    if is_padding { bytes } else { 0 }
}

/// The ciphers of a connection: the even and the odd one as they are, and as they were before the last change, because
/// datagrams of before may arrive behind the message that changed a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ciphers {
    current: [Option<Cipher>; 2],
    previous: [Option<Cipher>; 2],
}

impl Ciphers {
    /// Takes keys; `false` where one of them is no key of AES-256, which then cannot decrypt anything.
    pub(crate) fn change(&mut self, keys: &CipherKeys) -> bool {
        let ciphers = keys.pairs.each_ref().map(Cipher::new);
        let is_usable = ciphers.iter().all(Option::is_some);
        self.previous = core::mem::replace(&mut self.current, ciphers);
        is_usable
    }

    /// Appends to `plain` what is decrypted by the even or the odd key, as it is or as it was, whichever gives what
    /// `is_plausible`; nothing where neither does.
    pub(crate) fn decrypt(
        &self,
        odd: bool,
        encrypted: &[u8],
        plain: &mut Vec<u8>,
        is_plausible: impl Fn(&[u8]) -> bool,
    ) -> bool {
        let (place, start) = (usize::from(odd), plain.len());
        let pairs = [&self.current, &self.previous];
        let decrypted = pairs.into_iter().filter_map(|pair| pair[place].as_ref()).any(|cipher| {
            plain.truncate(start);
            cipher.decrypt(encrypted, plain).is_ok() && plain.get(start..).is_some_and(&is_plausible)
        });
        if !decrypted {
            plain.truncate(start);
        }
        decrypted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    fn cipher(byte: u8) -> Cipher {
        Cipher::new(&CipherKey { key: vec![byte; 32], iv: vec![byte; 16] }).unwrap()
    }

    #[test]
    fn it_is_aes_256_cbc() {
        // NIST SP 800-38A, F.2.5, first block; the padding makes a second one.
        let key = hex!("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4").to_vec();
        let cipher = Cipher::new(&CipherKey { key, iv: hex!("000102030405060708090a0b0c0d0e0f").to_vec() }).unwrap();
        let mut encrypted = Vec::new();
        cipher.encrypt(&hex!("6bc1bee22e409f96e93d7e117393172a"), &mut encrypted);
        assert_eq!(encrypted[..16], hex!("f58c4c04d6e5f1ba779eabfb5f7bfbd6"));
        assert_eq!(encrypted.len(), 32);
    }

    #[test]
    fn keys_of_other_lengths_are_no_ciphers() {
        assert!(Cipher::new(&CipherKey { key: vec![0; 16], iv: vec![0; 16] }).is_none());
        assert!(Cipher::new(&CipherKey { key: vec![0; 32], iv: Vec::new() }).is_none());
    }

    #[test]
    fn a_replaced_key_is_good_for_what_was_under_way() {
        let keys = |even, odd| {
            let key = |byte| CipherKey { key: vec![byte; 32], iv: vec![byte; 16] };
            CipherKeys { active: 0, pairs: [key(even), key(odd)] }
        };
        let mut ciphers = Ciphers::default();
        assert!(ciphers.change(&keys(1, 2)));
        assert!(ciphers.change(&keys(3, 2)));
        let mut encrypted = Vec::new();
        cipher(1).encrypt(b"under way", &mut encrypted);
        let mut plain = Vec::new();
        assert!(ciphers.decrypt(false, &encrypted, &mut plain, |plain| plain == b"under way"));
        assert!(!ciphers.decrypt(true, &encrypted, &mut plain, |plain| plain == b"under way"));
        assert_eq!(plain, b"under way");
        assert!(ciphers.change(&keys(4, 2)));
        assert!(!ciphers.decrypt(false, &encrypted, &mut plain, |plain| plain == b"under way"));
    }

    proptest! {
        #[test]
        fn what_is_encrypted_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut encrypted = vec![9];
            cipher(7).encrypt(&bytes, &mut encrypted);
            prop_assert_eq!(encrypted.len(), 1 + encrypted_bytes(bytes.len()));
            let mut plain = Vec::new();
            prop_assert_eq!(cipher(7).decrypt(&encrypted[1..], &mut plain), Ok(()));
            prop_assert_eq!(plain, bytes);
        }

        #[test]
        fn any_bytes_are_decrypted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut plain = Vec::new();
            let decrypted = cipher(7).decrypt(&bytes, &mut plain);
            prop_assert_eq!(decrypted.is_ok(), !bytes.is_empty() && bytes.len() % 16 == 0);
        }
    }
}
