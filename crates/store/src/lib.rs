//! Recordings on disk: Arrow IPC stream segments that are readable after any cut, and the Parquet files made of them.
//!
//! Nothing here opens a file or knows a directory: everything reads and writes through `Read`, `Write` and `Seek`. The
//! definitions of the tables come from the caller as lists of [`Field`].
//!
//! - [`schema_message`], [`batch_header`], [`END_OF_STREAM`]: the bytes around columns that lie in memory already
//! - [`SegmentReader`]: whole batches of a segment and what is behind them ([`Tail`])
//! - [`compact`]: a segment as Parquet, with a checksum over its rows
//! - [`TableReader`]: rows of either format, selected by time and signal, into blocks or as columns
//! - [`inspect`]: counts, times, sequence gaps and checksums of a file

mod checksum;
mod columns;
mod compaction;
mod field;
mod inspection;
mod message;
mod segment;
mod selection;
mod source;
mod table_reader;

pub use checksum::{Checksum, Replay};
pub use columns::{Column, ColumnError, columns_of};
pub use compaction::{CompactError, CompactOptions, Compacted, compact};
pub use field::{Field, FieldError, FieldType, fields_of, schema_of};
pub use inspection::{InspectOptions, Inspection, SequenceRun, Summary, inspect, summarise};
pub use message::{BatchError, END_OF_STREAM, Node, batch_header, schema_message};
pub use segment::{SegmentError, SegmentLimits, SegmentReader, Tail, TailFault};
pub use selection::Selection;
pub use table_reader::{Progress, ReadError, TableFile, TableReader};

#[cfg(test)]
mod tests;
