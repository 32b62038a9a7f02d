//! How many measurements a second one thread decodes from the wire to the columns, and encodes back.
//!
//! Cases are named `<codec> <decode|encode> <signals> <shape>`; throughput is in measurements. `frames` in front of
//! the signals is what a connection has to do, and what the addon is called for: `Downlink` on chunks of 64 KiB, `Encoder`
//! into a slab. `tssc decode wire <signals>` decodes into columns as the wire has them (ticks, float32), `columns <signals>` is
//! the conversion from these to ours alone. `clock` is not of codecs: its additions a second are the processor's cycles.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use measurand_columns::{Block, Columns, Layout, Status, ticks};
use measurand_sttp::{
    CacheRecord, Downlink, DownlinkOptions, Encoder, EncoderOptions, MeasurementRows, OperationalModes, Response,
    SignalIndexCache, SignalIndexes, SignalRows, Subscription, Uuid, compact, tssc,
};

const START: i64 = 1_704_067_200_000_000_000;
const FRAME_NS: i64 = 33_333_300;
/// What a socket's read gives.
const CHUNK_BYTES: usize = 64 * 1024;
/// What a publisher writes into, again and again.
const SLAB_BYTES: usize = 256 * 1024;
/// Rows of the block that is filled again and again.
const RING_ROWS: u32 = 16_384;
const COMPACT: OperationalModes = OperationalModes(0xC000_0222);

/// What the values of a signal do from frame to frame.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Frequencies, voltage magnitudes and phase angles with noise, rounded to float32.
    Synchrophasor,
    Constant,
    Random,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Synchrophasor => "synchrophasor",
            Self::Constant => "constant",
            Self::Random => "random",
        }
    }
}

/// Columns of whole frames, one after the other.
struct Data {
    time: Vec<i64>,
    value: Vec<f64>,
    signal: Vec<u32>,
    flags: Vec<u32>,
    signals: usize,
}

/// splitmix64: the benches need noise, not a dependency.
struct Noise(u64);

impl Noise {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ word >> 31
    }

    /// About normal with deviation 1.
    fn normal(&mut self) -> f64 {
        let bits = self.bits();
        (0..4).map(|part| f64::from((bits >> (16 * part)) as u16) / 65_536.0 - 0.5).sum::<f64>() * 3_f64.sqrt()
    }
}

impl Data {
    fn new(shape: Shape, signals: usize, frames: usize) -> Self {
        let mut noise = Noise(signals as u64);
        let mut level: Vec<f64> = (0..signals)
            .map(|signal| match signal % 3 {
                0 => 60.0,
                1 => 132_790.0,
                _ => noise.normal() * 60.0,
            })
            .collect();
        let rows = frames * signals;
        let mut data = Self {
            time: Vec::new(),
            value: Vec::with_capacity(rows),
            signal: Vec::new(),
            flags: vec![0; rows],
            signals,
        };
        for frame in 0..frames as i64 {
            data.time.extend(std::iter::repeat_n(START + frame * FRAME_NS, signals));
            data.signal.extend(0..signals as u32);
            for (signal, level) in level.iter_mut().enumerate() {
                data.value.push(match shape {
                    Shape::Constant => *level,
                    Shape::Random => {
                        // Neither NaN nor infinity, so that the conversion to a double is the processor's.
                        f64::from(f32::from_bits(noise.bits() as u32 & 0xFF7F_FFFF))
                    }
                    Shape::Synchrophasor => {
                        *level += noise.normal() * [0.001, 10.0, 0.05][signal % 3];
                        f64::from(*level as f32)
                    }
                });
            }
        }
        data
    }

    fn len(&self) -> usize {
        self.value.len()
    }

    fn rows(&self, first: usize, end: usize) -> MeasurementRows<'_> {
        MeasurementRows {
            time: &self.time[first..end],
            raw_time: &[],
            value: &self.value[first..end],
            signal: &self.signal[first..end],
            flags: &self.flags[first..end],
        }
    }

    /// Calls `each` with every frame.
    fn frames(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.len()).step_by(self.signals).map(|first| (first, first + self.signals))
    }
}

/// As many rows of columns as the wire has them.
struct WireRing {
    ticks: Vec<u64>,
    value: Vec<f32>,
    signal: Vec<u32>,
    flags: Vec<u32>,
}

