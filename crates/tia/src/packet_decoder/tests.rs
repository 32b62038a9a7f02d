use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::packet::write_packet;
use crate::{PacketHeader, PacketLayout, SampleOrder, Version};

/// A packet as the tests compare it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) timestamp: u64,
    pub(crate) blocks: Vec<Block>,
    pub(crate) samples: Vec<u32>,
}

pub(crate) struct Memory {
    words: Vec<u64>,
}

impl Memory {
    pub(crate) fn new(room: PacketLayout) -> Self {
        let mut words = vec![0_u64; room.byte_length().div_ceil(8)];
        PacketBlock::format(bytemuck::cast_slice_mut(&mut words), room).unwrap();
        Self { words }
    }

    fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.words)
    }

    fn rows(&self, room: PacketLayout) -> Vec<Row> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        let header: &[u32] = bytemuck::cast_slice(&bytes[..64]);
        let [ids, _, stamps, ends, layouts, words, samples, _] = room.offsets();
        let count = header[3] as usize;
        let u64s = |at: usize| bytemuck::cast_slice::<u8, u64>(&bytes[at..at + 8 * count]);
        let u32s = |at: usize, n: usize| bytemuck::cast_slice::<u8, u32>(&bytes[at..at + 4 * n]);
        let (words, samples) = (u32s(words, header[5] as usize), u32s(samples, header[4] as usize));
        let mut start = 0;
        (0..count)
            .map(|row| {
                let layout = &words[u32s(layouts, count)[row] as usize..];
                let pairs = layout[2..2 + 2 * layout[1] as usize].chunks_exact(2);
                let blocks = pairs.map(|pair| Block {
                    bit: pair[0] as u8,
                    channels: pair[1] as u16,
                    blocksize: (pair[1] >> 16) as u16,
                });
                let end = u32s(ends, count)[row] as usize;
                let values = samples[start..end].to_vec();
                start = end;
                Row { id: u64s(ids)[row], timestamp: u64s(stamps)[row], blocks: blocks.collect(), samples: values }
            })
            .collect()
    }
}

/// Everything that a decoder says of chunks, with a new block whenever one is full.
pub(crate) fn decode(
    decoder: &mut PacketDecoder,
    chunks: &[&[u8]],
    room: PacketLayout,
) -> (Vec<Row>, Vec<Notice>, Vec<PacketError>) {
    let (mut rows, mut notices, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = Memory::new(room);
    for chunk in chunks {
        let mut rest = *chunk;
        loop {
            let mut block = PacketBlock::open(memory.bytes()).unwrap();
            let (status, consumed) = decoder.decode(rest, &mut block);
            let empty = block.is_empty();
            block.close(status, consumed, 0);
            rest = &rest[consumed..];
            match status {
                Status::NeedMore => break,
                Status::Full => {
                    assert!(!empty, "a packet fits into no block");
                    rows.extend(memory.rows(room));
                    memory = Memory::new(room);
                }
                Status::Control => notices.push(decoder.take_notice().unwrap()),
                Status::Malformed => errors.push(decoder.take_error().unwrap().0),
                Status::Lost => {
                    errors.push(decoder.take_error().unwrap().0);
                    rows.extend(memory.rows(room));
                    return (rows, notices, errors);
                }
            }
        }
        assert!(rest.is_empty());
    }
    rows.extend(memory.rows(room));
    (rows, notices, errors)
}

pub(crate) const ROOM: PacketLayout = PacketLayout { packets: 7, samples: 50_000, words: 66 };

fn vectors() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../__test__/vectors/tia"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn float(value: &Value) -> f32 {
    match value.as_str() {
        Some("nan" | "NaN") => f32::NAN,
        Some(text) => text.to_lowercase().replace("infinity", "inf").parse().unwrap(),
        None => value.as_f64().unwrap() as f32,
    }
}

