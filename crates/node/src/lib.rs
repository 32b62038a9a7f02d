//! The addon: napi attributes and conversions, one file per pure crate. Its only logic is [`guard`]; [`socket`]
//! is of none of them.

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
