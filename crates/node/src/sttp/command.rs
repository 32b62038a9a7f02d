use measurand_sttp::{
    AssemblyInfo, Command, CommandCode, OperationalModes, ReceivedCommand, Subscription, UplinkError,
};
use napi::bindgen_prelude::{Buffer, Error};
use napi_derive::napi;

use super::fault;
use crate::guard::{Code, Result, error};

/// A command; which fields there are is told by `type`.
#[napi(object)]
#[derive(Default)]
pub struct SttpCommand {
    /// `metadataRefresh`, `subscribe`, `unsubscribe`, `rotateCipherKeys`, `updateProcessingInterval`,
    /// `defineOperationalModes`, `confirmNotification`, `confirmBufferBlock`, `confirmUpdateSignalIndexCache`,
    /// `userCommand`, `other`, `malformed` or `lost`.
    pub r#type: String,
    /// Byte of the stream at which its frame begins.
    pub offset: Option<f64>,
    /// Bytes of the frame with its length.
    pub length: Option<f64>,
    /// metadataRefresh
    pub filters: Option<String>,
    /// subscribe
    pub subscription: Option<SttpSubscription>,
    /// updateProcessingInterval: ms.
    pub interval: Option<i32>,
    /// defineOperationalModes
    pub modes: Option<u32>,
    /// confirmNotification
    pub hash: Option<u32>,
    /// confirmBufferBlock
    pub sequence: Option<u32>,
    /// userCommand: 0 to 15.
    pub number: Option<u32>,
    /// userCommand, other
    pub payload: Option<Buffer>,
    /// other: the command.
    pub code: Option<u32>,
    /// malformed, lost: the code of the error.
    pub error: Option<String>,
    /// malformed, lost: what is wrong.
    pub message: Option<String>,
}

/// What a subscriber asks for; what is left out has its default.
#[napi(object)]
#[derive(Default)]
pub struct SttpSubscription {
    pub flags: Option<u32>,
    pub filter_expression: Option<String>,
    pub throttled: Option<bool>,
    pub publish_interval: Option<f64>,
    pub include_time: Option<bool>,
    pub enable_time_reasonability_check: Option<bool>,
    pub lag_time: Option<f64>,
    pub lead_time: Option<f64>,
    pub use_local_clock_as_real_time: Option<bool>,
    pub use_millisecond_resolution: Option<bool>,
    pub request_nan_value_filter: Option<bool>,
    pub processing_interval: Option<i32>,
    /// Name of the subscriber's program.
    pub source: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The day of that version.
    pub updated_on: Option<String>,
    /// UDP port to which data is sent.
    pub data_channel: Option<u32>,
    /// Multicast group to which it is sent instead.
    pub data_channel_group: Option<String>,
    pub start_time_constraint: Option<String>,
    pub stop_time_constraint: Option<String>,
    pub time_constraint_parameters: Option<String>,
    /// Settings of other names: names and values in turn.
    pub other: Option<Vec<String>>,
    /// Tokens that are no setting.
    pub ignored: Option<Vec<String>>,
}

pub(super) fn from_received(received: ReceivedCommand) -> SttpCommand {
    let command = match received.command {
        Command::MetadataRefresh { filters } => SttpCommand { filters: Some(filters), ..of("metadataRefresh") },
        Command::Subscribe(subscription) => {
            SttpCommand { subscription: Some(from_subscription(*subscription)), ..of("subscribe") }
        }
        Command::Unsubscribe => of("unsubscribe"),
        Command::RotateCipherKeys => of("rotateCipherKeys"),
        Command::UpdateProcessingInterval(interval) => {
            SttpCommand { interval: Some(interval), ..of("updateProcessingInterval") }
        }
        Command::DefineOperationalModes(OperationalModes(modes)) => {
            SttpCommand { modes: Some(modes), ..of("defineOperationalModes") }
        }
        Command::ConfirmNotification(hash) => SttpCommand { hash: Some(hash), ..of("confirmNotification") },
        Command::ConfirmBufferBlock(sequence) => SttpCommand { sequence: Some(sequence), ..of("confirmBufferBlock") },
        Command::ConfirmUpdateSignalIndexCache => of("confirmUpdateSignalIndexCache"),
        Command::UserCommand { number, payload } => {
            SttpCommand { number: Some(number.into()), payload: Some(payload.into()), ..of("userCommand") }
        }
        Command::Other { code, payload } => {
            SttpCommand { code: Some(code.0.into()), payload: Some(payload.into()), ..of("other") }
        }
        _ => of("other"),
    };
    SttpCommand { offset: Some(received.offset as f64), length: Some(received.length as f64), ..command }
}

pub(super) fn from_error(wrong: &UplinkError) -> SttpCommand {
    let message = Some(wrong.to_string());
    match wrong {
        UplinkError::Command { offset, length, error } => SttpCommand {
            offset: Some(*offset as f64),
            length: Some(*length as f64),
            error: Some(fault::command_code(error).to_owned()),
            message,
            ..of("malformed")
        },
        _ => SttpCommand { error: Some(fault::FRAME_LENGTH.to_owned()), message, ..of("lost") },
    }
}

