use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Float64Array, ListArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use measurand_columns::{Block, Columns, Layout, TIME_UNKNOWN};
use proptest::prelude::*;

use crate::*;

fn field(name: &str, kind: FieldType, nullable: bool) -> Field {
    let metadata = match kind {
        FieldType::Timestamp => HashMap::from([("clock".to_owned(), "utc".to_owned())]),
        FieldType::F64 => HashMap::from([("wire".to_owned(), "f32".to_owned())]),
        _ => HashMap::new(),
    };
    Field { name: name.to_owned(), kind, nullable, metadata }
}

fn measurement_fields() -> Vec<Field> {
    vec![
        field("time", FieldType::Timestamp, true),
        field("value", FieldType::F64, true),
        field("signal", FieldType::U32, false),
        field("flags", FieldType::U32, false),
        field("raw_time", FieldType::U64, true),
    ]
}

fn batch_of(fields: &[Field], columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::new(schema_of(fields)), columns).unwrap()
}

type Row = (Option<i64>, f64, u32, u32, u64);

fn measurements(rows: &[Row]) -> RecordBatch {
    batch_of(
        &measurement_fields(),
        vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<TimestampNanosecondArray>()),
            Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.1))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.2))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.3))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.4))),
        ],
    )
}

/// A segment written as the TypeScript writer does it: headers from here, buffers as they lie.
fn segment(fields: &[Field], batches: &[RecordBatch]) -> Vec<u8> {
    let mut bytes = schema_message(fields).unwrap();
    for batch in batches {
        write_batch(&mut bytes, batch);
    }
    bytes
}

fn write_batch(bytes: &mut Vec<u8>, batch: &RecordBatch) {
    let columns = columns_of(batch).unwrap();
    let mut nodes = Vec::new();
    for column in &columns {
        nodes.push(Node { length: batch.num_rows() as u64, nulls: column.null_count });
        nodes.extend(column.items.map(|length| Node { length, nulls: 0 }));
    }
    let buffers = || columns.iter().flat_map(|column| &column.buffers);
    let lengths: Vec<_> = buffers().map(|buffer| buffer.len() as u64).collect();
    bytes.extend(batch_header(batch.num_rows() as u64, &nodes, &lengths).unwrap());
    for buffer in buffers() {
        bytes.extend_from_slice(buffer);
        bytes.resize(bytes.len().next_multiple_of(64), 0);
    }
}

fn open(bytes: &[u8]) -> SegmentReader<Cursor<&[u8]>> {
    SegmentReader::open(Cursor::new(bytes), SegmentLimits::default()).unwrap()
}

fn all_types() -> (Vec<Field>, RecordBatch) {
    let fields = vec![
        field("run", FieldType::Utf8, false),
        field("kind", FieldType::U8, false),
        field("seq", FieldType::U64, false),
        field("time", FieldType::Timestamp, true),
        field("condition", FieldType::U16, false),
        field("tags", FieldType::Binary, true),
        field("blocks", FieldType::ListLargeBinary, false),
        field("quirks", FieldType::ListUtf8, false),
        field("value", FieldType::F64, true),
    ];
    let blocks = arrow::array::LargeBinaryArray::from_iter_values([&b"abc"[..], b"", b"0123456789"]);
    let texts = StringArray::from_iter_values(["x", "yz"]);
    let list = |kind: FieldType, ends: Vec<i32>, items: ArrayRef| -> ArrayRef {
        let DataType::List(item) = kind.to_arrow() else { unreachable!() };
        Arc::new(ListArray::new(item, OffsetBuffer::new(ScalarBuffer::from(ends)), items, None))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(["r1", "r1", ""])),
        Arc::new(UInt8Array::from(vec![1, 0, 0])),
        Arc::new(UInt64Array::from(vec![0, u64::MAX, 2])),
        Arc::new(TimestampNanosecondArray::from(vec![None, Some(1_700_000_000_123_456_789), Some(-1)])),
        Arc::new(UInt16Array::from(vec![0, 65_535, 7])),
        Arc::new(BinaryArray::from_iter([None, Some(&b"\x00\xff"[..]), Some(b"")])),
        list(FieldType::ListLargeBinary, vec![0, 2, 2, 3], Arc::new(blocks)),
        list(FieldType::ListUtf8, vec![0, 0, 1, 2], Arc::new(texts)),
        Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)])),
    ];
    let batch = batch_of(&fields, columns);
    (fields, batch)
}

