use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// Anything that reads and seeks, as the Parquet reader wants it. Lengths are checked before memory is taken for them.
#[derive(Debug)]
pub(crate) struct Source<R> {
    inner: Arc<Mutex<R>>,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(crate) fn new(mut inner: R) -> io::Result<Self> {
        let length = inner.seek(SeekFrom::End(0))?;
        Ok(Self { inner: Arc::new(Mutex::new(inner)), length })
    }
}

impl<R> Length for Source<R> {
    fn len(&self) -> u64 {
        self.length
    }
}

impl<R: Read + Seek + Send> ChunkReader for Source<R> {
    type T = From<R>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(From { inner: Arc::clone(&self.inner), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of a file of {}", self.length)));
        }
        let mut bytes = vec![0; length];
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.seek(SeekFrom::Start(start))?;
        inner.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Reads on from an offset, whatever others read meanwhile.
#[derive(Debug)]
pub(crate) struct From<R> {
    inner: Arc<Mutex<R>>,
    at: u64,
}

impl<R: Read + Seek> Read for From<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.seek(SeekFrom::Start(self.at))?;
        let count = inner.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}
