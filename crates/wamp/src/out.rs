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

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.place(bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// The next `length` bytes, or `None` where they do not fit; they count either way.
    pub(crate) fn place(&mut self, length: usize) -> Option<&mut [u8]> {
        let start = self.length;
        self.length = start.saturating_add(length);
        self.buffer.get_mut(start..self.length)
    }
}

/// Writes a value step by step.
pub trait Write {
    /// Bytes that the value takes so far; the buffer holds it only where this is not more than its length.
    fn length(&self) -> usize;
    /// Nothing.
    fn null(&mut self);
    /// True or false.
    fn boolean(&mut self, value: bool);
    /// An integer of 0 or more, as short as it goes.
    fn unsigned(&mut self, value: u64);
    /// An integer below 0, as short as it goes.
    fn signed(&mut self, value: i64);
    /// A double, always in nine bytes.
    fn float(&mut self, value: f64);
    /// Text.
    fn text(&mut self, value: &str);
    /// Bytes.
    fn bytes(&mut self, value: &[u8]);
    /// The head of an array; its items follow.
    fn array(&mut self, length: usize);
    /// The head of a map; its pairs follow, key before value.
    fn map(&mut self, length: usize);
    /// A whole array of doubles.
    fn doubles(&mut self, values: &[f64]);
}

/// Doubles behind one marker byte each, big-endian: `MessagePack` and CBOR differ in the marker alone.
pub(crate) fn put_doubles(out: &mut Out<'_>, marker: u8, values: &[f64]) {
    let Some(place) = out.place(values.len().saturating_mul(9)) else { return };
    for (chunk, value) in place.as_chunks_mut::<9>().0.iter_mut().zip(values) {
        chunk[0] = marker;
        chunk[1..].copy_from_slice(&value.to_be_bytes());
    }
}

/// The way back; gives how many of `out` came before the first item with another marker.
pub(crate) fn take_doubles(bytes: &[u8], marker: u8, out: &mut [f64]) -> usize {
    // A block is decoded before its markers are looked at: without a branch an item the loop is four times as fast.
    const BLOCK: usize = 64;
    let mut done = 0;
    let (chunks, _) = bytes.as_chunks::<9>();
    for (from, to) in chunks.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        let mut odd = 0;
        for (chunk, value) in from.iter().zip(to.iter_mut()) {
            let [first, rest @ ..] = *chunk;
            odd |= first ^ marker;
            *value = f64::from_be_bytes(rest);
        }
        let length = from.len().min(to.len());
        if odd != 0 {
            return done + from.iter().take(length).take_while(|chunk| chunk[0] == marker).count();
        }
        done += length;
    }
    done
}

/// How many doubles follow one another, `limit` at most.
pub(crate) fn count_doubles(bytes: &[u8], marker: u8, limit: usize) -> usize {
    bytes.as_chunks::<9>().0.iter().take(limit).take_while(|chunk| chunk[0] == marker).count()
}

/// An integer as a double, where it holds it.
pub(crate) fn exact(value: u64) -> Option<f64> {
    (value <= 1 << 53).then_some(value as f64)
}
