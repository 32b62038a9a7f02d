use std::fs;
use std::path::PathBuf;

use measurand_columns::{Block, Columns, Layout, TIME_UNKNOWN, ticks};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::tssc::Encoded;
use crate::{MeasurementRows, SignalIndexes, SignalRows, state_flags, value};

/// Signal row, ticks (`None` where the wire has no time), flags, float32 bits.
type Row = (u32, Option<u64>, u32, u32);

/// Decodes the records of a packet through blocks of `capacity` rows.
fn decode_all(body: Body<'_>, form: &TimeForm, signals: &SignalRows, capacity: u32) -> (Vec<Row>, Decoded, bool) {
    let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut rows = Vec::new();
    let mut sum = Decoded::default();
    loop {
        let bytes = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let mut block = Block::open(bytes).unwrap();
        let decoded = decode(&body.records[sum.bytes..], body.count - sum.records, form, signals, &mut block);
        let raw = block.raw_time();
        for at in 0..block.len() {
            let ticks = match raw.get(at) {
                Some(&0) | None if block.time[at] == TIME_UNKNOWN => None,
                Some(&ticks) => Some(ticks),
                None => Some(ticks::from_ns(block.time[at])),
            };
            rows.push((block.signal[at], ticks, block.flags[at], value::narrow(block.value[at])));
        }
        let Ok(decoded) = decoded else {
            return (rows, sum, false);
        };
        sum.bytes += decoded.bytes;
        sum.records += decoded.records;
        sum.skipped += decoded.skipped;
        sum.unbased += decoded.unbased;
        if sum.records == body.count {
            return (rows, sum, true);
        }
        assert_eq!(block.room(), 0);
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn number(value: &Value) -> u64 {
    value.as_str().map_or_else(|| value.as_u64().unwrap(), |text| text.parse().unwrap())
}

#[test]
fn vectors_decode_and_encode_equal() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../__test__/vectors/sttp/compact/compact.jsonl");
    for line in fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let form = TimeForm {
            include_time: case["include_time"].as_bool().unwrap(),
            milliseconds: case["use_millisecond_resolution"].as_bool().unwrap(),
            base_times: [number(&case["base_time_offsets"][0]), number(&case["base_time_offsets"][1])],
        };
        let measurements = case["measurements"].as_array().unwrap();
        let packet = hex(case["data_packet_hex"].as_str().unwrap());
        let signals = SignalRows::identity(1000);
        let column = |name: &str| measurements.iter().map(|row| number(&row[name])).collect::<Vec<u64>>();
        let bits: Vec<u32> = measurements
            .iter()
            .map(|row| u32::from_str_radix(row["value_f32_hex"].as_str().unwrap(), 16).unwrap())
            .collect();
        let expected: Vec<Row> = measurements
            .iter()
            .zip(&bits)
            .map(|(row, &bits)| {
                let ticks = row["ticks"].as_str().map(|text| text.parse().unwrap());
                (number(&row["index"]) as u32, ticks, number(&row["flags"]) as u32, bits)
            })
            .collect();
        for tolerant in [false, true] {
            let body = body(&packet[1..], &form, tolerant).unwrap();
            assert!(!body.countless);
            for capacity in [1, 3, 64] {
                let (rows, sum, whole) = decode_all(body, &form, &signals, capacity);
                assert!(whole);
                assert_eq!((&rows, sum.bytes), (&expected, packet.len() - 5), "{}", case["name"]);
            }
        }
        let ticks = column("sent_ticks");
        let rows = MeasurementRows {
            time: &ticks.iter().map(|&ticks| ticks::to_ns(ticks).0).collect::<Vec<_>>(),
            raw_time: &ticks,
            value: &bits.iter().map(|&bits| value::widen(bits)).collect::<Vec<_>>(),
            signal: &column("index").into_iter().map(|index| index as u32).collect::<Vec<_>>(),
            flags: &column("sent_flags").into_iter().map(|flags| flags as u32).collect::<Vec<_>>(),
        };
        let mut written = vec![0; packet.len()];
        let time_index = number(&case["time_index"]) == 1;
        let encoded = encode(&rows, &SignalIndexes::identity(1000), &form, time_index, &mut written);
        let (rows, bytes) = (expected.len(), packet.len() - 5);
        assert_eq!(encoded, Encoded { rows, measurements: rows, bytes });
        assert_eq!(written[..bytes], packet[5..], "{}", case["name"]);
    }
}

