mod datagrams;
mod properties;

use measurand_columns::{Columns, Layout, ticks};
use uuid::Uuid;

use super::*;
use crate::{
    BaseTimes, CacheRecord, CommandCode, Encoder, EncoderOptions, MeasurementRows, Quirk, Response, ResponseCode,
    ResponseError, SignalIndexCache, data_packet, write_prefixed_text, write_response,
};

/// 2024-01-01T00:00:00Z, ns.
const T0: i64 = 1_704_067_200_000_000_000;

/// Time, value bits, row, flags.
type Row = (i64, u64, u32, u32);

/// What came out of a downlink.
#[derive(Debug, Default, PartialEq)]
struct Received {
    rows: Vec<Row>,
    events: Vec<Message>,
    errors: Vec<MessageError>,
}

impl Received {
    fn quirks(&self) -> Vec<Quirk> {
        let quirk = |message: &Message| if let Event::Quirk(quirk) = message.event { Some(quirk) } else { None };
        self.events.iter().filter_map(quirk).collect()
    }

    fn losses(&self) -> Vec<Loss> {
        let loss = |message: &Message| if let Event::Loss(loss) = message.event { Some(loss) } else { None };
        self.events.iter().filter_map(loss).collect()
    }
}

/// Feeds a chunk as a session does, with blocks of `capacity` rows.
fn feed(downlink: &mut Downlink, chunk: &[u8], capacity: u32, received: &mut Received) -> Status {
    let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut rest = chunk;
    loop {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let status = downlink.decode(rest, Block::open(bytes).unwrap()).unwrap();
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
            status => return status,
        }
    }
}

fn receive(downlink: &mut Downlink, stream: &[u8]) -> Received {
    let mut received = Received::default();
    feed(downlink, stream, 4096, &mut received);
    received
}

fn cache(count: u32) -> SignalIndexCache {
    let record = |index| CacheRecord {
        index: index as i32,
        signal_id: Uuid::from_u128(u128::from(index)),
        source: "T".into(),
        key_id: u64::from(index),
    };
    SignalIndexCache { records: (0..count).map(record).collect(), ..SignalIndexCache::default() }
}

fn downlink(modes: OperationalModes) -> Downlink {
    Downlink::new(DownlinkOptions { modes, ..DownlinkOptions::default() })
}

/// A publisher's encoder whose cache of `count` signals is in use, and what it has sent.
fn publisher(modes: OperationalModes, count: u32) -> (Encoder, Vec<u8>) {
    let mut encoder = Encoder::new(EncoderOptions::new(modes, &Subscription::default()));
    let mut wire = Vec::new();
    encoder.update_cache(cache(count), (0..count).collect(), &mut wire);
    encoder.confirm_cache(&mut wire);
    (encoder, wire)
}

fn send(encoder: &mut Encoder, rows: &[Row], wire: &mut Vec<u8>) {
    let (time, value): (Vec<_>, Vec<_>) = rows.iter().map(|row| (row.0, f64::from_bits(row.1))).unzip();
    let (signal, flags): (Vec<_>, Vec<_>) = rows.iter().map(|row| (row.2, row.3)).unzip();
    let rows = MeasurementRows { time: &time, raw_time: &[], value: &value, signal: &signal, flags: &flags };
    let mut frames = vec![0; Encoder::MAX_FRAME_BYTES + 40 * rows.len()];
    let sent = encoder.encode(&rows, &mut frames);
    assert_eq!(sent.rows, time.len());
    wire.extend_from_slice(&frames[..sent.bytes]);
}

/// A frame of three signals.
fn frame(n: i64) -> Vec<Row> {
    (0..3).map(|signal| (T0 + n * 33_333_300, (f64::from(signal) + n as f64).to_bits(), signal, 0)).collect()
}

#[test]
fn two_caches_are_told_apart_by_the_flag() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    send(&mut encoder, &frame(0), &mut wire);
    encoder.update_cache(cache(2), vec![7, 8], &mut wire);
    send(&mut encoder, &frame(1), &mut wire);
    encoder.confirm_cache(&mut wire);
    send(&mut encoder, &[(T0, 0, 7, 1), (T0, 0, 8, 2)], &mut wire);
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    let mut rows = [frame(0), frame(1)].concat();
    rows.extend([(T0, 0, 0, 1), (T0, 0, 1, 2)]);
    assert_eq!(received.rows, rows);
    assert_eq!((received.events.len(), received.errors.len()), (2, 0));
}

