//! Control messages.

use measurand_tia::{Message, MessageError, MessageLimits, MessageReader};
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};

/// A control message.
#[napi(object)]
pub struct TiaMessage {
    /// What follows `TiA `.
    pub version: String,
    /// Command or reply.
    pub command: String,
    /// What follows the colon; of an error its text.
    pub parameter: Option<String>,
    /// Content.
    pub content: Option<Buffer>,
}

/// Cuts a control connection into messages.
#[napi]
pub struct TiaMessageReader {
    inner: Guarded<MessageReader>,
}

#[napi]
impl TiaMessageReader {
    /// A reader; `resynchronise` skips what lies between messages, as a client must with pytia.
    #[napi(constructor, catch_unwind)]
    pub fn new(resynchronise: bool, line: u32, content: u32) -> Self {
        let limits = MessageLimits { line: line as usize, content: content as usize };
        let reader = if resynchronise { MessageReader::resynchronising(limits) } else { MessageReader::new(limits) };
        Self { inner: Guarded::new(reader) }
    }

    /// Takes a chunk.
    #[napi(catch_unwind)]
    pub fn push(&mut self, chunk: Uint8Array) -> Result<()> {
        self.inner.call(|reader| {
            reader.push(&chunk);
            Ok(())
        })
    }

    /// The next whole message.
    #[napi(catch_unwind)]
    pub fn next(&mut self) -> Result<Option<TiaMessage>> {
        self.inner.call(|reader| {
            let message = reader.next_message().map_err(|reason| error(message_code(reason), reason))?;
            Ok(message.map(|message| TiaMessage {
                version: message.version,
                command: message.command,
                parameter: message.parameter,
                content: message.content.map(Buffer::from),
            }))
        })
    }

    /// Bytes that lay between messages.
    #[napi(getter, catch_unwind)]
    pub fn skipped(&mut self) -> Result<f64> {
        self.inner.call(|reader| Ok(reader.skipped() as f64))
    }
}

/// The bytes of a control message of the version 1.0.
#[napi(catch_unwind)]
pub fn encode_tia_message(command: String, parameter: Option<String>, content: Option<Uint8Array>) -> Buffer {
    let content = content.map(|content| content.to_vec());
    Buffer::from(Message { parameter, content, ..Message::new(command) }.to_bytes())
}

fn message_code(reason: MessageError) -> &'static str {
    match reason {
        MessageError::ContentLimit { .. } => "ERR_TIA_MESSAGE_CONTENT_LIMIT",
        MessageError::ContentLength => "ERR_TIA_MESSAGE_LENGTH",
        MessageError::LineLimit(_) => "ERR_TIA_MESSAGE_LINE_LIMIT",
        MessageError::Version => "ERR_TIA_MESSAGE_VERSION",
        _ => "ERR_TIA_MESSAGE_LINE",
    }
}
