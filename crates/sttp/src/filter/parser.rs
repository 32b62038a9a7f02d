use core::ops::ControlFlow;

use uuid::Uuid;

use super::expression::{BinaryOperator, COMPARISON, Expression, Node, Precedence, UnaryOperator};
use super::functions::Function;
use super::lexer::{Placed, Token, fault_at, tokens};
use super::value::{Value, ValueType, parse_guid};
use super::{Fault, FilterError};

/// Parentheses and operators may nest this deep, so that hostile text cannot exhaust the stack.
const DEPTH_LIMIT: usize = 100;

/// Levels of an expression's tree, of which a chain of n operators makes n.
const TREE_LIMIT: usize = 2000;

/// One statement of a filter.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Guid(Uuid),
    /// A measurement key.
    Key(String),
    Tag(String),
    Filter(TableFilter),
    /// The rows of the primary table for which it is true.
    Expression(Expression),
}

#[derive(Clone, Debug)]
pub(super) struct TableFilter {
    pub(super) at: usize,
    pub(super) table: String,
    /// `None` without TOP or with a negative one.
    pub(super) top: Option<usize>,
    pub(super) condition: Expression,
    pub(super) order: Vec<OrderBy>,
}

#[derive(Clone, Debug)]
pub(super) struct OrderBy {
    pub(super) at: usize,
    pub(super) column: String,
    pub(super) exact: bool,
    pub(super) descending: bool,
}

