//! The streaming telemetry transport protocol (IEEE 2664) without sockets and clocks.

pub mod compact;
pub mod data_set;
pub mod filter;
mod measurement_rows;
pub mod metadata;
mod signal_rows;
pub mod state_flags;
pub mod tssc;
mod value;

pub use measurement_rows::MeasurementRows;
pub use signal_rows::{SignalIndexes, SignalRows};
