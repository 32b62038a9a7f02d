//! What the runs in vectors share: the rows of a block as lanes, and the look-up of their signals.

use core::ops::Range;

use measurand_columns::Block;

use crate::SignalRows;
use crate::signal_rows::NO_ROW;

/// Some rows of a block.
pub(super) struct Lanes<'a, const N: usize> {
    pub(super) time: &'a mut [i64; N],
    pub(super) value: &'a mut [f64; N],
    pub(super) signal: &'a mut [u32; N],
    pub(super) flags: &'a mut [u32; N],
}

/// The rows behind those that the block holds, as many as it has room for and at most `count`.
#[inline]
pub(super) fn lanes<'a, const N: usize>(block: &'a mut Block<'_>, count: u32) -> impl Iterator<Item = Lanes<'a, N>> {
    let rows = block.len()..block.len() + (count as usize).min(block.room());
    let front = cut(block.time, &rows).iter_mut().zip(cut(block.value, &rows));
    let rear = cut(block.signal, &rows).iter_mut().zip(cut(block.flags, &rows));
    front.zip(rear).map(|((time, value), (signal, flags))| Lanes { time, value, signal, flags })
}

#[inline]
fn cut<'a, T, const N: usize>(column: &'a mut [T], rows: &Range<usize>) -> &'a mut [[T; N]] {
    column.get_mut(rows.clone()).unwrap_or_default().as_chunks_mut().0
}

/// Puts rows in place of indexes; false if one has none. Apart, to keep its registers out of the loop.
#[inline(never)]
pub(super) fn look_up<const N: usize>(rows: &SignalRows, signal: &mut [u32; N]) -> bool {
    *signal = signal.map(|index| rows.row(index).unwrap_or(NO_ROW));
    !signal.contains(&NO_ROW)
}
