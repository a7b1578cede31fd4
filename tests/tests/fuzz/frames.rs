//! What stands in a frame between agents: every message, read from whatever bytes.

use std::fmt::Debug;

use seatkeeper_protocol::frame::{self, FrameError};
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::wire::{FromPeer, JoinRequest, JoinResponse, Opening, Request, Response, ToPeer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::heap;
use crate::samples::{self, SIGNED_WORDS};
use crate::target::{Target, has_samples};

/// What a list may make us allocate on its word alone: serde trusts a length up to this many bytes.
pub(crate) const TRUSTED_BYTES: usize = 1024 * 1024;
/// What a list takes in memory is at most this many times what it takes in a frame: its items are wider, and it
/// doubles as it grows.
pub(crate) const WIDER: usize = 64;

const _: () = assert!(TRUSTED_BYTES < SESSION_FRAME_BYTES_MAX, "a claim costs less than a frame");

#[test]
fn frames() {
    Target { name: "frames", words: SIGNED_WORDS, runs: 20000, check }.run();
}

fn check(bytes: &[u8]) {
    let Some((header, rest)) = bytes.split_first_chunk() else { return };
    match frame::length(*header, SESSION_FRAME_BYTES_MAX) {
        Ok(len) => assert!((1..=SESSION_FRAME_BYTES_MAX).contains(&len)),
        Err(FrameError::TooLong { len, max }) => assert!(len > max),
        Err(FrameError::Short) => assert_eq!(*header, [0; 4]),
        Err(other) => panic!("not of a length: {other}"),
    }
    message::<Opening>(rest);
    message::<ToPeer>(rest);
    message::<FromPeer>(rest);
    message::<Request>(rest);
    message::<Response>(rest);
    message::<JoinRequest>(rest);
    message::<JoinResponse>(rest);
}

fn message<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let (read, most) = heap::peak(|| frame::decode::<T>(bytes));
    assert!(most <= TRUSTED_BYTES + WIDER * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    match read {
        Ok(message) => {
            let frame = frame::encode(&message, SESSION_FRAME_BYTES_MAX).expect("what was read fits");
            assert!(frame.len() - 4 <= bytes.len(), "what we write is the shortest form");
            let again: T = frame::decode(&frame[4..]).expect("what we write can be read");
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
            assert_eq!(frame::encode(&again, SESSION_FRAME_BYTES_MAX), Ok(frame));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn corpora() {
    has_samples("frames", &samples::frames());
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let (refused, most) = heap::peak(|| frame::length(u32::MAX.to_le_bytes(), SESSION_FRAME_BYTES_MAX));
    let too_long = FrameError::TooLong { len: 0xffff_ffff, max: SESSION_FRAME_BYTES_MAX };
    assert_eq!((refused, most), (Err(too_long), 0));
    // A pong that claims to list four billion sessions.
    let pong = [&[frame::VERSION, 2, 1, 1][..], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    let (refused, most) = heap::peak(|| frame::decode::<FromPeer>(&pong));
    assert!(matches!(refused, Err(FrameError::Malformed(_))));
    assert!(most <= TRUSTED_BYTES, "{most} bytes");
}
