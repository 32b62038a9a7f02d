//! The codes of TSSC: 5-bit words that say what follows in the block.

/// No more measurements; pads the last bit byte.
pub(super) const END: u8 = 0;
/// First of seven: the id differs in 4, 8, 12, 16, 20, 24 or 32 bits.
pub(super) const ID: u8 = 1;
/// First of four: the time is a known step later.
pub(super) const STEP_FORWARD: u8 = 8;
/// First of four: the time is a known step earlier.
pub(super) const STEP_BACK: u8 = 12;
/// The time before the last.
pub(super) const TIME_BEFORE: u8 = 16;
/// Any time: a varint of the differing bits.
pub(super) const TIME: u8 = 17;
/// The flags before the last of this signal.
pub(super) const FLAGS_BEFORE: u8 = 18;
/// Any flags: a varint.
pub(super) const FLAGS: u8 = 19;
/// The last value of this signal. Codes from here on end a measurement.
pub(super) const VALUE_1: u8 = 20;
/// The value before.
pub(super) const VALUE_2: u8 = 21;
/// The value before that.
pub(super) const VALUE_3: u8 = 22;
/// Value 0.
pub(super) const VALUE_ZERO: u8 = 23;
/// First of eight: the value differs in 4, 8, 12, 16, 20, 24, 28 or 32 bits.
pub(super) const VALUE_XOR: u8 = 24;

/// Bits that follow an id code, by code - [`ID`].
pub(super) const ID_BITS: [u8; 7] = [4, 8, 12, 16, 20, 24, 32];

/// Bits that follow a value code.
pub(super) const fn value_bits(code: u8) -> u8 {
    if code < VALUE_XOR { 0 } else { (code - VALUE_XOR + 1) * 4 }
}
