use proptest::prelude::*;

use super::tree::{Tree, TreeBuilder, tree, write_tree};
use super::{Limits, ReadError, Reader, read_value, skip_value};
use crate::write::Write;
use crate::{CborReader, CborWriter, MessagePackReader, MessagePackWriter};

/// What both formats have to do: a module of tests for each.
macro_rules! in_format {
    ($name:ident, $reader:ident, $writer:ident) => {
        mod $name {
            use super::*;

            fn read(bytes: &[u8], limits: Limits) -> Result<Tree, ReadError> {
                read_value(&mut $reader::new(bytes), &mut TreeBuilder, limits)
            }

            fn write(value: &Tree) -> Vec<u8> {
                let mut buffer = vec![0; 1 << 18];
                let mut writer = $writer::new(&mut buffer);
                write_tree(&mut writer, value);
                let length = writer.length();
                buffer.truncate(length);
                buffer
            }

            #[test]
            fn arrays_of_numbers_become_doubles_below_the_arguments() {
                let limits = Limits { doubles: 2, ..Limits::default() };
                let numbers = Tree::Array(vec![Tree::Unsigned(7), Tree::Float(-2.5), Tree::Signed(-9)]);
                let message = Tree::Array(vec![Tree::Array(vec![Tree::Doubles(vec![1.5, f64::INFINITY]), numbers])]);
                let columns = vec![Tree::Doubles(vec![1.5, f64::INFINITY]), Tree::Doubles(vec![7.0, -2.5, -9.0])];
                assert_eq!(read(&write(&message), limits), Ok(Tree::Array(vec![Tree::Array(columns)])));
            }

            #[test]
            fn what_a_double_cannot_hold_keeps_its_array() {
                let limits = Limits { doubles: 2, ..Limits::default() };
                let odd = |third: Tree| {
                    Tree::Array(vec![Tree::Array(vec![Tree::Array(vec![Tree::Float(1.0), Tree::Float(2.0), third])])])
                };
                for third in [Tree::Null, Tree::Text("x".into()), Tree::Unsigned((1 << 53) + 1), Tree::Signed(i64::MIN)]
                {
                    assert_eq!(read(&write(&odd(third.clone())), limits), Ok(odd(third)));
                }
            }

            #[test]
            fn a_short_buffer_tells_the_length_that_is_needed() {
                let value = Tree::Array(vec![Tree::Text("abc".into()), Tree::Doubles(vec![1.0; 100]), Tree::Null]);
                let whole = write(&value);
                for size in 0..whole.len() {
                    let mut buffer = vec![0xee; size];
                    let mut writer = $writer::new(&mut buffer);
                    write_tree(&mut writer, &value);
                    assert_eq!(writer.length(), whole.len());
                }
            }

            #[test]
            fn nesting_is_limited() {
                let nested = |depth| (0..depth).fold(Tree::Null, |inner, _| Tree::Array(vec![inner]));
                assert!(read(&write(&nested(64)), Limits::default()).is_ok());
                let deeper = write(&nested(65));
                assert_eq!(read(&deeper, Limits::default()), Err(ReadError::Depth { limit: 64 }));
                assert_eq!(skip_value(&mut $reader::new(&deeper), 64), Err(ReadError::Depth { limit: 64 }));
            }

            proptest! {
                #[test]
                fn what_is_written_is_read(value in tree()) {
                    let bytes = write(&value);
                    prop_assert_eq!(read(&bytes, Limits { doubles: 0, ..Limits::default() }), Ok(value.plain()));
                    let mut reader = $reader::new(&bytes);
                    prop_assert_eq!(skip_value(&mut reader, 64), Ok(()));
                    prop_assert_eq!(reader.remaining(), 0);
                }

                #[test]
                fn doubles_read_as_arrays_or_columns_are_the_same(value in tree(), doubles in 1usize..5) {
                    let read = read(&write(&value), Limits { doubles, ..Limits::default() }).unwrap();
                    prop_assert!(read.plain().same_numbers(&value.plain()));
                }

                #[test]
                fn a_cut_message_is_truncated(value in tree(), cut in 0.0f64..1.0) {
                    let bytes = write(&value);
                    let cut = ((bytes.len() as f64) * cut) as usize;
                    let limits = Limits { doubles: 2, ..Limits::default() };
                    prop_assert_eq!(read(&bytes[..cut], limits), Err(ReadError::Truncated));
                }

                #[test]
                fn any_bytes_are_read_or_refused_alike_by_both_readings(
                    bytes in proptest::collection::vec(any::<u8>(), 0..200),
                ) {
                    let value = read(&bytes, Limits::default());
                    let mut reader = $reader::new(&bytes);
                    let skipped = skip_value(&mut reader, 64).and_then(|()| match reader.remaining() {
                        0 => Ok(()),
                        length => Err(ReadError::Trailing { length }),
                    });
                    prop_assert_eq!(value.is_ok(), skipped.is_ok());
                }
            }
        }
    };
}

in_format!(cbor, CborReader, CborWriter);
in_format!(message_pack, MessagePackReader, MessagePackWriter);
