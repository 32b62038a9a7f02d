use rust_decimal::Decimal;
use uuid::Uuid;

use super::DateTime;

/// Type of a column, by its name in XML schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum ColumnType {
    String,
    Guid,
    Boolean,
    DateTime,
    Single,
    Double,
    Decimal,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
}

impl ColumnType {
    /// The type that XML schema calls so (without prefix); what is unknown is text.
    pub(super) fn from_schema(name: &str) -> Self {
        match name {
            "boolean" => Self::Boolean,
            "dateTime" => Self::DateTime,
            "float" => Self::Single,
            "double" => Self::Double,
            "decimal" => Self::Decimal,
            "byte" => Self::Int8,
            "short" => Self::Int16,
            "int" => Self::Int32,
            "long" => Self::Int64,
            "unsignedByte" => Self::UInt8,
            "unsignedShort" => Self::UInt16,
            "unsignedInt" => Self::UInt32,
            "unsignedLong" => Self::UInt64,
            _ => Self::String,
        }
    }

    /// Its name in XML schema; a GUID is a string with an attribute.
    pub(super) const fn schema_name(self) -> &'static str {
        match self {
            Self::String | Self::Guid => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Single => "float",
            Self::Double => "double",
            Self::Decimal => "decimal",
            Self::Int8 => "byte",
            Self::Int16 => "short",
            Self::Int32 => "int",
            Self::Int64 => "long",
            Self::UInt8 => "unsignedByte",
            Self::UInt16 => "unsignedShort",
            Self::UInt32 => "unsignedInt",
            Self::UInt64 => "unsignedLong",
        }
    }
}

/// The value of a row in a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Text.
    String(&'a str),
    /// A GUID.
    Guid(Uuid),
    /// A truth value.
    Boolean(bool),
    /// A point in time.
    DateTime(DateTime),
    /// A 32-bit floating-point number.
    Single(f32),
    /// A 64-bit floating-point number.
    Double(f64),
    /// A decimal number of up to 28 digits.
    Decimal(Decimal),
    /// A signed integer of any width.
    Integer(i64),
    /// An unsigned integer of any width.
    Unsigned(u64),
}

/// A column: its name, its type and a value or null for each row.
#[derive(Clone, Debug, PartialEq)]
pub struct DataColumn {
    /// Name, as it was defined.
    pub name: String,
    kind: ColumnType,
    expression: Option<String>,
    values: Values,
    valid: Vec<bool>,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    String { text: String, ends: Vec<usize> },
    Guid(Vec<Uuid>),
    Boolean(Vec<bool>),
    DateTime(Vec<DateTime>),
    Single(Vec<f32>),
    Double(Vec<f64>),
    Decimal(Vec<Decimal>),
    Integer(Vec<i64>),
    Unsigned(Vec<u64>),
}

impl DataColumn {
    fn new(name: &str, kind: ColumnType) -> Self {
        let values = match kind {
            ColumnType::String => Values::String { text: String::new(), ends: Vec::new() },
            ColumnType::Guid => Values::Guid(Vec::new()),
            ColumnType::Boolean => Values::Boolean(Vec::new()),
            ColumnType::DateTime => Values::DateTime(Vec::new()),
            ColumnType::Single => Values::Single(Vec::new()),
            ColumnType::Double => Values::Double(Vec::new()),
            ColumnType::Decimal => Values::Decimal(Vec::new()),
            ColumnType::Int8 | ColumnType::Int16 | ColumnType::Int32 | ColumnType::Int64 => Values::Integer(Vec::new()),
            ColumnType::UInt8 | ColumnType::UInt16 | ColumnType::UInt32 | ColumnType::UInt64 => {
                Values::Unsigned(Vec::new())
            }
        };
        Self { name: name.to_owned(), kind, expression: None, values, valid: Vec::new() }
    }

    /// Bytes of memory that its values take.
    pub(super) fn byte_len(&self) -> usize {
        fn of<T>(values: &Vec<T>) -> usize {
            values.capacity() * size_of::<T>()
        }
        let values = match &self.values {
            Values::String { text, ends } => text.capacity() + of(ends),
            Values::Guid(values) => of(values),
            Values::Boolean(values) => of(values),
            Values::DateTime(values) => of(values),
            Values::Single(values) => of(values),
            Values::Double(values) => of(values),
            Values::Decimal(values) => of(values),
            Values::Integer(values) => of(values),
            Values::Unsigned(values) => of(values),
        };
        values + of(&self.valid)
    }

    /// Its type.
    pub fn kind(&self) -> ColumnType {
        self.kind
    }

