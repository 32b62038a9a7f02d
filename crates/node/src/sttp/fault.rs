use measurand_sttp::compact::CompactError;
use measurand_sttp::gzip::GzipError;
use measurand_sttp::tssc::TsscError;
use measurand_sttp::{CommandError, MessageError, PacketError, ResponseError};
use napi_derive::napi;

pub(super) const FRAME_LENGTH: &str = "ERR_STTP_FRAME_LENGTH";

/// What is wrong with a message.
#[napi(object)]
pub struct SttpFault {
    pub code: String,
    pub message: String,
    /// Byte of the stream at which its frame begins.
    pub offset: f64,
    /// Bytes of the frame with its length.
    pub length: f64,
    /// Measurements that it says to have and that were not read.
    pub measurements: Option<f64>,
}

pub(super) fn from_message(message: MessageError) -> SttpFault {
    SttpFault {
        code: packet_code(&message.error).to_owned(),
        message: message.error.to_string(),
        offset: message.offset as f64,
        length: message.length as f64,
        measurements: message.measurements.map(|count| count as f64),
    }
}

pub(super) fn command_code(error: &CommandError) -> &'static str {
    match error {
        CommandError::Subscription(_) => "ERR_STTP_SUBSCRIPTION_SETTING",
        CommandError::Text { .. } => "ERR_STTP_COMMAND_TEXT",
        _ => "ERR_STTP_COMMAND_LENGTH",
    }
}

fn packet_code(error: &PacketError) -> &'static str {
    match error {
        PacketError::Cipher { .. } => "ERR_STTP_PACKET_CIPHER",
        PacketError::Compact(CompactError::Truncated { .. }) => "ERR_STTP_COMPACT_TRUNCATED",
        PacketError::Count { .. } => "ERR_STTP_PACKET_COUNT",
        PacketError::Datagram { .. } => "ERR_STTP_DATAGRAM_RESPONSE",
        PacketError::Encrypted => "ERR_STTP_PACKET_ENCRYPTED",
        PacketError::Flags { .. } => "ERR_STTP_PACKET_FLAGS",
        PacketError::Frame(_) => FRAME_LENGTH,
        PacketError::Response(ResponseError::Cache(_)) => "ERR_STTP_CACHE_MALFORMED",
        PacketError::Response(ResponseError::Gzip(GzipError::Limit { .. })) => "ERR_STTP_CACHE_LIMIT",
        PacketError::Response(ResponseError::Gzip(_)) => "ERR_STTP_CACHE_GZIP",
        PacketError::Tssc(TsscError::Code { .. }) => "ERR_STTP_TSSC_CODE",
        PacketError::Tssc(TsscError::Length { .. } | TsscError::Signals { .. }) => "ERR_STTP_TSSC_LIMIT",
        PacketError::Tssc(_) => "ERR_STTP_TSSC_TRUNCATED",
        PacketError::TsscVersion { .. } => "ERR_STTP_TSSC_VERSION",
        _ => "ERR_STTP_MESSAGE_LENGTH",
    }
}
