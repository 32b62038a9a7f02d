use measurand_columns::{Block, TIME_UNKNOWN, ticks};

use super::{CompactError, HEAD_BYTES, MILLISECOND, RECORD_BYTES, RunTime, TimeForm};
use crate::state_flags::{self, COMPACT_BASE_TIME_OFFSET, COMPACT_TIME_INDEX};
use crate::{SignalRows, value};

/// The records of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Body<'a> {
    /// How many they are.
    pub count: u32,
    /// Their bytes.
    pub records: &'a [u8],
    /// The packet had no record count, which is sttpapi's mistake.
    pub countless: bool,
}

/// Finds the records behind a data packet's flags.
///
/// With `tolerant`, a packet whose count does not fit its length is taken for one without a count, as sttpapi's publisher
/// writes them, if its bytes are a whole number of 17-byte records.
pub fn body<'a>(packet: &'a [u8], form: &TimeForm, tolerant: bool) -> Result<Body<'a>, CompactError> {
    let length = packet.len();
    let (count, records) = packet.split_first_chunk().ok_or(CompactError::Count { length })?;
    let count = u32::from_be_bytes(*count);
    if tolerant && form.include_time && length.is_multiple_of(RECORD_BYTES) {
        let least = if form.milliseconds { HEAD_BYTES + 2 } else { HEAD_BYTES + 4 };
        let fits = least as u64 * u64::from(count)..=RECORD_BYTES as u64 * u64::from(count);
        if !fits.contains(&(records.len() as u64)) {
            return Ok(Body { count: (length / RECORD_BYTES) as u32, records: packet, countless: true });
        }
    }
    Ok(Body { count, records, countless: false })
}

/// What a call of [`decode`] took.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Decoded {
    /// Bytes taken: the next call goes on behind them.
    pub bytes: usize,
    /// Records taken, of which as many less `skipped` are in the block.
    pub records: u32,
    /// Records left out because their index has no row.
    pub skipped: u32,
    /// Records whose time is unknown because their base time was not sent.
    pub unbased: u32,
}

/// Appends records to `block` until `count` are taken or it is full (then `records` of the answer is less than `count`).
///
/// Where the bytes end before the count does, the rows before are in the block; the error says how many are missing.
pub fn decode(
    records: &[u8],
    count: u32,
    form: &TimeForm,
    rows: &SignalRows,
    block: &mut Block<'_>,
) -> Result<Decoded, CompactError> {
    let mut decoded = Decoded::default();
    // After a record that the run below has to leave, the next try is worth its cost only some records later.
    let mut plain = 0;
    while decoded.records < count && block.room() > 0 {
        if plain == 0 {
            let rest = records.get(decoded.bytes..).unwrap_or_default();
            let (taken, bytes) = decode_run(rest, count - decoded.records, form, rows, block);
            decoded.bytes += bytes;
            decoded.records += taken as u32;
            plain = 8;
            continue;
        }
        plain -= 1;
        let truncated = CompactError::Truncated { offset: decoded.bytes, missing: count - decoded.records };
        let rest = records.get(decoded.bytes..).unwrap_or_default();
        let Some((&[cflags, i0, i1, i2, i3, v0, v1, v2, v3], tail)) = rest.split_first_chunk::<HEAD_BYTES>() else {
            return Err(truncated);
        };
        let time_bytes = form.time_bytes(cflags);
        let Some(time) = tail.get(..time_bytes) else {
            return Err(truncated);
        };
        decoded.bytes += HEAD_BYTES + time_bytes;
        decoded.records += 1;
        let Some(row) = rows.row(u32::from_be_bytes([i0, i1, i2, i3])) else {
            decoded.skipped += 1;
            continue;
        };
        let number = time.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        let base = form.base_times[usize::from(cflags & COMPACT_TIME_INDEX != 0)];
        let ticks = match time_bytes {
            0 => None,
            8 => Some(number),
            _ if base == 0 => {
                decoded.unbased += 1;
                None
            }
            2 => Some(base.wrapping_add(number * MILLISECOND)),
            _ => Some(base.wrapping_add(number)),
        };
        let (time, exact) = ticks.map_or((TIME_UNKNOWN, true), ticks::to_ns);
        if !exact || block.wants_raw_time() {
            block.set_raw_time(block.len(), ticks.unwrap_or(0), ticks::from_ns);
        }
        let bits = u32::from_be_bytes([v0, v1, v2, v3]);
        block.push(time, value::widen(bits), row, state_flags::from_compact(cflags));
    }
    Ok(decoded)
}

/// Decodes eight or sixteen records at a time as long as their times have the form of the first, and the time column holds
/// them; says how many, and how many bytes they are. What stops it is left to the caller.
#[allow(unsafe_code, reason = "a function compiled for a processor is called after asking which one it is")]
fn decode_run(records: &[u8], count: u32, form: &TimeForm, rows: &SignalRows, block: &mut Block<'_>) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(&cflags) = records.first()
        && form.include_time
        && is_x86_feature_detected!("avx2")
    {
        let run = if cflags & COMPACT_BASE_TIME_OFFSET == 0 {
            Some(RunTime::full(form, cflags))
        } else {
            RunTime::offset(form, cflags & COMPACT_TIME_INDEX != 0)
        };
        let Some(run) = run else {
            return (0, 0);
        };
        let time_bytes = form.time_bytes(cflags);
        let record_bytes = HEAD_BYTES + time_bytes;
        let mut taken = 0;
        if record_bytes == RECORD_BYTES
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
        {
            // SAFETY: the processor has what the function is compiled for.
            taken = unsafe { super::run_avx512::decode(records, count, rows, block) };
        }
        let rest = records.get(taken * record_bytes..).unwrap_or_default();
        let left = count - taken as u32;
        // SAFETY: the processor has what the functions are compiled for.
        taken += unsafe {
            match time_bytes {
                2 => super::run_avx2::decode::<2>(rest, left, run, rows, block),
                4 => super::run_avx2::decode::<4>(rest, left, run, rows, block),
                _ => super::run_avx2::decode::<8>(rest, left, run, rows, block),
            }
        };
        return (taken, taken * record_bytes);
    }
    let _ = (records, count, form, rows, block);
    (0, 0)
}
