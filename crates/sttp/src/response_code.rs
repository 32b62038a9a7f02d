/// The first byte of a response: what a publisher tells a subscriber.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ResponseCode(pub u8);

impl ResponseCode {
    /// A command succeeded: text, or metadata for the command that asks for it.
    pub const SUCCEEDED: Self = Self(0x80);
    /// A command failed: text.
    pub const FAILED: Self = Self(0x81);
    /// Measurements.
    pub const DATA_PACKET: Self = Self(0x82);
    /// A signal index cache.
    pub const UPDATE_SIGNAL_INDEX_CACHE: Self = Self(0x83);
    /// Base times of compact measurements.
    pub const UPDATE_BASE_TIMES: Self = Self(0x84);
    /// Keys of the data channel.
    pub const UPDATE_CIPHER_KEYS: Self = Self(0x85);
    /// Ticks of the first measurement that will follow.
    pub const DATA_START_TIME: Self = Self(0x86);
    /// A historical subscription is at its end: text.
    pub const PROCESSING_COMPLETE: Self = Self(0x87);
    /// A block of bytes.
    pub const BUFFER_BLOCK: Self = Self(0x88);
    /// A message for the user.
    pub const NOTIFY: Self = Self(0x89);
    /// There is new metadata.
    pub const CONFIGURATION_CHANGED: Self = Self(0x8A);
    /// First of sixteen responses whose meaning the user gives.
    pub const USER_RESPONSE_00: Self = Self(0xE0);
    /// Keeps the connection alive.
    pub const NO_OP: Self = Self(0xFF);

    /// The name that the standard gives it, `UserResponse` for the sixteen, `Unknown` for the rest.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x80 => "Succeeded",
            0x81 => "Failed",
            0x82 => "DataPacket",
            0x83 => "UpdateSignalIndexCache",
            0x84 => "UpdateBaseTimes",
            0x85 => "UpdateCipherKeys",
            0x86 => "DataStartTime",
            0x87 => "ProcessingComplete",
            0x88 => "BufferBlock",
            0x89 => "Notify",
            0x8A => "ConfigurationChanged",
            0xE0..=0xEF => "UserResponse",
            0xFF => "NoOP",
            _ => "Unknown",
        }
    }
}