    /// What its values are computed by, from others of their row.
    pub fn expression(&self) -> Option<&str> {
        self.expression.as_deref()
    }

    /// A column like this one without values.
    pub(super) fn emptied(&self) -> Self {
        Self { expression: self.expression.clone(), ..Self::new(&self.name, self.kind) }
    }

    /// The value of a row; null where there is no such row.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        if !self.valid.get(row).copied().unwrap_or(false) {
            return Cell::Null;
        }
        match &self.values {
            Values::String { text, ends } => {
                let start = row.checked_sub(1).map_or(0, |before| ends[before]);
                Cell::String(&text[start..ends[row]])
            }
            Values::Guid(values) => Cell::Guid(values[row]),
            Values::Boolean(values) => Cell::Boolean(values[row]),
            Values::DateTime(values) => Cell::DateTime(values[row]),
            Values::Single(values) => Cell::Single(values[row]),
            Values::Double(values) => Cell::Double(values[row]),
            Values::Decimal(values) => Cell::Decimal(values[row]),
            Values::Integer(values) => Cell::Integer(values[row]),
            Values::Unsigned(values) => Cell::Unsigned(values[row]),
        }
    }

    /// Appends a value; one that the column's type does not hold is null and gives false.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> bool {
        let fits = match (&mut self.values, cell) {
            (Values::String { text, ends }, Cell::String(value)) => {
                text.push_str(value);
                ends.push(text.len());
                true
            }
            (Values::Guid(values), Cell::Guid(value)) => push(values, value),
            (Values::Boolean(values), Cell::Boolean(value)) => push(values, value),
            (Values::DateTime(values), Cell::DateTime(value)) => push(values, value),
            (Values::Single(values), Cell::Single(value)) => push(values, value),
            (Values::Double(values), Cell::Double(value)) => push(values, value),
            (Values::Decimal(values), Cell::Decimal(value)) => push(values, value),
            (Values::Integer(values), Cell::Integer(value)) => push(values, value),
            (Values::Unsigned(values), Cell::Unsigned(value)) => push(values, value),
            _ => false,
        };
        if !fits {
            self.push_default();
        }
        self.valid.push(fits);
        fits || cell == Cell::Null
    }

    fn push_default(&mut self) {
        match &mut self.values {
            Values::String { text, ends } => ends.push(text.len()),
            Values::Guid(values) => values.push(Uuid::nil()),
            Values::Boolean(values) => values.push(false),
            Values::DateTime(values) => values.push(DateTime::default()),
            Values::Single(values) => values.push(0.0),
            Values::Double(values) => values.push(0.0),
            Values::Decimal(values) => values.push(Decimal::ZERO),
            Values::Integer(values) => values.push(0),
            Values::Unsigned(values) => values.push(0),
        }
    }

    /// The type's value that a text spells, as XML schema writes it; `None` where it spells none.
    pub(super) fn push_text(&mut self, text: &str) -> bool {
        let trimmed = text.trim();
        let cell = match self.kind {
            ColumnType::String => Some(Cell::String(text)),
            _ if trimmed.is_empty() => Some(Cell::Null),
            ColumnType::Guid => Uuid::try_parse(trimmed).ok().map(Cell::Guid),
            ColumnType::Boolean => match trimmed {
                "true" | "True" | "TRUE" | "1" => Some(Cell::Boolean(true)),
                "false" | "False" | "FALSE" | "0" => Some(Cell::Boolean(false)),
                _ => None,
            },
            ColumnType::DateTime => DateTime::parse(trimmed).map(Cell::DateTime),
            ColumnType::Single => floating(trimmed).map(|value| Cell::Single(value as f32)),
            ColumnType::Double => floating(trimmed).map(Cell::Double),
            ColumnType::Decimal => {
                trimmed.parse().or_else(|_| Decimal::from_scientific(trimmed)).ok().map(Cell::Decimal)
            }
            ColumnType::Int8 => trimmed.parse::<i8>().ok().map(|value| Cell::Integer(value.into())),
            ColumnType::Int16 => trimmed.parse::<i16>().ok().map(|value| Cell::Integer(value.into())),
            ColumnType::Int32 => trimmed.parse::<i32>().ok().map(|value| Cell::Integer(value.into())),
            ColumnType::Int64 => trimmed.parse::<i64>().ok().map(Cell::Integer),
            ColumnType::UInt8 => trimmed.parse::<u8>().ok().map(|value| Cell::Unsigned(value.into())),
            ColumnType::UInt16 => trimmed.parse::<u16>().ok().map(|value| Cell::Unsigned(value.into())),
            ColumnType::UInt32 => trimmed.parse::<u32>().ok().map(|value| Cell::Unsigned(value.into())),
            ColumnType::UInt64 => trimmed.parse::<u64>().ok().map(Cell::Unsigned),
        };
        cell.is_some_and(|cell| self.push(cell))
    }

    fn pad(&mut self, rows: usize) {
        while self.valid.len() < rows {
            self.push(Cell::Null);
        }
    }

    fn rows(&self) -> usize {
        self.valid.len()
    }
}

