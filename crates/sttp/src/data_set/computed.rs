//! Columns whose values are computed from others of their row: the schema has their expression.

use super::{Cell, DataTable};
use crate::filter::{Filter, Precedence, Value, ValueType};

/// Rows times bytes of their expression at most: whoever sends metadata does not say how long they are worked on.
const WORK_LIMIT: usize = 1 << 27;

impl DataTable {
    /// Computes the columns that have an expression, in rows from one on and in the order of the columns. What cannot be
    /// computed is what the row was given: .NET writes such values too, and its expressions know more functions.
    pub(super) fn compute(&mut self, first: usize) {
        for index in 0..self.columns().len() {
            let column = &self.columns()[index];
            let rows = self.rows() - first;
            let is_bearable = |text: &&str| text.len().saturating_mul(rows) <= WORK_LIMIT;
            let Some(expression) = column.expression().filter(is_bearable) else { continue };
            let Ok(expression) = Filter::parse(expression, Precedence::Compat) else { continue };
            let kind = ValueType::of_column(column.kind());
            let mut computed = column.emptied();
            for row in 0..self.rows() {
                let value = if row < first { None } else { expression.evaluate(Some((self, row))).ok() };
                match value.and_then(|value| value.convert(kind).ok()) {
                    Some(Value::Null(_)) => computed.push(Cell::Null),
                    Some(value) => computed.push_text(&value.to_string()) || computed.push(Cell::Null),
                    None => computed.push(column.cell(row)),
                };
            }
            self.replace_column(index, computed);
        }
    }
}
