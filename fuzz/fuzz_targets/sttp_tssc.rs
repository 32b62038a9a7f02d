#![no_main]
//! Packets, each behind a byte that says its length, decode to rows or to an error that stays; what fits a block of any
//! size is the same.

use libfuzzer_sys::fuzz_target;
use measurand_columns::{Block, Columns, Layout};
use measurand_sttp::SignalRows;
use measurand_sttp::tssc::{Decoder, DecoderOptions, Progress};

fuzz_target!(|bytes: &[u8]| {
    let few = decode(bytes, 5);
    assert_eq!(few, decode(bytes, 512));
    assert!(few.0 <= bytes.len() * 8);
});

/// Rows, a sum over them, and whether the decoder failed.
fn decode(bytes: &[u8], capacity: u32) -> (usize, u64, bool) {
    let layout = Layout { capacity, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut options = DecoderOptions::default();
    options.max_signals = 1000;
    // No megabytes for one large index.
    options.dense_indexes = 4096;
    let (signals, mut decoder) = (SignalRows::identity(100), Decoder::new(options));
    let (mut rows, mut sum, mut rest) = (0, 0_u64, bytes);
    while let Some((&length, tail)) = rest.split_first() {
        let (packet, tail) = tail.split_at(tail.len().min(length.into()));
        rest = tail;
        if decoder.begin(packet).is_err() {
            return (rows, sum, true);
        }
        loop {
            let memory = bytemuck::cast_slice_mut(&mut memory);
            Block::format(memory, layout).expect("the layout sized it");
            let mut block = Block::open(memory).expect("it was formatted");
            let progress = decoder.decode(&signals, &mut block);
            rows += block.len();
            for at in 0..block.len() {
                let row = block.value[at].to_bits() ^ block.time[at] as u64 ^ u64::from(block.signal[at]);
                sum = sum.rotate_left(5) ^ row ^ u64::from(block.flags[at]);
            }
            match progress {
                Ok(Progress::Full) => {}
                Ok(Progress::Done) => break,
                Err(error) => {
                    assert_eq!(decoder.begin(&[]).and(decoder.decode(&signals, &mut block)), Err(error));
                    return (rows, sum, true);
                }
            }
        }
    }
    (rows, sum, false)
}
