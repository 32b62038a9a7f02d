/// Ids remembered behind the newest, so that a late packet is told from one that came twice.
const WINDOW: u64 = 4096;
const WORDS: usize = WINDOW as usize / 64;

/// What a packet's id says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// The next one, or the first of all.
    Next,
    /// Later than the next: those from `first` to `last` are missing.
    Gap {
        /// First missing id.
        first: u64,
        /// Last missing id.
        last: u64,
    },
    /// Missing until now.
    Late,
    /// Here already.
    Duplicate,
    /// Far behind: the server numbers anew.
    Restart,
}

/// Follows packet ids: gaps, late packets, duplicates, restarts.
#[derive(Clone, Debug)]
pub struct Sequence {
    next: Option<u64>,
    start: u64,
    seen: [u64; WORDS],
}

impl Default for Sequence {
    fn default() -> Self {
        Self { next: None, start: 0, seen: [0; WORDS] }
    }
}

impl Sequence {
    /// The id that is expected; `None` before the first packet.
    pub fn next(&self) -> Option<u64> {
        self.next
    }

    /// Takes the id of a packet.
    #[inline]
    pub fn take(&mut self, id: u64) -> Arrival {
        if self.next == Some(id) {
            self.mark(id);
            self.next = Some(id.wrapping_add(1));
            return Arrival::Next;
        }
        self.take_other(id)
    }

    /// Takes the next ids, so many of them.
    #[inline]
    pub fn follow(&mut self, ids: u64) {
        let Some(mut id) = self.next else { return };
        let mut left = ids.min(u64::MAX - id);
        while left > 0 {
            let inside = id % 64;
            let run = left.min(64 - inside);
            if inside == 0 {
                self.seen[word(id)] = 0;
            }
            self.seen[word(id)] |= (u64::MAX >> (64 - run)) << inside;
            id += run;
            left -= run;
        }
        self.next = Some(id);
    }

    #[cold]
    fn take_other(&mut self, id: u64) -> Arrival {
        let Some(next) = self.next else {
            self.restart(id);
            return Arrival::Next;
        };
        if id > next {
            let missing = id - next;
            if missing >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                (next..id).for_each(|lost| self.clear(lost));
            }
            self.clear(id);
            self.set(id);
            self.next = Some(id.wrapping_add(1));
            return Arrival::Gap { first: next, last: id - 1 };
        }
        if next - id > WINDOW - 64 || next == u64::MAX {
            self.restart(id);
            return Arrival::Restart;
        }
        if id < self.start {
            // Sent before the first that came: nothing was missed by then.
            self.start = id;
            self.clear(id);
        }
        if self.seen[word(id)] & bit(id) != 0 {
            return Arrival::Duplicate;
        }
        self.set(id);
        Arrival::Late
    }

    fn restart(&mut self, id: u64) {
        self.seen = [0; WORDS];
        self.set(id);
        self.start = id;
        self.next = Some(id.wrapping_add(1));
    }

    #[inline]
    fn mark(&mut self, id: u64) {
        if id.is_multiple_of(64) {
            self.seen[word(id)] = 0;
        }
        self.set(id);
    }

    #[inline]
    fn set(&mut self, id: u64) {
        self.seen[word(id)] |= bit(id);
    }

    fn clear(&mut self, id: u64) {
        self.seen[word(id)] &= !bit(id);
    }
}

#[inline]
const fn word(id: u64) -> usize {
    (id / 64) as usize % WORDS
}

#[inline]
const fn bit(id: u64) -> u64 {
    1 << (id % 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{Duplicate, Gap, Late, Next, Restart};
    use proptest::prelude::*;

    #[test]
    fn gaps_late_packets_and_duplicates() {
        let mut sequence = Sequence::default();
        let arrivals: Vec<_> = [5, 6, 9, 7, 7, 9, 10, 8, 6].into_iter().map(|id| sequence.take(id)).collect();
        let gap = Gap { first: 7, last: 8 };
        assert_eq!(arrivals, [Next, Next, gap, Late, Duplicate, Duplicate, Next, Late, Duplicate]);
    }

    #[test]
    fn ids_far_behind_are_a_restart() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.take(100_000), Next);
        assert_eq!(sequence.take(1), Restart);
        assert_eq!(sequence.take(2), Next);
    }

    #[test]
    fn a_gap_wider_than_the_window_forgets() {
        let mut sequence = Sequence::default();
        sequence.take(0);
        assert_eq!(sequence.take(100_000), Gap { first: 1, last: 99_999 });
        assert_eq!(sequence.take(99_000), Late);
        assert_eq!(sequence.take(99_000), Duplicate);
    }

    proptest! {
        #[test]
        fn each_id_is_taken_once(ids in proptest::collection::vec(0..2000_u64, 1..500)) {
            let mut sequence = Sequence::default();
            let mut taken = std::collections::BTreeSet::new();
            for id in ids {
                let arrival = sequence.take(id);
                prop_assert_eq!(arrival == Duplicate, !taken.insert(id));
            }
        }

        #[test]
        fn following_is_taking_one_after_the_other(first in 0..10_000_u64, ids in 0..9000_u64, back in 0..8000_u64) {
            let (mut one, mut all) = (Sequence::default(), Sequence::default());
            one.take(first);
            all.take(first);
            (first + 1..=first + ids).for_each(|id| assert_eq!(one.take(id), Next));
            all.follow(ids);
            prop_assert_eq!(&one.seen, &all.seen);
            prop_assert_eq!(one.next(), all.next());
            prop_assert_eq!(one.take(first.saturating_sub(back)), all.take(first.saturating_sub(back)));
        }

        #[test]
        fn any_ids_are_taken(ids in proptest::collection::vec(any::<u64>(), 1..100)) {
            let mut sequence = Sequence::default();
            for id in ids {
                sequence.take(id);
            }
        }
    }
}
