//! What every class and function of the addon goes through: panics are caught, errors carry a code.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The `code` of a JavaScript error: `ERR_<SYSTEM>_<NOUN>_<FAULT>`.
#[derive(Clone, Copy, Debug)]
pub struct Code(pub(crate) &'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

/// The result of an exported function.
pub type Result<T> = napi::Result<T, Code>;

/// An error with a code and a text.
pub(crate) fn error(code: &'static str, reason: impl ToString) -> napi::Error<Code> {
    napi::Error::new(Code(code), reason.to_string())
}

/// State that a panic poisons: every later call is refused instead of going on from half-changed state.
#[derive(Debug)]
pub(crate) struct Guarded<T> {
    inner: T,
    poisoned: bool,
}

impl<T> Guarded<T> {
    pub(crate) const fn new(inner: T) -> Self {
        Self { inner, poisoned: false }
    }

    /// Runs `work` on the state.
    pub(crate) fn call<R>(&mut self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        if self.poisoned {
            return Err(error("ERR_SESSION_CODEC_POISONED", "an earlier call panicked; make a new instance"));
        }
        catch_unwind(AssertUnwindSafe(|| work(&mut self.inner))).unwrap_or_else(|_| {
            self.poisoned = true;
            Err(error("ERR_SESSION_CODEC_POISONED", "the codec panicked: please report the bytes that it was given"))
        })
    }
}
