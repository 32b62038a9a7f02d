/// A borrowed buffer that counts on where it ends: the length is what the message takes, fitting or not.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Out<'a> {
    pub(crate) const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn place(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.length;
        self.length = start.saturating_add(length);
        self.buffer.get_mut(start..self.length)
    }
}

/// What has a length in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Items follow.
    Array,
    /// Bytes follow.
    Bytes,
    /// Pairs follow, key before value.
    Map,
    /// UTF-8 follows.
    Text,
}

/// Writes a value step by step.
pub trait Write {
    /// The byte in front of a double.
    const FLOAT64: u8;
    /// What is false; true is one more.
    const FALSE: u8;
    /// Nothing.
    const NULL: u8;

    /// Bytes that the value takes so far; the buffer holds it only where this is not more than its length.
    fn length(&self) -> usize;
    /// The next `length` bytes, or `None` where they do not fit; they count either way.
    fn place(&mut self, length: usize) -> Option<&mut [u8]>;
    /// An integer of 0 or more, as short as it goes.
    fn unsigned(&mut self, value: u64);
    /// An integer, as short as it goes.
    fn signed(&mut self, value: i64);
    /// A length and of what it is, as short as it goes.
    fn head(&mut self, kind: Kind, length: usize);

    /// Bytes as they are.
    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.place(bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// A marker and the number that belongs to it.
    fn put_marked<const N: usize>(&mut self, marker: u8, number: [u8; N]) {
        self.put(&[marker]);
        self.put(&number);
    }

    /// Nothing.
    fn null(&mut self) {
        self.put(&[Self::NULL]);
    }

    /// True or false.
    fn boolean(&mut self, value: bool) {
        self.put(&[Self::FALSE + value as u8]);
    }

    /// A double, always in nine bytes.
    fn float(&mut self, value: f64) {
        self.put_marked(Self::FLOAT64, value.to_be_bytes());
    }

    /// Text.
    fn text(&mut self, value: &str) {
        self.head(Kind::Text, value.len());
        self.put(value.as_bytes());
    }

    /// Bytes.
    fn bytes(&mut self, value: &[u8]) {
        self.head(Kind::Bytes, value.len());
        self.put(value);
    }

    /// The head of an array; its items follow.
    fn array(&mut self, length: usize) {
        self.head(Kind::Array, length);
    }

    /// The head of a map; its pairs follow, key before value.
    fn map(&mut self, length: usize) {
        self.head(Kind::Map, length);
    }

    /// A whole array of doubles.
    fn doubles(&mut self, values: &[f64]) {
        self.array(values.len());
        let Some(place) = self.place(values.len().saturating_mul(9)) else { return };
        for (chunk, value) in place.as_chunks_mut::<9>().0.iter_mut().zip(values) {
            chunk[0] = Self::FLOAT64;
            chunk[1..].copy_from_slice(&value.to_be_bytes());
        }
    }
}
