//! Values for tests.

use proptest::prelude::*;

use super::{Builder, ReadError, Token};
use crate::write::Write;

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(String, Self)>),
    Doubles(Vec<f64>),
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (Self::Signed(a), Self::Signed(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Doubles(a), Self::Doubles(b)) => a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits())),
            _ => false,
        }
    }
}

impl Tree {
    /// The same with arrays for columns.
    pub(crate) fn plain(&self) -> Self {
        match self {
            Self::Doubles(values) => Self::Array(values.iter().map(|&value| Self::Float(value)).collect()),
            Self::Array(items) => Self::Array(items.iter().map(Self::plain).collect()),
            Self::Map(pairs) => Self::Map(pairs.iter().map(|(key, value)| (key.clone(), value.plain())).collect()),
            other => other.clone(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Unsigned(value) => Some(*value as f64),
            Self::Signed(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Whether they differ in nothing but the way in which numbers are written.
    pub(crate) fn same_numbers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_numbers(b)),
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && a.1.same_numbers(&b.1))
            }
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
                _ => self == other,
            },
        }
    }
}

pub(crate) struct TreeBuilder;

impl Builder for TreeBuilder {
    type Value = Tree;
    type Array = Vec<Tree>;
    type Map = Vec<(String, Tree)>;
    type Error = ReadError;

    fn scalar(&mut self, token: Token<'_>) -> Result<Tree, ReadError> {
        Ok(match token {
            Token::Bool(value) => Tree::Bool(value),
            Token::Unsigned(value) => Tree::Unsigned(value),
            Token::Signed(value) => Tree::Signed(value),
            Token::Float(value) => Tree::Float(value),
            Token::Text(value) => Tree::Text(value.into_owned()),
            Token::Bytes(value) => Tree::Bytes(value.into_owned()),
            _ => Tree::Null,
        })
    }

    fn array(&mut self, length: usize) -> Result<Vec<Tree>, ReadError> {
        Ok(Vec::with_capacity(length))
    }

    fn item(&mut self, array: &mut Vec<Tree>, _index: usize, value: Tree) -> Result<(), ReadError> {
        array.push(value);
        Ok(())
    }

    fn end_array(&mut self, array: Vec<Tree>) -> Result<Tree, ReadError> {
        Ok(Tree::Array(array))
    }

    fn map(&mut self) -> Result<Self::Map, ReadError> {
        Ok(Vec::new())
    }

    fn pair(&mut self, map: &mut Self::Map, key: &str, value: Tree) -> Result<(), ReadError> {
        map.push((key.into(), value));
        Ok(())
    }

    fn end_map(&mut self, map: Self::Map) -> Result<Tree, ReadError> {
        Ok(Tree::Map(map))
    }

    fn doubles(
        &mut self,
        length: usize,
        fill: &mut dyn FnMut(&mut [f64]) -> Result<bool, ReadError>,
    ) -> Result<Option<Tree>, ReadError> {
        let mut values = vec![0.0; length];
        Ok(fill(&mut values)?.then_some(Tree::Doubles(values)))
    }
}

pub(crate) fn write_tree(writer: &mut impl Write, value: &Tree) {
    match value {
        Tree::Null => writer.null(),
        Tree::Bool(value) => writer.boolean(*value),
        Tree::Unsigned(value) => writer.unsigned(*value),
        Tree::Signed(value) => writer.signed(*value),
        Tree::Float(value) => writer.float(*value),
        Tree::Text(value) => writer.text(value),
        Tree::Bytes(value) => writer.bytes(value),
        Tree::Doubles(values) => writer.doubles(values),
        Tree::Array(items) => {
            writer.array(items.len());
            for item in items {
                write_tree(writer, item);
            }
        }
        Tree::Map(pairs) => {
            writer.map(pairs.len());
            for (key, value) in pairs {
                writer.text(key);
                write_tree(writer, value);
            }
        }
    }
}

/// Any value; integers below 0 only where they are signed.
pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<u64>().prop_map(Tree::Unsigned),
        (i64::MIN..0).prop_map(Tree::Signed),
        (0u64..300).prop_map(Tree::Unsigned),
        any::<f64>().prop_map(Tree::Float),
        ".{0,40}".prop_map(Tree::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Tree::Bytes),
        proptest::collection::vec(any::<f64>(), 0..100).prop_map(Tree::Doubles),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Tree::Array),
            proptest::collection::vec(("[a-z]{0,8}", inner), 0..20).prop_map(Tree::Map),
        ]
    })
}
