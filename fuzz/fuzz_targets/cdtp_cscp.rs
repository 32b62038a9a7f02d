#![no_main]
//! Frames, each behind a byte that says its length, become a message or an error.

use libfuzzer_sys::fuzz_target;
use measurand_cdtp::{Control, Limits};

fuzz_target!(|bytes: &[u8]| {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (frame, behind) = behind.split_at((*length as usize).min(behind.len()));
        frames.push(frame);
        rest = behind;
    }
    let _ = Control::decode(&frames, Limits::default());
});
