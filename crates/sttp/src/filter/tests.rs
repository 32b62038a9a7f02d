use proptest::prelude::*;

use super::*;
use crate::data_set::{Cell, ColumnType, DataSet, DataTable};

fn value(text: &str) -> Result<Value<'static>, FilterError> {
    Filter::parse(text, Precedence::Compat)?.evaluate(None)
}

/// What the Python and the Go implementation gave for the same expressions. Where both agree, so do we; where they
/// differ, the decision stands here.
#[test]
fn recorded_results_of_two_implementations() {
    let decided: &[(&str, Option<&str>)] = &[
        ("7 % -3", Some("1")),
        ("1 / 0", None),
        ("1 + true", Some("2")),
        ("true = 1", Some("true")),
        ("'true' = true", Some("true")),
        ("false = 0", Some("true")),
        ("DateAdd(#2019-01-31#, 1, 'Month')", Some("2019-02-28T00:00:00.0Z")),
        ("DateDiff(#2019-01-31#, #2019-03-01#, 'Month')", Some("2")),
        ("DatePart(#2019-02-03 04:05:06.789#, 'WeekDay')", Some("1")),
        ("IIf(1 = 1, 'y', 'n')", Some("y")),
        ("Power(2, -1)", Some("0")),
        ("1 < 2 < 3", Some("true")),
        ("#2019-01-01 00:00:00.1234567#", Some("2019-01-01T00:00:00.1234567Z")),
    ];
    let recorded = include_str!("../../../../__test__/vectors/sttp/filter/expressions_py_go.jsonl");
    let mut judged = 0;
    for line in recorded.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let expression = line["expression"].as_str().unwrap();
        let ours = value(expression);
        let shown = ours.as_ref().ok().map(ToString::to_string);
        judged += 1;
        if let Some((_, decision)) = decided.iter().find(|(decided, _)| *decided == expression) {
            assert_eq!(shown.as_deref(), *decision, "{expression}");
            continue;
        }
        let of = |peer: &str| line[peer].get("result").cloned();
        let Some(theirs) = of("sttpapi") else {
            assert!(ours.is_err(), "{expression}: {ours:?}");
            continue;
        };
        let kind = format!("{:?}", ours.as_ref().unwrap_or_else(|error| panic!("{expression}: {error}")).kind());
        assert_eq!(kind.to_lowercase(), theirs[0].as_str().unwrap(), "{expression}");
        let expected = match &theirs[1] {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        let shown = shown.unwrap();
        let same = match ours.unwrap() {
            Value::Double(value) => value.to_bits() == expected.parse::<f64>().unwrap().to_bits(),
            Value::DateTime(value) => Some(value) == crate::data_set::DateTime::parse(&expected),
            _ => shown == expected,
        };
        assert!(same, "{expression}: {shown}, not {expected}");
    }
    assert_eq!(judged, 122);
}

#[test]
fn precedence_is_that_of_the_implementations_or_the_usual_one() {
    for (text, compat, standard) in [
        ("2 + 3 * 4", "20", "14"),
        ("2 * 3 + 4 * 5", "50", "26"),
        ("1 + 2 << 3", "24", "24"),
        ("true OR false AND false", "false", "true"),
        ("NOT true OR true", "true", "true"),
        ("6 & 3 | 8 ^ 8", "2", "2"),
        ("-2 + 5", "3", "3"),
    ] {
        let shown = |precedence| Filter::parse(text, precedence).unwrap().evaluate(None).unwrap().to_string();
        assert_eq!(
            (shown(Precedence::Compat).as_str(), shown(Precedence::Standard).as_str()),
            (compat, standard),
            "{text}"
        );
    }
}

fn grid() -> DataSet {
    let columns = [
        ("SignalID", ColumnType::Guid),
        ("ID", ColumnType::String),
        ("PointTag", ColumnType::String),
        ("SignalType", ColumnType::String),
        ("FramesPerSecond", ColumnType::Int32),
        ("Longitude", ColumnType::Decimal),
    ];
    let mut table = DataTable::new("ActiveMeasurements", &columns);
    let kinds = ["FREQ", "VPHM", "VPHA", "STAT"];
    for row in 0..8_u32 {
        let (id, tag) = (format!("PPA:{row}"), format!("GRID!T{}", 7 - row));
        let longitude = if row == 3 { Cell::Null } else { Cell::Decimal((-i64::from(row)).into()) };
        table.push_row(&[
            Cell::Guid(uuid::Uuid::from_u128(u128::from(row))),
            Cell::String(&id),
            Cell::String(&tag),
            Cell::String(kinds[row as usize % 4]),
            Cell::Integer(30),
            longitude,
        ]);
    }
    DataSet { name: "Grid".into(), tables: vec![table] }
}

fn rows(text: &str) -> Vec<usize> {
    let filter = Filter::parse(text, Precedence::Compat).unwrap();
    let selected = filter.select(&grid(), "ActiveMeasurements").unwrap();
    selected
        .into_iter()
        .map(|selection| match selection {
            Selection::Row(row) => row.row,
            Selection::Signal(id) => 1000 + id.as_u128() as usize,
        })
        .collect()
}

