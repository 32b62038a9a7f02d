use arrow::error::ArrowError;
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow::ipc::{
    Buffer, FieldNode, Message, MessageArgs, MessageHeader, MetadataVersion, RecordBatch, RecordBatchArgs,
};
use flatbuffers::FlatBufferBuilder;

use crate::{Field, schema_of};

/// What ends a closed segment.
pub const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Every message and every buffer in a body starts at a multiple of this.
const ALIGNMENT: usize = 64;

/// Rows and nulls of a column, or of the items of a list column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Node {
    /// Values, nulls included.
    pub length: u64,
    /// Nulls.
    pub nulls: u64,
}

/// Why a batch cannot be described.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a batch's rows and buffer lengths must be below 2^62 in sum")]
pub struct BatchError;

/// The bytes with which a segment of these columns starts: continuation, length, schema, padding to 64.
pub fn schema_message(fields: &[Field]) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let message =
        IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(&schema_of(fields), &mut tracker, &options);
    let mut bytes = Vec::new();
    write_message(&mut bytes, message, &options)?;
    Ok(bytes)
}

/// The bytes in front of a batch's body: continuation, length, record batch, padding to 64.
///
/// The body is every buffer in Arrow's order, each padded to 64 bytes: `lengths` are those without padding. The nodes
/// are one for each column, that of a list's items behind it.
pub fn batch_header(rows: u64, nodes: &[Node], lengths: &[u64]) -> Result<Vec<u8>, BatchError> {
    let limit = 1 << 62;
    let mut end = 0_u64;
    let mut buffers = Vec::with_capacity(lengths.len());
    for &length in lengths {
        if length >= limit || end >= limit {
            return Err(BatchError);
        }
        buffers.push(Buffer::new(end as i64, length as i64));
        end += length.next_multiple_of(ALIGNMENT as u64);
    }
    if rows >= limit || end >= limit || nodes.iter().any(|node| node.length >= limit || node.nulls > node.length) {
        return Err(BatchError);
    }
    let nodes: Vec<_> = nodes.iter().map(|node| FieldNode::new(node.length as i64, node.nulls as i64)).collect();

    let mut builder = FlatBufferBuilder::with_capacity(256 + 16 * (nodes.len() + buffers.len()));
    let nodes = Some(builder.create_vector(&nodes));
    let buffers = Some(builder.create_vector(&buffers));
    let args = RecordBatchArgs { length: rows as i64, nodes, buffers, compression: None, variadicBufferCounts: None };
    let header = RecordBatch::create(&mut builder, &args).as_union_value();
    let args = MessageArgs {
        version: MetadataVersion::V5,
        header_type: MessageHeader::RecordBatch,
        header: Some(header),
        bodyLength: end as i64,
        custom_metadata: None,
    };
    let message = Message::create(&mut builder, &args);
    builder.finish(message, None);
    let message = builder.finished_data();

    let length = (8 + message.len()).next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(&END_OF_STREAM[..4]);
    bytes.extend_from_slice(&((length - 8) as u32).to_le_bytes());
    bytes.extend_from_slice(message);
    bytes.resize(length, 0);
    Ok(bytes)
}
