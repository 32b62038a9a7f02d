use crate::gzip::{self, GzipError};
use crate::quirk::Quirk;
use crate::reader::{Reader, write_counted};
use crate::{
    BaseTimes, BufferBlock, CacheError, CipherKeys, CommandCode, OperationalModes, ResponseCode, SignalIndexCache,
    read_text, write_frame,
};

/// Bytes of a response in front of its payload.
const HEAD_BYTES: usize = 6;

/// A response as it lies in its frame: who answers what, and the payload.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Envelope<'a> {
    /// What is told.
    pub code: ResponseCode,
    /// The command that it answers; [`CommandCode::SUBSCRIBE`] where it answers none.
    pub command: CommandCode,
    /// What it carries.
    pub payload: &'a [u8],
    /// The length in front of the payload is right. Receivers go by the frame's.
    pub exact_length: bool,
}

impl<'a> Envelope<'a> {
    /// Reads the body of a frame; `None` if it is shorter than 6 bytes.
    #[inline]
    pub fn parse(body: &'a [u8]) -> Option<Self> {
        let (&[code, command, l0, l1, l2, l3], payload) = body.split_first_chunk::<HEAD_BYTES>()?;
        let exact_length = u32::from_be_bytes([l0, l1, l2, l3]) as usize == payload.len();
        Some(Self { code: ResponseCode(code), command: CommandCode(command), payload, exact_length })
    }
}

/// Appends the whole frame of a response whose payload `write` appends.
pub fn write_response(code: ResponseCode, command: CommandCode, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_frame(out, |out| {
        out.extend_from_slice(&[code.0, command.0]);
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        write(out);
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    });
}

/// A response that is not measurements.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Response {
    /// The command succeeded.
    Succeeded {
        /// The command.
        command: CommandCode,
        /// What the publisher says.
        text: String,
    },
    /// The command failed.
    Failed {
        /// The command.
        command: CommandCode,
        /// What the publisher says.
        text: String,
    },
    /// Metadata, as XML or that compressed.
    Metadata(Vec<u8>),
    /// A signal index cache.
    SignalIndexCache {
        /// Which of the two it is, 0 or 1; 0 under version 1.
        cache_index: u8,
        /// The cache.
        cache: SignalIndexCache,
    },
    /// Base times of compact measurements.
    BaseTimes(BaseTimes),
    /// Keys of the data channel.
    CipherKeys(CipherKeys),
    /// Ticks of the first measurement that will follow.
    DataStartTime(u64),
    /// A historical subscription is at its end.
    ProcessingComplete(String),
    /// A block of bytes.
    BufferBlock(BufferBlock),
    /// A message for the user; to be confirmed with its hash.
    Notification {
        /// Hash of the text.
        hash: u32,
        /// The text.
        text: String,
    },
    /// There is new metadata.
    ConfigurationChanged,
    /// A response whose meaning the user gives.
    UserResponse {
        /// 0 to 15.
        number: u8,
        /// The command that it answers.
        command: CommandCode,
        /// What it carries.
        payload: Vec<u8>,
    },
    /// Keeps the connection alive.
    NoOp,
    /// Any other.
    Other {
        /// The response.
        code: ResponseCode,
        /// The command that it answers.
        command: CommandCode,
        /// What it carries.
        payload: Vec<u8>,
    },
}

/// Why a response cannot be understood; its frame is intact.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The cache cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The cache cannot be decompressed.
    #[error(transparent)]
    Gzip(#[from] GzipError),
    /// The payload is too short.
    #[error("{} carries {length} bytes, which is too few", code.name())]
    Length {
        /// The response.
        code: ResponseCode,
        /// Bytes of its payload.
        length: usize,
    },
}

impl Response {
    /// Reads a response that is not measurements.
    ///
    /// `modes` says whether a cache has the byte that numbers it; `limit` is how many bytes a cache may have when it is
    /// decompressed; deviations are told to `quirk`.
    pub fn parse(
        envelope: &Envelope<'_>,
        modes: OperationalModes,
        limit: usize,
        mut quirk: impl FnMut(Quirk),
    ) -> Result<Self, ResponseError> {
        let Envelope { code, command, payload, exact_length } = *envelope;
        let short = ResponseError::Length { code, length: payload.len() };
        if !exact_length {
            quirk(Quirk::PayloadLength);
        }
        let mut text = |payload: &[u8]| {
            let read = read_text(payload);
            if read.prefixed {
                quirk(Quirk::TextLengthPrefix);
            }
            if read.replaced {
                quirk(Quirk::TextNotUtf8);
            }
            read.text.into_owned()
        };
        Ok(match code {
            ResponseCode::SUCCEEDED if command == CommandCode::METADATA_REFRESH => Self::Metadata(payload.to_vec()),
            ResponseCode::SUCCEEDED => Self::Succeeded { command, text: text(payload) },
            ResponseCode::FAILED => Self::Failed { command, text: text(payload) },
            ResponseCode::UPDATE_SIGNAL_INDEX_CACHE => return read_cache(payload, modes, limit, quirk),
            ResponseCode::UPDATE_BASE_TIMES => Self::BaseTimes(BaseTimes::parse(payload).ok_or(short)?),
            ResponseCode::UPDATE_CIPHER_KEYS => Self::CipherKeys(CipherKeys::parse(payload).ok_or(short)?),
            ResponseCode::DATA_START_TIME => Self::DataStartTime(Reader::new(payload).u64().ok_or(short)?),
            ResponseCode::PROCESSING_COMPLETE => Self::ProcessingComplete(text(payload)),
            ResponseCode::BUFFER_BLOCK => Self::BufferBlock(BufferBlock::parse(payload).ok_or(short)?),
            ResponseCode::NOTIFY => {
                let mut reader = Reader::new(payload);
                let hash = reader.u32().ok_or(short)?;
                Self::Notification { hash, text: text(reader.rest()) }
            }
            ResponseCode::CONFIGURATION_CHANGED => Self::ConfigurationChanged,
            ResponseCode(code @ 0xE0..=0xEF) => {
                Self::UserResponse { number: code & 15, command, payload: payload.to_vec() }
            }
            ResponseCode::NO_OP => Self::NoOp,
            _ => Self::Other { code, command, payload: payload.to_vec() },
        })
    }

