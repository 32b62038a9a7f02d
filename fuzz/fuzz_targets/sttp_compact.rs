#![no_main]
//! A compact packet behind a byte that chooses how its times are read: bytes taken are never more than there are, and
//! without an error every record is taken.

use libfuzzer_sys::fuzz_target;
use measurand_columns::{Block, Columns, Layout};
use measurand_sttp::SignalRows;
use measurand_sttp::compact::{TimeForm, body, decode};

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, packet)) = bytes.split_first() else {
        return;
    };
    let base = u64::from(choice & 4) * 159_500_000_000_000_000;
    let form = TimeForm { include_time: choice & 1 != 0, milliseconds: choice & 2 != 0, base_times: [base, u64::MAX] };
    let Ok(found) = body(packet, &form, choice & 8 != 0) else {
        return;
    };
    let layout = Layout { capacity: 20, columns: Columns::REQUIRED | Columns::RAW_TIME };
    let mut memory = vec![0_u64; layout.byte_length().div_ceil(8)];
    let signals = SignalRows::identity(1 << 20);
    let (mut rest, mut left) = (found.records, found.count);
    while left > 0 {
        let memory = bytemuck::cast_slice_mut(&mut memory);
        Block::format(memory, layout).expect("the layout sized it");
        let mut block = Block::open(memory).expect("it was formatted");
        let Ok(decoded) = decode(rest, left, &form, &signals, &mut block) else {
            return;
        };
        assert!(decoded.records > 0 && decoded.records - decoded.skipped == block.len() as u32);
        rest = &rest[decoded.bytes..];
        left -= decoded.records;
    }
});
