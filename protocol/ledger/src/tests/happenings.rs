//! One of each kind of record: its bytes are golden, and the page for auditors tells how to read them.

use seatkeeper_protocol::id::{InviteId, SeatId, Version};

use super::office::{DAY_MS, START, device, name, product};
use super::organisation::node_id;
use crate::audit::{Link, read_record};
use crate::command::{AdminRole, NodeLimits, Whom};
use crate::{BorrowOver, DeniedBy, Happening, Organised, Record, Who};

const PAGE: &str = include_str!("../../../AUDIT.md");

/// The match below fails to compile when a kind has no number here, the test when it has no sample.
pub(super) fn happenings() -> Vec<Happening> {
    let who = || Who { user: name("eva"), device: device(1), device_name: name("ws-1") };
    let (seat, cad, by, license) = (SeatId(70_000), || product("cad"), || name("ada"), || name("L1"));
    let device = device(2);
    vec![
        Happening::Founded { name: name("Office"), admin: by() },
        Happening::Checkout {
            seat,
            who: who(),
            product: cad(),
            version: Version::new("2026").unwrap(),
            license: license(),
        },
        Happening::Shared { seat, who: who(), product: cad() },
        Happening::Returned { seat, who: who(), product: cad(), free: true },
        Happening::Expired { seat, who: who(), product: cad(), free: false },
        Happening::Denied { who: who(), product: cad(), reason: "no".into(), by: DeniedBy::Limit },
        Happening::Waits { who: who(), product: cad(), position: 300 },
        Happening::PassedOver { who: who(), product: cad() },
        Happening::LeftQueue { who: who(), product: cad(), expired: true },
        Happening::Released { seat, who: who(), product: cad(), by: by() },
        Happening::DeviceAdmitted { device, name: name("ws-2"), by: Some(by()) },
        Happening::DeviceLeft { device, name: name("ws-2") },
        Happening::DeviceRevoked { device, name: name("ws-2"), by: by() },
        Happening::DeviceSet { device, name: name("ws-2"), by: by() },
        Happening::InviteCreated { invite: InviteId([7; 16]), uses: 20, by: by() },
        Happening::InviteRevoked { invite: InviteId([7; 16]), by: by() },
        Happening::AdminAdded { name: name("rita"), role: AdminRole::Reader, by: by() },
        Happening::AdminRemoved { name: name("rita"), by: by() },
        Happening::VendorTrusted { name: name("acme"), by: by() },
        Happening::LicenseAdded { license: license(), product: cad(), seats: 300, by: by() },
        Happening::LicenseRemoved { license: license(), product: cad(), by: by() },
        Happening::LicenseEnded { license: license(), product: cad() },
        Happening::PoolKeyRotated { number: 2, by: by() },
        Happening::Borrowed {
            seat,
            who: who(),
            product: cad(),
            ends: START.plus_ms(DAY_MS),
            prolonged: true,
        },
        Happening::BorrowOver { seat, who: who(), product: cad(), how: BorrowOver::Lost, free: true },
        Happening::DeviceLost { device, name: name("ws-2"), by: by(), lost: false },
        Happening::LimitSet { product: cad(), whom: Whom::Group(name("students")), seats: None, by: by() },
        Happening::GroupSet { group: name("students"), members: 300, by: by() },
        Happening::PrioritySet { whom: Whom::Device(device), priority: 9, by: by() },
        Happening::Organised { what: Organised::Nodes { set: 300, removed: 1 }, by: by() },
        Happening::Recalculated { number: 300, products: 2, short: 7, device },
        Happening::NodeLimitsSet {
            product: cad(),
            node: node_id("E"),
            limits: NodeLimits { seats: Some(300), kept: Some(1), ..NodeLimits::default() },
            by: by(),
        },
        Happening::Recovered { from: 1, to: 300, device, name: name("ws-2"), withheld: 2 },
    ]
}

