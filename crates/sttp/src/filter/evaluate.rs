use core::cmp::Ordering;
use std::borrow::Cow;

use regex::Regex;
use rust_decimal::Decimal;

use super::Fault;
use super::expression::{BinaryOperator, Expression, Node, UnaryOperator};
use super::functions::{self, Function};
use super::value::{Value, ValueType, compare, compare_text};
use crate::data_set::DataTable;

/// A fault and the byte of the text to which it belongs.
pub(super) type Located = (usize, Fault);

/// The expression with each column's place in the table and constant regular expressions compiled.
pub(super) fn bind(expression: &Expression, table: Option<&DataTable>) -> Result<Expression, Located> {
    let at = expression.at;
    let bound = |operand: &Expression| bind(operand, table).map(Box::new);
    let node = match &expression.node {
        Node::Literal(value) => Node::Literal(value.clone()),
        Node::Field(index, kind) => Node::Field(*index, *kind),
        Node::Column(name) => {
            let place = table.and_then(|table| Some((table, table.column_index(name)?)));
            let unknown =
                || Fault::UnknownColumn { column: name.clone(), table: table.map(|table| table.name.clone()) };
            let (table, index) = place.ok_or_else(|| (at, unknown()))?;
            Node::Field(index, ValueType::of_column(table.columns()[index].kind()))
        }
        Node::Unary(operator, operand) => Node::Unary(*operator, bound(operand)?),
        Node::Binary(operator, left, right) => Node::Binary(*operator, bound(left)?, bound(right)?),
        Node::IsNull { negated, operand } => Node::IsNull { negated: *negated, operand: bound(operand)? },
        Node::In { negated, exact, operand, list } => {
            let list = list.iter().map(|item| bind(item, table)).collect::<Result<_, _>>()?;
            Node::In { negated: *negated, exact: *exact, operand: bound(operand)?, list }
        }
        Node::Like { negated, exact, operand, pattern } => {
            Node::Like { negated: *negated, exact: *exact, operand: bound(operand)?, pattern: bound(pattern)? }
        }
        Node::Call(function, arguments, _) => {
            let arguments = arguments.iter().map(|argument| bind(argument, table)).collect::<Result<Vec<_>, _>>()?;
            let regex = match (function, arguments.first().map(|first| &first.node)) {
                (Function::RegExMatch | Function::RegExVal, Some(Node::Literal(Value::String(pattern)))) => {
                    Some(Box::new(functions::regular_expression(pattern).map_err(|fault| (at, fault))?))
                }
                _ => None,
            };
            Node::Call(*function, arguments, regex)
        }
    };
    Ok(Expression::new(at, node))
}

/// The value of a bound expression for a row.
pub(super) fn evaluate<'a>(
    expression: &'a Expression,
    row: Option<(&'a DataTable, usize)>,
) -> Result<Value<'a>, Located> {
    let here = |fault| (expression.at, fault);
    match &expression.node {
        Node::Literal(value) => Ok(borrowed(value)),
        Node::Column(name) => Err(here(Fault::UnknownColumn { column: name.clone(), table: None })),
        Node::Field(index, kind) => {
            let cell = row.and_then(|(table, row)| Some(table.columns().get(*index)?.cell(row)));
            Ok(cell.map_or(Value::Null(*kind), |cell| Value::of_cell(cell, *kind)))
        }
        Node::Unary(operator, operand) => unary(*operator, evaluate(operand, row)?).map_err(here),
        Node::Binary(operator, left, right) => {
            binary(*operator, evaluate(left, row)?, evaluate(right, row)?).map_err(here)
        }
        Node::IsNull { negated, operand } => Ok(Value::Boolean(evaluate(operand, row)?.is_null() != *negated)),
        Node::In { negated, exact, operand, list } => {
            let value = evaluate(operand, row)?;
            if value.is_null() {
                return Ok(Value::Null(ValueType::Boolean));
            }
            let mut found = false;
            for item in list {
                let item = evaluate(item, row)?;
                let equal = binary(BinaryOperator::Equal { exact: *exact }, value.clone(), item).map_err(here)?;
                if equal == Value::Boolean(true) {
                    found = true;
                    break;
                }
            }
            Ok(Value::Boolean(found != *negated))
        }
        Node::Like { negated, exact, operand, pattern } => {
            let (value, pattern) = (evaluate(operand, row)?, evaluate(pattern, row)?);
            like(&value, &pattern, *exact).map_err(here).map(|matches| match matches {
                Some(matches) => Value::Boolean(matches != *negated),
                None => Value::Null(ValueType::Boolean),
            })
        }
        Node::Call(function, arguments, regex) => call(*function, arguments, regex.as_deref(), row, expression.at),
    }
}

