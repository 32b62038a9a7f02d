use std::io::{self, Read, Seek, SeekFrom};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use measurand_columns::{Block, Columns, TIME_UNKNOWN};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use crate::source::Source;
use crate::{Field, FieldError, FieldType, SegmentError, SegmentLimits, SegmentReader, Selection, Tail, fields_of};

/// Rows that are decoded of a Parquet file at once.
const BATCH_ROWS: usize = 1 << 16;

/// Why a file of a table cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Values cannot be gathered.
    #[error("the rows cannot be selected: {0}")]
    Arrow(#[from] ArrowError),
    /// The block has no room for a column of the file.
    #[error("the block has no column {0}")]
    BlockColumn(&'static str),
    /// A column has a type that no table has.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It is neither a segment nor a Parquet file.
    #[error("the file is neither an Arrow stream nor a Parquet file")]
    Foreign,
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The Parquet file is damaged.
    #[error("the Parquet file cannot be read: {0}")]
    Parquet(#[from] ParquetError),
    /// It is no segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// A file of a table in either format: an iterator of batches.
#[derive(Debug)]
pub struct TableFile<R> {
    fields: Vec<Field>,
    byte_length: u64,
    metadata: Vec<(String, String)>,
    /// Rows and times that a Parquet file's metadata says.
    extent: Option<(u64, Option<(i64, i64)>)>,
    form: Form<R>,
}

#[derive(Debug)]
enum Form<R> {
    Parquet(Box<ParquetRecordBatchReader>),
    Segment(Box<SegmentReader<R>>),
}

impl<R: Read + Seek + Send + 'static> TableFile<R> {
    /// Opens a file; of a Parquet file only row groups that can have selected rows are read.
    pub fn open(mut source: R, limits: SegmentLimits, selection: &Selection) -> Result<Self, ReadError> {
        let byte_length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut magic = [0; 4];
        if byte_length < 4 {
            return Err(ReadError::Foreign);
        }
        source.read_exact(&mut magic)?;
        match &magic {
            b"PAR1" => {
                let builder = ParquetRecordBatchReaderBuilder::try_new(Source::new(source)?)?;
                let fields = fields_of(builder.schema())?;
                let metadata = metadata_of(builder.metadata());
                let groups = groups(builder.metadata(), selection);
                let rows = builder.metadata().file_metadata().num_rows();
                let extent = Some((u64::try_from(rows).unwrap_or(0), times_of(builder.metadata())));
                let reader = builder.with_batch_size(BATCH_ROWS).with_row_groups(groups).build()?;
                Ok(Self { fields, byte_length, metadata, extent, form: Form::Parquet(Box::new(reader)) })
            }
            [0xff, 0xff, 0xff, 0xff] => {
                let reader = SegmentReader::open(source, limits)?;
                let fields = reader.fields().to_vec();
                Ok(Self {
                    fields,
                    byte_length,
                    metadata: Vec::new(),
                    extent: None,
                    form: Form::Segment(Box::new(reader)),
                })
            }
            _ => Err(ReadError::Foreign),
        }
    }

    /// The columns.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Bytes of the file.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// What a Parquet file's metadata says.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether it is a Parquet file.
    pub fn is_parquet(&self) -> bool {
        matches!(self.form, Form::Parquet(_))
    }

    /// Rows, and the least and greatest time, as a Parquet file's metadata says; nothing is read for it.
    pub fn extent(&self) -> Option<(u64, Option<(i64, i64)>)> {
        self.extent
    }

    /// How a segment ends, once its last batch was read.
    pub fn tail(&self) -> Option<Tail> {
        match &self.form {
            Form::Parquet(_) => None,
            Form::Segment(segment) => segment.tail(),
        }
    }
}

impl<R: Read + Seek> Iterator for TableFile<R> {
    type Item = Result<RecordBatch, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.form {
            Form::Parquet(reader) => reader.next().map(|batch| batch.map_err(ReadError::from)),
            Form::Segment(segment) => segment.next().map(|batch| batch.map_err(ReadError::from)),
        }
    }
}

/// How a call of [`TableReader::read`] ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Progress {
    /// All rows of the file were read.
    End = 0,
    /// The block is full.
    Full = 1,
    /// The next rows are not only numbers: take them by [`TableReader::take_columns`].
    Columns = 2,
}

/// Reads the selected rows of a file: measurements into blocks, everything else as columns.
#[derive(Debug)]
pub struct TableReader<R> {
    file: TableFile<R>,
    selection: Selection,
    pending: Option<RecordBatch>,
    /// Rows of the pending batch that are taken already.
    taken: usize,
    filtered: u64,
}

