use std::collections::VecDeque;

use measurand_columns::{Block, Status};

use super::caches::Caches;
use super::datagrams::Datagrams;
use super::{AssignError, DownlinkOptions, Event, Loss, LossCause, Message, MessageError, PacketError};
use crate::cipher::Ciphers;
use crate::compact::{self, CompactError, TimeForm};
use crate::quirk::Quirks;
use crate::tssc::{self, Progress, SequenceStep};
use crate::{CommandCode, Envelope, Frame, FrameError, OperationalModes, Quirk, Response, ResponseCode, data_packet};

/// Where a message is in the stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// A data packet of which rows are still to be given.
#[derive(Clone, Copy, Debug)]
enum Pending {
    None,
    /// The rest of its records is in `held`, from a byte on.
    Compact {
        slot: usize,
        count: u32,
        from: usize,
        /// Bytes of the packet's records in front of those in `held`.
        read: usize,
    },
    /// The packet is in `held`, its event is told.
    Reported,
    /// The decoder holds it.
    Tssc {
        slot: usize,
        declared: u32,
        decoded: u64,
    },
}

/// Records of a compact packet that did not fit into the block, and bytes of it that were read.
struct Left {
    records: u32,
    bytes: usize,
}

/// Reads frames: the state of a connection behind the deframer.
#[derive(Debug)]
pub(super) struct Packets {
    pub(super) options: DownlinkOptions,
    /// The form of the newest cache, and the base times of all.
    pub(super) form: TimeForm,
    /// What was asked for since the newest cache came: the form of the next one.
    next_form: Option<TimeForm>,
    pub(super) caches: Caches,
    pending: Pending,
    pub(super) place: Place,
    /// The message is a datagram.
    pub(super) is_datagram: bool,
    pub(super) datagrams: Datagrams,
    /// Where the publisher has sent keys, data packets and buffer blocks are encrypted.
    pub(super) ciphers: Option<Ciphers>,
    /// What was decrypted.
    pub(super) plain: Vec<u8>,
    held: Vec<u8>,
    events: VecDeque<Message>,
    error: Option<MessageError>,
    /// Measurements lost in the packets read last; told when something else happens or the chunk ends.
    loss: Option<(Place, Loss)>,
    quirks: Quirks,
    /// The publisher is the C++ implementation, which sets no cache flag.
    is_cpp: bool,
}

impl Packets {
    pub(super) fn new(options: DownlinkOptions) -> Self {
        Self {
            options,
            form: TimeForm::FULL,
            next_form: None,
            caches: Caches::new(options.tssc),
            pending: Pending::None,
            place: Place::default(),
            is_datagram: false,
            datagrams: Datagrams::new(),
            ciphers: None,
            plain: Vec::new(),
            held: Vec::new(),
            events: VecDeque::new(),
            error: None,
            loss: None,
            quirks: Quirks::default(),
            is_cpp: false,
        }
    }

    pub(super) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn take_event(&mut self) -> Option<Message> {
        self.events.pop_front()
    }

    pub(super) fn take_error(&mut self) -> Option<MessageError> {
        self.error.take()
    }

    pub(super) fn assign_rows(&mut self, rows: &[u32]) -> Result<(), AssignError> {
        self.caches.assign(rows).map_err(|records| AssignError::Count { rows: rows.len(), records })
    }

    pub(super) fn set_modes(&mut self, modes: OperationalModes) {
        self.options.modes = modes;
    }

    pub(super) fn set_time_form(&mut self, form: TimeForm) {
        self.next_form = Some(form);
    }

    pub(super) fn awaits_reset(&self) -> bool {
        self.caches.awaits_reset()
    }

    pub(super) fn last_sequence(&self) -> Option<u16> {
        self.caches.last_sequence()
    }

    /// Framing is lost behind `length` bytes of a frame.
    pub(super) fn lost(&mut self, error: FrameError, length: usize) {
        let FrameError::Length { offset, .. } = error;
        self.error = Some(MessageError { offset, length: length as u64, measurements: None, error: error.into() });
    }

    /// Takes a frame: [`Status::NeedMore`] when it is done, else why not.
    #[inline]
    pub(super) fn take(&mut self, frame: Frame<'_>, block: &mut Block<'_>) -> Status {
        self.place = Place { offset: frame.offset, length: frame.len() as u64 };
        self.is_datagram = false;
        let Some(envelope) = Envelope::parse(frame.body) else {
            return self.malformed(PacketError::Length { length: frame.body.len() }, None);
        };
        if envelope.code != ResponseCode::DATA_PACKET {
            return self.response(&envelope);
        }
        self.data(envelope.payload, block)
    }

