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