fn of(name: &str) -> SttpCommand {
    SttpCommand { r#type: name.to_owned(), ..SttpCommand::default() }
}

fn from_subscription(subscription: Subscription) -> SttpSubscription {
    let AssemblyInfo { source, version, updated_on } = subscription.assembly_info;
    SttpSubscription {
        flags: Some(subscription.flags.into()),
        filter_expression: subscription.filter_expression,
        throttled: Some(subscription.throttled),
        publish_interval: Some(subscription.publish_interval),
        include_time: Some(subscription.include_time),
        enable_time_reasonability_check: subscription.enable_time_reasonability_check,
        lag_time: Some(subscription.lag_time),
        lead_time: Some(subscription.lead_time),
        use_local_clock_as_real_time: Some(subscription.use_local_clock_as_real_time),
        use_millisecond_resolution: Some(subscription.use_millisecond_resolution),
        request_nan_value_filter: Some(subscription.request_nan_value_filter),
        processing_interval: Some(subscription.processing_interval),
        source: Some(source),
        version: Some(version),
        updated_on: Some(updated_on),
        data_channel: subscription.data_channel.map(u32::from),
        data_channel_group: subscription.data_channel_group,
        start_time_constraint: subscription.start_time_constraint,
        stop_time_constraint: subscription.stop_time_constraint,
        time_constraint_parameters: subscription.time_constraint_parameters,
        other: Some(subscription.other.into_iter().flat_map(|(name, value)| [name, value]).collect()),
        ignored: Some(subscription.ignored),
    }
}

fn to_subscription(given: SttpSubscription) -> Subscription {
    let default = Subscription::default();
    let mut other = given.other.unwrap_or_default().into_iter();
    Subscription {
        flags: given.flags.map_or(default.flags, |flags| flags as u8),
        filter_expression: given.filter_expression,
        throttled: given.throttled.unwrap_or(default.throttled),
        publish_interval: given.publish_interval.unwrap_or(default.publish_interval),
        include_time: given.include_time.unwrap_or(default.include_time),
        enable_time_reasonability_check: given.enable_time_reasonability_check,
        lag_time: given.lag_time.unwrap_or(default.lag_time),
        lead_time: given.lead_time.unwrap_or(default.lead_time),
        use_local_clock_as_real_time: given
            .use_local_clock_as_real_time
            .unwrap_or(default.use_local_clock_as_real_time),
        use_millisecond_resolution: given.use_millisecond_resolution.unwrap_or(default.use_millisecond_resolution),
        request_nan_value_filter: given.request_nan_value_filter.unwrap_or(default.request_nan_value_filter),
        processing_interval: given.processing_interval.unwrap_or(default.processing_interval),
        assembly_info: AssemblyInfo {
            source: given.source.unwrap_or_default(),
            version: given.version.unwrap_or_default(),
            updated_on: given.updated_on.unwrap_or_default(),
        },
        data_channel: given.data_channel.map(|port| port as u16),
        data_channel_group: given.data_channel_group,
        start_time_constraint: given.start_time_constraint,
        stop_time_constraint: given.stop_time_constraint,
        time_constraint_parameters: given.time_constraint_parameters,
        other: std::iter::from_fn(|| Some((other.next()?, other.next()?))).collect(),
        ignored: Vec::new(),
    }
}

impl TryFrom<SttpCommand> for Command {
    type Error = Error<Code>;

    fn try_from(command: SttpCommand) -> Result<Self> {
        let kind = command.r#type;
        let lacks = |field: &str| error("ERR_STTP_COMMAND_FIELD", format!("{kind} needs {field}"));
        let payload = command.payload.map(|bytes| bytes.to_vec()).unwrap_or_default();
        Ok(match kind.as_str() {
            "metadataRefresh" => Self::MetadataRefresh { filters: command.filters.unwrap_or_default() },
            "subscribe" => Self::Subscribe(Box::new(to_subscription(command.subscription.unwrap_or_default()))),
            "unsubscribe" => Self::Unsubscribe,
            "rotateCipherKeys" => Self::RotateCipherKeys,
            "updateProcessingInterval" => {
                Self::UpdateProcessingInterval(command.interval.ok_or_else(|| lacks("interval"))?)
            }
            "defineOperationalModes" => {
                Self::DefineOperationalModes(OperationalModes(command.modes.ok_or_else(|| lacks("modes"))?))
            }
            "confirmNotification" => Self::ConfirmNotification(command.hash.ok_or_else(|| lacks("hash"))?),
            "confirmBufferBlock" => Self::ConfirmBufferBlock(command.sequence.ok_or_else(|| lacks("sequence"))?),
            "confirmUpdateSignalIndexCache" => Self::ConfirmUpdateSignalIndexCache,
            "userCommand" => Self::UserCommand { number: command.number.unwrap_or(0) as u8 & 15, payload },
            "other" => Self::Other { code: CommandCode(command.code.ok_or_else(|| lacks("code"))? as u8), payload },
            _ => return Err(lacks("a type that can be sent")),
        })
    }
}
