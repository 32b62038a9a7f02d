use measurand_stream_sea::{
    Control, Downlink, DownlinkError, EventBlock, Extras, Messages, Packed, PublishError, Schema, frames_length,
    write_frames,
};
use napi::bindgen_prelude::{Buffer, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;

use crate::guard::{Guarded, Result, error};

/// What a message of a stream may be.
#[napi]
pub struct StreamSeaSchema {
    schema: Schema,
}

#[napi]
impl StreamSeaSchema {
    /// Reads the `fields` of a definition, as JSON text.
    #[napi(constructor, catch_unwind)]
    pub fn new(fields: String) -> Result<Self> {
        let fields = serde_json::from_str(&fields).map_err(|reason| error("ERR_STREAMSEA_SCHEMA_INVALID", reason))?;
        let schema = Schema::from_fields(&fields).map_err(|reason| error("ERR_STREAMSEA_SCHEMA_INVALID", reason))?;
        Ok(Self { schema })
    }
}

#[derive(Default)]
struct Gathered {
    messages: Messages,
    violations: Vec<String>,
}

/// Messages of a stream, gathered until they are stored together.
#[napi]
pub struct StreamSeaMessages {
    state: Guarded<Gathered>,
}

#[napi]
impl StreamSeaMessages {
    /// None yet.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self { state: Guarded::new(Gathered::default()) }
    }

    /// Appends what a publish's body holds; gives how many messages, or -1 where `takeViolations` says what is wrong.
    #[napi(catch_unwind)]
    pub fn append_body(&mut self, body: Uint8Array, schema: Option<&StreamSeaSchema>) -> Result<i32> {
        self.state.call(|state| match state.messages.append_body(&body, schema.map(|schema| &schema.schema)) {
            Ok(count) => Ok(count as i32),
            Err(PublishError::Schema(violations)) => {
                state.violations = violations.iter().map(ToString::to_string).collect();
                Ok(-1)
            }
            Err(reason @ PublishError::Large(_)) => Err(error("ERR_STREAMSEA_BATCH_LARGE", reason)),
            Err(reason @ PublishError::NoPayload) => Err(error("ERR_STREAMSEA_PAYLOAD_MISSING", reason)),
            Err(reason) => Err(error("ERR_STREAMSEA_JSON_INVALID", reason)),
        })
    }

    /// What was wrong with the body that gave -1.
    #[napi(catch_unwind)]
    pub fn take_violations(&mut self) -> Result<Vec<String>> {
        self.state.call(|state| Ok(std::mem::take(&mut state.violations)))
    }

    /// Messages gathered.
    #[napi(catch_unwind)]
    pub fn count(&mut self) -> Result<u32> {
        self.state.call(|state| Ok(state.messages.len() as u32))
    }

    /// Bytes of their packed form.
    #[napi(catch_unwind)]
    pub fn packed_length(&mut self) -> Result<u32> {
        self.state.call(|state| Ok(state.messages.packed_length() as u32))
    }

    /// Writes the packed form and starts anew; gives the bytes written.
    #[napi(catch_unwind)]
    pub fn pack(&mut self, mut out: Uint8Array) -> Result<u32> {
        // SAFETY: the caller (ts/stream-sea/codec.ts) has just made the buffer, and no other thread has it.
        let out = unsafe { out.as_mut() };
        self.state.call(|state| Ok(state.messages.pack(out) as u32))
    }
}

/// Bytes that suffice for the frames of packed messages `from` to `to`.
#[napi(catch_unwind)]
pub fn stream_sea_frames_length(packed: Uint8Array, from: u32, to: u32, head: u32, extras: bool) -> Result<f64> {
    let packed = Packed::open(&packed).map_err(|reason| error("ERR_STREAMSEA_LOG_ENTRY", reason))?;
    Ok(frames_length(&packed, from as usize, to as usize, head as usize, extras) as f64)
}

