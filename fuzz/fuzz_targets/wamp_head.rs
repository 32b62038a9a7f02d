#![no_main]
//! Items that are found lie one behind the other inside the message.

use libfuzzer_sys::fuzz_target;
use measurand_wamp::{Format, Head};

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Json, Format::MessagePack, Format::Cbor] {
        let Ok(head) = Head::read(format, bytes, 64) else { continue };
        let mut last = 0;
        for item in (0..7).map_while(|index| head.item(index)) {
            assert!(last <= item.start && item.start < item.end && item.end <= head.end);
            last = item.end;
        }
        assert!(head.end <= bytes.len());
    }
});
