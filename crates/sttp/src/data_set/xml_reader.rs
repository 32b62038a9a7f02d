use std::io::BufRead;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{ColumnType, DataSet, DataTable};

/// What a data set may hold; the caps are checked while it is read.
#[derive(Clone, Copy, Debug)]
pub struct DataSetLimits {
    /// Tables; 256 by default.
    pub tables: usize,
    /// Columns of a table; 1,024 by default.
    pub columns: usize,
    /// Rows of all tables; 10 million by default.
    pub rows: usize,
    /// Bytes of XML, uncompressed; 1 GiB by default.
    pub bytes: u64,
}

impl Default for DataSetLimits {
    fn default() -> Self {
        Self { tables: 256, columns: 1024, rows: 10_000_000, bytes: 1 << 30 }
    }
}

/// Why bytes are not a data set.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataSetError {
    /// A cell does not spell a value of its column's type.
    #[error("{table}.{column}, row {row}: \"{text}\" is no value of its type")]
    Cell {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Row, from 0.
        row: usize,
        /// What stands there, cut to 64 characters.
        text: String,
    },
    /// A limit of [`DataSetLimits`] is exceeded.
    #[error("more than {limit} {what}")]
    Limit {
        /// What there are too many of.
        what: &'static str,
        /// How many may be.
        limit: u64,
    },
    /// The bytes end before the root element does.
    #[error("the data set is cut off")]
    Truncated,
    /// The bytes are not well-formed XML (or not the gzip that they should be).
    #[error("not well-formed at byte {offset}: {reason}")]
    Xml {
        /// Where.
        offset: u64,
        /// What the XML parser says.
        reason: String,
    },
}

/// What was seen while a data set was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DataSetReading {
    /// Bytes of XML, uncompressed.
    pub bytes: u64,
    /// A time has a point and no digits behind it, as sttpapi writes it; its own reader fails on that.
    pub has_bare_point: bool,
}

impl DataSet {
    /// Reads the XML of a .NET `DataSet` with an inline schema as it streams in.
    ///
    /// A table or column that the schema leaves out is taken as text. An element that is missing or empty is null,
    /// unless its column is text.
    pub fn from_xml(xml: impl BufRead, limits: &DataSetLimits) -> Result<Self, DataSetError> {
        Self::read_xml(xml, limits).map(|(set, _)| set)
    }

    fn read_xml(xml: impl BufRead, limits: &DataSetLimits) -> Result<(Self, DataSetReading), DataSetError> {
        let mut reader = Reader::from_reader(xml);
        let mut parse = Parse {
            set: Self::default(),
            reading: DataSetReading::default(),
            limits: *limits,
            rows: 0,
            place: Place::Outside,
            text: String::new(),
        };
        let mut buffer = Vec::new();
        let mut schema_depth = 0_usize;
        let mut schema = Schema::default();
        let mut done = false;
        loop {
            buffer.clear();
            if reader.buffer_position() > limits.bytes {
                return Err(DataSetError::Limit { what: "bytes of XML", limit: limits.bytes });
            }
            let event = reader.read_event_into(&mut buffer);
            let offset = reader.error_position();
            let event = event.map_err(|reason| DataSetError::Xml { offset, reason: reason.to_string() })?;
            if schema_depth > 0 || (matches!(parse.place, Place::Root) && is_schema(&event)) {
                match &event {
                    Event::Start(start) => {
                        schema_depth += 1;
                        schema.open(start, &mut parse)?;
                    }
                    Event::Empty(start) => {
                        schema.open(start, &mut parse)?;
                        schema.close(start.local_name().as_ref());
                    }
                    Event::End(end) => {
                        schema_depth -= 1;
                        schema.close(end.local_name().as_ref());
                    }
                    Event::Eof => return Err(DataSetError::Truncated),
                    _ => {}
                }
                continue;
            }
            match event {
                Event::Start(start) => parse.open(start.local_name().as_ref())?,
                Event::Empty(start) => {
                    parse.open(start.local_name().as_ref())?;
                    done |= parse.close()?;
                }
                Event::End(_) => done |= parse.close()?,
                Event::Text(text) => parse.append(&text.xml10_content()),
                Event::CData(text) => parse.append(&text.xml10_content()),
                Event::GeneralRef(reference) => parse.append(&resolve(&reference, offset)?),
                Event::Eof if done => {
                    let bytes = reader.buffer_position();
                    for table in &mut parse.set.tables {
                        table.compute(0);
                    }
                    return Ok((parse.set, DataSetReading { bytes, ..parse.reading }));
                }
                Event::Eof => return Err(DataSetError::Truncated),
                _ => {}
            }
        }
    }

