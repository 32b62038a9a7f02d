#![no_main]
//! Packed messages out of a log: every bound in them is checked.

use libfuzzer_sys::fuzz_target;
use measurand_stream_sea::{Packed, frames_length, write_frames};

fuzz_target!(|bytes: &[u8]| {
    let Ok(packed) = Packed::open(bytes) else { return };
    let length = frames_length(&packed, 0, packed.len(), 1, false);
    let mut out = vec![0; length];
    assert!(write_frames(&packed, 0, packed.len(), b"{", None, &mut out).is_ok_and(|used| used <= length));
});