#[test]
fn arrow_reads_what_the_headers_describe() {
    let (fields, batch) = all_types();
    let mut bytes = segment(&fields, &[batch.clone(), batch.clone()]);
    assert!(bytes.len().is_multiple_of(64));
    bytes.extend(END_OF_STREAM);
    let reader = StreamReader::try_new(Cursor::new(&bytes), None).unwrap();
    let schema = reader.schema();
    assert_eq!(schema.field(3).metadata().get("clock").map(String::as_str), Some("utc"));
    assert_eq!(schema.field(8).metadata().get("wire").map(String::as_str), Some("f32"));
    let read: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(format!("{read:?}"), format!("{:?}", [batch.clone(), batch]));
}

#[test]
fn a_segment_gives_its_batches_and_its_end() {
    let (fields, batch) = all_types();
    let mut bytes = segment(&fields, &[batch.clone(), batch.clone()]);
    let whole = bytes.len() as u64;
    let mut reader = open(&bytes);
    assert_eq!(reader.fields(), fields);
    assert_eq!(reader.by_ref().map(Result::unwrap).count(), 2);
    assert_eq!(reader.tail(), Some(Tail { closed: false, offset: whole, bytes: 0, fault: None }));

    bytes.extend(END_OF_STREAM);
    let mut reader = open(&bytes);
    assert_eq!(reader.by_ref().count(), 2);
    assert_eq!(reader.tail(), Some(Tail { closed: true, offset: whole + 8, bytes: 0, fault: None }));

    bytes.push(1);
    let mut reader = open(&bytes);
    assert_eq!(reader.by_ref().count(), 2);
    assert_eq!(reader.tail().unwrap().fault, Some(TailFault::Behind));
}

#[test]
fn zeros_and_rubbish_behind_batches_are_told_apart() {
    let batch = measurements(&[(Some(1), 2.0, 3, 4, 5)]);
    let whole = segment(&measurement_fields(), std::slice::from_ref(&batch));
    for (extra, fault) in [
        (vec![0; 100], TailFault::Zeros),
        (vec![0xff; 3], TailFault::Cut),
        (b"hello".to_vec(), TailFault::Malformed("no message starts here")),
        (vec![0xff; 64], TailFault::Malformed("a message's metadata is longer than the limit")),
    ] {
        let mut bytes = whole.clone();
        bytes.extend(&extra);
        let mut reader = open(&bytes);
        assert_eq!(reader.by_ref().count(), 1);
        let tail = reader.tail().unwrap();
        assert_eq!((tail.bytes, tail.fault), (extra.len() as u64, Some(fault)));
    }
}

#[test]
fn foreign_files_are_no_segments() {
    for bytes in [&b""[..], b"PAR1....", b"\xff\xff\xff\xff", &END_OF_STREAM, &[0; 64]] {
        let opened = SegmentReader::open(Cursor::new(bytes), SegmentLimits::default());
        assert!(matches!(opened, Err(SegmentError::NotSegment(_))), "{bytes:?}");
    }
    let opened = TableFile::open(Cursor::new(b"hello world".to_vec()), SegmentLimits::default(), &Selection::default());
    assert!(matches!(opened, Err(ReadError::Foreign)));
    let opened = TableFile::open(
        Cursor::new(b"PAR1 and no more PAR1".to_vec()),
        SegmentLimits::default(),
        &Selection::default(),
    );
    assert!(matches!(opened, Err(ReadError::Parquet(_))));
}

#[test]
fn a_lying_length_takes_no_memory() {
    let batch = measurements(&[(Some(1), 2.0, 3, 4, 5)]);
    let mut bytes = schema_message(&measurement_fields()).unwrap();
    let nodes: Vec<_> = (0..5).map(|_| Node { length: 1 << 40, nulls: 0 }).collect();
    bytes.extend(batch_header(1 << 40, &nodes, &[0, 8 << 40, 0, 8 << 40, 0, 4 << 40, 0, 4 << 40, 0, 8 << 40]).unwrap());
    write_batch(&mut bytes, &batch);
    let mut reader = open(&bytes);
    assert_eq!(reader.by_ref().count(), 0);
    assert_eq!(reader.tail().unwrap().fault, Some(TailFault::Malformed("a batch is longer than the limit")));
}

#[test]
fn offsets_that_end_in_the_middle_of_one_are_malformed() {
    let fields = [field("text", FieldType::Utf8, false)];
    let mut bytes = schema_message(&fields).unwrap();
    bytes.extend(batch_header(1, &[Node { length: 1, nulls: 0 }], &[0, 9, 2]).unwrap());
    bytes.resize(bytes.len() + 128, 0);
    let mut reader = open(&bytes);
    assert_eq!(reader.by_ref().count(), 0);
    assert_eq!(reader.tail().unwrap().fault, Some(TailFault::Malformed("a batch does not fit its columns")));
}

