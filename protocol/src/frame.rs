//! Bounded, versioned postcard frames: a 4-byte little-endian length, a version byte, the body.
//!
//! The length counts the version byte and the body. A reader checks it before it allocates.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version of every frame of this release.
pub const VERSION: u8 = 1;
/// Bytes before the body: length and version.
pub const HEADER_BYTES: usize = 5;

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame is longer than its channel allows, in bytes.
    #[error("a frame of {len} bytes is over the limit of {max}")]
    TooLong {
        /// What the header says.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// A version this release does not know: the peer is newer or older.
    #[error("frame version {0} is not known here; update the older of the two agents")]
    UnknownVersion(u8),
    /// Bytes are left after the message.
    #[error("{0} bytes follow the message")]
    TrailingBytes(usize),
    /// The body is not the expected message.
    #[error("the frame does not hold the expected message: {0}")]
    Malformed(postcard::Error),
    /// Fewer bytes than a header.
    #[error("the frame is cut short")]
    Short,
}

/// Encodes `message` as one frame of at most `max` bytes after the length.
///
/// # Errors
/// [`FrameError::TooLong`] when it does not fit.
pub fn encode<T: Serialize>(message: &T, max: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0, 0, 0, 0, VERSION];
    bytes = postcard::to_extend(message, bytes).map_err(FrameError::Malformed)?;
    let len = bytes.len() - 4;
    match u32::try_from(len) {
        Ok(wire) if len <= max => {
            bytes.iter_mut().zip(wire.to_le_bytes()).for_each(|(to, from)| *to = from);
            Ok(bytes)
        }
        _ => Err(FrameError::TooLong { len, max }),
    }
}

/// Reads the length that a frame begins with: how many bytes follow it.
///
/// # Errors
/// [`FrameError::TooLong`] over `max`; [`FrameError::Short`] for an empty frame.
pub fn length(header: [u8; 4], max: usize) -> Result<usize, FrameError> {
    let len = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    if len > max {
        return Err(FrameError::TooLong { len, max });
    }
    if len == 0 {
        return Err(FrameError::Short);
    }
    Ok(len)
}

/// Decodes what follows the length: the version byte and the body.
///
/// # Errors
/// Any of [`FrameError`]'s.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    match bytes.split_first() {
        None => Err(FrameError::Short),
        Some((&VERSION, body)) => decode_body(body),
        Some((&other, _)) => Err(FrameError::UnknownVersion(other)),
    }
}

/// Decodes postcard and refuses trailing bytes.
///
/// # Errors
/// [`FrameError::Malformed`] or [`FrameError::TrailingBytes`].
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    match postcard::take_from_bytes(body) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(FrameError::TrailingBytes(rest.len())),
        Err(error) => Err(FrameError::Malformed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_round_trips() {
        let bytes = encode(&(1u32, "x"), 64).unwrap();
        let len = length(bytes[..4].try_into().unwrap(), 64).unwrap();
        assert_eq!(len, bytes.len() - 4);
        assert_eq!(decode::<(u32, String)>(&bytes[4..]).unwrap(), (1, "x".to_owned()));
    }

    #[test]
    fn each_way_to_be_wrong_has_its_error() {
        assert_eq!(encode(&[0u8; 32].as_slice(), 8), Err(FrameError::TooLong { len: 34, max: 8 }));
        assert_eq!(length(100u32.to_le_bytes(), 8), Err(FrameError::TooLong { len: 100, max: 8 }));
        assert_eq!(length([0; 4], 8), Err(FrameError::Short));
        assert_eq!(decode::<u8>(&[9, 1]), Err(FrameError::UnknownVersion(9)));
        assert_eq!(decode::<u8>(&[VERSION, 1, 2]), Err(FrameError::TrailingBytes(1)));
        assert!(matches!(decode::<u32>(&[VERSION]), Err(FrameError::Malformed(_))));
        assert_eq!(decode::<u8>(&[]), Err(FrameError::Short));
    }
}
