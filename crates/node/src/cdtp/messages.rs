//! The messages of discovery, heartbeats, control and monitoring.

use measurand_cdtp::{
    Beacon, BeaconError, BeaconKind, Control, Heartbeat, HeartbeatFlags, Level, Limits, Monitoring, MonitoringBody,
    Profile, Service, Value, Verb,
};
use napi::bindgen_prelude::{ClassInstance, Uint8Array};
use napi_derive::napi;

use super::value::{JsTimestamp, WireValue};
use super::{malformed, unwritable};
use crate::guard::{Result, error};

/// A CHIRP beacon.
#[napi(object)]
pub struct CdtpBeacon {
    /// 1 request, 2 offer, 3 depart.
    pub kind: u32,
    /// MD5 of the group's name.
    pub group: Uint8Array,
    /// MD5 of the host's name.
    pub host: Uint8Array,
    /// 1 control, 2 heartbeat, 3 monitoring, 4 data.
    pub service: u32,
    /// TCP port.
    pub port: u32,
}

/// Reads a CHIRP datagram.
#[napi(catch_unwind)]
pub fn decode_chirp(datagram: Uint8Array) -> Result<CdtpBeacon> {
    let beacon = Beacon::decode(&datagram).map_err(|reason| {
        let code = match reason {
            BeaconError::Length(_) => "ERR_CDTP_MESSAGE_LENGTH",
            BeaconError::Protocol => "ERR_CDTP_PROTOCOL_UNKNOWN",
            _ => "ERR_CDTP_NUMBER_UNKNOWN",
        };
        error(code, reason)
    })?;
    let bytes = |bytes: [u8; 16]| Uint8Array::new(bytes.to_vec());
    let (kind, service) = (beacon.kind as u32, beacon.service as u32);
    Ok(CdtpBeacon { kind, group: bytes(beacon.group), host: bytes(beacon.host), service, port: u32::from(beacon.port) })
}

/// The datagram of a CHIRP beacon.
#[napi(catch_unwind)]
pub fn encode_chirp(beacon: CdtpBeacon) -> Result<Uint8Array> {
    let unknown = |what: &str| error("ERR_CDTP_NUMBER_UNKNOWN", what);
    let kind = match beacon.kind {
        1 => BeaconKind::Request,
        2 => BeaconKind::Offer,
        3 => BeaconKind::Depart,
        _ => return Err(unknown("a beacon's kind")),
    };
    let service = match beacon.service {
        1 => Service::Control,
        2 => Service::Heartbeat,
        3 => Service::Monitoring,
        4 => Service::Data,
        _ => return Err(unknown("a service")),
    };
    let digest =
        |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map_err(|_| error("ERR_CDTP_MESSAGE_LENGTH", "an MD5 has 16 bytes"));
    let port = u16::try_from(beacon.port).map_err(|_| unknown("a port"))?;
    let beacon = Beacon { kind, group: digest(&beacon.group)?, host: digest(&beacon.host)?, service, port };
    Ok(Uint8Array::new(beacon.encode().to_vec()))
}

fn slices(frames: &[Uint8Array]) -> Vec<&[u8]> {
    frames.iter().map(|frame| &**frame).collect()
}

fn arrays(frames: Vec<Vec<u8>>) -> Vec<Uint8Array> {
    frames.into_iter().map(Uint8Array::new).collect()
}

/// A CHP message.
#[napi(object, object_from_js = false)]
pub struct ChpHeartbeat {
    /// Canonical name.
    pub sender: String,
    /// When it was sent.
    pub time: JsTimestamp,
    /// The state's number.
    pub state: u32,
    /// The flags' bits.
    pub flags: u32,
    /// Milliseconds until the next at the latest.
    pub interval: u32,
    /// The status text.
    pub status: Option<String>,
}

/// Reads a CHP message.
#[napi(catch_unwind)]
pub fn decode_chp(frames: Vec<Uint8Array>) -> Result<ChpHeartbeat> {
    let heartbeat = Heartbeat::decode(&slices(&frames)).map_err(malformed)?;
    Ok(ChpHeartbeat {
        sender: heartbeat.sender,
        time: heartbeat.time.into(),
        state: u32::from(heartbeat.state),
        flags: u32::from(heartbeat.flags.0),
        interval: u32::from(heartbeat.interval_ms),
        status: heartbeat.status,
    })
}

/// The frames of a CHP message; numbers beyond their width are refused.
#[napi(catch_unwind)]
pub fn encode_chp(
    sender: String,
    time: ClassInstance<'_, JsTimestamp>,
    state: u32,
    flags: u32,
    interval: u32,
    status: Option<String>,
) -> Result<Vec<Uint8Array>> {
    let (Ok(state), Ok(flags), Ok(interval_ms)) = (u8::try_from(state), u8::try_from(flags), u16::try_from(interval))
    else {
        return Err(error("ERR_CDTP_NUMBER_UNKNOWN", "a state, flags or interval out of range"));
    };
    let heartbeat =
        Heartbeat { sender, time: (&*time).into(), state, flags: HeartbeatFlags(flags), interval_ms, status };
    heartbeat.encode().map(arrays).map_err(unwritable)
}

/// A CSCP message.
#[napi(object, object_from_js = false)]
pub struct CscpMessage {
    /// The sender's name.
    pub sender: String,
    /// When it was sent.
    pub time: JsTimestamp,
    /// Tags.
    #[napi(ts_type = "unknown")]
    pub tags: WireValue,
    /// 0 request, 1 success, 2 not implemented, 3 incomplete, 4 invalid, 5 unknown, 6 error.
    pub verb: u32,
    /// The command, or the answer's text.
    pub text: String,
    /// The third frame.
    #[napi(ts_type = "unknown")]
    pub payload: Option<WireValue>,
}

