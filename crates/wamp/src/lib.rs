//! Bodies of WAMP messages, without a socket and without an interpreter of their meaning.
//!
//! A message is one value (an array) in JSON, `MessagePack` or CBOR. Two readings are offered: [`read_value`] walks a
//! whole value and hands its parts to a [`Builder`], arrays of numbers straight as doubles; [`Head`] only finds where
//! the parts that a router needs lie, checks that the rest is well formed and leaves it alone. [`MessagePackWriter`] and
//! [`CborWriter`] write into a borrowed buffer and say how long the message would have been where it was too short.
//!
//! JSON is only scanned here: every language has a JSON parser that makes its own values faster than a foreign one.

mod cbor;
mod cursor;
mod head;
mod json;
mod message_pack;
mod value;
mod write;

pub use cbor::{CborReader, CborWriter};
pub use cursor::Cursor;
pub use head::{Format, Head, HeadError};
pub use json::{JsonError, JsonScanner};
pub use message_pack::{MessagePackReader, MessagePackWriter};
pub use value::{Builder, Limits, ReadError, Reader, Token, read_value, skip_value};
pub use write::{Kind, Write};
