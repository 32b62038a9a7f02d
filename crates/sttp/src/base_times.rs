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

    /// The base times that follow these after an interval: the first time both are set, later the unused one moves on and
    /// is used.
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
}
