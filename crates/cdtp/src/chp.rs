use crate::encode::{header, unsigned};
use crate::reader::Reader;
use crate::{EncodeError, Fault, Limits, Malformed, Timestamp, Value};

const CHP1: &str = "CHP\u{1}";

/// The flags of a heartbeat: what its sender's loss shall mean to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeartbeatFlags(pub u8);

impl HeartbeatFlags {
    /// An orderly departure interrupts as well.
    pub const DENY_DEPARTURE: Self = Self(0x01);
    /// Its loss interrupts the others.
    pub const TRIGGER_INTERRUPT: Self = Self(0x02);
    /// Its loss marks a run as degraded.
    pub const MARK_DEGRADED: Self = Self(0x04);
    /// Sent because the state changed, not because it was time.
    pub const IS_EXTRASYSTOLE: Self = Self(0x80);
}

/// A CHP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The canonical name of its sender.
    pub sender: String,
    /// When it was sent.
    pub time: Timestamp,
    /// The sender's state; numbers that [`crate::SatelliteState`] does not have are kept.
    pub state: u8,
    /// What its loss means.
    pub flags: HeartbeatFlags,
    /// Milliseconds until the next one at the latest.
    pub interval_ms: u16,
    /// The status text.
    pub status: Option<String>,
}

impl Heartbeat {
    /// Reads a message of one or two frames.
    pub fn decode(frames: &[&[u8]]) -> Result<Self, Malformed> {
        let (Some(first), true) = (frames.first(), frames.len() <= 2) else {
            return Err(Malformed { offset: 0, fault: Fault::Frames(frames.len()) });
        };
        let mut reader = Reader::new(first);
        let (sender, time) = read_header(&mut reader, CHP1)?;
        let state = reader.byte_value()?;
        let flags = HeartbeatFlags(reader.byte_value()?);
        let start = reader.position();
        let interval_ms =
            u16::try_from(reader.unsigned()?).map_err(|_| Malformed { offset: start, fault: Fault::Integer(0xce) })?;
        let status = frames.get(1).map(|text| utf8(text)).transpose()?;
        Ok(Self { sender, time, state, flags, interval_ms, status })
    }

    /// The frames.
    pub fn encode(&self) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut out = Vec::with_capacity(48 + self.sender.len());
        header(CHP1, &self.sender, self.time, &mut out)?;
        for number in [u64::from(self.state), u64::from(self.flags.0), u64::from(self.interval_ms)] {
            unsigned(number, &mut out);
        }
        Ok(std::iter::once(out).chain(self.status.as_ref().map(|status| status.clone().into_bytes())).collect())
    }
}

/// Reads protocol, sender and time.
pub(crate) fn read_header(reader: &mut Reader<'_>, protocol: &str) -> Result<(String, Timestamp), Malformed> {
    if reader.string()? != protocol {
        return Err(Malformed { offset: 0, fault: Fault::Protocol });
    }
    let sender = reader.string()?.to_owned();
    let start = reader.position();
    match Value::read(reader, Limits::default().depth)? {
        Value::Timestamp(time) => Ok((sender, time)),
        _ => Err(Malformed { offset: start, fault: Fault::Type { expected: "a timestamp", found: 0xc7 } }),
    }
}

/// A frame that is text as a whole.
pub(crate) fn utf8(frame: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(frame)
        .map(str::to_owned)
        .map_err(|error| Malformed { offset: error.valid_up_to(), fault: Fault::Utf8 })
}
