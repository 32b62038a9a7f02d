#![allow(clippy::similar_names, reason = "`decoder` decodes what `decoded` then holds")]

use std::fs;
use std::path::PathBuf;

use measurand_columns::{Block, Columns, Layout, ticks};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{MeasurementRows, SignalIndexes, SignalRows, value};

const NOW: u64 = 638_000_000_000_000_000;

/// Wire index, ticks, flags, float32 bits.
type Row = (u32, u64, u32, u32);

const SCENARIOS: [&str; 10] = [
    "one",
    "first_zero",
    "steady30",
    "constant",
    "random",
    "value_codes",
    "flag_codes",
    "time_codes",
    "ids_20bit",
    "ids_31bit",
];

struct Packet {
    sequence: u16,
    block: Vec<u8>,
    rows: Vec<Row>,
}

fn vectors(name: &str) -> Vec<Packet> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../__test__/vectors/sttp/tssc");
    let wire = fs::read(folder.join(name).with_extension("bin")).unwrap();
    let text = fs::read_to_string(folder.join(name).with_extension("jsonl")).unwrap();
    let mut wire = &wire[..];
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let (length, rest) = wire.split_first_chunk().unwrap();
            let (packet, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
            wire = rest;
            let rows: Vec<Row> = line["measurements"].as_array().unwrap().iter().map(row).collect();
            assert_eq!(packet[..5], [&[8][..], &(rows.len() as u32).to_be_bytes()].concat());
            assert_eq!(packet[5], VERSION);
            Packet { sequence: u16::from_be_bytes([packet[6], packet[7]]), block: packet[8..].to_vec(), rows }
        })
        .collect()
}

fn row(row: &Value) -> Row {
    (
        row[0].as_u64().unwrap() as u32,
        row[1].as_str().unwrap().parse().unwrap(),
        row[2].as_u64().unwrap() as u32,
        u32::from_str_radix(row[3].as_str().unwrap(), 16).unwrap(),
    )
}

/// The signals of rows, numbered as they come; every index has a row.
fn number(rows: &[Row]) -> (SignalRows, SignalIndexes, Vec<u32>) {
    let mut indexes = Vec::new();
    for row in rows {
        if !indexes.contains(&row.0) {
            indexes.push(row.0);
        }
    }
    let pairs = || indexes.iter().enumerate().map(|(row, &index)| (index as i32, row as u32));
    (pairs().collect(), pairs().map(|(index, row)| (row, index)).collect(), indexes)
}

/// Decodes packets through blocks of `capacity` rows.
fn decode(
    decoder: &mut Decoder,
    packets: &[Vec<u8>],
    signals: &SignalRows,
    capacity: u32,
) -> (Vec<Row>, Result<(), TsscError>) {
    let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut rows = Vec::new();
    for packet in packets {
        if let Err(error) = decoder.begin(packet) {
            return (rows, Err(error));
        }
        loop {
            let bytes = bytemuck::cast_slice_mut(&mut memory);
            Block::format(bytes, layout).unwrap();
            let mut block = Block::open(bytes).unwrap();
            let progress = decoder.decode(signals, &mut block);
            let raw = block.raw_time();
            for at in 0..block.len() {
                let ticks = raw.get(at).copied().unwrap_or_else(|| ticks::from_ns(block.time[at]));
                assert_eq!(ticks::to_ns(ticks).0, block.time[at]);
                rows.push((block.signal[at], ticks, block.flags[at], value::narrow(block.value[at])));
            }
            match progress {
                Ok(Progress::Done) => break,
                Ok(Progress::Full) => assert_eq!(block.room(), 0),
                Err(error) => return (rows, Err(error)),
            }
        }
    }
    (rows, Ok(()))
}