    /// Takes the payload of a data packet as it came.
    #[inline]
    pub(super) fn data(&mut self, payload: &[u8], block: &mut Block<'_>) -> Status {
        if self.ciphers.is_some() {
            return self.encrypted(payload, block);
        }
        self.packet_or_report(payload, block)
    }

    /// Takes the payload of a data packet that is not encrypted.
    #[inline]
    pub(super) fn packet_or_report(&mut self, payload: &[u8], block: &mut Block<'_>) -> Status {
        if self.options.report_packets {
            return self.report(payload);
        }
        self.packet(payload, block)
    }

    /// Goes on with a packet that did not fit: [`Status::NeedMore`] when it is done.
    #[inline]
    pub(super) fn go_on(&mut self, block: &mut Block<'_>) -> Status {
        match self.pending {
            Pending::None => Status::NeedMore,
            Pending::Compact { slot, count, from, read } => {
                let held = core::mem::take(&mut self.held);
                let records = held.get(from..).unwrap_or_default();
                let (status, left) = self.compact_records(slot, count, records, read + from, block);
                self.held = held;
                if let Some(Left { records, bytes }) = left {
                    self.pending = Pending::Compact { slot, count: records, from: from + bytes, read };
                }
                status
            }
            Pending::Reported => {
                self.pending = Pending::None;
                let held = core::mem::take(&mut self.held);
                self.packet(&held, block)
            }
            Pending::Tssc { slot, declared, decoded } => self.tssc_rows(slot, declared, decoded, block),
        }
    }

    fn report(&mut self, payload: &[u8]) -> Status {
        let (flags, count) = match payload.split_first() {
            Some((&flags, rest)) => (flags, rest.first_chunk().map_or(0, |count| u32::from_be_bytes(*count))),
            None => (0, 0),
        };
        let sequence = match payload {
            [flags, _, _, _, _, tssc::VERSION, s0, s1, ..] if flags & data_packet::COMPRESSED != 0 => {
                Some(u16::from_be_bytes([*s0, *s1]))
            }
            _ => None,
        };
        self.held.clear();
        self.held.extend_from_slice(payload);
        self.pending = Pending::Reported;
        self.tell(Event::Packet { flags, count, sequence });
        Status::Control
    }

    fn packet(&mut self, payload: &[u8], block: &mut Block<'_>) -> Status {
        let Some((&flags, body)) = payload.split_first() else {
            return self.malformed(PacketError::Length { length: payload.len() }, None);
        };
        if flags & data_packet::CIPHER_INDEX != 0 && self.ciphers.is_none() {
            return self.malformed(PacketError::Encrypted, None);
        }
        if flags & data_packet::COMPRESSED != 0 {
            self.tssc_packet(flags, body, block)
        } else if flags & data_packet::COMPACT != 0 {
            self.compact_packet(flags, body, block)
        } else {
            self.malformed(PacketError::Flags { flags }, None)
        }
    }

    fn tssc_packet(&mut self, flags: u8, body: &[u8], block: &mut Block<'_>) -> Status {
        let Some((&[c0, c1, c2, c3, version, s0, s1], packet)) = body.split_first_chunk() else {
            return self.malformed(PacketError::Length { length: body.len() }, None);
        };
        let (declared, sequence) = (u32::from_be_bytes([c0, c1, c2, c3]), u16::from_be_bytes([s0, s1]));
        if version != tssc::VERSION {
            return self.malformed(PacketError::TsscVersion { version }, Some(declared.into()));
        }
        let mut seen = None;
        let slot =
            self.caches.select(flags & data_packet::CACHE_INDEX != 0, Some(sequence), |quirk| seen = Some(quirk));
        let Some(cache) = self.caches.use_slot(slot) else {
            self.lose_packet(LossCause::UnknownCache, Some(sequence), declared);
            return Status::NeedMore;
        };
        let step = cache.step(sequence, |quirk| seen = Some(quirk));
        if let SequenceStep::Gap { expected } = step {
            self.lose_sequence(expected, sequence, declared);
            return Status::NeedMore;
        }
        if step == SequenceStep::Reset {
            cache.stream.decoder.reset();
        }
        let begun = cache.stream.decoder.begin(packet);
        if let Some(quirk) = seen {
            self.quirk(quirk);
        }
        match begun {
            Ok(()) => self.tssc_rows(slot, declared, 0, block),
            Err(error) => self.tssc_failed(slot, error.into(), declared, 0),
        }
    }

