use crate::reader::Reader;
use crate::{Limits, Malformed, Value};

/// The times that a record's tags say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordTimes {
    /// `timestamp` (or `timestamp_begin`) where it is a timestamp, in ns since 1970-01-01 UTC.
    pub time: Option<i64>,
    /// `timestamp_begin` where it is a number: picoseconds since the run's start, by the framework's convention.
    pub begin_ps: Option<u64>,
    /// `timestamp_end` likewise.
    pub end_ps: Option<u64>,
}

/// Looks for times in a record's tags, an encoded map.
pub fn record_times(tags: &[u8], limits: Limits) -> Result<RecordTimes, Malformed> {
    let mut reader = Reader::new(tags);
    let mut times = RecordTimes::default();
    for _ in 0..reader.map()? {
        let key = reader.string()?;
        if !matches!(key, "timestamp" | "timestamp_begin" | "timestamp_end") {
            reader.skip(limits.depth)?;
            continue;
        }
        match (key, Value::read(&mut reader, limits.depth)?) {
            ("timestamp", Value::Timestamp(timestamp)) => times.time = timestamp.to_ns(),
            ("timestamp_begin", Value::Timestamp(timestamp)) => times.time = times.time.or_else(|| timestamp.to_ns()),
            ("timestamp_begin", value) => times.begin_ps = picoseconds(&value),
            ("timestamp_end", value) => times.end_ps = picoseconds(&value),
            _ => {}
        }
    }
    Ok(times)
}

const fn picoseconds(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(value) if *value >= 0 => Some(value.cast_unsigned()),
        Value::Unsigned(value) => Some(*value),
        _ => None,
    }
}
