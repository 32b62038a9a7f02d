#![no_main]
//! Metadata: any bytes are a data set or refused; what is read is written and read again the same.

use libfuzzer_sys::fuzz_target;
use measurand_sttp::data_set::{DataSet, DataSetLimits};

fuzz_target!(|bytes: &[u8]| {
    let limits = DataSetLimits { bytes: 1 << 20, ..DataSetLimits::default() };
    let Ok((set, _)) = DataSet::from_bytes(bytes, &limits) else {
        return;
    };
    let mut xml = Vec::new();
    if set.to_xml(&mut xml).is_ok() {
        let again = DataSet::from_xml(&xml[..], &DataSetLimits::default()).expect("our own XML");
        assert_eq!(again.tables.len(), set.tables.len());
    }
});
