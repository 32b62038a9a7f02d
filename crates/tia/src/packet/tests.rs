use hex_literal::hex;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 8 << 20;
const EEG_2X3: &[u8] = &hex!(
    "033d000000010000000100000000000000010000000000000040e2010000000000020003000000803f0000004000004040000080bf000000c0000040c0"
);

#[test]
fn the_vector_of_one_signal() {
    let packet = Packet::read(EEG_2X3, LIMIT).unwrap().unwrap();
    assert_eq!((packet.header.size, packet.header.flags, packet.header.timestamp), (61, 1, 123_456));
    assert_eq!(packet.blocks, [Block { bit: 0, channels: 2, blocksize: 3 }]);
    let mut back = Vec::new();
    write_packet(&mut back, &packet.header, &packet.blocks, packet.samples);
    assert_eq!(back, EEG_2X3);
}

#[test]
fn malformed_headers_are_told_apart() {
    let read = |bytes: &[u8]| Packet::read(bytes, LIMIT).unwrap_err();
    let with = |at: usize, byte: u8| {
        let mut bytes = EEG_2X3.to_vec();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(read(&with(0, 4)), PacketError::Version(4));
    assert_eq!(read(&with(1, 10)), PacketError::Small { size: 10, minimum: 37 });
    assert_eq!(read(&with(4, 1)), PacketError::Limit { size: 61 + (1 << 24), limit: LIMIT as u64 });
    assert_eq!(read(&with(33, 200)), PacketError::Layout { size: 61, layout: 37 + 2400 });
}

#[test]
fn version_2_has_its_size_from_its_layout() {
    let bytes = include_bytes!("../../../../__test__/vectors/tia/synthetic/v2-eeg-emg.bin");
    let (header, blocks) = read_head_v2(bytes, LIMIT).unwrap().unwrap();
    assert_eq!((header.version, header.size as usize, header.flags), (2, bytes.len(), 3));
    let shapes: Vec<_> = blocks.iter().map(|block| (block.bit, block.channels, block.blocksize)).collect();
    assert_eq!(shapes, [(0, 2, 2), (1, 1, 1)]);
    let mut odd = bytes.to_vec();
    odd[28] = 3;
    assert_eq!(read_head_v2(&odd, LIMIT).unwrap_err(), PacketError::Blocks { values: 3, blocks: 2 });
    assert!(matches!(read_head_v2(EEG_2X3, LIMIT), Err(PacketError::Version(3))));
}

prop_compose! {
    pub(crate) fn shapes()(flags in any::<u32>(), seed in proptest::collection::vec((0..5_u16, 0..5_u16), 32)) -> Vec<Block> {
        bits(flags & 0x8021_0213).zip(seed).map(|(bit, (channels, blocksize))| Block { bit, channels, blocksize }).collect()
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(blocks in shapes(), ids in any::<[u64; 3]>(), fill in any::<u8>()) {
        let samples = vec![fill; blocks.iter().map(|block| 4 * block.samples()).sum()];
        let header = PacketHeader { packet_id: ids[0], connection_packet_number: ids[1], timestamp: ids[2], ..PacketHeader::default() };
        let mut bytes = Vec::new();
        write_packet(&mut bytes, &header, &blocks, &samples);
        for cut in 0..bytes.len() {
            prop_assert_eq!(Packet::read(&bytes[..cut], LIMIT), Ok(None));
        }
        let packet = Packet::read(&bytes, LIMIT).unwrap().unwrap();
        prop_assert_eq!(packet.header.size as usize, bytes.len());
        prop_assert_eq!((packet.header.packet_id, packet.header.connection_packet_number, packet.header.timestamp), ids.into());
        prop_assert_eq!(packet.blocks, blocks);
        prop_assert_eq!(packet.samples, samples.as_slice());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Packet::read(&bytes, LIMIT);
        let _ = read_head_v2(&bytes, LIMIT);
    }
}