fn call<'a>(
    function: Function,
    arguments: &'a [Expression],
    regex: Option<&Regex>,
    row: Option<(&'a DataTable, usize)>,
    at: usize,
) -> Result<Value<'a>, Located> {
    // Of IIf only the branch that is taken is looked at.
    if let (Function::IIf, [test, yes, no]) = (function, arguments) {
        let test = evaluate(test, row)?;
        return match test {
            Value::Boolean(true) => evaluate(yes, row),
            Value::Boolean(false) | Value::Null(ValueType::Boolean) => evaluate(no, row),
            other => Err((at, Fault::Type { operation: "IIf", left: other.kind(), right: None })),
        };
    }
    let values = arguments.iter().map(|argument| evaluate(argument, row)).collect::<Result<Vec<_>, _>>()?;
    functions::call(function, values, regex).map_err(|fault| (at, fault))
}

fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::String(text) => Value::String(Cow::Borrowed(text)),
        other => other.clone(),
    }
}

fn unary(operator: UnaryOperator, value: Value<'_>) -> Result<Value<'_>, Fault> {
    let operation = match operator {
        UnaryOperator::Plus => "unary +",
        UnaryOperator::Minus => "unary -",
        UnaryOperator::Complement => "~",
        UnaryOperator::Not => "NOT",
    };
    match (operator, value) {
        (_, Value::Null(kind)) => Ok(Value::Null(kind)),
        (UnaryOperator::Plus, value) if value.kind().is_numeric() => Ok(value),
        (UnaryOperator::Minus, Value::Boolean(value)) => Ok(Value::Int32(-i32::from(value))),
        (UnaryOperator::Minus, Value::Int32(value)) => Ok(Value::Int32(value.wrapping_neg())),
        (UnaryOperator::Minus, Value::Int64(value)) => Ok(Value::Int64(value.wrapping_neg())),
        (UnaryOperator::Minus, Value::Decimal(value)) => Ok(Value::Decimal(-value)),
        (UnaryOperator::Minus, Value::Double(value)) => Ok(Value::Double(-value)),
        (UnaryOperator::Complement | UnaryOperator::Not, Value::Boolean(value)) => Ok(Value::Boolean(!value)),
        (UnaryOperator::Complement, Value::Int32(value)) => Ok(Value::Int32(!value)),
        (UnaryOperator::Complement, Value::Int64(value)) => Ok(Value::Int64(!value)),
        (_, value) => Err(Fault::Type { operation, left: value.kind(), right: None }),
    }
}

/// Applies an operator; null with anything is null.
pub(super) fn binary<'a>(operator: BinaryOperator, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Fault> {
    use BinaryOperator as Op;
    let (left_kind, right_kind) = (left.kind(), right.kind());
    let type_fault = Fault::Type { operation: operator.symbol(), left: left_kind, right: Some(right_kind) };
    match operator {
        Op::And | Op::Or => match (left, right) {
            (Value::Boolean(left), Value::Boolean(right)) => {
                Ok(Value::Boolean(if operator == Op::And { left && right } else { left || right }))
            }
            _ if left_kind == ValueType::Boolean && right_kind == ValueType::Boolean => {
                Ok(Value::Null(ValueType::Boolean))
            }
            _ => Err(type_fault),
        },
        Op::Equal { .. } | Op::NotEqual { .. } | Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
            comparison(operator, left, right).ok_or(type_fault)?
        }
        Op::Add if left_kind == ValueType::String || right_kind == ValueType::String => {
            if left.is_null() || right.is_null() {
                return Ok(Value::Null(ValueType::String));
            }
            let text = format!("{left}{right}");
            functions::bounded(text.len())?;
            Ok(Value::String(Cow::Owned(text)))
        }
        _ => {
            let integers_only =
                matches!(operator, Op::Modulus | Op::BitAnd | Op::BitOr | Op::BitXor | Op::ShiftLeft | Op::ShiftRight);
            let takes = |kind: ValueType| if integers_only { kind.is_integer() } else { kind.is_numeric() };
            if !takes(left_kind) || !takes(right_kind) {
                return Err(type_fault);
            }
            arithmetic(operator, left, right)
        }
    }
}

