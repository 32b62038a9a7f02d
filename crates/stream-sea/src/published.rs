/// The answer of a publish over a WebSocket: its messages are durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Published {
    /// The id of the request.
    pub id: u32,
    /// Offset of its first message in the stream.
    pub offset: u64,
    /// Messages that it had.
    pub count: u32,
    /// Whether an earlier publish with its key had brought them.
    pub duplicate: bool,
}

impl Published {
    /// Reads an answer as our server writes it; `None` says nothing: it may be one in other words.
    pub fn read(message: &[u8]) -> Option<Self> {
        let (id, rest) = number(message.strip_prefix(b"{\"id\":")?)?;
        let rest = rest.strip_prefix(b",\"action\":\"publish\",\"success\":true,\"payload\":{\"offset\":")?;
        let (offset, rest) = number(rest)?;
        let (count, rest) = number(rest.strip_prefix(b",\"count\":")?)?;
        let duplicate = match rest {
            b"}}" => false,
            b",\"duplicate\":true}}" => true,
            _ => return None,
        };
        Some(Self { id: u32::try_from(id).ok()?, offset, count: u32::try_from(count).ok()?, duplicate })
    }
}

/// A number of JSON without sign or fraction, below 2^53, and what is behind it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let length = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(length)?;
    if !(1..=15).contains(&length) || length > 1 && digits.first() == Some(&b'0') {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| 10 * value + u64::from(digit - b'0')), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn answers_are_read_to_their_end() {
        let text = r#"{"id":5,"action":"publish","success":true,"payload":{"offset":7,"count":2}}"#;
        let published = Published { id: 5, offset: 7, count: 2, duplicate: false };
        assert_eq!(Published::read(text.as_bytes()), Some(published));
        let text = text.replace("}}", r#","duplicate":true}}"#);
        assert_eq!(Published::read(text.as_bytes()), Some(Published { duplicate: true, ..published }));
        for other in [
            r#"{"id":5,"action":"publish","success":false,"error":{"message":"x"}}"#,
            r#"{"id":5,"action":"publish","success":true,"payload":{"offset":7,"count":2}} "#,
            r#"{"id":05,"action":"publish","success":true,"payload":{"offset":7,"count":2}}"#,
            r#"{"id":4294967296,"action":"publish","success":true,"payload":{"offset":7,"count":2}}"#,
            r#"{"id":5,"action":"publish","success":true,"payload":{"offset":-1,"count":2}}"#,
        ] {
            assert_eq!(Published::read(other.as_bytes()), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id: u32, offset in 0u64..1_000_000_000_000_000, count: u32, duplicate: bool) {
            let more = if duplicate { ",\"duplicate\":true" } else { "" };
            let payload = format!("{{\"offset\":{offset},\"count\":{count}{more}}}");
            let text = format!("{{\"id\":{id},\"action\":\"publish\",\"success\":true,\"payload\":{payload}}}");
            prop_assert_eq!(Published::read(text.as_bytes()), Some(Published { id, offset, count, duplicate }));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Published::read(&bytes);
        }
    }
}
