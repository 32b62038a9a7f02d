use measurand_columns::{Block as Rows, Layout};
use proptest::prelude::*;

use super::*;
use crate::packet::write_packet;
use crate::{PacketHeader, Version};

type Row = (i64, u64, u32, u64, u32);

struct Memory(Vec<u64>);

impl Memory {
    fn new(capacity: u32) -> Self {
        let columns = Columns::REQUIRED | Columns::SEQ | Columns::IDX | Columns::RAW_TIME;
        let layout = Layout { capacity, columns };
        let mut words = vec![0_u64; layout.byte_length().div_ceil(8)];
        Rows::format(bytemuck::cast_slice_mut(&mut words), layout).unwrap();
        Self(words)
    }

    fn open(&mut self) -> Rows<'_> {
        Rows::open(bytemuck::cast_slice_mut(&mut self.0)).unwrap()
    }

    fn rows(&mut self) -> Vec<Row> {
        let block = self.open();
        let row = |i: usize| (block.time[i], block.value[i].to_bits(), block.signal[i], block.seq[i], block.idx[i]);
        (0..block.len()).map(row).collect()
    }
}

/// Decodes with blocks of `capacity` rows; new signals get rows `100 * bit`.
fn decode(decoder: &mut MeasurementDecoder, chunks: &[&[u8]], capacity: u32) -> (Vec<Row>, Vec<Notice>) {
    let (mut rows, mut notices) = (Vec::new(), Vec::new());
    let mut memory = Memory::new(capacity);
    for chunk in chunks {
        let mut rest = *chunk;
        loop {
            let mut block = memory.open();
            let (status, consumed) = decoder.decode(rest, &mut block);
            block.close(status, consumed, 0);
            rest = &rest[consumed..];
            match status {
                Status::NeedMore => break,
                Status::Full => {
                    rows.extend(memory.rows());
                    memory = Memory::new(capacity);
                }
                Status::Control => match decoder.take_notice().unwrap() {
                    Notice::Anchor { last, .. } => {
                        decoder.set_anchor(1_000_000_i64.wrapping_sub((last as i64).wrapping_mul(1000)), 1000);
                    }
                    Notice::Signal { bit, channels, .. } => {
                        let rows = (100 * u32::from(bit)..).take(usize::from(channels)).collect();
                        decoder.set_signal(SignalRows { bit, rows, rate: 1000.0 });
                    }
                    notice => notices.push(notice),
                },
                Status::Malformed | Status::Lost => {
                    rows.extend(memory.rows());
                    return (rows, notices);
                }
            }
        }
    }
    rows.extend(memory.rows());
    (rows, notices)
}

fn packet(id: u64, timestamp: u64, blocks: &[Block], samples: &[f32]) -> Vec<u8> {
    let header = PacketHeader { packet_id: id, timestamp, ..PacketHeader::default() };
    let mut bytes = Vec::new();
    write_packet(&mut bytes, &header, blocks, bytemuck::cast_slice(samples));
    bytes
}

const EEG: Block = Block { bit: 0, channels: 2, blocksize: 2 };
const EMG: Block = Block { bit: 1, channels: 1, blocksize: 1 };

#[test]
fn times_lie_before_the_stamp_by_position() {
    let bytes =
        [packet(0, 5000, &[EEG, EMG], &[1.0, 2.0, 3.0, 4.0, 5.0]), packet(2, 7000, &[EEG], &[6.0, 7.0, 8.0, 9.0])]
            .concat();
    let mut decoder = MeasurementDecoder::new(MeasurementOptions::default(), Vec::new());
    let (rows, notices) = decode(&mut decoder, &[&bytes], 100);
    let anchor = 1_000_000 - 7_000_000;
    let row = |ms: i64, value: f64, signal, seq, idx| (anchor + ms * 1_000_000, value.to_bits(), signal, seq, idx);
    let wanted = [
        row(4, 1.0, 0, 0, 0),
        row(5, 2.0, 0, 0, 1),
        row(4, 3.0, 1, 0, 0),
        row(5, 4.0, 1, 0, 1),
        row(5, 5.0, 100, 0, 0),
        row(6, 6.0, 0, 2, 0),
        row(7, 7.0, 0, 2, 1),
        row(6, 8.0, 1, 2, 0),
        row(7, 9.0, 1, 2, 1),
    ];
    assert_eq!(rows, wanted);
    assert_eq!(notices, [Notice::Gap { first: 1, last: 1 }]);
    assert_eq!(decoder.last_timestamp(), 7000);
}