/// Decodes into columns as the wire has them, of so many rows.
fn decode_wire(packets: &[Vec<u8>], signals: &SignalRows, capacity: usize) -> Vec<Row> {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let (mut ticks, mut value) = (vec![0; capacity], vec![0.0; capacity]);
    let (mut signal, mut flags) = (vec![0; capacity], vec![0; capacity]);
    let mut rows = Vec::new();
    for packet in packets {
        decoder.begin(packet).unwrap();
        loop {
            let (ticks, value, signal, flags) = (&mut ticks[..], &mut value[..], &mut signal[..], &mut flags[..]);
            let mut columns = WireColumns { ticks, value, signal, flags, len: 0 };
            let progress = decoder.decode_wire(signals, &mut columns).unwrap();
            let WireColumns { ticks, value, signal, flags, len } = columns;
            rows.extend((0..len).map(|at| (signal[at], ticks[at], flags[at], value[at].to_bits())));
            if progress == Progress::Done {
                break;
            }
            assert_eq!(len, capacity);
        }
    }
    rows
}

/// Encodes rows whose first number is a wire index, in blocks of at most `most` rows.
fn encode(encoder: &mut Encoder, rows: &[Row], most: usize, raw: bool) -> Vec<Vec<u8>> {
    let (_, indexes, numbers) = number(rows);
    let time: Vec<i64> = rows.iter().map(|row| ticks::to_ns(row.1).0).collect();
    let raw_time: Vec<u64> = rows.iter().map(|row| row.1).collect();
    let value: Vec<f64> = rows.iter().map(|row| value::widen(row.3)).collect();
    let signal: Vec<u32> = rows.iter().map(|row| numbers.iter().position(|&id| id == row.0).unwrap() as u32).collect();
    let flags: Vec<u32> = rows.iter().map(|row| row.2).collect();
    let mut packets = Vec::new();
    let mut first = 0;
    while first < rows.len() {
        let end = rows.len().min(first + most);
        let some = MeasurementRows {
            time: &time[first..end],
            raw_time: if raw { &raw_time[first..end] } else { &[] },
            value: &value[first..end],
            signal: &signal[first..end],
            flags: &flags[first..end],
        };
        let mut packet = vec![0; 40_000];
        let encoded = encoder.encode(&some, &indexes, &mut packet);
        assert_eq!(encoded.rows, encoded.measurements);
        assert!(encoded.rows > 0 && encoded.bytes <= 32_768);
        packet.truncate(encoded.bytes);
        first += encoded.rows;
        packets.push(packet);
    }
    packets
}

/// Rows with the number of their signal in place of the wire index.
fn numbered(rows: &[Row]) -> Vec<Row> {
    let (signals, ..) = number(rows);
    rows.iter().map(|&(id, ticks, flags, bits)| (signals.row(id).unwrap(), ticks, flags, bits)).collect()
}

#[test]
fn vectors_decode_equal() {
    for name in SCENARIOS {
        let packets = vectors(name);
        let expected: Vec<Row> = packets.iter().flat_map(|packet| packet.rows.clone()).collect();
        let (signals, ..) = number(&expected);
        let blocks: Vec<_> = packets.iter().map(|packet| packet.block.clone()).collect();
        for capacity in [1, 7, 8, 9, 4096] {
            let mut decoder = Decoder::new(DecoderOptions::default());
            let (rows, result) = decode(&mut decoder, &blocks, &signals, capacity);
            assert_eq!(result, Ok(()), "{name}");
            assert_eq!(rows, numbered(&expected), "{name}");
            assert_eq!(decoder.remaining(), 0);
        }
        let mut sequence = Sequence::default();
        for (at, packet) in packets.iter().enumerate() {
            let step = if at == 0 { SequenceStep::Reset } else { SequenceStep::Next };
            assert_eq!(sequence.take(packet.sequence), step);
        }
    }
}

