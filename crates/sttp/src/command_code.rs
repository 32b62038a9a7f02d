/// The first byte of a command: what a subscriber asks of a publisher.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CommandCode(pub u8);

impl CommandCode {
    /// Never sent; the command that a refusal of a connection answers.
    pub const CONNECT: Self = Self(0x00);
    /// Asks for metadata.
    pub const METADATA_REFRESH: Self = Self(0x01);
    /// Subscribes; also the command of responses that answer none.
    pub const SUBSCRIBE: Self = Self(0x02);
    /// Ends the subscription.
    pub const UNSUBSCRIBE: Self = Self(0x03);
    /// Asks for new cipher keys.
    pub const ROTATE_CIPHER_KEYS: Self = Self(0x04);
    /// Sets the speed of a historical subscription.
    pub const UPDATE_PROCESSING_INTERVAL: Self = Self(0x05);
    /// Says the operational modes; the first command of a connection.
    pub const DEFINE_OPERATIONAL_MODES: Self = Self(0x06);
    /// Confirms a notification.
    pub const CONFIRM_NOTIFICATION: Self = Self(0x07);
    /// Confirms a buffer block.
    pub const CONFIRM_BUFFER_BLOCK: Self = Self(0x08);
    /// Confirms base times; GSF publishers take it for something else, so nobody sends it.
    pub const CONFIRM_UPDATE_BASE_TIMES: Self = Self(0x09);
    /// Confirms a signal index cache: from now on the publisher may use it.
    pub const CONFIRM_UPDATE_SIGNAL_INDEX_CACHE: Self = Self(0x0A);
    /// Confirms cipher keys; nobody handles it.
    pub const CONFIRM_UPDATE_CIPHER_KEYS: Self = Self(0x0B);
    /// Named by the standard, handled by nobody.
    pub const GET_PRIMARY_METADATA_SCHEMA: Self = Self(0x0C);
    /// Named by the standard, handled by nobody.
    pub const GET_SIGNAL_SELECTION_SCHEMA: Self = Self(0x0D);
    /// First of sixteen commands whose meaning the user gives.
    pub const USER_COMMAND_00: Self = Self(0xD0);

    /// The name that the standard gives it, `UserCommand` for the sixteen, `Unknown` for the rest.
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x00 => "Connect",
            0x01 => "MetadataRefresh",
            0x02 => "Subscribe",
            0x03 => "Unsubscribe",
            0x04 => "RotateCipherKeys",
            0x05 => "UpdateProcessingInterval",
            0x06 => "DefineOperationalModes",
            0x07 => "ConfirmNotification",
            0x08 => "ConfirmBufferBlock",
            0x09 => "ConfirmUpdateBaseTimes",
            0x0A => "ConfirmUpdateSignalIndexCache",
            0x0B => "ConfirmUpdateCipherKeys",
            0x0C => "GetPrimaryMetadataSchema",
            0x0D => "GetSignalSelectionSchema",
            0xD0..=0xDF => "UserCommand",
            _ => "Unknown",
        }
    }
}
