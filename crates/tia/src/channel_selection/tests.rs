use proptest::prelude::*;

use super::*;

fn signal(bit: u8) -> SignalType {
    SignalType::from_bit(bit).unwrap()
}

fn packet(id: u64, blocks: &[Block], samples: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = PacketHeader { packet_id: id, ..PacketHeader::default() };
    write_packet(&mut bytes, &header, blocks, bytemuck::cast_slice(samples));
    bytes
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

const EEG: Block = Block { bit: 0, channels: 3, blocksize: 2 };
const BP: Block = Block { bit: 5, channels: 1, blocksize: 1 };

#[test]
fn chosen_channels_are_kept_and_empty_packets_are_not_sent() {
    let chosen = vec![SignalSelection { signal: signal(5), channels: vec![0], factor: 1 }];
    let mut selection = ChannelSelection::new(&[EEG, BP], chosen).unwrap();
    let bytes = [
        packet(0, &[EEG], &[0.0; 6]),
        packet(1, &[EEG, BP], &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 9.0]),
        packet(2, &[BP], &[8.0]),
    ]
    .concat();
    let mut out = Vec::new();
    selection.apply(&bytes, &mut out).unwrap();
    let first = Packet::read(&out, usize::MAX).unwrap().unwrap();
    assert_eq!((first.header.packet_id, first.header.connection_packet_number), (1, 0));
    assert_eq!((first.blocks.as_slice(), floats(first.samples)), (&[BP][..], vec![9.0]));
    let second = Packet::read(&out[first.header.size as usize..], usize::MAX).unwrap().unwrap();
    assert_eq!((second.header.packet_id, second.header.connection_packet_number), (2, 1));
}

#[test]
fn channels_come_in_the_order_chosen() {
    let chosen = vec![SignalSelection { signal: signal(0), channels: vec![2, 0], factor: 1 }];
    let mut selection = ChannelSelection::new(&[EEG], chosen).unwrap();
    let mut out = Vec::new();
    selection.apply(&packet(0, &[EEG], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), &mut out).unwrap();
    let read = Packet::read(&out, usize::MAX).unwrap().unwrap();
    assert_eq!(floats(read.samples), [5.0, 6.0, 1.0, 2.0]);
}

#[test]
fn wrong_choices_are_refused() {
    let one = |bit, channels: &[u16], factor| {
        vec![SignalSelection { signal: signal(bit), channels: channels.to_vec(), factor }]
    };
    let new = |chosen| ChannelSelection::new(&[EEG], chosen).unwrap_err();
    assert_eq!(new(one(1, &[0], 1)), SelectionError::Signal(1));
    assert_eq!(new(one(0, &[3], 1)), SelectionError::Channel { bit: 0, channel: 3 });
    assert_eq!(new(one(0, &[1, 1], 1)), SelectionError::Channel { bit: 0, channel: 1 });
    assert_eq!(new(one(0, &[0], 0)), SelectionError::Factor(0));
    assert_eq!(new([one(0, &[0], 1), one(0, &[1], 1)].concat()), SelectionError::Signal(0));
}

/// Greatest output of a sine of `cycles` per input sample once the filter is full.
fn gain(factor: usize, cycles: f64) -> f64 {
    let mut filter = Decimator::new(factor);
    let mut out = Vec::new();
    let samples: Vec<f32> = (0..factor * 200).map(|n| (2.0 * PI * cycles * n as f64 + 0.3).sin() as f32).collect();
    filter.push(bytemuck::cast_slice(&samples), &mut out);
    out.iter().skip(50).fold(0.0, |most, &value| f64::from(value.abs()).max(most))
}

#[test]
fn what_would_alias_is_filtered_out() {
    for factor in [2, 4, 16] {
        let rate = 1.0 / factor as f64;
        assert!(gain(factor, 0.1 * rate) > 0.98, "a tenth of the new rate passes");
        assert!(gain(factor, 0.9 * rate) < 0.001, "0.9 of the new rate would alias to a tenth");
    }
}

proptest! {
    #[test]
    fn one_sample_of_factor_is_kept_across_packets(factor in 2..9_u16, sizes in proptest::collection::vec(1..20_u16, 1..20)) {
        let offered = Block { bit: 0, channels: 1, blocksize: 20 };
        let chosen = vec![SignalSelection { signal: signal(0), channels: vec![0], factor }];
        let mut selection = ChannelSelection::new(&[offered], chosen).unwrap();
        let mut out = Vec::new();
        for (id, &blocksize) in (0..).zip(&sizes) {
            let block = Block { blocksize, ..offered };
            selection.apply(&packet(id, &[block], &vec![2.5; usize::from(blocksize)]), &mut out).unwrap();
        }
        let (mut rest, mut kept) = (out.as_slice(), Vec::new());
        while let Some(read) = Packet::read(rest, usize::MAX).unwrap() {
            kept.extend(floats(read.samples));
            rest = &rest[read.header.size as usize..];
        }
        let all: usize = sizes.iter().map(|&size| usize::from(size)).sum();
        prop_assert_eq!(kept.len(), all.div_ceil(usize::from(factor)));
        prop_assert!(kept.iter().all(|value| (value - 2.5).abs() < 1e-5));
    }
}
