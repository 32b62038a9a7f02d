use core::cmp::Ordering;
use std::collections::HashSet;

use uuid::Uuid;

use super::evaluate::{Located, bind, evaluate};
use super::expression::{Expression, Precedence};
use super::lexer::fault_at;
use super::parser::{OrderBy, Statement, TableFilter, parse};
use super::value::{Value, ValueType, compare};
use super::{Fault, FilterError};
use crate::data_set::{Cell, ColumnType, DataSet, DataTable};

/// A parsed filter.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    statements: Vec<Statement>,
}

/// What a filter selects, in the order of its statements, each once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Selection {
    /// A row.
    Row(Row),
    /// A signal that the filter names and no row of the primary table has.
    Signal(Uuid),
}

/// A row of a table of the data set.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Row {
    /// Place of the table in the data set.
    pub table: usize,
    /// Row of the table.
    pub row: usize,
}

impl Filter {
    /// Parses a filter; an empty one selects nothing.
    pub fn parse(text: &str, precedence: Precedence) -> Result<Self, FilterError> {
        Ok(Self { text: text.to_owned(), statements: parse(text, precedence)? })
    }

    /// Whether it has no statement.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The tables that its FILTER statements name, in their order.
    pub fn tables(&self) -> Vec<&str> {
        let named = self.statements.iter().filter_map(|statement| match statement {
            Statement::Filter(filter) => Some(&*filter.table),
            _ => None,
        });
        named.collect()
    }

    /// The rows that it selects; `primary` is the table of GUIDs, keys, tags and expressions that stand alone.
    pub fn select(&self, set: &DataSet, primary: &str) -> Result<Vec<Selection>, FilterError> {
        let mut selected = Selected::default();
        for statement in &self.statements {
            self.select_by(statement, set, primary, &mut selected)?;
        }
        Ok(selected.order)
    }

    /// The ids of the signals that it selects: of each row the column `SignalID`, else `UniqueID`, else its first GUID.
    pub fn signal_ids(&self, set: &DataSet, primary: &str) -> Result<Vec<Uuid>, FilterError> {
        let mut seen = HashSet::new();
        let ids = self.select(set, primary)?.into_iter().filter_map(|selection| match selection {
            Selection::Signal(id) => Some(id),
            Selection::Row(Row { table, row }) => id_of(&set.tables[table], row),
        });
        Ok(ids.filter(|&id| seen.insert(id)).collect())
    }