fn expected(packets: &Value) -> Vec<Row> {
    let row = |packet: &Value| {
        let signals = packet["signals"].as_array().unwrap();
        let field = |signal: &Value, name: &str| signal[name].as_u64().unwrap();
        Row {
            id: number(&packet["packet_id"]),
            timestamp: number(&packet["timestamp"]),
            blocks: signals
                .iter()
                .map(|signal| Block {
                    bit: field(signal, "bit") as u8,
                    channels: field(signal, "channels") as u16,
                    blocksize: field(signal, "blocksize") as u16,
                })
                .collect(),
            samples: signals
                .iter()
                .flat_map(|signal| signal["data"].as_array().unwrap().iter().map(|value| float(value).to_bits()))
                .collect(),
        }
    };
    packets.as_array().unwrap().iter().map(row).collect()
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn recorded_sessions() {
    for session in ["tcp-one-signal", "tcp-three-signals", "tcp-large", "tcp-order-quirk"] {
        let folder = vectors().join(session);
        let bytes = std::fs::read(folder.join("data.bin")).unwrap();
        let wanted = expected(&json(folder.join("packets.json"))["packets"]);
        for size in [1, 7, 33, 100, 65_536] {
            let mut decoder = PacketDecoder::new(FramerOptions::default(), Vec::new());
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            let (rows, notices, errors) = decode(&mut decoder, &chunks, ROOM);
            assert_eq!((notices, errors), (vec![], vec![]), "{session}");
            assert_eq!(rows, wanted, "{session} in chunks of {size}");
        }
    }
}

#[test]
fn recorded_datagrams() {
    for session in ["udp-one-signal", "udp-three-signals"] {
        let folder = vectors().join(session);
        let bytes = std::fs::read(folder.join("data.bin")).unwrap();
        let mut framed = Vec::new();
        let mut rest = bytes.as_slice();
        for size in json(folder.join("datagram_sizes.json")).as_array().unwrap() {
            let (datagram, behind) = rest.split_at(size.as_u64().unwrap() as usize);
            framed.extend_from_slice(&(datagram.len() as u16).to_le_bytes());
            framed.extend_from_slice(datagram);
            rest = behind;
        }
        let mut decoder = PacketDecoder::new(FramerOptions { datagrams: true, ..FramerOptions::default() }, Vec::new());
        let (rows, notices, errors) = decode(&mut decoder, &[&framed], ROOM);
        assert_eq!((notices, errors), (vec![], vec![]));
        assert_eq!(rows, expected(&json(folder.join("packets.json"))["packets"]));
    }
}

#[test]
fn synthetic_packets() {
    let synthetic = json(vectors().join("synthetic/synthetic.json"));
    for case in synthetic["good"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let bytes = std::fs::read(vectors().join("synthetic").join(file)).unwrap();
        let mut decoder =
            PacketDecoder::new(FramerOptions { version: Version::Auto, ..FramerOptions::default() }, Vec::new());
        let (rows, _, errors) = decode(&mut decoder, &[&bytes], ROOM);
        assert_eq!(errors, []);
        if let Some(packets) = case.get("packets") {
            // The vectors leave the sign and payload of a NaN open.
            let plain = |rows: &[Row]| {
                let nan = |bits: &u32| if f32::from_bits(*bits).is_nan() { u32::MAX } else { *bits };
                rows.iter()
                    .map(|row| Row { samples: row.samples.iter().map(nan).collect(), ..row.clone() })
                    .collect::<Vec<_>>()
            };
            assert_eq!(plain(&rows), plain(&expected(packets)), "{file}");
        } else {
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].samples.len(), 5);
        }
    }
}

#[test]
fn malformed_packets_are_lost_on_a_stream_and_skipped_as_datagrams() {
    let good = include_bytes!("../../../../__test__/vectors/tia/synthetic/v3-eeg-2x3.bin");
    for name in ["size-too-small", "size-too-big", "wrong-version", "size-lies"] {
        let bad = std::fs::read(vectors().join(format!("synthetic/bad-{name}.bin"))).unwrap();
        let stream = [good.as_slice(), &bad, good].concat();
        let mut decoder = PacketDecoder::new(FramerOptions::default(), Vec::new());
        let (rows, _, errors) = decode(&mut decoder, &[&stream], ROOM);
        assert_eq!((rows.len(), errors.len()), (1, 1), "{name}");
        assert!(decoder.is_lost());
        let mut block_memory = Memory::new(ROOM);
        let mut block = PacketBlock::open(block_memory.bytes()).unwrap();
        assert_eq!(decoder.decode(good, &mut block), (Status::Lost, 0));

        let framed: Vec<u8> = [good.as_slice(), &bad]
            .iter()
            .flat_map(|datagram| [&(datagram.len() as u16).to_le_bytes()[..], datagram].concat())
            .collect();
        let mut decoder = PacketDecoder::new(FramerOptions { datagrams: true, ..FramerOptions::default() }, Vec::new());
        let (rows, _, errors) = decode(&mut decoder, &[&framed], ROOM);
        assert_eq!((rows.len(), errors.len(), decoder.is_lost()), (1, 1, false), "{name}");
    }
    let cut = include_bytes!("../../../../__test__/vectors/tia/synthetic/bad-truncated-header.bin");
    let mut decoder = PacketDecoder::new(FramerOptions::default(), Vec::new());
    assert_eq!(decode(&mut decoder, &[cut], ROOM), (vec![], vec![], vec![]));
    assert_eq!(decoder.pending(), cut.len());
}

