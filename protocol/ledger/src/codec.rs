//! Bytes of entries, commands and outcomes: postcard, bounded, versioned by their outermost enum.

use seatkeeper_protocol::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::command::{Command, Entry, Format, Outcome};

/// Why something is not in a format known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Over [`limits::COMMAND_BYTES_MAX`].
    #[error("a command has at most {} bytes", limits::COMMAND_BYTES_MAX)]
    TooLong,
    /// Not a known variant, cut short, or with bytes left over: from a newer version, or garbage.
    #[error("the bytes have a format that this version does not know")]
    Unknown,
}

/// The bytes of an outcome, by format.
#[derive(Serialize, Deserialize)]
enum OutcomeFormat {
    /// The first release's.
    V1(Outcome),
}

/// The bytes of a command alone, by format: what a device or an admin sends to the holder.
#[derive(Serialize, Deserialize)]
enum CommandFormat {
    /// The first release's.
    V1(Command),
}

/// An entry as it stands in the log.
///
/// # Errors
/// [`CodecError::TooLong`].
pub fn encode(entry: &Entry) -> Result<Vec<u8>, CodecError> {
    /// [`Format`] by reference, so that the entry needs no copy. Its variants are `Format`'s.
    #[derive(Serialize)]
    enum FormatRef<'a> {
        V1(&'a Entry),
    }
    bounded(&FormatRef::V1(entry))
}

/// Reads an entry. A replica that meets an entry it cannot read stops before it (invariant I11).
///
/// # Errors
/// When the bytes are not an entry of a known format.
pub fn decode(bytes: &[u8]) -> Result<Entry, CodecError> {
    let Format::V1(entry) = whole(bytes)?;
    Ok(entry)
}

/// A command as a device or an admin sends it.
///
/// # Errors
/// [`CodecError::TooLong`].
pub fn encode_command(command: &Command) -> Result<Vec<u8>, CodecError> {
    /// `CommandFormat` by reference.
    #[derive(Serialize)]
    enum FormatRef<'a> {
        V1(&'a Command),
    }
    bounded(&FormatRef::V1(command))
}

/// Reads a command.
///
/// # Errors
/// When the bytes are not a command of a known format.
pub fn decode_command(bytes: &[u8]) -> Result<Command, CodecError> {
    let CommandFormat::V1(command) = whole(bytes)?;
    Ok(command)
}

/// An outcome as it is sent and hashed.
///
/// # Errors
/// [`CodecError::TooLong`]; no outcome of `apply` is.
pub fn encode_outcome(outcome: &Outcome) -> Result<Vec<u8>, CodecError> {
    /// `OutcomeFormat` by reference.
    #[derive(Serialize)]
    enum FormatRef<'a> {
        V1(&'a Outcome),
    }
    bounded(&FormatRef::V1(outcome))
}

/// Reads an outcome.
///
/// # Errors
/// When the bytes are not an outcome of a known format.
pub fn decode_outcome(bytes: &[u8]) -> Result<Outcome, CodecError> {
    let OutcomeFormat::V1(outcome) = whole(bytes)?;
    Ok(outcome)
}

/// Room for the bytes of most entries and outcomes, so that they do not grow byte by byte.
pub(crate) const USUAL_BYTES: usize = 512;

fn bounded<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = Vec::with_capacity(USUAL_BYTES);
    let bytes = postcard::to_extend(value, bytes).map_err(|_| CodecError::Unknown)?;
    if bytes.len() > limits::COMMAND_BYTES_MAX { Err(CodecError::TooLong) } else { Ok(bytes) }
}

fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > limits::COMMAND_BYTES_MAX {
        return Err(CodecError::TooLong);
    }
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(CodecError::Unknown),
    }
}