#[test]
fn rows_are_those_that_were_assigned() {
    let (mut encoder, wire) = publisher(OperationalModes::COMPACT, 3);
    let mut downlink = downlink(OperationalModes::COMPACT);
    receive(&mut downlink, &wire);
    assert_eq!(downlink.assign_rows(&[1]), Err(AssignError::Count { rows: 1, records: 3 }));
    downlink.assign_rows(&[30, 20, 10]).unwrap();
    let mut wire = Vec::new();
    send(&mut encoder, &frame(0), &mut wire);
    let rows: Vec<u32> = receive(&mut downlink, &wire).rows.iter().map(|row| row.2).collect();
    assert_eq!(rows, [30, 20, 10]);
}

#[test]
fn a_missing_packet_is_a_loss_until_the_next_restart() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    send(&mut encoder, &frame(0), &mut wire);
    let mut missing = Vec::new();
    send(&mut encoder, &frame(1), &mut missing);
    send(&mut encoder, &frame(2), &mut missing);
    let (from, mut undecodable) = (wire.len() as u64, Vec::new());
    send(&mut encoder, &frame(3), &mut undecodable);
    send(&mut encoder, &frame(4), &mut undecodable);
    wire.extend_from_slice(&undecodable);
    let mut downlink = downlink(OperationalModes::COMPRESSED);
    let received = receive(&mut downlink, &wire);
    assert_eq!(received.rows, frame(0));
    let bytes = undecodable.len() as u64;
    let gap = Loss { cause: LossCause::Missing, sequences: Some((1, 2)), packets: 2, measurements: None, bytes: 0 };
    let rest =
        Loss { cause: LossCause::Undecodable, sequences: Some((3, 4)), packets: 2, measurements: Some(6), bytes };
    assert_eq!(received.losses(), [gap, rest]);
    let last = received.events.last().unwrap();
    assert_eq!((last.offset, last.length), (from, bytes));
    assert!(downlink.awaits_reset());
    let mut wire = Vec::new();
    encoder.update_cache(cache(3), vec![0, 1, 2], &mut wire);
    encoder.confirm_cache(&mut wire);
    send(&mut encoder, &frame(5), &mut wire);
    assert_eq!(receive(&mut downlink, &wire).rows, frame(5));
    assert!(!downlink.awaits_reset());
}

#[test]
fn a_damaged_block_loses_what_it_says_to_have_and_what_follows() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let start = wire.len();
    send(&mut encoder, &frame(0), &mut wire);
    let length = wire.len() - start;
    // Cut two bytes off the block; the frame stays intact.
    wire.truncate(wire.len() - 2);
    wire[start + 3] -= 2;
    wire[start + 9] -= 2;
    send(&mut encoder, &frame(1), &mut wire);
    let mut downlink = downlink(OperationalModes::COMPRESSED);
    let received = receive(&mut downlink, &wire);
    let [error] = &received.errors[..] else { panic!("{:?}", received.errors) };
    assert!(matches!(error.error, PacketError::Tssc(_)));
    assert_eq!(error.measurements, Some(3 - received.rows.len() as u64));
    assert_eq!((error.offset, error.length), (start as u64, length as u64 - 2));
    let [loss] = received.losses()[..] else { panic!("{:?}", received.events) };
    assert_eq!((loss.cause, loss.measurements), (LossCause::Undecodable, Some(3)));
}

#[test]
fn a_block_that_ends_within_its_packet_loses_what_follows() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let start = wire.len();
    send(&mut encoder, &frame(0), &mut wire);
    // The code of the end stands where the first measurement was.
    wire[start + 18..].fill(0);
    send(&mut encoder, &frame(1), &mut wire);
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    assert_eq!(received.rows, []);
    let [error] = &received.errors[..] else { panic!("{:?}", received.errors) };
    assert_eq!((&error.error, error.measurements), (&PacketError::Count { declared: 3, decoded: 0 }, Some(3)));
    let [loss] = received.losses()[..] else { panic!("{:?}", received.events) };
    assert_eq!((loss.cause, loss.measurements), (LossCause::Undecodable, Some(3)));
}

#[test]
fn a_packet_that_promises_more_than_it_has_is_malformed() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let start = wire.len();
    send(&mut encoder, &frame(0), &mut wire);
    wire[start + 14] = 5;
    send(&mut encoder, &frame(1), &mut wire);
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    assert_eq!(received.rows, [frame(0), frame(1)].concat());
    let [error] = &received.errors[..] else { panic!("{:?}", received.errors) };
    assert_eq!((&error.error, error.measurements), (&PacketError::Count { declared: 5, decoded: 3 }, Some(2)));
}

