use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::read_value;
use crate::value::{
    Limits,
    tree::{Tree, TreeBuilder, tree, write_tree},
};

fn read(bytes: &[u8], limits: Limits) -> Result<Tree, ReadError> {
    read_value(&mut CborReader::new(bytes), &mut TreeBuilder, limits)
}

fn write(value: &Tree) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 18];
    let mut writer = CborWriter::new(&mut buffer);
    write_tree(&mut writer, value);
    let length = writer.length();
    buffer.truncate(length);
    buffer
}

#[test]
fn reads_the_examples_of_rfc_8949() {
    let cases: [(&[u8], Tree); 13] = [
        (&hex!("1b ffffffffffffffff"), Tree::Unsigned(u64::MAX)),
        (&hex!("39 03e7"), Tree::Signed(-1000)),
        (&hex!("3b ffffffffffffffff"), Tree::Float(-18446744073709551616.0)),
        (&hex!("f9 3e00"), Tree::Float(1.5)),
        (&hex!("f9 0001"), Tree::Float(5.960464477539063e-8)),
        (&hex!("f9 7c00"), Tree::Float(f64::INFINITY)),
        (&hex!("f9 c400"), Tree::Float(-4.0)),
        (&hex!("fa 47c35000"), Tree::Float(100000.0)),
        (&hex!("f7"), Tree::Null),
        (&hex!("c1 1a 514b67b0"), Tree::Unsigned(1363896240)),
        (&hex!("7f 65 7374726561 64 6d696e67 ff"), Tree::Text("streaming".into())),
        (
            &hex!("9f 01 82 02 03 9f 04 ff ff"),
            Tree::Array(vec![
                Tree::Unsigned(1),
                Tree::Array(vec![Tree::Unsigned(2), Tree::Unsigned(3)]),
                Tree::Array(vec![Tree::Unsigned(4)]),
            ]),
        ),
        (&hex!("bf 61 61 01 ff"), Tree::Map(vec![("a".into(), Tree::Unsigned(1))])),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(bytes, Limits::default()), Ok(expected), "{bytes:02x?}");
    }
}

#[test]
fn what_is_broken_is_refused() {
    assert_eq!(read(&hex!("ff"), Limits::default()), Err(ReadError::Marker { byte: 0xff, offset: 0 }));
    assert_eq!(read(&hex!("82 01 ff"), Limits::default()), Err(ReadError::Marker { byte: 0xff, offset: 2 }));
    assert_eq!(read(&hex!("1f"), Limits::default()), Err(ReadError::Marker { byte: 0x1f, offset: 0 }));
    assert_eq!(read(&hex!("7f 41 61 ff"), Limits::default()), Err(ReadError::Marker { byte: 0x41, offset: 1 }));
    assert_eq!(read(&hex!("9b ffffffffffffffff"), Limits::default()), Err(ReadError::Truncated));
    assert_eq!(read(&hex!("62 c328"), Limits::default()), Err(ReadError::Utf8 { offset: 0 }));
    assert_eq!(read(&hex!("a1 80 01"), Limits::default()), Err(ReadError::Key { offset: 1 }));
    assert_eq!(read(&hex!("00 00"), Limits::default()), Err(ReadError::Trailing { length: 1 }));
}

#[test]
fn every_half_is_what_minicbor_reads() {
    for bits in 0..=u16::MAX {
        let [high, low] = bits.to_be_bytes();
        let expected = f64::from(minicbor::decode::Decoder::new(&[0xf9, high, low]).f16().unwrap());
        let ours = half(bits);
        assert!(ours.to_bits() == expected.to_bits() || (ours.is_nan() && expected.is_nan()), "{bits:#06x}");
    }
}

#[test]
fn integers_are_written_as_minicbor_does() {
    for shift in 0..64 {
        for value in [(1u64 << shift) - 1, 1 << shift] {
            let expected = minicbor::to_vec(value).unwrap();
            assert_eq!(write(&Tree::Unsigned(value)), expected);
            let negative = -1 - (value >> 1) as i64;
            assert_eq!(write(&Tree::Signed(negative)), minicbor::to_vec(negative).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_minicbor_reads(value in tree()) {
        let bytes = write(&value);
        let mut judge = minicbor::decode::Decoder::new(&bytes);
        prop_assert!(judge.skip().is_ok() && judge.position() == bytes.len());
    }
}
