/// The settings of a subscription as text: `name=value;name={value with ; or =}`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConnectionString {
    /// Names and values in the order of the text; a value has lost its outer braces.
    pub settings: Vec<(String, String)>,
    /// Tokens without `=`, which some peers write by mistake.
    pub ignored: Vec<String>,
}

impl ConnectionString {
    /// Reads a text. Braces may be nested; one that is not closed reaches to the end.
    pub fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        for token in Tokens(text) {
            let token = token.trim();
            match token.split_once('=') {
                Some((name, value)) => {
                    parsed.settings.push((name.trim().to_owned(), unbraced(value.trim()).to_owned()));
                }
                None if token.is_empty() => {}
                None => parsed.ignored.push(token.to_owned()),
            }
        }
        parsed
    }

    /// The last value of a name in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Adds a setting.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.settings.push((name.to_owned(), value.into()));
    }
}

impl core::fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (place, (name, value)) in self.settings.iter().enumerate() {
            let separator = if place == 0 { "" } else { ";" };
            if value.contains([';', '=', '{', '}']) || value.trim() != value {
                write!(f, "{separator}{name}={{{value}}}")?;
            } else {
                write!(f, "{separator}{name}={value}")?;
            }
        }
        Ok(())
    }
}

/// The pieces of a text between those `;` that are not in braces.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut depth = 0_usize;
        let end = self.0.find(|character| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            character == ';' && depth == 0
        });
        let (token, rest) = match end {
            Some(end) => (&self.0[..end], &self.0[end + 1..]),
            None => (self.0, ""),
        };
        self.0 = rest;
        Some(token)
    }
}

fn unbraced(value: &str) -> &str {
    value.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn braces_nest_and_keep_separators() {
        let parsed = ConnectionString::parse(
            "throttled=False; lagTime=10.000000;requestNaNValueFilterfalse;assemblyInfo={source=x;version={1;2}};;\
             filterExpression={FILTER A WHERE b = 'c;d'}",
        );
        assert_eq!(parsed.get("THROTTLED"), Some("False"));
        assert_eq!(parsed.get("lagtime"), Some("10.000000"));
        assert_eq!(parsed.get("assemblyInfo"), Some("source=x;version={1;2}"));
        assert_eq!(parsed.get("filterExpression"), Some("FILTER A WHERE b = 'c;d'"));
        assert_eq!(parsed.ignored, ["requestNaNValueFilterfalse"]);
        assert_eq!(ConnectionString::parse("a={b;c").get("a"), Some("{b;c"));
        assert_eq!(ConnectionString::parse("a=1;A=2").get("a"), Some("2"));
    }

    proptest! {
        #[test]
        fn settings_come_back(settings in proptest::collection::vec(("[a-zA-Z][a-zA-Z0-9]{0,8}", "[^{}]{0,12}|[a-z =;]{0,4}\\{[^{}]{0,6}\\}[a-z ;=]{0,4}"), 0..6)) {
            let written = ConnectionString { settings, ignored: Vec::new() };
            prop_assert_eq!(ConnectionString::parse(&written.to_string()), written);
        }

        #[test]
        fn any_text_is_taken(text in any::<String>()) {
            ConnectionString::parse(&text);
        }
    }
}
