//! How fast a message becomes an index: records of 64 bytes without tags, as many as a message of 128 KiB has.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use measurand_cdtp::{Indexer, Limits, MessageIndex, MessageType, NewRecord, encode_message};

fn index(criterion: &mut Criterion) {
    for bytes in [64_usize, 1024] {
        let count = 128 * 1024 / bytes;
        let block = vec![7_u8; bytes];
        let blocks = [block.as_slice()];
        let records: Vec<NewRecord<'_>> =
            (0..count).map(|n| NewRecord { sequence: n as u64 + 1, tags: &[0x80], blocks: &blocks }).collect();
        let message = encode_message("Synthetic.One", MessageType::Data, &records).expect("a small message");
        let mut memory = vec![0_u64; MessageIndex::byte_length(8192, 32768).div_ceil(8)];
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
        MessageIndex::format(memory, 8192, 32768).expect("enough memory");
        let mut indexer = Indexer::new(Limits::default());
        let mut group = criterion.benchmark_group("index");
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(format!("{bytes} B"), |bencher| {
            bencher.iter(|| {
                let mut index = MessageIndex::open(memory).expect("an index");
                indexer.index(&message, &mut index).expect("a message")
            });
        });
    }
}

criterion_group!(benches, index);
criterion_main!(benches);
