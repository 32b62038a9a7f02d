use measurand_sttp::{
    BaseTimes, BufferBlock, CacheRecord, CipherKey, CipherKeys, CommandCode, Event, Loss, LossCause, Message, Response,
    ResponseCode, SignalIndexCache, Uuid,
};
use napi::bindgen_prelude::{BigInt, BigUint64Array, Buffer, Error, Int32Array};
use napi_derive::napi;

use crate::guard::{Code, Result, error};

/// A response, or what else a downlink tells; which fields there are is told by `type`.
#[napi(object)]
#[derive(Default)]
pub struct SttpControl {
    /// `succeeded`, `failed`, `metadata`, `signalIndexCache`, `baseTimes`, `cipherKeys`, `dataStartTime`,
    /// `processingComplete`, `bufferBlock`, `notification`, `configurationChanged`, `userResponse`, `noOp`, `other`,
    /// `packet`, `loss` or `quirk`.
    pub r#type: String,
    /// Byte of the stream at which its frame begins.
    pub offset: Option<f64>,
    /// Bytes of the frame with its length.
    pub length: Option<f64>,
    /// succeeded, failed, other: the command that it answers.
    pub command: Option<u32>,
    /// other: the response.
    pub code: Option<u32>,
    /// succeeded, failed, processingComplete, notification
    pub text: Option<String>,
    /// metadata, bufferBlock, userResponse, other
    pub payload: Option<Buffer>,
    /// signalIndexCache: 0 or 1.
    pub cache_index: Option<u32>,
    /// signalIndexCache: 16 bytes.
    pub subscriber_id: Option<Buffer>,
    /// signalIndexCache: wire indexes.
    pub indexes: Option<Int32Array>,
    /// signalIndexCache: 16 bytes a record.
    pub signal_ids: Option<Buffer>,
    /// signalIndexCache: first halves of the measurement keys.
    pub sources: Option<Vec<String>>,
    /// signalIndexCache: second halves of the measurement keys.
    pub key_ids: Option<BigUint64Array>,
    /// signalIndexCache: 16 bytes a signal.
    pub unauthorized: Option<Buffer>,
    /// baseTimes: which of the two is used.
    pub time_index: Option<u32>,
    /// baseTimes
    pub base_times: Option<Vec<BigInt>>,
    /// cipherKeys: which pair is used.
    pub active: Option<u32>,
    /// cipherKeys: key and IV of the even pair, then of the odd one.
    pub keys: Option<Vec<Buffer>>,
    /// dataStartTime
    pub ticks: Option<BigInt>,
    /// bufferBlock, packet
    pub sequence: Option<u32>,
    /// bufferBlock, packet
    pub flags: Option<u32>,
    /// bufferBlock: wire index.
    pub index: Option<i32>,
    /// notification
    pub hash: Option<u32>,
    /// userResponse: 0 to 15.
    pub number: Option<u32>,
    /// packet: measurements as it says.
    pub count: Option<u32>,
    /// loss: `duplicate`, `missing`, `undecodable`, `unknown-cache` or `unknown-signal`.
    pub cause: Option<String>,
    /// loss: number of the first TSSC packet.
    pub first_sequence: Option<u32>,
    /// loss: number of the last TSSC packet.
    pub last_sequence: Option<u32>,
    /// loss
    pub packets: Option<u32>,
    /// loss: measurements, if the packets say it.
    pub measurements: Option<f64>,
    /// loss: bytes of the frames that came.
    pub bytes: Option<f64>,
    /// quirk: its name.
    pub quirk: Option<String>,
}

pub(super) fn from_message(message: Message) -> SttpControl {
    let control = match message.event {
        Event::Loss(loss) => from_loss(&loss),
        Event::Packet { flags, count, sequence } => SttpControl {
            flags: Some(flags.into()),
            count: Some(count),
            sequence: sequence.map(u32::from),
            ..of("packet")
        },
        Event::Quirk(quirk) => SttpControl { quirk: Some(quirk.name().to_owned()), ..of("quirk") },
        Event::Response(response) => from_response(response),
        _ => of("other"),
    };
    SttpControl { offset: Some(message.offset as f64), length: Some(message.length as f64), ..control }
}

