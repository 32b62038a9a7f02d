//! What STTP keeps in its metadata data set: the tables that publishers send, the table that subscriptions filter, and
//! the subset that a refresh asks for.

use std::collections::HashMap;

use crate::data_set::{Cell, ColumnType, DataSet, DataTable};
use crate::filter::{Filter, FilterError, Precedence, Selection};

/// Name of the table that a subscription filters.
pub const ACTIVE_MEASUREMENTS: &str = "ActiveMeasurements";

/// A table by name and its columns.
pub type TableDefinition = (&'static str, &'static [(&'static str, ColumnType)]);

/// Devices, measurements, phasors and the version of the schema: what every implementation sends.
pub const TABLES: [TableDefinition; 4] = [
    (
        "DeviceDetail",
        &[
            ("NodeID", ColumnType::Guid),
            ("UniqueID", ColumnType::Guid),
            ("OriginalSource", ColumnType::String),
            ("IsConcentrator", ColumnType::Boolean),
            ("Acronym", ColumnType::String),
            ("Name", ColumnType::String),
            ("AccessID", ColumnType::Int32),
            ("ParentAcronym", ColumnType::String),
            ("ProtocolName", ColumnType::String),
            ("FramesPerSecond", ColumnType::Int32),
            ("CompanyAcronym", ColumnType::String),
            ("VendorAcronym", ColumnType::String),
            ("VendorDeviceName", ColumnType::String),
            ("Longitude", ColumnType::Decimal),
            ("Latitude", ColumnType::Decimal),
            ("InterconnectionName", ColumnType::String),
            ("ContactList", ColumnType::String),
            ("Enabled", ColumnType::Boolean),
            ("UpdatedOn", ColumnType::DateTime),
        ],
    ),
    (
        "MeasurementDetail",
        &[
            ("DeviceAcronym", ColumnType::String),
            ("ID", ColumnType::String),
            ("SignalID", ColumnType::Guid),
            ("PointTag", ColumnType::String),
            ("SignalReference", ColumnType::String),
            ("SignalAcronym", ColumnType::String),
            ("PhasorSourceIndex", ColumnType::Int32),
            ("Description", ColumnType::String),
            ("Internal", ColumnType::Boolean),
            ("Enabled", ColumnType::Boolean),
            ("UpdatedOn", ColumnType::DateTime),
        ],
    ),
    (
        "PhasorDetail",
        &[
            ("ID", ColumnType::Int32),
            ("DeviceAcronym", ColumnType::String),
            ("Label", ColumnType::String),
            ("Type", ColumnType::String),
            ("Phase", ColumnType::String),
            ("DestinationPhasorID", ColumnType::Int32),
            ("SourceIndex", ColumnType::Int32),
            ("UpdatedOn", ColumnType::DateTime),
        ],
    ),
    ("SchemaVersion", &[("VersionNumber", ColumnType::Int32)]),
];

const ACTIVE_COLUMNS: [(&str, ColumnType); 25] = [
    ("SourceNodeID", ColumnType::Guid),
    ("ID", ColumnType::String),
    ("SignalID", ColumnType::Guid),
    ("PointTag", ColumnType::String),
    ("AlternateTag", ColumnType::String),
    ("SignalReference", ColumnType::String),
    ("Internal", ColumnType::Int32),
    ("Subscribed", ColumnType::Int32),
    ("Device", ColumnType::String),
    ("DeviceID", ColumnType::Int32),
    ("FramesPerSecond", ColumnType::Int32),
    ("Protocol", ColumnType::String),
    ("ProtocolType", ColumnType::String),
    ("SignalType", ColumnType::String),
    ("EngineeringUnits", ColumnType::String),
    ("PhasorID", ColumnType::Int32),
    ("PhasorType", ColumnType::String),
    ("Phase", ColumnType::String),
    ("Adder", ColumnType::Double),
    ("Multiplier", ColumnType::Double),
    ("Company", ColumnType::String),
    ("Longitude", ColumnType::Decimal),
    ("Latitude", ColumnType::Decimal),
    ("Description", ColumnType::String),
    ("UpdatedOn", ColumnType::DateTime),
];

/// Frames a second of a signal without a device, as the implementations assume.
const DEFAULT_FRAMES_PER_SECOND: i64 = 30;

/// An empty data set with the tables of [`TABLES`].
pub fn empty_metadata() -> DataSet {
    let tables = TABLES.iter().map(|(name, columns)| DataTable::new(name, columns)).collect();
    DataSet { name: "DataSet".to_owned(), tables }
}

/// The rows of the measurements in `MeasurementDetail` by the bytes of their signals' ids; the last one where an id stands
/// more than once.
pub fn measurement_rows(set: &DataSet) -> HashMap<[u8; 16], u32> {
    let Some((table, column)) =
        set.table("MeasurementDetail").and_then(|table| Some((table, table.column("SignalID")?)))
    else {
        return HashMap::new();
    };
    let id = |row: usize| match column.cell(row) {
        Cell::Guid(id) => Some(id),
        Cell::String(text) => text.parse().ok(),
        _ => None,
    };
    (0..table.rows()).filter_map(|row| Some((id(row)?.into_bytes(), row as u32))).collect()
}

/// Replaces the set's [`ACTIVE_MEASUREMENTS`] by the table derived from its measurements, devices and phasors.
pub fn derive_active_measurements(set: &mut DataSet) {
    let derived = active_measurements(set);
    match set.table_mut(ACTIVE_MEASUREMENTS) {
        Some(table) => *table = derived,
        None => set.tables.push(derived),
    }
}

/// A row for each measurement, with what its device and its phasor say of it.
fn active_measurements(set: &DataSet) -> DataTable {
    let mut active = DataTable::new(ACTIVE_MEASUREMENTS, &ACTIVE_COLUMNS);
    let Some(measurements) = set.table("MeasurementDetail") else {
        return active;
    };
    let devices = set.table("DeviceDetail");
    let phasors = set.table("PhasorDetail");
    let device_rows: HashMap<&str, usize> = devices.map_or_else(HashMap::new, |table| {
        (0..table.rows()).rev().filter_map(|row| Some((text(table.cell(row, "Acronym"))?, row))).collect()
    });
    let phasor_rows: HashMap<(&str, i64), usize> = phasors.map_or_else(HashMap::new, |table| {
        let key = |row| Some((text(table.cell(row, "DeviceAcronym"))?, integer(table.cell(row, "SourceIndex"))?));
        (0..table.rows()).rev().filter_map(|row| Some((key(row)?, row))).collect()
    });
    let columns = ["DeviceAcronym", "ID", "SignalID", "PointTag", "AlternateTag", "SignalReference", "Internal"];
    let columns = columns.map(|name| measurements.column(name));
    let rest = ["SignalAcronym", "PhasorSourceIndex", "Description", "UpdatedOn"].map(|name| measurements.column(name));
    for row in 0..measurements.rows() {
        let [acronym, id, signal, tag, alternate, reference, internal] =
            columns.map(|column| column.map_or(Cell::Null, |column| column.cell(row)));
        let [kind, source_index, description, updated] =
            rest.map(|column| column.map_or(Cell::Null, |column| column.cell(row)));
        let device = text(acronym).and_then(|acronym| device_rows.get(acronym).copied());
        let of_device = |name| devices.zip(device).map_or(Cell::Null, |(table, row)| table.cell(row, name));
        let phasor = text(acronym).zip(integer(source_index)).and_then(|key| phasor_rows.get(&key).copied());
        let of_phasor = |name| phasors.zip(phasor).map_or(Cell::Null, |(table, row)| table.cell(row, name));
        let frames = device.map_or(Cell::Integer(DEFAULT_FRAMES_PER_SECOND), |_| of_device("FramesPerSecond"));
        let protocol = of_device("ProtocolName");
        active.push_row(&[
            of_device("NodeID"),
            id,
            signal,
            tag,
            alternate,
            reference,
            Cell::Integer((internal == Cell::Boolean(true)).into()),
            Cell::Integer(0),
            acronym,
            device.map_or(Cell::Null, |row| Cell::Integer(row as i64)),
            frames,
            protocol,
            Cell::String(protocol_type(text(protocol).unwrap_or_default())),
            kind,
            Cell::String(engineering_units(text(kind).unwrap_or_default())),
            of_phasor("ID"),
            of_phasor("Type"),
            of_phasor("Phase"),
            Cell::Double(0.0),
            Cell::Double(1.0),
            of_device("CompanyAcronym"),
            of_device("Longitude"),
            of_device("Latitude"),
            description,
            updated,
        ]);
    }
    active
}

/// The data set that a metadata refresh gets: of each table that a `FILTER` statement names, only the rows selected.
pub fn filtered_metadata(set: &DataSet, filters: &str, precedence: Precedence) -> Result<DataSet, FilterError> {
    let filter = Filter::parse(filters, precedence)?;
    let mut kept: HashMap<usize, Vec<usize>> = HashMap::new();
    for name in filter.tables() {
        if let Some(table) = set.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name)) {
            kept.entry(table).or_default();
        }
    }
    for selection in filter.select(set, "MeasurementDetail")? {
        if let Selection::Row(row) = selection {
            kept.entry(row.table).or_default().push(row.row);
        }
    }
    let tables = set.tables.iter().enumerate().map(|(place, table)| match kept.get(&place) {
        Some(rows) => table.pick(rows),
        None => table.clone(),
    });
    Ok(DataSet { name: set.name.clone(), tables: tables.collect() })
}

fn protocol_type(protocol: &str) -> &'static str {
    const MEASUREMENT_PREFIXES: [&str; 3] = ["GATEWAY", "MODBUS", "DNP"];
    let upper = protocol.to_ascii_uppercase();
    let is_measurement = upper == "STTP"
        || upper == "STREAMING TELEMETRY TRANSPORT PROTOCOL"
        || MEASUREMENT_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    if is_measurement { "Measurement" } else { "Frame" }
}

