use measurand_columns::ticks;

use crate::compact::{self, TimeForm};
use crate::signal_rows::NO_ROW;
use crate::tssc::{self, Sequence};
use crate::{
    BaseTimes, CommandCode, MeasurementRows, OperationalModes, Response, ResponseCode, SignalIndexCache, SignalIndexes,
    Subscription, data_packet,
};

/// How measurements are written.
#[allow(clippy::struct_excessive_bools, reason = "subscriptions have as many")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EncoderOptions {
    /// What the subscriber has told: version, TSSC or compact, whether caches are compressed.
    pub modes: OperationalModes,
    /// Compact measurements have a time.
    pub include_time: bool,
    /// Compact times are offsets of whole milliseconds.
    pub milliseconds: bool,
    /// NaN values are not sent.
    pub filter_nan: bool,
    /// Compact times never count from the second base time: sttpapi's subscriber ends the connection by them.
    pub one_base_time: bool,
}

impl EncoderOptions {
    /// What a subscriber asked for.
    pub fn new(modes: OperationalModes, subscription: &Subscription) -> Self {
        Self {
            modes,
            include_time: subscription.include_time,
            milliseconds: subscription.use_millisecond_resolution,
            filter_nan: subscription.request_nan_value_filter,
            one_base_time: subscription.assembly_info.is_sttpapi(),
        }
    }
}

/// Writes measurements as data packets, for one subscriber or for several who share everything: cache, format and start.
///
/// A new cache is offered by [`Encoder::update_cache`]. Under protocol versions above 1 the old one is used on until
/// [`Encoder::confirm_cache`]; one more that is offered meanwhile waits, and only the newest is kept. Until there is a
/// cache ([`Encoder::is_ready`]) no measurement is taken: the caller holds them.
///
/// ```
/// use measurand_sttp::{
///     CacheRecord, Encoder, EncoderOptions, MeasurementRows, OperationalModes, SignalIndexCache, Subscription,
/// };
///
/// let modes = OperationalModes::COMPRESSED;
/// let mut encoder = Encoder::new(EncoderOptions::new(modes, &Subscription::default()));
/// let record = CacheRecord { index: 0, signal_id: Default::default(), source: "DEMO".into(), key_id: 1 };
/// let cache = SignalIndexCache { records: vec![record], ..Default::default() };
/// let mut wire = Vec::new();
/// encoder.update_cache(cache, vec![7], &mut wire); // to be sent
/// encoder.confirm_cache(&mut wire); // the subscriber has answered
/// let rows = MeasurementRows { time: &[0], raw_time: &[], value: &[59.98], signal: &[7], flags: &[0] };
/// let mut frames = vec![0; Encoder::MAX_FRAME_BYTES];
/// let encoded = encoder.encode(&rows, &mut frames);
/// assert_eq!(encoded.measurements, 1);
/// wire.extend(&frames[..encoded.bytes]);
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    options: EncoderOptions,
    active: Option<Slot>,
    offered: Option<Slot>,
    waiting: Option<(SignalIndexCache, Vec<u32>)>,
    base_times: BaseTimes,
    tssc: tssc::Encoder,
    /// Bytes of a compact packet's frame at most.
    frame_bytes: usize,
    /// The number of the next TSSC packet.
    sequence: u16,
    /// The signal column without the rows whose values are NaN.
    kept: Vec<u32>,
    filtered: u64,
}

/// A cache that the subscriber has or will have.
#[derive(Clone, Debug)]
struct Slot {
    cache_index: u8,
    indexes: SignalIndexes,
}

/// Bytes of a frame in front of its measurements, at most.
const HEAD_BYTES: usize = 4 + 6 + 5 + 3;

impl Encoder {
    /// Bytes of the longest frame of measurements.
    pub const MAX_FRAME_BYTES: usize = HEAD_BYTES + data_packet::MAX_BYTES;

    /// An encoder without a cache.
    pub fn new(options: EncoderOptions) -> Self {
        Self {
            options,
            active: None,
            offered: None,
            waiting: None,
            base_times: BaseTimes::default(),
            tssc: tssc::Encoder::new(),
            frame_bytes: data_packet::MAX_BYTES,
            sequence: 0,
            kept: Vec::new(),
            filtered: 0,
        }
    }

    /// Whether there is a cache by which measurements can be written.
    pub fn is_ready(&self) -> bool {
        self.active.is_some()
    }

