use proptest::prelude::*;

use super::*;

fn scan(text: &str) -> Result<usize, JsonError> {
    let mut scanner = JsonScanner::new(text, 64);
    scanner.value()?;
    Ok(scanner.position())
}

#[test]
fn values_are_walked_over() {
    for text in ["0", "-0.5e+7", "\"a\\u00e9\\n\"", "[]", "{}", "[1,[2],{\"a\":[null,true,false]}]", "NaN", "-Infinity"]
    {
        assert_eq!(scan(text), Ok(text.len()), "{text}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "\"",
        "\"\\x\"",
        "\"\u{1}\"",
        "1.",
        "-",
        ".5",
        "tru",
        "]",
        "{\"a\":1]",
    ] {
        assert!(scan(text).is_err(), "{text}");
    }
    assert_eq!(scan(&"[".repeat(100)), Err(JsonError::Depth { limit: 64 }));
}

proptest! {
    #[test]
    fn serde_json_agrees(text in "[\\[\\]{}\",:0-9eE.+\\-truefalsn \\\\]{0,24}") {
        let mut scanner = JsonScanner::new(&text, 64);
        let ours = scanner.value().is_ok() && scanner.at_end();
        // serde_json refuses numbers beyond a double's range; a scanner does not look at their size.
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(_) => prop_assert!(ours),
            Err(error) if error.to_string().contains("out of range") => {}
            Err(error) => prop_assert!(!ours, "{error}"),
        }
    }
}
