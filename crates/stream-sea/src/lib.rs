//! stream-sea on the wire, without sockets: messages kept as the JSON text that was sent, checked against the schema of
//! their stream, written as WebSocket frames and read from them.
//!
//! - [`Messages`] gathers what publishers send; its packed form is what a log keeps and what [`write_frames`] frames.
//! - [`Schema`] says what a message may be.
//! - [`Downlink`] takes the bytes that a server sends to a client and appends deliveries to an [`EventBlock`].

mod delivery;
mod downlink;
mod event_block;
mod frame;
mod json;
mod messages;
mod published;
mod schema;

pub use delivery::{Delivery, DeliveryError};
pub use downlink::{Control, Downlink, DownlinkError, Opcode, Status};
pub use event_block::{EventBlock, EventBlockError};
pub use frame::{Extras, FrameError, frames_length, write_frames};
pub use json::{Cursor, JsonError, Kind, MAX_DEPTH};
pub use messages::{Messages, PackError, Packed, PublishError};
pub use published::Published;
pub use schema::{Schema, SchemaError, Violation};
