use hex_literal::hex;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{CacheRecord, CipherKey};

fn responses() -> impl Strategy<Value = Response> {
    let payload = || proptest::collection::vec(any::<u8>(), 0..20);
    // A text that begins with its own length would be taken for sttpapi's.
    let text = || "[a-z ]{0,20}";
    let command =
        || any::<u8>().prop_filter("metadata has a response of its own", |&code| code != 1).prop_map(CommandCode);
    let record = (0..=i32::MAX, any::<u128>(), "[A-Z]{0,5}", any::<u64>())
        .prop_map(|(index, id, source, key_id)| CacheRecord { index, signal_id: Uuid::from_u128(id), source, key_id });
    prop_oneof![
        (command(), text()).prop_map(|(command, text)| Response::Succeeded { command, text }),
        (any::<u8>().prop_map(CommandCode), text()).prop_map(|(command, text)| Response::Failed { command, text }),
        payload().prop_map(Response::Metadata),
        (any::<u128>(), proptest::collection::vec(record, 0..5)).prop_map(|(id, records)| {
            let cache = SignalIndexCache { subscriber_id: Uuid::from_u128(id), records, unauthorized: vec![] };
            Response::SignalIndexCache { cache_index: 0, cache }
        }),
        any::<(u32, u64, u64)>()
            .prop_map(|(time_index, a, b)| Response::BaseTimes(BaseTimes { time_index, ticks: [a, b] })),
        (any::<u8>(), payload(), payload()).prop_map(|(active, key, iv)| {
            let pair = CipherKey { key, iv };
            Response::CipherKeys(CipherKeys { active, pairs: [pair.clone(), pair] })
        }),
        any::<u64>().prop_map(Response::DataStartTime),
        text().prop_map(Response::ProcessingComplete),
        (any::<(u32, u8, i32)>(), payload()).prop_map(|((sequence, flags, index), payload)| {
            Response::BufferBlock(BufferBlock { sequence, flags, index, payload })
        }),
        (any::<u32>(), text()).prop_map(|(hash, text)| Response::Notification { hash, text }),
        Just(Response::ConfigurationChanged),
        Just(Response::NoOp),
        (0..16_u8, any::<u8>(), payload()).prop_map(|(number, command, payload)| Response::UserResponse {
            number,
            command: CommandCode(command),
            payload
        }),
        (0..0x80_u8, command(), payload()).prop_map(|(code, command, payload)| Response::Other {
            code: ResponseCode(code),
            command,
            payload
        }),
    ]
}

#[test]
fn a_keep_alive_is_ten_bytes() {
    let mut out = Vec::new();
    Response::NoOp.write(OperationalModes::COMPRESSED, &mut out);
    assert_eq!(out, hex!("00000006 ff 02 00000000"));
}

#[test]
fn deviations_are_told() {
    let mut seen = Vec::new();
    let mut read = |body: &[u8], modes| {
        let envelope = Envelope::parse(body).unwrap();
        Response::parse(&envelope, OperationalModes(modes), 1 << 20, |quirk| seen.push(quirk)).unwrap()
    };
    let succeeded = Response::Succeeded { command: CommandCode(6), text: "ok".into() };
    assert_eq!(read(&hex!("8006 00000006 00000002 6f6b"), 2), succeeded);
    let image = hex!("00000018 00000000000000000000000000000000 00000000");
    let cache = |cache_index| Response::SignalIndexCache { cache_index, cache: SignalIndexCache::default() };
    let body = |byte| [&hex!("8302 00000019"), [byte].as_slice(), &image].concat();
    assert_eq!(read(&body(0xFF), 2), cache(0));
    assert_eq!(read(&body(7), 2), cache(1));
    assert_eq!(read(&[&hex!("8302 00000019"), image.as_slice()].concat(), 1), cache(0));
    assert_eq!(seen, [Quirk::TextLengthPrefix, Quirk::CacheIndexFf, Quirk::CacheIndexValue, Quirk::PayloadLength]);
}

proptest! {
    #[test]
    fn a_response_comes_back(response in responses(), modes in prop_oneof![Just(0x201_u32), Just(0x202), Just(0x4000_0222)]) {
        let modes = OperationalModes(modes);
        let mut out = Vec::new();
        response.write(modes, &mut out);
        let envelope = Envelope::parse(&out[4..]).unwrap();
        let mut quirks = Vec::new();
        prop_assert_eq!(Response::parse(&envelope, modes, 1 << 20, |quirk| quirks.push(quirk)), Ok(response));
        prop_assert_eq!(quirks, []);
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 6..90), modes in any::<u32>()) {
        let envelope = Envelope::parse(&body).unwrap();
        let _ = Response::parse(&envelope, OperationalModes(modes), 1 << 16, |_| {});
    }
}
