use super::{RECORD_BYTES, RunTime, TimeForm};
use crate::state_flags::{self, COMPACT_BASE_TIME_OFFSET, COMPACT_TIME_INDEX};
use crate::tssc::Encoded;
use crate::{MeasurementRows, SignalIndexes, value};

/// Writes as many of `rows` to the front of `packet` as fit, as records (the packet's flags and count, which is
/// [`Encoded::measurements`], are the caller's).
///
/// Times are offsets from the base time number `time_index` where that is known and the offset fits, else full ticks.
pub fn encode(
    rows: &MeasurementRows<'_>,
    indexes: &SignalIndexes,
    form: &TimeForm,
    time_index: bool,
    packet: &mut [u8],
) -> Encoded {
    let len = rows.len();
    let run = RunTime::offset(form, time_index);
    let index_flag = if time_index { COMPACT_TIME_INDEX } else { 0 };
    let mut encoded = Encoded::default();
    // After a row that the run below has to leave, the next try is worth its cost only some rows later.
    let mut plain = 0;
    while encoded.rows < len {
        if plain == 0 {
            plain = 8;
            if form.include_time && rows.raw_time.is_empty() {
                let rest = packet.get_mut(encoded.bytes..).unwrap_or_default();
                let (taken, bytes) = encode_run(&rows.from(encoded.rows), indexes, form, time_index, rest);
                encoded.rows += taken;
                encoded.measurements += taken;
                encoded.bytes += bytes;
                continue;
            }
        }
        plain -= 1;
        let at = encoded.rows;
        let Some(index) = indexes.index(rows.signal[at]) else {
            encoded.rows += 1;
            continue;
        };
        let ticks = rows.ticks(at);
        let mut record = [0; RECORD_BYTES];
        let mut flags = state_flags::to_compact(rows.flags[at]) | index_flag;
        if form.include_time {
            match run.and_then(|run| run.number(ticks)) {
                Some(offset) => {
                    flags |= COMPACT_BASE_TIME_OFFSET;
                    if form.milliseconds {
                        record[9..11].copy_from_slice(&(offset as u16).to_be_bytes());
                    } else {
                        record[9..13].copy_from_slice(&(offset as u32).to_be_bytes());
                    }
                }
                None => record[9..].copy_from_slice(&ticks.to_be_bytes()),
            }
        }
        let bytes = super::HEAD_BYTES + form.time_bytes(flags);
        let Some(place) = packet.get_mut(encoded.bytes..encoded.bytes + bytes) else {
            break;
        };
        record[0] = flags;
        record[1..5].copy_from_slice(&index.to_be_bytes());
        record[5..9].copy_from_slice(&value::narrow(rows.value[at]).to_be_bytes());
        place.copy_from_slice(&record[..bytes]);
        encoded.rows += 1;
        encoded.measurements += 1;
        encoded.bytes += bytes;
    }
    encoded
}

/// Encodes eight rows at a time as long as they fit and have no raw time, one time and no flags; says how many, and how
/// many bytes they are. What stops it is left to the caller.
#[allow(unsafe_code, reason = "a function compiled for a processor is called after asking which one it is")]
fn encode_run(
    rows: &MeasurementRows<'_>,
    indexes: &SignalIndexes,
    form: &TimeForm,
    time_index: bool,
    packet: &mut [u8],
) -> (usize, usize) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        let index = if time_index { COMPACT_TIME_INDEX } else { 0 };
        let is_offset = |run: &RunTime| run.number(rows.ticks(0)).is_some();
        // SAFETY: the processor has what the functions are compiled for.
        let (taken, time_bytes) = unsafe {
            match RunTime::offset(form, time_index).filter(is_offset) {
                None => (super::run_avx2::encode::<8>(rows, indexes, RunTime::full(form, index), packet), 8),
                Some(run) if form.milliseconds => (super::run_avx2::encode::<2>(rows, indexes, run, packet), 2),
                Some(run) => (super::run_avx2::encode::<4>(rows, indexes, run, packet), 4),
            }
        };
        return (taken, taken * (super::HEAD_BYTES + time_bytes));
    }
    let _ = (rows, indexes, form, time_index, packet);
    (0, 0)
}
