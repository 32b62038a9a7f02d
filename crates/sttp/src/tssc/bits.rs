use super::TsscError;

/// Zero bytes in front of a packet, so that the four bytes before wherever the reader stands can be loaded.
pub(super) const FRONT: usize = 8;
/// Zero bytes behind a packet, so that eight bytes can be loaded wherever eight measurements may end.
pub(super) const PADDING: usize = 96;

/// Reads the bits and bytes that share a packet: a bit byte is opened where the reader stands when a bit is needed and
/// none is left, bytes are taken behind it.
#[derive(Clone, Debug)]
pub(super) struct BitReader {
    /// [`FRONT`], the packet and [`PADDING`].
    pub(super) bytes: Vec<u8>,
    /// Where the packet ends.
    pub(super) end: usize,
    /// Where the next byte is taken; at most `end`.
    pub(super) position: usize,
    /// Bits left of the open bit byte, at the upper end; zeros below.
    pub(super) open: u64,
    /// How many they are, up to 7.
    pub(super) left: u32,
    /// An end code was read.
    ended: bool,
}

impl BitReader {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; FRONT + PADDING], end: FRONT, position: FRONT, open: 0, left: 0, ended: false }
    }

    pub(super) fn begin(&mut self, block: &[u8]) {
        self.bytes.clear();
        self.bytes.resize(FRONT, 0);
        self.bytes.extend_from_slice(block);
        self.end = self.bytes.len();
        self.bytes.resize(self.end + PADDING, 0);
        self.position = FRONT;
        self.open = 0;
        self.left = 0;
        self.ended = false;
    }

    /// Leaves the rest of the packet unread.
    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.ended || (self.left == 0 && self.position == self.end)
    }

    /// Bytes of the packet that were read.
    pub(super) fn offset(&self) -> usize {
        self.position.min(self.end) - FRONT
    }

    /// The next 57 bits or more, zeros behind the packet.
    pub(super) fn window(&self) -> u64 {
        let mut word = [0; 8];
        if let Some(bytes) = self.bytes.get(self.position..self.position + 8) {
            word.copy_from_slice(bytes);
        }
        self.open | u64::from_be_bytes(word) >> self.left
    }

    /// Takes 1 to 12 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, TsscError> {
        let window = self.window();
        let opened = (count + 7 - self.left.min(count)) / 8;
        self.position += opened as usize;
        if self.position > self.end {
            return Err(self.truncated());
        }
        self.left = self.left.wrapping_sub(count) & 7;
        self.open = (window << count) & !(u64::MAX >> self.left);
        Ok((window >> (64 - count)) as u32)
    }

    fn byte(&mut self) -> Result<u8, TsscError> {
        if self.position >= self.end {
            return Err(self.truncated());
        }
        self.position += 1;
        Ok(self.bytes[self.position - 1])
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

    fn truncated(&self) -> TsscError {
        TsscError::Truncated { offset: self.end - FRONT }
    }
}