fn compacted(bytes: Vec<u8>) -> (Compacted, Vec<u8>) {
    let mut target = Vec::new();
    let options = CompactOptions { row_group_rows: 100, ..CompactOptions::default() };
    let done = compact(Cursor::new(bytes), &mut target, &options).unwrap();
    assert_eq!(done.bytes, target.len() as u64);
    (done, target)
}

fn read_all(bytes: Vec<u8>) -> Vec<RecordBatch> {
    let file = TableFile::open(Cursor::new(bytes), SegmentLimits::default(), &Selection::default()).unwrap();
    file.map(Result::unwrap).collect()
}

#[test]
fn parquet_keeps_every_type_and_its_metadata() {
    let (fields, batch) = all_types();
    let (done, parquet) = compacted(segment(&fields, std::slice::from_ref(&batch)));
    assert_eq!(done.rows, 3);
    let file = TableFile::open(Cursor::new(parquet.clone()), SegmentLimits::default(), &Selection::default()).unwrap();
    assert_eq!(file.fields(), fields);
    assert_eq!(file.metadata("measurand.rows"), Some("3"));
    let read = read_all(parquet.clone());
    assert_eq!(format!("{:?}", read[0].columns()), format!("{:?}", batch.columns()));
    let seen = inspect(Cursor::new(parquet), &InspectOptions::default()).unwrap();
    assert_eq!((seen.rows, seen.counted, seen.unknown_times), (3, 2, 1));
    assert_eq!(seen.stored_checksum, Some(seen.checksum));
    assert_eq!(seen.stored_rows, Some(seen.rows));
    assert_eq!(seen.times, Some((-1, 1_700_000_000_123_456_789)));
    let (_, parquet) = compacted(segment(&fields, &[batch]));
    let quick = summarise(Cursor::new(parquet), SegmentLimits::default()).unwrap();
    assert_eq!((quick.rows, quick.times, quick.is_parquet), (seen.rows, seen.times, true));
}

#[test]
fn a_cut_tail_is_noted_in_the_parquet_file() {
    let batch = measurements(&[(Some(1), 2.0, 3, 4, 5)]);
    let mut bytes = segment(&measurement_fields(), &[batch.clone(), batch]);
    bytes.truncate(bytes.len() - 1);
    let (done, parquet) = compacted(bytes);
    assert_eq!((done.rows, done.tail.fault), (1, Some(TailFault::Cut)));
    let seen = inspect(Cursor::new(parquet), &InspectOptions::default()).unwrap();
    assert_eq!((seen.rows, seen.compacted_tail_bytes), (1, done.tail.bytes));
}

#[test]
fn rows_are_selected_by_time_and_signal() {
    let rows: Vec<Row> = (0..1000).map(|n| (Some(n), n as f64, (n % 10) as u32, 0, 0)).collect();
    let mut rows = rows;
    rows[17].0 = None;
    let (_, parquet) = compacted(segment(&measurement_fields(), &[measurements(&rows)]));
    let mut signals = vec![false; 10];
    signals[7] = true;
    let selection = Selection { since: Some(10), until: Some(500), signals: Some(signals) };
    let mut reader = TableReader::open(Cursor::new(parquet), SegmentLimits::default(), selection).unwrap();
    let columns = Columns::REQUIRED | Columns::RAW_TIME;
    let (end, times) = read_blocks(&mut reader, columns, 16);
    assert_eq!(end, Progress::End);
    assert_eq!(times, (27..500).step_by(10).collect::<Vec<i64>>());
}

fn read_blocks(reader: &mut TableReader<Cursor<Vec<u8>>>, columns: Columns, capacity: u32) -> (Progress, Vec<i64>) {
    let layout = Layout { capacity, columns };
    let mut memory = vec![0_u64; layout.byte_length() / 8];
    let mut times = Vec::new();
    loop {
        let bytes = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let mut block = Block::open(bytes).unwrap();
        let progress = reader.read(&mut block).unwrap();
        times.extend_from_slice(&block.time[..block.len()]);
        if progress != Progress::Full {
            return (progress, times);
        }
    }
}