fn of(name: &str) -> SttpControl {
    SttpControl { r#type: name.to_owned(), ..SttpControl::default() }
}

fn from_loss(loss: &Loss) -> SttpControl {
    let cause = match loss.cause {
        LossCause::Duplicate => "duplicate",
        LossCause::Missing => "missing",
        LossCause::UnknownCache => "unknown-cache",
        LossCause::UnknownSignal => "unknown-signal",
        _ => "undecodable",
    };
    SttpControl {
        cause: Some(cause.to_owned()),
        first_sequence: loss.sequences.map(|(first, _)| first.into()),
        last_sequence: loss.sequences.map(|(_, last)| last.into()),
        packets: Some(loss.packets),
        measurements: loss.measurements.map(|count| count as f64),
        bytes: Some(loss.bytes as f64),
        ..of("loss")
    }
}

fn from_response(response: Response) -> SttpControl {
    match response {
        Response::Succeeded { command, text } => {
            SttpControl { command: Some(command.0.into()), text: Some(text), ..of("succeeded") }
        }
        Response::Failed { command, text } => {
            SttpControl { command: Some(command.0.into()), text: Some(text), ..of("failed") }
        }
        Response::Metadata(payload) => SttpControl { payload: Some(payload.into()), ..of("metadata") },
        Response::SignalIndexCache { cache_index, cache } => from_cache(cache_index, &cache),
        Response::BaseTimes(BaseTimes { time_index, ticks }) => SttpControl {
            time_index: Some(time_index),
            base_times: Some(ticks.map(BigInt::from).into()),
            ..of("baseTimes")
        },
        Response::CipherKeys(keys) => SttpControl {
            active: Some(keys.active.into()),
            keys: Some(keys.pairs.into_iter().flat_map(|pair| [pair.key.into(), pair.iv.into()]).collect()),
            ..of("cipherKeys")
        },
        Response::DataStartTime(ticks) => SttpControl { ticks: Some(ticks.into()), ..of("dataStartTime") },
        Response::ProcessingComplete(text) => SttpControl { text: Some(text), ..of("processingComplete") },
        Response::BufferBlock(block) => SttpControl {
            sequence: Some(block.sequence),
            flags: Some(block.flags.into()),
            index: Some(block.index),
            payload: Some(block.payload.into()),
            ..of("bufferBlock")
        },
        Response::Notification { hash, text } => {
            SttpControl { hash: Some(hash), text: Some(text), ..of("notification") }
        }
        Response::ConfigurationChanged => of("configurationChanged"),
        Response::UserResponse { number, command, payload } => SttpControl {
            number: Some(number.into()),
            command: Some(command.0.into()),
            payload: Some(payload.into()),
            ..of("userResponse")
        },
        Response::NoOp => of("noOp"),
        Response::Other { code, command, payload } => SttpControl {
            code: Some(code.0.into()),
            command: Some(command.0.into()),
            payload: Some(payload.into()),
            ..of("other")
        },
        _ => of("other"),
    }
}

fn from_cache(cache_index: u8, cache: &SignalIndexCache) -> SttpControl {
    let SignalIndexCache { subscriber_id, records, unauthorized } = cache;
    let ids: Vec<u8> = records.iter().flat_map(|record| record.signal_id.into_bytes()).collect();
    let key_ids: Vec<u64> = records.iter().map(|record| record.key_id).collect();
    let indexes: Vec<i32> = records.iter().map(|record| record.index).collect();
    let unauthorized: Vec<u8> = unauthorized.iter().flat_map(|id| id.into_bytes()).collect();
    SttpControl {
        cache_index: Some(cache_index.into()),
        subscriber_id: Some(subscriber_id.as_bytes().to_vec().into()),
        indexes: Some(indexes.into()),
        signal_ids: Some(ids.into()),
        sources: Some(records.iter().map(|record| record.source.clone()).collect()),
        key_ids: Some(key_ids.into()),
        unauthorized: Some(unauthorized.into()),
        ..of("signalIndexCache")
    }
}

impl TryFrom<SttpControl> for Response {
    type Error = Error<Code>;

    fn try_from(control: SttpControl) -> Result<Self> {
        let lacks = |field: &str| error("ERR_STTP_RESPONSE_FIELD", format!("{} needs {field}", control.r#type));
        let command = || control.command.map(|code| CommandCode(code as u8)).ok_or_else(|| lacks("command"));
        let text = || control.text.clone().unwrap_or_default();
        let payload = || control.payload.as_ref().map(|bytes| bytes.to_vec()).unwrap_or_default();
        Ok(match control.r#type.as_str() {
            "succeeded" => Self::Succeeded { command: command()?, text: text() },
            "failed" => Self::Failed { command: command()?, text: text() },
            "metadata" => Self::Metadata(payload()),
            "signalIndexCache" => Self::SignalIndexCache {
                cache_index: u8::from(control.cache_index.unwrap_or(0) != 0),
                cache: to_cache(&control)
                    .ok_or_else(|| lacks("signalIds of 16 bytes, and sources and keyIds for each"))?,
            },
            "baseTimes" => {
                let Some([first, second]) = control.base_times.as_deref() else {
                    return Err(lacks("baseTimes, two of them"));
                };
                let ticks = [first.get_u64().1, second.get_u64().1];
                Self::BaseTimes(BaseTimes { time_index: control.time_index.unwrap_or(0), ticks })
            }
            "cipherKeys" => {
                let Some([even, even_iv, odd, odd_iv]) = control.keys.as_deref() else {
                    return Err(lacks("keys, four of them"));
                };
                let pair = |key: &Buffer, iv: &Buffer| CipherKey { key: key.to_vec(), iv: iv.to_vec() };
                let active = control.active.unwrap_or(0) as u8;
                Self::CipherKeys(CipherKeys { active, pairs: [pair(even, even_iv), pair(odd, odd_iv)] })
            }
            "dataStartTime" => Self::DataStartTime(control.ticks.as_ref().ok_or_else(|| lacks("ticks"))?.get_u64().1),
            "processingComplete" => Self::ProcessingComplete(text()),
            "bufferBlock" => Self::BufferBlock(BufferBlock {
                sequence: control.sequence.unwrap_or(0),
                flags: control.flags.unwrap_or(0) as u8,
                index: control.index.ok_or_else(|| lacks("index"))?,
                payload: payload(),
            }),
            "notification" => Self::Notification { hash: control.hash.ok_or_else(|| lacks("hash"))?, text: text() },
            "configurationChanged" => Self::ConfigurationChanged,
            "userResponse" => {
                let number = control.number.unwrap_or(0) as u8 & 15;
                let command = control.command.map_or(0xD0 | number, |code| code as u8);
                Self::UserResponse { number, command: CommandCode(command), payload: payload() }
            }
            "noOp" => Self::NoOp,
            "other" => Self::Other {
                code: control.code.map(|code| ResponseCode(code as u8)).ok_or_else(|| lacks("code"))?,
                command: command()?,
                payload: payload(),
            },
            _ => return Err(lacks("a type that can be sent")),
        })
    }
}

/// The cache of the fields; without `indexes` the records are numbered from 0.
fn to_cache(control: &SttpControl) -> Option<SignalIndexCache> {
    let (ids, sources, key_ids) = (control.signal_ids.as_ref()?, control.sources.as_ref()?, control.key_ids.as_ref()?);
    let (ids, rest) = ids.as_chunks::<16>();
    let indexes = control.indexes.as_deref();
    let fits = rest.is_empty()
        && sources.len() == ids.len()
        && key_ids.len() == ids.len()
        && indexes.is_none_or(|indexes| indexes.len() == ids.len() && indexes.iter().all(|&index| index >= 0));
    let records = ids.iter().zip(sources).zip(key_ids.iter()).enumerate().map(|(place, ((id, source), &key_id))| {
        let index = indexes.map_or(place as i32, |indexes| indexes.get(place).copied().unwrap_or(0));
        CacheRecord { index, signal_id: Uuid::from_bytes(*id), source: source.clone(), key_id }
    });
    let subscriber_id = control.subscriber_id.as_deref().unwrap_or(&[0; 16]).first_chunk::<16>()?;
    let (unauthorized, _) = control.unauthorized.as_deref().unwrap_or(&[]).as_chunks::<16>();
    fits.then(|| SignalIndexCache {
        subscriber_id: Uuid::from_bytes(*subscriber_id),
        records: records.collect(),
        unauthorized: unauthorized.iter().map(|id| Uuid::from_bytes(*id)).collect(),
    })
}
