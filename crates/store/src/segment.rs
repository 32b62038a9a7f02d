use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::RecordBatchDecoder;
use arrow::ipc::{self, MessageHeader, root_as_message};

use crate::{Field, FieldError, fields_of};

/// Bounds of what a segment may ask for before anything is allocated for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentLimits {
    /// Bytes of one message's metadata; 16 MiB unless told.
    pub metadata_bytes: u32,
    /// Bytes of one batch; 1 GiB unless told.
    pub batch_bytes: u64,
}

impl Default for SegmentLimits {
    fn default() -> Self {
        Self { metadata_bytes: 16 << 20, batch_bytes: 1 << 30 }
    }
}

/// Why a file is not a segment of a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// The columns are not of a recording.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The file cannot be read.
    #[error("the segment cannot be read")]
    Io(#[from] io::Error),
    /// It does not start with a whole schema message.
    #[error("the file does not start with an Arrow stream's schema: {0}")]
    NotSegment(&'static str),
}

/// Why the bytes behind the last whole batch are no batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TailFault {
    /// The last message is not all there: its writer was cut off.
    Cut,
    /// The bytes are zeros: space that the file system had given and the writer had not filled.
    Zeros,
    /// The bytes are no message of a segment.
    Malformed(&'static str),
    /// The bytes follow the end of the stream.
    Behind,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tail {
    /// Whether the end-of-stream marker stands behind the last batch: the writer closed the segment.
    pub closed: bool,
    /// Offset behind the last whole message.
    pub offset: u64,
    /// Bytes behind it.
    pub bytes: u64,
    /// Why they are no batch; `None` where there are none.
    pub fault: Option<TailFault>,
}

/// Reads the whole batches of a segment in order, then says how it ends.
///
/// It is an iterator of batches. Whatever is wrong behind the schema ends the batches and is told by
/// [`SegmentReader::tail`]; nothing is repaired or skipped.
#[derive(Debug)]
pub struct SegmentReader<R> {
    source: R,
    limits: SegmentLimits,
    schema: SchemaRef,
    fields: Vec<Field>,
    /// Bytes of the file when it was opened.
    length: u64,
    /// Behind the last whole message.
    offset: u64,
    tail: Option<Tail>,
}

enum Next {
    Batch(RecordBatch),
    End { closed: bool, fault: Option<TailFault> },
}

impl<R: Read + Seek> SegmentReader<R> {
    /// Opens a segment and reads its schema.
    pub fn open(mut source: R, limits: SegmentLimits) -> Result<Self, SegmentError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut reader = Self {
            source,
            limits,
            schema: Arc::new(Schema::empty()),
            fields: Vec::new(),
            length,
            offset: 0,
            tail: None,
        };
        let metadata = match reader.metadata()? {
            Ok(Some(metadata)) => metadata,
            Ok(None) => return Err(SegmentError::NotSegment("the stream ends at once")),
            Err(TailFault::Malformed(reason)) => return Err(SegmentError::NotSegment(reason)),
            Err(_) => return Err(SegmentError::NotSegment("it is cut before its first batch")),
        };
        let message =
            root_as_message(&metadata).map_err(|_| SegmentError::NotSegment("its first message cannot be read"))?;
        let schema = message.header_as_schema().ok_or(SegmentError::NotSegment("its first message is no schema"))?;
        if message.bodyLength() != 0 || schema.endianness() != ipc::Endianness::Little {
            return Err(SegmentError::NotSegment("its schema is not of a recording"));
        }
        let schema = try_fb_to_schema(schema).map_err(|_| SegmentError::NotSegment("its schema cannot be read"))?;
        reader.fields = fields_of(&schema)?;
        reader.schema = Arc::new(schema);
        reader.offset = 8 + metadata.len() as u64;
        Ok(reader)
    }

    /// The columns.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The columns as an Arrow schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Bytes of the file when it was opened.
    pub fn byte_length(&self) -> u64 {
        self.length
    }

    /// Offset behind the last message read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How the segment ends, known once the last batch was read.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    fn read(&mut self) -> Result<Next, io::Error> {
        let end = |fault| Ok(Next::End { closed: false, fault: Some(fault) });
        if self.offset == self.length {
            return Ok(Next::End { closed: false, fault: None });
        }
        let metadata = match self.metadata()? {
            Ok(Some(metadata)) => metadata,
            Ok(None) => {
                self.offset += 8;
                let fault = (self.offset < self.length).then_some(TailFault::Behind);
                return Ok(Next::End { closed: true, fault });
            }
            Err(fault) => return end(fault),
        };
        let start = self.offset + 8 + metadata.len() as u64;
        let Ok(message) = root_as_message(&metadata) else {
            return end(TailFault::Malformed("a message cannot be read"));
        };
        let Some(batch) = message.header_as_record_batch() else {
            return end(TailFault::Malformed("a message is no record batch"));
        };
        if message.header_type() != MessageHeader::RecordBatch || message.version() != ipc::MetadataVersion::V5 {
            return end(TailFault::Malformed("a message has another version"));
        }
        let Some(bytes) = u64::try_from(message.bodyLength()).ok().filter(|&bytes| bytes <= self.limits.batch_bytes)
        else {
            return end(TailFault::Malformed("a batch is longer than the limit"));
        };
        if !fits(&batch, &self.fields, bytes) {
            return end(TailFault::Malformed("a batch does not fit its columns"));
        }
        // The file is known to have the bytes before memory is taken for them.
        if bytes > self.length - start {
            return end(TailFault::Cut);
        }
        let mut body = MutableBuffer::from_len_zeroed(bytes as usize);
        if let Err(error) = self.source.read_exact(&mut body) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { end(TailFault::Cut) } else { Err(error) };
        }
        let dictionaries = HashMap::new();
        let batch = RecordBatchDecoder::try_new(
            &Buffer::from(body),
            batch,
            Arc::clone(&self.schema),
            &dictionaries,
            &ipc::MetadataVersion::V5,
        )
        .and_then(RecordBatchDecoder::read_record_batch);
        let Ok(batch) = batch else {
            return end(TailFault::Malformed("a batch's values are not valid"));
        };
        self.offset = start + bytes;
        Ok(Next::Batch(batch))
    }

    /// The metadata of the message at the reader's offset; `None` for the end of the stream.
    fn metadata(&mut self) -> Result<Result<Option<Vec<u8>>, TailFault>, io::Error> {
        let left = self.length - self.offset;
        let mut prefix = [0; 8];
        let whole = left.min(8) as usize;
        self.source.read_exact(&mut prefix[..whole])?;
        if prefix[..whole].iter().all(|&byte| byte == 0) {
            return Ok(Err(if self.rest_is_zero()? { TailFault::Zeros } else { TailFault::Malformed("no message") }));
        }
        let marker = whole.min(4);
        if prefix[..marker] != [0xff; 4][..marker] {
            return Ok(Err(TailFault::Malformed("no message starts here")));
        }
        if left < 8 {
            return Ok(Err(TailFault::Cut));
        }
        let length = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]);
        if length == 0 {
            return Ok(Ok(None));
        }
        if length > self.limits.metadata_bytes {
            return Ok(Err(TailFault::Malformed("a message's metadata is longer than the limit")));
        }
        if length as u64 > left - 8 {
            return Ok(Err(TailFault::Cut));
        }
        let mut metadata = vec![0; length as usize];
        self.source.read_exact(&mut metadata)?;
        Ok(Ok(Some(metadata)))
    }

    fn rest_is_zero(&mut self) -> Result<bool, io::Error> {
        let mut chunk = [0; 8192];
        loop {
            match self.source.read(&mut chunk)? {
                0 => return Ok(true),
                count if chunk[..count].iter().any(|&byte| byte != 0) => return Ok(false),
                _ => {}
            }
        }
    }
}