#[test]
fn vectors_encode_byte_equal() {
    for (name, path) in
        SCENARIOS.into_iter().flat_map(|name| [Path::Best, Path::Portable, Path::Plain].map(|path| (name, path)))
    {
        let mut encoder = Encoder::new();
        encoder.path = path;
        let packets = vectors(name);
        let all: Vec<Row> = packets.iter().flat_map(|packet| packet.rows.clone()).collect();
        let (_, indexes, numbers) = number(&all);
        for packet in packets {
            let column = |of: fn(&Row) -> u32| packet.rows.iter().map(of).collect::<Vec<u32>>();
            let rows = MeasurementRows {
                time: &packet.rows.iter().map(|row| ticks::to_ns(row.1).0).collect::<Vec<_>>(),
                raw_time: &packet.rows.iter().map(|row| row.1).collect::<Vec<_>>(),
                value: &packet.rows.iter().map(|row| value::widen(row.3)).collect::<Vec<_>>(),
                signal: &column(|row| row.0)
                    .iter()
                    .map(|id| numbers.iter().position(|number| number == id).unwrap() as u32)
                    .collect::<Vec<_>>(),
                flags: &column(|row| row.2),
            };
            let mut block = vec![0; 40_000];
            let encoded = encoder.encode(&rows, &indexes, &mut block);
            let (rows, bytes) = (packet.rows.len(), packet.block.len());
            assert_eq!(encoded, Encoded { rows, measurements: rows, bytes });
            assert_eq!(block[..bytes], packet.block, "{name}");
        }
    }
}

#[test]
fn unknown_indexes_are_skipped_and_counted() {
    let rows: Vec<Row> = (0..100).map(|at| (at % 5, NOW, 0, at)).collect();
    let packets = encode(&mut Encoder::new(), &rows, 100, false);
    let signals: SignalRows = [(1, 0), (3, 1)].into_iter().collect();
    let mut decoder = Decoder::new(DecoderOptions::default());
    let (decoded, result) = decode(&mut decoder, &packets, &signals, 64);
    assert_eq!(result, Ok(()));
    let known = rows.iter().filter_map(|row| signals.row(row.0).map(|signal| (signal, row.1, row.2, row.3)));
    assert_eq!(decoded, known.collect::<Vec<_>>());
    assert_eq!(decoder.skipped(), 60);
}

#[test]
fn rows_without_an_index_are_taken_but_not_sent() {
    let indexes: SignalIndexes = [(2, 7)].into_iter().collect();
    let rows = MeasurementRows { time: &[0; 3], raw_time: &[], value: &[1.0; 3], signal: &[1, 2, 3], flags: &[0; 3] };
    let mut packet = [0; 1000];
    let encoded = Encoder::new().encode(&rows, &indexes, &mut packet);
    assert_eq!((encoded.rows, encoded.measurements), (3, 1));
    let encoded = Encoder::new().encode(&rows, &SignalIndexes::new(), &mut packet);
    assert_eq!(encoded, Encoded { rows: 3, measurements: 0, bytes: 0 });
    assert_eq!(Encoder::new().encode(&rows, &indexes, &mut packet[..99]), Encoded::default());
}

