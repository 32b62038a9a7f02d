//! Frames of the command channel: `u32 length` (big-endian, without its own four bytes) and as many bytes of body.

/// Bytes of the length in front of a body.
pub const LENGTH_BYTES: usize = 4;

/// A partial frame's memory is given back beyond this, so that one large metadata reply is not kept for ever.
const KEPT_BYTES: usize = 1 << 20;

/// How long the bodies of frames may be, in bytes; also how long what is compressed in them may become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameLimits {
    /// Any frame but those below. Publishers keep data packets within 32,768. Default 1 MiB.
    pub frame: usize,
    /// Signal index caches (response 83), of which one of 100,000 signals has 4 MB. Default 64 MiB.
    pub cache: usize,
    /// Metadata (response 80 to command 01). Default 256 MiB.
    pub metadata: usize,
}

impl FrameLimits {
    /// The same limit for every frame.
    pub const fn all(limit: usize) -> Self {
        Self { frame: limit, cache: limit, metadata: limit }
    }

    /// The limit of a body that begins with these bytes.
    fn of(&self, head: &[u8]) -> usize {
        match head {
            [0x80, 0x01, ..] => self.metadata,
            [0x83, ..] => self.cache,
            [] | [0x80] => self.frame.max(self.cache).max(self.metadata),
            _ => self.frame,
        }
    }
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { frame: 1 << 20, cache: 64 << 20, metadata: 256 << 20 }
    }
}

/// Why framing is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame says that it is longer than its limit; where the peer speaks another protocol, this is what is seen.
    #[error("the frame at byte {offset} says {length} bytes where {limit} are allowed")]
    Length {
        /// Byte of the stream at which the frame begins.
        offset: u64,
        /// The length that it says.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// A whole frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// Byte of the stream at which its length stands.
    pub offset: u64,
    /// What follows the length.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// Bytes of the frame with its length.
    pub fn len(&self) -> usize {
        LENGTH_BYTES + self.body.len()
    }

    /// Whether it has no body.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// Finds frames in a stream that arrives in chunks cut anywhere.
///
/// A frame that lies whole in a chunk is lent from there; only one that spans chunks is gathered, as its bytes come, so
/// that a hostile length allocates nothing. After an error every call repeats it.
#[derive(Clone, Debug, Default)]
pub struct Deframer {
    limits: FrameLimits,
    /// The frame that spans chunks, with its length.
    partial: Vec<u8>,
    /// `partial` was lent: the next call clears it.
    lent: bool,
    /// Byte of the stream at which the next frame begins.
    offset: u64,
    failed: Option<FrameError>,
}

impl Deframer {
    /// A deframer at the start of a stream.
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Byte of the stream at which the next frame begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of a frame that has not come whole yet.
    pub fn pending(&self) -> usize {
        if self.lent { 0 } else { self.partial.len() }
    }

    /// The next frame of `chunk[*position..]`, moving `position` behind it; `None` when the chunk is used up.
    pub fn next<'a>(&'a mut self, chunk: &'a [u8], position: &mut usize) -> Result<Option<Frame<'a>>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.lent {
            self.lent = false;
            self.partial.clear();
            self.partial.shrink_to(KEPT_BYTES);
        }
        let rest = chunk.get(*position..).unwrap_or_default();
        if self.partial.is_empty() {
            if let Some((length, tail)) = rest.split_first_chunk() {
                let length = self.checked(u32::from_be_bytes(*length), tail)?;
                if let Some(body) = tail.get(..length) {
                    *position += LENGTH_BYTES + length;
                    return Ok(Some(self.step(body)));
                }
            }
            self.partial.extend_from_slice(rest);
            *position = chunk.len();
            return Ok(None);
        }
        self.gather(rest, position)
    }

    fn step<'a>(&mut self, body: &'a [u8]) -> Frame<'a> {
        let offset = self.offset;
        self.offset += (LENGTH_BYTES + body.len()) as u64;
        Frame { offset, body }
    }

    /// Goes on with a frame that spans chunks: its length, then the two bytes that say its limit, then the rest.
    fn gather<'a>(&'a mut self, rest: &[u8], position: &mut usize) -> Result<Option<Frame<'a>>, FrameError> {
        let mut rest = rest;
        loop {
            let mut wanted = LENGTH_BYTES;
            if let Some((length, body)) = self.partial.split_first_chunk() {
                let length = u32::from_be_bytes(*length);
                let known = body.len().min(2);
                let head = [body.first().copied().unwrap_or(0), body.get(1).copied().unwrap_or(0)];
                let length = self.checked(length, &head[..known])?;
                if self.partial.len() == LENGTH_BYTES + length {
                    break;
                }
                wanted += if known < 2 { length.min(2) } else { length };
            }
            if rest.is_empty() {
                return Ok(None);
            }
            let (more, tail) = rest.split_at(rest.len().min(wanted - self.partial.len()));
            self.partial.extend_from_slice(more);
            *position += more.len();
            rest = tail;
        }
        let offset = self.offset;
        self.offset += self.partial.len() as u64;
        self.lent = true;
        Ok(Some(Frame { offset, body: self.partial.get(LENGTH_BYTES..).unwrap_or_default() }))
    }

    fn checked(&mut self, length: u32, head: &[u8]) -> Result<usize, FrameError> {
        let length = length as usize;
        // Beyond what any frame may have it is the same error, whether more of the frame has come or not.
        let most = self.limits.of(&[]);
        let limit = if length > most { most } else { self.limits.of(head) };
        if length > limit {
            let error = FrameError::Length { offset: self.offset, length, limit };
            self.failed = Some(error);
            return Err(error);
        }
        Ok(length)
    }
}