    /// Whether a cache was sent that the subscriber has not confirmed.
    pub fn awaits_confirmation(&self) -> bool {
        self.offered.is_some()
    }

    /// Which cache measurements use now, 0 or 1.
    pub fn cache_index(&self) -> Option<u8> {
        self.active.as_ref().map(|slot| slot.cache_index)
    }

    /// Uses a cache from now on, without offering it first: for a caller that does so itself. TSSC starts anew.
    pub fn use_cache(&mut self, cache_index: u8, indexes: SignalIndexes) {
        self.offered = Some(Slot { cache_index, indexes });
        self.switch();
    }

    /// Keeps compact packets short, so that a datagram fits into one packet of the network: their frames have at most so
    /// many bytes, with the 4 of their length; at least 48, at most 32,768, which is the default. TSSC is not concerned.
    pub fn limit_frames(&mut self, bytes: usize) {
        self.frame_bytes = bytes.clamp(HEAD_BYTES + 30, data_packet::MAX_BYTES);
    }

    /// Starts TSSC anew: for a subscriber who lost packets, or joins those who share the encoder.
    pub fn restart(&mut self) {
        self.tssc.reset();
        self.sequence = 0;
    }

    /// Offers a cache; `rows` are the rows that its records have in the session's table, in the cache's order. Appends
    /// its frame, unless another is unconfirmed: then it waits.
    pub fn update_cache(&mut self, cache: SignalIndexCache, rows: Vec<u32>, out: &mut Vec<u8>) {
        if self.offered.is_some() {
            self.waiting = Some((cache, rows));
            return;
        }
        let two = self.options.modes.has_two_caches();
        let cache_index = match &self.active {
            Some(slot) if two => slot.cache_index ^ 1,
            _ => 0,
        };
        let indexes = rows.into_iter().zip(cache.records.iter().map(|record| record.index)).collect();
        Response::SignalIndexCache { cache_index, cache }.write(self.options.modes, out);
        self.offered = Some(Slot { cache_index, indexes });
        if !two {
            self.switch();
        }
    }

    /// The subscriber has confirmed the cache (command 0A): it is used from now on, and TSSC starts anew. Appends the
    /// frame of a cache that waited. False if none was to be confirmed, as under version 1.
    pub fn confirm_cache(&mut self, out: &mut Vec<u8>) -> bool {
        let confirmed = self.switch();
        if let Some((cache, rows)) = self.waiting.take() {
            self.update_cache(cache, rows, out);
        }
        confirmed
    }

    /// Sets the times that compact measurements count from, and appends the frame that says so.
    pub fn set_base_times(&mut self, times: BaseTimes, out: &mut Vec<u8>) {
        self.base_times = times;
        Response::BaseTimes(times).write(self.options.modes, out);
    }

    /// The times that compact measurements count from.
    pub fn base_times(&self) -> BaseTimes {
        self.base_times
    }

    /// Measurements of the cache's signals that were left out so far because they were NaN.
    pub fn filtered(&self) -> u64 {
        self.filtered
    }

    /// Moves the base times on where measurements of about `now` (ticks) could not count from them, and appends the frame
    /// that says so; false where nothing was to be done, as without times or in TSSC.
    pub fn rotate_base_times(&mut self, now: u64, out: &mut Vec<u8>) -> bool {
        let EncoderOptions { modes, include_time, milliseconds, one_base_time, .. } = self.options;
        if modes.is_tssc() || !include_time || now == 0 {
            return false;
        }
        let due = self.base_times.due(now & ticks::VALUE_MASK, BaseTimes::interval(milliseconds), one_base_time);
        if let Some(times) = due {
            self.set_base_times(times, out);
        }
        due.is_some()
    }

    /// Writes to the front of `out` frames of data packets with as many of `rows` as fit: no frame begins where fewer than
    /// [`Encoder::MAX_FRAME_BYTES`] are left. Rows of signals that are not in the cache are taken and not written, and NaN
    /// values where the options say so. Without a cache nothing is taken.
    pub fn encode(&mut self, rows: &MeasurementRows<'_>, out: &mut [u8]) -> tssc::Encoded {
        if !self.options.filter_nan || !rows.value.iter().any(|value| value.is_nan()) {
            return self.encode_all(rows, out);
        }
        let mut kept = core::mem::take(&mut self.kept);
        kept.clear();
        let signals = rows.signal.iter().zip(rows.value);
        kept.extend(signals.map(|(&signal, value)| if value.is_nan() { NO_ROW } else { signal }));
        let encoded = self.encode_all(&MeasurementRows { signal: &kept, ..*rows }, out);
        if let Some(slot) = &self.active {
            let left_out = rows.signal.iter().zip(&kept).take(encoded.rows).filter(|(signal, kept)| signal != kept);
            self.filtered += left_out.filter(|(signal, _)| slot.indexes.index(**signal).is_some()).count() as u64;
        }
        self.kept = kept;
        encoded
    }