/// Compares after conversion to a common type; `None` where there is none.
fn comparison<'a>(operator: BinaryOperator, left: Value<'a>, right: Value<'a>) -> Option<Result<Value<'a>, Fault>> {
    use BinaryOperator as Op;
    let common = match (left.kind(), right.kind()) {
        (left, right) if left == right => left,
        // Text on the left makes it a comparison of texts.
        (ValueType::String, ValueType::Guid) => ValueType::Guid,
        (ValueType::String, ValueType::DateTime) => ValueType::DateTime,
        (ValueType::String, _) => ValueType::String,
        (left @ (ValueType::Guid | ValueType::DateTime), ValueType::String) => left,
        (ValueType::Double, ValueType::String) => ValueType::Double,
        (left, ValueType::String) if left.is_numeric() => ValueType::Decimal,
        (left, right) if left.is_numeric() && right.is_numeric() => left.max(right),
        // Null of any type may stand beside anything.
        _ if left.is_null() || right.is_null() => return Some(Ok(Value::Null(ValueType::Boolean))),
        _ => return None,
    };
    if left.is_null() || right.is_null() {
        return Some(Ok(Value::Null(ValueType::Boolean)));
    }
    let (left, right) = match (left.convert(common), right.convert(common)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(fault), _) | (_, Err(fault)) => return Some(Err(fault)),
    };
    let exact = matches!(operator, Op::Equal { exact: true } | Op::NotEqual { exact: true });
    let order = compare(&left, &right, exact);
    Some(Ok(Value::Boolean(match operator {
        Op::Equal { .. } => order == Some(Ordering::Equal),
        Op::NotEqual { .. } => order != Some(Ordering::Equal),
        Op::Less => order == Some(Ordering::Less),
        Op::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })))
}

/// Arithmetic and bit operators in the larger of the two types; integers wrap.
fn arithmetic<'a>(operator: BinaryOperator, left: Value<'a>, right: Value<'a>) -> Result<Value<'a>, Fault> {
    let is_shift = matches!(operator, BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight);
    let is_bitwise = matches!(operator, BinaryOperator::BitAnd | BinaryOperator::BitOr | BinaryOperator::BitXor);
    let common = if is_shift { left.kind() } else { left.kind().max(right.kind()) };
    let common = if is_bitwise { common } else { common.max(ValueType::Int32) };
    if left.is_null() || right.is_null() {
        return Ok(Value::Null(common));
    }
    let right = right.convert(if is_shift { ValueType::Int64 } else { common })?;
    match (left.convert(common)?, right) {
        (Value::Boolean(left), Value::Boolean(right)) => Ok(Value::Boolean(match operator {
            BinaryOperator::BitAnd => left & right,
            BinaryOperator::BitOr => left | right,
            _ => left ^ right,
        })),
        (Value::Int32(left), Value::Int64(count)) => Ok(Value::Int32(shift(operator, left.into(), count, 32) as i32)),
        (Value::Int64(left), Value::Int64(count)) if is_shift => Ok(Value::Int64(shift(operator, left, count, 64))),
        (Value::Int32(left), Value::Int32(right)) => {
            integers(operator, left.into(), right.into()).map(|value| Value::Int32(value as i32))
        }
        (Value::Int64(left), Value::Int64(right)) => integers(operator, left, right).map(Value::Int64),
        (Value::Decimal(left), Value::Decimal(right)) => decimals(operator, left, right).map(Value::Decimal),
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(match operator {
            BinaryOperator::Add => left + right,
            BinaryOperator::Subtract => left - right,
            BinaryOperator::Multiply => left * right,
            _ => left / right,
        })),
        (left, right) => {
            Err(Fault::Type { operation: operator.symbol(), left: left.kind(), right: Some(right.kind()) })
        }
    }
}

