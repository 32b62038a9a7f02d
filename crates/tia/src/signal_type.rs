/// One of the 32 signal types: a bit of a packet's flags and a name in the meta info.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SignalType(u8);

/// Whose names are written; all are read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Dialect {
    /// pytia and eegdev: `joystick`, `sensors`, `mouse`, `user_1`.
    #[default]
    Pytia,
    /// libtia and the TOBI `SignalServer`: `axis`, `sensor`, `keycode`, `user1`.
    Libtia,
    /// pytiaclient: `axes`, `sensor`, `keycode`, `user1`.
    Pytiaclient,
}

/// Bit, names by dialect (pytia, libtia, pytiaclient).
const NAMES: [(u8, [&str; 3]); 19] = [
    (0, ["eeg"; 3]),
    (1, ["emg"; 3]),
    (2, ["eog"; 3]),
    (3, ["ecg"; 3]),
    (4, ["hr"; 3]),
    (5, ["bp"; 3]),
    (6, ["button"; 3]),
    (7, ["joystick", "axis", "axes"]),
    (8, ["sensors", "sensor", "sensor"]),
    (9, ["nirs"; 3]),
    (10, ["fmri"; 3]),
    (11, ["mouse", "keycode", "keycode"]),
    (12, ["mouse-button"; 3]),
    (16, ["user_1", "user1", "user1"]),
    (17, ["user_2", "user2", "user2"]),
    (18, ["user_3", "user3", "user3"]),
    (19, ["user_4", "user4", "user4"]),
    (20, ["undefined"; 3]),
    (21, ["event"; 3]),
];

impl SignalType {
    /// The type of a bit; `None` beyond 31.
    pub fn from_bit(bit: u8) -> Option<Self> {
        (bit < 32).then_some(Self(bit))
    }

    /// The type of a name in any dialect, in any case; `bit13` names a type that has no name.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)));
        if let Some(&(bit, _)) = known {
            return Some(Self(bit));
        }
        let bit = name.strip_prefix("bit")?.parse().ok()?;
        Self::from_bit(bit).filter(|found| found.name(Dialect::Pytia) == name)
    }

    /// Its bit, 0 to 31.
    pub const fn bit(self) -> u8 {
        self.0
    }

    /// Its bit as a mask of a packet's flags.
    pub const fn mask(self) -> u32 {
        1 << self.0
    }

    /// Its name as `dialect` writes it.
    pub fn name(self, dialect: Dialect) -> String {
        match NAMES.iter().find(|&&(bit, _)| bit == self.0) {
            Some((_, names)) => names[dialect as usize].to_owned(),
            None => format!("bit{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_read() {
        let aliases = [
            ("axis", 7),
            ("axes", 7),
            ("joystick", 7),
            ("sensor", 8),
            ("sensors", 8),
            ("keycode", 11),
            ("mouse", 11),
            ("user1", 16),
            ("user_1", 16),
            ("EEG", 0),
            ("bit31", 31),
        ];
        for (name, bit) in aliases {
            assert_eq!(SignalType::from_name(name), SignalType::from_bit(bit), "{name}");
        }
        for name in ["", "bit32", "bit0", "bit031", "eegs"] {
            assert_eq!(SignalType::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn every_bit_comes_back_from_its_name() {
        for signal in (0..32).filter_map(SignalType::from_bit) {
            for dialect in [Dialect::Pytia, Dialect::Libtia, Dialect::Pytiaclient] {
                assert_eq!(SignalType::from_name(&signal.name(dialect)), Some(signal));
            }
        }
        assert_eq!(SignalType::from_bit(32), None);
    }
}