    /// Its first byte.
    pub const fn code(&self) -> ResponseCode {
        match self {
            Self::Succeeded { .. } | Self::Metadata(_) => ResponseCode::SUCCEEDED,
            Self::Failed { .. } => ResponseCode::FAILED,
            Self::SignalIndexCache { .. } => ResponseCode::UPDATE_SIGNAL_INDEX_CACHE,
            Self::BaseTimes(_) => ResponseCode::UPDATE_BASE_TIMES,
            Self::CipherKeys(_) => ResponseCode::UPDATE_CIPHER_KEYS,
            Self::DataStartTime(_) => ResponseCode::DATA_START_TIME,
            Self::ProcessingComplete(_) => ResponseCode::PROCESSING_COMPLETE,
            Self::BufferBlock(_) => ResponseCode::BUFFER_BLOCK,
            Self::Notification { .. } => ResponseCode::NOTIFY,
            Self::ConfigurationChanged => ResponseCode::CONFIGURATION_CHANGED,
            Self::UserResponse { number, .. } => ResponseCode(ResponseCode::USER_RESPONSE_00.0 | *number & 15),
            Self::NoOp => ResponseCode::NO_OP,
            Self::Other { code, .. } => *code,
        }
    }

    /// Its second byte.
    pub const fn command(&self) -> CommandCode {
        match self {
            Self::Succeeded { command, .. }
            | Self::Failed { command, .. }
            | Self::UserResponse { command, .. }
            | Self::Other { command, .. } => *command,
            Self::Metadata(_) => CommandCode::METADATA_REFRESH,
            _ => CommandCode::SUBSCRIBE,
        }
    }

    /// Appends the whole frame, with a cache in the form that `modes` ask for; metadata is written as it is.
    pub fn write(&self, modes: OperationalModes, out: &mut Vec<u8>) {
        write_response(self.code(), self.command(), out, |out| match self {
            Self::Succeeded { text, .. } | Self::Failed { text, .. } | Self::ProcessingComplete(text) => {
                out.extend_from_slice(text.as_bytes());
            }
            Self::Metadata(payload) | Self::UserResponse { payload, .. } | Self::Other { payload, .. } => {
                out.extend_from_slice(payload);
            }
            Self::SignalIndexCache { cache_index, cache } => write_cache(cache, *cache_index, modes, out),
            Self::BaseTimes(times) => times.write(out),
            Self::CipherKeys(keys) => keys.write(out),
            Self::DataStartTime(ticks) => out.extend_from_slice(&ticks.to_be_bytes()),
            Self::BufferBlock(block) => block.write(out),
            Self::Notification { hash, text } => {
                out.extend_from_slice(&hash.to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Self::ConfigurationChanged | Self::NoOp => {}
        });
    }
}

fn read_cache(
    payload: &[u8],
    modes: OperationalModes,
    limit: usize,
    mut quirk: impl FnMut(Quirk),
) -> Result<Response, ResponseError> {
    let short = ResponseError::Length { code: ResponseCode::UPDATE_SIGNAL_INDEX_CACHE, length: payload.len() };
    let (cache_index, image) = if modes.has_two_caches() {
        let (&byte, image) = payload.split_first().ok_or(short)?;
        let cache_index = match byte {
            0 | 1 => byte,
            0xFF => {
                quirk(Quirk::CacheIndexFf);
                0
            }
            _ => {
                quirk(Quirk::CacheIndexValue);
                1
            }
        };
        (cache_index, image)
    } else {
        (0, payload)
    };
    let parsed = if gzip::is_gzip(image) {
        SignalIndexCache::parse(&gzip::decompress(image, limit)?)?
    } else {
        SignalIndexCache::parse(image)?
    };
    if !parsed.exact_size {
        quirk(Quirk::CacheSize);
    }
    if parsed.trailing > 0 {
        quirk(Quirk::TrailingBytes);
    }
    Ok(Response::SignalIndexCache { cache_index, cache: parsed.cache })
}

fn write_cache(cache: &SignalIndexCache, cache_index: u8, modes: OperationalModes, out: &mut Vec<u8>) {
    if modes.has_two_caches() {
        out.push(cache_index);
    }
    if modes.compresses_cache() {
        let mut image = Vec::new();
        cache.write(&mut image);
        gzip::compress(&image, out);
    } else {
        cache.write(out);
    }
}

/// A response whose text has its length in front, as sttpapi's publisher writes it.
pub fn write_prefixed_text(code: ResponseCode, command: CommandCode, text: &str, out: &mut Vec<u8>) {
    write_response(code, command, out, |out| write_counted(text.as_bytes(), out));
}

#[cfg(test)]
mod tests;
