//! What every class and function of the addon goes through: panics are caught, errors carry a code.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use napi::{Env, JsError};

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

/// Work on a thread of the pool, where a panic would end the process: it is an error instead.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()))
}

/// A coded error as the JavaScript error that a promise is rejected with: napi's own has no room for the code.
pub(crate) fn settle<T>(env: Env, output: Result<T>) -> napi::Result<T> {
    output.map_err(|reason| napi::Error::from(JsError::from(reason).into_unknown(env)))
}

fn panicked() -> napi::Error<Code> {
    error("ERR_SESSION_CODEC_POISONED", "the codec panicked: please report the bytes that it was given")
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
            Err(panicked())
        })
    }
}

/// State that an instance shares with functions of its own, for what is called with every chunk.
///
/// Before a method begins, napi-rs asks for the type tag of `this` and enters the borrow into its books. A function that
/// was made with its state needs neither.
#[derive(Debug)]
pub(crate) struct Shared<T>(Rc<RefCell<Guarded<T>>>);

impl<T> Shared<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self(Rc::new(RefCell::new(Guarded::new(inner))))
    }

    /// Runs `work` on the state; it must not call JavaScript, which could come back here.
    pub(crate) fn call<R>(&self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        self.0.borrow_mut().call(work)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}
