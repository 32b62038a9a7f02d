use super::{MILLISECOND, RECORD_BYTES, TimeForm};
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
    let base = form.base_times[usize::from(time_index)];
    let index_flag = if time_index { COMPACT_TIME_INDEX } else { 0 };
    let mut encoded = Encoded::default();
    // After a row that the run below has to leave, the next try is worth its cost only some rows later.
    let mut plain = 0;
    while encoded.rows < len {
        if plain == 0 {
            plain = 8;
            if base == 0 && form.include_time && rows.raw_time.is_empty() {
                let rest = packet.get_mut(encoded.bytes..).unwrap_or_default();
                let taken = encode_run(&rows.from(encoded.rows), indexes, index_flag, rest);
                encoded.rows += taken;
                encoded.measurements += taken;
                encoded.bytes += taken * RECORD_BYTES;
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
            match offset(ticks, base, form.milliseconds) {
                Some(offset) => {
                    flags |= COMPACT_BASE_TIME_OFFSET;
                    if form.milliseconds {
                        record[9..11].copy_from_slice(&(offset as u16).to_be_bytes());
                    } else {
                        record[9..13].copy_from_slice(&offset.to_be_bytes());
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

/// The offset of a time from its base in the form's unit; `None` where it has to be sent in full.
fn offset(ticks: u64, base: u64, milliseconds: bool) -> Option<u32> {
    let offset = (base > 0).then(|| ticks.checked_sub(base))?.filter(|&offset| offset > 0)?;
    let (offset, limit) =
        if milliseconds { (offset / MILLISECOND, u64::from(u16::MAX)) } else { (offset, u64::from(u32::MAX)) };
    (offset < limit).then_some(offset as u32)
}

/// Encodes eight rows at a time as long as they fit and have no raw time, one time and no flags, and says how many; what
/// stops it is left to the caller.
#[allow(unsafe_code, reason = "a function compiled for a processor is called after asking which one it is")]
fn encode_run(rows: &MeasurementRows<'_>, indexes: &SignalIndexes, flags: u8, packet: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { super::run_avx2::encode(rows, indexes, flags, packet) };
    }
    let _ = (rows, indexes, flags, packet);
    0
}
