//! Constellation: the index of data messages and their books; beside it the other messages and the values.

mod memory;
mod messages;
mod value;

use measurand_cdtp::{
    Anomaly, EncodeError, Fault, Indexer, Limits, Malformed, MessageIndex, MessageType, NewRecord, Outcome, Profile,
    RunCondition, SequenceAccount, Value, encode_message, record_times,
};
use napi::bindgen_prelude::{BigInt, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};
use value::WireValue;

/// The code of each way in which bytes are wrong.
const fn code_of(fault: Fault) -> &'static str {
    match fault {
        Fault::BlockType => "ERR_CDTP_BLOCK_TYPE",
        Fault::BlockLimit(_) => "ERR_CDTP_BLOCK_LIMIT",
        Fault::Depth(_) => "ERR_CDTP_VALUE_DEPTH",
        Fault::Frames(_) => "ERR_CDTP_MESSAGE_FRAMES",
        Fault::Integer(_) => "ERR_CDTP_INTEGER_TYPE",
        Fault::KeyType => "ERR_CDTP_KEY_TYPE",
        Fault::Length(_) => "ERR_CDTP_MESSAGE_LENGTH",
        Fault::Protocol => "ERR_CDTP_PROTOCOL_UNKNOWN",
        Fault::ProtocolRetired => "ERR_CDTP_PROTOCOL_RETIRED",
        Fault::RecordCount(_) => "ERR_CDTP_RECORD_COUNT",
        Fault::RecordFields(_) => "ERR_CDTP_RECORD_FIELDS",
        Fault::Truncated => "ERR_CDTP_MESSAGE_TRUNCATED",
        Fault::Unknown { .. } => "ERR_CDTP_NUMBER_UNKNOWN",
        Fault::Utf8 => "ERR_CDTP_STRING_UTF8",
        _ => "ERR_CDTP_VALUE_TYPE",
    }
}

fn malformed(malformed: Malformed) -> napi::Error<crate::guard::Code> {
    error(code_of(malformed.fault), malformed)
}

fn unwritable(reason: EncodeError) -> napi::Error<crate::guard::Code> {
    error("ERR_CDTP_VALUE_PORTABLE", reason)
}

const fn profile(portable: bool) -> Profile {
    if portable { Profile::Portable } else { Profile::Full }
}

fn message_type(kind: u32) -> Result<MessageType> {
    MessageType::from_wire(u64::from(kind))
        .ok_or_else(|| error("ERR_CDTP_NUMBER_UNKNOWN", format!("message type {kind}")))
}

/// Bytes that an index of so many records and blocks takes.
#[napi(catch_unwind)]
pub fn cdtp_index_bytes(records: u32, blocks: u32) -> u32 {
    u32::try_from(MessageIndex::byte_length(records, blocks)).unwrap_or(u32::MAX)
}

/// Writes the header of an empty index into `bytes`.
#[napi(catch_unwind)]
pub fn format_cdtp_index(mut bytes: Uint8Array, records: u32, blocks: u32) -> Result<()> {
    // SAFETY: the caller (ts/cdtp/message-index.ts) made the buffer, and no other thread has it.
    let bytes = unsafe { bytes.as_mut() };
    MessageIndex::format(bytes, records, blocks).map_err(|reason| error("ERR_CDTP_INDEX_BYTES", reason))
}

/// Where a message is malformed.
#[napi(object)]
pub struct CdtpFault {
    /// `ERR_CDTP_...`.
    pub code: String,
    /// What is wrong, for people.
    pub reason: String,
    /// Bytes from the message's begin.
    pub offset: u32,
}

/// Turns messages into indexes.
#[napi]
pub struct CdtpIndexer {
    state: Guarded<(Indexer, Option<Malformed>)>,
}

#[napi]
impl CdtpIndexer {
    /// @param messageBytes the longest message taken
    #[napi(constructor, catch_unwind)]
    pub fn new(message_bytes: u32) -> Self {
        let limits = Limits { message_bytes: message_bytes as usize, ..Limits::default() };
        Self { state: Guarded::new((Indexer::new(limits), None)) }
    }

