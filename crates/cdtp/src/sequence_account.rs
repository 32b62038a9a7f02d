use std::collections::{BTreeMap, VecDeque};

/// What an [`Anomaly`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AnomalyKind {
    /// Numbers that were passed over.
    Gap = 0,
    /// Numbers that had come before (or 0, which no record has).
    Duplicate = 1,
    /// Numbers of an earlier gap that came after all.
    Late = 2,
}

/// A range of sequence numbers, both ends included, that did not come as the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What happened.
    pub kind: AnomalyKind,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
}

/// Exact ranges of what a sender's run misses, has twice or brought late.
///
/// The peers keep `missed += seq - 1 - last`, in which a duplicate cancels a gap; this does not.
#[derive(Clone, Debug, Default)]
pub struct SequenceAccount {
    highest: u64,
    received: u64,
    duplicates: u64,
    missing: u64,
    /// Open gaps by their first number.
    gaps: BTreeMap<u64, u64>,
    anomalies: VecDeque<Anomaly>,
}

/// Open gaps remembered to tell a late number from a duplicate; beyond it the oldest is taken as final.
const GAP_LIMIT: usize = 1 << 16;

impl SequenceAccount {
    /// An account of a run that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// The highest number seen, 0 before the first.
    pub const fn highest(&self) -> u64 {
        self.highest
    }

    /// Records observed, duplicates too.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Records that had come before.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Numbers up to the highest that have not come.
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    /// Takes the records `first .. first + count`.
    pub fn observe_range(&mut self, first: u64, count: u64) {
        let Some(last) = count.checked_sub(1).map(|more| first.saturating_add(more)) else { return };
        if first > self.highest && first != 0 {
            self.pass_over(first);
            self.highest = last;
            self.received = self.received.saturating_add(count);
        } else {
            (first..=last).for_each(|number| self.observe(number));
        }
    }

    /// Takes one record.
    pub fn observe(&mut self, number: u64) {
        self.received = self.received.saturating_add(1);
        if number > self.highest {
            self.pass_over(number);
            self.highest = number;
            return;
        }
        let gap = self.gaps.range(..=number).next_back().map(|(first, last)| (*first, *last));
        match gap {
            Some((first, last)) if number <= last && number != 0 => {
                self.gaps.remove(&first);
                if first < number {
                    self.gaps.insert(first, number - 1);
                }
                if number < last {
                    self.gaps.insert(number + 1, last);
                }
                self.missing -= 1;
                self.note(AnomalyKind::Late, number, number);
            }
            _ => {
                self.duplicates += 1;
                self.note(AnomalyKind::Duplicate, number, number);
            }
        }
    }

    /// Takes the sender's word for the last number handed out: what lies behind the highest seen is missing too.
    pub fn close(&mut self, last: u64) {
        if last <= self.highest {
            return;
        }
        // `pass_over` takes the number behind the gap, which 2^64 would be for the highest of all.
        self.pass_over(last);
        self.missing = self.missing.saturating_add(1);
        let first = self.gaps.last_entry().filter(|gap| gap.get().checked_add(1) == Some(last)).map(|gap| *gap.key());
        self.gaps.insert(first.unwrap_or(last), last);
        self.note(AnomalyKind::Gap, last, last);
        self.highest = last;
    }

    /// The oldest anomaly not taken yet. Neighbours are merged.
    pub fn take_anomaly(&mut self) -> Option<Anomaly> {
        self.anomalies.pop_front()
    }

    /// Whether there is an anomaly to take.
    pub fn has_anomaly(&self) -> bool {
        !self.anomalies.is_empty()
    }

    fn pass_over(&mut self, next: u64) {
        let first = self.highest.saturating_add(1);
        if first >= next {
            return;
        }
        self.missing = self.missing.saturating_add(next - first);
        self.gaps.insert(first, next - 1);
        if self.gaps.len() > GAP_LIMIT {
            self.gaps.pop_first();
        }
        self.note(AnomalyKind::Gap, first, next - 1);
    }

    fn note(&mut self, kind: AnomalyKind, first: u64, last: u64) {
        match self.anomalies.back_mut() {
            Some(anomaly) if anomaly.kind == kind && anomaly.last.checked_add(1) == Some(first) => anomaly.last = last,
            _ => self.anomalies.push_back(Anomaly { kind, first, last }),
        }
    }
}
