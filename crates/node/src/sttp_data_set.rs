use measurand_sttp::data_set::{Cell, DataSet, DataSetError, DataSetLimits, DataSetReading};
use measurand_sttp::filter::{Filter, FilterError, Precedence, Selection, Value};
use measurand_sttp::metadata;
use napi::bindgen_prelude::{
    AsyncTask, BigInt, Buffer, Either, Either5, Null, ObjectFinalize, Uint8Array, Uint32Array,
};
use napi::{Env, Task};
use napi_derive::napi;

use crate::guard::{Code, Guarded, Result, caught, error, settle};

/// A column's name and its type in XML schema (`guid` for a GUID).
#[napi(object)]
pub struct SttpColumn {
    pub name: String,
    pub kind: String,
    /// What its values are computed by, from others of their row.
    pub expression: Option<String>,
}

/// A table's name, rows and columns.
#[napi(object)]
pub struct SttpTable {
    pub name: String,
    pub rows: u32,
    pub columns: Vec<SttpColumn>,
}

/// A value with its type's name; null has a type too.
#[napi(object)]
pub struct SttpValue {
    pub kind: String,
    pub text: Option<String>,
}

/// Rows that a filter selects: for each its table's place and its row; and the signals that it names beyond them.
#[napi(object)]
pub struct SttpSelection {
    pub tables: Uint32Array,
    pub rows: Uint32Array,
    pub signals: Buffer,
}

type CellValue = Either5<String, f64, bool, BigInt, Null>;

/// A data set: tables of typed columns.
#[napi(custom_finalize)]
pub struct SttpDataSet {
    set: Guarded<DataSet>,
    reading: DataSetReading,
    /// Bytes that V8 was told of.
    told: i64,
}

impl SttpDataSet {
    /// V8 is told how much hangs on the object, which it would else take for a few bytes and not collect for long.
    fn new(env: Env, set: DataSet) -> Self {
        Self::from_reading(env, (set, DataSetReading::default()))
    }

    fn from_reading(env: Env, (set, reading): (DataSet, DataSetReading)) -> Self {
        let told = set.byte_len() as i64;
        tell(env, told);
        Self { set: Guarded::new(set), reading, told }
    }
}

impl ObjectFinalize for SttpDataSet {
    fn finalize(self, env: Env) -> napi::Result<()> {
        tell(env, -self.told);
        Ok(())
    }
}

/// A hint: nothing depends on it but when V8 collects.
fn tell(env: Env, bytes: i64) {
    let _ = env.adjust_external_memory(bytes);
}

/// Reads a data set off the main thread.
pub struct ReadDataSet {
    bytes: Uint8Array,
    limit: u64,
}

impl Task for ReadDataSet {
    type Output = Result<(DataSet, DataSetReading)>;
    type JsValue = SttpDataSet;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        Ok(caught(|| read(&self.bytes, self.limit)))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<SttpDataSet> {
        settle(env, output).map(|read| SttpDataSet::from_reading(env, read))
    }
}

#[napi]
impl SttpDataSet {
    /// Reads XML, plain or as gzip, of at most `limit` bytes uncompressed.
    #[napi(factory, catch_unwind)]
    pub fn from_xml(env: Env, bytes: &[u8], limit: f64) -> Result<Self> {
        Ok(Self::from_reading(env, read(bytes, limit as u64)?))
    }

    /// The same in another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<SttpDataSet>")]
    pub fn read(bytes: Uint8Array, limit: f64) -> AsyncTask<ReadDataSet> {
        AsyncTask::new(ReadDataSet { bytes, limit: limit as u64 })
    }

    /// Bytes of the XML that it was read from, uncompressed.
    #[napi(getter, catch_unwind)]
    pub fn xml_bytes(&self) -> f64 {
        self.reading.bytes as f64
    }

    /// Whether a time in that XML had a point and no digits behind it.
    #[napi(getter, catch_unwind)]
    pub fn has_bare_point(&self) -> bool {
        self.reading.has_bare_point
    }

    /// The tables of STTP's metadata without rows.
    #[napi(factory, catch_unwind)]
    pub fn metadata(env: Env) -> Self {
        Self::new(env, metadata::empty_metadata())
    }