    /// Reads gzip (found by its magic), which is decompressed as it is parsed, or plain XML; says what it has seen.
    pub fn from_bytes(bytes: &[u8], limits: &DataSetLimits) -> Result<(Self, DataSetReading), DataSetError> {
        if bytes.starts_with(&[0x1F, 0x8B]) {
            let inflated = flate2::bufread::MultiGzDecoder::new(bytes);
            Self::read_xml(std::io::BufReader::with_capacity(1 << 16, inflated), limits)
        } else {
            Self::read_xml(bytes, limits)
        }
    }
}

fn xml(offset: u64, reason: &dyn core::fmt::Display) -> DataSetError {
    DataSetError::Xml { offset, reason: reason.to_string() }
}

fn is_schema(event: &Event<'_>) -> bool {
    matches!(event, Event::Start(start) | Event::Empty(start) if start.local_name().as_ref() == "schema")
}

fn resolve(reference: &BytesRef<'_>, offset: u64) -> Result<String, DataSetError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|reason| xml(offset, &reason))? {
        return Ok(character.to_string());
    }
    let name = &**reference;
    quick_xml::escape::resolve_predefined_entity(name)
        .map(str::to_owned)
        .ok_or_else(|| DataSetError::Xml { offset, reason: format!("unknown entity &{name};") })
}

/// Where in the document the reader is.
#[derive(Clone, Copy)]
enum Place {
    Outside,
    Root,
    /// In a row of this table; the column that is expected next.
    Row {
        table: usize,
        next: usize,
    },
    Cell {
        table: usize,
        column: usize,
    },
    /// In elements below a cell or a row's unknown parts, this deep.
    Below {
        table: usize,
        column: usize,
        depth: usize,
    },
}

struct Parse {
    set: DataSet,
    reading: DataSetReading,
    limits: DataSetLimits,
    rows: usize,
    place: Place,
    text: String,
}

impl Parse {
    fn open(&mut self, name: &str) -> Result<(), DataSetError> {
        self.place = match self.place {
            Place::Outside => {
                name.clone_into(&mut self.set.name);
                Place::Root
            }
            Place::Root => Place::Row { table: self.table(name)?, next: 0 },
            Place::Row { table, next } => {
                self.text.clear();
                Place::Cell { table, column: self.column(table, next, name)? }
            }
            Place::Cell { table, column } => Place::Below { table, column, depth: 1 },
            Place::Below { table, column, depth } => Place::Below { table, column, depth: depth + 1 },
        };
        Ok(())
    }

    /// Closes the innermost element; whether it was the root.
    fn close(&mut self) -> Result<bool, DataSetError> {
        self.place = match self.place {
            Place::Outside => Place::Outside,
            Place::Root => {
                self.place = Place::Outside;
                return Ok(true);
            }
            Place::Row { table, .. } => {
                self.rows += 1;
                if self.rows > self.limits.rows {
                    return Err(DataSetError::Limit { what: "rows", limit: self.limits.rows as u64 });
                }
                self.set.tables[table].close_row();
                Place::Root
            }
            Place::Cell { table, column } => {
                self.store(table, column)?;
                Place::Row { table, next: column + 1 }
            }
            Place::Below { table, column, depth: 1 } => Place::Cell { table, column },
            Place::Below { table, column, depth } => Place::Below { table, column, depth: depth - 1 },
        };
        Ok(false)
    }

