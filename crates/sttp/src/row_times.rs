/// The first and the last time of each signal among rows that were seen: what is needed to say, after a gap, which rows
/// of each signal are missing.
///
/// Signals are rows of a session's table; times are ns since 1970-01-01 UTC.
///
/// ```
/// use measurand_sttp::RowTimes;
///
/// let mut times = RowTimes::new();
/// times.observe(&[100, 100, 200], &[0, 2, 0]);
/// assert_eq!(times.first(), [100, RowTimes::NEVER, 100]);
/// assert_eq!(times.last(), [200, RowTimes::NEVER, 100]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RowTimes {
    first: Vec<i64>,
    last: Vec<i64>,
}

impl RowTimes {
    /// The time of a signal that was not seen; also a block's time of a row without one, which is not regarded.
    pub const NEVER: i64 = i64::MIN;

    /// Signals at most; rows of those behind are not regarded.
    pub const MAX_SIGNALS: usize = 1 << 24;

    /// Nothing was seen.
    pub const fn new() -> Self {
        Self { first: Vec::new(), last: Vec::new() }
    }

    /// Takes rows: their times and signals.
    pub fn observe(&mut self, time: &[i64], signal: &[u32]) {
        for (&time, &signal) in time.iter().zip(signal) {
            let signal = signal as usize;
            if signal >= self.last.len() && !self.grow(signal) {
                continue;
            }
            let (first, last) = (&mut self.first[signal], &mut self.last[signal]);
            // A row without a time is the least there is and changes no maximum.
            *last = (*last).max(time);
            if *first == Self::NEVER || (time < *first && time != Self::NEVER) {
                *first = time;
            }
        }
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// The least time of each signal.
    pub fn first(&self) -> &[i64] {
        &self.first
    }

    /// The greatest time of each signal.
    pub fn last(&self) -> &[i64] {
        &self.last
    }

    #[cold]
    fn grow(&mut self, signal: usize) -> bool {
        if signal >= Self::MAX_SIGNALS {
            return false;
        }
        self.first.resize(signal + 1, Self::NEVER);
        self.last.resize(signal + 1, Self::NEVER);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_without_a_time_and_beyond_the_limit_are_not_regarded() {
        let mut times = RowTimes::new();
        times.observe(&[RowTimes::NEVER, 5, RowTimes::NEVER], &[0, 0, 0]);
        times.observe(&[1], &[u32::MAX]);
        assert_eq!((times.first(), times.last()), (&[5][..], &[5][..]));
        assert!(!times.is_empty() && RowTimes::new().is_empty());
    }

    proptest! {
        #[test]
        fn they_are_the_least_and_the_greatest(rows in prop::collection::vec((0_i64..50, 0_u32..5), 0..60)) {
            let (time, signal): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
            let mut times = RowTimes::new();
            let half = rows.len() / 2;
            times.observe(&time[..half], &signal[..half]);
            times.observe(&time[half..], &signal[half..]);
            for wanted in 0..5 {
                let of_signal = || rows.iter().filter(|(_, signal)| *signal == wanted).map(|(time, _)| *time);
                let at = |times: &[i64]| times.get(wanted as usize).copied().filter(|time| *time != RowTimes::NEVER);
                prop_assert_eq!(at(times.first()), of_signal().min());
                prop_assert_eq!(at(times.last()), of_signal().max());
            }
        }
    }
}
