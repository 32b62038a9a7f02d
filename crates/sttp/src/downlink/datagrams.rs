use measurand_columns::{Block, Status, TIME_UNKNOWN};

use super::packets::{Packets, Place};
use super::{LossCause, PacketError};
use crate::{BufferBlock, CipherKeys, Envelope, Quirk, ResponseCode, data_packet};

/// Datagrams that are remembered: one that comes again later than so many is not noticed.
const REMEMBERED: usize = 64;
/// Signals of which it is remembered how far their times have come; those beyond are not followed.
const FOLLOWED: usize = 1 << 20;

/// What is known of the datagrams of a connection: how far they reach, and which came last, because a network may
/// deliver one twice.
#[derive(Debug)]
pub(super) struct Datagrams {
    /// Bytes of all datagrams so far: the place of the next one.
    pub(super) offset: u64,
    recent: [u64; REMEMBERED],
    next: usize,
    /// The newest time that came of each signal, by its row.
    newest: Vec<i64>,
    /// Datagrams that came behind newer ones.
    pub(super) late: u64,
    /// The datagram at hand is counted among them.
    is_late: bool,
}

impl Datagrams {
    pub(super) const fn new() -> Self {
        Self { offset: 0, recent: [0; REMEMBERED], next: 0, newest: Vec::new(), late: 0, is_late: false }
    }

    /// Whether the same data packet came a short while ago; it is remembered.
    pub(super) fn is_repeated(&mut self, payload: &[u8]) -> bool {
        let digest = digest(payload);
        if self.recent.contains(&digest) {
            return true;
        }
        if let Some(place) = self.recent.get_mut(self.next) {
            *place = digest;
        }
        self.next = (self.next + 1) % REMEMBERED;
        false
    }

    /// Forgets which came: what is subscribed to anew may look like what was.
    pub(super) fn forget(&mut self) {
        self.recent = [0; REMEMBERED];
        self.newest.clear();
    }

    /// Notes the times of rows of the datagram at hand: one is older than what came of the same signal where the datagram
    /// was overtaken. Packets have no numbers that would say so.
    fn follow(&mut self, signals: &[u32], times: &[i64]) {
        for (&signal, &time) in signals.iter().zip(times) {
            let row = signal as usize;
            if time == TIME_UNKNOWN || row >= FOLLOWED {
                continue;
            }
            if row >= self.newest.len() {
                self.newest.resize(row + 1, TIME_UNKNOWN);
            }
            let Some(newest) = self.newest.get_mut(row) else { continue };
            if time >= *newest {
                *newest = time;
            } else if !self.is_late {
                self.is_late = true;
                self.late += 1;
            }
        }
    }
}

impl Packets {
    /// Takes a datagram: [`Status::NeedMore`] when it is done, else why not.
    pub(super) fn take_datagram(&mut self, datagram: &[u8], block: &mut Block<'_>) -> Status {
        let length = datagram.len() as u64;
        self.place = Place { offset: self.datagrams.offset, length };
        self.datagrams.offset += length;
        self.is_datagram = true;
        self.datagrams.is_late = false;
        let Some(envelope) = Envelope::parse(datagram) else {
            return self.malformed(PacketError::Length { length: datagram.len() }, None);
        };
        match envelope.code {
            ResponseCode::DATA_PACKET => {}
            ResponseCode::BUFFER_BLOCK => return self.response(&envelope),
            // Anybody may send datagrams: what rules the connection comes by the connection.
            ResponseCode(code) => return self.malformed(PacketError::Datagram { code }, None),
        }
        // Without times, equal packets are nothing special.
        let is_told_apart = self.form.include_time || self.options.modes.is_tssc();
        if is_told_apart && self.datagrams.is_repeated(envelope.payload) {
            self.lose_packet(LossCause::Duplicate, None, self.declared(envelope.payload));
            return Status::NeedMore;
        }
        self.data(envelope.payload, block)
    }

    /// Notes the times of the rows that a datagram has given, from one on.
    pub(super) fn follow_datagram(&mut self, block: &Block<'_>, first: usize) {
        let rows = first..block.len();
        if let (Some(signals), Some(times)) = (block.signal.get(rows.clone()), block.time.get(rows)) {
            self.datagrams.follow(signals, times);
        }
    }

    /// Takes the payload of an encrypted data packet: all behind its flags is.
    pub(super) fn encrypted(&mut self, payload: &[u8], block: &mut Block<'_>) -> Status {
        let mut plain = core::mem::take(&mut self.plain);
        plain.clear();
        plain.extend(payload.first());
        let status = if self.decrypt_packet(payload, &mut plain) {
            self.packet_or_report(&plain, block)
        } else if !self.is_datagram && payload.first().is_some_and(|flags| flags & data_packet::CIPHER_INDEX == 0) {
            // The keys may be meant for datagrams only.
            self.packet_or_report(payload, block)
        } else {
            self.malformed(PacketError::Cipher { length: payload.len() }, None)
        };
        self.plain = plain;
        status
    }

    /// Takes keys of the publisher.
    pub(super) fn change_keys(&mut self, keys: &CipherKeys) {
        if !self.ciphers.get_or_insert_default().change(keys) {
            self.quirk(Quirk::CipherKeysUnusable);
        }
    }

