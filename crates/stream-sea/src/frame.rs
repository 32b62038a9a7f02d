use crate::Packed;

/// Why frames cannot be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The range is not one of the packed messages.
    #[error("messages {from} to {to} of {count}")]
    Range {
        /// First.
        from: usize,
        /// Behind the last.
        to: usize,
        /// Messages that there are.
        count: usize,
    },
    /// The room is less than [`frames_length`] says.
    #[error("{0} bytes are needed")]
    Room(usize),
}

/// What a delivery carries for subscribers that ask for it, and the others must not see.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extras {
    /// Offset of the first message of the range.
    pub offset: u64,
    /// When they were stored, ms since 1970-01-01 UTC.
    pub time: u64,
    /// How many times they have been delivered before; 0 is not written.
    pub redelivered: u32,
}

/// Bytes of the longest header of a server's frame.
const HEADER: usize = 10;
/// Bytes of the longest extras: three names, two numbers of 20 digits, one of 10.
const EXTRAS: usize = 96;

/// Bytes that suffice for frames of messages `from` to `to` behind a head of so many bytes.
pub fn frames_length(packed: &Packed<'_>, from: usize, to: usize, head: usize, extras: bool) -> usize {
    let each = HEADER + head + 1 + if extras { EXTRAS } else { 0 };
    packed.text_length(from, to) + to.saturating_sub(from) * each
}

/// Writes a delivery of each message in the range as a WebSocket text frame of a server: `head` (`{...,"payload":`), the
/// message as it is, the extras, `}`. Gives the bytes written.
pub fn write_frames(
    packed: &Packed<'_>,
    from: usize,
    to: usize,
    head: &[u8],
    extras: Option<Extras>,
    out: &mut [u8],
) -> Result<usize, FrameError> {
    if from > to || to > packed.len() {
        return Err(FrameError::Range { from, to, count: packed.len() });
    }
    let room = frames_length(packed, from, to, head.len(), extras.is_some());
    if out.len() < room {
        return Err(FrameError::Room(room));
    }
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(place) = out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        at += bytes.len();
    };
    let mut tail = Vec::with_capacity(EXTRAS);
    for index in from..to {
        let text = packed.get(index);
        tail.clear();
        if let Some(extras) = extras {
            write_extras(&mut tail, &extras, (index - from) as u64);
        }
        tail.push(b'}');
        let length = head.len() + text.len() + tail.len();
        match length {
            0..=125 => put(&[0x81, length as u8]),
            126..=0xffff => {
                put(&[0x81, 126]);
                put(&(length as u16).to_be_bytes());
            }
            _ => {
                put(&[0x81, 127]);
                put(&(length as u64).to_be_bytes());
            }
        }
        put(head);
        put(text);
        put(&tail);
    }
    Ok(at)
}

fn write_extras(tail: &mut Vec<u8>, extras: &Extras, index: u64) {
    tail.extend_from_slice(b",\"offset\":");
    digits(tail, extras.offset.wrapping_add(index));
    tail.extend_from_slice(b",\"time\":");
    digits(tail, extras.time);
    if extras.redelivered > 0 {
        tail.extend_from_slice(b",\"redelivered\":");
        digits(tail, u64::from(extras.redelivered));
    }
}

fn digits(out: &mut Vec<u8>, mut value: u64) {
    let from = out.len();
    loop {
        out.push(b'0' + (value % 10) as u8);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Messages;

    fn frames(texts: &[&str], extras: Option<Extras>) -> Vec<u8> {
        let mut messages = Messages::default();
        for text in texts {
            messages.push(text.as_bytes()).unwrap();
        }
        let mut bytes = vec![0; messages.packed_length()];
        messages.pack(&mut bytes);
        let packed = Packed::open(&bytes).unwrap();
        let head = b"{\"payload\":";
        let mut out = vec![0; frames_length(&packed, 0, packed.len(), head.len(), extras.is_some())];
        let written = write_frames(&packed, 0, packed.len(), head, extras, &mut out).unwrap();
        out.truncate(written);
        out
    }

    #[test]
    fn a_frame_has_its_length_before_it() {
        assert_eq!(frames(&["1", "22"], None), b"\x81\x0d{\"payload\":1}\x81\x0e{\"payload\":22}");
        let long = "x".repeat(200);
        assert!(frames(&[&long], None).starts_with(b"\x81\x7e\x00\xd4{"));
        let longer = "x".repeat(70_000);
        assert!(frames(&[&longer], None).starts_with(b"\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x7c{"));
    }

    #[test]
    fn extras_count_offsets() {
        let extras = Extras { offset: 9, time: 1_700_000_000_123, redelivered: 0 };
        let text = String::from_utf8_lossy(&frames(&["1", "2"], Some(extras))).into_owned();
        assert!(text.contains(r#"{"payload":1,"offset":9,"time":1700000000123}"#), "{text}");
        assert!(text.contains(r#"{"payload":2,"offset":10,"time":1700000000123}"#), "{text}");
        let text = String::from_utf8_lossy(&frames(&["1"], Some(Extras { redelivered: 3, ..extras }))).into_owned();
        assert!(text.ends_with(r#","redelivered":3}"#), "{text}");
    }

    #[test]
    fn the_longest_extras_fit() {
        let most = Extras { offset: u64::MAX, time: u64::MAX, redelivered: u32::MAX };
        let mut tail = Vec::new();
        write_extras(&mut tail, &most, 0);
        assert!(tail.len() <= EXTRAS, "{}", tail.len());
    }

    #[test]
    fn a_range_that_is_not_there_is_refused() {
        let bytes = [0, 0, 0, 0];
        let packed = Packed::open(&bytes).unwrap();
        let error = write_frames(&packed, 0, 1, b"", None, &mut []).unwrap_err();
        assert_eq!(error, FrameError::Range { from: 0, to: 1, count: 0 });
    }
}