#[test]
fn text_and_missing_values_come_as_columns_between_blocks() {
    let mut fields = measurement_fields();
    let numbers = measurements(&[(Some(1), 1.0, 0, 0, 0), (None, 2.0, 0, 0, 0)]);
    let mut columns = measurements(&[(Some(3), 3.0, 0, 0, 0)]).columns().to_vec();
    columns[1] = Arc::new(Float64Array::from(vec![None]));
    let missing = batch_of(&fields, columns);
    let bytes = segment(&fields, &[numbers.clone(), missing, numbers]);
    let mut reader = TableReader::open(Cursor::new(bytes), SegmentLimits::default(), Selection::default()).unwrap();
    let columns = Columns::REQUIRED | Columns::RAW_TIME;
    assert_eq!(read_blocks(&mut reader, columns, 8), (Progress::Columns, vec![1, TIME_UNKNOWN]));
    assert_eq!(reader.take_columns().unwrap().unwrap().num_rows(), 1);
    assert_eq!(read_blocks(&mut reader, columns, 8), (Progress::End, vec![1, TIME_UNKNOWN]));
    assert!(reader.take_columns().unwrap().is_none());

    fields.truncate(4);
    let bytes = segment(&measurement_fields(), &[measurements(&[(Some(1), 1.0, 0, 0, 0)])]);
    let mut reader = TableReader::open(Cursor::new(bytes), SegmentLimits::default(), Selection::default()).unwrap();
    let layout = Layout { capacity: 4, columns: Columns::REQUIRED };
    let mut memory = vec![0_u64; layout.byte_length() / 8];
    let bytes = bytemuck::cast_slice_mut(&mut memory);
    Block::format(bytes, layout).unwrap();
    let refused = reader.read(&mut Block::open(bytes).unwrap());
    assert!(matches!(refused, Err(ReadError::BlockColumn("raw_time"))));
}

#[test]
fn rows_that_lack_an_optional_column_stay_numbers() {
    let mut fields = measurement_fields();
    fields.push(field("text", FieldType::Utf8, true));
    let rows: Vec<Row> = (0..6).map(|n| (Some(n), n as f64, 0, 0, 0)).collect();
    let mut columns = measurements(&rows).columns().to_vec();
    columns[4] = Arc::new(UInt64Array::from(vec![None, None, Some(7), Some(8), None, None]));
    columns.push(Arc::new(StringArray::from(vec![None, None, None, None, Some("five"), None])));
    let bytes = segment(&fields, &[batch_of(&fields, columns)]);
    let mut reader = TableReader::open(Cursor::new(bytes), SegmentLimits::default(), Selection::default()).unwrap();
    let layout = Layout { capacity: 64, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length() / 8];
    let mut seen = Vec::new();
    loop {
        let bytes = bytemuck::cast_slice_mut(&mut memory);
        Block::format(bytes, layout).unwrap();
        let mut block = Block::open(bytes).unwrap();
        let progress = reader.read(&mut block).unwrap();
        seen.push((progress, block.len(), block.raw_time().to_vec()));
        match progress {
            Progress::Full => {}
            Progress::Columns => assert_eq!(reader.take_columns().unwrap().unwrap().num_rows(), 1),
            Progress::End => break,
        }
    }
    let expected = [(Progress::Full, 2, vec![]), (Progress::Columns, 2, vec![7, 8]), (Progress::End, 1, vec![])];
    assert_eq!(seen, expected);
}

#[test]
fn the_replay_checksum_ignores_how_rows_were_numbered_cut_and_received() {
    let time = 1_700_000_000_123_456_700;
    let ticks = measurand_columns::ticks::from_ns(time);
    let with_raw = measurements(&[(Some(time), 1.0, 0, 0, ticks), (Some(time), 2.0, 1, 0, ticks)]);
    let without_raw =
        measurements(&[(Some(time), 1.0, 1, 0, 0), (Some(time), 2.0, 0, 0, 0)]).project(&[0, 1, 2, 3]).unwrap();
    let mut one = Replay::new([&b"a"[..], b"b"]);
    one.update(&with_raw);
    let mut other = Replay::new([&b"b"[..], b"a"]);
    other.update(&without_raw.slice(0, 1));
    other.update(&without_raw.slice(1, 1));
    assert_eq!(one.value(), other.value());
    let mut third = Replay::new([&b"a"[..], b"b"]);
    third.update(&without_raw);
    assert_ne!(one.value(), third.value());
}

