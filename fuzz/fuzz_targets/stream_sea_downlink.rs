#![no_main]
//! Frames of a server, split anywhere: what is consumed is never more than what came.

use libfuzzer_sys::fuzz_target;
use measurand_stream_sea::{Downlink, EventBlock};

fuzz_target!(|input: (Vec<u8>, u8)| {
    let (bytes, piece) = input;
    let mut downlink = Downlink::new(1 << 16, true);
    for chunk in bytes.chunks(usize::from(piece).max(1)) {
        let mut memory = vec![0; EventBlock::byte_length(4, 4096)];
        memory[0..4].copy_from_slice(&4u32.to_le_bytes());
        memory[4..8].copy_from_slice(&4096u32.to_le_bytes());
        let Ok(mut block) = EventBlock::open(&mut memory) else { return };
        let (_, consumed) = downlink.decode(chunk, &mut block);
        assert!(consumed <= chunk.len());
    }
});
