use crate::reader::Reader;

/// The two times that compact measurements count from (response 84).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BaseTimes {
    /// Which of the two the publisher uses now, 0 or 1.
    pub time_index: u32,
    /// Ticks; 0 where none is set.
    pub ticks: [u64; 2],
}

impl BaseTimes {
    /// Reads a payload; `None` if it is shorter than 20 bytes.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        Some(Self { time_index: reader.u32()?, ticks: [reader.u64()?, reader.u64()?] })
    }

    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time_index.to_be_bytes());
        for ticks in self.ticks {
            out.extend_from_slice(&ticks.to_be_bytes());
        }
    }

    /// Ticks by which a base lies before the time at which it is set: measurements that come somewhat late count from it too.
    pub const MARGIN: u64 = 10_000_000;

    /// How long a base is used: offsets of 2 bytes in ms reach 65.5 s, those of 4 bytes in ticks 429 s.
    pub const fn interval(milliseconds: bool) -> u64 {
        if milliseconds { 60 * 10_000_000 } else { 420 * 10_000_000 }
    }

    /// The base times that follow these after an interval: the first time both are set; later the one that was set
    /// before is used, and the other moves on.
    #[must_use]
    pub fn advanced(self, now: u64, interval: u64) -> Self {
        let next = now.saturating_add(interval);
        if self.ticks == [0; 2] {
            return Self { time_index: 0, ticks: [now, next] };
        }
        let time_index = self.time_index & 1 ^ 1;
        let mut ticks = self.ticks;
        ticks[usize::from(time_index == 0)] = next;
        Self { time_index, ticks }
    }

    /// What has to be sent so that a time of `now` can count from a base; `None` while it can. With `one` only the first
    /// of the two is ever used. A time that has jumped starts anew.
    pub fn due(self, now: u64, interval: u64, one: bool) -> Option<Self> {
        let now = now.saturating_sub(Self::MARGIN);
        let in_force = |times: Self| {
            let base = times.ticks[usize::from(times.time_index & 1 == 1)];
            base > 0 && (base..base.saturating_add(interval)).contains(&now)
        };
        // Times that go back a little have to be sent in full; it is not worth new bases.
        let base = self.ticks[usize::from(self.time_index & 1 == 1)];
        if in_force(self) || (base > now && base - now < interval) {
            return None;
        }
        let next = self.advanced(now, interval);
        let anew = Self::default().advanced(now, interval);
        Some(if !one && in_force(next) { next } else { anew })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_and_rotation() {
        let first = BaseTimes::default().advanced(100, 10);
        assert_eq!(first, BaseTimes { time_index: 0, ticks: [100, 110] });
        let second = first.advanced(110, 10);
        assert_eq!(second, BaseTimes { time_index: 1, ticks: [120, 110] });
        assert_eq!(second.advanced(120, 10), BaseTimes { time_index: 0, ticks: [120, 130] });
        let mut payload = Vec::new();
        second.write(&mut payload);
        assert_eq!(payload.len(), 20);
        assert_eq!(BaseTimes::parse(&payload), Some(second));
        assert_eq!(BaseTimes::parse(&payload[..19]), None);
    }

    #[test]
    fn bases_move_on_with_the_time() {
        let interval = BaseTimes::interval(true);
        let start = 638_000_000_000_000_000;
        let first = BaseTimes::default().due(start, interval, false).unwrap();
        assert_eq!(
            first,
            BaseTimes { time_index: 0, ticks: [start - BaseTimes::MARGIN, start - BaseTimes::MARGIN + interval] }
        );
        assert_eq!(first.due(start, interval, false), None);
        assert_eq!(first.due(start - 5 * BaseTimes::MARGIN, interval, false), None);
        let second = first.due(start + interval, interval, false).unwrap();
        assert_eq!((second.time_index, second.ticks[1]), (1, first.ticks[1]));
        assert!(second.ticks[0] > second.ticks[1]);
        // One base only: the first moves on itself.
        let one = first.due(start + interval, interval, true).unwrap();
        assert_eq!((one.time_index, one.ticks[0]), (0, start + interval - BaseTimes::MARGIN));
        // A jump in either direction starts anew.
        for now in [start + 10 * interval, start - 10 * interval] {
            let anew = first.due(now, interval, false).unwrap();
            assert_eq!((anew.time_index, anew.ticks[0]), (0, now - BaseTimes::MARGIN));
        }
    }
}