impl WireRing {
    fn new() -> Self {
        let rows = RING_ROWS as usize;
        Self { ticks: vec![0; rows], value: vec![0.0; rows], signal: vec![0; rows], flags: vec![0; rows] }
    }

    fn columns(&mut self) -> tssc::WireColumns<'_> {
        let Self { ticks, value, signal, flags } = self;
        tssc::WireColumns { ticks, value, signal, flags, len: 0 }
    }
}

/// A block that is emptied whenever it is full, as the session's ring does it.
struct Ring {
    memory: Vec<u64>,
    layout: Layout,
}

impl Ring {
    fn new() -> Self {
        let layout = Layout { capacity: RING_ROWS, columns: Columns::REQUIRED | Columns::RAW_TIME };
        Self { memory: vec![0; layout.byte_length().div_ceil(8)], layout }
    }

    fn block(&mut self) -> Block<'_> {
        let layout = self.layout;
        Block::format(self.bytes(), layout).expect("the layout sized it");
        self.opened()
    }

    /// The block with the rows that are in it.
    fn opened(&mut self) -> Block<'_> {
        Block::open(self.bytes()).expect("it was formatted")
    }

    fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.memory)
    }
}

fn encode_tssc(data: &Data, indexes: &SignalIndexes, mut each: impl FnMut(&[u8])) {
    let mut encoder = tssc::Encoder::new();
    let mut packet = vec![0; 32_768];
    for (mut first, end) in data.frames() {
        while first < end {
            let block = encoder.encode(&data.rows(first, end), indexes, &mut packet);
            first += block.rows;
            each(&packet[..block.bytes]);
        }
    }
}

fn decode_tssc(packets: &[Vec<u8>], rows: &SignalRows, ring: &mut Ring) -> usize {
    let mut decoder = tssc::Decoder::new(tssc::DecoderOptions::default());
    let mut rows_out = 0;
    let mut block = ring.block();
    for packet in packets {
        decoder.begin(packet).expect("the packet is short enough");
        while decoder.decode(rows, &mut block).expect("the packet is well formed") == tssc::Progress::Full {
            rows_out += block.len();
            block = ring.block();
        }
    }
    rows_out + block.len()
}

fn decode_tssc_wire(packets: &[Vec<u8>], rows: &SignalRows, wire: &mut WireRing) -> usize {
    let mut decoder = tssc::Decoder::new(tssc::DecoderOptions::default());
    let mut rows_out = 0;
    let mut columns = wire.columns();
    for packet in packets {
        decoder.begin(packet).expect("the packet is short enough");
        while decoder.decode_wire(rows, &mut columns).expect("the packet is well formed") == tssc::Progress::Full {
            rows_out += columns.len;
            columns.len = 0;
        }
    }
    rows_out + columns.len
}

fn encode_compact(data: &Data, indexes: &SignalIndexes, mut each: impl FnMut(&[u8], u32)) {
    let mut packet = vec![0; 32_750];
    for (mut first, end) in data.frames() {
        while first < end {
            let rows = data.rows(first, end);
            let encoded = compact::encode(&rows, indexes, &compact::TimeForm::FULL, false, &mut packet);
            first += encoded.rows;
            each(&packet[..encoded.bytes], encoded.measurements as u32);
        }
    }
}

fn decode_compact(packets: &[(Vec<u8>, u32)], rows: &SignalRows, ring: &mut Ring) -> usize {
    let mut sum = 0;
    let mut block = ring.block();
    for (packet, count) in packets {
        let (mut at, mut left) = (0, *count);
        while left > 0 {
            let form = compact::TimeForm::FULL;
            let decoded = compact::decode(&packet[at..], left, &form, rows, &mut block).expect("well formed");
            at += decoded.bytes;
            left -= decoded.records;
            if left > 0 {
                sum += block.len();
                block = ring.block();
            }
        }
    }
    sum + block.len()
}

/// An encoder of signals whose wire indexes are their rows.
fn encoder(modes: OperationalModes, signals: usize) -> Encoder {
    let mut encoder = Encoder::new(EncoderOptions::new(modes, &Subscription::default()));
    encoder.use_cache(0, SignalIndexes::identity(signals as u32));
    encoder
}

fn encode_frames(encoder: &mut Encoder, data: &Data, slab: &mut [u8], mut each: impl FnMut(&[u8])) {
    encoder.restart();
    let mut first = 0;
    while first < data.len() {
        let sent = encoder.encode(&data.rows(first, data.len()), slab);
        first += sent.rows;
        each(&slab[..sent.bytes]);
    }
}

