#![no_main]
//! Filter expressions: any text is parsed and evaluated, or refused.

use libfuzzer_sys::fuzz_target;
use measurand_sttp::filter::{Filter, Precedence};
use measurand_sttp::metadata::{ACTIVE_MEASUREMENTS, derive_active_measurements, empty_metadata};

fuzz_target!(|text: &str| {
    let mut set = empty_metadata();
    derive_active_measurements(&mut set);
    for precedence in [Precedence::Compat, Precedence::Standard] {
        if let Ok(filter) = Filter::parse(text, precedence) {
            let _ = filter.evaluate(None);
            let _ = filter.signal_ids(&set, ACTIVE_MEASUREMENTS);
        }
    }
});
