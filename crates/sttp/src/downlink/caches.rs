use crate::compact::TimeForm;
use crate::tssc::{Decoder, DecoderOptions, Sequence, SequenceStep};
use crate::{Quirk, SignalIndexCache, SignalRows};

/// The TSSC packets that belong to one cache.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) decoder: Decoder,
    pub(super) sequence: Sequence,
}

/// A signal index cache in use.
#[derive(Debug)]
pub(super) struct Cache {
    pub(super) rows: SignalRows,
    pub(super) stream: Stream,
    /// What its subscription asked for.
    form: TimeForm,
    /// The stream of the cache that this one replaced, until the first packet shows whether it goes on.
    replaced: Option<Stream>,
    indexes: Vec<i32>,
}

impl Cache {
    /// Takes the number of a packet. A publisher that forgets to start anew goes on with the stream before.
    pub(super) fn step(&mut self, sequence: u16, mut quirk: impl FnMut(Quirk)) -> SequenceStep {
        if let Some(replaced) = self.replaced.take()
            && sequence != 0
            && replaced.sequence.expected() == Some(sequence)
        {
            self.stream = replaced;
            quirk(Quirk::TsscNotReset);
        }
        self.stream.sequence.take(sequence)
    }
}

/// The two caches of a connection, and which one the publisher uses.
#[derive(Debug)]
pub(super) struct Caches {
    slots: [Option<Cache>; 2],
    newest: usize,
    /// The cache of the TSSC packet that came last.
    used: usize,
    /// The cache of unflagged packets once it is known that the publisher sets no flag.
    unflagged: Option<usize>,
    /// The publisher has set the flag.
    flagged: bool,
    options: DecoderOptions,
}

impl Caches {
    pub(super) fn new(options: DecoderOptions) -> Self {
        Self { slots: [None, None], newest: 0, used: 0, unflagged: None, flagged: false, options }
    }

    /// Puts a cache in its place. Until rows are assigned, each record has its own place as row.
    pub(super) fn insert(&mut self, cache_index: u8, cache: &SignalIndexCache, form: TimeForm) {
        let slot = usize::from(cache_index != 0);
        let indexes: Vec<i32> = cache.records.iter().map(|record| record.index).collect();
        let rows = indexes.iter().copied().zip(0..).collect();
        let stream = Stream { decoder: Decoder::new(self.options), sequence: Sequence::default() };
        let replaced = self.slots[slot].take().map(|cache| cache.stream);
        self.slots[slot] = Some(Cache { rows, stream, form, replaced, indexes });
        self.newest = slot;
    }

    /// How the compact packets of a cache carry their time.
    pub(super) fn form(&self, slot: usize) -> Option<TimeForm> {
        self.slots.get(slot)?.as_ref().map(|cache| cache.form)
    }

    /// Gives the records of the newest cache their rows; the number of records where there are not as many rows.
    pub(super) fn assign(&mut self, rows: &[u32]) -> Result<(), usize> {
        let Some(cache) = &mut self.slots[self.newest] else {
            return if rows.is_empty() { Ok(()) } else { Err(0) };
        };
        if rows.len() != cache.indexes.len() {
            return Err(cache.indexes.len());
        }
        cache.rows = cache.indexes.iter().copied().zip(rows.iter().copied()).collect();
        Ok(())
    }

    /// The cache that a packet uses. `sequence` is the number of a TSSC packet.
    pub(super) fn select(&mut self, flag: bool, sequence: Option<u16>, mut quirk: impl FnMut(Quirk)) -> usize {
        if flag {
            self.flagged = true;
            return 1;
        }
        if sequence == Some(0) && self.newest_is_unflagged() {
            // A restart belongs to a cache that was confirmed; cache 0 had its own.
            quirk(Quirk::CacheIndexFlagMissing);
            self.unflagged = Some(self.newest);
        }
        self.unflagged.unwrap_or(0)
    }

    /// A publisher that is known to set no flag begins with the newest cache.
    pub(super) fn start_unflagged(&mut self, mut quirk: impl FnMut(Quirk)) {
        if !self.flagged && (self.newest == 1 || self.unflagged.is_some()) {
            quirk(Quirk::CacheIndexFlagMissing);
            self.unflagged = Some(self.newest);
        }
    }

    fn newest_is_unflagged(&self) -> bool {
        let started = |slot: usize| self.slots[slot].as_ref().is_some_and(Cache::has_started);
        self.unflagged.is_some() || (!self.flagged && self.newest == 1 && started(0))
    }

    /// Marks a cache as that of the TSSC packet that came last.
    pub(super) fn use_slot(&mut self, slot: usize) -> Option<&mut Cache> {
        self.used = slot;
        self.get(slot)
    }

    pub(super) fn get(&mut self, slot: usize) -> Option<&mut Cache> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The number of the TSSC packet that was decoded last; `None` while a restart is awaited.
    /// Whether one of the caches has a signal of this wire index.
    pub(super) fn has_index(&self, index: i32) -> bool {
        u32::try_from(index).is_ok_and(|index| self.slots.iter().flatten().any(|cache| cache.rows.row(index).is_some()))
    }

    pub(super) fn last_sequence(&self) -> Option<u16> {
        self.slots[self.used].as_ref()?.stream.sequence.last()
    }

    /// Whether TSSC packets cannot be decoded before the publisher starts anew.
    pub(super) fn awaits_reset(&self) -> bool {
        self.slots[self.used].as_ref().is_none_or(|cache| !cache.has_started())
    }
}

impl Cache {
    fn has_started(&self) -> bool {
        self.stream.sequence.expected().is_some()
    }
}