impl<R: Read + Seek + Send + 'static> TableReader<R> {
    /// Opens a file.
    pub fn open(source: R, limits: SegmentLimits, selection: Selection) -> Result<Self, ReadError> {
        let file = TableFile::open(source, limits, &selection)?;
        Ok(Self { file, selection, pending: None, taken: 0, filtered: 0 })
    }

    /// The file that is read.
    pub fn file(&self) -> &TableFile<R> {
        &self.file
    }

    /// Rows read and not selected; those of row groups that were left out are not among them.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Fills a block, which closes over its header, behind the rows that it has.
    pub fn read(&mut self, block: &mut Block<'_>) -> Result<Progress, ReadError> {
        loop {
            self.fetch()?;
            let Some(batch) = &self.pending else {
                return Ok(Progress::End);
            };
            let run = Run::at(batch, self.taken);
            let Some(numbers) = Numbers::of(batch, &run) else {
                return Ok(Progress::Columns);
            };
            // Rows of a block have the same columns.
            if block.room() == 0 || (!block.is_empty() && block.present() != numbers.present()) {
                return Ok(Progress::Full);
            }
            let rows = block.room().min(run.end - self.taken);
            numbers.append(block, self.taken, rows)?;
            self.taken += rows;
            if self.taken == batch.num_rows() {
                self.pending = None;
            }
        }
    }

    /// The next rows that have the same columns; `None` at the end.
    pub fn take_columns(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        self.fetch()?;
        let Some(batch) = &self.pending else {
            return Ok(None);
        };
        let run = Run::at(batch, self.taken);
        let rows = batch.slice(self.taken, run.end - self.taken);
        let kept: Vec<_> = (0..batch.num_columns()).filter(|at| !run.missing.contains(at)).collect();
        let rows = rows.project(&kept)?;
        self.taken = run.end;
        if self.taken == batch.num_rows() {
            self.pending = None;
        }
        Ok(Some(rows))
    }

    /// Makes the next batch with selected rows pending, unless one is or there is none.
    fn fetch(&mut self) -> Result<(), ReadError> {
        while self.pending.is_none() {
            let Some(batch) = self.file.next() else {
                break;
            };
            let batch = batch?;
            let rows = batch.num_rows();
            let batch = self.selection.apply(batch)?;
            self.filtered += (rows - batch.num_rows()) as u64;
            self.taken = 0;
            self.pending = (batch.num_rows() > 0).then_some(batch);
        }
        Ok(())
    }
}

/// Optional columns of measurements: where a row lacks them, it is as if they were not there.
const OPTIONAL: [&str; 6] = ["seq", "idx", "rx", "raw_time", "text", "raw"];

/// Rows of a batch that lack the same optional columns.
struct Run {
    /// Behind its last row.
    end: usize,
    /// Positions of the columns that its rows lack.
    missing: Vec<usize>,
}

impl Run {
    /// The run that starts with a row; other tables and batches whose columns are all there are one run.
    fn at(batch: &RecordBatch, from: usize) -> Self {
        let mut run = Self { end: batch.num_rows(), missing: Vec::new() };
        if batch.column_by_name("signal").is_none() {
            return run;
        }
        for (at, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
            if column.null_count() == 0 || !OPTIONAL.contains(&field.name().as_str()) {
                continue;
            }
            let is_null = column.is_null(from);
            run.end = (from..run.end).find(|&row| column.is_null(row) != is_null).unwrap_or(run.end);
            if is_null {
                run.missing.push(at);
            }
        }
        run
    }
}

/// The columns of a batch of measurements that a block can hold.
struct Numbers<'a> {
    time: &'a ArrayRef,
    value: &'a [f64],
    signal: &'a [u32],
    flags: &'a [u32],
    seq: Option<&'a [u64]>,
    idx: Option<&'a [u32]>,
    rx: Option<&'a [i64]>,
    raw_time: Option<&'a [u64]>,
}

