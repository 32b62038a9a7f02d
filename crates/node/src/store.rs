use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use measurand_columns::Status;
use measurand_store as store;
use measurand_store::{
    CompactError, CompactOptions, FieldType, InspectOptions, Node, Progress, ReadError, SegmentError, SegmentLimits,
    Selection, TableReader, Tail, TailFault,
};
use napi::bindgen_prelude::{AsyncTask, BigInt, Float64Array, Task, ToNapiValue, TypeName, Uint8Array};
use napi::{Env, Error};
use napi_derive::napi;

use crate::columns::open_block;
use crate::guard::{Guarded, Result, caught, error, settle};

/// A column of a table.
#[napi(object)]
pub struct StoreField {
    /// Name.
    pub name: String,
    /// Type as the table definitions name it.
    #[napi(js_name = "type")]
    pub kind: String,
    /// Whether rows may lack a value.
    pub nullable: bool,
    /// Arrow field metadata.
    pub metadata: Option<HashMap<String, String>>,
}

/// What a compaction did.
#[napi(object)]
pub struct StoreCompaction {
    /// Rows.
    pub rows: f64,
    /// 16 hexadecimal digits.
    pub checksum: String,
    /// Bytes of the Parquet file.
    pub bytes: f64,
    /// How the segment ended.
    pub tail: StoreTail,
}

/// How a segment ends.
#[napi(object)]
pub struct StoreTail {
    /// Whether its writer closed it.
    pub closed: bool,
    /// Offset behind the last whole batch.
    pub offset: f64,
    /// Bytes behind that.
    pub bytes: f64,
    /// Why they are no batch: `cut`, `zeros`, `behind` or `malformed`.
    pub fault: Option<String>,
    /// The same in words.
    pub reason: Option<String>,
}

/// Consecutive sequence numbers.
#[napi(object)]
pub struct StoreSequenceRun {
    /// Who counts.
    pub of: String,
    /// First number.
    pub first: BigInt,
    /// Last number.
    pub last: BigInt,
}

/// What a file has.
#[napi(object)]
pub struct StoreInspection {
    /// Its columns.
    pub fields: Vec<StoreField>,
    /// Whether it is a Parquet file.
    pub is_parquet: bool,
    /// Bytes.
    pub bytes: f64,
    /// Rows.
    pub rows: f64,
    /// Rows that count in the books.
    pub counted: f64,
    /// Batches.
    pub batches: f64,
    /// Least known time, ns.
    pub first_time: Option<BigInt>,
    /// Greatest known time, ns.
    pub last_time: Option<BigInt>,
    /// Rows whose time is not known.
    pub unknown_times: f64,
    /// Rows of each signal.
    pub signal_rows: Vec<f64>,
    /// Rows whose signal is not in the signal table.
    pub unknown_signals: f64,
    /// The checksum over its rows.
    pub checksum: String,
    /// The checksum that a replay shares.
    pub replay: String,
    /// Rows that its metadata says.
    pub stored_rows: Option<f64>,
    /// The checksum that its metadata says.
    pub stored_checksum: Option<String>,
    /// How a segment ends.
    pub tail: Option<StoreTail>,
    /// Bytes that were cut off the segment of which a Parquet file was made.
    pub compacted_tail_bytes: f64,
    /// Runs of sequence numbers.
    pub sequences: Vec<StoreSequenceRun>,
    /// Whether these are all.
    pub sequences_complete: bool,
}

/// How much a file has.
#[napi(object)]
pub struct StoreSummary {
    /// Whether it is a Parquet file.
    pub is_parquet: bool,
    /// Bytes.
    pub bytes: f64,
    /// Rows.
    pub rows: f64,
    /// Least known time, ns.
    pub first_time: Option<BigInt>,
    /// Greatest known time, ns.
    pub last_time: Option<BigInt>,
}

