use proptest::prelude::*;

use super::*;
use crate::{BufferBlock, Cipher, CipherKey, CipherKeys};

/// The frames of a stream as gathered datagrams.
fn gathered(stream: &[u8]) -> Vec<u8> {
    let (mut deframer, mut position, mut chunk) = (Deframer::default(), 0, Vec::new());
    while let Some(frame) = deframer.next(stream, &mut position).unwrap() {
        gather(frame.body, &mut chunk);
    }
    chunk
}

fn gather(datagram: &[u8], chunk: &mut Vec<u8>) {
    chunk.extend_from_slice(&(datagram.len() as u16).to_le_bytes());
    chunk.extend_from_slice(datagram);
}

/// Feeds gathered datagrams with blocks of `capacity` rows.
fn feed_datagrams(downlink: &mut Downlink, chunk: &[u8], capacity: u32) -> Received {
    let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut received = Received::default();
    let mut rest = chunk;
    loop {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let status = downlink.decode_datagrams(rest, Block::open(bytes).unwrap());
        let block = Block::open(bytes).unwrap();
        for row in 0..block.len() {
            received.rows.push((block.time[row], block.value[row].to_bits(), block.signal[row], block.flags[row]));
        }
        let consumed = u32::from_ne_bytes(bytes[24..28].try_into().unwrap());
        rest = &rest[consumed as usize..];
        match status {
            Status::Full => {}
            Status::Control => received.events.extend(core::iter::from_fn(|| downlink.take_event())),
            Status::Malformed => received.errors.push(downlink.take_error().unwrap()),
            status => {
                assert_eq!((status, rest.len()), (Status::NeedMore, 0));
                return received;
            }
        }
    }
}

/// A connection whose cache came by the command channel.
fn connection() -> (Downlink, Encoder) {
    let (encoder, wire) = publisher(OperationalModes::COMPACT, 3);
    let mut downlink = downlink(OperationalModes::COMPACT);
    receive(&mut downlink, &wire);
    (downlink, encoder)
}

fn key(byte: u8) -> CipherKey {
    CipherKey { key: vec![byte; 32], iv: vec![byte ^ 0x55; 16] }
}

fn exchange(downlink: &mut Downlink, active: u8, even: u8, odd: u8) {
    let mut wire = Vec::new();
    let keys = CipherKeys { active, pairs: [key(even), key(odd)] };
    Response::CipherKeys(keys).write(OperationalModes::COMPACT, &mut wire);
    receive(downlink, &wire);
}

/// The frame of a data packet as a datagram that is encrypted by a key.
fn encrypted(frame: &[u8], byte: u8, odd: bool) -> Vec<u8> {
    let (head, payload) = frame[4..].split_at(6);
    let mut datagram = head.to_vec();
    datagram.push(payload[0] | if odd { data_packet::CIPHER_INDEX } else { 0 });
    Cipher::new(&key(byte)).unwrap().encrypt(&payload[1..], &mut datagram);
    datagram
}

#[test]
fn datagrams_share_the_caches_of_the_connection() {
    for capacity in [1, 7, 4096] {
        let (mut downlink, mut encoder) = connection();
        let mut wire = Vec::new();
        for n in 0..40 {
            send(&mut encoder, &frame(n), &mut wire);
        }
        let received = feed_datagrams(&mut downlink, &gathered(&wire), capacity);
        assert_eq!(received.rows, (0..40).flat_map(frame).collect::<Vec<_>>());
        assert_eq!((received.events, received.errors), (vec![], vec![]));
        assert_eq!(receive(&mut downlink, &wire).rows.len(), 120);
    }
}

#[test]
fn short_frames_make_short_datagrams() {
    let (mut downlink, mut encoder) = connection();
    encoder.limit_frames(48);
    let mut wire = Vec::new();
    send(&mut encoder, &[frame(0), frame(1)].concat(), &mut wire);
    let chunk = gathered(&wire);
    let mut position = 0;
    let lengths: Vec<usize> =
        core::iter::from_fn(|| crate::downlink::datagrams::next(&chunk, &mut position)).map(<[u8]>::len).collect();
    assert_eq!(lengths, [28; 6]);
    assert_eq!(feed_datagrams(&mut downlink, &chunk, 9).rows, [frame(0), frame(1)].concat());
}

#[test]
fn a_datagram_that_comes_twice_is_counted_and_not_given_again() {
    let (mut downlink, mut encoder) = connection();
    let mut wire = Vec::new();
    send(&mut encoder, &frame(0), &mut wire);
    let chunk = [gathered(&wire), gathered(&wire)].concat();
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!(received.rows, frame(0));
    let bytes = wire.len() as u64 - 4;
    let twice = Loss { cause: LossCause::Duplicate, sequences: None, packets: 1, measurements: Some(3), bytes };
    assert_eq!(received.losses(), [twice]);
}