    fn tssc_rows(&mut self, slot: usize, declared: u32, decoded: u64, block: &mut Block<'_>) -> Status {
        self.pending = Pending::None;
        let Some(cache) = self.caches.get(slot) else {
            return Status::NeedMore;
        };
        let before = block.len();
        let result = cache.stream.decoder.decode(&cache.rows, block);
        let decoded = decoded + (block.len() - before) as u64;
        let skipped = cache.stream.decoder.skipped();
        match result {
            Ok(Progress::Full) => {
                self.pending = Pending::Tssc { slot, declared, decoded };
                return Status::Full;
            }
            Ok(Progress::Done) => {}
            Err(error) => return self.tssc_failed(slot, error.into(), declared, decoded),
        }
        let remaining = cache.stream.decoder.remaining();
        self.lose_signals(skipped);
        if remaining > 0 {
            self.quirk(Quirk::TrailingBytes);
        }
        let decoded = decoded + skipped;
        if decoded > u64::from(declared) {
            self.quirk(Quirk::PacketCount);
        }
        if decoded < u64::from(declared) {
            let error = PacketError::Count { declared, decoded };
            // A block that ends within its packet is damaged; one that is whole has a wrong count, and what follows it
            // can be decoded.
            if remaining > 0 {
                return self.tssc_failed(slot, error, declared, decoded);
            }
            return self.malformed(error, Some(u64::from(declared) - decoded));
        }
        if self.has_event() { Status::Control } else { Status::NeedMore }
    }

    /// What follows a packet that cannot be decoded cannot be either.
    fn tssc_failed(&mut self, slot: usize, error: PacketError, declared: u32, decoded: u64) -> Status {
        if let Some(cache) = self.caches.get(slot) {
            cache.stream.sequence.lose();
        }
        self.malformed(error, Some(u64::from(declared).saturating_sub(decoded)))
    }

    /// How the packets of a cache carry their time.
    pub(super) fn form_of(&self, slot: usize) -> TimeForm {
        let base_times = self.form.base_times;
        self.caches.form(slot).map_or(self.form, |form| TimeForm { base_times, ..form })
    }

    fn compact_packet(&mut self, flags: u8, body: &[u8], block: &mut Block<'_>) -> Status {
        let mut seen = None;
        let slot = self.caches.select(flags & data_packet::CACHE_INDEX != 0, None, |quirk| seen = Some(quirk));
        if let Some(quirk) = seen {
            self.quirk(quirk);
        }
        let body = match compact::body(body, &self.form_of(slot), true) {
            Ok(body) => body,
            Err(error) => return self.malformed(error.into(), None),
        };
        if body.countless {
            self.quirk(Quirk::CompactWithoutCount);
        }
        let (status, left) = self.compact_records(slot, body.count, body.records, 0, block);
        if let Some(Left { records, bytes }) = left {
            self.held.clear();
            self.held.extend_from_slice(body.records.get(bytes..).unwrap_or_default());
            self.pending = Pending::Compact { slot, count: records, from: 0, read: bytes };
        }
        status
    }

    /// Gives records to the block, and says what is left where it is full; `before` bytes of the packet's are read.
    fn compact_records(
        &mut self,
        slot: usize,
        count: u32,
        records: &[u8],
        before: usize,
        block: &mut Block<'_>,
    ) -> (Status, Option<Left>) {
        self.pending = Pending::None;
        let form = self.form_of(slot);
        let Some(cache) = self.caches.get(slot) else {
            self.lose_packet(LossCause::UnknownCache, None, count);
            return (Status::NeedMore, None);
        };
        let first = block.len();
        match compact::decode(records, count, &form, &cache.rows, block) {
            Ok(decoded) => {
                self.lose_signals(decoded.skipped.into());
                if decoded.unbased > 0 {
                    self.quirk(Quirk::BaseTimeMissing);
                }
                if decoded.records < count {
                    let left = Left { records: count - decoded.records, bytes: decoded.bytes };
                    return (Status::Full, Some(left));
                }
                if decoded.bytes < records.len() {
                    self.quirk(Quirk::TrailingBytes);
                }
                (if self.has_event() { Status::Control } else { Status::NeedMore }, None)
            }
            Err(CompactError::Truncated { offset, missing }) => {
                let rows = (block.len() - first) as u32;
                self.lose_signals(u64::from(count.saturating_sub(missing).saturating_sub(rows)));
                // The decoder counts from what it was given now; how the rows were cut into blocks is not to be seen.
                let error = CompactError::Truncated { offset: before + offset, missing };
                // What is no datagram of the publisher, or encrypted by a key that did not come yet, says any count.
                let missing = if self.is_datagram { None } else { Some(missing.into()) };
                (self.malformed(error.into(), missing), None)
            }
            Err(error) => (self.malformed(error.into(), Some(count.into())), None),
        }
    }

