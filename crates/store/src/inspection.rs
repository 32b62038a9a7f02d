use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type};

use crate::compaction::{CHECKSUM_KEY, ROWS_KEY, TAIL_KEY};
use crate::{Checksum, Field, ReadError, Replay, SegmentLimits, Selection, TableFile, Tail};

/// What an inspection needs beside the file.
#[derive(Clone, Debug)]
pub struct InspectOptions {
    /// Bounds of what is read.
    pub limits: SegmentLimits,
    /// Native ids of the signal table's rows.
    pub native_ids: Vec<Vec<u8>>,
    /// Runs of sequence numbers that are told apart; 65,536 unless told. What is beyond is not checked.
    pub sequence_runs: usize,
}

impl Default for InspectOptions {
    fn default() -> Self {
        Self { limits: SegmentLimits::default(), native_ids: Vec::new(), sequence_runs: 1 << 16 }
    }
}

/// Consecutive sequence numbers that a file has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SequenceRun {
    /// Who counts: empty for measurements, the sender for records, the stream for events.
    pub of: String,
    /// First number.
    pub first: u64,
    /// Last number.
    pub last: u64,
}

/// What a file has.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its columns.
    pub fields: Vec<Field>,
    /// Whether it is a Parquet file.
    pub is_parquet: bool,
    /// Bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Rows that count in the books: of records only data.
    pub counted: u64,
    /// Batches.
    pub batches: u64,
    /// Least and greatest known time, ns since 1970-01-01 UTC.
    pub times: Option<(i64, i64)>,
    /// Rows whose time is not known.
    pub unknown_times: u64,
    /// Rows of each signal of the signal table.
    pub signal_rows: Vec<u64>,
    /// Rows whose signal is not in the signal table.
    pub unknown_signals: u64,
    /// The checksum over its rows.
    pub checksum: u64,
    /// The checksum that a replay shares.
    pub replay: u64,
    /// Rows that its metadata says.
    pub stored_rows: Option<u64>,
    /// The checksum that its metadata says.
    pub stored_checksum: Option<u64>,
    /// How a segment ends.
    pub tail: Option<Tail>,
    /// Bytes that were cut off the segment from which a Parquet file was made.
    pub compacted_tail_bytes: u64,
    /// Runs of sequence numbers, in order of who counts and number.
    pub sequences: Vec<SequenceRun>,
    /// Whether all sequence numbers are in [`Inspection::sequences`].
    pub sequences_complete: bool,
}

/// Reads a file whole and says what it has.
pub fn inspect<R: Read + Seek + Send + 'static>(source: R, options: &InspectOptions) -> Result<Inspection, ReadError> {
    let mut file = TableFile::open(source, options.limits, &Selection::default())?;
    let mut checksum = Checksum::default();
    let mut replay = Replay::new(options.native_ids.iter().map(Vec::as_slice));
    let mut sequences = Sequences::new(options.sequence_runs);
    let (mut batches, mut counted, mut unknown_times, mut unknown_signals) = (0, 0, 0, 0);
    let mut times: Option<(i64, i64)> = None;
    let mut signal_rows = vec![0_u64; options.native_ids.len()];
    for batch in file.by_ref() {
        let batch = batch?;
        batches += 1;
        checksum.update(&batch);
        replay.update(&batch);
        let kinds = primitive::<UInt8Type>(&batch, "kind");
        let is_data = |row: usize| kinds.is_none_or(|kinds| kinds.get(row) == Some(&0));
        counted += (0..batch.num_rows()).filter(|&row| is_data(row)).count() as u64;
        times = join_times(times, times_of(&batch));
        unknown_times += batch.column_by_name("time").map_or(0, Array::null_count) as u64;
        for &signal in primitive::<UInt32Type>(&batch, "signal").unwrap_or(&[]) {
            match signal_rows.get_mut(signal as usize) {
                Some(rows) => *rows += 1,
                None => unknown_signals += 1,
            }
        }
        sequences.update(&batch, is_data);
    }
    let stored = |key: &str| file.metadata(key);
    Ok(Inspection {
        is_parquet: file.is_parquet(),
        bytes: file.byte_length(),
        rows: checksum.rows(),
        counted,
        batches,
        times,
        unknown_times,
        signal_rows,
        unknown_signals,
        checksum: checksum.value(),
        replay: replay.value(),
        stored_rows: stored(ROWS_KEY).and_then(|rows| rows.parse().ok()),
        stored_checksum: stored(CHECKSUM_KEY).and_then(|sum| u64::from_str_radix(sum, 16).ok()),
        tail: file.tail(),
        compacted_tail_bytes: stored(TAIL_KEY).and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
        sequences_complete: sequences.complete,
        sequences: sequences.runs(),
        fields: file.fields().to_vec(),
    })
}

