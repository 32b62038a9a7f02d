use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Fields, Schema, TimeUnit};

/// Types that columns of a recording have; the names are those of the table definitions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldType {
    /// `timestamp[ns]`: i64 ns since 1970-01-01 without a time zone.
    Timestamp,
    /// `f64`.
    F64,
    /// `u64`.
    U64,
    /// `u32`.
    U32,
    /// `u16`.
    U16,
    /// `u8`.
    U8,
    /// `utf8` with 32-bit offsets.
    Utf8,
    /// `binary` with 32-bit offsets.
    Binary,
    /// `list<utf8>`.
    ListUtf8,
    /// `list<large_binary>`: items with 64-bit offsets.
    ListLargeBinary,
}

impl FieldType {
    /// All types.
    pub const ALL: [Self; 10] = [
        Self::Timestamp,
        Self::F64,
        Self::U64,
        Self::U32,
        Self::U16,
        Self::U8,
        Self::Utf8,
        Self::Binary,
        Self::ListUtf8,
        Self::ListLargeBinary,
    ];

    /// The type of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name in the table definitions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp[ns]",
            Self::F64 => "f64",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Utf8 => "utf8",
            Self::Binary => "binary",
            Self::ListUtf8 => "list<utf8>",
            Self::ListLargeBinary => "list<large_binary>",
        }
    }

    /// Bytes of one value in each Arrow buffer of a column of this type: validity (bits, so 1), then offsets and data, then
    /// those of its items.
    pub const fn buffer_widths(self) -> &'static [u64] {
        match self {
            Self::Timestamp | Self::F64 | Self::U64 => &[1, 8],
            Self::U32 => &[1, 4],
            Self::U16 => &[1, 2],
            Self::U8 => &[1, 1],
            Self::Utf8 | Self::Binary => &[1, 4, 1],
            Self::ListUtf8 => &[1, 4, 1, 4, 1],
            Self::ListLargeBinary => &[1, 4, 1, 8, 1],
        }
    }

    /// Arrow field nodes of a column of this type: itself and its items.
    pub const fn nodes(self) -> usize {
        match self {
            Self::ListUtf8 | Self::ListLargeBinary => 2,
            _ => 1,
        }
    }

    fn from_arrow(kind: &DataType) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.to_arrow() == *kind)
    }

    pub(crate) fn to_arrow(self) -> DataType {
        let list = |item| DataType::List(Arc::new(ArrowField::new("item", item, true)));
        match self {
            Self::Timestamp => DataType::Timestamp(TimeUnit::Nanosecond, None),
            Self::F64 => DataType::Float64,
            Self::U64 => DataType::UInt64,
            Self::U32 => DataType::UInt32,
            Self::U16 => DataType::UInt16,
            Self::U8 => DataType::UInt8,
            Self::Utf8 => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::ListUtf8 => list(DataType::Utf8),
            Self::ListLargeBinary => list(DataType::LargeBinary),
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: FieldType,
    /// Whether rows may lack a value.
    pub nullable: bool,
    /// Arrow field metadata, such as `clock=utc` or `wire=f32`.
    pub metadata: HashMap<String, String>,
}

/// A column whose type no table of a recording has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the column {column} has the type {kind}, which no table of a recording has")]
pub struct FieldError {
    /// Name of the column.
    pub column: String,
    /// Its Arrow type.
    pub kind: String,
}

/// The Arrow schema of columns.
pub fn schema_of(fields: &[Field]) -> Schema {
    let field = |field: &Field| {
        ArrowField::new(&field.name, field.kind.to_arrow(), field.nullable).with_metadata(field.metadata.clone())
    };
    Schema::new(fields.iter().map(field).collect::<Fields>())
}

/// The columns of an Arrow schema.
pub fn fields_of(schema: &Schema) -> Result<Vec<Field>, FieldError> {
    let field = |field: &Arc<ArrowField>| {
        let kind = FieldType::from_arrow(field.data_type())
            .ok_or_else(|| FieldError { column: field.name().clone(), kind: field.data_type().to_string() })?;
        let (name, metadata) = (field.name().clone(), field.metadata().clone());
        Ok(Field { name, kind, nullable: field.is_nullable(), metadata: metadata.into() })
    };
    schema.fields().iter().map(field).collect()
}