fn integers(operator: BinaryOperator, left: i64, right: i64) -> Result<i64, Fault> {
    Ok(match operator {
        BinaryOperator::Add => left.wrapping_add(right),
        BinaryOperator::Subtract => left.wrapping_sub(right),
        BinaryOperator::Multiply => left.wrapping_mul(right),
        BinaryOperator::BitAnd => left & right,
        BinaryOperator::BitOr => left | right,
        BinaryOperator::BitXor => left ^ right,
        _ if right == 0 => return Err(Fault::Arithmetic),
        BinaryOperator::Divide => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })
}

fn decimals(operator: BinaryOperator, left: Decimal, right: Decimal) -> Result<Decimal, Fault> {
    match operator {
        BinaryOperator::Add => left.checked_add(right),
        BinaryOperator::Subtract => left.checked_sub(right),
        BinaryOperator::Multiply => left.checked_mul(right),
        _ => left.checked_div(right),
    }
    .ok_or(Fault::Arithmetic)
}

/// A count below 0 counts from the width down, one of the width or more shifts everything out.
fn shift(operator: BinaryOperator, value: i64, count: i64, width: i64) -> i64 {
    let count = if count < 0 { count.saturating_add(width) } else { count };
    match (operator, u32::try_from(count)) {
        (BinaryOperator::ShiftLeft, Ok(count)) if i64::from(count) < width => value << count,
        (BinaryOperator::ShiftLeft, _) => 0,
        (_, Ok(count)) if i64::from(count) < width => value >> count,
        _ => value >> 63,
    }
}

const WILDCARDS: [char; 2] = ['%', '*'];

/// Whether a text matches a pattern with a wildcard, `%` or `*`, at its start, its end or both.
fn like(value: &Value<'_>, pattern: &Value<'_>, exact: bool) -> Result<Option<bool>, Fault> {
    let fault = || Fault::Type { operation: "LIKE", left: value.kind(), right: Some(pattern.kind()) };
    let (Value::String(value), Value::String(pattern)) = (value, pattern) else {
        let is_text = |value: &Value<'_>| value.kind() == ValueType::String || value.is_null();
        return if is_text(value) && is_text(pattern) { Ok(None) } else { Err(fault()) };
    };
    let (open_start, middle) = pattern.strip_prefix(WILDCARDS).map_or((false, &**pattern), |rest| (true, rest));
    let (open_end, middle) = middle.strip_suffix(WILDCARDS).map_or((false, middle), |rest| (true, rest));
    if middle.contains(WILDCARDS) {
        return Err(Fault::Pattern(pattern.to_string()));
    }
    if exact {
        return Ok(Some(match (open_start, open_end) {
            (false, false) => value == middle,
            (false, true) => value.starts_with(middle),
            (true, false) => value.ends_with(middle),
            (true, true) => value.contains(middle),
        }));
    }
    if !open_start && !open_end {
        return Ok(Some(compare_text(value, middle, false) == Ordering::Equal));
    }
    let (value, middle) = (functions::lower(value), functions::lower(middle));
    Ok(Some(match (open_start, open_end) {
        (false, _) => value.starts_with(&*middle),
        (true, false) => value.ends_with(&*middle),
        (true, true) => value.contains(&*middle),
    }))
}
