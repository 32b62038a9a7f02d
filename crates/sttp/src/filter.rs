//! Filter expressions: which signals a subscription asks for, which metadata rows a refresh wants.
//!
//! A text is parsed once ([`Filter::parse`]), then applied to a data set. Statements are separated by `;`:
//!
//! - `FILTER [TOP n] Table WHERE expression [ORDER BY [BINARY] column [ASC|DESC], ...]`
//! - a GUID (bare, in braces or in quotes), a measurement key `SOURCE:123`, a `"POINT TAG"`
//! - an expression alone: the rows of the primary table for which it is true
//!
//! Where the implementations differ, this one truncates the modulus toward zero as C does, refuses integer division by
//! zero, rounds half to even, clamps the day when months are added, counts the days of the week from Sunday = 1, and
//! takes the difference in months and years by the calendar (as the reference's SQL heritage has it). `DatePart` of a
//! week is the week of ISO 8601.

mod evaluate;
mod expression;
mod functions;
mod lexer;
mod parser;
mod select;
mod value;

pub use expression::Precedence;
pub use select::{Filter, Row, Selection};
pub use value::{Value, ValueType};

/// Where a text is wrong, and how.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct FilterError {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a filter expression.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Arguments of a function: how many it takes.
    #[error("{function} takes {takes} arguments, not {given}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// How many it takes.
        takes: &'static str,
        /// How many there are.
        given: usize,
    },
    /// A value does not convert to the type that is needed.
    #[error("\"{text}\" is no {wanted}")]
    Conversion {
        /// The value.
        text: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// Division by zero of integers or decimals, or a result that a decimal does not hold.
    #[error("division by zero or a decimal out of range")]
    Arithmetic,
    /// Nothing stands where an expression should.
    #[error("there is no expression")]
    Empty,
    /// A wildcard stands inside a LIKE pattern.
    #[error("the LIKE pattern \"{0}\" has a wildcard elsewhere than at its start or end")]
    Pattern(String),
    /// A regular expression is malformed.
    #[error("the regular expression \"{0}\" is malformed")]
    RegularExpression(String),
    /// Something else was expected here.
    #[error("expected {expected}, found {found}")]
    Syntax {
        /// What was expected.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// A function or operator would make a text that is too long.
    #[error("a text would have more than {limit} bytes")]
    TextLength {
        /// Bytes that a text may have.
        limit: usize,
    },
    /// Parentheses or operators nest too deep, or the text is too long.
    #[error("the expression is too long or nests too deep")]
    TooComplex,
    /// An operator or function does not take values of these types.
    #[error("{operation} does not take {left}{}", right.map(|right| format!(" and {right}")).unwrap_or_default())]
    Type {
        /// Operator or function.
        operation: &'static str,
        /// Type of the left or only operand.
        left: ValueType,
        /// Type of the right operand.
        right: Option<ValueType>,
    },
    /// No such column in the table.
    #[error("there is no column \"{column}\"{}", table.as_ref().map(|table| format!(" in table \"{table}\"")).unwrap_or_default())]
    UnknownColumn {
        /// The column.
        column: String,
        /// The table, where there is one.
        table: Option<String>,
    },
    /// No such function, date part or type name.
    #[error("there is no {kind} \"{name}\"")]
    UnknownName {
        /// Function, interval or type.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// No such table in the data set.
    #[error("there is no table \"{0}\"")]
    UnknownTable(String),
}

#[cfg(test)]
mod tests;
