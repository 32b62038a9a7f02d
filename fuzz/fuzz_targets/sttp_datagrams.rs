#![no_main]
//! Any gathered datagrams, plain or encrypted, become rows, events and errors, and all of their bytes are taken.

use libfuzzer_sys::fuzz_target;
use measurand_columns::{Block, Columns, Layout, Status};
use measurand_sttp::{CipherKey, CipherKeys, Downlink, DownlinkOptions, OperationalModes, Response};

fuzz_target!(|input: (Vec<u8>, bool, bool)| {
    let (bytes, include_time, encrypted) = input;
    let mut downlink = Downlink::new(DownlinkOptions::default());
    downlink.set_time_form(include_time, false);
    let layout = Layout { capacity: 16, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    if encrypted {
        let key = || CipherKey { key: vec![1; 32], iv: vec![2; 16] };
        let mut wire = Vec::new();
        Response::CipherKeys(CipherKeys { active: 0, pairs: [key(), key()] })
            .write(OperationalModes::COMPACT, &mut wire);
        let block_bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(block_bytes, layout).expect("the memory is of the layout");
        let block = Block::open(block_bytes).expect("the block was formatted");
        assert_eq!(downlink.decode(&wire, block), Ok(Status::Control));
        assert!(downlink.take_event().is_some());
    }
    let mut rest = bytes.as_slice();
    loop {
        let block_bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(block_bytes, layout).expect("the memory is of the layout");
        let block = Block::open(block_bytes).expect("the block was formatted");
        let status = downlink.decode_datagrams(rest, block);
        let consumed = u32::from_ne_bytes([block_bytes[24], block_bytes[25], block_bytes[26], block_bytes[27]]);
        rest = &rest[consumed as usize..];
        match status {
            Status::Full => {}
            Status::Control => assert!(core::iter::from_fn(|| downlink.take_event()).count() > 0),
            Status::Malformed => assert!(downlink.take_error().is_some()),
            Status::NeedMore => break assert!(rest.is_empty()),
            Status::Lost => unreachable!("datagrams have no framing to lose"),
        }
    }
});
