use measurand_columns::Status;

use crate::framer::Framer;
use crate::{Notice, PacketError};

/// What a decoder has stopped for.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    pub(crate) notice: Option<Notice>,
    /// The error, and the bytes that are lost with it.
    pub(crate) error: Option<(PacketError, usize)>,
    /// Whether framing was lost.
    pub(crate) lost: bool,
}

impl Stop {
    pub(crate) fn say(&mut self, notice: Notice) -> Status {
        self.notice = Some(notice);
        Status::Control
    }

    /// A malformed datagram is left out; a stream cannot be read on.
    #[cold]
    pub(crate) fn fail(&mut self, framer: &Framer, error: PacketError, chunk: &[u8], at: &mut usize) -> Status {
        let start = *at;
        if framer.options().datagrams {
            Framer::skip_datagram(chunk, at);
            self.error = Some((error, (*at - start).saturating_sub(2)));
            return Status::Malformed;
        }
        self.error = Some((error, framer.pending() + chunk.len() - start));
        self.lost = true;
        Status::Lost
    }
}
