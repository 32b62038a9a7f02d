/// The time state that all points share: the last two times and the four smallest steps seen.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// Ticks of the last measurement.
    pub(super) now: i64,
    /// Ticks before [`Self::now`].
    pub(super) before: i64,
    /// Distinct steps, ascending.
    pub(super) steps: [i64; 4],
}

impl Times {
    pub(super) fn new() -> Self {
        Self { now: 0, before: 0, steps: [i64::MAX; 4] }
    }

    /// Makes `ticks` the time of the measurements that follow and remembers the step.
    pub(super) fn push(&mut self, ticks: i64) {
        let step = self.now.wrapping_sub(ticks).wrapping_abs();
        if step < self.steps[3] && !self.steps[..3].contains(&step) {
            let at = self.steps.iter().position(|&known| step < known).unwrap_or(3);
            self.steps.copy_within(at..3, at + 1);
            self.steps[at] = step;
        }
        self.before = self.now;
        self.now = ticks;
    }
}
