use std::io::{self, Read, Seek, Write};
use std::sync::Arc;

use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{Checksum, Field, FieldType, SegmentError, SegmentLimits, SegmentReader, Tail};

/// Keys of a Parquet file's metadata.
pub(crate) const FORMAT_KEY: &str = "measurand.format";
pub(crate) const ROWS_KEY: &str = "measurand.rows";
pub(crate) const CHECKSUM_KEY: &str = "measurand.checksum";
pub(crate) const TAIL_KEY: &str = "measurand.tail_bytes";

/// How a segment is compacted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CompactOptions {
    /// Bounds of what is read.
    pub limits: SegmentLimits,
    /// Rows of a row group; 1,048,576 unless told.
    pub row_group_rows: usize,
    /// Bytes of a row group, about; 128 MiB unless told.
    pub row_group_bytes: usize,
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self { limits: SegmentLimits::default(), row_group_rows: 1 << 20, row_group_bytes: 128 << 20 }
    }
}

/// What was compacted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Compacted {
    /// Rows.
    pub rows: u64,
    /// The checksum over them, also in the file's metadata.
    pub checksum: u64,
    /// How the segment ended; bytes that were no batch are not in the Parquet file.
    pub tail: Tail,
    /// Bytes of the Parquet file.
    pub bytes: u64,
}

/// Why a segment was not compacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompactError {
    /// The segment cannot be read to its end.
    #[error("the segment cannot be read")]
    Read(#[source] io::Error),
    /// It is no segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The Parquet file cannot be written.
    #[error("the Parquet file cannot be written: {0}")]
    Write(#[source] ParquetError),
}

/// Writes the whole batches of a segment as a Parquet file, a row group at a time.
///
/// Times are delta packed, values byte-stream split, all is zstd level 1. The file's metadata has `measurand.rows`,
/// `measurand.checksum` (16 hexadecimal digits) and, where the segment had a cut tail, `measurand.tail_bytes`.
pub fn compact<R: Read + Seek, W: Write + Send>(
    source: R,
    target: W,
    options: &CompactOptions,
) -> Result<Compacted, CompactError> {
    let mut segment = SegmentReader::open(source, options.limits)?;
    let properties = properties(segment.fields(), options);
    let schema = Arc::clone(segment.schema());
    let mut writer = ArrowWriter::try_new(target, schema, Some(properties)).map_err(CompactError::Write)?;
    let mut checksum = Checksum::default();
    for batch in segment.by_ref() {
        let batch = batch.map_err(CompactError::Read)?;
        checksum.update(&batch);
        writer.write(&batch).map_err(CompactError::Write)?;
    }
    let Some(tail) = segment.tail() else {
        return Err(CompactError::Write(ParquetError::from(ArrowError::IpcError("the segment has no end".into()))));
    };
    let mut note = |key: &str, value: String| writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
    note(FORMAT_KEY, "1".to_owned());
    note(ROWS_KEY, checksum.rows().to_string());
    note(CHECKSUM_KEY, format!("{:016x}", checksum.value()));
    if tail.bytes > 0 {
        note(TAIL_KEY, tail.bytes.to_string());
    }
    writer.finish().map_err(CompactError::Write)?;
    let bytes = writer.bytes_written() as u64;
    Ok(Compacted { rows: checksum.rows(), checksum: checksum.value(), tail, bytes })
}

fn properties(fields: &[Field], options: &CompactOptions) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(options.row_group_rows.max(1)))
        .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)))
        .set_created_by(concat!("measurand ", env!("CARGO_PKG_VERSION")).to_owned());
    for field in fields {
        let path = ColumnPath::from(field.name.as_str());
        builder = match field.kind {
            FieldType::F64 => builder.set_column_encoding(path, Encoding::BYTE_STREAM_SPLIT),
            // A quality word has few values, most often one.
            FieldType::U32 if field.name == "flags" => builder.set_column_dictionary_enabled(path, true),
            FieldType::Timestamp | FieldType::U64 | FieldType::U32 => {
                builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED)
            }
            FieldType::U16 | FieldType::U8 | FieldType::Utf8 => builder.set_column_dictionary_enabled(path, true),
            FieldType::Binary | FieldType::ListUtf8 | FieldType::ListLargeBinary => builder,
        };
    }
    builder.build()
}
