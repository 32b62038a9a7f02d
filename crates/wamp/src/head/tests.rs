use hex_literal::hex;
use proptest::prelude::*;

use super::*;

#[test]
fn finds_the_items_in_every_format() {
    let json = br#" [ 8, 68, 12 , {"a":1}, "wamp.error.runtime_error", ["x"] ] "#;
    let head = Head::read(Format::Json, json, 64).unwrap();
    assert_eq!((head.kind, head.count), (8, 6));
    assert_eq!(&json[head.item(2).unwrap()], b"12");
    assert_eq!(&json[head.item(5).unwrap()], br#"["x"]"#);
    assert_eq!(head.end, json.len() - 3);
    assert_eq!((head.number(Format::Json, json, 2), head.number(Format::Json, json, 4)), (Some(12), None));
    assert_eq!(&json[head.text(Format::Json, json, 4).unwrap()], b"wamp.error.runtime_error");
    assert_eq!(head.text(Format::Json, json, 2), None);
    assert_eq!(head.item(6), None);
    let pack = hex!("94 46 07 80 91 cb 3ff0000000000000");
    let head = Head::read(Format::MessagePack, &pack, 64).unwrap();
    assert_eq!((head.kind, head.count, head.item(3)), (70, 4, Some(4..14)));
    let call = hex!("94 30 07 80 a3 612e62");
    let head = Head::read(Format::MessagePack, &call, 64).unwrap();
    assert_eq!(
        (head.number(Format::MessagePack, &call, 1), head.text(Format::MessagePack, &call, 3)),
        (Some(7), Some(5..8))
    );
    let cbor = hex!("84 18 46 07 a0 81 fb 3ff0000000000000");
    let head = Head::read(Format::Cbor, &cbor, 64).unwrap();
    assert_eq!((head.kind, head.count, head.item(3)), (70, 4, Some(5..15)));
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(Head::read(Format::Json, b"{}", 64), Err(HeadError::Shape));
    assert!(Head::read(Format::Json, b"[]", 64).is_err());
    assert_eq!(Head::read(Format::Json, b"[\"1\"]", 64), Err(HeadError::Shape));
    assert_eq!(Head::read(Format::Json, b"[1] [", 64), Err(HeadError::Trailing { length: 1 }));
    assert_eq!(Head::read(Format::MessagePack, &hex!("90"), 64), Err(HeadError::Shape));
    assert_eq!(Head::read(Format::Cbor, &hex!("9f 01 ff"), 64), Err(HeadError::Shape));
    assert!(Head::read(Format::Json, b"[1,\"\xff\"]", 64).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_split_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), format in 0..3) {
        let format = [Format::Json, Format::MessagePack, Format::Cbor][format as usize];
        if let Ok(head) = Head::read(format, &bytes, 16) {
            prop_assert!(head.end <= bytes.len());
            let mut last = 0;
            for index in 0..head.count.min(ITEMS) {
                let range = head.item(index).unwrap();
                prop_assert!(last <= range.start && range.start < range.end && range.end <= head.end);
                last = range.end;
            }
        }
    }
}