/// Which rows a reader gives.
#[napi(object)]
pub struct StoreSelection {
    /// From this time on, ns.
    pub since: Option<BigInt>,
    /// Before this time, ns.
    pub until: Option<BigInt>,
    /// For each row of the signal table 1 where it is wanted.
    pub signals: Option<Uint8Array>,
}

/// A column as Arrow lays it out.
#[napi(object)]
pub struct StoreColumn {
    /// Name and type.
    pub field: StoreField,
    /// Rows without a value.
    pub null_count: f64,
    /// Validity, then offsets and data.
    pub buffers: Vec<Uint8Array>,
    /// Items of a list.
    pub items: Option<f64>,
}

/// Rows as columns.
#[napi(object)]
pub struct StoreColumns {
    /// Rows.
    pub rows: f64,
    /// Columns.
    pub columns: Vec<StoreColumn>,
}

/// The bytes with which a segment of these columns starts.
#[napi(catch_unwind)]
pub fn store_schema_message(fields: Vec<StoreField>) -> Result<Uint8Array> {
    let fields = fields.into_iter().map(field_in).collect::<Result<Vec<_>>>()?;
    let message = store::schema_message(&fields).map_err(|reason| error("ERR_STORE_FIELD_TYPE", reason))?;
    Ok(message.into())
}

/// The bytes in front of a batch: nodes are pairs of length and nulls, lengths those of the buffers without padding.
#[napi(catch_unwind)]
pub fn store_batch_header(rows: f64, nodes: Float64Array, lengths: Float64Array) -> Result<Uint8Array> {
    let (nodes, odd) = nodes.as_chunks::<2>();
    let nodes = nodes.iter().map(|&[length, nulls]| Ok(Node { length: count(length)?, nulls: count(nulls)? }));
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let lengths = lengths.iter().map(|&length| count(length)).collect::<Result<Vec<_>>>()?;
    if !odd.is_empty() {
        return Err(error("ERR_STORE_BATCH_SIZE", "a node is a pair of numbers"));
    }
    let header = store::batch_header(count(rows)?, &nodes, &lengths);
    Ok(header.map_err(|reason| error("ERR_STORE_BATCH_SIZE", reason))?.into())
}

/// Writes the whole batches of a segment as a Parquet file, which is on the disk when this resolves.
#[napi(catch_unwind, ts_return_type = "Promise<StoreCompaction>")]
pub fn store_compact(source: String, target: String) -> AsyncTask<Work<StoreCompaction>> {
    Work::task(move || {
        let segment = File::open(&source).map_err(|reason| io_error(&source, &reason, false))?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&target).map_err(|reason| io_error(&target, &reason, true))?;
        let segment = io::BufReader::with_capacity(1 << 20, segment);
        let options = CompactOptions::default();
        let done =
            store::compact(segment, io::BufWriter::with_capacity(1 << 20, &file), &options).map_err(|reason| {
                match reason {
                    CompactError::Read(reason) => io_error(&source, &reason, false),
                    CompactError::Segment(reason) => segment_error(&source, &reason),
                    reason => write_error(&target, &reason),
                }
            })?;
        file.sync_all().map_err(|reason| io_error(&target, &reason, true))?;
        let checksum = hex(done.checksum);
        Ok(StoreCompaction { rows: done.rows as f64, checksum, bytes: done.bytes as f64, tail: done.tail.into() })
    })
}

