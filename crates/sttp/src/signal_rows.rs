use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Wire indexes below this are kept in a plain array; larger ones in a hash map, so that one hostile index of 31 bits
/// does not cost 8 GiB.
const DENSE: usize = 1 << 20;

/// No row: what the arrays hold where a wire index has no signal.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Maps the wire indexes of a signal index cache to rows of the session's signal table, for decoding.
#[derive(Clone, Debug)]
pub struct SignalRows {
    stamp: u64,
    /// Indexes below this are their own row; [`Self::dense`] is empty then.
    identity: u32,
    dense: Vec<u32>,
    sparse: HashMap<u32, u32>,
    /// Indexes that have a row.
    count: usize,
}

impl SignalRows {
    /// An empty map: every index is unknown.
    pub fn new() -> Self {
        Self { stamp: next_stamp(), identity: 0, dense: Vec::new(), sparse: HashMap::new(), count: 0 }
    }

    /// The map of `count` indexes from 0 on, each to the row of its own number.
    pub fn identity(count: u32) -> Self {
        Self { identity: count, count: count as usize, ..Self::new() }
    }

    /// Maps `index` to `row`, in place of an earlier row; false (and nothing mapped) if the index is negative or the
    /// row is 2^32 - 1.
    pub fn insert(&mut self, index: i32, row: u32) -> bool {
        let (Ok(index), true) = (u32::try_from(index), row != NO_ROW) else {
            return false;
        };
        self.stamp = next_stamp();
        self.count += usize::from(self.row(index).is_none());
        if index == row && index == self.identity && self.dense.is_empty() && self.sparse.is_empty() {
            self.identity += 1;
            return true;
        }
        let at = index as usize;
        if at >= DENSE && index >= self.identity {
            self.sparse.insert(index, row);
            return true;
        }
        self.leave_identity();
        if self.dense.len() <= at {
            self.dense.resize(at + 1, NO_ROW);
        }
        self.dense[at] = row;
        true
    }

    /// The row of a wire index; `None` if the cache does not name it.
    #[inline]
    pub fn row(&self, index: u32) -> Option<u32> {
        if index < self.identity {
            return Some(index);
        }
        match self.dense.get(index as usize) {
            Some(&NO_ROW) => None,
            Some(&row) => Some(row),
            None => self.sparse.get(&index).copied(),
        }
    }

    /// How many indexes have a row.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many indexes from 0 on are their own row, if every other is unknown.
    pub(crate) fn identity_len(&self) -> Option<u32> {
        (self.dense.is_empty() && self.sparse.is_empty()).then_some(self.identity)
    }

    /// A number that no other content has: what was looked up under it still holds.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }

    fn leave_identity(&mut self) {
        if self.identity > 0 {
            self.dense = (0..self.identity).collect();
            self.identity = 0;
        }
    }
}

impl Default for SignalRows {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<(i32, u32)> for SignalRows {
    /// Maps each wire index to its row; pairs that [`SignalRows::insert`] refuses are left out.
    fn from_iter<I: IntoIterator<Item = (i32, u32)>>(pairs: I) -> Self {
        let mut rows = Self::new();
        for (index, row) in pairs {
            rows.insert(index, row);
        }
        rows
    }
}

/// Maps rows of the session's signal table to the wire indexes of a signal index cache, for encoding.
#[derive(Clone, Debug)]
pub struct SignalIndexes {
    stamp: u64,
    /// Every row has the index of its own number.
    identity: bool,
    indexes: Vec<i32>,
}

/// No wire index: what the array holds for a row that is not in the cache.
pub(crate) const NO_INDEX: i32 = -1;

impl SignalIndexes {
    /// An empty map: no row has an index.
    pub fn new() -> Self {
        Self { stamp: next_stamp(), identity: true, indexes: Vec::new() }
    }

    /// The map of `count` rows from 0 on, each to the index of its own number.
    pub fn identity(count: u32) -> Self {
        (0..count).map(|row| (row, row as i32)).collect()
    }

    /// Maps `row` to `index`, in place of an earlier index; false (and nothing mapped) if the index is negative or the
    /// row is 2^32 - 1.
    ///
    /// Memory grows with the largest row, which is the caller's own numbering and small.
    pub fn insert(&mut self, row: u32, index: i32) -> bool {
        if index < 0 || row == NO_ROW {
            return false;
        }
        let at = row as usize;
        self.identity &= index as u32 == row && at <= self.indexes.len();
        if self.indexes.len() <= at {
            self.indexes.resize(at + 1, NO_INDEX);
        }
        self.indexes[at] = index;
        self.stamp = next_stamp();
        true
    }

    /// The wire index of a row; `None` if the cache does not hold the signal.
    #[inline]
    pub fn index(&self, row: u32) -> Option<u32> {
        self.indexes.get(row as usize).and_then(|&index| u32::try_from(index).ok())
    }

    /// How many rows have an index.
    pub(crate) fn count(&self) -> usize {
        self.indexes.iter().filter(|&&index| index != NO_INDEX).count()
    }

    /// How many rows from 0 on have the index of their own number, if no other row has one.
    pub(crate) fn identity_len(&self) -> Option<u32> {
        self.identity.then_some(self.indexes.len() as u32)
    }

    /// A number that no other content has: what was looked up under it still holds.
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp
    }
}

impl Default for SignalIndexes {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<(u32, i32)> for SignalIndexes {
    /// Maps each row to its wire index; negative indexes are left out.
    fn from_iter<I: IntoIterator<Item = (u32, i32)>>(pairs: I) -> Self {
        let mut indexes = Self::new();
        for (row, index) in pairs {
            indexes.insert(row, index);
        }
        indexes
    }
}

fn next_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identity_is_kept_while_it_holds() {
        let mut rows: SignalRows = (0..5).map(|index| (index, index as u32)).collect();
        assert_eq!(rows.identity_len(), Some(5));
        assert!(rows.insert(9, 2));
        assert_eq!(rows.identity_len(), None);
        assert_eq!((rows.row(4), rows.row(5), rows.row(9), rows.row(u32::MAX)), (Some(4), None, Some(2), None));
        assert!(!rows.insert(-1, 0));
    }

    #[test]
    fn a_change_changes_the_stamp() {
        let mut rows = SignalRows::identity(3);
        let before = rows.stamp();
        assert_eq!(rows.clone().stamp(), before);
        rows.insert(3, 3);
        assert_ne!(rows.stamp(), before);
    }

    proptest! {
        #[test]
        fn rows_are_those_inserted_last(pairs in proptest::collection::vec((prop_oneof![0..40_i32, any::<i32>()], 0..50_u32), 0..60)) {
            let rows: SignalRows = pairs.iter().copied().collect();
            let model: HashMap<i32, u32> = pairs.iter().copied().collect();
            prop_assert_eq!(rows.count(), model.keys().filter(|&&index| index >= 0).count());
            for index in (0..60).chain(pairs.iter().map(|pair| pair.0)).filter(|&index| index >= 0) {
                prop_assert_eq!(rows.row(index as u32), model.get(&index).copied());
            }
        }
    }
}
