#![allow(unsafe_code, reason = "a function compiled for a processor is called")]
#![allow(clippy::inline_always, reason = "what a function is compiled for reaches only what is inlined into it")]

use super::TsscError;

/// Zero bytes in front of the turned packet, so that eight bytes can be loaded wherever eight measurements may end.
pub(super) const PADDING: usize = 96;
/// Zero bytes behind it, so that the four bytes before wherever the reader stands can be loaded.
const REAR: usize = 8;
/// Where the eight bytes behind the packet's end begin.
pub(super) const END: usize = PADDING - 8;

/// Reads the bits and bytes that share a packet: a bit byte is opened where the reader stands when a bit is needed and
/// none is left, bytes are taken behind it.
///
/// The packet is kept turned round, last byte first: its bits are written from the highest on, so the processor's
/// little-endian load of turned bytes is the window on the bits, without a swap on the decoder's critical path.
#[derive(Clone, Debug)]
pub(super) struct BitReader {
    /// [`PADDING`], the turned packet and [`REAR`].
    pub(super) turned: Vec<u8>,
    len: usize,
    /// Where the next eight bytes are: at least [`END`] and less by each byte read.
    pub(super) place: usize,
    /// Bits left of the open bit byte, at the upper end; zeros below.
    pub(super) open: u64,
    /// How many they are, up to 7.
    pub(super) left: u32,
    /// An end code was read.
    ended: bool,
}

impl BitReader {
    pub(super) fn new() -> Self {
        Self { turned: vec![0; PADDING + REAR], len: 0, place: END, open: 0, left: 0, ended: false }
    }

    pub(super) fn begin(&mut self, block: &[u8]) {
        self.len = block.len();
        self.place = END + self.len;
        self.turned.resize(PADDING + self.len + REAR, 0);
        turn(block, &mut self.turned[PADDING..]);
        self.open = 0;
        self.left = 0;
        self.ended = false;
    }

    /// Leaves the rest of the packet unread.
    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended || (self.left == 0 && self.place == END)
    }

    /// Bytes of the packet that were read.
    pub(super) fn offset(&self) -> usize {
        self.len - self.remaining()
    }

    /// Bytes of the packet that were not read.
    pub(super) fn remaining(&self) -> usize {
        self.place - END
    }

    /// The next 57 bits or more, zeros behind the packet.
    pub(super) fn window(&self) -> u64 {
        let mut word = [0; 8];
        if let Some(bytes) = self.turned.get(self.place..self.place + 8) {
            word.copy_from_slice(bytes);
        }
        self.open | u64::from_le_bytes(word) >> self.left
    }

    /// Takes 1 to 12 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, TsscError> {
        let window = self.window();
        let opened = (count + 7 - self.left.min(count)) / 8;
        self.advance(opened as usize)?;
        self.left = self.left.wrapping_sub(count) & 7;
        self.open = (window << count) & !(u64::MAX >> self.left);
        Ok((window >> (64 - count)) as u32)
    }

    fn byte(&mut self) -> Result<u8, TsscError> {
        self.advance(1)?;
        Ok(self.turned[self.place + 8])
    }

    fn advance(&mut self, bytes: usize) -> Result<(), TsscError> {
        if bytes > self.remaining() {
            return Err(TsscError::Truncated { offset: self.len });
        }
        self.place -= bytes;
        Ok(())
    }

    /// Takes a word of 4 to 32 bits: 4 bits first if the width asks for them, then bytes, low first.
    pub(super) fn word(&mut self, bits: u8) -> Result<u32, TsscError> {
        let low = if bits % 8 == 4 { self.take(4)? } else { 0 };
        let mut word = 0;
        for place in 0..u32::from(bits / 8) {
            word |= u32::from(self.byte()?) << (8 * place);
        }
        Ok(if bits % 8 == 4 { word << 4 | low } else { word })
    }

    /// Takes a number of 7 bits a byte, low first; the last of `most` bytes has no continuation bit.
    pub(super) fn varint(&mut self, most: u32) -> Result<u64, TsscError> {
        let mut number = 0;
        for place in 0..most - 1 {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << (7 * place);
            if byte < 128 {
                return Ok(number);
            }
        }
        Ok(number | u64::from(self.byte()?) << (7 * (most - 1)))
    }
}

/// Writes a packet last byte first, and zeros behind it.
fn turn(block: &[u8], turned: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        // Gain, alone: 211 instead of 207 M/s (1,000 synchrophasors), 159 instead of 156 (100,000).
        unsafe { turn_avx2(block, turned) };
        return;
    }
    turn_words(block, turned);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn turn_avx2(block: &[u8], turned: &mut [u8]) {
    turn_words(block, turned);
}

#[inline(always)]
fn turn_words(block: &[u8], turned: &mut [u8]) {
    let (chunks, rest) = block.as_chunks::<8>();
    let (front, behind) = turned.split_at_mut(rest.len());
    front.copy_from_slice(rest);
    front.reverse();
    let (words, rear) = behind.split_at_mut(chunks.len() * 8);
    for (word, chunk) in words.as_chunks_mut::<8>().0.iter_mut().zip(chunks.iter().rev()) {
        *word = u64::from_le_bytes(*chunk).swap_bytes().to_le_bytes();
    }
    rear.fill(0);
}