/// Reads a file of a table whole and says what it has; native ids are those of the signal table's rows.
#[napi(catch_unwind, ts_return_type = "Promise<StoreInspection>")]
pub fn store_inspect(path: String, native_ids: Vec<Uint8Array>) -> AsyncTask<Work<StoreInspection>> {
    let native_ids = native_ids.iter().map(|id| id.to_vec()).collect();
    Work::task(move || {
        let options = InspectOptions { native_ids, ..InspectOptions::default() };
        let file = File::open(&path).map_err(|reason| io_error(&path, &reason, false))?;
        let seen = store::inspect(io::BufReader::with_capacity(1 << 20, file), &options);
        let seen = seen.map_err(|reason| read_error(&path, reason))?;
        Ok(StoreInspection {
            fields: seen.fields.into_iter().map(field_out).collect(),
            is_parquet: seen.is_parquet,
            bytes: seen.bytes as f64,
            rows: seen.rows as f64,
            counted: seen.counted as f64,
            batches: seen.batches as f64,
            first_time: seen.times.map(|times| times.0.into()),
            last_time: seen.times.map(|times| times.1.into()),
            unknown_times: seen.unknown_times as f64,
            signal_rows: seen.signal_rows.into_iter().map(|rows| rows as f64).collect(),
            unknown_signals: seen.unknown_signals as f64,
            checksum: hex(seen.checksum),
            replay: hex(seen.replay),
            stored_rows: seen.stored_rows.map(|rows| rows as f64),
            stored_checksum: seen.stored_checksum.map(hex),
            tail: seen.tail.map(StoreTail::from),
            compacted_tail_bytes: seen.compacted_tail_bytes as f64,
            sequences: seen
                .sequences
                .into_iter()
                .map(|run| StoreSequenceRun { of: run.of, first: run.first.into(), last: run.last.into() })
                .collect(),
            sequences_complete: seen.sequences_complete,
        })
    })
}

/// Says how much a file has: of a Parquet file as its metadata says, a segment is read.
#[napi(catch_unwind, ts_return_type = "Promise<StoreSummary>")]
pub fn store_summarise(path: String) -> AsyncTask<Work<StoreSummary>> {
    Work::task(move || {
        let file = File::open(&path).map_err(|reason| io_error(&path, &reason, false))?;
        let file = io::BufReader::with_capacity(1 << 20, file);
        let seen = store::summarise(file, SegmentLimits::default()).map_err(|reason| read_error(&path, reason))?;
        Ok(StoreSummary {
            is_parquet: seen.is_parquet,
            bytes: seen.bytes as f64,
            rows: seen.rows as f64,
            first_time: seen.times.map(|times| times.0.into()),
            last_time: seen.times.map(|times| times.1.into()),
        })
    })
}

/// The checksum (16 hexadecimal digits) of rows behind others: of the first ones, and of the `rows` next ones.
#[napi(catch_unwind)]
pub fn store_join_checksums(first: String, next: String, rows: f64) -> Result<String> {
    let word = |digits: &str| {
        u64::from_str_radix(digits, 16).map_err(|reason| error("ERR_STORE_BATCH_SIZE", format!("{digits}: {reason}")))
    };
    Ok(hex(store::Checksum::join(word(&first)?, word(&next)?, count(rows)?)))
}

type Reader = TableReader<io::BufReader<File>>;

/// Reads the selected rows of a file of a table off the main thread, one call at a time.
#[napi]
pub struct StoreReader {
    path: String,
    reader: Arc<Mutex<Guarded<Reader>>>,
}

#[napi]
impl StoreReader {
    /// Opens a file.
    #[napi(constructor, catch_unwind)]
    pub fn new(path: String, selection: StoreSelection) -> Result<Self> {
        let file = File::open(&path).map_err(|reason| io_error(&path, &reason, false))?;
        let time = |time: Option<BigInt>| time.map(|time| time.get_i64().0);
        let signals = selection.signals.map(|signals| signals.iter().map(|&wanted| wanted != 0).collect());
        let selection = Selection { since: time(selection.since), until: time(selection.until), signals };
        let file = io::BufReader::with_capacity(1 << 20, file);
        let reader = TableReader::open(file, SegmentLimits::default(), selection);
        let reader = reader.map_err(|reason| read_error(&path, reason))?;
        Ok(Self { path, reader: Arc::new(Mutex::new(Guarded::new(reader))) })
    }

