use crate::chp::{read_header, utf8};
use crate::encode::{encode_map, header, string, unsigned};
use crate::reader::Reader;
use crate::{EncodeError, Fault, Limits, Malformed, Profile, Timestamp, Value};

const CMDP1: &str = "CMDP\u{1}";

/// The levels of log messages, in rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// TRACE.
    Trace,
    /// DEBUG.
    Debug,
    /// INFO.
    Info,
    /// WARNING.
    Warning,
    /// STATUS.
    Status,
    /// CRITICAL.
    Critical,
}

impl Level {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Trace, "TRACE"),
        (Self::Debug, "DEBUG"),
        (Self::Info, "INFO"),
        (Self::Warning, "WARNING"),
        (Self::Status, "STATUS"),
        (Self::Critical, "CRITICAL"),
    ];

    /// The level of a name in capitals.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, text)| *text == name).map(|(level, _)| level)
    }

    /// The name in capitals.
    pub const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What a CMDP message carries.
#[derive(Clone, Debug, PartialEq)]
pub enum MonitoringBody {
    /// `LOG/<LEVEL>[/<TOPIC>]`.
    Log {
        /// Its level.
        level: Level,
        /// Its topic, empty where there is none.
        topic: String,
        /// The text.
        text: String,
    },
    /// `STAT/<NAME>`.
    Metric {
        /// Its name.
        name: String,
        /// Its value.
        value: Value,
        /// Reserved, 0.
        kind: u8,
        /// Its unit.
        unit: String,
    },
    /// `LOG?` or `STAT?`: what can be subscribed.
    Topics {
        /// Whether of logs, else of metrics.
        logs: bool,
        /// Names and descriptions.
        topics: Vec<(String, Value)>,
    },
}

/// A CMDP message.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitoring {
    /// The canonical name of its sender.
    pub sender: String,
    /// When it was sent.
    pub time: Timestamp,
    /// Tags.
    pub tags: Vec<(String, Value)>,
    /// What it carries.
    pub body: MonitoringBody,
}

impl Monitoring {
    /// Reads a message of three frames.
    pub fn decode(frames: &[&[u8]], limits: Limits) -> Result<Self, Malformed> {
        let [topic, head, payload] = frames else {
            return Err(Malformed { offset: 0, fault: Fault::Frames(frames.len()) });
        };
        let mut reader = Reader::new(head);
        let (sender, time) = read_header(&mut reader, CMDP1)?;
        let tags = Value::read_map(&mut reader, limits.depth)?;
        let topic = utf8(topic)?;
        let unknown = Malformed { offset: 0, fault: Fault::Unknown { what: "topic", value: topic.len() as u64 } };
        let body = match topic.as_str() {
            "LOG?" | "STAT?" => {
                let topics = Value::read_map(&mut Reader::new(payload), limits.depth)?;
                MonitoringBody::Topics { logs: topic == "LOG?", topics }
            }
            _ => match topic.split_once('/').ok_or(unknown)? {
                ("LOG", rest) => {
                    let (level, topic) = rest.split_once('/').unwrap_or((rest, ""));
                    let level = Level::from_name(level).ok_or(unknown)?;
                    MonitoringBody::Log { level, topic: topic.to_owned(), text: utf8(payload)? }
                }
                ("STAT", name) => {
                    let mut reader = Reader::new(payload);
                    let value = Value::read(&mut reader, limits.depth)?;
                    let kind = reader.byte_value()?;
                    MonitoringBody::Metric { name: name.to_owned(), value, kind, unit: reader.string()?.to_owned() }
                }
                _ => return Err(unknown),
            },
        };
        Ok(Self { sender, time, tags, body })
    }

    /// The frames, the topic first.
    pub fn encode(&self, profile: Profile) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut head = Vec::with_capacity(32 + self.sender.len());
        header(CMDP1, &self.sender, self.time, &mut head)?;
        encode_map(&self.tags, profile, &mut head)?;
        let mut payload = Vec::new();
        let topic = match &self.body {
            MonitoringBody::Log { level, topic, text } => {
                payload.extend_from_slice(text.as_bytes());
                if topic.is_empty() { format!("LOG/{}", level.name()) } else { format!("LOG/{}/{topic}", level.name()) }
            }
            MonitoringBody::Metric { name, value, kind, unit } => {
                value.encode(profile, &mut payload)?;
                unsigned(u64::from(*kind), &mut payload);
                string(unit, &mut payload)?;
                format!("STAT/{name}")
            }
            MonitoringBody::Topics { logs, topics } => {
                encode_map(topics, profile, &mut payload)?;
                if *logs { "LOG?" } else { "STAT?" }.to_owned()
            }
        };
        Ok(vec![topic.into_bytes(), head, payload])
    }
}
