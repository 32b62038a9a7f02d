#![no_main]
//! A MessagePack value that can be read is written and read again as the same.

use libfuzzer_sys::fuzz_target;
use measurand_cdtp::{Limits, Profile, Value};

fuzz_target!(|bytes: &[u8]| {
    let Ok((value, used)) = Value::decode(bytes, Limits::default()) else { return };
    assert!(used <= bytes.len());
    let mut out = Vec::new();
    value.encode(Profile::Full, &mut out).expect("what was read can be written");
    let (again, length) = Value::decode(&out, Limits::default()).expect("what was written can be read");
    assert_eq!(length, out.len());
    // NaN is not itself: compared as it is printed.
    assert_eq!(format!("{value:?}"), format!("{again:?}"));
});
