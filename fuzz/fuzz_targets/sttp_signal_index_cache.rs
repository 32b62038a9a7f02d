#![no_main]
//! A cache that is read is written and read again as the same.

use libfuzzer_sys::fuzz_target;
use measurand_sttp::SignalIndexCache;

fuzz_target!(|image: &[u8]| {
    if let Ok(parsed) = SignalIndexCache::parse(image) {
        let mut written = Vec::new();
        parsed.cache.write(&mut written);
        let again = SignalIndexCache::parse(&written).expect("what was written is read");
        assert!(again.exact_size && again.trailing == 0);
        assert_eq!(again.cache, parsed.cache);
    }
});
