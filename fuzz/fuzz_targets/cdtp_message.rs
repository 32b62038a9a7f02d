#![no_main]
//! A CDTP message becomes an index or an error; every span lies inside it, and room does not change what is found.

use libfuzzer_sys::fuzz_target;
use measurand_cdtp::{Indexer, Limits, MessageIndex, Outcome, SequenceAccount, record_times};

fuzz_target!(|message: &[u8]| {
    let mut counts = [0_usize; 2];
    for (count, room) in counts.iter_mut().zip([4_u32, 1024]) {
        let mut memory = vec![0_u64; MessageIndex::byte_length(room, 1024).div_ceil(8)];
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        MessageIndex::format(memory, room, 1024).expect("enough memory");
        let mut indexer = Indexer::new(Limits::default());
        let mut account = SequenceAccount::new();
        loop {
            let mut index = MessageIndex::open(memory).expect("an index");
            let Ok(outcome) = indexer.index(message, &mut index) else { break };
            *count += index.records();
            for record in 0..index.records() {
                let tags = &message[index.tags_offset[record] as usize..][..index.tags_length[record] as usize];
                assert!(record_times(tags, Limits::default()).is_ok());
                for block in index.blocks_of(record) {
                    let _ = &message[index.block_offset[block] as usize..][..index.block_length[block] as usize];
                }
                account.observe(index.sequence[record]);
            }
            if outcome == Outcome::Done {
                break;
            }
        }
    }
    assert_eq!(counts[0], counts[1]);
});
