use std::borrow::Cow;

/// A text of a response as it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text<'a> {
    /// The text; what is not UTF-8 in it is replaced.
    pub text: Cow<'a, str>,
    /// Its length stood in front of it, which is sttpapi's way.
    pub prefixed: bool,
    /// Some bytes were not UTF-8.
    pub replaced: bool,
}

/// Reads the text of a response, with or without a length in front.
pub fn read_text(payload: &[u8]) -> Text<'_> {
    let (bytes, prefixed) = match payload.split_first_chunk() {
        Some((length, rest)) if u32::from_be_bytes(*length) as usize == rest.len() => (rest, true),
        _ => (payload, false),
    };
    let text = String::from_utf8_lossy(bytes);
    let replaced = matches!(text, Cow::Owned(_));
    Text { text, prefixed, replaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_in_front_is_no_text() {
        let plain = read_text(b"STTP v2");
        assert_eq!((&*plain.text, plain.prefixed), ("STTP v2", false));
        let prefixed = read_text(b"\0\0\0\x07STTP v2");
        assert_eq!((&*prefixed.text, prefixed.prefixed), ("STTP v2", true));
        assert_eq!(&*read_text(b"").text, "");
        assert!(read_text(&[0xFF]).replaced);
    }
}