    fn encode_all(&mut self, rows: &MeasurementRows<'_>, out: &mut [u8]) -> tssc::Encoded {
        let mut encoded = tssc::Encoded::default();
        while encoded.rows < rows.len()
            && let Some(frame) = out.get_mut(encoded.bytes..encoded.bytes + Self::MAX_FRAME_BYTES)
        {
            let rows = rows.from(encoded.rows);
            let more = if self.options.modes.is_tssc() { self.tssc(&rows, frame) } else { self.compact(&rows, frame) };
            if more.rows == 0 {
                break;
            }
            encoded.rows += more.rows;
            encoded.measurements += more.measurements;
            encoded.bytes += more.bytes;
        }
        encoded
    }

    fn tssc(&mut self, rows: &MeasurementRows<'_>, frame: &mut [u8]) -> tssc::Encoded {
        let Some(slot) = &self.active else {
            return tssc::Encoded::default();
        };
        let flags = data_packet::COMPRESSED | slot.flag();
        let [s0, s1] = self.sequence.to_be_bytes();
        let tssc = &mut self.tssc;
        let encoded =
            write_packet(flags, &[tssc::VERSION, s0, s1], frame, |packet| tssc.encode(rows, &slot.indexes, packet));
        if encoded.measurements > 0 {
            self.sequence = Sequence::following(self.sequence);
        }
        encoded
    }

    fn compact(&self, rows: &MeasurementRows<'_>, frame: &mut [u8]) -> tssc::Encoded {
        let Some(slot) = &self.active else {
            return tssc::Encoded::default();
        };
        let flags = data_packet::COMPACT | slot.flag();
        let form = TimeForm {
            include_time: self.options.include_time,
            milliseconds: self.options.milliseconds,
            base_times: self.base_times.ticks,
        };
        let time_index = self.base_times.time_index & 1 == 1;
        write_packet(flags, &[], frame, |packet| {
            let room = packet.len().min(self.frame_bytes - HEAD_BYTES);
            compact::encode(rows, &slot.indexes, &form, time_index, &mut packet[..room])
        })
    }

    fn switch(&mut self) -> bool {
        let Some(slot) = self.offered.take() else {
            return false;
        };
        self.active = Some(slot);
        self.restart();
        true
    }
}

impl Slot {
    const fn flag(&self) -> u8 {
        if self.cache_index == 1 { data_packet::CACHE_INDEX } else { 0 }
    }
}

/// Writes to the front of `frame` the frame of a data packet whose measurements `write` writes behind `head`; nothing if
/// there are none or no room for the head.
fn write_packet<const N: usize>(
    flags: u8,
    head: &[u8; N],
    frame: &mut [u8],
    write: impl FnOnce(&mut [u8]) -> tssc::Encoded,
) -> tssc::Encoded {
    let Some((front, packet)) = frame.split_first_chunk_mut::<{ HEAD_BYTES - 3 }>() else {
        return tssc::Encoded::default();
    };
    let Some((place, measurements)) = packet.split_first_chunk_mut::<N>() else {
        return tssc::Encoded::default();
    };
    let mut encoded = write(measurements);
    if encoded.measurements == 0 {
        return tssc::Encoded { bytes: 0, ..encoded };
    }
    *place = *head;
    let payload = 5 + N + encoded.bytes;
    let [p0, p1, p2, p3] = (payload as u32).to_be_bytes();
    let [l0, l1, l2, l3] = (payload as u32 + 6).to_be_bytes();
    let [c0, c1, c2, c3] = (encoded.measurements as u32).to_be_bytes();
    let (code, command) = (ResponseCode::DATA_PACKET.0, CommandCode::SUBSCRIBE.0);
    *front = [l0, l1, l2, l3, code, command, p0, p1, p2, p3, flags, c0, c1, c2, c3];
    encoded.bytes += front.len() + N;
    encoded
}

#[cfg(test)]
mod tests;
