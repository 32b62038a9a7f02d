use crate::{Command, CommandError, Deframer, FrameError, FrameLimits};

/// Reads what a subscriber sends.
///
/// A command that cannot be understood is an error whose frame is intact: the next call goes on behind it. A frame that
/// is too long is the end: every later call repeats the error.
#[derive(Debug)]
pub struct Uplink {
    deframer: Deframer,
}

/// Why there is no command.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UplinkError {
    /// The command cannot be understood.
    #[error("{error}")]
    Command {
        /// Byte of the stream at which its frame begins.
        offset: u64,
        /// Bytes of the frame with its length.
        length: u64,
        /// Why.
        error: CommandError,
    },
    /// Framing is lost.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A command and where in the stream it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceivedCommand {
    /// Byte of the stream at which its frame begins.
    pub offset: u64,
    /// Bytes of the frame with its length.
    pub length: u64,
    /// What is asked.
    pub command: Command,
}

impl Uplink {
    /// An uplink at the start of a connection whose frames may have bodies of so many bytes; 1 MiB is plenty.
    pub fn new(limit: usize) -> Self {
        Self { deframer: Deframer::new(FrameLimits::all(limit)) }
    }

    /// The next command of `chunk[*position..]`, moving `position` behind it; `None` when the chunk is used up.
    pub fn next(&mut self, chunk: &[u8], position: &mut usize) -> Result<Option<ReceivedCommand>, UplinkError> {
        let Some(frame) = self.deframer.next(chunk, position)? else {
            return Ok(None);
        };
        let (offset, length) = (frame.offset, frame.len() as u64);
        match Command::parse(frame.body) {
            Ok(command) => Ok(Some(ReceivedCommand { offset, length, command })),
            Err(error) => Err(UplinkError::Command { offset, length, error }),
        }
    }

    /// Bytes of a frame that has not come whole: not 0 at the end of a stream means that it was cut.
    pub fn pending_bytes(&self) -> usize {
        self.deframer.pending()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommandCode, OperationalModes};

    #[test]
    fn commands_come_over_any_cut_and_behind_a_bad_one() {
        let mut stream = Vec::new();
        let modes = Command::DefineOperationalModes(OperationalModes::COMPRESSED);
        modes.write(&mut stream);
        stream.extend_from_slice(&[0, 0, 0, 2, 7, 0]);
        Command::Unsubscribe.write(&mut stream);
        let mut uplink = Uplink::new(1 << 20);
        let (mut commands, mut errors) = (Vec::new(), Vec::new());
        for byte in stream {
            let mut position = 0;
            loop {
                match uplink.next(&[byte], &mut position) {
                    Ok(Some(received)) => commands.push((received.offset, received.length, received.command)),
                    Ok(None) => break,
                    Err(error) => errors.push(error),
                }
            }
        }
        assert_eq!(commands, [(0, 9, modes), (15, 5, Command::Unsubscribe)]);
        let error = CommandError::Length { code: CommandCode::CONFIRM_NOTIFICATION, length: 1, least: 4 };
        assert_eq!(errors, [UplinkError::Command { offset: 9, length: 6, error }]);
    }

    #[test]
    fn a_frame_beyond_the_limit_is_the_end() {
        let mut uplink = Uplink::new(8);
        assert!(matches!(uplink.next(b"GET / HTTP/1.1", &mut 0), Err(UplinkError::Frame(_))));
        assert!(matches!(uplink.next(&[0, 0, 0, 1, 3], &mut 0), Err(UplinkError::Frame(_))));
    }
}
