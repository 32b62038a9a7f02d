use std::io::{self, Write};

use super::{Cell, ColumnType, DataSet, DataTable};

/// Why a data set could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataSetWriteError {
    /// A text holds a character that XML cannot.
    #[error("{table}.{column}, row {row}: U+{character:04X} has no place in XML")]
    Character {
        /// Table.
        table: String,
        /// Column.
        column: String,
        /// Row, from 0.
        row: usize,
        /// The character.
        character: u32,
    },
    /// The writer failed.
    #[error("cannot write the data set")]
    Io(#[from] io::Error),
    /// A name of a table or column is not one in XML.
    #[error("\"{0}\" is no name in XML")]
    Name(String),
}

impl DataSet {
    /// Writes it as XML with an inline schema, as the other implementations read it.
    pub fn to_xml(&self, out: impl Write) -> Result<(), DataSetWriteError> {
        self.to_xml_without(&[], out)
    }

    /// Writes it without some tables: a publisher keeps to itself what it derives for its filters.
    pub fn to_xml_without(&self, tables: &[&str], mut out: impl Write) -> Result<(), DataSetWriteError> {
        let is_written = |table: &&DataTable| !tables.iter().any(|name| table.name.eq_ignore_ascii_case(name));
        let root = if self.name.is_empty() { "DataSet" } else { &self.name };
        check_name(root)?;
        write!(
            out,
            "<?xml version=\"1.0\" standalone=\"yes\"?><{root}><xs:schema id=\"{root}\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
             xmlns:ext=\"urn:schemas-microsoft-com:xml-msdata\"><xs:element name=\"{root}\"><xs:complexType>\
             <xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\">"
        )?;
        for table in self.tables.iter().filter(is_written) {
            write_schema(table, &mut out)?;
        }
        write!(out, "</xs:choice></xs:complexType></xs:element></xs:schema>")?;
        for table in self.tables.iter().filter(is_written) {
            for row in 0..table.rows() {
                write_row(table, row, &mut out)?;
            }
        }
        write!(out, "</{root}>")?;
        Ok(())
    }
}

fn write_schema(table: &DataTable, out: &mut impl Write) -> Result<(), DataSetWriteError> {
    check_name(&table.name)?;
    write!(out, "<xs:element name=\"{}\"><xs:complexType><xs:sequence>", table.name)?;
    for column in table.columns() {
        check_name(&column.name)?;
        let guid = if column.kind() == ColumnType::Guid { " ext:DataType=\"System.Guid\"" } else { "" };
        let kind = column.kind().schema_name();
        write!(out, "<xs:element name=\"{}\"{guid} type=\"xs:{kind}\"", column.name)?;
        if let Some(expression) = column.expression() {
            write!(out, " ext:Expression=\"")?;
            write_escaped(expression, out)?;
            write!(out, "\"")?;
        }
        write!(out, " minOccurs=\"0\" />")?;
    }
    write!(out, "</xs:sequence></xs:complexType></xs:element>")?;
    Ok(())
}

fn write_row(table: &DataTable, row: usize, out: &mut impl Write) -> Result<(), DataSetWriteError> {
    write!(out, "<{}>", table.name)?;
    // What is computed is not written.
    for column in table.columns().iter().filter(|column| column.expression().is_none()) {
        let name = &column.name;
        match column.cell(row) {
            Cell::Null => continue,
            Cell::String(text) => {
                if let Some(character) = text.chars().find(|&character| !is_xml(character)) {
                    let (table, column) = (table.name.clone(), name.clone());
                    return Err(DataSetWriteError::Character { table, column, row, character: character.into() });
                }
                write!(out, "<{name}>")?;
                write_escaped(text, out)?;
            }
            Cell::Guid(value) => write!(out, "<{name}>{}", value.hyphenated())?,
            Cell::Boolean(value) => write!(out, "<{name}>{value}")?,
            Cell::DateTime(value) => write!(out, "<{name}>{value}")?,
            Cell::Single(value) => write!(out, "<{name}>{}", floating(f64::from(value), value))?,
            Cell::Double(value) => write!(out, "<{name}>{}", floating(value, value))?,
            Cell::Decimal(value) => write!(out, "<{name}>{value}")?,
            Cell::Integer(value) => write!(out, "<{name}>{value}")?,
            Cell::Unsigned(value) => write!(out, "<{name}>{value}")?,
        }
        write!(out, "</{name}>")?;
    }
    write!(out, "</{}>", table.name)?;
    Ok(())
}

fn floating(value: f64, shown: impl core::fmt::Display) -> String {
    if value == f64::INFINITY {
        "INF".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-INF".to_owned()
    } else {
        shown.to_string()
    }
}

/// Writes what stands in an element or, in double quotes, in an attribute. A carriage return is written as a reference:
/// readers turn a bare one into a line feed.
fn write_escaped(text: &str, out: &mut impl Write) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\r')) {
        out.write_all(&rest[..at])?;
        out.write_all(match rest[at] {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            _ => b"&#13;",
        })?;
        rest = &rest[at + 1..];
    }
    out.write_all(rest)
}

const fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

fn check_name(name: &str) -> Result<(), DataSetWriteError> {
    let mut characters = name.chars();
    let valid = characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'));
    if valid { Ok(()) } else { Err(DataSetWriteError::Name(name.to_owned())) }
}