#[test]
fn signals_that_are_left_out_or_come_later_are_as_others() {
    // Miri takes a thousand times as long.
    const SIGNALS: u32 = if cfg!(miri) { 40 } else { 400 };
    const FRAMES: u32 = if cfg!(miri) { 5 } else { 12 };
    // A frame has those of the known signals that `has` says, the second half of them first where `turned`.
    let frames = |turned: bool, has: fn(u32, u32) -> bool| -> Vec<Row> {
        (0..FRAMES)
            .flat_map(|frame| {
                let mut ids: Vec<u32> = (0..SIGNALS).filter(|&id| has(frame, id)).collect();
                if turned {
                    let half = ids.len() / 2;
                    ids.rotate_left(half);
                }
                ids.into_iter().map(move |id| (id, NOW + u64::from(frame) * 333_333, 0, 0x4270_0000 + id * frame))
            })
            .collect()
    };
    let streams = [
        frames(false, |_, _| true),
        frames(true, |_, _| true),
        frames(false, |frame, id| frame > 3 || id % 20 < 15),
        frames(true, |_, id| id % 7 < 5),
        frames(false, |frame, id| id >= SIGNALS / 4 * (3 - frame.min(3))),
    ];
    for most in [1, SIGNALS as usize * 3 / 4, SIGNALS as usize] {
        let options = DecoderOptions { max_signals: most, ..DecoderOptions::default() };
        for path in [Path::Best, Path::Portable, Path::Plain] {
            // The state of a stream before is no part of the next.
            let mut decoder = Decoder::new(options);
            decoder.path = path;
            for rows in &streams {
                let expected = rows.iter().take_while({
                    let mut seen = Vec::new();
                    move |row| {
                        if !seen.contains(&row.0) {
                            seen.push(row.0);
                        }
                        seen.len() <= most
                    }
                });
                let expected: Vec<Row> = expected.copied().collect();
                let packets = encode(&mut Encoder::new(), rows, rows.len(), false);
                decoder.reset();
                let (decoded, result) = decode(&mut decoder, &packets, &SignalRows::identity(SIGNALS), 1000);
                assert_eq!(decoded, expected);
                assert_eq!(result.is_ok(), expected.len() == rows.len());
            }
        }
    }
}

#[test]
fn limits_have_errors_that_stay() {
    let options = DecoderOptions { max_signals: 2, max_block_bytes: 100, ..DecoderOptions::default() };
    let rows: Vec<Row> = (0..3).map(|at| (at * 1000, 1, 0, 0)).collect();
    let packets = encode(&mut Encoder::new(), &rows, 3, true);
    let (signals, ..) = number(&rows);
    let mut decoder = Decoder::new(options);
    let (decoded, result) = decode(&mut decoder, &packets, &signals, 8);
    assert_eq!(decoded.len(), 2);
    assert!(matches!(result, Err(TsscError::Signals { limit: 2, .. })));
    assert_eq!(decode(&mut decoder, &packets, &signals, 8).1, result);
    decoder.reset();
    assert_eq!(decode(&mut decoder, &packets, &signals, 8).0, decoded);
    decoder.reset();
    assert_eq!(decoder.begin(&[0; 101]), Err(TsscError::Length { length: 101, limit: 100 }));
}

fn any_row() -> impl Strategy<Value = Row> {
    let id = prop_oneof![4 => 0..6_u32, 2 => 0..300_u32, 1 => 0..0x8000_0000_u32];
    let ticks = prop_oneof![
        6 => (0..4_u64).prop_map(|step| NOW + step * 333_333),
        1 => (0..1000_u64).prop_map(|step| NOW + step),
        1 => any::<u64>(),
        1 => Just(ticks::LEAP_SECOND | NOW),
    ];
    let flags = prop_oneof![6 => Just(0), 2 => Just(3), 1 => any::<u32>()];
    let bits = prop_oneof![4 => 0..4_u32, 2 => 0x4270_0000..0x4270_1000_u32, 1 => any::<u32>(), 1 => 0x7F80_0000..=0x7FFF_FFFF_u32];
    (id, ticks, flags, bits)
}

/// Rows, or bytes of a packet, at most: Miri takes a thousand times as long.
const MOST: usize = if cfg!(miri) { 40 } else { 400 };

/// Frames of one order, as publishers send them, with some values that change and some that stay.
fn frames() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![3 => 0x4270_0000..0x4270_1000_u32, 1 => Just(7), 1 => Just(0), 1 => any::<u32>()];
    // Miri takes a thousand times as long; points adapt after 6 and after 27 codes.
    let (signals, frames) = if cfg!(miri) { (12, 32) } else { (40_usize, 120_usize) };
    (1..signals, any::<u32>(), 1..frames).prop_flat_map(move |(signals, seed, frames)| {
        proptest::collection::vec((value.clone(), 0..40_u8), signals * frames).prop_map(move |values| {
            let mut rows = Vec::new();
            for (at, (bits, luck)) in values.into_iter().enumerate() {
                let id = (at % signals) as u32;
                let id = if seed % 3 == 0 { id.wrapping_mul(seed) & 0xFFFF } else { id };
                let flags = u32::from(luck == 0) * 3;
                let bits = if seed % 5 == 0 && luck > 1 { id } else { bits };
                rows.push((id, NOW + (at / signals) as u64 * 333_333, flags, bits));
            }
            rows
        })
    })
}

