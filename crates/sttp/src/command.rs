use crate::reader::{Reader, write_counted};
use crate::{CommandCode, OperationalModes, Subscription, SubscriptionError, write_frame};

/// A command of a subscriber.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Command {
    /// Asks for metadata.
    MetadataRefresh {
        /// Filters such as `FILTER MeasurementDetail WHERE ...`, one for a table, separated by `;`; empty for all.
        filters: String,
    },
    /// Subscribes, in place of an earlier subscription.
    Subscribe(Box<Subscription>),
    /// Ends the subscription.
    Unsubscribe,
    /// Asks for new cipher keys.
    RotateCipherKeys,
    /// Sets the speed of a historical subscription: ms between frames, -1 default, 0 as fast as possible.
    UpdateProcessingInterval(i32),
    /// Says the operational modes; the first command of a connection.
    DefineOperationalModes(OperationalModes),
    /// Confirms the notification with this hash.
    ConfirmNotification(u32),
    /// Confirms the buffer block with this number.
    ConfirmBufferBlock(u32),
    /// Confirms the signal index cache that came last.
    ConfirmUpdateSignalIndexCache,
    /// A command whose meaning the user gives.
    UserCommand {
        /// 0 to 15.
        number: u8,
        /// What it carries.
        payload: Vec<u8>,
    },
    /// Any other, also those that the standard names and nobody handles.
    Other {
        /// The command.
        code: CommandCode,
        /// What it carries.
        payload: Vec<u8>,
    },
}

/// Why a command cannot be understood; its frame is intact.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The frame has no command byte.
    #[error("the frame is empty")]
    Empty,
    /// The payload is too short.
    #[error("{} carries {length} bytes where {least} are needed", code.name())]
    Length {
        /// The command.
        code: CommandCode,
        /// Bytes of its payload.
        length: usize,
        /// Bytes needed.
        least: usize,
    },
    /// The subscription cannot be understood.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// A text is not UTF-8.
    #[error("the text of {} is not UTF-8", code.name())]
    Text {
        /// The command.
        code: CommandCode,
    },
}

impl Command {
    /// Reads the body of a frame.
    pub fn parse(body: &[u8]) -> Result<Self, CommandError> {
        let (&code, payload) = body.split_first().ok_or(CommandError::Empty)?;
        let code = CommandCode(code);
        let word = || {
            let length = payload.len();
            Reader::new(payload).u32().ok_or(CommandError::Length { code, length, least: 4 })
        };
        Ok(match code {
            CommandCode::METADATA_REFRESH => Self::MetadataRefresh { filters: filters(payload, code)? },
            CommandCode::SUBSCRIBE => Self::Subscribe(Box::new(Subscription::parse(payload)?)),
            CommandCode::UNSUBSCRIBE => Self::Unsubscribe,
            CommandCode::ROTATE_CIPHER_KEYS => Self::RotateCipherKeys,
            CommandCode::UPDATE_PROCESSING_INTERVAL => Self::UpdateProcessingInterval(word()? as i32),
            CommandCode::DEFINE_OPERATIONAL_MODES => Self::DefineOperationalModes(OperationalModes(word()?)),
            CommandCode::CONFIRM_NOTIFICATION => Self::ConfirmNotification(word()?),
            CommandCode::CONFIRM_BUFFER_BLOCK => Self::ConfirmBufferBlock(word()?),
            CommandCode::CONFIRM_UPDATE_SIGNAL_INDEX_CACHE => Self::ConfirmUpdateSignalIndexCache,
            CommandCode(code @ 0xD0..=0xDF) => Self::UserCommand { number: code & 15, payload: payload.to_vec() },
            _ => Self::Other { code, payload: payload.to_vec() },
        })
    }