    /// Fills the index: 0 with all records, 1 as far as there is room (call again with the same message), 3 with none,
    /// as the message is malformed.
    #[napi(catch_unwind)]
    pub fn index(&mut self, message: &[u8], mut index: Uint8ArraySlice<'_>) -> Result<u32> {
        self.state.call(|(indexer, fault)| {
            // SAFETY: as in `format_cdtp_index`.
            let bytes = unsafe { index.as_mut() };
            let mut index = MessageIndex::open(bytes).map_err(|reason| error("ERR_CDTP_INDEX_BYTES", reason))?;
            Ok(match indexer.index(message, &mut index) {
                Ok(Outcome::Done) => 0,
                Ok(Outcome::Full) => 1,
                Err(malformed) => {
                    *fault = Some(malformed);
                    3
                }
            })
        })
    }

    /// What was wrong with the last message, once.
    #[napi(catch_unwind)]
    pub fn take_error(&mut self) -> Result<Option<CdtpFault>> {
        self.state.call(|(_, fault)| {
            Ok(fault.take().map(|malformed| CdtpFault {
                code: code_of(malformed.fault).to_owned(),
                reason: malformed.to_string(),
                offset: malformed.offset as u32,
            }))
        })
    }
}

/// A range of sequence numbers that did not come as the next ones.
#[napi(object)]
pub struct CdtpAnomaly {
    /// 0 gap, 1 duplicate, 2 late.
    pub kind: u8,
    /// The first number.
    pub first: BigInt,
    /// The last number.
    pub last: BigInt,
}

/// The books of one sender's run.
#[napi]
pub struct CdtpSequenceAccount {
    state: Guarded<SequenceAccount>,
}

#[napi]
impl CdtpSequenceAccount {
    /// Books of a run that has not begun.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self { state: Guarded::new(SequenceAccount::new()) }
    }

    /// Takes the records of an index; whether there are anomalies to take.
    #[napi(catch_unwind)]
    pub fn observe(&mut self, mut index: Uint8ArraySlice<'_>) -> Result<bool> {
        self.state.call(|account| {
            // SAFETY: as in `format_cdtp_index`.
            let bytes = unsafe { index.as_mut() };
            let index = MessageIndex::open(bytes).map_err(|reason| error("ERR_CDTP_INDEX_BYTES", reason))?;
            let sequences = index.sequences();
            match sequences.first() {
                Some(first) if index.is_consecutive() => account.observe_range(*first, sequences.len() as u64),
                _ => sequences.iter().for_each(|number| account.observe(*number)),
            }
            Ok(account.has_anomaly())
        })
    }

    /// Takes the sender's word for the last number that it handed out; whether there are anomalies to take.
    #[napi(catch_unwind)]
    pub fn close(&mut self, last: BigInt) -> Result<bool> {
        self.state.call(|account| {
            account.close(last.get_u64().1);
            Ok(account.has_anomaly())
        })
    }

    /// Takes up to 1,024 anomalies, the oldest first.
    #[napi(catch_unwind)]
    pub fn take_anomalies(&mut self) -> Result<Vec<CdtpAnomaly>> {
        self.state.call(|account| {
            let js = |Anomaly { kind, first, last }: Anomaly| CdtpAnomaly {
                kind: kind as u8,
                first: first.into(),
                last: last.into(),
            };
            Ok(std::iter::from_fn(|| account.take_anomaly()).take(1024).map(js).collect())
        })
    }

    /// The highest number seen.
    #[napi(getter, catch_unwind)]
    pub fn highest(&mut self) -> Result<BigInt> {
        self.state.call(|account| Ok(account.highest().into()))
    }

    /// Numbers up to the highest that have not come.
    #[napi(getter, catch_unwind)]
    pub fn missing(&mut self) -> Result<BigInt> {
        self.state.call(|account| Ok(account.missing().into()))
    }

    /// Records that had come before.
    #[napi(getter, catch_unwind)]
    pub fn duplicates(&mut self) -> Result<BigInt> {
        self.state.call(|account| Ok(account.duplicates().into()))
    }
}

