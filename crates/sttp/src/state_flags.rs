//! The measurement state flags: the 32-bit quality word of the data model, and the 8 bits that compact packets carry.

/// Bits of the full quality word (`MeasurementStateFlags` of the reference implementations).
pub mod bits {
    /// The value is known to be wrong.
    pub const BAD_DATA: u32 = 1;
    /// The value is suspected to be wrong.
    pub const SUSPECT_DATA: u32 = 1 << 1;
    /// The value is over its range.
    pub const OVER_RANGE: u32 = 1 << 2;
    /// The value is under its range.
    pub const UNDER_RANGE: u32 = 1 << 3;
    /// The value is over an alarm limit.
    pub const ALARM_HIGH: u32 = 1 << 4;
    /// The value is under an alarm limit.
    pub const ALARM_LOW: u32 = 1 << 5;
    /// The value is over a warning limit.
    pub const WARNING_HIGH: u32 = 1 << 6;
    /// The value is under a warning limit.
    pub const WARNING_LOW: u32 = 1 << 7;
    /// The value does not change.
    pub const FLATLINE_ALARM: u32 = 1 << 8;
    /// A comparison failed.
    pub const COMPARISON_ALARM: u32 = 1 << 9;
    /// The value changes too fast.
    pub const ROC_ALARM: u32 = 1 << 10;
    /// The source already called it bad.
    pub const RECEIVED_AS_BAD: u32 = 1 << 11;
    /// The value was calculated.
    pub const CALCULATED_VALUE: u32 = 1 << 12;
    /// The calculation failed.
    pub const CALCULATION_ERROR: u32 = 1 << 13;
    /// The calculation warns.
    pub const CALCULATION_WARNING: u32 = 1 << 14;
    /// Reserved quality bit.
    pub const RESERVED_QUALITY_FLAG: u32 = 1 << 15;
    /// The time is known to be wrong.
    pub const BAD_TIME: u32 = 1 << 16;
    /// The time is suspected to be wrong.
    pub const SUSPECT_TIME: u32 = 1 << 17;
    /// The measurement came late.
    pub const LATE_TIME_ALARM: u32 = 1 << 18;
    /// The time lies in the future.
    pub const FUTURE_TIME_ALARM: u32 = 1 << 19;
    /// The value was interpolated between samples.
    pub const UP_SAMPLED: u32 = 1 << 20;
    /// The value stands for more samples.
    pub const DOWN_SAMPLED: u32 = 1 << 21;
    /// The value was discarded by a filter.
    pub const DISCARDED_VALUE: u32 = 1 << 22;
    /// Reserved time bit.
    pub const RESERVED_TIME_FLAG: u32 = 1 << 23;
    /// Bit 1 of the user.
    pub const USER_DEFINED_FLAG1: u32 = 1 << 24;
    /// Bit 2 of the user.
    pub const USER_DEFINED_FLAG2: u32 = 1 << 25;
    /// Bit 3 of the user.
    pub const USER_DEFINED_FLAG3: u32 = 1 << 26;
    /// Bit 4 of the user.
    pub const USER_DEFINED_FLAG4: u32 = 1 << 27;
    /// Bit 5 of the user.
    pub const USER_DEFINED_FLAG5: u32 = 1 << 28;
    /// The system reports an error.
    pub const SYSTEM_ERROR: u32 = 1 << 29;
    /// The system reports a warning.
    pub const SYSTEM_WARNING: u32 = 1 << 30;
    /// The measurement itself failed.
    pub const MEASUREMENT_ERROR: u32 = 1 << 31;
}

/// Bit of a compact flag byte: the time is an offset from a base time.
pub const COMPACT_BASE_TIME_OFFSET: u8 = 0x40;
/// Bit of a compact flag byte: the second base time counts.
pub const COMPACT_TIME_INDEX: u8 = 0x80;

/// The groups of quality bits that bits 0 to 5 of a compact flag byte stand for.
const GROUPS: [u32; 6] = [
    0x0000_00FC, // DataRange
    0x0000_EF03, // DataQuality
    0x00BF_0000, // TimeQuality
    0xE000_0000, // SystemIssue
    0x0000_1000, // CalculatedValue
    0x0040_0000, // DiscardedValue
];

/// The quality word of every compact flag byte; the two time bits do not change it.
pub(crate) const FULL: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut group = 0;
        while group < GROUPS.len() {
            if byte >> group & 1 == 1 {
                table[byte] |= GROUPS[group];
            }
            group += 1;
        }
        byte += 1;
    }
    table
};

/// The quality word of a compact flag byte: each set bit sets all bits of its group.
#[inline]
pub fn from_compact(flags: u8) -> u32 {
    FULL[flags as usize]
}

/// The compact flag byte of a quality word: any bit of a group sets the group's. The user's bits are not carried.
#[inline]
pub fn to_compact(flags: u32) -> u8 {
    if flags == 0 {
        return 0;
    }
    let mut byte = 0;
    for (bit, group) in GROUPS.into_iter().enumerate() {
        byte |= u8::from(flags & group != 0) << bit;
    }
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_comes_back_without_its_time_bits() {
        for byte in 0..=255_u8 {
            assert_eq!(to_compact(from_compact(byte)), byte & 0x3F);
        }
    }

    #[test]
    fn groups_leave_out_the_user_bits() {
        let all = (0..32).filter(|bit| to_compact(1 << bit) == 0).fold(0_u32, |word, bit| word | 1 << bit);
        assert_eq!(all, 0x1F00_0000);
        assert_eq!(from_compact(0xFF), !0x1F00_0000);
    }
}
