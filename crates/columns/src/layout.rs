use core::ops::{BitOr, BitOrAssign};

/// Bytes of the header in front of the columns.
pub const HEADER_BYTES: usize = 64;

/// Every column starts at a multiple of this, as Arrow recommends.
const ALIGNMENT: usize = 64;

/// A set of measurement columns; its bits are those of the header's `columns` and `present` words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Columns(u32);

impl Columns {
    /// No column.
    pub const NONE: Self = Self(0);
    /// `time` i64: ns since 1970-01-01 UTC, [`crate::TIME_UNKNOWN`] where it is not known.
    pub const TIME: Self = Self(1);
    /// `value` f64.
    pub const VALUE: Self = Self(1 << 1);
    /// `signal` u32: row of the session's signal table.
    pub const SIGNAL: Self = Self(1 << 2);
    /// `flags` u32: the protocol's own quality word, verbatim.
    pub const FLAGS: Self = Self(1 << 3);
    /// `seq` u64: packet or record number.
    pub const SEQ: Self = Self(1 << 4);
    /// `idx` u32: position in the packet or record.
    pub const IDX: Self = Self(1 << 5);
    /// `rx` i64: time of receipt, ns since 1970-01-01 UTC.
    pub const RX: Self = Self(1 << 6);
    /// `raw_time` u64: the protocol's own time word where `time` cannot hold it.
    pub const RAW_TIME: Self = Self(1 << 7);
    /// The four columns that every block has.
    pub const REQUIRED: Self = Self(0b1111);
    /// All columns in the order in which a block holds them, with the bytes of one value.
    pub const ORDER: [(Self, usize); 8] = [
        (Self::TIME, 8),
        (Self::VALUE, 8),
        (Self::SIGNAL, 4),
        (Self::FLAGS, 4),
        (Self::SEQ, 8),
        (Self::IDX, 4),
        (Self::RX, 8),
        (Self::RAW_TIME, 8),
    ];

    /// The set that a header word names; `None` if it has a bit that is no column.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits >> Self::ORDER.len() == 0).then_some(Self(bits))
    }

    /// The header word of this set.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether every column of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Columns {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Columns {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Where the columns of a block of a given capacity lie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layout {
    /// Rows that fit.
    pub capacity: u32,
    /// Columns for which there is room.
    pub columns: Columns,
}

impl Layout {
    /// Byte offset of each column in [`Columns::ORDER`], `None` for one without room.
    pub fn offsets(self) -> [Option<usize>; 8] {
        let mut end = HEADER_BYTES;
        Columns::ORDER.map(|(column, width)| {
            if !self.columns.contains(column) {
                return None;
            }
            let start = end;
            end += self.column_bytes(width);
            Some(start)
        })
    }

    /// Bytes of a whole block.
    pub fn byte_length(self) -> usize {
        let columns = Columns::ORDER.iter().filter(|(column, _)| self.columns.contains(*column));
        HEADER_BYTES + columns.map(|&(_, width)| self.column_bytes(width)).sum::<usize>()
    }

    fn column_bytes(self, width: usize) -> usize {
        (self.capacity as usize * width).next_multiple_of(ALIGNMENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_start_at_multiples_of_64() {
        let layout = Layout { capacity: 5, columns: Columns::REQUIRED | Columns::IDX };
        assert_eq!(layout.offsets(), [Some(64), Some(128), Some(192), Some(256), None, Some(320), None, None]);
        assert_eq!(layout.byte_length(), 384);
    }

    #[test]
    fn a_bit_that_is_no_column_is_refused() {
        assert_eq!(Columns::from_bits(0xFF), Some(Columns(0xFF)));
        assert_eq!(Columns::from_bits(0x100), None);
    }
}