impl<'a> Numbers<'a> {
    /// `None` where rows of the run have text, raw bytes or no value, or the batch is of another table.
    fn of(batch: &'a RecordBatch, run: &Run) -> Option<Self> {
        let known = ["time", "value", "signal", "flags", "seq", "idx", "rx", "raw_time"];
        let fields = batch.schema_ref().fields();
        let is_missing = |at: usize| run.missing.contains(&at);
        if fields.iter().enumerate().any(|(at, field)| !is_missing(at) && !known.contains(&field.name().as_str())) {
            return None;
        }
        let column = |name: &str, kind: FieldType| {
            let column = batch.column_by_name(name)?;
            (*column.data_type() == kind.to_arrow()).then_some(column)
        };
        let full = |name, kind| column(name, kind).filter(|column| column.null_count() == 0);
        // A column that is not there is told apart from one of another type: only the first can be left out.
        let optional = |name, kind| match fields.find(name) {
            Some((at, _)) if !is_missing(at) => column(name, kind).map(Some),
            _ => Some(None),
        };
        Some(Self {
            time: column("time", FieldType::Timestamp)?,
            value: full("value", FieldType::F64)?.as_primitive::<Float64Type>().values(),
            signal: full("signal", FieldType::U32)?.as_primitive::<UInt32Type>().values(),
            flags: full("flags", FieldType::U32)?.as_primitive::<UInt32Type>().values(),
            seq: optional("seq", FieldType::U64)?.map(|seq| &**seq.as_primitive::<UInt64Type>().values()),
            idx: optional("idx", FieldType::U32)?.map(|idx| &**idx.as_primitive::<UInt32Type>().values()),
            rx: optional("rx", FieldType::Timestamp)?
                .map(|rx| &**rx.as_primitive::<TimestampNanosecondType>().values()),
            raw_time: optional("raw_time", FieldType::U64)?.map(|raw| &**raw.as_primitive::<UInt64Type>().values()),
        })
    }

    /// The optional columns that rows have.
    fn present(&self) -> Columns {
        let bit = |is_there, column| if is_there { column } else { Columns::NONE };
        bit(self.seq.is_some(), Columns::SEQ)
            | bit(self.idx.is_some(), Columns::IDX)
            | bit(self.rx.is_some(), Columns::RX)
            | bit(self.raw_time.is_some(), Columns::RAW_TIME)
    }

    fn append(&self, block: &mut Block<'_>, from: usize, rows: usize) -> Result<(), ReadError> {
        let present = self.present();
        let columns =
            [(Columns::SEQ, "seq"), (Columns::IDX, "idx"), (Columns::RX, "rx"), (Columns::RAW_TIME, "raw_time")];
        if let Some((_, name)) =
            columns.iter().find(|(bit, _)| present.contains(*bit) && !block.columns().contains(*bit))
        {
            return Err(ReadError::BlockColumn(name));
        }
        block.mark_present(present);
        let (at, source) = (block.len()..block.len() + rows, from..from + rows);
        let time = self.time.as_primitive::<TimestampNanosecondType>();
        block.time[at.clone()].copy_from_slice(&time.values()[source.clone()]);
        if time.null_count() > 0 {
            let times = block.time[at.clone()].iter_mut().zip(source.clone());
            let mut unknown = false;
            for (time, _) in times.filter(|(_, row)| self.time.is_null(*row)) {
                *time = TIME_UNKNOWN;
                unknown = true;
            }
            if unknown {
                block.mark_unknown_time();
            }
        }
        block.value[at.clone()].copy_from_slice(&self.value[source.clone()]);
        block.signal[at.clone()].copy_from_slice(&self.signal[source.clone()]);
        block.flags[at.clone()].copy_from_slice(&self.flags[source.clone()]);
        if let Some(seq) = self.seq {
            block.seq[at.clone()].copy_from_slice(&seq[source.clone()]);
        }
        if let Some(idx) = self.idx {
            block.idx[at.clone()].copy_from_slice(&idx[source.clone()]);
        }
        if let Some(rx) = self.rx {
            block.rx[at.clone()].copy_from_slice(&rx[source.clone()]);
        }
        for (row, &raw) in at.zip(self.raw_time.map_or(&[][..], |raw| &raw[source])) {
            block.set_raw_time(row, raw, |_| 0);
        }
        block.advance(rows);
        Ok(())
    }
}

fn metadata_of(metadata: &ParquetMetaData) -> Vec<(String, String)> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let pair = |pair: &parquet::file::metadata::KeyValue| Some((pair.key.clone(), pair.value.clone()?));
    pairs.into_iter().flatten().filter_map(pair).collect()
}

/// Least and greatest time of a row group as its statistics say.
fn group_times(group: &RowGroupMetaData) -> Option<(i64, i64)> {
    let time = group.columns().iter().find(|column| column.column_path().string() == "time")?;
    match time.statistics()? {
        Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
        _ => None,
    }
}

fn times_of(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let times = metadata.row_groups().iter().filter_map(group_times);
    times.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)))
}

/// Row groups whose times can be selected; all where the statistics do not say.
fn groups(metadata: &ParquetMetaData, selection: &Selection) -> Vec<usize> {
    let wanted =
        |group: &RowGroupMetaData| group_times(group).is_none_or(|(first, last)| selection.overlaps(first, last));
    metadata.row_groups().iter().enumerate().filter(|(_, group)| wanted(group)).map(|(at, _)| at).collect()
}