/// A downlink that knows the signals.
fn downlink(modes: OperationalModes, signals: usize, ring: &mut Ring) -> Downlink {
    let mut downlink = Downlink::new(DownlinkOptions { modes, ..DownlinkOptions::default() });
    let record = |index: usize| CacheRecord {
        index: index as i32,
        signal_id: Uuid::from_u128(index as u128),
        source: "BENCH".into(),
        key_id: index as u64,
    };
    let cache = SignalIndexCache { records: (0..signals).map(record).collect(), ..SignalIndexCache::default() };
    let mut wire = Vec::new();
    Response::SignalIndexCache { cache_index: 0, cache }.write(modes, &mut wire);
    downlink.decode(&wire, ring.block()).expect("the framing is intact");
    while downlink.take_event().is_some() {}
    downlink
}

fn decode_frames(downlink: &mut Downlink, wire: &[u8], ring: &mut Ring) -> usize {
    let mut rows = 0;
    ring.block();
    for chunk in wire.chunks(CHUNK_BYTES) {
        let mut from = 0;
        loop {
            let status = downlink.decode(&chunk[from..], ring.opened()).expect("the framing is intact");
            from += bytemuck::cast_slice::<u8, u32>(&ring.bytes()[..64])[6] as usize;
            match status {
                Status::NeedMore => break,
                Status::Full => {
                    rows += ring.opened().len();
                    ring.block();
                }
                Status::Control => while downlink.take_event().is_some() {},
                Status::Malformed | Status::Lost => panic!("{:?}", downlink.take_error()),
            }
        }
    }
    rows + ring.opened().len()
}

/// Columns as the wire has them.
struct WireColumns {
    ticks: Vec<u64>,
    bits: Vec<u32>,
    index: Vec<u32>,
    flags: Vec<u32>,
}

impl WireColumns {
    fn new(data: &Data) -> Self {
        Self {
            ticks: data.time.iter().map(|&time| ticks::from_ns(time)).collect(),
            bits: data.value.iter().map(|&value| (value as f32).to_bits()).collect(),
            index: data.signal.clone(),
            flags: data.flags.clone(),
        }
    }

    /// Converts them to ours, block by block.
    fn convert(&self, ring: &mut Ring) {
        let most = ring.block().capacity();
        for first in (0..self.bits.len()).step_by(most) {
            let block = ring.block();
            let end = (first + most).min(self.bits.len());
            let time = block.time.iter_mut().zip(&self.ticks[first..end]);
            time.for_each(|(time, &ticks)| *time = ticks::to_ns(ticks).0);
            let value = block.value.iter_mut().zip(&self.bits[first..end]);
            value.for_each(|(value, &bits)| *value = f64::from(f32::from_bits(bits)));
            block.signal[..end - first].copy_from_slice(&self.index[first..end]);
            block.flags[..end - first].copy_from_slice(&self.flags[first..end]);
            black_box(&block);
        }
    }
}

/// Additions of which each waits for the one before: one a cycle on every processor. Rates of other cases divided by this one's
/// are measurements a cycle, which machines of different clocks have in common.
fn clock(criterion: &mut Criterion) {
    const TURNS: u64 = 100_000;
    let mut group = criterion.benchmark_group("codec");
    // An addition and an exclusive or, which cannot be made into one.
    group.throughput(Throughput::Elements(2 * TURNS));
    group.bench_function(BenchmarkId::from_parameter("clock"), |bencher| {
        let (step, mask) = black_box((3_u64, 5_u64));
        bencher.iter(|| (0..TURNS).fold(black_box(1_u64), |sum, _| sum.wrapping_add(step) ^ mask));
    });
    group.finish();
}

