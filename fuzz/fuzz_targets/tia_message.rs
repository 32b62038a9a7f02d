#![no_main]
//! Arbitrary bytes as a control connection: what is read and written again is read the same.

use libfuzzer_sys::fuzz_target;
use measurand_tia::{MessageLimits, MessageReader};

fuzz_target!(|input: (bool, Vec<u8>)| {
    let limits = MessageLimits::default();
    let (resynchronise, bytes) = input;
    let mut reader =
        if resynchronise { MessageReader::resynchronising(limits) } else { MessageReader::new(limits) };
    reader.push(&bytes);
    while let Ok(Some(message)) = reader.next_message() {
        let _ = message.to_bytes();
    }
});