    /// Its first byte.
    pub const fn code(&self) -> CommandCode {
        match self {
            Self::MetadataRefresh { .. } => CommandCode::METADATA_REFRESH,
            Self::Subscribe(_) => CommandCode::SUBSCRIBE,
            Self::Unsubscribe => CommandCode::UNSUBSCRIBE,
            Self::RotateCipherKeys => CommandCode::ROTATE_CIPHER_KEYS,
            Self::UpdateProcessingInterval(_) => CommandCode::UPDATE_PROCESSING_INTERVAL,
            Self::DefineOperationalModes(_) => CommandCode::DEFINE_OPERATIONAL_MODES,
            Self::ConfirmNotification(_) => CommandCode::CONFIRM_NOTIFICATION,
            Self::ConfirmBufferBlock(_) => CommandCode::CONFIRM_BUFFER_BLOCK,
            Self::ConfirmUpdateSignalIndexCache => CommandCode::CONFIRM_UPDATE_SIGNAL_INDEX_CACHE,
            Self::UserCommand { number, .. } => CommandCode(CommandCode::USER_COMMAND_00.0 | *number & 15),
            Self::Other { code, .. } => *code,
        }
    }

    /// Appends the whole frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_frame(out, |out| {
            out.push(self.code().0);
            match self {
                Self::MetadataRefresh { filters } if filters.is_empty() => {}
                Self::MetadataRefresh { filters } => write_counted(filters.as_bytes(), out),
                Self::Subscribe(subscription) => subscription.write(out),
                Self::Unsubscribe | Self::RotateCipherKeys | Self::ConfirmUpdateSignalIndexCache => {}
                Self::UpdateProcessingInterval(interval) => out.extend_from_slice(&interval.to_be_bytes()),
                Self::DefineOperationalModes(OperationalModes(word))
                | Self::ConfirmNotification(word)
                | Self::ConfirmBufferBlock(word) => out.extend_from_slice(&word.to_be_bytes()),
                Self::UserCommand { payload, .. } | Self::Other { payload, .. } => out.extend_from_slice(payload),
            }
        });
    }
}

/// Nothing, or a counted text.
fn filters(payload: &[u8], code: CommandCode) -> Result<String, CommandError> {
    if payload.is_empty() {
        return Ok(String::new());
    }
    let length = payload.len();
    let text = Reader::new(payload).counted().ok_or(CommandError::Length { code, length, least: length + 1 })?;
    Ok(core::str::from_utf8(text).map_err(|_| CommandError::Text { code })?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    fn commands() -> impl Strategy<Value = Command> {
        let payload = || proptest::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            ".{0,20}".prop_map(|filters| Command::MetadataRefresh { filters }),
            "[^{}]{0,20}".prop_map(|filter| Command::Subscribe(Box::new(Subscription {
                filter_expression: Some(filter),
                ..Subscription::default()
            }))),
            Just(Command::Unsubscribe),
            Just(Command::RotateCipherKeys),
            Just(Command::ConfirmUpdateSignalIndexCache),
            any::<i32>().prop_map(Command::UpdateProcessingInterval),
            any::<u32>().prop_map(|word| Command::DefineOperationalModes(OperationalModes(word))),
            any::<u32>().prop_map(Command::ConfirmNotification),
            any::<u32>().prop_map(Command::ConfirmBufferBlock),
            (0..16_u8, payload()).prop_map(|(number, payload)| Command::UserCommand { number, payload }),
            (prop_oneof![Just(0_u8), Just(9), 11..0xD0_u8, 0xE0..=255_u8], payload())
                .prop_map(|(code, payload)| Command::Other { code: CommandCode(code), payload }),
        ]
    }

    #[test]
    fn frames_of_peers() {
        let mut out = Vec::new();
        Command::DefineOperationalModes(OperationalModes::COMPRESSED).write(&mut out);
        Command::MetadataRefresh { filters: String::new() }.write(&mut out);
        Command::ConfirmUpdateSignalIndexCache.write(&mut out);
        assert_eq!(out, hex!("00000005 06 e0000262 00000001 01 00000001 0a"));
    }

    #[test]
    fn short_payloads_are_refused() {
        assert_eq!(Command::parse(&[]), Err(CommandError::Empty));
        let code = CommandCode::DEFINE_OPERATIONAL_MODES;
        assert_eq!(Command::parse(&[6, 0, 0, 1]), Err(CommandError::Length { code, length: 3, least: 4 }));
        assert!(Command::parse(&[1, 0, 0, 0, 2, b'x']).is_err());
    }

    proptest! {
        #[test]
        fn a_command_comes_back(command in commands()) {
            let mut out = Vec::new();
            command.write(&mut out);
            prop_assert_eq!(Command::parse(&out[4..]), Ok(command));
        }

        #[test]
        fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Command::parse(&body);
        }
    }
}
