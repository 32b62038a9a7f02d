use std::fmt::Write as _;

use memchr::memchr;
use memchr::memmem;

/// A control message: a command or a reply, in either direction.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Message {
    /// What follows `TiA `: `1.0`.
    pub version: String,
    /// Command: `GetDataConnection`, `OK`, `Error`, ...
    pub command: String,
    /// What follows the command's colon; of an error its text.
    pub parameter: Option<String>,
    /// Content, as announced by `Content-Length`.
    pub content: Option<Vec<u8>>,
}

/// Lengths taken at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageLimits {
    /// Bytes of a line.
    pub line: usize,
    /// Bytes of a content.
    pub content: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { line: 4096, content: 16 << 20 }
    }
}

/// Why bytes are not a control message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The line of the command is empty.
    #[error("the message has no command")]
    Command,
    /// The content is longer than the reader takes.
    #[error("a content of {length} bytes is over the limit of {limit}")]
    ContentLimit {
        /// Bytes announced.
        length: u64,
        /// Bytes taken at most.
        limit: u64,
    },
    /// `Content-Length` is not a number.
    #[error("the content's length is not a number")]
    ContentLength,
    /// A line is longer than the reader takes.
    #[error("a line is over the limit of {0} bytes")]
    LineLimit(usize),
    /// A line is not UTF-8.
    #[error("a line is not UTF-8")]
    Utf8,
    /// The first line is not `TiA <version>`.
    #[error("the message does not start with \"TiA \"")]
    Version,
    /// A line follows the command that is no header.
    #[error("a line after the command is no header")]
    Header,
}

const PREFIX: &[u8] = b"TiA ";

impl Message {
    /// A message of the version 1.0 with nothing but a command.
    pub fn new(command: impl Into<String>) -> Self {
        Self { version: "1.0".into(), command: command.into(), ..Self::default() }
    }

    /// With a parameter.
    #[must_use]
    pub fn with_parameter(mut self, parameter: impl Into<String>) -> Self {
        self.parameter = Some(parameter.into());
        self
    }

    /// With a content.
    #[must_use]
    pub fn with_content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// Whether it is a reply that refuses.
    pub fn is_error(&self) -> bool {
        self.command.starts_with("Error") || self.command == "ValidationError"
    }

    /// Its bytes, as libtia and pytia write them: LF alone, no space behind a colon.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("TiA {}\n{}", self.version, self.command);
        if let Some(parameter) = &self.parameter {
            text.push_str(if self.command == "Error" { " -- " } else { ":" });
            text.push_str(parameter);
        }
        text.push('\n');
        let content = self.content.as_deref().unwrap_or(&[]);
        if !content.is_empty() {
            let _ = writeln!(text, "Content-Length:{}", content.len());
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(content);
        bytes
    }
}

/// Cuts a control connection into messages, whatever its chunks are.
///
/// Reads leniently: white space around lines, CR LF, spaces behind a colon. After an error the connection is useless.
#[derive(Debug, Default)]
pub struct MessageReader {
    limits: MessageLimits,
    bytes: Vec<u8>,
    resynchronise: bool,
    skipped: u64,
}

impl MessageReader {
    /// A reader of a server's side: the bytes must be messages one behind the other.
    pub fn new(limits: MessageLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A reader of a client's side: what lies before `TiA ` is skipped, because pytia announces contents too short
    /// where a name is not ASCII.
    pub fn resynchronising(limits: MessageLimits) -> Self {
        Self { limits, resynchronise: true, ..Self::default() }
    }

    /// Bytes that lay between messages.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Takes a chunk.
    pub fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
    }

    /// Bytes held.
    pub fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// Drops what is held: pytia forgets all that a client sent behind its first command.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The next whole message.
    pub fn next_message(&mut self) -> Result<Option<Message>, MessageError> {
        if self.resynchronise && !self.find_start() {
            return Ok(None);
        }
        let mut at = 0;
        let Some(first) = self.line(&mut at)? else { return Ok(None) };
        let Some(version) = first.strip_prefix("TiA ").map(|version| version.trim().to_owned()) else {
            return Err(MessageError::Version);
        };
        let Some(command_line) = self.line(&mut at)? else { return Ok(None) };
        if command_line.is_empty() {
            return Err(MessageError::Command);
        }
        let mut message = read_command(command_line);
        message.version = version;
        let mut length = None;
        loop {
            let Some(line) = self.line(&mut at)? else { return Ok(None) };
            if line.is_empty() {
                break;
            }
            let (key, value) = line.split_once(':').ok_or(MessageError::Header)?;
            if key.trim().eq_ignore_ascii_case("Content-Length") {
                length = Some(value.trim().parse::<u64>().map_err(|_| MessageError::ContentLength)?);
            }
        }
        if let Some(length) = length.filter(|&length| length > 0) {
            let limit = self.limits.content as u64;
            if length > limit {
                return Err(MessageError::ContentLimit { length, limit });
            }
            let Some(content) = self.bytes.get(at..at + length as usize) else { return Ok(None) };
            message.content = Some(content.to_vec());
            at += length as usize;
        }
        self.bytes.drain(..at);
        Ok(Some(message))
    }

    /// Skips to `TiA `; whether it is there.
    fn find_start(&mut self) -> bool {
        let start = memmem::find(&self.bytes, PREFIX);
        // The prefix may be cut: its first bytes stay.
        let skip = start.unwrap_or_else(|| {
            let longest = self.bytes.len().min(PREFIX.len() - 1);
            let tail = (0..=longest).rev().find(|&n| self.bytes.ends_with(PREFIX.get(..n).unwrap_or(&[])));
            self.bytes.len() - tail.unwrap_or(0)
        });
        self.skipped += skip as u64;
        self.bytes.drain(..skip);
        start.is_some()
    }

    /// The line at `at` without the white space around it; `None` where it is not whole.
    fn line(&self, at: &mut usize) -> Result<Option<&str>, MessageError> {
        let rest = self.bytes.get(*at..).unwrap_or(&[]);
        let end = memchr(b'\n', rest);
        if end.unwrap_or(rest.len()) > self.limits.line {
            return Err(MessageError::LineLimit(self.limits.line));
        }
        let Some(line) = end.and_then(|end| rest.get(..end)) else { return Ok(None) };
        *at += line.len() + 1;
        core::str::from_utf8(line).map(|line| Some(line.trim())).map_err(|_| MessageError::Utf8)
    }
}

fn read_command(line: &str) -> Message {
    // libtia writes an error's text into the command's line, colons and all.
    if let Some(text) = line.strip_prefix("Error").and_then(|rest| rest.trim_start().strip_prefix("--")) {
        return Message::new("Error").with_parameter(text.trim());
    }
    match line.split_once(':') {
        Some((command, parameter)) => Message::new(command.trim()).with_parameter(parameter.trim()),
        None => Message::new(line),
    }
}

#[cfg(test)]
mod tests;
