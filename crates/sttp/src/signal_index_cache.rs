use std::collections::HashMap;

use uuid::Uuid;

use crate::reader::{Reader, write_counted};

/// Which wire index stands for which signal (response 83).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SignalIndexCache {
    /// The publisher's id of the subscriber.
    pub subscriber_id: Uuid,
    /// Its records, in the order of the wire.
    pub records: Vec<CacheRecord>,
    /// Signals that were asked for and are not allowed.
    pub unauthorized: Vec<Uuid>,
}

/// A signal of a cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheRecord {
    /// Wire index, not negative.
    pub index: i32,
    /// Id of the signal.
    pub signal_id: Uuid,
    /// First half of the measurement key.
    pub source: String,
    /// Second half of the measurement key.
    pub key_id: u64,
}

/// Fewest bytes of a record.
const RECORD_BYTES: usize = 4 + 16 + 4 + 8;
/// Bytes of an id.
const ID_BYTES: usize = 16;

/// Why an image is no signal index cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// It counts more records or ids than its bytes can hold.
    #[error("{count} entries do not fit into the {bytes} bytes that are left")]
    Count {
        /// The count.
        count: u32,
        /// Bytes behind it.
        bytes: usize,
    },
    /// A wire index is negative.
    #[error("record {record} has the negative index {index}")]
    Index {
        /// Number of the record.
        record: u32,
        /// Its index.
        index: i32,
    },
    /// A source is not UTF-8.
    #[error("the source of record {record} is not UTF-8")]
    Source {
        /// Number of the record.
        record: u32,
    },
    /// It ends early.
    #[error("the image ends early, at byte {length}")]
    Truncated {
        /// Bytes of the image.
        length: usize,
    },
}

/// A cache that was read, and how its image deviated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ParsedCache {
    /// The cache.
    pub cache: SignalIndexCache,
    /// The size in front is that of the image, as the reference implementations write it.
    pub exact_size: bool,
    /// Bytes behind its end.
    pub trailing: usize,
}

impl SignalIndexCache {
    /// Reads an image that is not compressed. The size in front is not trusted; the list of unauthorized signals may be
    /// missing.
    pub fn parse(image: &[u8]) -> Result<ParsedCache, CacheError> {
        let truncated = CacheError::Truncated { length: image.len() };
        let mut reader = Reader::new(image);
        let size = reader.u32().ok_or(truncated)?;
        let subscriber_id = reader.array().map(Uuid::from_bytes).ok_or(truncated)?;
        let count = reader.u32().ok_or(truncated)?;
        let mut cache = Self { subscriber_id, ..Self::default() };
        cache.records.reserve_exact(fitting(count, reader, RECORD_BYTES)?);
        for record in 0..count {
            let (Some(index), Some(signal_id)) = (reader.i32(), reader.array().map(Uuid::from_bytes)) else {
                return Err(truncated);
            };
            if index < 0 {
                return Err(CacheError::Index { record, index });
            }
            let source = reader.counted().ok_or(truncated)?;
            let source = core::str::from_utf8(source).map_err(|_| CacheError::Source { record })?.to_owned();
            let key_id = reader.u64().ok_or(truncated)?;
            cache.records.push(CacheRecord { index, signal_id, source, key_id });
        }
        if !reader.rest().is_empty() {
            let count = reader.u32().ok_or(truncated)?;
            cache.unauthorized.reserve_exact(fitting(count, reader, ID_BYTES)?);
            for _ in 0..count {
                cache.unauthorized.push(reader.array().map(Uuid::from_bytes).ok_or(truncated)?);
            }
        }
        let exact_size = size as usize == image.len();
        Ok(ParsedCache { cache, exact_size, trailing: reader.rest().len() })
    }

    /// Appends the image as the reference implementations write it: its size counts everything, the list of
    /// unauthorized signals is always there.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(self.subscriber_id.as_bytes());
        out.extend_from_slice(&(self.records.len() as u32).to_be_bytes());
        for record in &self.records {
            out.extend_from_slice(&record.index.to_be_bytes());
            out.extend_from_slice(record.signal_id.as_bytes());
            write_counted(record.source.as_bytes(), out);
            out.extend_from_slice(&record.key_id.to_be_bytes());
        }
        out.extend_from_slice(&(self.unauthorized.len() as u32).to_be_bytes());
        for id in &self.unauthorized {
            out.extend_from_slice(id.as_bytes());
        }
        let size = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }

    /// The wire index of every signal id.
    pub fn indexes(&self) -> HashMap<Uuid, i32> {
        self.records.iter().map(|record| (record.signal_id, record.index)).collect()
    }
}

/// The count as a capacity, if as many entries can be there at all.
fn fitting(count: u32, reader: Reader<'_>, least: usize) -> Result<usize, CacheError> {
    let bytes = reader.rest().len();
    if count as usize > bytes / least {
        return Err(CacheError::Count { count, bytes });
    }
    Ok(count as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn caches() -> impl Strategy<Value = SignalIndexCache> {
        let id = any::<u128>().prop_map(Uuid::from_u128);
        let record = (0..=i32::MAX, id.clone(), "[A-ZÄ]{0,6}", any::<u64>());
        let records = proptest::collection::vec(record, 0..12);
        (id.clone(), records, proptest::collection::vec(id, 0..4)).prop_map(|(subscriber_id, records, unauthorized)| {
            let records = records
                .into_iter()
                .map(|(index, signal_id, source, key_id)| CacheRecord { index, signal_id, source, key_id })
                .collect();
            SignalIndexCache { subscriber_id, records, unauthorized }
        })
    }

    #[test]
    fn the_layout_of_sttpapi_is_read() {
        let mut image = Vec::new();
        let record = CacheRecord { index: 0, signal_id: Uuid::from_u128(7), source: "PPA".into(), key_id: 9 };
        let cache = SignalIndexCache { records: vec![record], ..SignalIndexCache::default() };
        cache.write(&mut image);
        image.truncate(image.len() - 4);
        let size = image.len() as u32 - 4;
        image[..4].copy_from_slice(&size.to_be_bytes());
        assert_eq!(SignalIndexCache::parse(&image), Ok(ParsedCache { cache, exact_size: false, trailing: 0 }));
    }

    #[test]
    fn a_hostile_count_allocates_nothing() {
        let mut image = vec![0; 20];
        image.extend_from_slice(&[0xFF; 4]);
        assert_eq!(SignalIndexCache::parse(&image), Err(CacheError::Count { count: u32::MAX, bytes: 0 }));
    }

    proptest! {
        #[test]
        fn a_cache_comes_back(cache in caches()) {
            let mut image = Vec::new();
            cache.write(&mut image);
            prop_assert_eq!(SignalIndexCache::parse(&image), Ok(ParsedCache { cache, exact_size: true, trailing: 0 }));
        }

        #[test]
        fn no_cut_is_taken_for_more_than_it_is(cache in caches(), cut in 1..100_usize) {
            let mut image = Vec::new();
            cache.write(&mut image);
            let unauthorized = 4 + ID_BYTES * cache.unauthorized.len();
            let cut = cut.min(image.len());
            image.truncate(image.len() - cut);
            let parsed = SignalIndexCache::parse(&image);
            prop_assert_eq!(parsed.is_ok(), cut == unauthorized, "{:?}", parsed);
        }

        #[test]
        fn arbitrary_bytes_never_panic(image in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SignalIndexCache::parse(&image);
        }
    }
}
