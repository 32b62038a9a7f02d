use thiserror::Error;

/// Why bytes are no JSON value.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// The bytes end inside the value.
    #[error("the message ends inside a value")]
    Truncated,
    /// A byte that does not belong there.
    #[error("the byte {byte:#04x} does not belong at {offset}")]
    Unexpected {
        /// The byte.
        byte: u8,
        /// Where it is.
        offset: usize,
    },
    /// Arrays and objects nested deeper than the limit.
    #[error("arrays and objects are nested deeper than {limit}")]
    Depth {
        /// The limit.
        limit: usize,
    },
}

/// Walks over JSON and checks its grammar; makes no values. The literals `NaN`, `Infinity` and `-Infinity` pass: Python
/// peers write and read them.
#[derive(Debug)]
pub struct JsonScanner<'a> {
    bytes: &'a [u8],
    position: usize,
    depth: usize,
}

impl<'a> JsonScanner<'a> {
    /// A scanner of UTF-8 text, in which `depth` arrays and objects may lie in one another.
    pub const fn new(text: &'a str, depth: usize) -> Self {
        Self { bytes: text.as_bytes(), position: 0, depth }
    }

    /// Bytes walked over.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Walks over white space; gives the byte behind it without walking over that.
    pub fn peek(&mut self) -> Result<u8, JsonError> {
        while let Some(byte) = self.bytes.get(self.position) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(*byte);
            }
            self.position += 1;
        }
        Err(JsonError::Truncated)
    }

    /// Whether only white space is left.
    pub fn at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// Walks over one byte, which has to be this one.
    pub fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek()? == byte {
            self.position += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// Walks over one value.
    pub fn value(&mut self) -> Result<(), JsonError> {
        // What is open: true for an object.
        let mut open: Vec<bool> = Vec::new();
        loop {
            let byte = self.peek()?;
            match byte {
                b'{' | b'[' => {
                    self.position += 1;
                    let is_object = byte == b'{';
                    if self.peek()? == if is_object { b'}' } else { b']' } {
                        self.position += 1;
                    } else {
                        if open.len() == self.depth {
                            return Err(JsonError::Depth { limit: self.depth });
                        }
                        open.push(is_object);
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                b'N' => self.literal(b"NaN")?,
                b'I' => self.literal(b"Infinity")?,
                _ => return Err(self.unexpected()),
            }
            // A value has ended: close what ends with it, or go on to the next.
            loop {
                let Some(is_object) = open.last() else { return Ok(()) };
                match (self.peek()?, is_object) {
                    (b',', false) => {
                        self.position += 1;
                        break;
                    }
                    (b',', true) => {
                        self.position += 1;
                        self.key()?;
                        break;
                    }
                    (b']', false) | (b'}', true) => {
                        self.position += 1;
                        open.pop();
                    }
                    _ => return Err(self.unexpected()),
                }
            }
        }
    }

    fn key(&mut self) -> Result<(), JsonError> {
        if self.peek()? != b'"' {
            return Err(self.unexpected());
        }
        self.string()?;
        self.expect(b':')
    }

    fn string(&mut self) -> Result<(), JsonError> {
        self.position += 1;
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next()?.is_ascii_hexdigit() {
                                return Err(self.before());
                            }
                        }
                    }
                    _ => return Err(self.before()),
                },
                0x00..=0x1f => return Err(self.before()),
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.bytes.get(self.position) == Some(&b'-') {
            self.position += 1;
            if self.bytes.get(self.position) == Some(&b'I') {
                return self.literal(b"Infinity");
            }
        }
        if self.bytes.get(self.position) == Some(&b'0') {
            self.position += 1;
        } else {
            self.digits()?;
        }
        if self.bytes.get(self.position) == Some(&b'.') {
            self.position += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.position), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.bytes.get(self.position), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.unexpected());
        }
        self.position += count;
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        for byte in word {
            if self.bytes.get(self.position) != Some(byte) {
                return Err(self.unexpected());
            }
            self.position += 1;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = *self.bytes.get(self.position).ok_or(JsonError::Truncated)?;
        self.position += 1;
        Ok(byte)
    }

    fn unexpected(&self) -> JsonError {
        let offset = self.position;
        self.bytes.get(offset).map_or(JsonError::Truncated, |&byte| JsonError::Unexpected { byte, offset })
    }

    fn before(&mut self) -> JsonError {
        self.position -= 1;
        self.unexpected()
    }
}

#[cfg(test)]
mod tests;
