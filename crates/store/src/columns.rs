use arrow::array::{Array, ArrayData, ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use arrow::error::ArrowError;

use crate::{Field, FieldError, fields_of};

/// A column as Arrow lays it out.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name and type.
    pub field: Field,
    /// Rows without a value.
    pub null_count: u64,
    /// Validity bitmap (empty where nothing is null), then offsets and data; a list's items' buffers behind its offsets.
    pub buffers: Vec<Buffer>,
    /// Items of a list.
    pub items: Option<u64>,
}

/// Why a batch has no such columns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnError {
    /// The rows cannot be gathered.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A type that no table of a recording has.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// The columns of a batch, from their first row on.
pub fn columns_of(batch: &RecordBatch) -> Result<Vec<Column>, ColumnError> {
    let fields = fields_of(batch.schema_ref())?;
    fields.into_iter().zip(batch.columns()).map(|(field, column)| column_of(field, column)).collect()
}

fn column_of(field: Field, column: &ArrayRef) -> Result<Column, ColumnError> {
    let mut data = column.to_data();
    if !starts_at_zero(&data) {
        let rows = UInt64Array::from_iter_values(0..column.len() as u64);
        data = take(column, &rows, None)?.to_data();
    }
    let mut buffers = Vec::with_capacity(field.kind.buffer_widths().len());
    push_buffers(&mut buffers, &data);
    let items = data.child_data().first().map(|items| {
        push_buffers(&mut buffers, items);
        items.len() as u64
    });
    Ok(Column { field, null_count: data.null_count() as u64, buffers, items })
}

fn starts_at_zero(data: &ArrayData) -> bool {
    let nulls = data.nulls().is_none_or(|nulls| nulls.offset() == 0);
    data.offset() == 0 && nulls && data.child_data().iter().all(starts_at_zero)
}

fn push_buffers(buffers: &mut Vec<Buffer>, data: &ArrayData) {
    let nulls = data.nulls().filter(|nulls| nulls.null_count() > 0);
    buffers.push(nulls.map_or_else(|| Buffer::from_vec(Vec::<u8>::new()), |nulls| nulls.buffer().clone()));
    buffers.extend(data.buffers().iter().cloned());
}
