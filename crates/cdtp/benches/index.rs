//! How fast a message becomes an index: records without tags, as many as a message of 128 KiB has. A message that has just
//! come is in no cache of the core that reads it: the last case walks through more messages than a cache has room for.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use measurand_cdtp::{Indexer, Limits, MessageIndex, MessageType, NewRecord, encode_message};

const MESSAGE_BYTES: usize = 128 * 1024;

fn index(criterion: &mut Criterion) {
    for (bytes, messages, name) in [(64, 1, "64 B"), (1024, 1, "1024 B"), (1024, 1024, "1024 B, in no cache")] {
        let count = MESSAGE_BYTES / bytes;
        let block = vec![7_u8; bytes];
        let blocks = [block.as_slice()];
        let records: Vec<NewRecord<'_>> =
            (0..count).map(|n| NewRecord { sequence: n as u64 + 1, tags: &[0x80], blocks: &blocks }).collect();
        let message = encode_message("Synthetic.One", MessageType::Data, &records).expect("a small message");
        let messages = vec![message; messages];
        let mut memory = vec![0_u64; MessageIndex::byte_length(8192, 32768).div_ceil(8)];
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        MessageIndex::format(memory, 8192, 32768).expect("enough memory");
        let mut indexer = Indexer::new(Limits::default());
        let mut turns = messages.iter().cycle();
        let mut group = criterion.benchmark_group("index");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut index = MessageIndex::open(memory).expect("an index");
                indexer.index(turns.next().expect("a cycle"), &mut index).expect("a message")
            });
        });
    }
}

criterion_group!(benches, index);
criterion_main!(benches);