#[test]
fn datagrams_that_were_overtaken_are_counted() {
    for capacity in [1, 2, 4096] {
        let (mut downlink, mut encoder) = connection();
        let mut chunks = (0..6).map(|n| {
            let mut wire = Vec::new();
            send(&mut encoder, &frame(n), &mut wire);
            gathered(&wire)
        });
        let mut take = || chunks.next().unwrap();
        let [first, second, third, fourth, fifth, sixth] = [take(), take(), take(), take(), take(), take()];
        for (chunk, late) in [(first, 0), (third, 0), (second, 1), (fourth, 1)] {
            feed_datagrams(&mut downlink, &chunk, capacity);
            assert_eq!(downlink.late_datagrams(), late);
        }
        let received = feed_datagrams(&mut downlink, &[sixth, fifth].concat(), capacity);
        assert_eq!((received.rows, received.events), ([frame(5), frame(4)].concat(), vec![]));
        assert_eq!(downlink.late_datagrams(), 2);
    }
}

#[test]
fn equal_packets_without_times_are_all_given() {
    let subscription = Subscription { include_time: false, ..Subscription::default() };
    let options = EncoderOptions::new(OperationalModes::COMPACT, &subscription);
    let (mut encoder, mut wire) = (Encoder::new(options), Vec::new());
    encoder.update_cache(cache(3), vec![0, 1, 2], &mut wire);
    encoder.confirm_cache(&mut wire);
    let mut downlink = downlink(OperationalModes::COMPACT);
    downlink.set_time_form(false, false);
    receive(&mut downlink, &wire);
    let mut wire = Vec::new();
    send(&mut encoder, &frame(0), &mut wire);
    send(&mut encoder, &frame(0), &mut wire);
    assert_eq!(feed_datagrams(&mut downlink, &gathered(&wire), 16).rows.len(), 6);
}

