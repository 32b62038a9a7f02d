#![no_main]
//! Every byte is in a frame, in one that has not come whole, or behind an error.

use libfuzzer_sys::fuzz_target;
use measurand_sttp::{Deframer, FrameLimits};

fuzz_target!(|input: (Vec<u8>, usize)| {
    let (bytes, cut) = input;
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    let mut deframer = Deframer::new(FrameLimits::all(1 << 12));
    let mut framed = 0;
    for chunk in [first, second] {
        let mut position = 0;
        loop {
            match deframer.next(chunk, &mut position) {
                Ok(Some(frame)) => framed += frame.len(),
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert_eq!(position, chunk.len());
    }
    assert_eq!(framed + deframer.pending(), bytes.len());
});