/// How much a file has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Summary {
    /// Whether it is a Parquet file.
    pub is_parquet: bool,
    /// Bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// Least and greatest known time, ns since 1970-01-01 UTC.
    pub times: Option<(i64, i64)>,
}

/// Says how much a file has: of a Parquet file as its metadata says, a segment is read.
pub fn summarise<R: Read + Seek + Send + 'static>(source: R, limits: SegmentLimits) -> Result<Summary, ReadError> {
    let mut file = TableFile::open(source, limits, &Selection::default())?;
    let (is_parquet, bytes) = (file.is_parquet(), file.byte_length());
    if let Some((rows, times)) = file.extent() {
        return Ok(Summary { is_parquet, bytes, rows, times });
    }
    let (mut rows, mut times) = (0, None);
    for batch in file.by_ref() {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        times = join_times(times, times_of(&batch));
    }
    Ok(Summary { is_parquet, bytes, rows, times })
}

fn times_of(batch: &RecordBatch) -> Option<(i64, i64)> {
    let time = batch.column_by_name("time")?.as_primitive_opt::<TimestampNanosecondType>()?;
    Some((arrow::compute::min(time)?, arrow::compute::max(time)?))
}

fn join_times(known: Option<(i64, i64)>, next: Option<(i64, i64)>) -> Option<(i64, i64)> {
    known.into_iter().chain(next).reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
}

fn primitive<'a, T: arrow::datatypes::ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Option<&'a [T::Native]> {
    Some(batch.column_by_name(name)?.as_primitive_opt::<T>()?.values())
}

/// Sequence numbers as runs, of which there are few however many rows there are.
struct Sequences {
    limit: usize,
    count: usize,
    complete: bool,
    /// First to last, by who counts.
    runs: HashMap<String, BTreeMap<u64, u64>>,
}

impl Sequences {
    fn new(limit: usize) -> Self {
        Self { limit, count: 0, complete: true, runs: HashMap::new() }
    }

    fn update(&mut self, batch: &RecordBatch, is_data: impl Fn(usize) -> bool) {
        let Some(seq) = batch.column_by_name("seq").or_else(|| batch.column_by_name("offset")) else {
            return;
        };
        let Some(numbers) = seq.as_primitive_opt::<UInt64Type>() else {
            return;
        };
        let names =
            ["sender", "stream"].into_iter().find_map(|name| batch.column_by_name(name)?.as_string_opt::<i32>());
        let name = |row: usize| names.map_or("", |names| names.value(row));
        let mut last = None;
        for (row, &number) in numbers.values().iter().enumerate() {
            let next = (name(row), number);
            if last != Some(next) && numbers.is_valid(row) && is_data(row) {
                self.add(next.0, number);
                last = Some(next);
            }
        }
    }

    fn add(&mut self, of: &str, number: u64) {
        if !self.runs.contains_key(of) {
            self.runs.insert(of.to_owned(), BTreeMap::new());
        }
        let Some(runs) = self.runs.get_mut(of) else {
            return;
        };
        if let Some((_, last)) = runs.range_mut(..=number).next_back() {
            if number <= *last {
                return;
            }
            if number == *last + 1 {
                *last = number;
                self.join(of, number);
                return;
            }
        }
        let joined = number.checked_add(1).and_then(|next| runs.remove(&next));
        if joined.is_some() {
            self.count -= 1;
        }
        if self.count >= self.limit {
            self.complete = false;
            return;
        }
        runs.insert(number, joined.unwrap_or(number));
        self.count += 1;
    }

    /// Joins the run that ends with `last` to one that starts behind it.
    fn join(&mut self, of: &str, last: u64) {
        let Some(runs) = self.runs.get_mut(of) else {
            return;
        };
        let Some(end) = last.checked_add(1).and_then(|next| runs.remove(&next)) else {
            return;
        };
        self.count -= 1;
        if let Some((_, run)) = runs.range_mut(..=last).next_back() {
            *run = end;
        }
    }

    fn runs(self) -> Vec<SequenceRun> {
        let mut runs: Vec<_> = self.runs.into_iter().collect();
        runs.sort_by(|a, b| a.0.cmp(&b.0));
        let run = |(of, runs): (String, BTreeMap<u64, u64>)| {
            runs.into_iter().map(move |(first, last)| SequenceRun { of: of.clone(), first, last })
        };
        runs.into_iter().flat_map(run).collect()
    }
}
