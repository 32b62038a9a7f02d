//! How fast one thread decodes a data connection: into packets (throughput in packets), into measurements (in samples).

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use measurand_columns::{Block, Columns, Layout};
use measurand_tia::{
    FramerOptions, MeasurementDecoder, MeasurementOptions, Pace, PacketBlock, PacketBuilder, PacketDecoder,
    PacketLayout, SignalRows, SignalType, SourceSignal,
};

const SHAPES: [(u16, u16); 3] = [(8, 1), (64, 8), (256, 32)];
/// Bytes of a chunk: what a socket read gives at most.
const CHUNK: usize = 256 * 1024;

fn chunk((channels, blocksize): (u16, u16)) -> (Vec<u8>, usize) {
    let size = usize::from(channels) * usize::from(blocksize);
    let packets = CHUNK / (37 + 4 * size);
    let signal = SignalType::from_bit(0).expect("bit 0 is a type");
    let source = SourceSignal { signal, channels, blocksize, pace: Pace::Master };
    let mut builder = PacketBuilder::new(&[source], 0, 8 << 20).expect("one master");
    builder.push(0, &vec![1.5; packets * size]).expect("whole blocks");
    let mut bytes = Vec::new();
    builder.build(&[], &mut bytes);
    (bytes, packets)
}

/// Memory aligned as the addon's is.
fn words(bytes: usize) -> Vec<u64> {
    vec![0; bytes.div_ceil(8)]
}

fn packets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode packets");
    for shape in SHAPES {
        let (bytes, packets) = chunk(shape);
        let samples = packets * usize::from(shape.0) * usize::from(shape.1);
        let room = PacketLayout { packets: packets as u32 + 1, samples: samples as u32, words: 4096 };
        let mut memory = words(room.byte_length());
        group.throughput(Throughput::Elements(packets as u64));
        group.bench_function(format!("{}x{}", shape.0, shape.1), |bencher| {
            bencher.iter_batched_ref(
                || PacketDecoder::new(FramerOptions::default(), Vec::new()),
                |decoder| {
                    let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
                    PacketBlock::format(memory, room).expect("the room fits");
                    let mut block = PacketBlock::open(memory).expect("the room fits");
                    black_box(decoder.decode(black_box(&bytes), &mut block));
                    assert_eq!(block.len(), packets);
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn measurements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode measurements");
    for shape in SHAPES {
        let (bytes, packets) = chunk(shape);
        let rows = packets * usize::from(shape.0) * usize::from(shape.1);
        let columns = Columns::REQUIRED | Columns::SEQ | Columns::IDX | Columns::RAW_TIME;
        let layout = Layout { capacity: rows as u32, columns };
        let mut memory = words(layout.byte_length());
        group.throughput(Throughput::Elements(rows as u64));
        group.bench_function(format!("{}x{}", shape.0, shape.1), |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut decoder = MeasurementDecoder::new(MeasurementOptions::default(), Vec::new());
                    decoder.set_anchor(0, 1000);
                    let rows = (0..u32::from(shape.0)).collect();
                    decoder.set_signal(SignalRows { bit: 0, rows, rate: 1000.0 });
                    decoder
                },
                |decoder| {
                    let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
                    Block::format(memory, layout).expect("the room fits");
                    let mut block = Block::open(memory).expect("the room fits");
                    black_box(decoder.decode(black_box(&bytes), &mut block));
                    assert_eq!(block.len(), rows);
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = packets, measurements
}
criterion_main!(benches);
