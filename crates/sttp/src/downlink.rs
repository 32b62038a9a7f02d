mod caches;
mod datagrams;
mod event;
mod packets;

use measurand_columns::{Block, Status};

pub use event::{Event, Loss, LossCause, Message, MessageError, PacketError};

use crate::compact::TimeForm;
use crate::{Deframer, FrameError, FrameLimits, OperationalModes, Subscription, tssc};
use packets::Packets;

/// How a downlink reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DownlinkOptions {
    /// How long frames may be, and what is compressed in caches.
    pub limits: FrameLimits,
    /// Limits of the TSSC decoders, of which there is one for each signal index cache.
    pub tssc: tssc::DecoderOptions,
    /// What the subscriber has told the publisher; see [`Downlink::set_modes`].
    pub modes: OperationalModes,
    /// Tell of every data packet by an [`Event::Packet`] in front of its rows; for looking at the protocol, not for speed.
    pub report_packets: bool,
}

impl Default for DownlinkOptions {
    fn default() -> Self {
        Self {
            limits: FrameLimits::default(),
            tssc: tssc::DecoderOptions::default(),
            modes: OperationalModes::COMPRESSED,
            report_packets: false,
        }
    }
}

/// Reads what a publisher sends: measurements are appended to a block, everything else is an [`Event`].
///
/// Both keep the order of the wire: reading stops at an event until [`Downlink::take_event`] has given it. A signal index
/// cache is such an event; the rows that its signals have in the session's table are then to be told by
/// [`Downlink::assign_rows`], without which a signal's row is its place in the cache.
///
/// A message that cannot be read is skipped ([`Status::Malformed`], [`Downlink::take_error`]); a frame whose length is
/// beyond its limit is the end ([`Status::Lost`]).
#[derive(Debug)]
pub struct Downlink {
    deframer: Deframer,
    packets: Packets,
    lost: Option<FrameError>,
    messages: u64,
}

/// Why rows cannot be assigned to the signals of a cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// The rows are not as many as the cache has records.
    #[error("{rows} rows for the {records} records of the newest cache")]
    Count {
        /// Rows given.
        rows: usize,
        /// Records of the cache.
        records: usize,
    },
}

impl Downlink {
    /// A downlink at the start of a connection.
    pub fn new(options: DownlinkOptions) -> Self {
        Self { deframer: Deframer::new(options.limits), packets: Packets::new(options), lost: None, messages: 0 }
    }

    /// Reads `chunk` into `block` and closes it with the status that is returned, and with the bytes read of the chunk:
    /// the rest is to be given again.
    ///
    /// After [`Status::Lost`] every call is refused.
    pub fn decode(&mut self, chunk: &[u8], mut block: Block<'_>) -> Result<Status, FrameError> {
        if let Some(error) = self.lost {
            return Err(error);
        }
        let mut position = 0;
        let mut error_offset = 0;
        let status = loop {
            if self.packets.has_event() {
                break Status::Control;
            }
            match self.packets.go_on(&mut block) {
                Status::NeedMore => {}
                status => break status,
            }
            let start = position;
            match self.deframer.next(chunk, &mut position) {
                Ok(Some(frame)) => {
                    self.messages += 1;
                    error_offset = start;
                    match self.packets.take(frame, &mut block) {
                        Status::NeedMore => {}
                        status => break status,
                    }
                }
                Ok(None) => {
                    self.packets.flush_loss();
                    break if self.packets.has_event() { Status::Control } else { Status::NeedMore };
                }
                Err(error) => {
                    self.lost = Some(error);
                    self.packets.lost(error, self.deframer.pending());
                    error_offset = start;
                    break Status::Lost;
                }
            }
        };
        block.close(status, position, error_offset);
        Ok(status)
    }

    /// Reads gathered datagrams of the data channel, `u16 length` (little-endian) before each, as [`Downlink::decode`]
    /// reads the command channel. They share caches, base times and keys with it; of responses, only data packets and
    /// buffer blocks are taken. Offsets of events count the bytes of datagrams.
    ///
    /// A data packet with times that came among the last 64 is told as [`LossCause::Duplicate`] and not given again.
    pub fn decode_datagrams(&mut self, chunk: &[u8], mut block: Block<'_>) -> Status {
        let mut position = 0;
        let mut error_offset = 0;
        let status = loop {
            if self.packets.has_event() {
                break Status::Control;
            }
            let first = block.len();
            let status = self.packets.go_on(&mut block);
            self.packets.follow_datagram(&block, first);
            if status != Status::NeedMore {
                break status;
            }
            error_offset = position;
            let Some(datagram) = datagrams::next(chunk, &mut position) else {
                position = chunk.len();
                self.packets.flush_loss();
                break if self.packets.has_event() { Status::Control } else { Status::NeedMore };
            };
            self.messages += 1;
            let first = block.len();
            let status = self.packets.take_datagram(datagram, &mut block);
            self.packets.follow_datagram(&block, first);
            if status != Status::NeedMore {
                break status;
            }
        };
        block.close(status, position, error_offset);
        status
    }

    /// The next event behind [`Status::Control`]; to be taken until there is none.
    pub fn take_event(&mut self) -> Option<Message> {
        self.packets.take_event()
    }

    /// The error behind [`Status::Malformed`] or [`Status::Lost`].
    pub fn take_error(&mut self) -> Option<MessageError> {
        self.packets.take_error()
    }

    /// Says which row of the session's signal table each record of the newest cache has, in the cache's order.
    pub fn assign_rows(&mut self, rows: &[u32]) -> Result<(), AssignError> {
        self.packets.assign_rows(rows)
    }

    /// The modes that the subscriber has sent: the version says whether caches are numbered.
    pub fn set_modes(&mut self, modes: OperationalModes) {
        self.packets.set_modes(modes);
    }

    /// The subscription that was sent: it says how compact measurements carry their time.
    pub fn set_subscription(&mut self, subscription: &Subscription) {
        self.set_time_form(subscription.include_time, subscription.use_millisecond_resolution);
    }

    /// How compact measurements carry their time from the next cache on: whether they do (by default), and whether offsets
    /// are milliseconds (by default ticks). Base times are forgotten then.
    pub fn set_time_form(&mut self, include_time: bool, milliseconds: bool) {
        self.packets.set_time_form(TimeForm { include_time, milliseconds, base_times: [0; 2] });
    }

    /// Whether TSSC packets come that cannot be decoded until the publisher starts anew: a new subscription is needed.
    pub fn awaits_reset(&self) -> bool {
        self.packets.awaits_reset()
    }

    /// The number of the TSSC packet that came last and was decoded.
    pub fn last_sequence(&self) -> Option<u16> {
        self.packets.last_sequence()
    }

    /// Frames and datagrams taken so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Datagrams that came behind newer ones: with a time before the newest that came of the same signal. A publisher whose
    /// times go back looks the same.
    pub fn late_datagrams(&self) -> u64 {
        self.packets.datagrams.late
    }

    /// Bytes of a frame that has not come whole: not 0 at the end of a stream means that it was cut.
    pub fn pending_bytes(&self) -> usize {
        self.deframer.pending()
    }
}

#[cfg(test)]
mod tests;
