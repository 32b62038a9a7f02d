use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn all(reader: &mut MessageReader, bytes: &[u8], size: usize) -> Result<Vec<Message>, MessageError> {
    let mut messages = Vec::new();
    for chunk in bytes.chunks(size) {
        reader.push(chunk);
        while let Some(message) = reader.next_message()? {
            messages.push(message);
        }
    }
    Ok(messages)
}

fn read(text: &str) -> Result<Vec<Message>, MessageError> {
    all(&mut MessageReader::new(MessageLimits::default()), text.as_bytes(), 3)
}

#[test]
fn recorded_control_connections() {
    for session in ["tcp-one-signal", "tcp-three-signals", "tcp-large", "tcp-order-quirk", "udp-one-signal"] {
        for (side, count) in [("c2s", 5), ("s2c", 5)] {
            let path =
                format!("{}/../../__test__/vectors/tia/{session}/control.{side}.bin", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).unwrap();
            for size in [1, 5, 100_000] {
                let messages = all(&mut MessageReader::new(MessageLimits::default()), &bytes, size).unwrap();
                assert_eq!(messages.len(), count, "{session} {side}");
                let back: Vec<u8> = messages.iter().flat_map(Message::to_bytes).collect();
                assert_eq!(back, bytes);
            }
        }
    }
}

#[test]
fn a_libtia_style_transcript() {
    let text = include_str!("../../../../__test__/vectors/tia/synthetic/libtia-style-control.jsonl");
    let messages: Vec<Message> = text
        .lines()
        .flat_map(|line| read(serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(messages.len(), 18);
    let errors: Vec<_> = messages.iter().filter(|message| message.is_error()).collect();
    assert_eq!(errors[0], &Message::new("Error"));
    assert_eq!(errors[1].parameter.as_deref(), Some("UDP with a custom signalinfo is not supported!"));
    assert_eq!(errors[1].to_bytes(), b"TiA 1.0\nError -- UDP with a custom signalinfo is not supported!\n\n");
}

#[test]
fn white_space_and_carriage_returns_are_taken() {
    let message = Message::new("GetDataConnection").with_parameter("TCP");
    for text in [
        "TiA 1.0\nGetDataConnection:TCP\n\n",
        "TiA 1.0\nGetDataConnection: TCP\n\n",
        "TiA 1.0\r\nGetDataConnection:   TCP\r\n\r\n",
        " TiA 1.0 \n GetDataConnection : TCP \n\n",
    ] {
        assert_eq!(read(text).unwrap(), std::slice::from_ref(&message), "{text:?}");
    }
    let error = "TiA 1.0\nError -- Details:This connection has already a custom config\n\n";
    assert_eq!(
        read(error).unwrap()[0].parameter.as_deref(),
        Some("Details:This connection has already a custom config")
    );
}

#[test]
fn malformed_messages() {
    assert_eq!(read("hello\nthere\n\n"), Err(MessageError::Version));
    assert_eq!(read("TiA 1.0\n\n"), Err(MessageError::Command));
    assert_eq!(read("TiA 1.0\nMetaInfo\nContent-Length:x\n\n"), Err(MessageError::ContentLength));
    assert_eq!(read("TiA 1.0\nMetaInfo\nnonsense\n\n"), Err(MessageError::Header));
    assert_eq!(
        read("TiA 1.0\nMetaInfo\nContent-Length:99999999999\n\n"),
        Err(MessageError::ContentLimit { length: 99_999_999_999, limit: 16 << 20 })
    );
    assert_eq!(read(&format!("TiA 1.0\n{}", "x".repeat(5000))), Err(MessageError::LineLimit(4096)));
    let mut reader = MessageReader::new(MessageLimits::default());
    reader.push(b"TiA 1.0\n\xFF\n\n");
    assert_eq!(reader.next_message(), Err(MessageError::Utf8));
}

#[test]
fn what_a_wrong_length_leaves_over_is_skipped() {
    let mut reader = MessageReader::resynchronising(MessageLimits::default());
    let text = "TiA 1.0\nMetaInfo\nContent-Length:4\n\n<Müller/>\n\nTiA 1.0\nOK\n\n";
    let messages = all(&mut reader, text.as_bytes(), 1).unwrap();
    assert_eq!(messages.iter().map(|m| m.command.as_str()).collect::<Vec<_>>(), ["MetaInfo", "OK"]);
    assert_eq!(reader.skipped(), 8);
}

proptest! {
    #[test]
    fn messages_come_back(command in "[A-Za-z]{1,20}", parameter in proptest::option::of("[a-z0-9:]{1,9}"), content in proptest::collection::vec(any::<u8>(), 0..40), size in 1..50_usize) {
        prop_assume!(!command.starts_with("Error"));
        let message = Message { version: "1.0".into(), command, parameter, content: (!content.is_empty()).then_some(content) };
        let bytes = [message.to_bytes(), message.to_bytes()].concat();
        let messages = all(&mut MessageReader::new(MessageLimits::default()), &bytes, size).unwrap();
        prop_assert_eq!(messages, vec![message.clone(), message]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), resynchronise in any::<bool>()) {
        let limits = MessageLimits::default();
        let mut reader = if resynchronise { MessageReader::resynchronising(limits) } else { MessageReader::new(limits) };
        let _ = all(&mut reader, &bytes, 7);
    }
}