    fn append(&mut self, text: &str) {
        if matches!(self.place, Place::Cell { .. } | Place::Below { .. }) {
            self.text.push_str(text);
        }
    }

    fn store(&mut self, table: usize, column: usize) -> Result<(), DataSetError> {
        self.reading.has_bare_point |= self.text.as_bytes().ends_with(b".Z");
        let table = &mut self.set.tables[table];
        // A second element of the same name in a row: the first one stands.
        let Some(cell) = table.open_cell(column) else {
            return Ok(());
        };
        if cell.push_text(&self.text) {
            return Ok(());
        }
        let column = cell.name.clone();
        Err(DataSetError::Cell {
            row: table.rows(),
            table: table.name.clone(),
            column,
            text: self.text.chars().take(64).collect(),
        })
    }

    fn table(&mut self, name: &str) -> Result<usize, DataSetError> {
        if let Some(index) = self.set.tables.iter().position(|table| table.name == name) {
            return Ok(index);
        }
        if self.set.tables.len() >= self.limits.tables {
            return Err(DataSetError::Limit { what: "tables", limit: self.limits.tables as u64 });
        }
        self.set.tables.push(DataTable::new(name, &[]));
        Ok(self.set.tables.len() - 1)
    }

    fn column(&mut self, table: usize, next: usize, name: &str) -> Result<usize, DataSetError> {
        let columns = self.set.tables[table].columns();
        // Rows write their columns in the order of the schema and leave some out.
        let ahead = columns.get(next..).unwrap_or_default();
        if let Some(skipped) = ahead.iter().position(|column| column.name == name) {
            return Ok(next + skipped);
        }
        if let Some(index) = columns.iter().position(|column| column.name == name) {
            return Ok(index);
        }
        self.add_column(table, name, ColumnType::String)
    }

    fn add_column(&mut self, table: usize, name: &str, kind: ColumnType) -> Result<usize, DataSetError> {
        let table = &mut self.set.tables[table];
        if table.columns().len() >= self.limits.columns {
            return Err(DataSetError::Limit { what: "columns", limit: self.limits.columns as u64 });
        }
        Ok(table.add_column(name, kind))
    }
}

/// The inline schema: the data set's element holds the tables', a table's the columns'.
#[derive(Default)]
struct Schema {
    elements: usize,
    table: usize,
}

impl Schema {
    fn open(&mut self, start: &BytesStart<'_>, parse: &mut Parse) -> Result<(), DataSetError> {
        if start.local_name().as_ref() != "element" {
            return Ok(());
        }
        self.elements += 1;
        let (mut name, mut kind, mut is_guid, mut expression) = (String::new(), ColumnType::String, false, None);
        for attribute in start.attributes().with_checks(false).flatten() {
            match attribute.key.local_name().as_ref() {
                key @ ("name" | "Expression") => {
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                    let value = value.map_err(|reason| xml(0, &reason))?.into_owned();
                    if key == "name" { name = value } else { expression = Some(value) }
                }
                "type" => {
                    let value = &*attribute.value;
                    kind = ColumnType::from_schema(value.rsplit(':').next().unwrap_or(value));
                }
                "DataType" => is_guid = attribute.value.starts_with("System.Guid"),
                _ => {}
            }
        }
        match self.elements {
            2 => self.table = parse.table(&name)?,
            3 if parse.set.tables[self.table].column_index(&name).is_none() => {
                let index = parse.add_column(self.table, &name, if is_guid { ColumnType::Guid } else { kind })?;
                parse.set.tables[self.table].define(index, expression);
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        if name == "element" {
            self.elements = self.elements.saturating_sub(1);
        }
    }
}