#[test]
fn a_packet_without_a_count_is_taken_when_tolerant() {
    let form = TimeForm::FULL;
    let mut packet = [0; 30 * RECORD_BYTES];
    let rows = MeasurementRows { time: &[0; 30], raw_time: &[], value: &[1.5; 30], signal: &[4; 30], flags: &[0; 30] };
    encode(&rows, &SignalIndexes::identity(5), &form, false, &mut packet);
    let found = body(&packet, &form, true).unwrap();
    assert_eq!(found, Body { count: 30, records: &packet, countless: true });
    assert_eq!(decode_all(found, &form, &SignalRows::identity(5), 64).0.len(), 30);
    assert!(!body(&packet, &form, false).unwrap().countless);
    assert_eq!(body(&packet[..3], &form, true), Err(CompactError::Count { length: 3 }));
}

#[test]
fn an_offset_without_its_base_has_no_time() {
    let form = TimeForm { base_times: [0, 10], ..TimeForm::FULL };
    let record = hex("40000000003fc0000000000005");
    let found = Body { count: 1, records: &record, countless: false };
    let (rows, sum, _) = decode_all(found, &form, &SignalRows::identity(1), 8);
    assert_eq!(rows, [(0, None, 0, 0x3FC0_0000)]);
    assert_eq!((sum.unbased, sum.skipped), (1, 0));
    let record = hex("c0000000003fc0000000000005");
    let (rows, ..) = decode_all(Body { records: &record, ..found }, &form, &SignalRows::identity(1), 8);
    assert_eq!(rows[0].1, Some(15));
}

#[test]
fn a_cut_record_keeps_the_rows_before() {
    let rows = MeasurementRows { time: &[0; 9], raw_time: &[], value: &[1.0; 9], signal: &[0; 9], flags: &[0; 9] };
    let mut packet = [0; 9 * RECORD_BYTES];
    encode(&rows, &SignalIndexes::identity(1), &TimeForm::FULL, false, &mut packet);
    for cut in 0..packet.len() {
        let found = Body { count: 9, records: &packet[..cut], countless: false };
        let (rows, _, whole) = decode_all(found, &TimeForm::FULL, &SignalRows::identity(1), 64);
        assert_eq!((rows.len(), whole), (cut / RECORD_BYTES, false));
    }
}

const NOW: u64 = 638_000_000_000_000_000;

