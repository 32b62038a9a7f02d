#![no_main]
//! Arbitrary text as meta info: what is read is written and read the same.

use libfuzzer_sys::fuzz_target;
use measurand_tia::{Dialect, MetaInfo};

fuzz_target!(|text: &str| {
    if let Ok(info) = MetaInfo::from_xml(text) {
        let _ = MetaInfo::from_xml(&info.to_xml(Dialect::Libtia));
    }
});
