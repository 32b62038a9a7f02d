#![no_main]
//! A publish's body is taken as it is, or leaves nothing.

use libfuzzer_sys::fuzz_target;
use measurand_stream_sea::{Messages, Packed};

fuzz_target!(|body: &[u8]| {
    let mut messages = Messages::default();
    let count = messages.append_body(body, None).unwrap_or(0);
    assert_eq!(messages.len(), count);
    let mut out = vec![0; messages.packed_length()];
    assert_eq!(messages.pack(&mut out), out.len());
    assert_eq!(Packed::open(&out).map(|packed| packed.len()), Ok(count));
});
