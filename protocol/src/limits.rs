//! Every bound that machines agree on. Related bounds are asserted against each other at compile time.

/// Longest product identifier, bytes.
pub const PRODUCT_BYTES_MAX: usize = 64;
/// Longest version string, bytes.
pub const VERSION_BYTES_MAX: usize = 32;
/// Longest human-chosen name (device, user, admin, site, vendor), bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest license file, bytes.
pub const LICENSE_BYTES_MAX: usize = 16 * 1024;
/// Days that a license may let its seats be borrowed for.
pub const BORROW_DAYS_MAX: u32 = 3_660;
/// A borrow is ended in the books when the site's time has stood this far past its end, milliseconds: clocks of
/// devices may be so much slow.
pub const BORROW_END_AFTER_MS: i64 = 15 * 60 * 1_000;
/// A device whose clock is further off the site's time may not borrow, milliseconds.
pub const CLOCK_OFF_MS: i64 = 2 * 60 * 1_000;
/// Seats of one license.
pub const SEATS_PER_LICENSE_MAX: u32 = 100_000;
/// Shortest nonce that the local API takes, bytes: two never come to be the same by chance.
pub const NONCE_BYTES_MIN: usize = 16;
/// Longest nonce in a ticket or device proof, bytes.
pub const NONCE_BYTES_MAX: usize = 64;
/// Longest ticket, bytes of postcard; a third more as text.
pub const TICKET_BYTES_MAX: usize = 8 * 1024;
/// Features named by one license or one checkout.
pub const FEATURES_MAX: usize = 64;
/// Earlier versions named by one license's `downgrade`.
pub const DOWNGRADES_MAX: usize = 64;
/// Licenses named by one license's `replaces`.
pub const REPLACES_MAX: usize = 64;
/// Licenses of one site.
pub const LICENSES_MAX: usize = 4_096;
/// Devices enrolled in one site.
pub const DEVICES_MAX: usize = 10_000;
/// Revoked devices that a site remembers.
pub const REVOKED_MAX: usize = 10_000;
/// Administrators of one site.
pub const ADMINS_MAX: usize = 256;
/// Vendors a site trusts.
pub const VENDORS_MAX: usize = 256;
/// Open invitations of one site.
pub const INVITES_MAX: usize = 1_024;
/// Devices waiting for admission that a holder remembers.
pub const WAITING_DEVICES_MAX: usize = 256;
/// Seats in use at once in one site.
pub const SEATS_MAX: usize = 100_000;
/// Seats one device may hold at once.
pub const SEATS_PER_DEVICE_MAX: usize = 256;
/// Sessions that wait for seats of one product.
pub const WAITERS_PER_PRODUCT_MAX: usize = 256;
/// Sessions that wait for seats of one site.
pub const WAITERS_MAX: usize = 4_096;
/// A waiting session that the holder has not heard of for this long is passed over, milliseconds.
pub const PASS_OVER_AFTER_MS: u64 = 10_000;
/// Limits of one site, and as many priorities.
pub const LIMITS_MAX: usize = 1_024;
/// Groups of users of one site.
pub const GROUPS_MAX: usize = 256;
/// Users in one group. A command that names them all fits.
pub const GROUP_MEMBERS_MAX: usize = 900;
/// The highest priority in queues; the lowest is 0.
pub const PRIORITY_MAX: u8 = 9;
/// Outcomes kept per device so that a repeated request is answered, not acted on again (invariant I4).
pub const OUTCOMES_PER_DEVICE: usize = 64;
/// Largest command in the log, bytes.
pub const COMMAND_BYTES_MAX: usize = 128 * 1024;
/// Largest frame of a seat or join session, bytes. A roster of [`DEVICES_MAX`] devices fits, and the figures of as many
/// nodes as an organisation may have.
pub const SESSION_FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest roster, bytes.
pub const ROSTER_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Largest frame of a consensus session, bytes.
pub const RAFT_FRAME_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest snapshot of the ledger, bytes.
pub const SNAPSHOT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Longest backup of a site, bytes.
pub const BACKUP_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest body of a local API request, bytes.
pub const API_BODY_BYTES_MAX: usize = 64 * 1024;

/// Shortest ttl a license may set, milliseconds.
pub const TTL_MS_MIN: u64 = 15_000;
/// Longest ttl a license may set, milliseconds.
pub const TTL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// The ttl of a license that names none, milliseconds.
pub const TTL_MS_DEFAULT: u64 = 90_000;
/// The longest time without input that is told apart from a longer one, minutes: a week.
pub const IDLE_MINUTES_MAX: u16 = 7 * 24 * 60;
/// Who waits may ask for a seat that has been idle for so long, minutes.
pub const ASK_IDLE_MINUTES_MIN: u16 = 5;
/// A seat is asked for once in this time, milliseconds.
pub const ASK_EVERY_MS: u64 = 10 * 60 * 1_000;
/// Seats that a site remembers as asked for.
pub const ASKS_MAX: usize = 1_024;
/// Longest message to somebody who is asked for a seat, bytes.
pub const NOTE_BYTES_MAX: usize = 200;
/// How often a device pings the holder for its seats, milliseconds.
pub const PING_EVERY_MS: u64 = 5_000;

const _: () = assert!(TTL_MS_MIN >= 3 * PING_EVERY_MS, "a seat survives two lost pings");
const _: () = assert!(PASS_OVER_AFTER_MS >= 2 * PING_EVERY_MS, "who waits survives a lost ping");
const _: () = assert!(PASS_OVER_AFTER_MS < TTL_MS_MIN, "who is silent is passed over before he is taken out");
const _: () = assert!(COMMAND_BYTES_MAX >= 4 * LICENSE_BYTES_MAX, "a command carries a license file");
const _: () =
    assert!(TICKET_BYTES_MAX > (FEATURES_MAX + 1) * (PRODUCT_BYTES_MAX + 2) + 2 * NAME_BYTES_MAX + 512);
const _: () =
    assert!(COMMAND_BYTES_MAX > GROUP_MEMBERS_MAX * (NAME_BYTES_MAX + 2) + 1_024, "a command names a group");
const _: () = assert!(SESSION_FRAME_BYTES_MAX > COMMAND_BYTES_MAX);
const _: () = assert!(
    ROSTER_BYTES_MAX >= DEVICES_MAX * (NAME_BYTES_MAX + 64) + REVOKED_MAX * 20 + 4096,
    "a full roster"
);
const _: () =
    assert!(SESSION_FRAME_BYTES_MAX >= ROSTER_BYTES_MAX + 64 * 1024, "a roster fits into one frame");
const _: () = assert!(RAFT_FRAME_BYTES_MAX > 8 * COMMAND_BYTES_MAX);
