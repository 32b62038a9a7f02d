use std::borrow::Cow;

use hex_literal::hex;

use super::*;
use crate::read_value;
use crate::value::{
    Limits,
    tree::{Tree, TreeBuilder, write_tree},
};

fn read(bytes: &[u8], limits: Limits) -> Result<Tree, ReadError> {
    read_value(&mut MessagePackReader::new(bytes), &mut TreeBuilder, limits)
}

fn write(value: &Tree) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 18];
    let mut writer = MessagePackWriter::new(&mut buffer);
    write_tree(&mut writer, value);
    let length = writer.length();
    buffer.truncate(length);
    buffer
}

#[test]
fn reads_what_a_python_peer_wrote() {
    // [48, 3, {}, "a.b", [["x"], 1499990400.0, -60]]
    let bytes = hex!("95 30 03 80 a3 612e62 93 91 a1 78 cb 41d65a0260000000 d0 c4");
    let expected = Tree::Array(vec![
        Tree::Unsigned(48),
        Tree::Unsigned(3),
        Tree::Map(vec![]),
        Tree::Text("a.b".into()),
        Tree::Array(vec![Tree::Array(vec![Tree::Text("x".into())]), Tree::Float(1499990400.0), Tree::Signed(-60)]),
    ]);
    assert_eq!(read(&bytes, Limits::default()), Ok(expected.clone()));
    assert_eq!(write(&expected), bytes);
}

#[test]
fn integers_and_lengths_are_as_short_as_they_go() {
    for value in [0, 127, 128, 255, 256, 65535, 65536, u32::MAX as u64, u32::MAX as u64 + 1, u64::MAX] {
        let mut expected = Vec::new();
        rmp::encode::write_uint(&mut expected, value).unwrap();
        assert_eq!(write(&Tree::Unsigned(value)), expected, "{value}");
    }
    for value in [-1, -32, -33, -128, -129, -32768, -32769, i32::MIN as i64, i32::MIN as i64 - 1, i64::MIN] {
        let mut expected = Vec::new();
        rmp::encode::write_sint(&mut expected, value).unwrap();
        assert_eq!(write(&Tree::Signed(value)), expected, "{value}");
    }
    for length in [0, 31, 32, 255, 256, 65535] {
        let mut expected = Vec::new();
        rmp::encode::write_str(&mut expected, &"x".repeat(length)).unwrap();
        assert_eq!(write(&Tree::Text("x".repeat(length))), expected, "text of {length}");
        let mut expected = Vec::new();
        rmp::encode::write_bin(&mut expected, &vec![1; length]).unwrap();
        assert_eq!(write(&Tree::Bytes(vec![1; length])), expected, "bytes of {length}");
    }
}

#[test]
fn a_count_beyond_the_bytes_is_refused_before_anything_is_allocated() {
    assert_eq!(read(&hex!("dd ffffffff"), Limits::default()), Err(ReadError::Truncated));
    assert_eq!(read(&hex!("df ffffffff 00 00"), Limits::default()), Err(ReadError::Truncated));
    assert_eq!(read(&hex!("c6 ffffffff 00"), Limits::default()), Err(ReadError::Truncated));
}

#[test]
fn extensions_are_their_bytes() {
    let mut reader = MessagePackReader::new(&hex!("d6 05 01020304"));
    assert_eq!(reader.token(), Ok(Token::Bytes(Cow::Borrowed(&[1, 2, 3, 4]))));
}
