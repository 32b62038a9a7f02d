//! A reader of JSON text that gives ranges of it instead of values, so that what was sent is what is kept.

/// Why text is not JSON as we take it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text ends inside a value.
    #[error("the JSON text ends inside a value")]
    End,
    /// A byte that cannot stand there.
    #[error("the JSON text is wrong at byte {0}")]
    Byte(usize),
    /// Arrays and objects are nested deeper than allowed.
    #[error("the JSON text is nested deeper than {0}")]
    Depth(usize),
}

/// Arrays and objects inside one another, at most.
pub const MAX_DEPTH: usize = 128;

/// What kind of value comes next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An array.
    Array,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// A number.
    Number,
    /// An object.
    Object,
    /// A string.
    String,
}

/// A place in JSON text. Methods read what stands there and move behind it.
///
/// The text has to be UTF-8 (a `&str` as bytes); the cursor checks everything else.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

type Result<T> = std::result::Result<T, JsonError>;

impl<'a> Cursor<'a> {
    /// A cursor at the start of `text`.
    pub fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self) -> JsonError {
        if self.at < self.text.len() { JsonError::Byte(self.at) } else { JsonError::End }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// Takes `byte` where it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(self.wrong()) }
    }

    /// The kind of the next value.
    pub fn kind(&mut self) -> Result<Kind> {
        self.space();
        match self.byte() {
            Some(b'[') => Ok(Kind::Array),
            Some(b't' | b'f') => Ok(Kind::Bool),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b'{') => Ok(Kind::Object),
            Some(b'"') => Ok(Kind::String),
            _ => Err(self.wrong()),
        }
    }

    /// Reads an object: `member` is called behind each key with its text between the quotes and has to read the value.
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads on in an object, behind a value: `Some` key where a member follows, `None` where the object has ended.
    pub fn next_member(&mut self) -> Result<Option<&'a [u8]>> {
        if self.take(b'}') {
            return Ok(None);
        }
        self.expect(b',')?;
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Reads an array: `item` is called for each item and has to read it.
    pub fn array<E: From<JsonError>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Reads a string; gives the text between the quotes, escapes as they are.
    pub fn string(&mut self) -> Result<&'a [u8]> {
        self.expect(b'"')?;
        let from = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            match self.byte() {
                Some(b'"') => {
                    let text = self.text.get(from..self.at).ok_or(JsonError::End)?;
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.byte() {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                        Some(b'u') => {
                            self.at += 1;
                            for _ in 0..4 {
                                if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                                    return Err(self.wrong());
                                }
                                self.at += 1;
                            }
                        }
                        _ => return Err(self.wrong()),
                    }
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    /// Reads a number; gives its text.
    pub fn number(&mut self) -> Result<&'a [u8]> {
        self.space();
        let from = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.text.get(from..self.at).ok_or(JsonError::End)
    }

    fn digits(&mut self) -> Result<()> {
        let from = self.at;
        let rest = self.text.get(from..).unwrap_or_default();
        self.at += rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if self.at == from { Err(self.wrong()) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        for &expected in word {
            if self.byte() != Some(expected) {
                return Err(self.wrong());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Reads any value; gives its text, without space around it.
    pub fn value(&mut self) -> Result<&'a [u8]> {
        self.value_at(0)
    }

    fn value_at(&mut self, depth: usize) -> Result<&'a [u8]> {
        if depth >= MAX_DEPTH {
            return Err(JsonError::Depth(MAX_DEPTH));
        }
        let kind = self.kind()?;
        let from = self.at;
        match kind {
            Kind::Array => self.array(|cursor| cursor.value_at(depth + 1).map(drop))?,
            Kind::Object => self.object(|cursor, _| cursor.value_at(depth + 1).map(drop))?,
            Kind::Bool if self.byte() == Some(b't') => self.word(b"true")?,
            Kind::Bool => self.word(b"false")?,
            Kind::Null => self.word(b"null")?,
            Kind::Number => self.number().map(drop)?,
            Kind::String => self.string().map(drop)?,
        }
        self.text.get(from..self.at).ok_or(JsonError::End)
    }

    /// Checks that only space follows.
    pub fn end(&mut self) -> Result<()> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(text: &str) -> bool {
        let mut cursor = Cursor::new(text);
        cursor.value().and_then(|_| cursor.end()).is_ok()
    }

    #[test]
    fn takes_what_json_is() {
        for text in ["0", "-0.5e+3", "\"\\u00e9\\\"\"", "[]", " [ 1 , {\"a\" : null } ] ", "true", "{\"\":{}}"] {
            assert!(accepts(text), "{text}");
        }
    }

    #[test]
    fn refuses_what_json_is_not() {
        for text in
            ["", "01", "1.", ".5", "1e", "nul", "\"\\x\"", "\"\n\"", "[1,]", "{\"a\":1,}", "{a:1}", "1 2", "NaN"]
        {
            assert!(!accepts(text), "{text}");
        }
    }

    #[test]
    fn refuses_deep_nesting() {
        assert_eq!(Cursor::new(&"[".repeat(1000)).value(), Err(JsonError::Depth(MAX_DEPTH)));
    }

    #[test]
    fn gives_the_text_as_it_was() {
        let mut seen = Vec::new();
        let text = r#"{"a": 9007199254740993 ,"b":[1, 2]}"#;
        Cursor::new(text)
            .object(|cursor, key| -> Result<()> {
                seen.push((key, cursor.value()?));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(&b"a"[..], &b"9007199254740993"[..]), (b"b", b"[1, 2]")]);
    }

    proptest! {
        #[test]
        fn agrees_with_serde(text in "[\\[\\]{},:\"0-9eE+.truefalsn\\\\ -]{0,24}") {
            // serde_json refuses numbers out of f64's range; JSON's grammar does not.
            let serde = serde_json::from_str::<serde_json::Value>(&text);
            let range = matches!(&serde, Err(error) if error.to_string().contains("out of range"));
            // A lone surrogate is well-formed by the grammar too; this alphabet can spell none but through \u.
            prop_assume!(!range && !text.contains("\\u"));
            prop_assert_eq!(accepts(&text), serde.is_ok());
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = Cursor::new(&text).value();
        }
    }
}
