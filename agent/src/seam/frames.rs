//! Frames on streams: a length, then a versioned postcard message, both bounded.

use std::io;

use seatkeeper_protocol::frame::{self, FrameError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameIoError {
    /// The peer ended the stream between two frames.
    #[error("the other machine ended the stream")]
    Ended,
    /// The stream broke, also in the middle of a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not the message expected.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// How much is set aside for a frame before its bytes arrive: a header alone must not cost megabytes.
const TRUSTED_BYTES: usize = 64 * 1024;

/// Reads one frame of at most `max` bytes after its length. Dropping the future loses what was read.
///
/// # Errors
/// Any of [`FrameIoError`]'s; the stream is of no further use then.
pub async fn read_frame<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    max: usize,
) -> Result<T, FrameIoError> {
    let mut header = [0; 4];
    if stream.read(&mut header[..1]).await? == 0 {
        return Err(FrameIoError::Ended);
    }
    stream.read_exact(&mut header[1..]).await?;
    let len = frame::length(header, max)?;
    let mut bytes = Vec::with_capacity(len.min(TRUSTED_BYTES));
    let limit = u64::try_from(len).unwrap_or(u64::MAX);
    stream.take(limit).read_to_end(&mut bytes).await?;
    if bytes.len() < len {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(frame::decode(&bytes)?)
}

/// Writes one frame of at most `max` bytes after its length. Dropping the future may leave half a frame behind.
///
/// # Errors
/// [`FrameIoError::Frame`] when the message is too long: nothing was written; [`FrameIoError::Io`].
pub async fn write_frame<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    message: &T,
    max: usize,
) -> Result<(), FrameIoError> {
    let bytes = frame::encode(message, max)?;
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_follow_each_other_until_the_stream_ends() {
        let (mut a, mut b) = tokio::io::duplex(16);
        let long = "x".repeat(1_000);
        let sent = long.clone();
        let writer = tokio::spawn(async move {
            write_frame(&mut a, &sent, 2_000).await.unwrap();
            write_frame(&mut a, &7u32, 2_000).await.unwrap();
        });
        assert_eq!(read_frame::<String>(&mut b, 2_000).await.unwrap(), long);
        assert_eq!(read_frame::<u32>(&mut b, 2_000).await.unwrap(), 7);
        assert!(matches!(read_frame::<u32>(&mut b, 2_000).await, Err(FrameIoError::Ended)));
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_frame_is_an_error() {
        let check = |bytes: Vec<u8>, expected: fn(&FrameIoError) -> bool| async move {
            let error = read_frame::<u32>(&mut bytes.as_slice(), 16).await.unwrap_err();
            assert!(expected(&error), "{bytes:?}: {error}");
        };
        let whole = frame::encode(&300u32, 16).unwrap();
        let cut =
            |e: &FrameIoError| matches!(e, FrameIoError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof);
        for len in 1..whole.len() {
            check(whole[..len].to_vec(), cut).await;
        }
        check(vec![255; 8], |e| matches!(e, FrameIoError::Frame(FrameError::TooLong { .. }))).await;
        check(vec![2, 0, 0, 0, 9, 1], |e| matches!(e, FrameIoError::Frame(FrameError::UnknownVersion(9))))
            .await;
        let (mut a, _b) = tokio::io::duplex(16);
        let error = write_frame(&mut a, &"too long for this".to_owned(), 4).await.unwrap_err();
        assert!(matches!(error, FrameIoError::Frame(FrameError::TooLong { .. })));
    }
}
