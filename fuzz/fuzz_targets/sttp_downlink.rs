#![no_main]
//! Any bytes become rows, events and errors; frames that come whole are all counted.

use libfuzzer_sys::fuzz_target;
use measurand_columns::{Block, Columns, Layout, Status};
use measurand_sttp::{Downlink, DownlinkOptions, FrameLimits};

fuzz_target!(|input: (Vec<u8>, bool, bool)| {
    let (bytes, include_time, milliseconds) = input;
    let limits = FrameLimits::all(1 << 16);
    let mut downlink = Downlink::new(DownlinkOptions { limits, ..DownlinkOptions::default() });
    downlink.set_time_form(include_time, milliseconds);
    let layout = Layout { capacity: 16, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let mut rest = bytes.as_slice();
    loop {
        let block_bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        Block::format(block_bytes, layout).expect("the memory is of the layout");
        let block = Block::open(block_bytes).expect("the block was formatted");
        let status = downlink.decode(rest, block).expect("it was not lost before");
        let consumed = u32::from_ne_bytes([block_bytes[24], block_bytes[25], block_bytes[26], block_bytes[27]]);
        rest = &rest[consumed as usize..];
        match status {
            Status::Full => {}
            Status::Control => assert!(core::iter::from_fn(|| downlink.take_event()).count() > 0),
            Status::Malformed => assert!(downlink.take_error().is_some()),
            Status::NeedMore => break assert!(rest.is_empty()),
            Status::Lost => break assert!(downlink.take_error().is_some()),
        }
    }
});