pub(super) fn parse(text: &str, precedence: Precedence) -> Result<Vec<Statement>, FilterError> {
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0, precedence, depth: 0 };
    let mut statements = Vec::new();
    loop {
        while parser.take_symbol(";") {}
        if parser.peek() == &Token::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
        if !parser.take_symbol(";") && parser.peek() != &Token::End {
            return Err(parser.unexpected("an operator or ;"));
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    next: usize,
    precedence: Precedence,
    depth: usize,
}

type Parsed<T> = Result<T, FilterError>;

impl Parser<'_> {
    fn statement(&mut self) -> Parsed<Statement> {
        let is_alone = matches!(self.tokens.get(self.next + 1), Some((Token::Symbol(";") | Token::End, _)));
        match self.peek() {
            Token::Literal(Value::Guid(guid)) if is_alone => {
                let guid = *guid;
                self.next += 1;
                Ok(Statement::Guid(guid))
            }
            Token::Literal(Value::String(text)) if is_alone && parse_guid(text).is_some() => {
                let guid = parse_guid(text).unwrap_or_default();
                self.next += 1;
                Ok(Statement::Guid(guid))
            }
            Token::Key(key) => {
                let key = key.clone();
                self.next += 1;
                Ok(Statement::Key(key))
            }
            Token::Tag(tag) => {
                let tag = tag.clone();
                self.next += 1;
                Ok(Statement::Tag(tag))
            }
            Token::Word(word) if word.eq_ignore_ascii_case("FILTER") => self.filter().map(Statement::Filter),
            _ => self.expression(0).map(Statement::Expression),
        }
    }

    fn filter(&mut self) -> Parsed<TableFilter> {
        self.next += 1;
        let top = if self.take_word("TOP") { self.top()? } else { None };
        let at = self.at();
        let table = self.name("a table")?;
        if !self.take_word("WHERE") {
            return Err(self.unexpected("WHERE"));
        }
        let condition = self.expression(0)?;
        let mut order = Vec::new();
        if self.take_word("ORDER") {
            if !self.take_word("BY") {
                return Err(self.unexpected("BY"));
            }
            loop {
                let exact = self.take_word("BINARY") || self.take_symbol("===");
                let at = self.at();
                let column = self.name("a column")?;
                let descending = !self.take_word("ASC") && self.take_word("DESC");
                order.push(OrderBy { at, column, exact, descending });
                if !self.take_symbol(",") {
                    break;
                }
            }
        }
        Ok(TableFilter { at, table, top, condition, order })
    }

    fn top(&mut self) -> Parsed<Option<usize>> {
        let is_negative = self.take_symbol("-");
        if !is_negative {
            self.take_symbol("+");
        }
        let Token::Literal(Value::Int32(count)) = *self.peek() else {
            return Err(self.unexpected("a count"));
        };
        self.next += 1;
        Ok(if is_negative { None } else { usize::try_from(count).ok() })
    }

    /// An expression whose operators all bind at least as tightly as `binding`.
    fn expression(&mut self, binding: u8) -> Parsed<Expression> {
        self.depth += 1;
        if self.depth > DEPTH_LIMIT {
            return Err(fault_at(self.text, self.at(), Fault::TooComplex));
        }
        let mut left = self.operand(binding)?;
        loop {
            match self.join(left, binding)? {
                ControlFlow::Continue(joined) => left = joined,
                ControlFlow::Break(whole) => {
                    self.depth -= 1;
                    return Ok(whole);
                }
            }
        }
    }

    /// Joins `left` with the operator behind it; breaks with it where none follows that binds enough.
    fn join(&mut self, left: Expression, binding: u8) -> Parsed<ControlFlow<Expression, Expression>> {
        let at = self.at();
        if left.depth > TREE_LIMIT {
            return Err(fault_at(self.text, at, Fault::TooComplex));
        }
        if let Some(operator) = self.binary_operator() {
            let strength = operator.binding(self.precedence);
            if strength < binding {
                return Ok(ControlFlow::Break(left));
            }
            self.next += 1;
            let right = self.expression(strength + 1)?;
            let node = Node::Binary(operator, Box::new(left), Box::new(right));
            return Ok(ControlFlow::Continue(Expression::new(at, node)));
        }
        if binding > COMPARISON {
            return Ok(ControlFlow::Break(left));
        }
        let start = self.next;
        let is_null = self.take_word("IS");
        let negated = self.take_word("NOT");
        let node = if is_null {
            if !self.take_word("NULL") {
                return Err(self.unexpected("NULL"));
            }
            Node::IsNull { negated, operand: Box::new(left) }
        } else if self.take_word("IN") {
            let exact = self.take_word("BINARY") || self.take_symbol("===");
            self.require("(")?;
            Node::In { negated, exact, operand: Box::new(left), list: self.list()? }
        } else if self.take_word("LIKE") {
            let exact = self.take_word("BINARY") || self.take_symbol("===");
            let pattern = Box::new(self.expression(COMPARISON + 1)?);
            Node::Like { negated, exact, operand: Box::new(left), pattern }
        } else {
            self.next = start;
            return Ok(ControlFlow::Break(left));
        };
        Ok(ControlFlow::Continue(Expression::new(at, node)))
    }

    fn operand(&mut self, binding: u8) -> Parsed<Expression> {
        let at = self.at();
        if binding <= COMPARISON && self.take_word("NOT") {
            // NOT takes one comparison, not what AND or OR join to it.
            let operand = self.expression(COMPARISON)?;
            return Ok(Expression::new(at, Node::Unary(UnaryOperator::Not, Box::new(operand))));
        }
        let token = self.peek().clone();
        self.next += 1;
        let node = match token {
            Token::Literal(value) => Node::Literal(value),
            Token::Name(name) => Node::Column(name),
            Token::Symbol("(") => {
                let inner = self.expression(0)?;
                // The reference's parser supplies parentheses that are missing at the end.
                if self.precedence == Precedence::Standard || self.peek() != &Token::End {
                    self.require(")")?;
                }
                return Ok(inner);
            }
            Token::Symbol(symbol @ ("+" | "-" | "~" | "!")) => {
                let operator = match symbol {
                    "+" => UnaryOperator::Plus,
                    "-" => UnaryOperator::Minus,
                    _ => UnaryOperator::Complement,
                };
                Node::Unary(operator, Box::new(self.expression(u8::MAX)?))
            }
            Token::Word(word) => match word.to_ascii_uppercase().as_str() {
                "TRUE" => Node::Literal(Value::Boolean(true)),
                "FALSE" => Node::Literal(Value::Boolean(false)),
                "NULL" => Node::Literal(Value::Null(ValueType::Boolean)),
                _ if self.peek() == &Token::Symbol("(") => self.call(&word, at)?,
                _ => Node::Column(word),
            },
            _ => {
                self.next -= 1;
                return Err(if token == Token::End && self.next == 0 {
                    fault_at(self.text, at, Fault::Empty)
                } else {
                    self.unexpected("a value")
                });
            }
        };
        Ok(Expression::new(at, node))
    }

    fn call(&mut self, name: &str, at: usize) -> Parsed<Node> {
        let unknown = || Fault::UnknownName { kind: "function", name: name.to_owned() };
        let function = Function::from_name(name).ok_or_else(|| fault_at(self.text, at, unknown()))?;
        self.next += 1;
        let arguments = if self.take_symbol(")") { Vec::new() } else { self.list()? };
        function.check(arguments.len()).map_err(|fault| fault_at(self.text, at, fault))?;
        Ok(Node::Call(function, arguments, None))
    }

    /// Expressions separated by commas, and the closing parenthesis.
    fn list(&mut self) -> Parsed<Vec<Expression>> {
        let mut list = vec![self.expression(0)?];
        while self.take_symbol(",") {
            list.push(self.expression(0)?);
        }
        self.require(")")?;
        Ok(list)
    }

    fn binary_operator(&self) -> Option<BinaryOperator> {
        Some(match self.peek() {
            Token::Symbol("*") => BinaryOperator::Multiply,
            Token::Symbol("/") => BinaryOperator::Divide,
            Token::Symbol("%") => BinaryOperator::Modulus,
            Token::Symbol("+") => BinaryOperator::Add,
            Token::Symbol("-") => BinaryOperator::Subtract,
            Token::Symbol("<<") => BinaryOperator::ShiftLeft,
            Token::Symbol(">>") => BinaryOperator::ShiftRight,
            Token::Symbol("&") => BinaryOperator::BitAnd,
            Token::Symbol("|") => BinaryOperator::BitOr,
            Token::Symbol("^") => BinaryOperator::BitXor,
            Token::Symbol("=" | "==") => BinaryOperator::Equal { exact: false },
            Token::Symbol("===") => BinaryOperator::Equal { exact: true },
            Token::Symbol("<>" | "!=") => BinaryOperator::NotEqual { exact: false },
            Token::Symbol("!==") => BinaryOperator::NotEqual { exact: true },
            Token::Symbol("<") => BinaryOperator::Less,
            Token::Symbol("<=") => BinaryOperator::LessOrEqual,
            Token::Symbol(">") => BinaryOperator::Greater,
            Token::Symbol(">=") => BinaryOperator::GreaterOrEqual,
            Token::Symbol("&&") => BinaryOperator::And,
            Token::Symbol("||") => BinaryOperator::Or,
            Token::Word(word) if word.eq_ignore_ascii_case("AND") => BinaryOperator::And,
            Token::Word(word) if word.eq_ignore_ascii_case("OR") => BinaryOperator::Or,
            Token::Word(word) if word.eq_ignore_ascii_case("XOR") => BinaryOperator::BitXor,
            _ => return None,
        })
    }

    fn name(&mut self, what: &'static str) -> Parsed<String> {
        let (Token::Word(name) | Token::Name(name)) = self.peek().clone() else {
            return Err(self.unexpected(what));
        };
        self.next += 1;
        Ok(name)
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.text.len(), |&(_, at)| at)
    }

    fn take_word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        self.next += usize::from(found);
        found
    }

    fn require(&mut self, symbol: &'static str) -> Parsed<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(symbol)) }
    }

    fn unexpected(&self, expected: &'static str) -> FilterError {
        fault_at(self.text, self.at(), Fault::Syntax { expected, found: self.peek().describe() })
    }
}
