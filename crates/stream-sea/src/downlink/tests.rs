use proptest::prelude::*;

use super::*;
use crate::{Messages, Packed, frames_length, write_frames};

const HEAD: &[u8] = br#"{"id":2,"action":"subscription","streamName":"s","payload":"#;

fn block(capacity: u32, text: u32) -> Vec<u8> {
    let mut bytes = vec![0; EventBlock::byte_length(capacity as usize, text as usize)];
    bytes[0..4].copy_from_slice(&capacity.to_le_bytes());
    bytes[4..8].copy_from_slice(&text.to_le_bytes());
    bytes
}

fn rows(bytes: &[u8], capacity: usize) -> Vec<String> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let count = word(8);
    let text = EventBlock::byte_length(capacity, 0);
    (0..count)
        .map(|row| {
            let (from, to) = (word(64 + 4 * row), word(64 + 4 * (row + 1)));
            String::from_utf8(bytes[text + from..text + to].to_vec()).unwrap()
        })
        .collect()
}

fn frames(texts: &[String]) -> Vec<u8> {
    let mut messages = Messages::default();
    for text in texts {
        messages.push(text.as_bytes()).unwrap();
    }
    let mut bytes = vec![0; messages.packed_length()];
    messages.pack(&mut bytes);
    let packed = Packed::open(&bytes).unwrap();
    let mut out = vec![0; frames_length(&packed, 0, packed.len(), HEAD.len(), false)];
    let length = write_frames(&packed, 0, packed.len(), HEAD, None, &mut out).unwrap();
    out.truncate(length);
    out
}

/// Feeds bytes in pieces; gives the payloads and the controls.
fn read(bytes: &[u8], pieces: &[usize], capacity: u32) -> (Vec<String>, Vec<Control>, Option<DownlinkError>) {
    let mut downlink = Downlink::new(1 << 20, false);
    let (mut payloads, mut controls) = (Vec::new(), Vec::new());
    let mut from = 0;
    let mut sizes = pieces.iter().copied().cycle();
    while from < bytes.len() {
        let to = (from + sizes.next().unwrap_or(bytes.len())).min(bytes.len());
        let mut chunk = &bytes[from..to];
        loop {
            let mut memory = block(capacity, 1 << 16);
            let mut open = EventBlock::open(&mut memory).unwrap();
            let (status, consumed) = downlink.decode(chunk, &mut open);
            open.close(status as u32, consumed, 0);
            payloads.extend(rows(&memory, capacity as usize));
            chunk = &chunk[consumed..];
            match status {
                Status::NeedMore => break,
                Status::Full => {}
                Status::Control => controls.push(downlink.take_control().unwrap()),
                Status::Malformed | Status::Lost => return (payloads, controls, downlink.take_error()),
            }
        }
        from = to;
    }
    (payloads, controls, None)
}

#[test]
fn deliveries_and_controls_keep_their_order() {
    let mut bytes = b"\x81\x2f{\"id\":1,\"action\":\"authenticate\",\"success\":true}\x89\x01x".to_vec();
    bytes.extend(frames(&["1".into(), "[2]".into()]));
    bytes.extend(b"\x88\x02\x03\xe8");
    let (payloads, controls, error) = read(&bytes, &[7], 1);
    assert_eq!(payloads, ["1", "[2]"]);
    assert_eq!(controls.iter().map(|c| c.opcode).collect::<Vec<_>>(), [Opcode::Text, Opcode::Ping, Opcode::Close]);
    assert_eq!(error, None);
}

#[test]
fn a_message_in_fragments_is_one() {
    let whole = [HEAD, b"12345}"].concat();
    let (a, b) = whole.split_at(20);
    let mut bytes = vec![0x01, a.len() as u8];
    bytes.extend(a);
    bytes.extend([0x89, 0, 0x80, b.len() as u8]);
    bytes.extend(b);
    let (payloads, controls, error) = read(&bytes, &[3], 4);
    assert_eq!((payloads, controls.len(), error), (vec!["12345".to_owned()], 1, None));
}