#[test]
fn only_data_comes_by_datagrams() {
    let (mut downlink, _) = connection();
    let mut wire = Vec::new();
    Response::ProcessingComplete("done".into()).write(OperationalModes::COMPACT, &mut wire);
    let mut chunk = gathered(&wire);
    gather(&[0x82, 2], &mut chunk);
    gather(b"", &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    let errors: Vec<_> =
        received.errors.iter().map(|message| (message.offset, message.length, message.error)).collect();
    let expected = [
        (0, 10, PacketError::Datagram { code: 0x87 }),
        (10, 2, PacketError::Length { length: 2 }),
        (12, 0, PacketError::Length { length: 0 }),
    ];
    assert_eq!((errors, received.events), (expected.to_vec(), vec![]));
}

#[test]
fn a_datagram_that_is_none_says_no_count() {
    let (mut downlink, _) = connection();
    let mut chunk = Vec::new();
    gather(&[0x82, 2, 0, 0, 0, 7, 2, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2], &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!(received.errors.iter().map(|error| error.measurements).collect::<Vec<_>>(), [None]);
}

#[test]
fn encrypted_packets_are_read_by_the_key_that_they_name() {
    let (mut downlink, mut encoder) = connection();
    exchange(&mut downlink, 0, 1, 2);
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for n in 0..4 {
        let mut wire = Vec::new();
        send(&mut encoder, &frame(n), &mut wire);
        frames.push(wire);
    }
    let mut chunk = Vec::new();
    gather(&encrypted(&frames[0], 1, false), &mut chunk);
    gather(&encrypted(&frames[1], 2, true), &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 2);
    assert_eq!(received.rows, [frame(0), frame(1)].concat());
    assert_eq!((received.events, received.errors), (vec![], vec![]));

    // The even key is replaced while a datagram of the old one is under way.
    exchange(&mut downlink, 1, 3, 2);
    let mut chunk = Vec::new();
    gather(&encrypted(&frames[2], 1, false), &mut chunk);
    gather(&encrypted(&frames[3], 3, false), &mut chunk);
    gather(&encrypted(&frames[3], 4, false), &mut chunk);
    gather(&frames[0][4..], &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!(received.rows, [frame(2), frame(3)].concat());
    assert!(received.errors.iter().all(|message| matches!(message.error, PacketError::Cipher { .. })));
    assert_eq!(received.errors.len(), 2);
}

#[test]
fn an_encrypted_datagram_that_comes_twice_is_counted() {
    let (mut downlink, mut encoder) = connection();
    exchange(&mut downlink, 0, 1, 2);
    let (mut wire, mut chunk) = (Vec::new(), Vec::new());
    send(&mut encoder, &frame(0), &mut wire);
    gather(&encrypted(&wire, 1, false), &mut chunk);
    gather(&encrypted(&wire, 1, false), &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!(received.rows, frame(0));
    assert_eq!(received.losses().iter().map(|loss| loss.measurements).collect::<Vec<_>>(), [Some(3)]);
}

#[test]
fn buffer_blocks_are_decrypted_behind_their_flags() {
    let (mut downlink, _) = connection();
    exchange(&mut downlink, 0, 1, 2);
    let block = BufferBlock { sequence: 5, flags: 5, index: 2, payload: b"wave".to_vec() };
    let mut body = block.index.to_be_bytes().to_vec();
    body.extend_from_slice(&block.payload);
    let mut datagram = vec![0x88, 2, 0, 0, 0, 21, 0, 0, 0, 5, 5];
    Cipher::new(&key(2)).unwrap().encrypt(&body, &mut datagram);
    let mut chunk = Vec::new();
    gather(&datagram, &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!(
        received.events.into_iter().map(|message| message.event).collect::<Vec<_>>(),
        [Event::Response(Response::BufferBlock(block))]
    );
}

#[test]
fn buffer_blocks_of_the_connection_may_be_as_they_are() {
    let (mut downlink, _) = connection();
    exchange(&mut downlink, 0, 1, 2);
    // The second is as long as an encrypted one, the third of no signal.
    let blocks = [(2, &b"wave"[..]), (1, &[7; 12]), (9, b"none")].map(|(index, payload)| BufferBlock {
        sequence: 5,
        flags: 1,
        index,
        payload: payload.to_vec(),
    });
    let mut wire = Vec::new();
    for block in &blocks {
        Response::BufferBlock(block.clone()).write(OperationalModes::COMPACT, &mut wire);
    }
    let received = receive(&mut downlink, &wire);
    let events: Vec<_> = received.events.into_iter().map(|message| message.event).collect();
    let [first, second, _] = blocks;
    assert_eq!(events, [first, second].map(|block| Event::Response(Response::BufferBlock(block))));
    assert!(matches!(received.errors[..], [MessageError { error: PacketError::Cipher { .. }, .. }]));
    // By datagrams, where anybody may send, they may not.
    let mut chunk = Vec::new();
    gather(&wire[4..4 + 6 + 9 + 4], &mut chunk);
    let received = feed_datagrams(&mut downlink, &chunk, 16);
    assert_eq!((received.events.len(), received.errors.len()), (0, 1));
}

#[test]
fn keys_that_are_none_are_told() {
    let (mut downlink, _) = connection();
    let mut wire = Vec::new();
    let short = CipherKey { key: vec![1; 16], iv: Vec::new() };
    Response::CipherKeys(CipherKeys { active: 0, pairs: [short, key(2)] }).write(OperationalModes::COMPACT, &mut wire);
    assert_eq!(receive(&mut downlink, &wire).quirks(), [Quirk::CipherKeysUnusable]);
}

proptest! {
    #[test]
    fn any_datagrams_are_taken(chunk in proptest::collection::vec(any::<u8>(), 0..400), keyed in any::<bool>()) {
        let (mut downlink, _) = connection();
        if keyed {
            exchange(&mut downlink, 0, 1, 2);
        }
        feed_datagrams(&mut downlink, &chunk, 16);
    }

    #[test]
    fn damaged_datagrams_are_taken(places in proptest::collection::vec((0..200_usize, any::<u8>()), 1..5)) {
        let (mut downlink, mut encoder) = connection();
        let mut wire = Vec::new();
        send(&mut encoder, &[frame(0), frame(1)].concat(), &mut wire);
        let mut chunk = gathered(&wire);
        for (place, byte) in places {
            let length = chunk.len();
            chunk[2 + place % (length - 2)] ^= byte;
        }
        feed_datagrams(&mut downlink, &chunk, 4);
    }
}

#[test]
fn the_form_of_times_is_that_of_the_cache() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPACT, 3);
    let mut downlink = downlink(OperationalModes::COMPACT);
    send(&mut encoder, &frame(0), &mut wire);
    receive(&mut downlink, &wire);
    // What was asked for anew is not what comes until the new cache has.
    downlink.set_time_form(false, false);
    let mut wire = Vec::new();
    send(&mut encoder, &frame(1), &mut wire);
    assert_eq!(receive(&mut downlink, &wire).rows, frame(1));
    let (mut under_way, mut wire) = (Vec::new(), Vec::new());
    send(&mut encoder, &frame(2), &mut under_way);
    Response::SignalIndexCache { cache_index: 1, cache: cache(3) }.write(OperationalModes::COMPACT, &mut wire);
    receive(&mut downlink, &wire);
    assert_eq!(feed_datagrams(&mut downlink, &gathered(&under_way), 16).rows, frame(2));
    let without = [0x82, 2, 0, 0, 0, 14, 0x12, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0x40, 0, 0, 0];
    let mut chunk = Vec::new();
    gather(&without, &mut chunk);
    let rows = feed_datagrams(&mut downlink, &chunk, 16).rows;
    assert_eq!(rows, [(measurand_columns::TIME_UNKNOWN, 2.0_f64.to_bits(), 1, 0)]);
}