    /// The columns of the file.
    #[napi(catch_unwind)]
    pub fn fields(&self) -> Result<Vec<StoreField>> {
        self.call(|reader| Ok(reader.file().fields().iter().cloned().map(field_out).collect()))
    }

    /// Rows read so far that were not selected.
    #[napi(catch_unwind)]
    pub fn filtered(&self) -> Result<f64> {
        self.call(|reader| Ok(reader.filtered() as f64))
    }

    /// How a segment ends, once it was read to its end.
    #[napi(catch_unwind)]
    pub fn tail(&self) -> Result<Option<StoreTail>> {
        self.call(|reader| Ok(reader.file().tail().map(StoreTail::from)))
    }

    /// Appends rows to a block, which nobody may touch until this resolves: 0 the file is at its end, 1 the block is
    /// full, 2 the next rows are not only numbers: `takeColumns`.
    #[napi(catch_unwind, ts_return_type = "Promise<number>")]
    pub fn read(&self, block: Uint8Array) -> AsyncTask<ReadBlock> {
        AsyncTask::new(ReadBlock { path: self.path.clone(), reader: Arc::clone(&self.reader), block })
    }

    /// The next batch as columns; null at the end.
    #[napi(catch_unwind, ts_return_type = "Promise<StoreColumns | null>")]
    pub fn take_columns(&self) -> AsyncTask<Work<Option<StoreColumns>>> {
        let (path, reader) = (self.path.clone(), Arc::clone(&self.reader));
        Work::task(move || {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.call(|reader| {
                let Some(batch) = reader.take_columns().map_err(|reason| read_error(&path, reason))? else {
                    return Ok(None);
                };
                let columns = store::columns_of(&batch).map_err(|reason| error("ERR_STORE_FILE_COLUMNS", reason))?;
                let column = |column: store::Column| StoreColumn {
                    field: field_out(column.field),
                    null_count: column.null_count as f64,
                    buffers: column.buffers.iter().map(|buffer| buffer.to_vec().into()).collect(),
                    items: column.items.map(|items| items as f64),
                };
                let columns = columns.into_iter().map(column).collect();
                Ok(Some(StoreColumns { rows: batch.num_rows() as f64, columns }))
            })
        })
    }

    fn call<T>(&self, work: impl FnOnce(&mut Reader) -> Result<T>) -> Result<T> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).call(work)
    }
}

/// Fills a block on a thread of the pool.
pub struct ReadBlock {
    path: String,
    reader: Arc<Mutex<Guarded<Reader>>>,
    block: Uint8Array,
}