fn push<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    true
}

fn floating(text: &str) -> Option<f64> {
    match text {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

/// Rows of typed columns.
#[derive(Clone, Debug, PartialEq)]
pub struct DataTable {
    /// Name, as it was defined.
    pub name: String,
    columns: Vec<DataColumn>,
    rows: usize,
}

impl DataTable {
    /// A table without rows.
    pub fn new(name: &str, columns: &[(&str, ColumnType)]) -> Self {
        let columns = columns.iter().map(|&(name, kind)| DataColumn::new(name, kind)).collect();
        Self { name: name.to_owned(), columns, rows: 0 }
    }

    /// Columns in the order of their definition.
    pub fn columns(&self) -> &[DataColumn] {
        &self.columns
    }

    /// Rows in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Place of the column of this name, whatever its case.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// The column of this name, whatever its case.
    pub fn column(&self, name: &str) -> Option<&DataColumn> {
        self.column_index(name).map(|index| &self.columns[index])
    }

    /// The value of a row in the column of this name; null where there is no such column or row.
    pub fn cell(&self, row: usize, column: &str) -> Cell<'_> {
        self.column(column).map_or(Cell::Null, |column| column.cell(row))
    }

    /// Appends a column in which all rows are null; gives its place.
    pub fn add_column(&mut self, name: &str, kind: ColumnType) -> usize {
        let mut column = DataColumn::new(name, kind);
        column.pad(self.rows);
        self.columns.push(column);
        self.columns.len() - 1
    }

    /// Appends a column whose values are computed from others of their row by a filter expression; gives its place.
    pub fn add_computed_column(&mut self, name: &str, kind: ColumnType, expression: String) -> usize {
        let index = self.add_column(name, kind);
        self.define(index, Some(expression));
        self.compute(0);
        index
    }

    /// Says what a column is computed by.
    pub(super) fn define(&mut self, index: usize, expression: Option<String>) {
        self.columns[index].expression = expression;
    }

    /// Puts a column in another's place.
    pub(super) fn replace_column(&mut self, index: usize, column: DataColumn) {
        self.columns[index] = column;
    }

    /// Appends a row, a cell for each column; columns without one are null. False where a cell is not of its column's
    /// type (it is null then).
    pub fn push_row(&mut self, cells: &[Cell<'_>]) -> bool {
        let mut fits = true;
        for (column, cell) in self.columns.iter_mut().zip(cells.iter().copied().chain(core::iter::repeat(Cell::Null))) {
            fits &= column.push(cell);
        }
        self.rows += 1;
        self.compute(self.rows - 1);
        fits
    }

    /// Appends a row of texts as XML would have them; columns without one are null. False where one is not of its
    /// column's type (it is null then).
    pub fn push_text_row(&mut self, texts: &[Option<&str>]) -> bool {
        let mut fits = true;
        for (column, text) in self.columns.iter_mut().zip(texts.iter().copied().chain(core::iter::repeat(None))) {
            fits &= text.is_none_or(|text| column.push_text(text));
        }
        self.close_row();
        self.compute(self.rows - 1);
        fits
    }

    /// A table of the same columns with only these rows.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let mut picked =
            Self { name: self.name.clone(), columns: Vec::with_capacity(self.columns.len()), rows: rows.len() };
        for column in &self.columns {
            let mut copy = column.emptied();
            for &row in rows {
                copy.push(column.cell(row));
            }
            picked.columns.push(copy);
        }
        picked
    }

    /// Appends the row that columns began with [`DataColumn::push_text`]; the others are null in it.
    pub(super) fn close_row(&mut self) {
        self.rows += 1;
        for column in &mut self.columns {
            column.pad(self.rows);
        }
    }

    /// The column to which the open row's next text goes; `None` where it has one already.
    pub(super) fn open_cell(&mut self, index: usize) -> Option<&mut DataColumn> {
        let rows = self.rows;
        self.columns.get_mut(index).filter(|column| column.rows() == rows)
    }
}