    /// The buffer block as it was before its index and payload were encrypted. One by the connection may be as it is: some
    /// publishers encrypt what goes by datagrams only.
    pub(super) fn decrypted(&self, block: BufferBlock) -> Result<BufferBlock, PacketError> {
        let mut encrypted = block.index.to_be_bytes().to_vec();
        encrypted.extend_from_slice(&block.payload);
        let failed = PacketError::Cipher { length: encrypted.len() };
        let mut plain = Vec::new();
        let is_odd = block.flags & BufferBlock::CIPHER_INDEX != 0;
        let is_plausible =
            |plain: &[u8]| plain.first_chunk().is_some_and(|&index| self.caches.has_index(i32::from_be_bytes(index)));
        let decrypted =
            self.ciphers.as_ref().is_some_and(|ciphers| ciphers.decrypt(is_odd, &encrypted, &mut plain, is_plausible));
        match plain.split_first_chunk() {
            Some((index, payload)) if decrypted => {
                let (sequence, flags, index) = (block.sequence, block.flags, i32::from_be_bytes(*index));
                Ok(BufferBlock { sequence, flags, index, payload: payload.to_vec() })
            }
            _ if !self.is_datagram && !is_odd && self.caches.has_index(block.index) => Ok(block),
            _ => Err(failed),
        }
    }

    fn decrypt_packet(&self, payload: &[u8], plain: &mut Vec<u8>) -> bool {
        let (Some((&flags, encrypted)), Some(ciphers)) = (payload.split_first(), &self.ciphers) else {
            return false;
        };
        let slot = usize::from(flags & data_packet::CACHE_INDEX != 0);
        let (least, most) = self.form_of(slot).record_bytes();
        let is_plausible = |plain: &[u8]| is_plausible(flags, plain, least, most);
        ciphers.decrypt(flags & data_packet::CIPHER_INDEX != 0, encrypted, plain, is_plausible)
    }

    /// The number of measurements that a data packet says to have; 0 where it cannot be read.
    fn declared(&self, payload: &[u8]) -> u32 {
        if self.ciphers.is_none() {
            return declared(payload).unwrap_or(0);
        }
        let mut plain = Vec::new();
        if self.decrypt_packet(payload, &mut plain) { count(&plain).unwrap_or(0) } else { 0 }
    }
}

/// The next datagram of gathered ones, `u16 length` (little-endian) before each, moving `position` behind it.
pub(super) fn next<'a>(chunk: &'a [u8], position: &mut usize) -> Option<&'a [u8]> {
    let (length, rest) = chunk.get(*position..)?.split_first_chunk()?;
    let datagram = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
    *position += size_of::<u16>() + datagram.len();
    Some(datagram)
}

/// The number of measurements that a data packet says to have.
fn declared(payload: &[u8]) -> Option<u32> {
    count(payload.get(1..)?)
}

fn count(body: &[u8]) -> Option<u32> {
    body.first_chunk().map(|count| u32::from_be_bytes(*count))
}

/// Whether decrypted bytes can be the count and the measurements of a data packet with these flags.
///
/// `least` and `most` are the bytes of a compact measurement.
fn is_plausible(flags: u8, plain: &[u8], least: usize, most: usize) -> bool {
    let Some((count, body)) = plain.split_first_chunk() else {
        return false;
    };
    if flags & data_packet::COMPRESSED != 0 {
        return body.first() == Some(&crate::tssc::VERSION);
    }
    let (count, length) = (u64::from(u32::from_be_bytes(*count)), body.len() as u64);
    // A peer that does not pad as it should leaves up to a block behind the measurements.
    count * least as u64 <= length && length <= count * most as u64 + 16
}

/// A number that differs for data packets that differ, never 0.
fn digest(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(FACTOR).rotate_left(29);
    let sum = words.iter().fold(bytes.len() as u64, |sum, word| step(sum, u64::from_le_bytes(*word)));
    let tail = rest.iter().fold(0, |tail, &byte| tail << 8 | u64::from(byte));
    step(step(sum, tail), FACTOR) | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_came_is_known_for_a_while() {
        let mut datagrams = Datagrams::new();
        assert!(!datagrams.is_repeated(b"a packet"));
        assert!(datagrams.is_repeated(b"a packet"));
        assert!(!datagrams.is_repeated(b"a packer"));
        assert!(!datagrams.is_repeated(b"a packet\0"));
        for n in 0..64_u8 {
            assert!(!datagrams.is_repeated(&[n]));
        }
        assert!(!datagrams.is_repeated(b"a packet"));
        datagrams.forget();
        assert!(!datagrams.is_repeated(b"a packet"));
    }

    #[test]
    fn gathered_datagrams_are_taken_one_by_one() {
        let chunk = [2, 0, 7, 8, 0, 0, 3, 0, 1];
        let mut position = 0;
        assert_eq!(next(&chunk, &mut position), Some(&[7, 8][..]));
        assert_eq!(next(&chunk, &mut position), Some(&[][..]));
        assert_eq!((next(&chunk, &mut position), position), (None, 6));
    }
}