#[test]
fn sequence_runs_join_in_any_order() {
    let fields = vec![field("seq", FieldType::U64, false)];
    let batch = batch_of(&fields, vec![Arc::new(UInt64Array::from(vec![5, 5, 6, 9, 8, 1, 7, 20, u64::MAX]))]);
    let seen = inspect(Cursor::new(segment(&fields, &[batch])), &InspectOptions::default()).unwrap();
    let runs: Vec<_> = seen.sequences.iter().map(|run| (run.first, run.last)).collect();
    assert_eq!(runs, [(1, 1), (5, 9), (20, 20), (u64::MAX, u64::MAX)]);
    assert!(seen.sequences_complete);
}

prop_compose! {
    fn rows(limit: usize)(rows in proptest::collection::vec(
        (proptest::option::of(any::<i64>()), any::<u64>(), any::<u32>(), any::<u32>(), any::<u64>()), 0..limit,
    )) -> Vec<Row> {
        rows.into_iter().map(|(time, bits, signal, flags, raw)| (time, f64::from_bits(bits), signal, flags, raw)).collect()
    }
}

fn checksum_of<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> (u64, u64) {
    let mut checksum = Checksum::default();
    batches.into_iter().for_each(|batch| checksum.update(batch));
    (checksum.rows(), checksum.value())
}

proptest! {
    #[test]
    fn batches_come_back_and_a_cut_leaves_all_whole_ones(
        batches in proptest::collection::vec(rows(20), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let fields = measurement_fields();
        let batches: Vec<_> = batches.iter().map(|rows| measurements(rows)).collect();
        let mut bytes = schema_message(&fields).unwrap();
        let mut ends = vec![bytes.len()];
        for batch in &batches {
            write_batch(&mut bytes, batch);
            ends.push(bytes.len());
        }
        let mut whole = open(&bytes);
        let read: Vec<_> = whole.by_ref().map(Result::unwrap).collect();
        prop_assert_eq!(checksum_of(&read), checksum_of(&batches));
        prop_assert_eq!(read.len(), batches.len());

        let cut = cut.index(bytes.len() + 1);
        match SegmentReader::open(Cursor::new(&bytes[..cut]), SegmentLimits::default()) {
            Ok(mut reader) => {
                let read: Vec<_> = reader.by_ref().map(Result::unwrap).collect();
                let expected = ends.iter().filter(|&&end| end <= cut).count() - 1;
                prop_assert_eq!(read.len(), expected);
                prop_assert_eq!(checksum_of(&read), checksum_of(&batches[..expected]));
                let tail = reader.tail().unwrap();
                prop_assert_eq!(tail.offset as usize, ends[expected]);
                prop_assert_eq!(tail.bytes as usize, cut - ends[expected]);
                prop_assert_eq!(tail.fault.is_some(), tail.bytes > 0);
            }
            Err(SegmentError::NotSegment(_)) => prop_assert!(cut < ends[0]),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn parquet_has_the_rows_of_the_segment(batches in proptest::collection::vec(rows(150), 0..4)) {
        let batches: Vec<_> = batches.iter().map(|rows| measurements(rows)).collect();
        let (done, parquet) = compacted(segment(&measurement_fields(), &batches));
        prop_assert_eq!((done.rows, done.checksum), checksum_of(&batches));
        prop_assert_eq!(checksum_of(&read_all(parquet)), checksum_of(&batches));
    }

    #[test]
    fn a_changed_byte_never_panics_and_loses_no_byte(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (fields, batch) = all_types();
        let mut bytes = segment(&fields, &[batch.clone(), batch]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mut reader) = SegmentReader::open(Cursor::new(&bytes), SegmentLimits::default()) {
            let _rows: usize = reader.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
            let tail = reader.tail().unwrap();
            prop_assert_eq!(tail.offset + tail.bytes, bytes.len() as u64);
        }
    }

    #[test]
    fn checksums_join(first in rows(20), next in rows(20)) {
        let (first, next) = (measurements(&first), measurements(&next));
        let (rows, value) = checksum_of([&next]);
        let joined = Checksum::join(checksum_of([&first]).1, value, rows);
        prop_assert_eq!(joined, checksum_of(&[first, next]).1);
    }

    #[test]
    fn one_row_changed_changes_the_checksum(rows in rows(20), at in any::<prop::sample::Index>(), bit in 0..64_u32) {
        prop_assume!(!rows.is_empty());
        let mut changed = rows.clone();
        let row = &mut changed[at.index(rows.len())];
        row.1 = f64::from_bits(row.1.to_bits() ^ (1 << bit));
        prop_assert_ne!(checksum_of(&[measurements(&rows)]), checksum_of(&[measurements(&changed)]));
    }
}
