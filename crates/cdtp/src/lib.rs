//! Constellation's wire formats, both ways: CDTP2 (data), CHIRP (discovery), CHP (heartbeats), CSCP (control) and
//! CMDP (monitoring), with the `MessagePack` values that they carry.
//!
//! The crate has no socket and no clock: `ZeroMQ` frames come in as slices and leave as vectors. The two hot types are
//! [`Indexer`], which turns a data message into a [`MessageIndex`] of spans without copying a payload byte, and
//! [`SequenceAccount`], which keeps exact ranges of what is missing, doubled or late.

mod chirp;
mod chp;
mod cmdp;
mod cscp;
mod decode_error;
mod encode;
mod index;
mod message;
mod reader;
mod record_times;
mod run_condition;
mod sequence_account;
mod state;
mod timestamp;
mod value;

pub use chirp::{Beacon, BeaconError, BeaconKind, Service};
pub use chp::{Heartbeat, HeartbeatFlags};
pub use cmdp::{Level, Monitoring, MonitoringBody};
pub use cscp::{Control, Verb};
pub use decode_error::{Fault, Malformed};
pub use encode::{EncodeError, Profile};
pub use index::{IndexError, Indexer, MessageIndex, Outcome};
pub use message::{CDTP1, CDTP2, MessageType, NewRecord, encode_message};
pub use record_times::{RecordTimes, record_times};
pub use run_condition::RunCondition;
pub use sequence_account::{Anomaly, AnomalyKind, SequenceAccount};
pub use state::SatelliteState;
pub use timestamp::Timestamp;
pub use value::{Limits, Value};