#[test]
fn pytia_s_order_of_blocks_is_corrected_where_shapes_tell() {
    let bytes = include_bytes!("../../../../__test__/vectors/tia/tcp-order-quirk/data.bin");
    let user = Block { bit: 16, channels: 1, blocksize: 3 };
    let eeg = Block { bit: 0, channels: 2, blocksize: 1 };
    let mut decoder = PacketDecoder::new(FramerOptions::default(), vec![user, eeg]);
    let (rows, notices, _) = decode(&mut decoder, &[bytes], ROOM);
    assert_eq!(notices, [Notice::OrderCorrected]);
    assert_eq!(rows[0].blocks, [user, eeg]);
    assert_eq!(rows[9].samples, [7.0_f32, 8.0, 9.0, 100.0, 101.0].map(f32::to_bits));

    // Ascending bits although the document is not: libtia. Equal shapes: nobody can tell.
    let packet = |blocks: &[Block]| {
        let mut bytes = Vec::new();
        let samples = vec![0; blocks.iter().map(|block| 4 * block.samples()).sum()];
        write_packet(&mut bytes, &PacketHeader::default(), blocks, &samples);
        bytes
    };
    let mut decoder = PacketDecoder::new(FramerOptions::default(), vec![user, eeg]);
    assert_eq!(decode(&mut decoder, &[&packet(&[eeg, user])], ROOM).1, []);
    let same = Block { bit: 16, ..eeg };
    let mut decoder = PacketDecoder::new(FramerOptions::default(), vec![same, eeg]);
    assert_eq!(decode(&mut decoder, &[&packet(&[eeg, same])], ROOM).1, [Notice::OrderAmbiguous]);
}

#[test]
fn eegdev_s_order_of_samples_is_turned() {
    let bytes = include_bytes!("../../../../__test__/vectors/tia/synthetic/v3-eeg-2x3.bin");
    let options = FramerOptions { order: SampleOrder::SampleMajor, ..FramerOptions::default() };
    let (rows, ..) = decode(&mut PacketDecoder::new(options, Vec::new()), &[bytes], ROOM);
    assert_eq!(rows[0].samples, [1.0_f32, 3.0, -2.0, 2.0, -1.0, -3.0].map(f32::to_bits));
}

#[test]
fn a_packet_larger_than_a_block_says_what_it_needs() {
    let bytes = include_bytes!("../../../../__test__/vectors/tia/synthetic/v3-eeg-2x3.bin");
    let room = PacketLayout { samples: 5, ..ROOM };
    let mut memory = Memory::new(room);
    let mut decoder = PacketDecoder::new(FramerOptions::default(), Vec::new());
    let mut block = PacketBlock::open(memory.bytes()).unwrap();
    let (status, consumed) = decoder.decode(bytes, &mut block);
    block.close(status, consumed, 0);
    assert_eq!((status, consumed), (Status::Full, 0));
    assert_eq!(bytemuck::cast_slice::<u8, u32>(&memory.bytes()[..64])[9], 6);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_packets(
        packets in proptest::collection::vec((crate::packet::tests::shapes(), 0..4_u64, 1..20_usize), 1..12),
        cuts in proptest::collection::vec(any::<u16>(), 0..10),
        datagrams in any::<bool>(),
    ) {
        let (mut bytes, mut id, mut wanted) = (Vec::new(), 0, Vec::new());
        // Runs of one layout with ids that follow, then a repeated id or a gap, and another layout.
        let runs = packets.iter().flat_map(|(blocks, skip, run)| (0..*run).map(move |at| (blocks, if at == 0 { *skip } else { 1 })));
        for (blocks, skip) in runs {
            id += skip;
            let count: usize = blocks.iter().map(|block| block.samples()).sum();
            let samples: Vec<u32> = (0..count as u32).map(|n| (n as f32).to_bits()).collect();
            let mut packet = Vec::new();
            let header = PacketHeader { packet_id: id, timestamp: id * 10, ..PacketHeader::default() };
            write_packet(&mut packet, &header, blocks, bytemuck::cast_slice(&samples));
            if datagrams {
                bytes.extend_from_slice(&(packet.len() as u16).to_le_bytes());
            }
            bytes.extend_from_slice(&packet);
            if wanted.iter().all(|row: &Row| row.id != id) {
                wanted.push(Row { id, timestamp: id * 10, blocks: blocks.clone(), samples });
            }
        }
        let mut at: Vec<usize> = if datagrams { vec![] } else { cuts.iter().map(|&cut| usize::from(cut) % (bytes.len() + 1)).collect() };
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let chunks: Vec<&[u8]> = at.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let options = FramerOptions { datagrams, ..FramerOptions::default() };
        let (rows, _, errors) = decode(&mut PacketDecoder::new(options, Vec::new()), &chunks, ROOM);
        prop_assert_eq!(errors, vec![]);
        prop_assert_eq!(rows, wanted);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(prop_oneof![Just(3_u8), Just(0), Just(0x0A), any::<u8>()], 0..400),
        datagrams in any::<bool>(),
        version in prop_oneof![Just(Version::V3), Just(Version::V2), Just(Version::Auto)],
    ) {
        let options = FramerOptions { datagrams, version, limit: 1 << 17, ..FramerOptions::default() };
        decode(&mut PacketDecoder::new(options, Vec::new()), &[&bytes], ROOM);
    }
}
