use core::str::FromStr;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::value::Value;
use super::{Fault, FilterError};
use crate::data_set::DateTime;

/// Bytes of a filter that are looked at.
const LENGTH_LIMIT: usize = 1 << 20;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A bare word: keyword, column, table or function.
    Word(String),
    /// A name in `` `back quotes` `` or `[brackets]`: never a keyword.
    Name(String),
    /// Text in double quotes: a point tag.
    Tag(String),
    /// `SOURCE:123`.
    Key(String),
    Literal(Value<'static>),
    Symbol(&'static str),
    End,
}

impl Token {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Tag(text) | Self::Key(text) => format!("\"{text}\""),
            Self::Literal(value) => format!("\"{value}\""),
            Self::Symbol(text) => format!("\"{text}\""),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Longest first, so that `===` is not `==` and `=`.
const SYMBOLS: [&str; 28] = [
    "===", "!==", "<=", ">=", "<>", "!=", "==", "&&", "||", "<<", ">>", "=", "<", ">", "+", "-", "*", "/", "%", "&",
    "|", "^", "~", "!", "(", ")", ",", ";",
];

/// A token and the byte at which it starts.
pub(super) type Placed = (Token, usize);

/// The tokens of a text, [`Token::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, FilterError> {
    if text.len() > LENGTH_LIMIT {
        return Err(fault_at(text, LENGTH_LIMIT, Fault::TooComplex));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = skip_blank(text, at) {
        let (token, end) = token(text, next).map_err(|fault| fault_at(text, next, fault))?;
        found.push((token, next));
        at = end;
    }
    found.push((Token::End, text.len()));
    Ok(found)
}

/// An error at a byte of a text.
pub(super) fn fault_at(text: &str, at: usize, fault: Fault) -> FilterError {
    let before = text.char_indices().take_while(|&(index, _)| index < at);
    let (line, column) = before.fold(
        (1, 1),
        |(line, column), (_, character)| {
            if character == '\n' { (line + 1, 1) } else { (line, column + 1) }
        },
    );
    FilterError { line, column, fault }
}

/// Where the next token starts behind white space and comments; `None` at the end.
fn skip_blank(text: &str, mut at: usize) -> Option<usize> {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        let skipped = if trimmed.starts_with("--") {
            trimmed.find('\n').unwrap_or(trimmed.len())
        } else if trimmed.starts_with("/*") {
            trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
        } else {
            return (!trimmed.is_empty()).then_some(at);
        };
        at += skipped;
    }
}

fn token(text: &str, at: usize) -> Result<(Token, usize), Fault> {
    let rest = &text[at..];
    if let Some((guid, length)) = guid(rest) {
        return Ok((Token::Literal(Value::Guid(guid)), at + length));
    }
    match rest.as_bytes()[0] {
        b'\'' => quoted(rest, '\'').map(|(value, length)| (Token::Literal(Value::String(value.into())), at + length)),
        b'"' => quoted(rest, '"').map(|(value, length)| (Token::Tag(value), at + length)),
        b'`' => enclosed(rest, '`', "a closing `").map(|(name, length)| (Token::Name(name.to_owned()), at + length)),
        b'[' => enclosed(rest, ']', "a closing ]").map(|(name, length)| (Token::Name(name.to_owned()), at + length)),
        b'#' => {
            let (date, length) = enclosed(rest, '#', "a closing #")?;
            let wrong = || Fault::Conversion { text: date.to_owned(), wanted: "DateTime" };
            let value = DateTime::parse(date).ok_or_else(wrong)?;
            Ok((Token::Literal(Value::DateTime(value)), at + length))
        }
        b'0'..=b'9' | b'.' => number(rest).map(|(value, length)| (Token::Literal(value), at + length)),
        first if first.is_ascii_alphabetic() || first == b'_' => {
            let word = span(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let after = rest[word..].strip_prefix(':').map_or(0, |digits| span(digits, |byte| byte.is_ascii_digit()));
            if after > 0 {
                let end = word + 1 + after;
                return Ok((Token::Key(rest[..end].to_owned()), at + end));
            }
            Ok((Token::Word(rest[..word].to_owned()), at + word))
        }
        _ => {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            symbol.map(|symbol| (Token::Symbol(symbol), at + symbol.len())).ok_or_else(|| Fault::Syntax {
                expected: "a name, a value or an operator",
                found: format!("\"{}\"", rest.chars().take(1).collect::<String>()),
            })
        }
    }
}

/// A GUID at the start, bare or in braces, and its length.
fn guid(rest: &str) -> Option<(Uuid, usize)> {
    let (inner, braces) = rest.strip_prefix('{').map_or((rest, 0), |inner| (inner, 2));
    let bare = inner.get(..36)?;
    let closed = braces == 0 || inner.as_bytes().get(36) == Some(&b'}');
    let ended =
        braces == 2 || !inner.as_bytes().get(36).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let hyphens = bare.bytes().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (closed && ended && hyphens).then(|| Uuid::try_parse(bare).ok()).flatten().map(|guid| (guid, 36 + braces))
}

/// Text between quotes, a doubled quote standing for one.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), Fault> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != quote {
            value.push(character);
        } else if characters.next_if(|&(_, next)| next == quote).is_some() {
            value.push(quote);
        } else {
            return Ok((value, index + 1));
        }
    }
    Err(Fault::Syntax { expected: "a closing quote", found: "the end".to_owned() })
}

fn enclosed<'a>(rest: &'a str, close: char, expected: &'static str) -> Result<(&'a str, usize), Fault> {
    let end = rest[1..].find(close).ok_or_else(|| Fault::Syntax { expected, found: "the end".to_owned() })?;
    Ok((&rest[1..=end], end + 2))
}

/// int32 where it fits, else int64, else decimal; a dot makes a decimal, an exponent a double.
fn number(rest: &str) -> Result<(Value<'static>, usize), Fault> {
    let wrong = |text: &str| Fault::Conversion { text: text.to_owned(), wanted: "number" };
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let digits = span(hex, |byte| byte.is_ascii_hexdigit());
        let value = i64::from_str_radix(&hex[..digits], 16).map_err(|_| wrong(&rest[..2 + digits]))?;
        return Ok((integer(value), 2 + digits));
    }
    let mut end = span(rest, |byte| byte.is_ascii_digit());
    let mut is_integer = true;
    if rest[end..].starts_with('.') {
        is_integer = false;
        end += 1 + span(&rest[end + 1..], |byte| byte.is_ascii_digit());
    }
    let exponent = rest[end..].strip_prefix(['e', 'E']).map_or(0, |power| {
        let sign = usize::from(power.starts_with(['+', '-']));
        let digits = span(&power[sign..], |byte| byte.is_ascii_digit());
        if digits == 0 { 0 } else { 1 + sign + digits }
    });
    let text = &rest[..end + exponent];
    let value = if exponent > 0 {
        text.parse().map(Value::Double).map_err(|_| wrong(text))?
    } else if is_integer && let Ok(value) = text.parse() {
        integer(value)
    } else {
        Decimal::from_str(text).map(Value::Decimal).map_err(|_| wrong(text))?
    };
    Ok((value, text.len()))
}

fn integer(value: i64) -> Value<'static> {
    i32::try_from(value).map_or(Value::Int64(value), Value::Int32)
}

fn span(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| belongs(byte)).count()
}