/// Appends a frame whose body `write` appends.
pub fn write_frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTH_BYTES]);
    write(out);
    let length = (out.len() - start - LENGTH_BYTES) as u32;
    if let Some(place) = out.get_mut(start..start + LENGTH_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(deframer: &mut Deframer, chunk: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, FrameError> {
        let mut position = 0;
        let mut frames = Vec::new();
        while let Some(frame) = deframer.next(chunk, &mut position)? {
            frames.push((frame.offset, frame.body.to_vec()));
        }
        assert_eq!(position, chunk.len());
        Ok(frames)
    }

    #[test]
    fn a_length_beyond_the_limit_of_its_kind_is_refused_for_ever() {
        let limits = FrameLimits { frame: 10, cache: 20, metadata: 30 };
        let refused = |bytes: &[u8]| Deframer::new(limits).next(bytes, &mut 0).is_err();
        assert!(refused(&[0, 0, 0, 11, 0x82, 2]));
        assert!(!refused(&[0, 0, 0, 11, 0x80]));
        assert!(!refused(&[0, 0, 0, 11, 0x83, 2]));
        assert!(refused(&[0, 0, 0, 21, 0x83, 2]));
        assert!(!refused(&[0, 0, 0, 21, 0x80, 1]));
        assert!(refused(&[0, 0, 0, 21, 0x80, 2]));
        assert!(refused(&[0, 0, 0, 31]));
        let mut deframer = Deframer::new(limits);
        let error = FrameError::Length { offset: 0, length: 0x4854_5450, limit: 30 };
        assert_eq!(deframer.next(b"HTTP/1.1", &mut 0), Err(error));
        assert_eq!(deframer.next(&[0, 0, 0, 0], &mut 0), Err(error));
    }

    #[test]
    fn a_limit_is_met_at_the_first_byte_that_shows_it() {
        let mut deframer = Deframer::new(FrameLimits { frame: 10, cache: 20, metadata: 30 });
        for byte in [0, 0, 0, 21] {
            assert_eq!(deframer.next(&[byte], &mut 0), Ok(None));
        }
        assert!(deframer.next(&[0x83], &mut 0).is_err() || deframer.next(&[0], &mut 0).is_err());
    }

    #[test]
    fn a_frame_inside_a_chunk_is_lent_from_it() {
        let chunk = [0, 0, 0, 1, 10, 0, 0, 0, 0];
        let mut deframer = Deframer::default();
        let mut position = 0;
        let body = deframer.next(&chunk, &mut position).unwrap().unwrap().body;
        assert!(core::ptr::eq(body, &raw const chunk[4..5]));
        assert_eq!(deframer.next(&chunk, &mut position).unwrap().unwrap(), Frame { offset: 5, body: &[] });
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12),
            cuts in proptest::collection::vec(0..300_usize, 0..12),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for body in &bodies {
                expected.push((stream.len() as u64, body.clone()));
                write_frame(&mut stream, |out| out.extend_from_slice(body));
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            cuts.push(stream.len());
            let mut deframer = Deframer::default();
            let (mut from, mut frames) = (0, Vec::new());
            for cut in cuts {
                frames.extend(all(&mut deframer, &stream[from..cut]).unwrap());
                from = cut;
            }
            prop_assert_eq!(frames, expected);
            prop_assert_eq!(deframer.pending(), 0);
        }

        #[test]
        fn arbitrary_bytes_are_all_accounted_for(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..8)) {
            let mut deframer = Deframer::new(FrameLimits::all(50));
            let mut given = 0;
            for chunk in chunks {
                given += chunk.len() as u64;
                if all(&mut deframer, &chunk).is_err() {
                    return Ok(());
                }
                prop_assert_eq!(deframer.offset() + deframer.pending() as u64, given);
            }
        }
    }
}
