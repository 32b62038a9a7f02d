use proptest::prelude::*;
use serde_json::json;

use super::*;

fn boiler() -> Schema {
    Schema::from_fields(&json!([
        {"name": "temperature", "type": "float"},
        {"name": "count", "type": "integer"},
        {"name": "note", "type": "string"},
        {"name": "at", "type": "date"},
        {"name": "side", "type": "enum", "enum": ["port", "starboard"]},
        {"name": "xs", "type": "array<float>"},
        {"name": "days", "type": "array<date>"},
        {"name": "place", "type": "object", "fields": [{"name": "x", "type": "integer"}]},
        {"name": "moves", "type": "array<object>", "fields": [{"name": "box", "type": "string"}]},
    ]))
    .unwrap()
}

fn check(message: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let mut cursor = Cursor::new(message);
    boiler().check(&mut cursor, "", &mut violations).unwrap();
    cursor.end().unwrap();
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn a_message_of_every_type_is_right() {
    let message = r#"{"side":"port","temperature":-1e-9,"count":9007199254740993,"note":"\u00e9","at":"2019-01-23T10:00:00Z",
        "xs":[0.5,1],"days":["2020-02-29T23:59:59.125Z"],"place":{"x":1},"moves":[{"box":"a"},{}]}"#;
    assert!(check(message).is_empty());
}

#[test]
fn missing_and_null_fields_are_right() {
    assert!(check("{}").is_empty());
    assert!(check(r#"{"temperature":null,"moves":null}"#).is_empty());
}

#[test]
fn violations_name_their_place() {
    assert_eq!(check(r#"{"temperature":"hot"}"#), ["temperature is not a valid float"]);
    assert_eq!(check(r#"{"moves":[{"box":"a"},{"box":1}]}"#), ["moves[1].box is not a valid string"]);
    assert_eq!(check(r#"{"place":{"y":1}}"#), ["place.y is not a field of the schema"]);
    assert_eq!(check(r#"{"xs":[1,null]}"#), ["xs[1] is not a valid float"]);
    assert_eq!(check(r#"{"moves":{}}"#), ["moves is not a valid array<object>"]);
    assert_eq!(check("[]"), ["payload is not a valid object"]);
}

#[test]
fn enums_compare_text_not_its_spelling() {
    assert!(check(r#"{"side":"p\u006frt"}"#).is_empty());
    assert_eq!(check(r#"{"side":"aft"}"#), ["side is not a valid enum"]);
}

#[test]
fn keys_compare_text_not_its_spelling() {
    assert!(check(r#"{"n\u006fte":"x"}"#).is_empty());
}

#[test]
fn integers_may_be_written_as_floats() {
    for text in ["1.0", "1e2", "10e-1", "1.5e1", "0.0e-5", "123456789012345678901234567890"] {
        assert!(is_integer(text.as_bytes()), "{text}");
    }
    for text in ["1.5", "1e-1", "1e400", "1.25e1"] {
        assert!(!is_integer(text.as_bytes()), "{text}");
    }
}

#[test]
fn floats_are_finite() {
    assert_eq!(check(r#"{"temperature":1e400}"#), ["temperature is not a valid float"]);
}

#[test]
fn dates_are_days_that_there_are() {
    for text in [
        "2019-02-29T00:00:00Z",
        "2019-13-01T00:00:00Z",
        "2019-01-01T24:00:00Z",
        "2019-01-01 00:00:00Z",
        "2019-01-01T00:00:00",
        "2019-01-01T00:00:00.Z",
        "2019-01-01T00:00:00+01:00",
        "",
    ] {
        assert!(!is_date(text.as_bytes()), "{text}");
    }
}

#[test]
fn wrong_definitions_say_where() {
    let error = |fields| Schema::from_fields(&fields).unwrap_err();
    assert_eq!(error(json!(null)), SchemaError::Fields { path: "fields".into() });
    assert_eq!(error(json!([{"type": "float"}])), SchemaError::Name { path: "fields[0]".into() });
    assert_eq!(error(json!([{"name": "a", "type": "bool"}])), SchemaError::Type { path: "fields.a".into() });
    assert_eq!(error(json!([{"name": "a", "type": "enum"}])), SchemaError::Enum { path: "fields.a".into() });
    assert_eq!(error(json!([{"name": "a", "type": "object"}])), SchemaError::Fields { path: "fields.a".into() });
    let twice = json!([{"name": "a", "type": "float"}, {"name": "a", "type": "float"}]);
    assert_eq!(error(twice), SchemaError::Twice { path: "fields.a".into() });
}

proptest! {
    #[test]
    fn never_panics(message in "[\\[\\]{},:\"a-z0-9.eE \\\\-]{0,64}") {
        let _ = boiler().check(&mut Cursor::new(&message), "", &mut Vec::new());
    }

    #[test]
    fn integers_agree_with_doubles(mantissa in -9999i32..9999, fraction in 0u32..999, exponent in -6i32..6) {
        let text = format!("{mantissa}.{fraction:03}e{exponent}");
        // Scaled by 10^9 the value is exact in i128.
        let scaled = format!("{mantissa}{fraction:03}").parse::<i128>().unwrap() * 10i128.pow((6 + exponent) as u32);
        prop_assert_eq!(is_integer(text.as_bytes()), scaled % 10i128.pow(9) == 0, "{}", text);
    }
}