    pub(super) fn response(&mut self, envelope: &Envelope<'_>) -> Status {
        let mut seen = Vec::new();
        let parsed = Response::parse(envelope, self.options.modes, self.options.limits.cache, |quirk| seen.push(quirk));
        for quirk in seen {
            self.quirk(quirk);
        }
        let response = match parsed {
            Ok(Response::BufferBlock(block)) if self.ciphers.is_some() => match self.decrypted(block) {
                Ok(block) => Response::BufferBlock(block),
                Err(error) => return self.malformed(error, None),
            },
            Ok(response) => response,
            Err(error) => return self.malformed(error.into(), None),
        };
        match &response {
            Response::CipherKeys(keys) => self.change_keys(keys),
            Response::SignalIndexCache { cache_index, cache } => {
                if let Some(form) = self.next_form.take() {
                    self.form = form;
                    self.datagrams.forget();
                }
                self.caches.insert(*cache_index, cache, self.form);
            }
            Response::BaseTimes(times) => self.form.base_times = times.ticks,
            Response::Succeeded { command: CommandCode::DEFINE_OPERATIONAL_MODES, text } => {
                let prefixed = self.quirks.contains(Quirk::TextLengthPrefix);
                self.is_cpp = !prefixed && text.starts_with("STTP v") && text.contains("client connection accepted");
            }
            Response::DataStartTime(_) if self.is_cpp => {
                let mut seen = None;
                self.caches.start_unflagged(|quirk| seen = Some(quirk));
                if let Some(quirk) = seen {
                    self.quirk(quirk);
                }
            }
            _ => {}
        }
        self.tell(Event::Response(response));
        Status::Control
    }

    fn tell(&mut self, event: Event) {
        self.flush_loss();
        let Place { offset, length } = self.place;
        self.events.push_back(Message { offset, length, event });
    }

    pub(super) fn quirk(&mut self, quirk: Quirk) {
        if self.quirks.insert(quirk) {
            self.tell(Event::Quirk(quirk));
        }
    }

    pub(super) fn malformed(&mut self, error: PacketError, measurements: Option<u64>) -> Status {
        let Place { offset, length } = self.place;
        let measurements = measurements.and_then(|declared| self.plausible(declared));
        self.error = Some(MessageError { offset, length, measurements, error });
        Status::Malformed
    }

    /// What a packet says to have, unless it says more than its bytes could hold: a measurement takes a bit at least.
    fn plausible(&self, declared: u64) -> Option<u64> {
        (declared <= self.place.length.saturating_mul(8)).then_some(declared)
    }

    pub(super) fn lose_packet(&mut self, cause: LossCause, sequence: Option<u16>, declared: u32) {
        let sequences = sequence.map(|sequence| (sequence, sequence));
        let (measurements, bytes) = (self.plausible(declared.into()), self.place.length);
        self.lose(Loss { cause, sequences, packets: 1, measurements, bytes });
    }

    /// The packet of this number cannot be decoded because others are missing.
    fn lose_sequence(&mut self, expected: Option<u16>, sequence: u16, declared: u32) {
        if let Some(first) = expected {
            let last = if sequence == 1 { u16::MAX } else { sequence - 1 };
            let packets = if first <= last { last - first + 1 } else { u16::MAX - first + 1 + last };
            let cause = LossCause::Missing;
            let packets = packets.into();
            self.lose(Loss { cause, sequences: Some((first, last)), packets, measurements: None, bytes: 0 });
        }
        self.lose_packet(LossCause::Undecodable, Some(sequence), declared);
    }

    fn lose_signals(&mut self, measurements: u64) {
        if measurements > 0 {
            let (cause, measurements) = (LossCause::UnknownSignal, Some(measurements));
            self.lose(Loss { cause, sequences: None, packets: 1, measurements, bytes: 0 });
        }
    }

    /// Packets that are lost in a row for the same cause are one loss.
    fn lose(&mut self, loss: Loss) {
        if let Some((place, known)) = &mut self.loss
            && known.cause == loss.cause
            && known.cause != LossCause::Missing
        {
            known.packets += loss.packets;
            known.measurements = known.measurements.zip(loss.measurements).map(|(known, more)| known + more);
            known.bytes += loss.bytes;
            known.sequences = known.sequences.zip(loss.sequences).map(|(known, more)| (known.0, more.1));
            place.length = known.bytes;
            return;
        }
        self.flush_loss();
        let length = if loss.cause == LossCause::Missing { 0 } else { self.place.length };
        self.loss = Some((Place { length, ..self.place }, loss));
    }

    /// Tells a loss that was not told yet.
    pub(super) fn flush_loss(&mut self) {
        if let Some((Place { offset, length }, loss)) = self.loss.take() {
            self.events.push_back(Message { offset, length, event: Event::Loss(loss) });
        }
    }
}
