//! `TiA`: packets, control messages and meta info for `ts/tia`.

mod decoder;
mod message;
mod meta_info;
mod packet_builder;

use measurand_tia::{Block, Dialect, SignalType};
use napi_derive::napi;

use crate::guard::{Result, error};

/// Shape of a signal's block.
#[napi(object)]
pub struct TiaShape {
    /// Bit of the signal type.
    pub bit: u32,
    /// Channels.
    pub channels: u32,
    /// Samples per channel.
    pub blocksize: u32,
}

/// The bit of a signal type's name in any dialect; -1 where it is not known.
#[napi(catch_unwind)]
pub fn tia_signal_bit(name: String) -> i32 {
    SignalType::from_name(&name).map_or(-1, |signal| i32::from(signal.bit()))
}

/// The name of a signal type in a dialect: 0 pytia, 1 libtia, 2 pytiaclient.
#[napi(catch_unwind)]
pub fn tia_signal_name(bit: u32, dialect: u32) -> Result<String> {
    Ok(signal_type(bit)?.name(dialect_of(dialect)))
}

fn dialect_of(number: u32) -> Dialect {
    match number {
        1 => Dialect::Libtia,
        2 => Dialect::Pytiaclient,
        _ => Dialect::Pytia,
    }
}

fn signal_type(bit: u32) -> Result<SignalType> {
    let signal = u8::try_from(bit).ok().and_then(SignalType::from_bit);
    signal.ok_or_else(|| error("ERR_TIA_SIGNAL_TYPE", format!("there is no signal type of bit {bit}")))
}

fn shape(bit: u32, channels: u32, blocksize: u32) -> Result<Block> {
    let narrow = |number: u32| {
        u16::try_from(number).map_err(|_| error("ERR_TIA_SIGNAL_SHAPE", format!("{number} is more than 65,535")))
    };
    Ok(Block { bit: signal_type(bit)?.bit(), channels: narrow(channels)?, blocksize: narrow(blocksize)? })
}

fn shapes(shapes: &[TiaShape]) -> Result<Vec<Block>> {
    shapes.iter().map(|given| shape(given.bit, given.channels, given.blocksize)).collect()
}
