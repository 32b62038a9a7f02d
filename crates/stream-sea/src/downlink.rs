use crate::delivery::Prefix;
use crate::{Delivery, DeliveryError, EventBlock, Published};

/// How a call of [`Downlink::decode`] ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Status {
    /// The chunk is consumed; the next one continues it.
    NeedMore = 0,
    /// The block is full: call again with an empty one and the rest of the chunk.
    Full = 1,
    /// A message that is no delivery is ready.
    Control = 2,
    /// A message is malformed but its frame is intact: the next call goes on behind it.
    Malformed = 3,
    /// Framing is lost: the decoder is poisoned.
    Lost = 4,
}

/// The kinds of frames that a message comes in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Opcode {
    /// Text.
    Text = 1,
    /// Bytes; not used by stream-sea.
    Binary = 2,
    /// The peer closes.
    Close = 8,
    /// The peer wants a pong.
    Ping = 9,
    /// The peer's answer to a ping.
    Pong = 10,
}

/// Something that is no delivery: replies, pings, the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Control {
    /// What kind of frame it came in.
    pub opcode: Opcode,
    /// What it carried.
    pub payload: Vec<u8>,
}

/// Why bytes of a server cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DownlinkError {
    /// A message cannot be read; the next one can.
    #[error(transparent)]
    Message(#[from] DeliveryError),
    /// A frame has a first byte that nobody agreed on.
    #[error("a frame starts with {0:#04x}")]
    Header(u8),
    /// A server's frame is masked.
    #[error("the server's frame is masked")]
    Masked,
    /// A message is longer than the limit.
    #[error("a message of {length} bytes is longer than {limit}")]
    Length {
        /// Its bytes, as far as its frames have said.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// A frame continues a message that did not begin, or begins one inside another.
    #[error("frames of messages are mixed up")]
    Continuation,
}

/// Reads the WebSocket frames that a server sends to a subscriber.
///
/// Deliveries go to a block, and where it is asked for the answers of publishes; everything else is a [`Control`]. Frames may be split in any way.
#[derive(Debug)]
pub struct Downlink {
    limit: usize,
    answers: bool,
    prefix: Prefix,
    /// The frame that the last chunk did not finish.
    partial: Vec<u8>,
    /// A message in fragments: its kind and what came of it.
    fragments: Option<(Opcode, Vec<u8>)>,
    control: Option<Control>,
    error: Option<DownlinkError>,
    lost: bool,
}

struct Header {
    first: u8,
    length: usize,
    payload: usize,
}

enum Taken {
    Delivered,
    Full,
    Control,
    Continued,
}

impl Downlink {
    /// A reader that takes messages of `limit` bytes at most; with `answers` those of publishes are rows too.
    pub fn new(limit: usize, answers: bool) -> Self {
        Self {
            limit,
            answers,
            prefix: Prefix::default(),
            partial: Vec::new(),
            fragments: None,
            control: None,
            error: None,
            lost: false,
        }
    }

    /// The message that ended the last call with [`Status::Control`].
    pub fn take_control(&mut self) -> Option<Control> {
        self.control.take()
    }

    /// The error that ended the last call with [`Status::Malformed`] or [`Status::Lost`].
    pub fn take_error(&mut self) -> Option<DownlinkError> {
        self.error.take()
    }

    /// Bytes taken that belong to no whole message yet.
    pub fn pending(&self) -> usize {
        self.partial.len() + self.fragments.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    /// Reads `chunk` and appends to `block`; gives the status and the bytes consumed.
    pub fn decode(&mut self, chunk: &[u8], block: &mut EventBlock<'_>) -> (Status, usize) {
        if self.lost {
            return (Status::Lost, 0);
        }
        let mut at = 0;
        loop {
            let rest = chunk.get(at..).unwrap_or_default();
            let step = if self.partial.is_empty() { self.frame(rest, block) } else { self.joined(rest, block) };
            match step {
                Ok(Some((taken, used))) => match taken {
                    Taken::Full => return (Status::Full, at),
                    Taken::Control => return (Status::Control, at + used),
                    Taken::Delivered | Taken::Continued => at += used,
                },
                Ok(None) => {
                    let rest = chunk.get(at..).unwrap_or_default();
                    self.partial.extend_from_slice(rest);
                    return (Status::NeedMore, chunk.len());
                }
                Err((error @ DownlinkError::Message(_), used)) => {
                    self.error = Some(error);
                    return (Status::Malformed, at + used);
                }
                Err((error, _)) => {
                    self.error = Some(error);
                    self.lost = true;
                    return (Status::Lost, at);
                }
            }
        }
    }

    /// One frame that lies in the chunk as a whole; `None` where it does not.
    fn frame(
        &mut self,
        bytes: &[u8],
        block: &mut EventBlock<'_>,
    ) -> Result<Option<(Taken, usize)>, (DownlinkError, usize)> {
        let Some(header) = self.header(bytes).map_err(|error| (error, 0))? else { return Ok(None) };
        let used = header.length + header.payload;
        let Some(payload) = bytes.get(header.length..used) else { return Ok(None) };
        self.message(header.first, payload, block).map(|taken| Some((taken, used))).map_err(|error| (error, used))
    }

    /// The frame that an earlier chunk began: takes from this one only what it lacks.
    fn joined(
        &mut self,
        bytes: &[u8],
        block: &mut EventBlock<'_>,
    ) -> Result<Option<(Taken, usize)>, (DownlinkError, usize)> {
        let mut partial = std::mem::take(&mut self.partial);
        let before = partial.len();
        // At most a header is copied before the length is known, then no more than the frame.
        partial.extend_from_slice(bytes.get(..bytes.len().min(10)).unwrap_or_default());
        let header = self.header(&partial);
        partial.truncate(before);
        let Some(header) = header.map_err(|error| (error, 0))? else {
            self.partial = partial;
            return Ok(None);
        };
        let lacks = (header.length + header.payload).saturating_sub(before);
        let Some(rest) = bytes.get(..lacks) else {
            self.partial = partial;
            return Ok(None);
        };
        partial.extend_from_slice(rest);
        let payload = partial.get(header.length..).unwrap_or_default();
        let taken = self.message(header.first, payload, block).map_err(|error| (error, lacks))?;
        if matches!(taken, Taken::Full) {
            partial.truncate(before);
            self.partial = partial;
        }
        Ok(Some((taken, lacks)))
    }

    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, DownlinkError> {
        let &[first, second, ..] = bytes else { return Ok(None) };
        let control = first & 0x08 != 0;
        if first & 0x70 != 0 || !matches!(first & 0x0f, 0 | 1 | 2 | 8 | 9 | 10) || control && first & 0x80 == 0 {
            return Err(DownlinkError::Header(first));
        }
        if second & 0x80 != 0 {
            return Err(DownlinkError::Masked);
        }
        let (length, payload) = match second {
            126 => match bytes.get(2..).and_then(<[u8]>::first_chunk::<2>) {
                Some(wide) => (4, u64::from(u16::from_be_bytes(*wide))),
                None => return Ok(None),
            },
            127 => match bytes.get(2..).and_then(<[u8]>::first_chunk::<8>) {
                Some(wide) => (10, u64::from_be_bytes(*wide)),
                None => return Ok(None),
            },
            short => (2, u64::from(short)),
        };
        let limit = if control { 125 } else { self.limit };
        let gathered = if control { 0 } else { self.fragments.as_ref().map_or(0, |(_, bytes)| bytes.len()) };
        let whole = payload.saturating_add(gathered as u64);
        if whole > limit as u64 {
            return Err(DownlinkError::Length { length: whole, limit });
        }
        Ok(Some(Header { first, length, payload: payload as usize }))
    }

    fn message(&mut self, first: u8, payload: &[u8], block: &mut EventBlock<'_>) -> Result<Taken, DownlinkError> {
        let last = first & 0x80 != 0;
        let opcode = match first & 0x0f {
            0 => {
                let Some((opcode, mut bytes)) = self.fragments.take() else { return Err(DownlinkError::Continuation) };
                let before = bytes.len();
                bytes.extend_from_slice(payload);
                if !last {
                    self.fragments = Some((opcode, bytes));
                    return Ok(Taken::Continued);
                }
                let taken = self.whole(opcode, &bytes, block)?;
                if matches!(taken, Taken::Full) {
                    bytes.truncate(before);
                    self.fragments = Some((opcode, bytes));
                }
                return Ok(taken);
            }
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            _ => Opcode::Pong,
        };
        let data = matches!(opcode, Opcode::Text | Opcode::Binary);
        if data && self.fragments.is_some() {
            return Err(DownlinkError::Continuation);
        }
        if !last {
            self.fragments = Some((opcode, payload.to_vec()));
            return Ok(Taken::Continued);
        }
        self.whole(opcode, payload, block)
    }

    fn whole(&mut self, opcode: Opcode, payload: &[u8], block: &mut EventBlock<'_>) -> Result<Taken, DownlinkError> {
        if self.answers
            && opcode == Opcode::Text
            && let Some(published) = Published::read(payload)
        {
            return Ok(if block.push_published(&published) { Taken::Delivered } else { Taken::Full });
        }
        let delivery = match opcode {
            Opcode::Text => match self.prefix.read(payload) {
                Some(delivery) => Some(delivery),
                None => Delivery::read(payload)?.inspect(|delivery| self.prefix.learn(payload, delivery)),
            },
            _ => None,
        };
        if let Some(delivery) = delivery {
            return Ok(if block.push(&delivery) { Taken::Delivered } else { Taken::Full });
        }
        self.control = Some(Control { opcode, payload: payload.to_vec() });
        Ok(Taken::Control)
    }
}

#[cfg(test)]
mod tests;
