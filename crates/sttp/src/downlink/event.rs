use crate::compact::CompactError;
use crate::tssc::TsscError;
use crate::{FrameError, Quirk, Response, ResponseError};

/// An event and where in the stream its cause is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// Byte of the stream at which its frame begins; of a loss, its first packet's.
    pub offset: u64,
    /// Bytes of the frame with its length; of a loss, all bytes that were lost.
    pub length: u64,
    /// What happened.
    pub event: Event,
}

/// What a downlink tells beside rows.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Measurements are missing.
    Loss(Loss),
    /// A data packet, whose rows follow; only where the options ask for it.
    Packet {
        /// Its flags.
        flags: u8,
        /// Measurements as it says.
        count: u32,
        /// Number of a TSSC packet.
        sequence: Option<u16>,
    },
    /// The publisher deviates; told once for a connection.
    Quirk(Quirk),
    /// A response.
    Response(Response),
}

/// Measurements that are missing, of one packet or of several in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loss {
    /// What happened to them.
    pub cause: LossCause,
    /// Numbers of the first and the last TSSC packet.
    pub sequences: Option<(u16, u16)>,
    /// Packets.
    pub packets: u32,
    /// Measurements, if the packets that came said it.
    pub measurements: Option<u64>,
    /// Bytes that came, of whole frames.
    pub bytes: u64,
}

/// What happened to measurements that are missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LossCause {
    /// A datagram came twice: these measurements are its second coming, and nothing is missing.
    Duplicate,
    /// TSSC packets never came.
    Missing,
    /// TSSC packets came behind missing or damaged ones and cannot be decoded before the publisher starts anew.
    Undecodable,
    /// Packets came for a signal index cache that did not.
    UnknownCache,
    /// Measurements came whose wire index is not in the cache.
    UnknownSignal,
}

/// A message that could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageError {
    /// Byte of the stream at which its frame begins.
    pub offset: u64,
    /// Bytes of the frame with its length; where framing is lost, those of it that came.
    pub length: u64,
    /// Measurements that the packet says to have and that are not in the block; `None` where it does not say.
    pub measurements: Option<u64>,
    /// What is wrong.
    pub error: PacketError,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// The message is encrypted, and no key that came gives what can be read.
    #[error("{length} bytes cannot be decrypted by the keys that the publisher has sent")]
    Cipher {
        /// Bytes that are encrypted, with the flags before them.
        length: usize,
    },
    /// Compact measurements cannot be read.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// There are fewer measurements than the packet says.
    #[error("the packet says {declared} measurements and has {decoded}")]
    Count {
        /// As it says.
        declared: u32,
        /// As it has.
        decoded: u64,
    },
    /// A datagram carries a response that belongs on the command channel.
    #[error("a datagram carries the response {code:#04x}, which only the command channel may")]
    Datagram {
        /// The response.
        code: u8,
    },
    /// The measurements are encrypted and there is no key.
    #[error("the packet is encrypted")]
    Encrypted,
    /// The packet's flags name no format of measurements.
    #[error("the packet's flags {flags:#04x} name no format")]
    Flags {
        /// The flags.
        flags: u8,
    },
    /// Framing is lost.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The message is too short to be what it says.
    #[error("{length} bytes are too few for the message")]
    Length {
        /// Bytes of its body.
        length: usize,
    },
    /// A response cannot be read.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// Compressed measurements cannot be read.
    #[error(transparent)]
    Tssc(#[from] TsscError),
    /// Compressed measurements are of another version of TSSC.
    #[error("version {version} of TSSC is not known")]
    TsscVersion {
        /// The version.
        version: u8,
    },
}
