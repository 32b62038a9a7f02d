//! The addon: napi attributes and conversions, one file per pure crate. Its only logic is [`guard`].

mod cdtp;
mod columns;
mod guard;
mod socket;
mod store;
mod stream_sea;
mod sttp;
mod sttp_data_set;
mod sttp_history;
mod tia;
mod wamp;