    /// Its XML, without some tables.
    #[allow(clippy::wrong_self_convention, reason = "a panic poisons it")]
    #[napi(catch_unwind)]
    pub fn to_xml(&mut self, without: Vec<String>) -> Result<Buffer> {
        self.set.call(|set| {
            let mut xml = Vec::new();
            let without: Vec<&str> = without.iter().map(String::as_str).collect();
            set.to_xml_without(&without, &mut xml).map_err(|reason| error("ERR_STTP_DATA_SET_WRITE", reason))?;
            Ok(xml.into())
        })
    }

    /// Its tables.
    #[napi(catch_unwind)]
    pub fn tables(&mut self) -> Result<Vec<SttpTable>> {
        self.set.call(|set| {
            let tables = set.tables.iter().map(|table| SttpTable {
                name: table.name.clone(),
                rows: table.rows() as u32,
                columns: (table.columns().iter())
                    .map(|column| SttpColumn {
                        name: column.name.clone(),
                        kind: format!("{:?}", column.kind()),
                        expression: column.expression().map(str::to_owned),
                    })
                    .collect(),
            });
            Ok(tables.collect())
        })
    }

    /// The values of a table's rows, one array a row, in the order of the table's columns: text (also of GUIDs, times and
    /// decimals), numbers, 64-bit integers as bigint, null.
    #[napi(catch_unwind, ts_return_type = "(string | number | boolean | bigint | null)[][]")]
    pub fn rows(&mut self, table: String, rows: Uint32Array) -> Result<Vec<Vec<CellValue>>> {
        self.set.call(|set| {
            let table = set.table(&table).ok_or_else(|| unknown_table(&table))?;
            let row = |&row: &u32| table.columns().iter().map(|column| cell_value(column.cell(row as usize))).collect();
            Ok(rows.iter().map(row).collect())
        })
    }

    /// The rows of `MeasurementDetail` of signals by their ids, 16 bytes each; `0xFFFFFFFF` where there is none.
    #[napi(catch_unwind)]
    pub fn measurement_rows(&mut self, ids: &[u8]) -> Result<Uint32Array> {
        self.set.call(|set| {
            let rows = metadata::measurement_rows(set);
            let (ids, _) = ids.as_chunks::<16>();
            let row = |id: &[u8; 16]| rows.get(id).copied().unwrap_or(u32::MAX);
            Ok(ids.iter().map(row).collect::<Vec<u32>>().into())
        })
    }

    /// Appends a row to a table, texts as XML would have them; `null` is no value. False where one is not of its type.
    #[napi(catch_unwind)]
    pub fn push_row(&mut self, table: String, cells: Vec<Either<String, Null>>) -> Result<bool> {
        self.set.call(|set| {
            let table = set.table_mut(&table).ok_or_else(|| unknown_table(&table))?;
            let texts: Vec<Option<&str>> = (cells.iter())
                .map(|cell| match cell {
                    Either::A(text) => Some(text.as_str()),
                    Either::B(_) => None,
                })
                .collect();
            Ok(table.push_text_row(&texts))
        })
    }

    /// Replaces `ActiveMeasurements` by the table derived from measurements, devices and phasors.
    #[napi(catch_unwind)]
    pub fn derive_active_measurements(&mut self, env: Env) -> Result<()> {
        let told = &mut self.told;
        self.set.call(|set| {
            metadata::derive_active_measurements(set);
            let bytes = set.byte_len() as i64;
            tell(env, bytes - *told);
            *told = bytes;
            Ok(())
        })
    }

    /// A data set of only the rows that a refresh's filters select, and of every row of tables that they do not name.
    #[napi(catch_unwind)]
    pub fn filtered(&mut self, env: Env, filters: String, is_standard: bool) -> Result<Self> {
        self.set.call(|set| {
            let kept = metadata::filtered_metadata(set, &filters, precedence(is_standard)).map_err(filter_error)?;
            Ok(Self::new(env, kept))
        })
    }

