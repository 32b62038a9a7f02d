use measurand_sttp::{Cipher, CipherKey, Deframer, data_packet};
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};

/// Bytes of a data packet's frame in front of what is encrypted: length, response, command, length, flags.
const CLEAR_BYTES: usize = 4 + 6 + 1;

/// Encrypts the data packets and buffer blocks of one subscriber by AES-256-CBC.
#[napi]
pub struct SttpCipher {
    inner: Guarded<CipherState>,
}

struct CipherState {
    cipher: Cipher,
    is_odd: bool,
    frame: Vec<u8>,
}

#[napi]
impl SttpCipher {
    /// The cipher of a key of 32 bytes and an initialisation vector of 16; `odd` says which of the pair the key is.
    #[napi(constructor, catch_unwind)]
    pub fn new(key: &[u8], iv: &[u8], is_odd: bool) -> Result<Self> {
        let cipher = Cipher::new(&CipherKey { key: key.to_vec(), iv: iv.to_vec() })
            .ok_or_else(|| error("ERR_STTP_CIPHER_KEY", "a key has 32 bytes and its initialisation vector 16"))?;
        Ok(Self { inner: Guarded::new(CipherState { cipher, is_odd, frame: Vec::new() }) })
    }

    /// Bytes encrypted, 1 to 16 more than they are.
    #[napi(catch_unwind)]
    pub fn encrypt_bytes(&mut self, plain: &[u8]) -> Result<Buffer> {
        self.inner.call(|CipherState { cipher, .. }| {
            let mut encrypted = Vec::new();
            cipher.encrypt(plain, &mut encrypted);
            Ok(encrypted.into())
        })
    }

    /// Writes the frames of data packets encrypted into `out` and gives their bytes; each becomes up to 16 longer.
    #[napi(catch_unwind)]
    pub fn encrypt(&mut self, frames: &[u8], mut out: Uint8Array) -> Result<u32> {
        self.inner.call(|CipherState { cipher, is_odd, frame }| {
            // SAFETY: the data channel owns the buffer and gives it out behind this call.
            let out = unsafe { out.as_mut() };
            let (mut deframer, mut position, mut written) = (Deframer::default(), 0, 0);
            while let Ok(Some(plain)) = deframer.next(frames, &mut position) {
                let Some((head, body)) = plain.body.split_at_checked(CLEAR_BYTES - 4) else {
                    return Err(error("ERR_STTP_RESPONSE_FIELD", "a frame is too short to be a data packet"));
                };
                frame.clear();
                frame.extend_from_slice(&[0; 4]);
                frame.extend_from_slice(head);
                cipher.encrypt(body, frame);
                let length = frame.len() as u32;
                frame[..4].copy_from_slice(&(length - 4).to_be_bytes());
                frame[6..10].copy_from_slice(&(length - 10).to_be_bytes());
                if *is_odd {
                    frame[10] |= data_packet::CIPHER_INDEX;
                }
                let place = out
                    .get_mut(written..written + frame.len())
                    .ok_or_else(|| error("ERR_SESSION_BLOCK_BYTES", "there is no room for the encrypted frames"))?;
                place.copy_from_slice(frame);
                written += frame.len();
            }
            Ok(written as u32)
        })
    }
}