/// The unit of a type of signal; empty where the type has none.
pub fn engineering_units(signal_type: &str) -> &'static str {
    match signal_type.to_ascii_uppercase().as_str() {
        "IPHM" => "Amps",
        "VPHM" => "Volts",
        "FREQ" => "Hz",
        kind if kind.ends_with("PHA") => "Degrees",
        _ => "",
    }
}

fn text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::String(text) => Some(text),
        _ => None,
    }
}

fn integer(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Integer(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn metadata() -> DataSet {
        let mut set = empty_metadata();
        let devices = set.table_mut("DeviceDetail").unwrap();
        let mut device = vec![Cell::Null; 19];
        (device[0], device[4], device[8]) =
            (Cell::Guid(Uuid::from_u128(7)), Cell::String("SHELBY"), Cell::String("Sttp"));
        (device[9], device[13]) = (Cell::Integer(60), Cell::Decimal((-89).into()));
        assert!(devices.push_row(&device));
        let phasors = set.table_mut("PhasorDetail").unwrap();
        let (label, kind, phase) = (Cell::String("Bus"), Cell::String("V"), Cell::String("+"));
        let phasor = [Cell::Integer(3), Cell::String("SHELBY"), label, kind, phase, Cell::Null, Cell::Integer(2)];
        assert!(phasors.push_row(&phasor));
        let measurements = set.table_mut("MeasurementDetail").unwrap();
        for (row, (device, kind, source)) in
            [("SHELBY", "VPHM", 2), ("SHELBY", "FREQ", 0), ("NONE", "VPHA", 2)].iter().enumerate()
        {
            assert!(measurements.push_row(&[
                Cell::String(device),
                Cell::String("PPA:1"),
                Cell::Guid(Uuid::from_u128(row as u128)),
                Cell::Null,
                Cell::Null,
                Cell::String(kind),
                Cell::Integer(*source),
                Cell::Null,
                Cell::Boolean(true),
            ]));
        }
        set
    }

    #[test]
    fn active_measurements_join_device_and_phasor() {
        let mut set = metadata();
        // A measurement's SignalAcronym is the sixth column, its PhasorSourceIndex the seventh.
        derive_active_measurements(&mut set);
        derive_active_measurements(&mut set);
        assert_eq!(set.tables.len(), 5);
        let active = set.table(ACTIVE_MEASUREMENTS).unwrap();
        let cells = |row| ["SignalType", "EngineeringUnits", "PhasorType", "Phase"].map(|name| active.cell(row, name));
        assert_eq!(cells(0), ["VPHM", "Volts", "V", "+"].map(Cell::String));
        assert_eq!(cells(1), [Cell::String("FREQ"), Cell::String("Hz"), Cell::Null, Cell::Null]);
        assert_eq!(active.cell(0, "FramesPerSecond"), Cell::Integer(60));
        assert_eq!(active.cell(2, "FramesPerSecond"), Cell::Integer(30));
        assert_eq!(active.cell(0, "ProtocolType"), Cell::String("Measurement"));
        assert_eq!(active.cell(2, "ProtocolType"), Cell::String("Frame"));
        assert_eq!(active.cell(0, "Internal"), Cell::Integer(1));
        assert_eq!(active.cell(0, "DeviceID"), Cell::Integer(0));
        assert_eq!(active.cell(2, "DeviceID"), Cell::Null);
        assert_eq!(active.cell(0, "SourceNodeID"), Cell::Guid(Uuid::from_u128(7)));
    }

    #[test]
    fn measurements_are_found_by_the_bytes_of_their_ids() {
        let rows = measurement_rows(&metadata());
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.get(&Uuid::from_u128(2).into_bytes()), Some(&2));
        assert_eq!(rows.get(&Uuid::from_u128(3).into_bytes()), None);
        assert!(measurement_rows(&DataSet::default()).is_empty());
        let id = "<MeasurementDetail><SignalID>00000000-0000-0000-0000-000000000005</SignalID></MeasurementDetail>";
        let xml = format!("<DataSet>{id}<MeasurementDetail/>{id}</DataSet>");
        let set = DataSet::from_xml(xml.as_bytes(), &crate::data_set::DataSetLimits::default()).unwrap();
        assert_eq!(measurement_rows(&set), HashMap::from([(Uuid::from_u128(5).into_bytes(), 2)]));
    }

    #[test]
    fn a_refresh_filters_the_tables_that_it_names() {
        let filters = "FILTER MeasurementDetail WHERE SignalAcronym <> 'VPHM'; FILTER DeviceDetail WHERE Acronym = 'x'";
        let set = filtered_metadata(&metadata(), filters, Precedence::Compat).unwrap();
        assert_eq!(set.table("MeasurementDetail").unwrap().rows(), 2);
        assert_eq!(set.table("MeasurementDetail").unwrap().cell(0, "SignalAcronym"), Cell::String("FREQ"));
        assert_eq!(set.table("DeviceDetail").unwrap().rows(), 0);
        assert_eq!(set.table("PhasorDetail").unwrap().rows(), 1);
    }
}
