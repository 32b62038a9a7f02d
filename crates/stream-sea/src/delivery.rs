use crate::{Cursor, JsonError, Kind};

/// Why a server's message cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// It is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is not UTF-8.
    #[error("the message is not UTF-8")]
    Utf8,
    /// It is not an object.
    #[error("the message is not an object")]
    NotObject,
}

/// A delivery: one message of a stream on its way to a subscriber.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delivery<'a> {
    /// The id of the request that subscribed.
    pub id: u32,
    /// The message as it was published.
    pub payload: &'a [u8],
    /// Its offset in the stream, where the subscriber asked for it.
    pub offset: Option<u64>,
    /// When it was stored, ms since 1970-01-01 UTC, where the subscriber asked for it.
    pub time: Option<u64>,
    /// How many times it has been delivered before.
    pub redelivered: u32,
}

impl<'a> Delivery<'a> {
    /// Reads a message of the server; `None` where it is one, but not a delivery.
    pub fn read(message: &'a [u8]) -> Result<Option<Self>, DeliveryError> {
        let text = std::str::from_utf8(message).map_err(|_| DeliveryError::Utf8)?;
        let mut cursor = Cursor::new(text);
        let mut id = None;
        let mut payload = None;
        let mut reply = false;
        let mut action: &[u8] = b"";
        let (mut offset, mut time, mut redelivered) = (None, None, 0);
        if cursor.kind()? != Kind::Object {
            return Err(DeliveryError::NotObject);
        }
        cursor.object(|cursor, key| -> Result<(), JsonError> {
            let value = cursor.value()?;
            match key {
                b"id" => id = number(value).and_then(|id| u32::try_from(id).ok()),
                b"action" => action = value,
                b"payload" => payload = Some(value),
                b"success" | b"error" => reply = true,
                b"offset" => offset = number(value),
                b"time" => time = number(value),
                b"redelivered" => redelivered = number(value).unwrap_or(0).min(u64::from(u32::MAX)) as u32,
                _ => {}
            }
            Ok(())
        })?;
        cursor.end()?;
        let subscription = action == b"\"subscription\"" || action == b"\"subscribe\"";
        Ok(match (id, payload) {
            (Some(id), Some(payload)) if subscription && !reply => {
                Some(Delivery { id, payload, offset, time, redelivered })
            }
            _ => None,
        })
    }
}

/// Where the payloads of one subscription begin: messages of it are the same up to there.
///
/// Reading by it gives what [`Delivery::read`] gives, without reading again what is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prefix {
    bytes: Vec<u8>,
    id: u32,
}

impl Prefix {
    /// Remembers the head of a message, where everything behind its payload is of the delivery alone.
    pub(crate) fn learn(&mut self, message: &[u8], delivery: &Delivery<'_>) {
        let at = delivery.payload.as_ptr() as usize - message.as_ptr() as usize;
        let Some((head, rest)) = message.split_at_checked(at) else { return };
        if head.ends_with(b"\"payload\":") && Self::tail(rest).is_some() {
            self.bytes.clear();
            self.bytes.extend_from_slice(head);
            self.id = delivery.id;
        }
    }

    /// A message with the same head; `None` says nothing.
    pub(crate) fn read<'a>(&self, message: &'a [u8]) -> Option<Delivery<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let rest = message.strip_prefix(self.bytes.as_slice())?;
        Self::tail(rest).map(|delivery| Delivery { id: self.id, ..delivery })
    }

    /// A payload and what the server says of the message behind it.
    fn tail(rest: &[u8]) -> Option<Delivery<'_>> {
        let mut cursor = Cursor::new(std::str::from_utf8(rest).ok()?);
        let payload = cursor.value().ok()?;
        let mut delivery = Delivery { id: 0, payload, offset: None, time: None, redelivered: 0 };
        while let Some(key) = cursor.next_member().ok()? {
            let value = number(cursor.number().ok()?)?;
            match key {
                b"offset" => delivery.offset = Some(value),
                b"time" => delivery.time = Some(value),
                b"redelivered" => delivery.redelivered = u32::try_from(value).ok()?,
                _ => return None,
            }
        }
        cursor.end().ok()?;
        Some(delivery)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deliveries_are_told_from_replies() {
        let read = |text: &'static str| Delivery::read(text.as_bytes());
        let plain = Delivery { id: 2, payload: br#"{"t":91}"#, offset: None, time: None, redelivered: 0 };
        let text = r#"{"id":2,"action":"subscription","streamName":"boiler_data","payload":{"t":91}}"#;
        assert_eq!(read(text), Ok(Some(plain)));
        let text = r#"{"payload":{"t":91},"action":"subscribe","id":2,"offset":7,"time":8,"redelivered":1}"#;
        assert_eq!(read(text), Ok(Some(Delivery { offset: Some(7), time: Some(8), redelivered: 1, ..plain })));
        assert_eq!(read(r#"{"id":2,"action":"subscription","success":true,"payload":2}"#), Ok(None));
        assert_eq!(read(r#"{"id":1,"action":"authenticate","payload":2}"#), Ok(None));
        assert_eq!(read(r#"{"id":2,"action":"subscription"}"#), Ok(None));
        assert_eq!(read("[]"), Err(DeliveryError::NotObject));
        assert_eq!(Delivery::read(b"\"\xff\""), Err(DeliveryError::Utf8));
    }

    proptest! {
        #[test]
        fn a_known_head_changes_nothing(message in r#"(\{"id":2,"action":"subscription","payload":)?[0-9{}"a,:]{0,12}(,"(offset|time|x)":[0-9]{1,3})?\}"#) {
            let first = br#"{"id":2,"action":"subscription","payload":1}"#;
            let mut prefix = Prefix::default();
            prefix.learn(first, &Delivery::read(first).unwrap().unwrap());
            if let Some(delivery) = prefix.read(message.as_bytes()) {
                prop_assert_eq!(Delivery::read(message.as_bytes()), Ok(Some(delivery)));
            }
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Delivery::read(&bytes);
        }
    }
}