#[test]
fn a_number_of_measurements_that_the_bytes_cannot_hold_is_none() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let start = wire.len();
    send(&mut encoder, &frame(0), &mut wire);
    send(&mut encoder, &frame(1), &mut wire);
    // The count and the version of TSSC are damaged; what follows cannot be decoded.
    wire[start + 12] = 0x5a;
    wire[start + 15] = 15;
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    let [error] = &received.errors[..] else { panic!("{:?}", received.errors) };
    assert_eq!((&error.error, error.measurements), (&PacketError::TsscVersion { version: 15 }, None));

    let (mut encoder, _) = publisher(OperationalModes::COMPACT, 3);
    let mut wire = Vec::new();
    send(&mut encoder, &frame(0), &mut wire);
    wire[11] = 0x5a;
    let [loss] = receive(&mut downlink(OperationalModes::COMPACT), &wire).losses()[..] else { panic!("one loss") };
    assert_eq!((loss.cause, loss.measurements), (LossCause::UnknownCache, None));
}

#[test]
fn signals_that_the_cache_does_not_name_are_counted() {
    for modes in [OperationalModes::COMPRESSED, OperationalModes::COMPACT] {
        let (mut encoder, _) = publisher(modes, 3);
        let (_, mut wire) = publisher(modes, 2);
        send(&mut encoder, &frame(0), &mut wire);
        send(&mut encoder, &frame(1), &mut wire);
        let received = receive(&mut downlink(modes), &wire);
        assert_eq!(received.rows.len(), 4);
        let loss =
            Loss { cause: LossCause::UnknownSignal, sequences: None, packets: 2, measurements: Some(2), bytes: 0 };
        assert_eq!(received.losses(), [loss]);
    }
}

#[test]
fn data_without_a_cache_is_counted() {
    for modes in [OperationalModes::COMPRESSED, OperationalModes::COMPACT] {
        let (mut encoder, _) = publisher(modes, 3);
        let mut wire = Vec::new();
        send(&mut encoder, &frame(0), &mut wire);
        let [loss] = receive(&mut downlink(modes), &wire).losses()[..] else { panic!("one loss") };
        assert_eq!((loss.cause, loss.measurements), (LossCause::UnknownCache, Some(3)));
        assert_eq!(loss.bytes, wire.len() as u64);
    }
}

#[test]
fn compact_packets_of_sttpapi_have_no_count() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPACT, 3);
    let start = wire.len();
    send(&mut encoder, &frame(0), &mut wire);
    wire.drain(start + 11..start + 15);
    wire[start + 3] -= 4;
    wire[start + 9] -= 4;
    let received = receive(&mut downlink(OperationalModes::COMPACT), &wire);
    assert_eq!(received.rows, frame(0));
    assert_eq!(received.quirks(), [Quirk::CompactWithoutCount]);
}

#[test]
fn sttpapi_goes_on_with_its_tssc_over_a_new_subscription() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let announced = wire.clone();
    send(&mut encoder, &frame(0), &mut wire);
    wire.extend_from_slice(&announced);
    send(&mut encoder, &frame(1), &mut wire);
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    assert_eq!(received.rows, [frame(0), frame(1)].concat());
    assert_eq!(received.quirks(), [Quirk::TsscNotReset]);
}

#[test]
fn cppapi_does_not_flag_its_second_cache() {
    let (mut encoder, mut wire) = publisher(OperationalModes::COMPRESSED, 3);
    let unflagged = |from: usize, wire: &mut Vec<u8>| wire[from + 10] &= !data_packet::CACHE_INDEX;
    let mut rows = Vec::new();
    for n in 0..4 {
        let start = wire.len();
        send(&mut encoder, &frame(n), &mut wire);
        unflagged(start, &mut wire);
        rows.extend(frame(n));
        let swapped: Vec<u32> = if n % 2 == 0 { vec![2, 1, 0] } else { vec![0, 1, 2] };
        encoder.update_cache(cache(3), swapped.clone(), &mut wire);
        // What is sent before the confirmation belongs to the cache before.
        let start = wire.len();
        send(&mut encoder, &frame(n), &mut wire);
        unflagged(start, &mut wire);
        rows.extend(frame(n));
        encoder.confirm_cache(&mut wire);
    }
    // The records' places are the rows here, so every second cache turns them round.
    for (at, row) in rows.iter_mut().enumerate() {
        if (at / 6) % 2 == 1 {
            row.2 = 2 - row.2;
        }
    }
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    assert_eq!(received.rows, rows);
    assert_eq!(received.quirks(), [Quirk::CacheIndexFlagMissing]);
}

