//! Checksums over rows: independent of how rows are cut into batches and of optional columns that no row uses.
//!
//! Each row is the sum over its columns of a mixed word (0 where it is null), and a sequence of rows is a polynomial over
//! 2^64. It finds accidents, not forgery.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use measurand_columns::{TIME_UNKNOWN, ticks, unix_seconds};

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The checksum over every column of a table's rows in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Checksum {
    total: u64,
    rows: u64,
    scratch: Vec<u64>,
}

impl Checksum {
    /// Takes rows in.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.start(batch);
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            add_column(&mut self.scratch, seed(field.name()), column);
        }
        self.finish();
    }

    /// The checksum.
    pub fn value(&self) -> u64 {
        self.total
    }

    /// Rows taken in.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The checksum of rows behind others: of the `first` ones, and of the `rows` next ones.
    pub fn join(first: u64, next: u64, rows: u64) -> u64 {
        let (mut factor, mut power, mut left) = (1_u64, BASE, rows);
        while left > 0 {
            if left & 1 == 1 {
                factor = factor.wrapping_mul(power);
            }
            power = power.wrapping_mul(power);
            left >>= 1;
        }
        first.wrapping_mul(factor).wrapping_add(next)
    }

    fn start(&mut self, batch: &RecordBatch) {
        self.scratch.clear();
        self.scratch.resize(batch.num_rows(), 0);
    }

    fn finish(&mut self) {
        self.total = self.scratch.iter().fold(self.total, |total, &row| total.wrapping_mul(BASE).wrapping_add(row));
        self.rows += self.scratch.len() as u64;
    }
}

/// The checksum that a recording and the recording of its replay share: native id, time, raw time, value bits, flags,
/// text and raw in order; of other tables every column but the time of receipt.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    checksum: Checksum,
    native_ids: Vec<u64>,
}

impl Replay {
    /// `native_ids` are those of the signal table's rows.
    pub fn new<'a>(native_ids: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let native_ids = native_ids.into_iter().map(|id| mix(seed("native_id").wrapping_add(hash(id)))).collect();
        Self { checksum: Checksum::default(), native_ids }
    }

    /// Takes rows in.
    pub fn update(&mut self, batch: &RecordBatch) {
        self.checksum.start(batch);
        let rows = &mut self.checksum.scratch;
        let is_measurement = batch.column_by_name("signal").is_some() && batch.column_by_name("flags").is_some();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            match field.name().as_str() {
                "rx" => {}
                "seq" | "idx" if is_measurement => {}
                "signal" if is_measurement && *column.data_type() == DataType::UInt32 => {
                    for (row, &signal) in rows.iter_mut().zip(column.as_primitive::<UInt32Type>().values()) {
                        let id = self.native_ids.get(signal as usize).copied();
                        *row = row.wrapping_add(id.unwrap_or_else(|| mix(seed("signal").wrapping_add(signal as u64))));
                    }
                }
                "raw_time" if is_measurement && *column.data_type() == DataType::UInt64 => {
                    add_raw_time(rows, column, batch.column_by_name("time"));
                }
                name => add_column(rows, seed(name), column),
            }
        }
        self.checksum.finish();
    }

    /// The checksum.
    pub fn value(&self) -> u64 {
        self.checksum.value()
    }
}

/// A raw time counts where it says more than the time does: whether the column is there depends on a row's neighbours.
fn add_raw_time(rows: &mut [u64], raw: &ArrayRef, time: Option<&ArrayRef>) {
    let seed = seed("raw_time");
    let time = time.filter(|time| matches!(time.data_type(), DataType::Timestamp(..)));
    let times = time.map(AsArray::as_primitive::<TimestampNanosecondType>);
    for ((row, &raw_time), at) in rows.iter_mut().zip(raw.as_primitive::<UInt64Type>().values()).zip(0..) {
        let time = times.map_or(TIME_UNKNOWN, |times| if times.is_null(at) { TIME_UNKNOWN } else { times.value(at) });
        let follows = time != TIME_UNKNOWN
            && (raw_time == ticks::from_ns(time) || raw_time == unix_seconds::from_ns(time).to_bits());
        if raw.is_valid(at) && !follows {
            *row = row.wrapping_add(mix(seed.wrapping_add(raw_time)));
        }
    }
}

fn add_column(rows: &mut [u64], seed: u64, column: &ArrayRef) {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    match column.data_type() {
        DataType::Timestamp(..) => {
            add_words(rows, seed, nulls, column.as_primitive::<TimestampNanosecondType>().values(), |&time| {
                time as u64
            });
        }
        DataType::Float64 => {
            add_words(rows, seed, nulls, column.as_primitive::<Float64Type>().values(), |value| value.to_bits());
        }
        DataType::UInt64 => add_words(rows, seed, nulls, column.as_primitive::<UInt64Type>().values(), |&word| word),
        DataType::UInt32 => {
            add_words(rows, seed, nulls, column.as_primitive::<UInt32Type>().values(), |&word| word as u64);
        }
        DataType::UInt16 => {
            add_words(rows, seed, nulls, column.as_primitive::<UInt16Type>().values(), |&word| word as u64);
        }
        DataType::UInt8 => {
            add_words(rows, seed, nulls, column.as_primitive::<UInt8Type>().values(), |&word| word as u64);
        }
        _ => {
            for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| column.is_valid(*at)) {
                *row = row.wrapping_add(mix(seed.wrapping_add(hash_cell(column, at))));
            }
        }
    }
}

fn add_words<T>(rows: &mut [u64], seed: u64, nulls: Option<&NullBuffer>, values: &[T], word: impl Fn(&T) -> u64) {
    match nulls {
        None => {
            for (row, value) in rows.iter_mut().zip(values) {
                *row = row.wrapping_add(mix(seed.wrapping_add(word(value))));
            }
        }
        Some(nulls) => {
            for ((row, value), valid) in rows.iter_mut().zip(values).zip(nulls) {
                *row = row.wrapping_add(if valid { mix(seed.wrapping_add(word(value))) } else { 0 });
            }
        }
    }
}

fn hash_cell(column: &ArrayRef, at: usize) -> u64 {
    match column.data_type() {
        DataType::Utf8 => hash(column.as_string::<i32>().value(at).as_bytes()),
        DataType::Binary => hash(column.as_binary::<i32>().value(at)),
        DataType::LargeBinary => hash(column.as_binary::<i64>().value(at)),
        DataType::List(_) => {
            let items = column.as_list::<i32>().value(at);
            (0..items.len()).fold(items.len() as u64, |sum, at| {
                mix(sum.wrapping_mul(BASE)).wrapping_add(if items.is_valid(at) { hash_cell(&items, at) } else { 0 })
            })
        }
        _ => 0,
    }
}

fn seed(name: &str) -> u64 {
    mix(hash(name.as_bytes()))
}

fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum =
        words.iter().fold(bytes.len() as u64, |sum, &word| mix(sum.wrapping_mul(BASE) ^ u64::from_le_bytes(word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(sum.wrapping_mul(BASE) ^ u64::from_le_bytes(last))
}

const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 32)).wrapping_mul(0xe9846af9b1a615d);
    word = (word ^ (word >> 32)).wrapping_mul(0xe9846af9b1a615d);
    word ^ (word >> 28)
}
