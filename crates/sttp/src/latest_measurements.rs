use measurand_columns::{Block, ticks};

use crate::{MeasurementRows, state_flags};

/// The latest measurement of each signal: what throttled subscriptions are sent every interval.
///
/// ```
/// use measurand_sttp::{LatestMeasurements, MeasurementRows};
///
/// let mut latest = LatestMeasurements::new();
/// latest.update(&MeasurementRows { time: &[0, 100], raw_time: &[], value: &[1.0, 2.0], signal: &[7, 7], flags: &[0, 0] });
/// assert_eq!(latest.len(), 1);
/// assert_eq!(latest.latest_ticks(), 621_355_968_000_000_001);
/// ```
#[derive(Clone, Debug, Default)]
pub struct LatestMeasurements {
    /// By row of the session's signal table.
    signals: Vec<Option<Latest>>,
    known: usize,
    latest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Latest {
    ticks: u64,
    value: f64,
    flags: u32,
}

/// Which times of throttled measurements are reasonable: those not too far from the real time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reasonability {
    /// The real time, ticks.
    pub real_time: u64,
    /// How much earlier a time may be, ticks.
    pub lag: u64,
    /// How much later, ticks.
    pub lead: u64,
}

impl Reasonability {
    /// Whether a time is reasonable, whatever its leap bits.
    pub fn allows(&self, ticks: u64) -> bool {
        let (time, real) = (ticks & ticks::VALUE_MASK, self.real_time & ticks::VALUE_MASK);
        if time < real { real - time <= self.lag } else { time - real <= self.lead }
    }
}

/// The longest table of signals that is kept: rows beyond are the numbering of no signal table.
const MAX_ROWS: usize = 1 << 28;

impl LatestMeasurements {
    /// Without any.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many signals have one.
    pub fn len(&self) -> usize {
        self.known
    }

    /// Whether no signal has one.
    pub fn is_empty(&self) -> bool {
        self.known == 0
    }

    /// The latest time of all, ticks without leap bits; 0 where there is none.
    pub fn latest_ticks(&self) -> u64 {
        self.latest
    }

    /// Takes measurements; one that is older than what its signal has is left out.
    pub fn update(&mut self, rows: &MeasurementRows<'_>) {
        for (row, ((&signal, &value), &flags)) in rows.signal.iter().zip(rows.value).zip(rows.flags).enumerate() {
            let at = signal as usize;
            if at >= MAX_ROWS {
                continue;
            }
            if at >= self.signals.len() {
                self.signals.resize(at + 1, None);
            }
            let ticks = rows.ticks(row);
            let time = ticks & ticks::VALUE_MASK;
            match &mut self.signals[at] {
                Some(latest) if (latest.ticks & ticks::VALUE_MASK) > time => continue,
                place => {
                    self.known += usize::from(place.is_none());
                    *place = Some(Latest { ticks, value, flags });
                }
            }
            self.latest = self.latest.max(time);
        }
    }

    /// Appends the latest of these signals to a block, as many as it has room for; gives how many of `signals` were looked
    /// at. Where a time is not reasonable, the value is NaN and the flags say a bad time.
    pub fn write(&self, signals: &[u32], reasonability: Option<Reasonability>, block: &mut Block<'_>) -> usize {
        for (at, &signal) in signals.iter().enumerate() {
            if block.room() == 0 {
                return at;
            }
            let Some(Some(Latest { ticks, value, flags })) = self.signals.get(signal as usize).copied() else {
                continue;
            };
            let (time, exact) = ticks::to_ns(ticks);
            if !exact || block.wants_raw_time() {
                block.set_raw_time(block.len(), ticks, ticks::from_ns);
            }
            if reasonability.is_none_or(|reasonability| reasonability.allows(ticks)) {
                block.push(time, value, signal, flags);
            } else {
                block.push(time, f64::NAN, signal, flags | state_flags::bits::BAD_TIME);
            }
        }
        signals.len()
    }
}

#[cfg(test)]
mod tests {
    use measurand_columns::{Columns, Layout, TIME_UNKNOWN};
    use proptest::prelude::*;