/// Reads a CSCP message.
#[napi(catch_unwind)]
pub fn decode_cscp(frames: Vec<Uint8Array>) -> Result<CscpMessage> {
    let message = Control::decode(&slices(&frames), Limits::default()).map_err(malformed)?;
    Ok(CscpMessage {
        sender: message.sender,
        time: message.time.into(),
        tags: WireValue(Value::Map(message.tags)),
        verb: message.verb as u32,
        text: message.text,
        payload: message.payload.map(WireValue),
    })
}

/// The frames of a CSCP message; a payload that is `undefined` gives two.
#[napi(
    catch_unwind,
    ts_args_type = "sender: string, time: CdtpTimestamp, tags: unknown, verb: number, text: string, payload: unknown, hasPayload: boolean"
)]
pub fn encode_cscp(
    sender: String,
    time: ClassInstance<'_, JsTimestamp>,
    tags: WireValue,
    verb: u32,
    text: String,
    payload: WireValue,
    has_payload: bool,
) -> Result<Vec<Uint8Array>> {
    let verb =
        Verb::from_wire(u64::from(verb)).ok_or_else(|| error("ERR_CDTP_NUMBER_UNKNOWN", format!("verb {verb}")))?;
    let tags = tags.into_map().map_err(|reason| error("ERR_CDTP_VALUE_TYPE", reason.reason.clone()))?;
    let message =
        Control { sender, time: (&*time).into(), tags, verb, text, payload: has_payload.then_some(payload.0) };
    message.encode(Profile::Full).map(arrays).map_err(unwritable)
}

/// A CMDP message.
#[napi(object, object_from_js = false)]
pub struct CmdpMessage {
    /// `log`, `metric`, `log-topics` or `metric-topics`.
    pub kind: String,
    /// Canonical name.
    pub sender: String,
    /// When it was sent.
    pub time: JsTimestamp,
    /// Tags.
    #[napi(ts_type = "unknown")]
    pub tags: WireValue,
    /// A log's level.
    pub level: Option<String>,
    /// A log's topic or a metric's name.
    pub topic: String,
    /// A log's text, a metric's value, the topics with their descriptions.
    #[napi(ts_type = "unknown")]
    pub value: WireValue,
    /// A metric's unit.
    pub unit: Option<String>,
}

/// Reads a CMDP message.
#[napi(catch_unwind)]
pub fn decode_cmdp(frames: Vec<Uint8Array>) -> Result<CmdpMessage> {
    let message = Monitoring::decode(&slices(&frames), Limits::default()).map_err(malformed)?;
    let (kind, level, topic, value, unit) = match message.body {
        MonitoringBody::Log { level, topic, text } => {
            ("log", Some(level.name().to_owned()), topic, Value::String(text), None)
        }
        MonitoringBody::Metric { name, value, unit, .. } => ("metric", None, name, value, Some(unit)),
        MonitoringBody::Topics { logs, topics } => {
            (if logs { "log-topics" } else { "metric-topics" }, None, String::new(), Value::Map(topics), None)
        }
    };
    let (sender, time, tags) = (message.sender, message.time.into(), WireValue(Value::Map(message.tags)));
    Ok(CmdpMessage { kind: kind.to_owned(), sender, time, tags, level, topic, value: WireValue(value), unit })
}

/// The frames of a log message.
#[napi(catch_unwind)]
pub fn encode_cmdp_log(
    sender: String,
    time: ClassInstance<'_, JsTimestamp>,
    level: String,
    topic: String,
    text: String,
) -> Result<Vec<Uint8Array>> {
    let level = Level::from_name(&level).ok_or_else(|| error("ERR_CDTP_NUMBER_UNKNOWN", format!("level {level}")))?;
    encode_monitoring(sender, &time, MonitoringBody::Log { level, topic, text })
}

/// The frames of a metric.
#[napi(catch_unwind, ts_args_type = "sender: string, time: CdtpTimestamp, name: string, value: unknown, unit: string")]
pub fn encode_cmdp_metric(
    sender: String,
    time: ClassInstance<'_, JsTimestamp>,
    name: String,
    value: WireValue,
    unit: String,
) -> Result<Vec<Uint8Array>> {
    encode_monitoring(sender, &time, MonitoringBody::Metric { name, value: value.0, kind: 0, unit })
}

/// The frames that say which topics there are.
#[napi(catch_unwind, ts_args_type = "sender: string, time: CdtpTimestamp, logs: boolean, topics: unknown")]
pub fn encode_cmdp_topics(
    sender: String,
    time: ClassInstance<'_, JsTimestamp>,
    logs: bool,
    topics: WireValue,
) -> Result<Vec<Uint8Array>> {
    let topics = topics.into_map().map_err(|reason| error("ERR_CDTP_VALUE_TYPE", reason.reason.clone()))?;
    encode_monitoring(sender, &time, MonitoringBody::Topics { logs, topics })
}

fn encode_monitoring(sender: String, time: &JsTimestamp, body: MonitoringBody) -> Result<Vec<Uint8Array>> {
    let message = Monitoring { sender, time: time.into(), tags: Vec::new(), body };
    message.encode(Profile::Full).map(arrays).map_err(unwritable)
}
