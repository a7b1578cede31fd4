//! How a command fails: one sentence and an exit code (design section 9).

use seatkeeper_client::ClientError;

use crate::keys::KeyError;
use crate::plan::PlanError;

/// Bad input.
pub(crate) const USAGE: u8 = 2;
/// Bad input.
pub(crate) const BAD_INPUT: u8 = 65;
/// No agent, or no holder.
pub(crate) const UNAVAILABLE: u8 = 69;
/// No seat is free.
pub(crate) const NO_SEAT: u8 = 75;
/// Not permitted.
pub(crate) const NOT_PERMITTED: u8 = 77;
/// Anything else.
pub(crate) const OTHER: u8 = 1;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fail {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Fail {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(crate) fn input(text: impl Into<String>) -> Self {
        Self::new(BAD_INPUT, text)
    }

    pub(crate) fn other(text: impl Into<String>) -> Self {
        Self::new(OTHER, text)
    }
}

impl From<ClientError> for Fail {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            ClientError::NoAgent { .. } | ClientError::Broken(_) | ClientError::TimedOut(_) => UNAVAILABLE,
            ClientError::Problem(problem) => code_of_kind(&problem.kind),
            ClientError::Unreadable(_) => OTHER,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PlanError> for Fail {
    fn from(error: PlanError) -> Self {
        match &error {
            PlanError::BadInput(_) | PlanError::UnknownKey { .. } => Self::input(error.to_string()),
            PlanError::Malformed(_) | PlanError::Key(_) | PlanError::Encoding(_) => {
                Self::other(error.to_string())
            }
        }
    }
}

impl From<KeyError> for Fail {
    fn from(error: KeyError) -> Self {
        Self::other(error.to_string())
    }
}

/// The exit code of a problem's type or a refusal's code.
pub(crate) fn code_of_kind(kind: &str) -> u8 {
    match kind {
        "no-seat" | "over-limit" => NO_SEAT,
        "no-holder" | "no-site" | "unknown" => UNAVAILABLE,
        "not-permitted" | "excluded" => NOT_PERMITTED,
        "bad-request" | "invalid" | "too-large" => BAD_INPUT,
        _ => OTHER,
    }
}