    /// What a filter selects; `primary` is the table of what stands alone in it.
    #[napi(catch_unwind)]
    pub fn select(&mut self, filter: String, primary: String, is_standard: bool) -> Result<SttpSelection> {
        self.set.call(|set| {
            let filter = Filter::parse(&filter, precedence(is_standard)).map_err(filter_error)?;
            let (mut tables, mut rows, mut signals) = (Vec::new(), Vec::new(), Vec::new());
            for selection in filter.select(set, &primary).map_err(filter_error)? {
                match selection {
                    Selection::Row(row) => {
                        tables.push(row.table as u32);
                        rows.push(row.row as u32);
                    }
                    Selection::Signal(id) => signals.extend_from_slice(id.as_bytes()),
                }
            }
            Ok(SttpSelection { tables: tables.into(), rows: rows.into(), signals: signals.into() })
        })
    }

    /// The ids of the signals that a filter selects, 16 bytes each, in its order.
    #[napi(catch_unwind)]
    pub fn signal_ids(&mut self, filter: String, primary: String, is_standard: bool) -> Result<Buffer> {
        self.set.call(|set| {
            let filter = Filter::parse(&filter, precedence(is_standard)).map_err(filter_error)?;
            let ids = filter.signal_ids(set, &primary).map_err(filter_error)?;
            Ok(ids.iter().flat_map(|id| *id.as_bytes()).collect::<Vec<u8>>().into())
        })
    }

    /// The value of an expression for a row of a table, or for none.
    #[napi(catch_unwind)]
    pub fn evaluate(
        &mut self,
        expression: String,
        table: Option<String>,
        row: u32,
        is_standard: bool,
    ) -> Result<SttpValue> {
        self.set.call(|set| {
            let filter = Filter::parse(&expression, precedence(is_standard)).map_err(filter_error)?;
            let place = match &table {
                Some(name) => Some((set.table(name).ok_or_else(|| unknown_table(name))?, row as usize)),
                None => None,
            };
            let value = filter.evaluate(place).map_err(filter_error)?;
            let text = if let Value::Null(_) = value { None } else { Some(value.to_string()) };
            Ok(SttpValue { kind: value.kind().to_string(), text })
        })
    }
}

fn read(bytes: &[u8], limit: u64) -> Result<(DataSet, DataSetReading)> {
    let limits = DataSetLimits { bytes: limit, ..DataSetLimits::default() };
    DataSet::from_bytes(bytes, &limits).map_err(|reason| {
        let code = match reason {
            DataSetError::Cell { .. } => "ERR_STTP_DATA_SET_CELL",
            DataSetError::Limit { .. } => "ERR_STTP_DATA_SET_LIMIT",
            DataSetError::Truncated => "ERR_STTP_DATA_SET_TRUNCATED",
            _ => "ERR_STTP_DATA_SET_XML",
        };
        error(code, reason)
    })
}

fn filter_error(reason: FilterError) -> napi::Error<Code> {
    error("ERR_STTP_FILTER_EXPRESSION", reason)
}

fn unknown_table(name: &str) -> napi::Error<Code> {
    error("ERR_STTP_DATA_SET_TABLE", format!("there is no table \"{name}\""))
}

const fn precedence(is_standard: bool) -> Precedence {
    if is_standard { Precedence::Standard } else { Precedence::Compat }
}

fn cell_value(cell: Cell<'_>) -> CellValue {
    match cell {
        Cell::Null => Either5::E(Null),
        Cell::String(value) => Either5::A(value.to_owned()),
        Cell::Guid(value) => Either5::A(value.hyphenated().to_string()),
        Cell::Boolean(value) => Either5::C(value),
        Cell::DateTime(value) => Either5::A(value.to_string()),
        Cell::Single(value) => Either5::B(value.into()),
        Cell::Double(value) => Either5::B(value),
        Cell::Decimal(value) => Either5::A(value.to_string()),
        Cell::Integer(value) => {
            i32::try_from(value).map_or_else(|_| Either5::D(value.into()), |value| Either5::B(value.into()))
        }
        Cell::Unsigned(value) => {
            u32::try_from(value).map_or_else(|_| Either5::D(value.into()), |value| Either5::B(value.into()))
        }
    }
}