    /// The value of the only statement, an expression, for a row of a table (or for none).
    pub fn evaluate(&self, row: Option<(&DataTable, usize)>) -> Result<Value<'static>, FilterError> {
        let locate = |(at, fault): Located| fault_at(&self.text, at, fault);
        match &self.statements[..] {
            [Statement::Expression(expression)] => {
                let bound = bind(expression, row.map(|(table, _)| table)).map_err(locate)?;
                Ok(evaluate(&bound, row).map_err(locate)?.into_owned())
            }
            [Statement::Guid(guid)] => Ok(Value::Guid(*guid)),
            [] => Err(fault_at(&self.text, self.text.len(), Fault::Empty)),
            _ => {
                let expected = Fault::Syntax { expected: "one expression", found: format!("\"{}\"", self.text) };
                Err(fault_at(&self.text, 0, expected))
            }
        }
    }

    fn select_by(
        &self,
        statement: &Statement,
        set: &DataSet,
        primary: &str,
        selected: &mut Selected,
    ) -> Result<(), FilterError> {
        let table = |name: &str, at: usize| {
            let place = set.tables.iter().position(|table| table.name.eq_ignore_ascii_case(name));
            place.ok_or_else(|| fault_at(&self.text, at, Fault::UnknownTable(name.to_owned())))
        };
        match statement {
            Statement::Guid(id) => match table(primary, 0).ok().and_then(|place| row_of_id(set, place, *id)) {
                Some(row) => selected.add(Selection::Row(row)),
                None => selected.add(Selection::Signal(*id)),
            },
            Statement::Key(key) => selected.extend(table(primary, 0)?, rows_with_text(set, primary, "ID", key)),
            Statement::Tag(tag) => selected.extend(table(primary, 0)?, rows_with_text(set, primary, "PointTag", tag)),
            Statement::Expression(condition) => {
                let place = table(primary, condition.at)?;
                selected.extend(place, self.matching(&set.tables[place], condition, None)?);
            }
            Statement::Filter(filter) => {
                let place = table(&filter.table, filter.at)?;
                selected.extend(place, self.filtered(&set.tables[place], filter)?);
            }
        }
        Ok(())
    }

    /// The rows of a FILTER statement: sorted first and then cut by TOP; without ORDER BY the search ends at TOP.
    fn filtered(&self, table: &DataTable, filter: &TableFilter) -> Result<Vec<usize>, FilterError> {
        if filter.order.is_empty() {
            return self.matching(table, &filter.condition, filter.top);
        }
        let mut columns = Vec::new();
        for OrderBy { at, column, exact, descending } in &filter.order {
            let unknown = || Fault::UnknownColumn { column: column.clone(), table: Some(table.name.clone()) };
            let index = table.column_index(column).ok_or_else(|| fault_at(&self.text, *at, unknown()))?;
            columns.push((&table.columns()[index], *exact, *descending));
        }
        let mut rows = self.matching(table, &filter.condition, None)?;
        rows.sort_by(|&left, &right| {
            let by_column = columns.iter().map(|&(column, exact, descending)| {
                let kind = ValueType::of_column(column.kind());
                let order =
                    ordered(&Value::of_cell(column.cell(left), kind), &Value::of_cell(column.cell(right), kind), exact);
                if descending { order.reverse() } else { order }
            });
            by_column.fold(Ordering::Equal, Ordering::then)
        });
        rows.truncate(filter.top.unwrap_or(usize::MAX));
        Ok(rows)
    }

    /// Rows for which a condition is true, at most `top`; null is not true.
    fn matching(
        &self,
        table: &DataTable,
        condition: &Expression,
        top: Option<usize>,
    ) -> Result<Vec<usize>, FilterError> {
        let locate = |(at, fault): Located| fault_at(&self.text, at, fault);
        let bound = bind(condition, Some(table)).map_err(locate)?;
        let top = top.unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        for row in 0..table.rows() {
            if rows.len() >= top {
                break;
            }
            match evaluate(&bound, Some((table, row))).map_err(locate)? {
                Value::Boolean(true) => rows.push(row),
                Value::Boolean(false) | Value::Null(_) => {}
                other => {
                    let fault = Fault::Type { operation: "WHERE", left: other.kind(), right: None };
                    return Err(fault_at(&self.text, condition.at, fault));
                }
            }
        }
        Ok(rows)
    }
}

#[derive(Default)]
struct Selected {
    order: Vec<Selection>,
    seen: HashSet<Selection>,
}

impl Selected {
    fn add(&mut self, selection: Selection) {
        if self.seen.insert(selection.clone()) {
            self.order.push(selection);
        }
    }

    fn extend(&mut self, table: usize, rows: Vec<usize>) {
        for row in rows {
            self.add(Selection::Row(Row { table, row }));
        }
    }
}

/// Null comes before every value; values without an order are equal.
fn ordered(left: &Value<'_>, right: &Value<'_>, exact: bool) -> Ordering {
    match (left.is_null(), right.is_null()) {
        (false, false) => compare(left, right, exact).unwrap_or(Ordering::Equal),
        (left, right) => right.cmp(&left),
    }
}

fn id_column(table: &DataTable) -> Option<usize> {
    let named = table.column_index("SignalID").or_else(|| table.column_index("UniqueID"));
    let is_guid = |index: &usize| table.columns()[*index].kind() == ColumnType::Guid;
    let first = || table.columns().iter().position(|column| column.kind() == ColumnType::Guid);
    named.filter(is_guid).or_else(first)
}

fn id_of(table: &DataTable, row: usize) -> Option<Uuid> {
    match table.columns()[id_column(table)?].cell(row) {
        Cell::Guid(id) => Some(id),
        _ => None,
    }
}

fn row_of_id(set: &DataSet, table: usize, id: Uuid) -> Option<Row> {
    let column = &set.tables[table].columns()[id_column(&set.tables[table])?];
    let row = (0..set.tables[table].rows()).find(|&row| column.cell(row) == Cell::Guid(id))?;
    Some(Row { table, row })
}

fn rows_with_text(set: &DataSet, table: &str, column: &str, text: &str) -> Vec<usize> {
    let Some((table, column)) = set.table(table).and_then(|table| Some((table, table.column(column)?))) else {
        return Vec::new();
    };
    let matches = |&row: &usize| matches!(column.cell(row), Cell::String(cell) if cell.eq_ignore_ascii_case(text));
    (0..table.rows()).filter(matches).collect()
}
