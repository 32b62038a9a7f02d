use regex::Regex;

use super::functions::Function;
use super::value::{Value, ValueType};

/// How operators bind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Precedence {
    /// As all implementations do: every arithmetic operator alike and from left to right, then every bitwise one, then
    /// comparisons, then AND and OR alike. `2 + 3 * 4` is 20.
    #[default]
    Compat,
    /// As elsewhere: products before sums, AND before OR. `2 + 3 * 4` is 14.
    Standard,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum UnaryOperator {
    Plus,
    Minus,
    /// `~` and `!`: the complement of a truth value or of an integer's bits.
    Complement,
    /// `NOT`: of a truth value only.
    Not,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BinaryOperator {
    Multiply,
    Divide,
    Modulus,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    BitAnd,
    BitOr,
    BitXor,
    Equal { exact: bool },
    NotEqual { exact: bool },
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

impl BinaryOperator {
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulus => "%",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::Equal { exact: false } => "=",
            Self::Equal { exact: true } => "===",
            Self::NotEqual { exact: false } => "<>",
            Self::NotEqual { exact: true } => "!==",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::And => "AND",
            Self::Or => "OR",
        }
    }

    /// How tightly it binds: a larger number binds tighter.
    pub(super) const fn binding(self, precedence: Precedence) -> u8 {
        let standard = match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal { .. }
            | Self::NotEqual { .. }
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual => COMPARISON,
            Self::BitOr => 5,
            Self::BitXor => 6,
            Self::BitAnd => 7,
            Self::ShiftLeft | Self::ShiftRight => 8,
            Self::Add | Self::Subtract => 9,
            Self::Multiply | Self::Divide | Self::Modulus => 10,
        };
        match (precedence, standard) {
            (Precedence::Standard, _) | (_, COMPARISON) => standard,
            (Precedence::Compat, 1 | 2) => 1,
            (Precedence::Compat, 5..=8) => 5,
            (Precedence::Compat, _) => 9,
        }
    }
}

/// Of comparisons, LIKE, IN and IS NULL.
pub(super) const COMPARISON: u8 = 4;

/// An expression and the byte of the text at which its operator or name stands.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) at: usize,
    pub(super) node: Node,
    /// Levels of the tree; the parser caps them, so that walking it cannot exhaust the stack.
    pub(super) depth: usize,
}

impl Expression {
    pub(super) fn new(at: usize, node: Node) -> Self {
        let depth = match &node {
            Node::Literal(_) | Node::Column(_) | Node::Field(..) => 0,
            Node::Unary(_, operand) | Node::IsNull { operand, .. } => operand.depth,
            Node::Binary(_, left, right) => left.depth.max(right.depth),
            Node::In { operand, list, .. } => list.iter().map(|item| item.depth).fold(operand.depth, usize::max),
            Node::Like { operand, pattern, .. } => operand.depth.max(pattern.depth),
            Node::Call(_, arguments, _) => arguments.iter().map(|argument| argument.depth).max().unwrap_or(0),
        };
        Self { at, node, depth: depth + 1 }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Literal(Value<'static>),
    /// A column by name.
    Column(String),
    /// A column by its place in the table to which the expression is bound.
    Field(usize, ValueType),
    Unary(UnaryOperator, Box<Expression>),
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    IsNull {
        negated: bool,
        operand: Box<Expression>,
    },
    In {
        negated: bool,
        exact: bool,
        operand: Box<Expression>,
        list: Vec<Expression>,
    },
    Like {
        negated: bool,
        exact: bool,
        operand: Box<Expression>,
        pattern: Box<Expression>,
    },
    /// A call; the regular expression of a constant pattern is compiled when the expression is bound.
    Call(Function, Vec<Expression>, Option<Box<Regex>>),
}