impl<R: Read + Seek> Iterator for SegmentReader<R> {
    type Item = Result<RecordBatch, io::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.tail.is_some() {
            return None;
        }
        match self.read() {
            Ok(Next::Batch(batch)) => Some(Ok(batch)),
            Ok(Next::End { closed, fault }) => {
                self.tail = Some(Tail { closed, offset: self.offset, bytes: self.length - self.offset, fault });
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// Whether nodes and buffers are those of the columns and lie in the body: arrow's decoder takes them on trust.
fn fits(batch: &ipc::RecordBatch<'_>, fields: &[Field], body: u64) -> bool {
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return false;
    };
    let widths: Vec<u64> = fields.iter().flat_map(|field| field.kind.buffer_widths()).copied().collect();
    if nodes.len() != fields.iter().map(|field| field.kind.nodes()).sum::<usize>()
        || buffers.len() != widths.len()
        || batch.compression().is_some()
        || batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty())
    {
        return false;
    }
    let inside = buffers.iter().zip(widths).all(|(buffer, width)| {
        let (Ok(offset), Ok(length)) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length())) else {
            return false;
        };
        // The decoder panics where offsets end in the middle of one.
        let whole = offset % 8 == 0 && length % width == 0;
        whole && offset.checked_add(length).is_some_and(|end| end <= body)
    });
    // No type of a recording has fewer bytes than values, so that every count is at most the body's bytes (or all is empty).
    let counts = nodes.iter().all(|node| {
        node.length() >= 0
            && node.length() as u64 <= body
            && node.null_count() >= 0
            && node.null_count() <= node.length()
    });
    let mut at = 0;
    let rows = fields.iter().all(|field| {
        let top = nodes.get(at).length();
        at += field.kind.nodes();
        top == batch.length()
    });
    inside && counts && rows && (!fields.is_empty() || batch.length() == 0)
}
