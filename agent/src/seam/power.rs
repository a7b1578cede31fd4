//! What becomes of the machine: it sleeps and wakes, or is switched off.

use std::fmt;

/// A change of the machine's power that its system tells beforehand.
#[derive(Debug)]
pub enum PowerChange {
    /// It is about to sleep or to be switched off, and waits for as long as the delay lives, some seconds at most.
    Goes(Delay),
    /// It is awake again, or stays after all.
    Stays,
}

/// Keeps the machine from going until it is dropped.
pub struct Delay(#[allow(dead_code, reason = "what counts is that it lives")] Box<dyn Send + Sync>);

impl Delay {
    /// A delay that lasts as long as `lock` lives.
    pub fn new(lock: impl Send + Sync + 'static) -> Self {
        Self(Box::new(lock))
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delay")
    }
}