#[test]
fn statements_select_rows() {
    assert_eq!(rows("FILTER ActiveMeasurements WHERE SignalType = 'freq'"), [0, 4]);
    assert_eq!(rows("filter top 3 activemeasurements where True"), [0, 1, 2]);
    assert_eq!(rows("FILTER TOP 0 ActiveMeasurements WHERE True"), [0; 0]);
    assert_eq!(rows("FILTER TOP -1 ActiveMeasurements WHERE SignalType <> 'STAT'"), [0, 1, 2, 4, 5, 6]);
    assert_eq!(rows("FILTER TOP 2 ActiveMeasurements WHERE True ORDER BY SignalType DESC, PointTag"), [5, 1]);
    // Null in an operation gives null, and that is not true: row 3 has no longitude.
    assert_eq!(rows("FILTER ActiveMeasurements WHERE Longitude < -5 OR Longitude IS NULL ORDER BY Longitude"), [7, 6]);
    assert_eq!(rows("Longitude IS NULL"), [3]);
    assert_eq!(rows("FILTER TOP 2 ActiveMeasurements WHERE True ORDER BY Longitude"), [3, 7]);
    assert_eq!(rows("SignalType LIKE 'V%' AND ID IN ('PPA:1', 'ppa:6')"), [1, 6]);
    assert_eq!(rows("00000000-0000-0000-0000-000000000005; {00000000-0000-0000-0000-000000000001};"), [5, 1]);
    assert_eq!(rows("'00000000-0000-0000-0000-000000000009'"), [1009]);
    assert_eq!(rows("PPA:2; \"grid!t7\"; PPA:2; PPA:99"), [2, 0]);
    assert_eq!(rows("FILTER ActiveMeasurements WHERE [FramesPerSecond] = 30.0 AND `ID` === 'PPA:0'"), [0]);
    assert_eq!(rows("-- nothing\n/* at all */ ;;"), [0; 0]);
}

#[test]
fn faults_say_where_they_are() {
    let fault = |text: &str| {
        let set = grid();
        let parsed = Filter::parse(text, Precedence::Compat);
        let error = parsed.and_then(|filter| filter.select(&set, "ActiveMeasurements")).unwrap_err();
        (error.line, error.column, error.fault)
    };
    let unknown = Fault::UnknownColumn { column: "Nothing".into(), table: Some("ActiveMeasurements".into()) };
    assert_eq!(fault("FILTER ActiveMeasurements WHERE\n  Nothing = 1"), (2, 3, unknown));
    assert_eq!(fault("FILTER Nowhere WHERE True"), (1, 8, Fault::UnknownTable("Nowhere".into())));
    assert!(matches!(fault("FILTER ActiveMeasurements HAVING 1"), (1, 27, Fault::Syntax { expected: "WHERE", .. })));
    assert!(matches!(fault("ID = 'x"), (1, 6, Fault::Syntax { .. })));
    assert!(matches!(fault("ID LIKE 'a%b'"), (1, 4, Fault::Pattern(_))));
    assert!(matches!(fault("Len(ID, 1) = 1"), (1, 1, Fault::Arguments { given: 2, .. })));
    assert!(matches!(fault("RegExMatch('(', ID)"), (1, 1, Fault::RegularExpression(_))));
    assert!(matches!(fault("FramesPerSecond"), (1, 1, Fault::Type { operation: "WHERE", .. })));
    assert!(matches!(fault("ID ? 1"), (1, 4, Fault::Syntax { .. })));
}

#[test]
fn hostile_text_is_refused_without_exhausting_anything() {
    for text in
        ["(".repeat(100_000), format!("1{}", " + 1".repeat(100_000)), "NOT ".repeat(100_000), "~".repeat(100_000)]
    {
        assert!(matches!(value(&text).unwrap_err().fault, Fault::TooComplex), "{}", &text[..8]);
    }
    assert!(matches!(value(&"x".repeat(2 << 20)).unwrap_err().fault, Fault::TooComplex));
    // Each multiplies the text by ten: nine would be 10 GB.
    for ignore_case in ["", ", true"] {
        let grown = |times: usize| {
            let ends = format!(", 'a', 'aaaaaaaaaa'{ignore_case})").repeat(times);
            format!("Len({}'aaaaaaaaaa'{ends})", "Replace(".repeat(times))
        };
        assert_eq!(value(&grown(4)).unwrap(), Value::Int32(100_000));
        let Fault::TextLength { limit } = value(&grown(9)).unwrap_err().fault else { panic!("it is made") };
        let most = format!("Replace('{}', 'a', '{}')", "a".repeat(limit / 1024), "b".repeat(1023));
        assert!(value(&format!("Len({most} + {most})")).is_err());
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text, Precedence::Compat).map(|filter| filter.signal_ids(&grid(), "ActiveMeasurements"));
    }

    #[test]
    fn arbitrary_tokens_never_panic(tokens in proptest::collection::vec(proptest::sample::select(vec![
        "FILTER", "TOP", "ActiveMeasurements", "WHERE", "ORDER BY", "ID", "Longitude", "1", "-1", "2.5", "1e3", "'a'", "NULL",
        "TRUE", "#2024-01-01#", "(", ")", ",", ";", "+", "/", "%", "<<", "=", "===", "LIKE", "IN", "IS", "NOT", "AND", "Len(",
        "DateAdd(", "Power(", "Split(", "SubStr(", "IIf(", "9223372036854775807", "'Month'", "0x7fffffff",
    ]), 0..24)) {
        let text = tokens.join(" ");
        for precedence in [Precedence::Compat, Precedence::Standard] {
            let _ = Filter::parse(&text, precedence).map(|filter| filter.signal_ids(&grid(), "ActiveMeasurements"));
        }
    }
}