    use super::*;

    const T0: u64 = 638_000_000_000_000_000;
    const SECOND: u64 = 10_000_000;

    fn rows<'a>(raw_time: &'a [u64], value: &'a [f64], signal: &'a [u32], unset: &'a [u32]) -> MeasurementRows<'a> {
        MeasurementRows {
            time: &[TIME_UNKNOWN; 64][..value.len()],
            raw_time,
            value,
            signal,
            flags: &unset[..value.len()],
        }
    }

    fn written(
        latest: &LatestMeasurements,
        signals: &[u32],
        reasonability: Option<Reasonability>,
    ) -> Vec<(u32, f64, u32, u64)> {
        let layout = Layout { capacity: 64, columns: Columns::REQUIRED | Columns::RAW_TIME };
        let mut words = vec![0_u64; layout.byte_length() / 8];
        let bytes = bytemuck::cast_slice_mut(&mut words);
        Block::format(bytes, layout).unwrap();
        let mut block = Block::open(bytes).unwrap();
        assert_eq!(latest.write(signals, reasonability, &mut block), signals.len());
        let (len, raw) = (block.len(), block.raw_time().to_vec());
        (0..len)
            .map(|row| {
                let ticks = raw.get(row).copied().unwrap_or_else(|| ticks::from_ns(block.time[row]));
                (block.signal[row], block.value[row], block.flags[row], ticks)
            })
            .collect()
    }

    #[test]
    fn the_latest_is_kept_and_the_older_left_out() {
        let mut latest = LatestMeasurements::new();
        latest.update(&rows(&[T0, T0 + 1, T0], &[1.0, 2.0, 3.0], &[4, 4, 4], &[0; 64]));
        latest.update(&rows(&[(T0 + SECOND) | ticks::LEAP_SECOND], &[5.0], &[0], &[0; 64]));
        assert_eq!((latest.len(), latest.latest_ticks()), (2, T0 + SECOND));
        let all = written(&latest, &[0, 1, 4, 9], None);
        assert_eq!(all, [(0, 5.0, 0, (T0 + SECOND) | ticks::LEAP_SECOND), (4, 2.0, 0, T0 + 1)]);
    }

    #[test]
    fn times_out_of_range_become_nan_and_bad() {
        let mut latest = LatestMeasurements::new();
        let times = [T0 - 10 * SECOND, T0 - 10 * SECOND - 1, T0 + 5 * SECOND, T0 + 5 * SECOND + 1];
        latest.update(&rows(&times, &[1.0; 4], &[0, 1, 2, 3], &[0; 64]));
        let reasonability = Reasonability { real_time: T0, lag: 10 * SECOND, lead: 5 * SECOND };
        let all = written(&latest, &[0, 1, 2, 3], Some(reasonability));
        let bad: Vec<_> =
            all.iter().map(|(_, value, flags, _)| (value.is_nan(), flags & state_flags::bits::BAD_TIME != 0)).collect();
        assert_eq!(bad, [(false, false), (true, true), (false, false), (true, true)]);
        assert_eq!(all.iter().map(|row| row.3).collect::<Vec<_>>(), times);
    }

    proptest! {
        #[test]
        fn any_rows_are_taken(times in proptest::collection::vec(any::<u64>(), 0..64), signals in proptest::collection::vec(0..9_u32, 64)) {
            let mut latest = LatestMeasurements::new();
            let values: Vec<f64> = (0..times.len()).map(|value| value as f64).collect();
            latest.update(&rows(&times, &values, &signals[..times.len()], &[0; 64]));
            for (signal, value, _, ticks) in written(&latest, &[0, 1, 2, 3, 4, 5, 6, 7, 8], None) {
                let of = |at: &usize| signals[*at] == signal;
                let newest = (0..times.len()).filter(of).max_by_key(|&at| (times[at] & ticks::VALUE_MASK, at)).unwrap();
                prop_assert_eq!((values[newest].to_bits(), times[newest]), (value.to_bits(), ticks));
            }
        }
    }
}
