use crate::encode::{array, block, string, unsigned};
use crate::reader::Reader;
use crate::{EncodeError, Fault, Limits, Malformed};

/// The identifier of the protocol.
pub const CDTP2: &str = "CDTP\u{2}";
/// The identifier of the retired protocol.
pub const CDTP1: &str = "CDTP\u{1}";

/// What a CDTP message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageType {
    /// Data records.
    Data = 0,
    /// Begin of run: user tags and configuration.
    BeginOfRun = 1,
    /// End of run: user tags and run metadata.
    EndOfRun = 2,
}

impl MessageType {
    /// The type of a number on the wire.
    pub const fn from_wire(value: u64) -> Option<Self> {
        match value {
            0 => Some(Self::Data),
            1 => Some(Self::BeginOfRun),
            2 => Some(Self::EndOfRun),
            _ => None,
        }
    }
}

/// What stands before a message's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: MessageType,
    pub(crate) sender: (usize, usize),
    pub(crate) records: u32,
    /// Where the first record begins.
    pub(crate) body: usize,
}

impl Header {
    pub(crate) fn read(message: &[u8], limits: Limits) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message);
        if message.len() > limits.message_bytes {
            return Err(reader.fault(Fault::Length(message.len())));
        }
        match reader.string()? {
            CDTP2 => {}
            CDTP1 => return Err(Malformed { offset: 0, fault: Fault::ProtocolRetired }),
            _ => return Err(Malformed { offset: 0, fault: Fault::Protocol }),
        }
        let sender = reader.string()?.len();
        let sender = (reader.position() - sender, sender);
        let start = reader.position();
        let kind = reader.unsigned()?;
        let kind = MessageType::from_wire(kind)
            .ok_or(Malformed { offset: start, fault: Fault::Unknown { what: "message type", value: kind } })?;
        let start = reader.position();
        let records = reader.array()?;
        if kind != MessageType::Data && records != 2 {
            return Err(Malformed { offset: start, fault: Fault::RecordCount(records) });
        }
        Ok(Self { kind, sender, records, body: reader.position() })
    }
}

/// A record to encode.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// Its sequence number.
    pub sequence: u64,
    /// An encoded map.
    pub tags: &'a [u8],
    /// Its blocks.
    pub blocks: &'a [&'a [u8]],
}

/// Encodes a whole message.
pub fn encode_message(sender: &str, kind: MessageType, records: &[NewRecord<'_>]) -> Result<Vec<u8>, EncodeError> {
    let payload: usize =
        records.iter().map(|r| 16 + r.tags.len() + r.blocks.iter().map(|b| 5 + b.len()).sum::<usize>()).sum();
    let mut out = Vec::with_capacity(24 + sender.len() + payload);
    string(CDTP2, &mut out)?;
    string(sender, &mut out)?;
    out.push(kind as u8);
    array(records.len(), &mut out)?;
    for record in records {
        array(3, &mut out)?;
        unsigned(record.sequence, &mut out);
        out.extend_from_slice(record.tags);
        array(record.blocks.len(), &mut out)?;
        for bytes in record.blocks {
            block(bytes, &mut out)?;
        }
    }
    Ok(out)
}
