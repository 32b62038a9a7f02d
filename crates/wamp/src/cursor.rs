use crate::value::ReadError;

/// Bytes that are read from the front.
#[derive(Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Goes to a place that was read before, or to one behind bytes that are there.
    pub(crate) fn seek(&mut self, position: usize) {
        self.position = position.min(self.bytes.len());
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let taken = self.rest().get(..length).ok_or(ReadError::Truncated)?;
        self.position += length;
        Ok(taken)
    }

    pub(crate) fn word<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        self.take(N)?.try_into().map_err(|_| ReadError::Truncated)
    }

    /// A count of items that take `width` bytes each at least: more than the bytes can hold is refused.
    pub(crate) fn count(&self, length: usize, width: usize) -> Result<usize, ReadError> {
        if length.saturating_mul(width) > self.rest().len() { Err(ReadError::Truncated) } else { Ok(length) }
    }
}

/// Reads doubles behind one marker byte each; gives how many of `out` came before the first item with another marker.
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
