#![no_main]
//! A datagram that is a beacon is written as it came.

use libfuzzer_sys::fuzz_target;
use measurand_cdtp::Beacon;

fuzz_target!(|datagram: &[u8]| {
    if let Ok(beacon) = Beacon::decode(datagram) {
        assert_eq!(beacon.encode().as_slice(), datagram);
    }
});
