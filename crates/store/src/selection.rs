use arrow::array::{Array, BooleanArray, RecordBatch, TimestampNanosecondArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::error::ArrowError;

/// Which rows are wanted; all unless told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// Rows from this time on, ns since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Rows before this time, ns since 1970-01-01 UTC.
    pub until: Option<i64>,
    /// Whether the signal of each row of the signal table is wanted; those beyond its end are not.
    pub signals: Option<Vec<bool>>,
}

impl Selection {
    /// Whether every row is wanted.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether rows of times from `first` to `last` can be wanted.
    pub(crate) fn overlaps(&self, first: i64, last: i64) -> bool {
        self.since.is_none_or(|since| last >= since) && self.until.is_none_or(|until| first < until)
    }

    /// The wanted rows. A row whose time is not known is not wanted as soon as a time is asked for.
    pub(crate) fn apply(&self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut wanted: Option<BooleanBuffer> = None;
        let mut and = |next: BooleanBuffer| {
            wanted = Some(match wanted.take() {
                Some(wanted) => &wanted & &next,
                None => next,
            });
        };
        let time =
            batch.column_by_name("time").and_then(|time| time.as_any().downcast_ref::<TimestampNanosecondArray>());
        if let Some(time) = time.filter(|_| self.since.is_some() || self.until.is_some()) {
            let values = time.values();
            let (since, until) = (self.since.unwrap_or(i64::MIN), self.until);
            let inside = |row: usize| values[row] >= since && until.is_none_or(|until| values[row] < until);
            and(BooleanBuffer::collect_bool(values.len(), inside));
            if let Some(known) = time.nulls() {
                and(known.inner().clone());
            }
        }
        let signal = batch.column_by_name("signal").and_then(|signal| signal.as_any().downcast_ref::<UInt32Array>());
        if let (Some(signals), Some(signal)) = (&self.signals, signal) {
            let values = signal.values();
            let inside = |row: usize| signals.get(values[row] as usize).copied().unwrap_or(false);
            and(BooleanBuffer::collect_bool(values.len(), inside));
        }
        match wanted {
            Some(wanted) if wanted.count_set_bits() < batch.num_rows() => {
                filter_record_batch(&batch, &BooleanArray::new(wanted, None))
            }
            _ => Ok(batch),
        }
    }
}
