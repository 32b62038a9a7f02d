use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn read(xml: &str) -> Result<DataSet, DataSetError> {
    DataSet::from_xml(xml.as_bytes(), &DataSetLimits::default())
}

fn written(set: &DataSet) -> String {
    let mut out = Vec::new();
    set.to_xml(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const KINDS: [(&str, ColumnType); 15] = [
    ("S", ColumnType::String),
    ("G", ColumnType::Guid),
    ("B", ColumnType::Boolean),
    ("T", ColumnType::DateTime),
    ("F", ColumnType::Single),
    ("D", ColumnType::Double),
    ("C", ColumnType::Decimal),
    ("I8", ColumnType::Int8),
    ("I16", ColumnType::Int16),
    ("I32", ColumnType::Int32),
    ("I64", ColumnType::Int64),
    ("U8", ColumnType::UInt8),
    ("U16", ColumnType::UInt16),
    ("U32", ColumnType::UInt32),
    ("U64", ColumnType::UInt64),
];

#[test]
fn a_schema_of_another_implementation_is_read() {
    let set = read(
        r#"<?xml version="1.0"?><DataSet xmlns="urn:x"><xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
        xmlns:msdata="urn:schemas-microsoft-com:xml-msdata"><xs:element name="DataSet" msdata:IsDataSet="true">
        <xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="MeasurementDetail">
        <xs:complexType><xs:sequence><xs:element name="SignalID" msdata:DataType="System.Guid" type="xs:string" minOccurs="0"/>
        <xs:element name="PointTag" type="xs:string" minOccurs="0"/><xs:element name="UpdatedOn" type="xs:dateTime"/>
        <xs:element name="Internal" type="xs:boolean"/></xs:sequence></xs:complexType></xs:element></xs:choice>
        </xs:complexType></xs:element></xs:schema>
        <MeasurementDetail><SignalID>{28bbb1fc-3434-48d3-87a8-bf5024c089d5}</SignalID><PointTag>A &amp; B&#x41;<![CDATA[<c>]]></PointTag>
        <UpdatedOn>2024-01-02T03:04:05.Z</UpdatedOn></MeasurementDetail><MeasurementDetail><PointTag/><Extra>x</Extra>
        <Internal>True</Internal></MeasurementDetail></DataSet>"#,
    )
    .unwrap();
    let table = set.table("measurementdetail").unwrap();
    assert_eq!(table.rows(), 2);
    assert_eq!(table.cell(0, "signalid"), Cell::Guid(Uuid::from_u128(0x28bbb1fc_3434_48d3_87a8_bf5024c089d5)));
    assert_eq!(table.cell(0, "PointTag"), Cell::String("A & BA<c>"));
    assert_eq!(table.cell(0, "Internal"), Cell::Null);
    assert_eq!(table.cell(1, "SignalID"), Cell::Null);
    assert_eq!(table.cell(1, "PointTag"), Cell::String(""));
    assert_eq!(table.cell(1, "Internal"), Cell::Boolean(true));
    assert_eq!(table.cell(1, "Extra"), Cell::String("x"));
    assert_eq!(table.cell(0, "Extra"), Cell::Null);
}

#[test]
fn a_schema_stands_in_the_root_and_may_be_empty() {
    let set = read("<schema/>").unwrap();
    assert_eq!((&*set.name, set.tables.len()), ("schema", 0));
    assert_eq!(read(&written(&set)).unwrap().name, "schema");
    let set = read("<r><schema/><T><a>1</a></T></r>").unwrap();
    assert_eq!(set.tables.iter().map(|table| &*table.name).collect::<Vec<_>>(), ["T"]);
}

#[test]
fn columns_are_computed_by_the_expressions_of_the_schema() {
    let column = |name: &str, kind: &str, expression: &str| {
        format!("<xs:element name=\"{name}\" type=\"xs:{kind}\" ext:Expression=\"{expression}\" minOccurs=\"0\"/>")
    };
    let columns = [
        "<xs:element name=\"Tag\" type=\"xs:string\"/><xs:element name=\"N\" type=\"xs:int\"/>".to_owned(),
        column("Twice", "short", "N * 2"),
        column("Label", "string", "IIf(N &lt; 0, &quot;-&quot;, Tag + ' &amp; ' + Twice)").replace("&quot;", "'"),
        column("Half", "double", "N / 2.0"),
        column("IsIt", "boolean", "N"),
        column("Foreign", "int", "Sum(Child.N)"),
    ];
    let xml = format!(
        "<D><xs:schema xmlns:xs=\"x\" xmlns:ext=\"y\"><xs:element name=\"D\"><xs:complexType><xs:choice>\
         <xs:element name=\"T\"><xs:complexType><xs:sequence>{}</xs:sequence></xs:complexType></xs:element></xs:choice>\
         </xs:complexType></xs:element></xs:schema><T><Tag>a</Tag><N>3</N><Twice>1</Twice><Foreign>9</Foreign></T>\
         <T><N>30000</N></T></D>",
        columns.concat()
    );
    let mut set = read(&xml).unwrap();
    let row = |set: &DataSet, row: usize| {
        let table = &set.tables[0];
        table.columns()[2..].iter().map(|column| format!("{:?}", column.cell(row))).collect::<Vec<_>>()
    };
    // Where the expression is one of .NET alone, the value stands that came.
    let first = ["Integer(6)", "String(\"a & 6\")", "Double(1.5)", "Boolean(true)", "Integer(9)"];
    // 60,000 is no xs:short; what needs a null is null.
    let second = ["Null", "Null", "Double(15000.0)", "Boolean(true)", "Null"];
    assert_eq!((row(&set, 0), row(&set, 1)), (first.map(String::from).to_vec(), second.map(String::from).to_vec()));
    assert!(set.tables[0].push_text_row(&[Some("b"), Some("-4"), Some("5")]));
    assert_eq!(row(&set, 2)[..2], ["Integer(-8)", "String(\"-\")"]);
    assert_eq!(set.tables[0].pick(&[2]).columns()[3].expression(), Some("IIf(N < 0, '-', Tag + ' & ' + Twice)"));

    let again = written(&set);
    assert!(!again.contains("<Twice>"), "{again}");
    let again = read(&again).unwrap();
    assert_eq!(again.tables[0].columns()[2..6], set.tables[0].columns()[2..6]);
}

#[test]
fn a_cell_of_another_type_says_where_it_stands() {
    let mut set = DataSet { name: "D".into(), tables: vec![DataTable::new("T", &[("N", ColumnType::Int8)])] };
    assert!(set.tables[0].push_row(&[Cell::Integer(7)]));
    let xml = written(&set).replace(">7<", ">700<");
    let error = DataSetError::Cell { table: "T".into(), column: "N".into(), row: 0, text: "700".into() };
    assert_eq!(read(&xml).unwrap_err(), error);
}

#[test]
fn what_is_cut_malformed_or_too_large_is_an_error() {
    assert_eq!(read("").unwrap_err(), DataSetError::Truncated);
    assert_eq!(read("<a><b>").unwrap_err(), DataSetError::Truncated);
    assert!(matches!(read("<a></b>").unwrap_err(), DataSetError::Xml { .. }));
    assert!(matches!(read("<a><r><c>&nonsense;</c></r></a>").unwrap_err(), DataSetError::Xml { .. }));
    let limits = DataSetLimits { rows: 1, ..DataSetLimits::default() };
    let error = DataSet::from_xml(&b"<a><r/><r/></a>"[..], &limits).unwrap_err();
    assert_eq!(error, DataSetError::Limit { what: "rows", limit: 1 });
    let limits = DataSetLimits { columns: 1, ..DataSetLimits::default() };
    assert!(DataSet::from_xml(&b"<a><r><b/><c/></r></a>"[..], &limits).is_err());
}

#[test]
fn a_character_that_xml_cannot_hold_is_refused() {
    let mut set = DataSet { name: "D".into(), tables: vec![DataTable::new("T", &[("S", ColumnType::String)])] };
    set.tables[0].push_row(&[Cell::String("\u{1}")]);
    assert!(matches!(set.to_xml(Vec::new()), Err(DataSetWriteError::Character { character: 1, row: 0, .. })));
}

fn cell(kind: ColumnType, bits: u64, text: &str) -> Cell<'_> {
    if bits.is_multiple_of(7) {
        return Cell::Null;
    }
    match kind {
        ColumnType::String => Cell::String(text),
        ColumnType::Guid => Cell::Guid(Uuid::from_u64_pair(bits, !bits)),
        ColumnType::Boolean => Cell::Boolean(bits & 1 == 1),
        ColumnType::DateTime => Cell::DateTime(DateTime((bits % 3_155_378_976_000_000_000) as i64)),
        ColumnType::Single => Cell::Single(f32::from_bits(bits as u32)),
        ColumnType::Double => Cell::Double(f64::from_bits(bits)),
        ColumnType::Decimal => Cell::Decimal(Decimal::new(bits as i64, (bits % 29) as u32)),
        ColumnType::Int8 => Cell::Integer((bits as i8).into()),
        ColumnType::Int16 => Cell::Integer((bits as i16).into()),
        ColumnType::Int32 => Cell::Integer((bits as i32).into()),
        ColumnType::Int64 => Cell::Integer(bits as i64),
        ColumnType::UInt8 => Cell::Unsigned((bits as u8).into()),
        ColumnType::UInt16 => Cell::Unsigned((bits as u16).into()),
        ColumnType::UInt32 => Cell::Unsigned((bits as u32).into()),
        ColumnType::UInt64 => Cell::Unsigned(bits),
    }
}

proptest! {
    #[test]
    fn written_sets_come_back(rows in proptest::collection::vec((any::<u64>(), "[^\\x00-\\x08\\x0B-\\x1F\u{FFFE}\u{FFFF}]*"), 0..20)) {
        let mut table = DataTable::new("T", &KINDS);
        for (bits, text) in &rows {
            let bits = if f64::from_bits(*bits).is_nan() || f32::from_bits(*bits as u32).is_nan() { 1 } else { *bits };
            let cells = KINDS.map(|(name, kind)| cell(kind, bits.wrapping_add(name.len() as u64), text));
            prop_assert!(table.push_row(&cells));
        }
        let set = DataSet { name: "Set".into(), tables: vec![table] };
        prop_assert_eq!(read(&written(&set)).unwrap(), set);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = DataSet::from_bytes(&bytes, &DataSetLimits::default());
    }

    #[test]
    fn a_cut_set_is_an_error(cut in 0_usize..400) {
        let mut table = DataTable::new("T", &KINDS);
        table.push_row(&KINDS.map(|(_, kind)| cell(kind, 1, "x")));
        let xml = written(&DataSet { name: "Set".into(), tables: vec![table] });
        prop_assert!(read(&xml[..cut.min(xml.len() - 1)]).is_err());
    }
}

#[test]
fn a_reading_tells_its_length_and_times_without_digits_behind_the_point() {
    let reading = |xml: &str| {
        let mut packed = Vec::new();
        crate::gzip::compress(xml.as_bytes(), &mut packed);
        let [plain, inflated] = [xml.as_bytes(), &packed]
            .map(|bytes| DataSet::from_bytes(bytes, &DataSetLimits::default()).map(|(_, reading)| reading).unwrap());
        assert_eq!(plain, inflated);
        assert_eq!(plain.bytes, xml.len() as u64);
        plain.has_bare_point
    };
    assert!(reading("<d><r><t>2020-01-02T03:04:05.Z</t></r></d>"));
    assert!(!reading("<d><r><t>2020-01-02T03:04:05.5Z</t></r></d>"));
}