/// A message of type BOR (1) or EOR (2) with its two maps, both encoded.
#[napi(catch_unwind)]
pub fn encode_cdtp_run_message(
    sender: String,
    kind: u32,
    user_tags: Uint8Array,
    run: Uint8Array,
) -> Result<Uint8Array> {
    let record = |sequence, tags| NewRecord { sequence, tags, blocks: &[] };
    encode_message(&sender, message_type(kind)?, &[record(0, &user_tags), record(1, &run)])
        .map(Uint8Array::new)
        .map_err(unwritable)
}

/// Encodes a value; `portable` writes only what the C++ framework reads.
#[napi(catch_unwind, ts_args_type = "value: unknown, portable: boolean")]
pub fn encode_cdtp_value(value: WireValue, portable: bool) -> Result<Uint8Array> {
    let mut out = Vec::new();
    value.0.encode(profile(portable), &mut out).map_err(unwritable)?;
    Ok(Uint8Array::new(out))
}

/// Decodes a value.
#[napi(catch_unwind, ts_return_type = "unknown")]
pub fn decode_cdtp_value(bytes: Uint8Array) -> Result<WireValue> {
    Value::decode(&bytes, Limits::default()).map(|(value, _)| WireValue(value)).map_err(malformed)
}

/// The names of a condition's bits.
#[napi(catch_unwind)]
pub fn cdtp_run_condition_name(code: BigInt) -> String {
    RunCondition(code.get_u64().1).to_string()
}

/// Copies the tags of all records, then all blocks, one behind the other, into `out`.
#[napi(catch_unwind)]
pub fn gather_cdtp_records(message: Uint8Array, mut index: Uint8Array, mut out: Uint8Array) -> Result<()> {
    // SAFETY: as in `format_cdtp_index`; `out` is a buffer that ts/cdtp/record-batch.ts made for this call.
    let (bytes, out) = unsafe { (index.as_mut(), out.as_mut()) };
    let index = MessageIndex::open(bytes).map_err(|reason| error("ERR_CDTP_INDEX_BYTES", reason))?;
    let tags = index.tags_offset.iter().zip(&*index.tags_length).take(index.records());
    let blocks = index.block_offset.iter().zip(&*index.block_length).take(index.blocks());
    let mut rest = out;
    for (offset, length) in tags.chain(blocks) {
        let source = message.get(*offset as usize..).and_then(|from| from.get(..*length as usize));
        let target = rest.split_at_mut_checked(*length as usize);
        let (Some(source), Some((target, behind))) = (source, target) else {
            return Err(error("ERR_CDTP_INDEX_BYTES", "the index is of another message"));
        };
        target.copy_from_slice(source);
        rest = behind;
    }
    Ok(())
}

/// Writes the times that the tags say: for n records `time` (i64 ns), `begin` and `end` (u64 ps), n each, then n bytes
/// of which bits 0, 1, 2 say what is there.
#[napi(catch_unwind)]
pub fn cdtp_record_times(message: Uint8Array, mut index: Uint8Array, mut out: Uint8Array) -> Result<()> {
    // SAFETY: as in `gather_cdtp_records`.
    let (bytes, out) = unsafe { (index.as_mut(), out.as_mut()) };
    let index = MessageIndex::open(bytes).map_err(|reason| error("ERR_CDTP_INDEX_BYTES", reason))?;
    let count = index.records();
    if out.len() < 25 * count {
        return Err(error("ERR_CDTP_INDEX_BYTES", "too few bytes for the times"));
    }
    for record in 0..count {
        let (offset, length) = (index.tags_offset[record] as usize, index.tags_length[record] as usize);
        let tags = message.get(offset..).and_then(|from| from.get(..length)).unwrap_or_default();
        let times = if length <= 1 {
            measurand_cdtp::RecordTimes::default()
        } else {
            record_times(tags, Limits::default()).map_err(malformed)?
        };
        let mut put = |column: usize, value: Option<u64>| {
            let at = 8 * (column * count + record);
            out[at..at + 8].copy_from_slice(&value.unwrap_or(0).to_le_bytes());
            u8::from(value.is_some()) << column
        };
        let bits = put(0, times.time.map(i64::cast_unsigned)) | put(1, times.begin_ps) | put(2, times.end_ps);
        out[24 * count + record] = bits;
    }
    Ok(())
}