#[test]
fn floats_come_back_bit_for_bit() {
    let specials = [0x7F80_0001_u32, 0xFFC1_2345, 0x7F80_0000, 0x8000_0000, 1, 0x3F80_0000, 0x7FC0_0000];
    let samples = specials.map(f32::from_bits);
    let block = Block { bit: 0, channels: 1, blocksize: 7 };
    let mut decoder = MeasurementDecoder::new(MeasurementOptions::default(), Vec::new());
    let (rows, _) = decode(&mut decoder, &[&packet(0, 0, &[block], &samples)], 10);
    let narrow = |bits: u64| {
        let value = f64::from_bits(bits);
        if !value.is_nan() {
            return (value as f32).to_bits();
        }
        ((bits >> 63) as u32 * 0x8000_0000) | 0x7F80_0000 | ((bits >> 29) as u32 & 0x7F_FFFF)
    };
    assert_eq!(rows.iter().map(|row| narrow(row.1)).collect::<Vec<_>>(), specials);
}

#[test]
fn a_time_that_does_not_fit_is_kept_raw() {
    let bytes = packet(0, u64::MAX, &[EMG], &[1.0]);
    let mut decoder = MeasurementDecoder::new(MeasurementOptions::default(), Vec::new());
    decoder.set_anchor(0, 1000);
    decoder.set_signal(SignalRows { bit: 1, rows: vec![0], rate: 0.0 });
    let mut memory = Memory::new(4);
    let mut block = memory.open();
    assert_eq!(decoder.decode(&bytes, &mut block), (Status::NeedMore, bytes.len()));
    assert_eq!((block.time[0], block.raw_time()), (TIME_UNKNOWN, &[u64::MAX][..]));
}

#[test]
fn version_2_has_opaque_times() {
    let bytes = include_bytes!("../../../../__test__/vectors/tia/synthetic/v2-eeg-emg.bin");
    let framer = FramerOptions { version: Version::Auto, ..FramerOptions::default() };
    let mut decoder = MeasurementDecoder::new(MeasurementOptions { framer, unit_ns: 1000 }, Vec::new());
    let (rows, _) = decode(&mut decoder, &[bytes], 10);
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row.0 == TIME_UNKNOWN));
}

proptest! {
    #[test]
    fn any_split_and_any_block_give_the_same_rows(
        packets in proptest::collection::vec(crate::packet::tests::shapes(), 1..8),
        cuts in proptest::collection::vec(any::<u16>(), 0..10),
        capacity in 1..40_u32,
    ) {
        let mut bytes = Vec::new();
        for (id, blocks) in (0..).zip(&packets) {
            let count: usize = blocks.iter().map(|block| block.samples()).sum();
            let samples: Vec<f32> = (0..count).map(|n| n as f32).collect();
            bytes.extend(packet(id, id * 1000, blocks, &samples));
        }
        let mut at: Vec<usize> = cuts.iter().map(|&cut| usize::from(cut) % (bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let decoder = || {
            let mut decoder = MeasurementDecoder::new(MeasurementOptions::default(), Vec::new());
            decoder.set_anchor(0, 1000);
            decoder
        };
        let whole = decode(&mut decoder(), &[&bytes], 10_000);
        let samples: usize = packets.iter().flatten().map(|block| block.samples()).sum();
        prop_assert_eq!(whole.0.len(), samples);
        prop_assert_eq!(decode(&mut decoder(), &chunks, capacity), whole);
    }
}
