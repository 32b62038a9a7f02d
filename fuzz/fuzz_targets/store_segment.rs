#![no_main]
//! Every byte of a segment is in a whole batch or in the tail, and rows that were read can be read again from columns.

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use measurand_store::{SegmentLimits, SegmentReader, columns_of};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut segment) = SegmentReader::open(Cursor::new(bytes), SegmentLimits::default()) else {
        return;
    };
    for batch in segment.by_ref() {
        let batch = batch.expect("memory can be read");
        let columns = columns_of(&batch).expect("a batch has the columns of its segment");
        assert_eq!(columns.len(), batch.num_columns());
    }
    let tail = segment.tail().expect("the batches have ended");
    assert_eq!(tail.offset + tail.bytes, bytes.len() as u64);
});