#[test]
fn a_malformed_message_costs_only_itself() {
    let mut bytes = b"\x81\x01{".to_vec();
    bytes.extend(frames(&["1".into()]));
    let mut downlink = Downlink::new(100, false);
    let mut memory = block(4, 100);
    let mut open = EventBlock::open(&mut memory).unwrap();
    assert_eq!(downlink.decode(&bytes, &mut open), (Status::Malformed, 3));
    assert!(matches!(downlink.take_error(), Some(DownlinkError::Message(_))));
    assert_eq!(downlink.decode(&bytes[3..], &mut open).0, Status::NeedMore);
    assert_eq!(open.len(), 1);
}

#[test]
fn answers_of_publishes_are_rows_where_they_are_asked_for() {
    let text = r#"{"id":5,"action":"publish","success":true,"payload":{"offset":7,"count":2}}"#;
    let mut bytes = vec![0x81, text.len() as u8];
    bytes.extend(text.as_bytes());
    bytes.extend(frames(&["1".into()]));
    for answers in [true, false] {
        let mut downlink = Downlink::new(100, answers);
        let mut memory = block(4, 100);
        let mut open = EventBlock::open(&mut memory).unwrap();
        let (status, consumed) = downlink.decode(&bytes, &mut open);
        assert_eq!(open.len(), if answers { 2 } else { 0 });
        assert_eq!(status, if answers { Status::NeedMore } else { Status::Control });
        assert_eq!(consumed, if answers { bytes.len() } else { text.len() + 2 });
    }
}

#[test]
fn what_is_not_whole_is_pending() {
    let mut downlink = Downlink::new(100, true);
    let mut memory = block(4, 100);
    let mut open = EventBlock::open(&mut memory).unwrap();
    assert_eq!(downlink.decode(b"\x01\x02[1\x80\x02,", &mut open).0, Status::NeedMore);
    assert_eq!(downlink.pending(), 5);
    assert_eq!(downlink.decode(b"]", &mut open).0, Status::Malformed);
    assert_eq!(downlink.pending(), 0);
}

#[test]
fn wrong_frames_poison() {
    for (bytes, error) in [
        (&b"\xc1\x00"[..], DownlinkError::Header(0xc1)),
        (b"\x83\x00", DownlinkError::Header(0x83)),
        (b"\x09\x00", DownlinkError::Header(0x09)),
        (b"\x81\x80", DownlinkError::Masked),
        (b"\x80\x00", DownlinkError::Continuation),
        (b"\x01\x00\x01\x00", DownlinkError::Continuation),
        (b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", DownlinkError::Length { length: u64::MAX, limit: 1 << 20 }),
        (b"\x89\x7e\x01\x00", DownlinkError::Length { length: 256, limit: 125 }),
    ] {
        assert_eq!(read(bytes, &[100], 4).2, Some(error), "{bytes:x?}");
    }
    let mut downlink = Downlink::new(100, false);
    let mut memory = block(4, 100);
    let mut open = EventBlock::open(&mut memory).unwrap();
    assert_eq!(downlink.decode(b"\x83\x00", &mut open).0, Status::Lost);
    assert_eq!(downlink.decode(b"\x81\x02{}", &mut open), (Status::Lost, 0));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        texts in proptest::collection::vec("\"[a-z ]{0,200}\"", 0..20),
        pieces in proptest::collection::vec(1usize..64, 1..8),
        capacity in 1u32..5,
    ) {
        let (payloads, controls, error) = read(&frames(&texts), &pieces, capacity);
        prop_assert_eq!(payloads, texts);
        prop_assert!(controls.is_empty());
        prop_assert_eq!(error, None);
    }

    #[test]
    fn any_bytes_end_somehow(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..64) {
        let mut downlink = Downlink::new(1000, true);
        let mut memory = block(4, 1000);
        for chunk in bytes.chunks(piece) {
            let mut open = EventBlock::open(&mut memory).unwrap();
            let (_, consumed) = downlink.decode(chunk, &mut open);
            prop_assert!(consumed <= chunk.len());
        }
    }
}