fn number(what: &Happening) -> usize {
    match what {
        Happening::Founded { .. } => 0,
        Happening::Checkout { .. } => 1,
        Happening::Shared { .. } => 2,
        Happening::Returned { .. } => 3,
        Happening::Expired { .. } => 4,
        Happening::Denied { .. } => 5,
        Happening::Waits { .. } => 6,
        Happening::PassedOver { .. } => 7,
        Happening::LeftQueue { .. } => 8,
        Happening::Released { .. } => 9,
        Happening::DeviceAdmitted { .. } => 10,
        Happening::DeviceLeft { .. } => 11,
        Happening::DeviceRevoked { .. } => 12,
        Happening::DeviceSet { .. } => 13,
        Happening::InviteCreated { .. } => 14,
        Happening::InviteRevoked { .. } => 15,
        Happening::AdminAdded { .. } => 16,
        Happening::AdminRemoved { .. } => 17,
        Happening::VendorTrusted { .. } => 18,
        Happening::LicenseAdded { .. } => 19,
        Happening::LicenseRemoved { .. } => 20,
        Happening::LicenseEnded { .. } => 21,
        Happening::PoolKeyRotated { .. } => 22,
        Happening::Borrowed { .. } => 23,
        Happening::BorrowOver { .. } => 24,
        Happening::DeviceLost { .. } => 25,
        Happening::LimitSet { .. } => 26,
        Happening::GroupSet { .. } => 27,
        Happening::PrioritySet { .. } => 28,
        Happening::Organised { .. } => 29,
        Happening::Recalculated { .. } => 30,
        Happening::NodeLimitsSet { .. } => 31,
        Happening::Recovered { .. } => 32,
    }
}

/// The canonical bytes of one record of each kind, by name.
pub(super) fn records() -> Vec<(String, Vec<u8>)> {
    let record = |what: Happening| {
        let kind = what.kind();
        let record = Record { seq: 300, index: 70_000, time: START, what };
        (format!("record {kind}"), postcard::to_stdvec(&record).unwrap())
    };
    happenings().into_iter().map(record).collect()
}

#[test]
fn each_kind_has_its_number_and_a_row_of_the_page() {
    for (expected, what) in happenings().iter().enumerate() {
        assert_eq!(number(what), expected);
        let bytes = postcard::to_stdvec(what).unwrap();
        assert_eq!(usize::from(bytes[0]), expected);
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {expected} | "))).unwrap();
        assert!(row.contains(&format!("`{}`", what.kind())), "{row}");
    }
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
    assert_eq!(rows.count(), happenings().len());
}

#[test]
fn each_kind_is_read_from_its_bytes_alone() {
    for ((name, bytes), what) in records().iter().zip(happenings()) {
        let record = read_record(bytes).unwrap();
        assert_eq!((record.seq, record.index, record.time), (300, 70_000, START), "{name}");
        assert_eq!(record.what, what);
        assert!(bytes.len() <= crate::audit::RECORD_BYTES_MAX);
    }
}

/// The longest that can be.
#[test]
fn every_record_fits() {
    let long = || name(&"x".repeat(seatkeeper_protocol::limits::NAME_BYTES_MAX));
    let who = Who { user: long(), device: device(1), device_name: long() };
    let over = crate::command::OverLimit {
        product: product(&"p".repeat(64)),
        whom: Whom::Group(long()),
        seats: u32::MAX,
        used: u32::MAX,
    };
    let reason = crate::command::Refusal::OverLimit(Box::new(over)).to_string();
    let what = Happening::Denied { who, product: product(&"p".repeat(64)), reason, by: DeniedBy::Limit };
    let record = Record { seq: u64::MAX, index: u64::MAX, time: START, what };
    let bytes = postcard::to_stdvec(&record).unwrap();
    assert!(bytes.len() * 2 < crate::audit::RECORD_BYTES_MAX, "{}", bytes.len());
    assert_eq!(read_record(&bytes), Some(record));
    assert_ne!(Link::default().next(&bytes), Link::default());
}
