//! Every bound and timeout of the network edge, and the settings of the three channels.

use std::time::Duration;

use quinn::{IdleTimeout, TransportConfig, VarInt};
use seatkeeper_election::seam::Channel;
use seatkeeper_protocol::limits::{RAFT_FRAME_BYTES_MAX, SESSION_FRAME_BYTES_MAX};

/// Connections at once, in both directions.
pub(super) const CONNECTIONS_MAX: usize = 4_096;
/// Handshakes of unknown peers at once.
pub(super) const HANDSHAKES_MAX: usize = 256;
/// From so many on, a peer must first prove its address, so that forged ones don't fill the table.
pub(super) const HANDSHAKES_BUSY: usize = 64;
/// Handshakes at once from one IP address.
pub(super) const HANDSHAKES_PER_IP_MAX: usize = 32;
/// Connections that one peer may keep to us per channel; the oldest goes.
pub(super) const PER_PEER_MAX: usize = 4;
/// Connections of strangers at once: on the channel for joining, which is open to everybody. The oldest goes.
pub(super) const GUESTS_MAX: usize = 256;
/// The same from one IP address.
pub(super) const GUESTS_PER_IP_MAX: usize = 32;
const _: () = assert!(GUESTS_MAX <= CONNECTIONS_MAX / 8, "strangers leave room for the site's own machines");
/// Streams opened by peers that the agent has not taken yet; more wait in their connections.
pub(super) const INBOUND_QUEUE: usize = 256;
/// Addresses tried per device.
pub(super) const ADDRESSES_MAX: usize = 8;
/// Devices whose connections the pool remembers before it forgets dead ones.
pub(super) const POOL_TIDY_AT: usize = 1_024;
/// The longest reason in words, bytes: it must fit into one packet.
const REASON_BYTES_MAX: usize = 512;

/// From the first packet to the welcome.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);
/// A connection of a stranger ends after so long, whatever it is used for: joining is one question.
pub(super) const GUEST: Duration = Duration::from_secs(30);
/// A call that only looks whether somebody answers.
pub(super) const CALL: Duration = Duration::from_secs(3);
/// After so long without success the next address is tried as well.
pub(super) const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(100);
/// A connection without streams is closed by its dialer after so long.
pub(super) const UNUSED_FOR: Duration = Duration::from_secs(5);
/// How long a shutdown waits for peers to have heard of it.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// The kernel's buffers of the port.
pub(super) const SOCKET_BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Closed: no longer needed, revoked or stopping; the reason says which.
pub(super) const CODE_CLOSED: VarInt = VarInt::from_u32(1);
/// The gate refused; the reason is its words.
pub(super) const CODE_REFUSED: VarInt = VarInt::from_u32(2);
/// The dialer looked for another device.
pub(super) const CODE_OTHER_DEVICE: VarInt = VarInt::from_u32(3);
/// The peer has newer connections.
pub(super) const CODE_REPLACED: VarInt = VarInt::from_u32(4);

const KIB: u32 = 1024;
/// What a peer may send before it is admitted.
const STRANGER_WINDOW: u32 = 64 * KIB;
/// A frame of consensus must not wait for a round trip in its middle.
const STREAM_WINDOW: u32 = 9 * 1024 * KIB;
const _: () = assert!(STREAM_WINDOW as usize > RAFT_FRAME_BYTES_MAX);
const _: () = assert!(STREAM_WINDOW as usize > SESSION_FRAME_BYTES_MAX);

/// What an admitted peer may use: streams at once, and bytes under way on all of them.
pub(super) fn admitted(channel: Channel) -> (VarInt, VarInt) {
    let (streams, window) = match channel {
        Channel::Session => (256, 9 * 1024 * KIB),
        Channel::Raft => (64, 18 * 1024 * KIB),
        Channel::Join => (2, STRANGER_WINDOW),
    };
    (VarInt::from_u32(streams), VarInt::from_u32(window))
}

/// The dialed side's settings. They hold before it is known who dials and on which channel; [`admitted`] widens them.
pub(super) fn server_transport() -> TransportConfig {
    let mut transport = common(Duration::from_secs(15));
    transport.max_concurrent_bidi_streams(VarInt::from_u32(2));
    transport.max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.receive_window(VarInt::from_u32(STRANGER_WINDOW));
    transport
}

/// The dialer's settings. Of the two sides' idle timeouts the shorter one counts.
pub(super) fn client_transport(channel: Channel) -> TransportConfig {
    let (idle, keep_alive) = match channel {
        // Short enough to find a holder at its new address within the shortest ttl.
        Channel::Session => (6, Some(2)),
        Channel::Raft => (3, Some(1)),
        Channel::Join => (15, None),
    };
    let mut transport = common(Duration::from_secs(idle));
    transport.keep_alive_interval(keep_alive.map(Duration::from_secs));
    transport.max_concurrent_bidi_streams(VarInt::from_u32(0));
    // The welcome.
    transport.max_concurrent_uni_streams(VarInt::from_u32(1));
    transport.receive_window(match channel {
        // The dialed side of a join may answer with a whole roster.
        Channel::Join => admitted(Channel::Session).1,
        _ => admitted(channel).1,
    });
    transport
}

fn common(idle: Duration) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle_ms = u32::try_from(idle.as_millis()).unwrap_or(u32::MAX);
    transport.max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle_ms))));
    transport.stream_receive_window(VarInt::from_u32(STREAM_WINDOW));
    transport.datagram_receive_buffer_size(None);
    // A LAN, not the internet: a lost first packet is resent after 0.3 s, not after 1 s.
    transport.initial_rtt(Duration::from_millis(100));
    transport
}

/// A reason as it travels: cut to what fits.
pub(super) fn reason(text: &str) -> &[u8] {
    let mut end = text.len().min(REASON_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text.as_bytes()[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(reason("short"), b"short");
        let long = "ż".repeat(400);
        assert_eq!(reason(&long).len(), 512);
        let odd = format!("x{long}");
        assert_eq!(std::str::from_utf8(reason(&odd)).unwrap().len(), 511);
    }
}
