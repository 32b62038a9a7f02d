use std::borrow::Cow;

use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::value::{
    Limits,
    tree::{Tree, TreeBuilder, tree, write_tree},
};
use crate::{read_value, skip_value};

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
fn nesting_is_limited() {
    let deep = [vec![0x91; 64], vec![0xc0]].concat();
    assert!(read(&deep, Limits::default()).is_ok());
    let deeper = [vec![0x91; 65], vec![0xc0]].concat();
    assert_eq!(read(&deeper, Limits::default()), Err(ReadError::Depth { limit: 64 }));
    assert_eq!(skip_value(&mut MessagePackReader::new(&deeper), 64), Err(ReadError::Depth { limit: 64 }));
}

#[test]
fn arrays_of_numbers_become_doubles_below_the_arguments() {
    let limits = Limits { doubles: 2, ..Limits::default() };
    let mut buffer = [0; 64];
    let mut writer = MessagePackWriter::new(&mut buffer);
    writer.array(1);
    writer.array(2);
    writer.doubles(&[1.5, f64::INFINITY]);
    writer.array(3);
    writer.unsigned(7);
    writer.float(-2.5);
    writer.signed(-9);
    let length = writer.length();
    let expected = Tree::Array(vec![Tree::Array(vec![
        Tree::Doubles(vec![1.5, f64::INFINITY]),
        Tree::Doubles(vec![7.0, -2.5, -9.0]),
    ])]);
    assert_eq!(read(&buffer[..length], limits), Ok(expected));
}

#[test]
fn what_a_double_cannot_hold_keeps_its_array() {
    let limits = Limits { doubles: 2, ..Limits::default() };
    let odd = |third: Tree| {
        Tree::Array(vec![Tree::Array(vec![Tree::Array(vec![Tree::Float(1.0), Tree::Float(2.0), third])])])
    };
    for third in [Tree::Null, Tree::Text("x".into()), Tree::Unsigned((1 << 53) + 1), Tree::Signed(i64::MIN)] {
        assert_eq!(read(&write(&odd(third.clone())), limits), Ok(odd(third)));
    }
}

#[test]
fn a_short_buffer_tells_the_length_that_is_needed() {
    let value = Tree::Array(vec![Tree::Text("abc".into()), Tree::Doubles(vec![1.0; 100]), Tree::Null]);
    let whole = write(&value);
    for size in 0..whole.len() {
        let mut buffer = vec![0xee; size];
        let mut writer = MessagePackWriter::new(&mut buffer);
        write_tree(&mut writer, &value);
        assert_eq!(writer.length(), whole.len());
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in tree()) {
        let bytes = write(&value);
        prop_assert_eq!(read(&bytes, Limits { doubles: 0, ..Limits::default() }), Ok(value.plain()));
        let mut reader = MessagePackReader::new(&bytes);
        prop_assert_eq!(skip_value(&mut reader, 64), Ok(()));
        prop_assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn doubles_read_as_arrays_or_columns_are_the_same(value in tree(), doubles in 1usize..5) {
        let bytes = write(&value);
        let read = read(&bytes, Limits { doubles, ..Limits::default() }).unwrap();
        prop_assert_eq!(write(&read.plain()).len() <= bytes.len() * 9, true);
        prop_assert!(read.plain().same_numbers(&value.plain()));
    }

    #[test]
    fn a_cut_message_is_truncated(value in tree(), cut in 0.0f64..1.0) {
        let bytes = write(&value);
        let cut = ((bytes.len() as f64) * cut) as usize;
        prop_assert_eq!(read(&bytes[..cut], Limits { doubles: 2, ..Limits::default() }), Err(ReadError::Truncated));
    }

    #[test]
    fn any_bytes_are_read_or_refused_alike_by_both_readings(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let value = read(&bytes, Limits::default());
        let mut reader = MessagePackReader::new(&bytes);
        let skipped = skip_value(&mut reader, 64).and_then(|()| match reader.remaining() {
            0 => Ok(()),
            length => Err(ReadError::Trailing { length }),
        });
        prop_assert_eq!(value.map(|_| ()), skipped);
    }
}

#[test]
fn extensions_are_their_bytes() {
    let mut reader = MessagePackReader::new(&hex!("d6 05 01020304"));
    assert_eq!(reader.token(), Ok(Token::Bytes(Cow::Borrowed(&[1, 2, 3, 4]))));
}
