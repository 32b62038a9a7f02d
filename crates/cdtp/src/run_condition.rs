use std::fmt;

/// How a run went: a sum of bits, 0 being GOOD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RunCondition(pub u64);

impl RunCondition {
    /// Nothing to report.
    pub const GOOD: Self = Self(0);
    /// The data were marked as doubtful by their sender.
    pub const TAINTED: Self = Self(1);
    /// Records are missing.
    pub const INCOMPLETE: Self = Self(2);
    /// The run was stopped by an interrupt.
    pub const INTERRUPTED: Self = Self(4);
    /// The run ended without an orderly end.
    pub const ABORTED: Self = Self(8);
    /// A member of the constellation was lost during the run.
    pub const DEGRADED: Self = Self(16);

    const NAMES: [&'static str; 5] = ["TAINTED", "INCOMPLETE", "INTERRUPTED", "ABORTED", "DEGRADED"];
}

/// The names in rising order of their bits, joined by `|`; unknown bits as one number, as Python prints them.
impl fmt::Display for RunCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("GOOD");
        }
        let mut separator = "";
        for (bit, name) in Self::NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1) {
            debug_assert!(bit < 5);
            write!(f, "{separator}{name}")?;
            separator = "|";
        }
        match self.0 >> 5 << 5 {
            0 => Ok(()),
            unknown => write!(f, "{separator}{unknown}"),
        }
    }
}
