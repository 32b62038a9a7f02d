//! The data set that carries metadata: tables of typed columns, read from and written to the XML of a .NET `DataSet`
//! with an inline schema (see [`DataSet::from_xml`]).

mod computed;
mod date_time;
mod table;
mod xml_reader;
mod xml_writer;

pub use date_time::DateTime;
pub(crate) use date_time::{Civil, TICKS_PER_DAY, TICKS_PER_SECOND, days_in_month};
pub use rust_decimal::Decimal;
pub use table::{Cell, ColumnType, DataColumn, DataTable};
pub use xml_reader::{DataSetError, DataSetLimits, DataSetReading};
pub use xml_writer::DataSetWriteError;

/// Tables by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSet {
    /// Name of the root element.
    pub name: String,
    /// Tables in the order of their definition.
    pub tables: Vec<DataTable>,
}

impl DataSet {
    /// Bytes of memory that its values take.
    pub fn byte_len(&self) -> usize {
        self.tables.iter().flat_map(DataTable::columns).map(DataColumn::byte_len).sum()
    }

    /// The table of this name, whatever its case.
    pub fn table(&self, name: &str) -> Option<&DataTable> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// The table of this name, whatever its case, to change it.
    pub fn table_mut(&mut self, name: &str) -> Option<&mut DataTable> {
        self.tables.iter_mut().find(|table| table.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests;
