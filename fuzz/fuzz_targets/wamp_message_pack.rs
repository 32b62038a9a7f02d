#![no_main]
//! Skipping a `MessagePack` value takes exactly the bytes that it says, and never panics.

use libfuzzer_sys::fuzz_target;
use measurand_wamp::{MessagePackReader, Reader, skip_value};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = MessagePackReader::new(bytes);
    if skip_value(&mut reader, 64).is_ok() {
        assert_eq!(reader.position() + reader.remaining(), bytes.len());
    }
});
