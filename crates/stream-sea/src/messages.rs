use crate::{Cursor, JsonError, Kind, Schema, Violation};

/// Why a publish is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The text is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8,
    /// The body is not an object with a payload.
    #[error("the body has no payload")]
    NoPayload,
    /// More messages or bytes than one batch may hold.
    #[error("the batch is larger than {0} bytes")]
    Large(usize),
    /// The payload is not what the schema says.
    #[error("the payload does not match the schema")]
    Schema(Vec<Violation>),
}

/// Messages in order, each as the JSON text that was sent.
#[derive(Clone, Debug, Default)]
pub struct Messages {
    ends: Vec<u32>,
    data: Vec<u8>,
}

/// Bytes of messages that one batch may hold: offsets in it are 32 bits, and signed ones in Arrow.
const MAX_BYTES: usize = i32::MAX as usize / 2;

impl Messages {
    /// Appends what a publish's body, `{"payload": X}`, holds: the items of an array, or one message. Gives how many;
    /// on an error nothing is appended.
    pub fn append_body(&mut self, body: &[u8], schema: Option<&Schema>) -> Result<usize, PublishError> {
        let text = std::str::from_utf8(body).map_err(|_| PublishError::Utf8)?;
        let (count, bytes) = (self.ends.len(), self.data.len());
        let added = self.read_body(text, schema);
        if added.is_err() {
            self.ends.truncate(count);
            self.data.truncate(bytes);
        }
        added
    }

    fn read_body(&mut self, text: &str, schema: Option<&Schema>) -> Result<usize, PublishError> {
        let (count, bytes) = (self.ends.len(), self.data.len());
        let mut cursor = Cursor::new(text);
        if cursor.kind()? != Kind::Object {
            cursor.value()?;
            cursor.end()?;
            return Err(PublishError::NoPayload);
        }
        let mut violations = Vec::new();
        let mut found = false;
        cursor.object(|cursor, key| -> Result<(), PublishError> {
            if key != b"payload" {
                return cursor.value().map(drop).map_err(Into::into);
            }
            // Of a key that is there twice, the last one holds, as in every JSON parser.
            self.ends.truncate(count);
            self.data.truncate(bytes);
            violations.clear();
            found = true;
            if cursor.kind()? != Kind::Array {
                return self.read_message(cursor, text, schema, "", &mut violations);
            }
            let mut index = 0;
            cursor.array(|cursor| {
                index += 1;
                let Some(schema) = schema else { return self.read_message(cursor, text, None, "", &mut violations) };
                let known = violations.len();
                self.read_message(cursor, text, Some(schema), "", &mut violations)?;
                for violation in violations.iter_mut().skip(known) {
                    let (Violation::Type { path, .. } | Violation::Unknown { path }) = violation;
                    path.insert_str(0, &format!("[{}].", index - 1));
                }
                Ok(())
            })
        })?;
        cursor.end()?;
        match (found, violations.is_empty()) {
            (false, _) => Err(PublishError::NoPayload),
            (true, false) => Err(PublishError::Schema(violations)),
            (true, true) => Ok(self.ends.len() - count),
        }
    }

    fn read_message(
        &mut self,
        cursor: &mut Cursor<'_>,
        text: &str,
        schema: Option<&Schema>,
        path: &str,
        violations: &mut Vec<Violation>,
    ) -> Result<(), PublishError> {
        cursor.kind()?;
        let from = cursor.position();
        match schema {
            Some(schema) => schema.check(cursor, path, violations)?,
            None => cursor.value().map(drop)?,
        }
        self.push(text.as_bytes().get(from..cursor.position()).unwrap_or_default())
    }

    /// Appends one message of which it is known that it is JSON.
    pub fn push(&mut self, message: &[u8]) -> Result<(), PublishError> {
        if self.data.len() + message.len() + 4 * self.ends.len() > MAX_BYTES {
            return Err(PublishError::Large(MAX_BYTES));
        }
        self.data.extend_from_slice(message);
        self.ends.push(self.data.len() as u32);
        Ok(())
    }

    /// Messages held.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the packed form: `u32 count`, `u32 end` of each message, their text.
    pub fn packed_length(&self) -> usize {
        4 + 4 * self.ends.len() + self.data.len()
    }

    /// Writes the packed form into `out`, which has [`Self::packed_length`] bytes at least, and starts anew. Gives the
    /// bytes written; nothing is written, and 0 given, where `out` is too short.
    pub fn pack(&mut self, out: &mut [u8]) -> usize {
        let length = self.packed_length();
        let Some(out) = out.get_mut(..length) else { return 0 };
        let (head, rest) = out.split_at_mut(4);
        head.copy_from_slice(&(self.ends.len() as u32).to_le_bytes());
        let (ends, data) = rest.split_at_mut(4 * self.ends.len());
        for (place, end) in ends.chunks_exact_mut(4).zip(&self.ends) {
            place.copy_from_slice(&end.to_le_bytes());
        }
        data.copy_from_slice(&self.data);
        self.ends.clear();
        self.data.clear();
        length
    }
}

