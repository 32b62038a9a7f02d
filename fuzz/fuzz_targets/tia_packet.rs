#![no_main]
//! Arbitrary bytes as a data connection, in pieces, into packet blocks.

use libfuzzer_sys::fuzz_target;
use measurand_columns::Status;
use measurand_tia::{FramerOptions, PacketBlock, PacketDecoder, PacketLayout, Version};

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (mode, piece, bytes) = input;
    let version = [Version::V3, Version::V2, Version::Auto][usize::from(mode % 3)];
    let options = FramerOptions { datagrams: mode & 0x80 != 0, version, limit: 1 << 16, ..FramerOptions::default() };
    let mut decoder = PacketDecoder::new(options, Vec::new());
    let room = PacketLayout { packets: 16, samples: 1 << 14, words: 66 };
    let mut words = vec![0_u64; room.byte_length().div_ceil(8)];
    // Datagrams come whole.
    let size = if options.datagrams { bytes.len().max(1) } else { usize::from(piece) + 1 };
    let mut taken = 0;
    for chunk in bytes.chunks(size) {
        let mut at = 0;
        loop {
            let memory = bytemuck::cast_slice_mut(&mut words);
            PacketBlock::format(memory, room).unwrap();
            let mut block = PacketBlock::open(memory).unwrap();
            let (status, consumed) = decoder.decode(&chunk[at..], &mut block);
            at += consumed;
            taken += consumed;
            match status {
                Status::NeedMore => break,
                Status::Lost => return,
                Status::Full => assert!(!block.is_empty()),
                Status::Control => assert!(decoder.take_notice().is_some()),
                Status::Malformed => assert!(decoder.take_error().is_some()),
            }
        }
    }
    assert_eq!(taken, bytes.len());
});