/// Writes packed messages `from` to `to` as frames of deliveries; `offset` below 0 writes no extras. Gives the bytes
/// written.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)]
pub fn stream_sea_write_frames(
    packed: Uint8Array,
    from: u32,
    to: u32,
    head: Uint8Array,
    offset: f64,
    time: f64,
    redelivered: u32,
    mut out: Uint8Array,
) -> Result<f64> {
    let packed = Packed::open(&packed).map_err(|reason| error("ERR_STREAMSEA_LOG_ENTRY", reason))?;
    let extras = (offset >= 0.0).then_some(Extras { offset: offset as u64, time: time as u64, redelivered });
    // SAFETY: the caller (ts/stream-sea/codec.ts) has just made the buffer, and no other thread has it.
    let out = unsafe { out.as_mut() };
    write_frames(&packed, from as usize, to as usize, &head, extras, out)
        .map(|bytes| bytes as f64)
        .map_err(|reason| error("ERR_STREAMSEA_LOG_ENTRY", reason))
}

/// A server's message that is no delivery.
#[napi(object)]
pub struct StreamSeaControl {
    /// The WebSocket opcode: 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub opcode: u32,
    /// What it carries.
    pub payload: Buffer,
}

/// What was wrong with bytes.
#[napi(object)]
pub struct StreamSeaDownlinkError {
    /// The code of the error.
    pub code: String,
    /// Its text.
    pub text: String,
}

/// Reads the WebSocket frames that a server sends to a subscriber.
#[napi]
pub struct StreamSeaDownlink {
    state: Guarded<Downlink>,
}

#[napi]
impl StreamSeaDownlink {
    /// A reader that takes messages of so many bytes at most; with `answers` those of publishes are rows too.
    #[napi(constructor, catch_unwind)]
    pub fn new(limit: u32, answers: bool) -> Self {
        Self { state: Guarded::new(Downlink::new(limit as usize, answers)) }
    }

    /// Appends the deliveries of a chunk to a block; gives the status.
    #[napi(catch_unwind)]
    pub fn decode(&mut self, chunk: &[u8], mut block: Uint8ArraySlice<'_>) -> Result<u32> {
        // SAFETY: the caller (ts/stream-sea/codec.ts) owns the block and no other thread has it.
        let block = unsafe { block.as_mut() };
        self.state.call(|downlink| {
            let mut block = EventBlock::open(block).map_err(|reason| error("ERR_SESSION_BLOCK_BYTES", reason))?;
            let (status, consumed) = downlink.decode(chunk, &mut block);
            block.close(status as u32, consumed, consumed);
            Ok(status as u32)
        })
    }

    /// Bytes taken that belong to no whole message yet.
    #[napi(catch_unwind)]
    pub fn pending(&mut self) -> Result<u32> {
        self.state.call(|downlink| Ok(downlink.pending() as u32))
    }

    /// The message that ended the last call with status 2.
    #[napi(catch_unwind)]
    pub fn take_control(&mut self) -> Result<Option<StreamSeaControl>> {
        self.state.call(|downlink| {
            let wrap =
                |Control { opcode, payload }| StreamSeaControl { opcode: opcode as u32, payload: payload.into() };
            Ok(downlink.take_control().map(wrap))
        })
    }

    /// The error that ended the last call with status 3 or 4.
    #[napi(catch_unwind)]
    pub fn take_error(&mut self) -> Result<Option<StreamSeaDownlinkError>> {
        self.state.call(|downlink| {
            Ok(downlink.take_error().map(|reason| {
                let code = match reason {
                    DownlinkError::Message(_) => "ERR_STREAMSEA_MESSAGE_MALFORMED",
                    DownlinkError::Length { .. } => "ERR_STREAMSEA_MESSAGE_LENGTH",
                    _ => "ERR_STREAMSEA_FRAME_INVALID",
                };
                StreamSeaDownlinkError { code: code.to_owned(), text: reason.to_string() }
            }))
        })
    }
}
