use proptest::prelude::*;

use super::*;
use crate::{Packet, write_packet};

const LIMIT: usize = 8 << 20;

fn source(bit: u8, channels: u16, blocksize: u16, pace: Pace) -> SourceSignal {
    SourceSignal { signal: SignalType::from_bit(bit).unwrap(), channels, blocksize, pace }
}

fn packets(bytes: &[u8]) -> Vec<(PacketHeader, Vec<Block>, Vec<f32>)> {
    let (mut rest, mut packets) = (bytes, Vec::new());
    while let Some(packet) = Packet::read(rest, LIMIT).unwrap() {
        let samples = packet.samples.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        packets.push((packet.header, packet.blocks, samples));
        rest = &rest[packet.header.size as usize..];
    }
    assert!(rest.is_empty());
    packets
}

#[test]
fn blocks_lie_in_ascending_bits_whatever_the_master_is() {
    let signals = [source(16, 1, 3, Pace::Master), source(0, 2, 1, Pace::Buffered)];
    let mut builder = PacketBuilder::new(&signals, 0, LIMIT).unwrap();
    builder.push(1, &[100.0, 101.0]).unwrap();
    builder.push(0, &[7.0, 8.0, 9.0]).unwrap();
    let mut out = Vec::new();
    builder.build(&[42.0], &mut out);
    let [(header, blocks, samples)] = packets(&out).try_into().unwrap();
    assert_eq!((header.flags, header.timestamp, header.packet_id), (65_537, 42, 0));
    let shapes: Vec<_> = blocks.iter().map(|block| (block.bit, block.channels, block.blocksize)).collect();
    assert_eq!(shapes, [(0, 2, 1), (16, 1, 3)]);
    assert_eq!(samples, [100.0, 101.0, 7.0, 8.0, 9.0]);
}

#[test]
fn a_slower_signal_comes_in_every_fourth_packet_the_first_included() {
    let signals = [source(0, 1, 1, Pace::Master), source(8, 1, 1, Pace::Scheduled { blocks: 1, packets: 4 })];
    let mut builder = PacketBuilder::new(&signals, 0, LIMIT).unwrap();
    builder.push(0, &[0.0; 9]).unwrap();
    builder.push(1, &[1.0, 2.0, 3.0]).unwrap();
    let mut out = Vec::new();
    builder.build(&[], &mut out);
    let with: Vec<_> =
        packets(&out).iter().filter(|packet| packet.0.flags == 0x101).map(|packet| packet.0.packet_id).collect();
    assert_eq!(with, [0, 4, 8]);
}

#[test]
fn a_faster_signal_makes_one_larger_block() {
    let signals = [source(0, 1, 1, Pace::Master), source(1, 2, 2, Pace::Buffered)];
    let mut builder = PacketBuilder::new(&signals, 5, LIMIT).unwrap();
    builder.push(0, &[0.0]).unwrap();
    builder.push(1, &[1.0, 2.0, 11.0, 12.0, 3.0, 4.0, 13.0, 14.0]).unwrap();
    let mut out = Vec::new();
    builder.build(&[], &mut out);
    let [(header, blocks, samples)] = packets(&out).try_into().unwrap();
    assert_eq!(header.packet_id, 5);
    assert_eq!((blocks[1].channels, blocks[1].blocksize), (2, 4));
    assert_eq!(samples, [0.0, 1.0, 2.0, 3.0, 4.0, 11.0, 12.0, 13.0, 14.0]);
}

#[test]
fn samples_written_at_once_are_those_that_wait_first() {
    let signals = [source(0, 2, 2, Pace::Master), source(1, 1, 1, Pace::Buffered)];
    let (mut queued, mut direct) =
        (PacketBuilder::new(&signals, 0, LIMIT).unwrap(), PacketBuilder::new(&signals, 0, LIMIT).unwrap());
    let samples: Vec<f32> = (0..12).map(|n| n as f32).collect();
    for builder in [&mut queued, &mut direct] {
        builder.push(1, &[100.0, 101.0]).unwrap();
    }
    queued.push(0, &samples).unwrap();
    let mut wanted = Vec::new();
    queued.build(&[1.0, 2.0, 3.0], &mut wanted);
    let mut out = vec![0; direct.byte_length_with(12)];
    let length = direct.build_from(&samples, &[1.0, 2.0, 3.0], &mut out).unwrap();
    assert_eq!(out[..length], wanted);
    assert_eq!((direct.next_id(), direct.packets(), direct.byte_length()), (3, 0, 0));

    direct.push(0, &samples[..4]).unwrap();
    let mut out = vec![0; direct.byte_length_with(8)];
    let length = direct.build_from(&samples[4..], &[], &mut out).unwrap();
    let sent: Vec<f32> = packets(&out[..length]).into_iter().flat_map(|packet| packet.2).collect();
    assert_eq!(sent, samples);
    assert_eq!(direct.build_from(&samples, &[], &mut [0; 10]), Err(BuildError::Room { expected: 171, actual: 10 }));
    assert_eq!(direct.build_from(&samples[..3], &[], &mut out), Err(BuildError::Samples { samples: 3, block: 4 }));
}

