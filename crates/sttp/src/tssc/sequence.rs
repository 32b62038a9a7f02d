/// The sequence numbers of TSSC packets as a receiver expects them: 0 resets, then 1 to 65,535, then 1 again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sequence {
    /// The number of the packet that was taken last.
    last: u16,
    /// The number that the next packet must have; `None` while only a reset (0) can be taken.
    expected: Option<u16>,
}

/// What to do with a packet of a given sequence number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SequenceStep {
    /// Number 0: reset the decoder, then decode.
    Reset,
    /// The expected number: decode.
    Next,
    /// A packet was missed: the decoder's state is lost, drop packets until a reset.
    Gap {
        /// The number that was expected; `None` while waiting for a reset.
        expected: Option<u16>,
    },
}

impl Sequence {
    /// Takes the number of a packet that arrived and moves on.
    pub fn take(&mut self, sequence: u16) -> SequenceStep {
        if sequence == 0 {
            self.last = 0;
            self.expected = Some(1);
            return SequenceStep::Reset;
        }
        if self.expected == Some(sequence) {
            self.last = sequence;
            self.expected = Some(Self::following(sequence));
            return SequenceStep::Next;
        }
        SequenceStep::Gap { expected: self.expected.take() }
    }

    /// The number that the next packet must have; `None` while only a reset can be taken.
    pub fn expected(self) -> Option<u16> {
        self.expected
    }

    /// The number of the packet that was taken last; `None` while only a reset can be taken.
    pub fn last(self) -> Option<u16> {
        self.expected.map(|_| self.last)
    }

    /// Waits for a reset: the decoder's state was lost.
    pub fn lose(&mut self) {
        self.expected = None;
    }

    /// The number after `sequence`: 65,535 wraps to 1, because 0 is the reset.
    pub fn following(sequence: u16) -> u16 {
        sequence.checked_add(1).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_to_one() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.take(0), SequenceStep::Reset);
        for number in 1..=u16::MAX {
            assert_eq!(sequence.take(number), SequenceStep::Next);
        }
        assert_eq!(sequence.take(1), SequenceStep::Next);
        assert_eq!(sequence.take(2), SequenceStep::Next);
    }

    #[test]
    fn after_a_gap_only_a_reset_counts() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.take(1), SequenceStep::Gap { expected: None });
        sequence.take(0);
        assert_eq!(sequence.take(3), SequenceStep::Gap { expected: Some(1) });
        assert_eq!(sequence.take(1), SequenceStep::Gap { expected: None });
        assert_eq!(sequence.take(0), SequenceStep::Reset);
        assert_eq!(sequence.expected(), Some(1));
    }
}