/// Why bytes are not packed messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The bytes are fewer or more than the counts in them say.
    #[error("the packed messages have a wrong length")]
    Length,
    /// A message ends before it begins.
    #[error("packed message {0} ends before it begins")]
    Order(usize),
}

/// Packed messages opened for reading.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    ends: &'a [u8],
    data: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Opens the packed form; every bound in it is checked.
    pub fn open(bytes: &'a [u8]) -> Result<Self, PackError> {
        let (head, rest) = bytes.split_first_chunk::<4>().ok_or(PackError::Length)?;
        let count = u32::from_le_bytes(*head) as usize;
        let (ends, data) =
            count.checked_mul(4).and_then(|length| rest.split_at_checked(length)).ok_or(PackError::Length)?;
        let packed = Self { ends, data };
        let mut before = 0;
        for index in 0..count {
            let end = packed.end(index);
            if end < before {
                return Err(PackError::Order(index));
            }
            before = end;
        }
        if before == data.len() { Ok(packed) } else { Err(PackError::Length) }
    }

    fn end(&self, index: usize) -> usize {
        self.ends
            .get(4 * index..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    }

    /// Messages held.
    pub fn len(&self) -> usize {
        self.ends.len() / 4
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a message; empty beyond the last.
    pub fn get(&self, index: usize) -> &'a [u8] {
        let from = if index == 0 { 0 } else { self.end(index - 1) };
        self.data.get(from..self.end(index)).unwrap_or_default()
    }

    /// Bytes of text of the messages in a range.
    pub fn text_length(&self, from: usize, to: usize) -> usize {
        let start = if from == 0 { 0 } else { self.end(from - 1) };
        let end = if to == 0 { 0 } else { self.end(to - 1) };
        end.saturating_sub(start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn texts(messages: &mut Messages) -> Vec<String> {
        let mut out = vec![0; messages.packed_length()];
        assert_eq!(messages.pack(&mut out), out.len());
        let packed = Packed::open(&out).unwrap();
        (0..packed.len()).map(|index| String::from_utf8(packed.get(index).to_vec()).unwrap()).collect()
    }

    #[test]
    fn text_is_kept_as_it_was_sent() {
        let mut messages = Messages::default();
        assert_eq!(messages.append_body(br#" {"x":1,"payload": {"n": 9007199254740993} } "#, None), Ok(1));
        assert_eq!(messages.append_body(br#"{"payload":[1, {"a":2} ,"x"]}"#, None), Ok(3));
        assert_eq!(messages.append_body(br#"{"payload":[]}"#, None), Ok(0));
        assert_eq!(texts(&mut messages), [r#"{"n": 9007199254740993}"#, "1", r#"{"a":2}"#, "\"x\""]);
        assert!(messages.is_empty());
    }

    #[test]
    fn a_refused_body_leaves_nothing() {
        let schema = Schema::from_fields(&json!([{"name": "t", "type": "float"}])).unwrap();
        let mut messages = Messages::default();
        messages.append_body(br#"{"payload":{"t":1}}"#, Some(&schema)).unwrap();
        let error = messages.append_body(br#"{"payload":[{"t":2},{"t":"hot"},{"u":1}]}"#, Some(&schema)).unwrap_err();
        let PublishError::Schema(violations) = error else { panic!("{error}") };
        let told: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["[1].t is not a valid float", "[2].u is not a field of the schema"]);
        assert_eq!(messages.append_body(br#"{"payload":{"t":1}"#, None), Err(PublishError::Json(JsonError::End)));
        assert_eq!(messages.append_body(b"[]", None), Err(PublishError::NoPayload));
        assert_eq!(messages.append_body(b"{}", None), Err(PublishError::NoPayload));
        assert_eq!(messages.append_body(b"{\"payload\":\"\xff\"}", None), Err(PublishError::Utf8));
        assert_eq!(texts(&mut messages), [r#"{"t":1}"#]);
    }

    #[test]
    fn of_two_payloads_the_last_one_holds() {
        let mut messages = Messages::default();
        assert_eq!(messages.append_body(br#"{"payload":[1,2],"payload":3}"#, None), Ok(1));
        assert_eq!(texts(&mut messages), ["3"]);
    }

    proptest! {
        #[test]
        fn packed_bytes_come_back(list in proptest::collection::vec("[ -~]{0,20}", 0..20)) {
            let mut messages = Messages::default();
            for text in &list { messages.push(text.as_bytes()).unwrap(); }
            prop_assert_eq!(texts(&mut messages), list);
        }

        #[test]
        fn any_bytes_are_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(packed) = Packed::open(&bytes) {
                let sum: usize = (0..packed.len()).map(|index| packed.get(index).len()).sum();
                prop_assert_eq!(sum, packed.text_length(0, packed.len()));
            }
        }

        #[test]
        fn any_body_is_taken_or_refused(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut messages = Messages::default();
            let added = messages.append_body(&body, None).unwrap_or(0);
            prop_assert_eq!(messages.len(), added);
        }
    }
}