impl Task for ReadBlock {
    type Output = Result<u32>;
    type JsValue = u32;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let Self { path, reader, block } = self;
        // SAFETY: the caller (ts/store/reader.ts) owns the buffer and leaves it alone until the promise has settled.
        let bytes = unsafe { block.as_mut() };
        Ok(reader.lock().unwrap_or_else(PoisonError::into_inner).call(|reader| {
            let mut block = open_block(bytes)?;
            let progress = reader.read(&mut block).map_err(|reason| read_error(path, reason))?;
            block.close(if progress == Progress::Full { Status::Full } else { Status::NeedMore }, 0, 0);
            Ok(progress as u32)
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<u32> {
        settle(env, output)
    }
}

/// Work on a thread of the pool that gives a value or an error with a code.
pub struct Work<T> {
    work: Option<Box<dyn FnOnce() -> Result<T> + Send>>,
}

impl<T: ToNapiValue + TypeName + Send + 'static> Work<T> {
    fn task(work: impl FnOnce() -> Result<T> + Send + 'static) -> AsyncTask<Self> {
        AsyncTask::new(Self { work: Some(Box::new(work)) })
    }
}

impl<T: ToNapiValue + TypeName + Send + 'static> Task for Work<T> {
    type Output = Result<T>;
    type JsValue = T;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        let spent = || Err(error("ERR_SESSION_CODEC_POISONED", "a task is run once"));
        Ok(self.work.take().map_or_else(spent, caught))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<T> {
        settle(env, output)
    }
}

impl From<Tail> for StoreTail {
    fn from(tail: Tail) -> Self {
        let (fault, reason) = match tail.fault {
            None => (None, None),
            Some(TailFault::Cut) => (Some("cut"), Some("the last batch was cut off")),
            Some(TailFault::Zeros) => (Some("zeros"), Some("the file ends with zeros that no writer wrote")),
            Some(TailFault::Behind) => (Some("behind"), Some("bytes follow the end of the stream")),
            Some(TailFault::Malformed(reason)) => (Some("malformed"), Some(reason)),
        };
        let (fault, reason) = (fault.map(str::to_owned), reason.map(str::to_owned));
        Self { closed: tail.closed, offset: tail.offset as f64, bytes: tail.bytes as f64, fault, reason }
    }
}

fn hex(word: u64) -> String {
    format!("{word:016x}")
}

fn count(number: f64) -> Result<u64> {
    if number >= 0.0 && number.fract() == 0.0 && number < 9_007_199_254_740_992.0 {
        return Ok(number as u64);
    }
    Err(error("ERR_STORE_BATCH_SIZE", format!("{number} is no count")))
}

fn field_in(field: StoreField) -> Result<store::Field> {
    let kind = FieldType::from_name(&field.kind)
        .ok_or_else(|| error("ERR_STORE_FIELD_TYPE", format!("no column has the type {}", field.kind)))?;
    let metadata = field.metadata.unwrap_or_default();
    Ok(store::Field { name: field.name, kind, nullable: field.nullable, metadata })
}

fn field_out(field: store::Field) -> StoreField {
    let metadata = (!field.metadata.is_empty()).then_some(field.metadata);
    StoreField { name: field.name, kind: field.kind.name().to_owned(), nullable: field.nullable, metadata }
}

fn io_error(path: &str, reason: &io::Error, writing: bool) -> Error<crate::guard::Code> {
    let code = match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "ERR_STORE_DISK_FULL"
        }
        io::ErrorKind::NotFound => "ERR_STORE_FILE_MISSING",
        _ if writing => "ERR_STORE_UNWRITABLE",
        _ => "ERR_STORE_UNREADABLE",
    };
    error(code, format!("{path}: {reason}"))
}

/// The system's error behind those of the Parquet writer, if there is one.
fn write_error(path: &str, reason: &CompactError) -> Error<crate::guard::Code> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(reason);
    while let Some(link) = cause {
        if let Some(reason) = link.downcast_ref::<io::Error>() {
            return io_error(path, reason, true);
        }
        cause = link.source();
    }
    error("ERR_STORE_UNWRITABLE", format!("{path}: {reason}"))
}

fn segment_error(path: &str, reason: &SegmentError) -> Error<crate::guard::Code> {
    match reason {
        SegmentError::Io(reason) => io_error(path, reason, false),
        SegmentError::Field(reason) => error("ERR_STORE_FILE_COLUMNS", format!("{path}: {reason}")),
        reason => error("ERR_STORE_FILE_FOREIGN", format!("{path}: {reason}")),
    }
}

fn read_error(path: &str, reason: ReadError) -> Error<crate::guard::Code> {
    match reason {
        ReadError::BlockColumn(_) => error("ERR_SESSION_BLOCK_COLUMNS", reason),
        ReadError::Field(reason) => error("ERR_STORE_FILE_COLUMNS", format!("{path}: {reason}")),
        ReadError::Foreign => error("ERR_STORE_FILE_FOREIGN", format!("{path}: {reason}")),
        ReadError::Io(reason) => io_error(path, &reason, false),
        ReadError::Segment(reason) => segment_error(path, &reason),
        reason => error("ERR_STORE_FILE_DAMAGED", format!("{path}: {reason}")),
    }
}