#[test]
fn wrong_signals_and_samples_are_refused() {
    let master = source(0, 2, 2, Pace::Master);
    let new = |signals: &[SourceSignal]| PacketBuilder::new(signals, 0, LIMIT).unwrap_err();
    assert_eq!(new(&[]), BuildError::Masters(0));
    assert_eq!(new(&[master, source(1, 1, 1, Pace::Master)]), BuildError::Masters(2));
    assert_eq!(new(&[master, source(0, 1, 1, Pace::Buffered)]), BuildError::Duplicate(0));
    assert_eq!(new(&[master, source(1, 0, 1, Pace::Buffered)]), BuildError::Shape(1));
    assert_eq!(
        new(&[source(0, 60_000, 60_000, Pace::Master)]),
        BuildError::Limit { bytes: 14_400_000_037, limit: LIMIT }
    );
    let mut builder = PacketBuilder::new(&[master], 0, LIMIT).unwrap();
    assert_eq!(builder.push(0, &[0.0; 5]), Err(BuildError::Samples { samples: 5, block: 4 }));
    assert_eq!(builder.push(1, &[]), Err(BuildError::Signal(1)));
    let many = vec![0.0; 2 << 20];
    builder.push(0, &many).unwrap();
    assert_eq!(builder.push(0, &many), Err(BuildError::Waiting(2 << 20)));
}

#[test]
fn numbers_of_a_connection_start_at_its_first_packet() {
    let mut builder = PacketBuilder::new(&[source(0, 1, 1, Pace::Master)], 41, LIMIT).unwrap();
    builder.push(0, &[0.0; 3]).unwrap();
    let mut out = Vec::new();
    builder.build(&[], &mut out);
    renumber(&mut out, 41);
    let ids: Vec<_> =
        packets(&out).iter().map(|(header, ..)| (header.packet_id, header.connection_packet_number)).collect();
    assert_eq!(ids, [(0, 0), (1, 1), (2, 2)]);
}

proptest! {
    #[test]
    fn every_sample_is_sent_once(
        pushes in proptest::collection::vec((0..4_usize, 0..4_usize), 1..20),
        blocksizes in (1..4_u16, 1..4_u16),
    ) {
        let signals = [source(3, 2, blocksizes.0, Pace::Master), source(1, 3, blocksizes.1, Pace::Buffered)];
        let mut builder = PacketBuilder::new(&signals, 0, LIMIT).unwrap();
        let (mut out, mut sent, mut next) = (Vec::new(), [0, 0], 0.0);
        for (master, slave) in pushes {
            for (index, blocks) in [(0, master), (1, slave)] {
                let samples: Vec<f32> = (0..blocks * signals[index].samples()).map(|_| { next += 1.0; next }).collect();
                builder.push(index, &samples).unwrap();
                sent[index] += samples.len();
            }
            builder.build(&[], &mut out);
        }
        builder.push(0, &vec![0.0; signals[0].samples()]).unwrap();
        builder.build(&[], &mut out);
        sent[0] += signals[0].samples();
        let packets = packets(&out);
        let count = |bit| packets.iter().flat_map(|packet| &packet.1).filter(|block| block.bit == bit).map(|block| block.samples()).sum::<usize>();
        prop_assert_eq!([count(3), count(1)], sent);
        prop_assert!(packets.iter().map(|packet| packet.0.packet_id).eq(0..packets.len() as u64));
    }

    #[test]
    fn the_only_signal_gives_the_packets_one_by_one(
        (channels, blocksize) in (1..40_u16, 1..40_u16),
        bit in 0..13_u8,
        times in proptest::collection::vec(0..1_u64 << 52, 0..6),
        counts in proptest::collection::vec(0..4_usize, 1..4),
        directly in any::<bool>(),
    ) {
        let alone = source(bit, channels, blocksize, Pace::Master);
        let mut builder = PacketBuilder::new(&[alone], 7, LIMIT).unwrap();
        let block = Block { bit, channels, blocksize };
        let timestamps: Vec<f64> = times.iter().map(|&time| time as f64).collect();
        let mut id = 7;
        for count in counts {
            let samples: Vec<f32> = (0..count * alone.samples()).map(|n| n as f32).collect();
            let mut expected = Vec::new();
            for (packet, samples) in samples.chunks_exact(alone.samples()).enumerate() {
                let timestamp = times.get(packet).or_else(|| times.last()).copied().unwrap_or(0);
                let header = PacketHeader { packet_id: id, connection_packet_number: id, timestamp, ..PacketHeader::default() };
                write_packet(&mut expected, &header, &[block], bytemuck::cast_slice(samples));
                id += 1;
            }
            let mut out = Vec::new();
            if directly {
                out.resize(builder.byte_length_with(samples.len()) + 5, 0xAA);
                let written = builder.build_from(&samples, &timestamps, &mut out).unwrap();
                out.truncate(written);
            } else {
                builder.push(0, &samples).unwrap();
                builder.build(&timestamps, &mut out);
            }
            prop_assert_eq!(&out, &expected);
        }
        prop_assert_eq!(builder.next_id(), id);
    }

    #[test]
    fn renumbering_arbitrary_bytes_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), base in any::<u64>()) {
        renumber(&mut bytes, base);
    }
}