#[test]
fn cppapi_begins_compact_data_of_a_new_cache_with_a_start_time() {
    let (mut encoder, cache_frame) = publisher(OperationalModes::COMPACT, 3);
    let mut wire = Vec::new();
    let modes = OperationalModes::COMPACT;
    let text = "STTP v2 client connection accepted: requested operational modes applied.".into();
    Response::Succeeded { command: CommandCode::DEFINE_OPERATIONAL_MODES, text }.write(modes, &mut wire);
    wire.extend_from_slice(&cache_frame);
    Response::DataStartTime(0).write(modes, &mut wire);
    send(&mut encoder, &frame(0), &mut wire);
    encoder.update_cache(cache(3), vec![2, 1, 0], &mut wire);
    encoder.confirm_cache(&mut wire);
    Response::DataStartTime(0).write(modes, &mut wire);
    let start = wire.len();
    send(&mut encoder, &frame(1), &mut wire);
    wire[start + 10] &= !data_packet::CACHE_INDEX;
    let mut downlink = downlink(modes);
    let received = receive(&mut downlink, &wire);
    assert_eq!(received.quirks(), [Quirk::CacheIndexFlagMissing]);
    assert_eq!(received.rows[3..].iter().map(|row| row.2).collect::<Vec<_>>(), [2, 1, 0]);
}

#[test]
fn base_times_are_kept_and_missed() {
    let modes = OperationalModes::COMPACT;
    let (mut encoder, cache_frame) = publisher(modes, 3);
    let mut wire = cache_frame;
    let base = ticks::from_ns(T0) - 5;
    let mut said = Vec::new();
    encoder.set_base_times(BaseTimes { time_index: 1, ticks: [1, base] }, &mut said);
    let mut data = Vec::new();
    send(&mut encoder, &frame(0), &mut data);
    assert_eq!(data.len(), 4 + 6 + 5 + 3 * 13);
    wire.extend_from_slice(&data);
    let unbased = receive(&mut downlink(modes), &wire);
    assert_eq!(unbased.quirks(), [Quirk::BaseTimeMissing]);
    assert!(unbased.rows.iter().all(|row| row.0 == measurand_columns::TIME_UNKNOWN));
    wire.truncate(wire.len() - data.len());
    wire.extend_from_slice(&said);
    wire.extend_from_slice(&data);
    assert_eq!(receive(&mut downlink(modes), &wire).rows, frame(0));
}

#[test]
fn wrong_messages_are_skipped() {
    let mut wire = vec![0, 0, 0, 2, 0x80, 6];
    let packet = |payload: &[u8], wire: &mut Vec<u8>| {
        write_response(ResponseCode::DATA_PACKET, CommandCode::SUBSCRIBE, wire, |out| out.extend_from_slice(payload));
    };
    packet(&[0x20, 0, 0, 0, 0], &mut wire);
    packet(&[0x0C, 0, 0, 0, 0], &mut wire);
    packet(&[], &mut wire);
    packet(&[8, 0, 0, 0, 9, 84, 0, 0], &mut wire);
    packet(&[8, 0, 0, 0], &mut wire);
    write_response(ResponseCode::UPDATE_BASE_TIMES, CommandCode::SUBSCRIBE, &mut wire, |_| {});
    write_prefixed_text(ResponseCode::FAILED, CommandCode::SUBSCRIBE, "no", &mut wire);
    let received = receive(&mut downlink(OperationalModes::COMPRESSED), &wire);
    let errors: Vec<PacketError> = received.errors.iter().map(|error| error.error).collect();
    let short = ResponseError::Length { code: ResponseCode::UPDATE_BASE_TIMES, length: 0 };
    assert_eq!(
        errors,
        [
            PacketError::Length { length: 2 },
            PacketError::Flags { flags: 0x20 },
            PacketError::Encrypted,
            PacketError::Length { length: 0 },
            PacketError::TsscVersion { version: 84 },
            PacketError::Length { length: 3 },
            PacketError::Response(short),
        ]
    );
    let refused = Response::Failed { command: CommandCode::SUBSCRIBE, text: "no".into() };
    assert_eq!(received.events.last().unwrap().event, Event::Response(refused));
    assert_eq!(received.quirks(), [Quirk::TextLengthPrefix]);
}

#[test]
fn lost_framing_is_final() {
    let mut downlink = downlink(OperationalModes::COMPRESSED);
    let mut received = Received::default();
    let status = feed(&mut downlink, b"HTTP/1.1 400 Bad Request", 8, &mut received);
    assert_eq!(status, Status::Lost);
    assert!(matches!(downlink.take_error().unwrap().error, PacketError::Frame(_)));
    let layout = Layout { capacity: 1, columns: Columns::REQUIRED };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
    Block::format(bytes, layout).unwrap();
    assert!(downlink.decode(&[], Block::open(bytes).unwrap()).is_err());
}
