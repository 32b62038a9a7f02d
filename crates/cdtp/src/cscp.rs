use crate::chp::read_header;
use crate::encode::{encode_map, header, string, unsigned};
use crate::reader::Reader;
use crate::{EncodeError, Fault, Limits, Malformed, Profile, Timestamp, Value};

const CSCP1: &str = "CSCP\u{1}";

/// What a CSCP message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verb {
    /// A command.
    Request = 0,
    /// Done, or begun.
    Success = 1,
    /// The command is known but not built.
    NotImplemented = 2,
    /// Arguments are missing or wrong.
    Incomplete = 3,
    /// Not allowed in this state.
    Invalid = 4,
    /// No such command.
    Unknown = 5,
    /// The command failed.
    Error = 6,
}

impl Verb {
    /// The verb of a number on the wire.
    pub const fn from_wire(value: u64) -> Option<Self> {
        Some(match value {
            0 => Self::Request,
            1 => Self::Success,
            2 => Self::NotImplemented,
            3 => Self::Incomplete,
            4 => Self::Invalid,
            5 => Self::Unknown,
            6 => Self::Error,
            _ => return None,
        })
    }
}

/// A CSCP message.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The name of its sender.
    pub sender: String,
    /// When it was sent.
    pub time: Timestamp,
    /// Tags.
    pub tags: Vec<(String, Value)>,
    /// What it is.
    pub verb: Verb,
    /// The command's name, or the answer's text.
    pub text: String,
    /// The third frame.
    pub payload: Option<Value>,
}

impl Control {
    /// Reads a message of two or three frames; an empty third one counts as none.
    pub fn decode(frames: &[&[u8]], limits: Limits) -> Result<Self, Malformed> {
        let (first, second, third) = match frames {
            [first, second] => (first, second, None),
            [first, second, third] => (first, second, Some(third)),
            _ => return Err(Malformed { offset: 0, fault: Fault::Frames(frames.len()) }),
        };
        let mut reader = Reader::new(first);
        let (sender, time) = read_header(&mut reader, CSCP1)?;
        let tags = Value::read_map(&mut reader, limits.depth)?;
        let mut reader = Reader::new(second);
        let number = reader.unsigned()?;
        let verb = Verb::from_wire(number)
            .ok_or(Malformed { offset: 0, fault: Fault::Unknown { what: "verb", value: number } })?;
        let text = reader.string()?.to_owned();
        let payload = third.filter(|bytes| !bytes.is_empty()).map(|bytes| Value::decode(bytes, limits)).transpose()?;
        Ok(Self { sender, time, tags, verb, text, payload: payload.map(|(value, _)| value) })
    }

    /// The frames.
    pub fn encode(&self, profile: Profile) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut first = Vec::with_capacity(32 + self.sender.len());
        header(CSCP1, &self.sender, self.time, &mut first)?;
        encode_map(&self.tags, profile, &mut first)?;
        let mut second = Vec::with_capacity(8 + self.text.len());
        unsigned(self.verb as u64, &mut second);
        string(&self.text, &mut second)?;
        let mut frames = vec![first, second];
        if let Some(payload) = &self.payload {
            let mut third = Vec::new();
            payload.encode(profile, &mut third)?;
            frames.push(third);
        }
        Ok(frames)
    }
}