proptest! {
    #[test]
    fn arbitrary_rows_come_back(rows in proptest::collection::vec(any_row(), 1..MOST), most in 1..200_usize) {
        let packets = encode(&mut Encoder::new(), &rows, most, true);
        let (signals, ..) = number(&rows);
        let (decoded, result) = decode(&mut Decoder::new(DecoderOptions::default()), &packets, &signals, 64);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(decoded, numbered(&rows));
    }

    #[test]
    fn frames_come_back_through_any_block(rows in frames(), most in 1..200_usize, capacity in 1..70_u32) {
        let packets = encode(&mut Encoder::new(), &rows, most, false);
        let (signals, ..) = number(&rows);
        let (decoded, result) = decode(&mut Decoder::new(DecoderOptions::default()), &packets, &signals, capacity);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(decoded, numbered(&rows));
    }

    #[test]
    fn columns_of_the_wire_have_the_same(rows in frames(), most in 1..200_usize, capacity in 1..70_usize) {
        let packets = encode(&mut Encoder::new(), &rows, most, false);
        prop_assert_eq!(decode_wire(&packets, &number(&rows).0, capacity), numbered(&rows));
    }

    #[test]
    fn all_paths_give_the_same(rows in frames(), most in 1..200_usize, capacity in 1..70_u32, cut in any::<prop::sample::Index>()) {
        let mut answers = [Path::Best, Path::Portable, Path::Plain].map(|path| {
            let mut encoder = Encoder::new();
            encoder.path = path;
            let mut packets = encode(&mut encoder, &rows, most, false);
            let whole = packets.clone();
            let last = packets.last_mut().unwrap();
            last.truncate(cut.index(last.len()));
            let mut decoder = Decoder::new(DecoderOptions::default());
            decoder.path = path;
            (whole, decode(&mut decoder, &packets, &number(&rows).0, capacity))
        });
        prop_assert_eq!(&answers[0], &answers[2]);
        answers.swap(0, 1);
        prop_assert_eq!(&answers[0], &answers[2]);
    }

    #[test]
    fn arbitrary_bytes_give_the_same_on_all_paths(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..MOST), 1..8)) {
        let signals = SignalRows::identity(1000);
        let answers = [Path::Best, Path::Portable, Path::Plain].map(|path| {
            let mut decoder = Decoder::new(DecoderOptions::default());
            decoder.path = path;
            decode(&mut decoder, &packets, &signals, 64)
        });
        prop_assert_eq!(&answers[0], &answers[2]);
        prop_assert_eq!(&answers[1], &answers[2]);
    }

    #[test]
    fn a_cut_packet_gives_a_prefix(rows in frames(), cut in any::<prop::sample::Index>()) {
        let packets = encode(&mut Encoder::new(), &rows, rows.len(), false);
        let (signals, ..) = number(&rows);
        let packet = packets[0][..cut.index(packets[0].len())].to_vec();
        let (decoded, _) = decode(&mut Decoder::new(DecoderOptions::default()), &[packet], &signals, 64);
        prop_assert!(decoded.len() <= rows.len());
        prop_assert_eq!(&decoded[..], &numbered(&rows)[..decoded.len()]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..MOST), 1..8), capacity in 1..40_u32) {
        let mut decoder = Decoder::new(DecoderOptions { max_signals: 100, ..DecoderOptions::default() });
        let signals = SignalRows::identity(1000);
        let (rows, _) = decode(&mut decoder, &packets, &signals, capacity);
        prop_assert!(rows.len() <= packets.iter().map(Vec::len).sum::<usize>() * 8);
    }
}
