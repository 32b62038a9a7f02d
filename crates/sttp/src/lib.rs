//! The streaming telemetry transport protocol (IEEE 2664), as its implementations speak it, without sockets and clocks.
//!
//! - [`Downlink`] reads what a publisher sends: measurements become rows of a block, everything else [`Event`]s.
//! - [`Uplink`] reads what a subscriber sends: [`Command`]s.
//! - [`Encoder`] writes measurements as data packets, with the signal index caches that belong to them; the other
//!   messages write themselves ([`Response::write`], [`Command::write`]).
//!
//! The codecs of measurements, [`tssc`] and [`compact`], stand alone too. Every length of the wire is bounded
//! ([`FrameLimits`], [`tssc::DecoderOptions`]) before memory is taken for it. Deviations of peers are worked around and
//! reported ([`Quirk`]).

mod base_times;
mod buffer_block;
mod cipher;
mod cipher_keys;
mod command;
mod command_code;
pub mod compact;
mod connection_string;
pub mod data_packet;
pub mod data_set;
mod downlink;
mod encoder;
pub mod filter;
mod frame;
pub mod gzip;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod latest_measurements;
mod measurement_rows;
pub mod metadata;
mod operational_modes;
mod quirk;
mod reader;
mod response;
mod response_code;
mod row_times;
mod signal_index_cache;
mod signal_rows;
pub mod state_flags;
mod subscription;
mod text;
mod time_constraint;
pub mod tssc;
mod uplink;
mod value;

pub use base_times::BaseTimes;
pub use buffer_block::BufferBlock;
pub use cipher::{Cipher, CipherLengthError, encrypted_bytes};
pub use cipher_keys::{CipherKey, CipherKeys};
pub use command::{Command, CommandError};
pub use command_code::CommandCode;
pub use connection_string::ConnectionString;
pub use downlink::{
    AssignError, Downlink, DownlinkOptions, Event, Loss, LossCause, Message, MessageError, PacketError,
};
pub use encoder::{Encoder, EncoderOptions};
pub use frame::{Deframer, Frame, FrameError, FrameLimits, LENGTH_BYTES, write_frame};
pub use latest_measurements::{LatestMeasurements, Reasonability};
pub use measurement_rows::MeasurementRows;
pub use operational_modes::{Encoding, OperationalModes};
pub use quirk::Quirk;
pub use response::{Envelope, Response, ResponseError, write_prefixed_text, write_response};
pub use response_code::ResponseCode;
pub use row_times::RowTimes;
pub use signal_index_cache::{CacheError, CacheRecord, ParsedCache, SignalIndexCache};
pub use signal_rows::{SignalIndexes, SignalRows};
pub use subscription::{AssemblyInfo, Subscription, SubscriptionError};
pub use text::{Text, read_text};
pub use time_constraint::parse_time_constraint;
pub use uplink::{ReceivedCommand, Uplink, UplinkError};
pub use uuid::Uuid;