fn codecs(criterion: &mut Criterion) {
    for signals in [20, 1000, 100_000] {
        for shape in [Shape::Synchrophasor, Shape::Constant, Shape::Random] {
            let data = Data::new(shape, signals, (300_000 / signals).clamp(64, 3000));
            let indexes = SignalIndexes::identity(signals as u32);
            let rows = SignalRows::identity(signals as u32);
            let mut ring = Ring::new();
            let case = format!("{signals} {}", shape.name());
            let mut group = criterion.benchmark_group("codec");
            group.throughput(Throughput::Elements(data.len() as u64));
            let mut packets = Vec::new();
            encode_tssc(&data, &indexes, |packet| packets.push(packet.to_vec()));
            if std::env::var_os("BENCH_SIZES").is_some() {
                let bytes: usize = packets.iter().map(Vec::len).sum();
                eprintln!("tssc {case}: {:.3} bytes a measurement", bytes as f64 / data.len() as f64);
            }
            group.bench_function(BenchmarkId::from_parameter(format!("tssc decode {case}")), |bencher| {
                assert_eq!(decode_tssc(&packets, &rows, &mut ring), data.len());
                bencher.iter(|| black_box(decode_tssc(&packets, &rows, &mut ring)));
            });
            let mut wire = WireRing::new();
            group.bench_function(BenchmarkId::from_parameter(format!("tssc decode wire {case}")), |bencher| {
                assert_eq!(decode_tssc_wire(&packets, &rows, &mut wire), data.len());
                bencher.iter(|| black_box(decode_tssc_wire(&packets, &rows, &mut wire)));
            });
            group.bench_function(BenchmarkId::from_parameter(format!("tssc encode {case}")), |bencher| {
                bencher.iter(|| {
                    encode_tssc(&data, &indexes, |packet| {
                        black_box(packet);
                    });
                });
            });
            // Few enough that the wire is in the cache, as it is behind a socket's read.
            let data = Data::new(shape, signals, (30_000 / signals).max(1));
            group.throughput(Throughput::Elements(data.len() as u64));
            let mut packets = Vec::new();
            encode_compact(&data, &indexes, |packet, count| packets.push((packet.to_vec(), count)));
            group.bench_function(BenchmarkId::from_parameter(format!("compact decode {case}")), |bencher| {
                assert_eq!(decode_compact(&packets, &rows, &mut ring), data.len());
                bencher.iter(|| black_box(decode_compact(&packets, &rows, &mut ring)));
            });
            group.bench_function(BenchmarkId::from_parameter(format!("compact encode {case}")), |bencher| {
                bencher.iter(|| {
                    encode_compact(&data, &indexes, |packet, _| {
                        black_box(packet);
                    });
                });
            });
            group.finish();
        }
    }
}

/// What a connection has to do; the data of the codecs.
fn frames(criterion: &mut Criterion) {
    for signals in [20, 1000, 100_000] {
        for shape in [Shape::Synchrophasor, Shape::Constant, Shape::Random] {
            for (codec, modes, rows) in [("tssc", OperationalModes::COMPRESSED, 300_000), ("compact", COMPACT, 30_000)]
            {
                let least = if codec == "tssc" { 64 } else { 1 };
                let data = Data::new(shape, signals, (rows / signals).max(least));
                let case = format!("frames {signals} {}", shape.name());
                let mut group = criterion.benchmark_group("codec");
                group.throughput(Throughput::Elements(data.len() as u64));
                let (mut ring, mut slab, mut wire) = (Ring::new(), vec![0; SLAB_BYTES], Vec::new());
                let mut encoder = encoder(modes, signals);
                encode_frames(&mut encoder, &data, &mut slab, |bytes| wire.extend_from_slice(bytes));
                let mut downlink = downlink(modes, signals, &mut ring);
                group.bench_function(BenchmarkId::from_parameter(format!("{codec} decode {case}")), |bencher| {
                    assert_eq!(decode_frames(&mut downlink, &wire, &mut ring), data.len());
                    bencher.iter(|| black_box(decode_frames(&mut downlink, &wire, &mut ring)));
                });
                group.bench_function(BenchmarkId::from_parameter(format!("{codec} encode {case}")), |bencher| {
                    bencher.iter(|| {
                        encode_frames(&mut encoder, &data, &mut slab, |bytes| {
                            black_box(bytes);
                        });
                    });
                });
                group.finish();
            }
        }
        let data = Data::new(Shape::Synchrophasor, signals, 30_000_usize.div_ceil(signals));
        let wire = WireColumns::new(&data);
        let mut ring = Ring::new();
        let mut group = criterion.benchmark_group("codec");
        group.throughput(Throughput::Elements(data.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("columns {signals}")), |bencher| {
            bencher.iter(|| wire.convert(&mut ring));
        });
        group.finish();
    }
}

criterion_group!(benches, clock, codecs, frames);
criterion_main!(benches);