proptest! {
    #[test]
    fn arbitrary_rows_come_back(
        rows in proptest::collection::vec(
            (
                prop_oneof![4 => 0..40_u32, 1 => 0..0x8000_0000_u32],
                prop_oneof![4 => NOW..NOW + 50_000, 1 => any::<u64>(), 1 => Just(0)],
                prop_oneof![3 => Just(0_u32), 1 => any::<u32>()],
                prop_oneof![3 => any::<u32>(), 1 => 0x7F80_0000..=0x7FFF_FFFF_u32],
            ),
            0..100,
        ),
        include_time: bool, milliseconds: bool, base in prop_oneof![Just(0), Just(NOW), Just(NOW + 25_000)],
        time_index: bool, capacity in 1..40_u32, room in 0..1800_usize,
    ) {
        let form = TimeForm { include_time, milliseconds, base_times: [base, base] };
        let identity = rows.iter().all(|row| row.0 < 40);
        let indexes: SignalIndexes = rows.iter().enumerate().map(|(at, row)| (at as u32, row.0 as i32)).collect();
        let signals = if identity { SignalRows::identity(40) } else { rows.iter().map(|row| (row.0 as i32, row.0)).collect() };
        let raw_time: Vec<u64> = rows.iter().map(|row| row.1).collect();
        let columns = MeasurementRows {
            time: &raw_time.iter().map(|&ticks| ticks::to_ns(ticks).0).collect::<Vec<_>>(),
            raw_time: &raw_time,
            value: &rows.iter().map(|row| value::widen(row.3)).collect::<Vec<_>>(),
            signal: &(0..rows.len() as u32).collect::<Vec<_>>(),
            flags: &rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        };
        let mut packet = vec![0; room];
        let encoded = encode(&columns, &indexes, &form, time_index, &mut packet);
        packet.truncate(encoded.bytes);
        prop_assert!(packet.len() <= room && room < packet.len() + RECORD_BYTES || encoded.rows == rows.len());
        let found = Body { count: encoded.measurements as u32, records: &packet, countless: false };
        let (decoded, sum, whole) = decode_all(found, &form, &signals, capacity);
        prop_assert!(whole && sum.bytes == packet.len() && sum.skipped == 0);
        let expected: Vec<Row> = rows[..encoded.rows].iter().map(|&(index, ticks, flags, bits)| {
            let short = base > 0 && ticks > base && (ticks - base) / MILLISECOND < 65_535 && milliseconds;
            let ticks = if short { base + (ticks - base) / MILLISECOND * MILLISECOND } else { ticks };
            let ticks = (include_time && ticks != 0).then_some(ticks);
            (index, ticks, state_flags::from_compact(state_flags::to_compact(flags)), bits)
        }).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn runs_of_one_time_come_back(
        rows in proptest::collection::vec((0..30_u64, any::<u32>(), prop_oneof![9 => Just(0_u32), 1 => any::<u32>()]), 1..12),
        // Miri takes a thousand times as long.
        signals in 1..if cfg!(miri) { 20_u32 } else { 60 }, raw: bool, sparse: bool, capacity in 1..100_u32,
        base in prop_oneof![Just(0), NOW - 20..NOW + 200_000], milliseconds: bool, time_index: bool,
    ) {
        let other = if base == 0 { 0 } else { NOW - 1 };
        let base_times = if time_index { [other, base] } else { [base, other] };
        let form = TimeForm { include_time: true, milliseconds, base_times };
        let stride = if cfg!(miri) { 101 } else { 70_001 };
        let index = |signal: u32| if sparse { signal * stride } else { signal };
        let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for &(step, bits, flags) in &rows {
            for signal in 0..signals {
                let ticks = (NOW + step * 7_777) | if raw && step == 7 { ticks::LEAP_SECOND } else { 0 };
                columns.0.push(ticks::to_ns(ticks).0);
                columns.1.push(ticks);
                columns.2.push(value::widen(bits.wrapping_add(signal)));
                columns.3.push(signal);
                columns.4.push(flags);
            }
        }
        let (time, raw_time, values, signal, flags) = &columns;
        let rows = MeasurementRows { time, raw_time: if raw { raw_time } else { &[] }, value: values, signal, flags };
        let indexes: SignalIndexes = (0..signals).map(|signal| (signal, index(signal) as i32)).collect();
        let known: SignalRows = (0..signals).map(|signal| (index(signal) as i32, signal)).collect();
        let mut packet = vec![0; rows.len() * RECORD_BYTES];
        let encoded = encode(&rows, &indexes, &form, time_index, &mut packet);
        prop_assert_eq!((encoded.rows, encoded.measurements), (rows.len(), rows.len()));
        packet.truncate(encoded.bytes);
        let found = Body { count: rows.len() as u32, records: &packet, countless: false };
        let (decoded, sum, whole) = decode_all(found, &form, &known, capacity);
        prop_assert!(whole && sum.bytes == packet.len());
        let is_short = |ticks: u64| base > 0 && ticks > base && ticks - base < 600_000_000;
        let bytes = |&ticks: &u64| HEAD_BYTES + if !is_short(ticks) { 8 } else if milliseconds { 2 } else { 4 };
        prop_assert_eq!(packet.len(), raw_time.iter().map(bytes).sum::<usize>());
        let expected: Vec<Row> = (0..rows.len()).map(|at| {
            let flags = state_flags::from_compact(state_flags::to_compact(flags[at]));
            let ticks = raw_time[at];
            let cut = if milliseconds && is_short(ticks) { (ticks - base) % MILLISECOND } else { 0 };
            (signal[at], Some(ticks - cut), flags, value::narrow(values[at]))
        }).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), capacity in 1..40_u32, include_time: bool, milliseconds: bool) {
        let form = TimeForm { include_time, milliseconds, base_times: [0, u64::MAX] };
        for tolerant in [false, true] {
            if let Ok(found) = body(&bytes, &form, tolerant) {
                let (rows, sum, _) = decode_all(found, &form, &SignalRows::identity(1 << 24), capacity);
                prop_assert!(sum.bytes <= bytes.len() && rows.len() <= bytes.len() / HEAD_BYTES);
            }
        }
    }

    /// Each fast path takes a prefix of what the plain path makes of the same records.
    #[cfg(target_arch = "x86_64")]
    #[test]
    #[allow(unsafe_code, reason = "a function compiled for a processor is called after asking which one it is")]
    fn fast_paths_give_the_same(
        rows in proptest::collection::vec(
            (0..70_u32, prop_oneof![9 => Just(NOW), 1 => NOW..NOW + 9, 1 => any::<u64>()],
             prop_oneof![19 => Just(0_u8), 1 => any::<u8>()], prop_oneof![9 => any::<u32>(), 1 => 0x7F80_0000..=0x7FFF_FFFF_u32]),
            0..200,
        ),
        calm: bool, sparse: bool, capacity in 1..200_u32,
    ) {
        let mut records = Vec::new();
        for &(index, ticks, flags, bits) in &rows {
            let (ticks, flags) = if calm { (NOW + ticks % 2, flags & 0x3F) } else { (ticks, flags) };
            records.push(flags);
            records.extend(index.to_be_bytes());
            records.extend(bits.to_be_bytes());
            records.extend(ticks.to_be_bytes());
        }
        let signals: SignalRows = (0..if calm { 70 } else { 65 }).map(|index| (index, index as u32 + u32::from(sparse))).collect();
        let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
        let run = |path: u8| {
            let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
            Block::format(bytemuck::cast_slice_mut(&mut memory), layout).unwrap();
            let mut block = Block::open(bytemuck::cast_slice_mut(&mut memory)).unwrap();
            let count = rows.len() as u32;
            let taken = match path {
                // SAFETY: the processor has what the functions are compiled for.
                0 if is_x86_feature_detected!("avx2") => unsafe { run_avx2::decode::<8>(&records, count, RunTime::full(&TimeForm::FULL, 0), &signals, &mut block) },
                // SAFETY: as before; processors with VBMI have the older parts too.
                1 if is_x86_feature_detected!("avx512vbmi") => unsafe { run_avx512::decode(&records, count, &signals, &mut block) },
                _ => 0,
            };
            let at = block.len();
            (taken, block.time[..at].to_vec(), block.value[..at].iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
             block.signal[..at].to_vec(), block.flags[..at].to_vec())
        };
        let lanes = [(8, is_x86_feature_detected!("avx2")), (16, is_x86_feature_detected!("avx512vbmi"))];
        for ((taken, time, value, signal, flags), (lanes, is_there)) in [run(0), run(1)].into_iter().zip(lanes) {
            if calm && is_there {
                prop_assert_eq!(taken, rows.len().min(capacity as usize) / lanes * lanes);
            }
            for at in 0..taken {
                let record = &records[at * RECORD_BYTES..][..RECORD_BYTES];
                let word = |from: usize| u32::from_be_bytes(record[from..from + 4].try_into().unwrap());
                let ticks = u64::from_be_bytes(record[9..].try_into().unwrap());
                prop_assert_eq!((time[at], true), ticks::to_ns(ticks));
                prop_assert_eq!(value[at], value::widen(word(5)).to_bits());
                prop_assert_eq!(Some(signal[at]), signals.row(word(1)));
                prop_assert_eq!(flags[at], state_flags::from_compact(record[0]));
                prop_assert_eq!(record[0] & state_flags::COMPACT_BASE_TIME_OFFSET, 0);
            }
            prop_assert!(taken <= capacity as usize && taken == time.len());
        }
    }
}
