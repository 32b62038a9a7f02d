use thiserror::Error;

/// Why bytes are not the message that they were taken for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A block of a record is not of the type bin.
    #[error("a block is not binary")]
    BlockType,
    /// A record has more blocks than the index has room for.
    #[error("a record of {0} blocks")]
    BlockLimit(u32),
    /// Arrays and maps lie deeper in each other than the limit.
    #[error("values nested deeper than {0}")]
    Depth(u32),
    /// A message of another number of frames.
    #[error("{0} frames")]
    Frames(usize),
    /// A value that has to be an integer of a given width.
    #[error("not an integer in range (marker {0:#04x})")]
    Integer(u8),
    /// A key of a map that is no string.
    #[error("a key is not a string")]
    KeyType,
    /// More bytes than the limit.
    #[error("a message of {0} bytes")]
    Length(usize),
    /// CDTP1, which constellationdaq 1.0.2 retired.
    #[error("the retired protocol CDTP1")]
    ProtocolRetired,
    /// A protocol identifier that is another.
    #[error("another protocol identifier")]
    Protocol,
    /// A record that is not an array of three.
    #[error("a record of {0} fields")]
    RecordFields(u32),
    /// BOR and EOR have exactly two records.
    #[error("{0} records where two are due")]
    RecordCount(u32),
    /// The marker of a type other than the one due.
    #[error("marker {found:#04x} where {expected} is due")]
    Type {
        /// What was due.
        expected: &'static str,
        /// The first byte of what stands there.
        found: u8,
    },
    /// The bytes end inside a value.
    #[error("the message ends inside a value")]
    Truncated,
    /// A message type, service, level or verb that the protocol does not have.
    #[error("an unknown {what}: {value}")]
    Unknown {
        /// Of what kind the number is.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// A string that is not UTF-8.
    #[error("a string that is not UTF-8")]
    Utf8,
}

/// A [`Fault`] and the byte at which it stands.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{fault} at byte {offset}")]
pub struct Malformed {
    /// Bytes from the frame's begin.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}
