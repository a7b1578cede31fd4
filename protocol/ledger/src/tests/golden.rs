//! The bytes of every released command, outcome and snapshot format. What stands in `golden-v1.txt` is on disks in
//! offices: a line is never changed, lines are only added. `SEATKEEPER_WRITE_GOLDEN=1` writes the file anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use seatkeeper_protocol::id::{InviteId, RequestId, SeatId, SiteId, Version};
use seatkeeper_protocol::license::Share;
use seatkeeper_protocol::time::WallTime;

use super::inventory::{calculated, catalog, change, export, import, set_catalog, site};
use super::office::{
    DAY_MS, GENERATION, Office, START, add_admin, certificate, device, device_key, found, info, invite, name,
    product, public, session, sign, trust, want,
};
use super::organisation::{node, node_id, purchase, purchase_id, rules};
use crate::command::{
    Actor, AdminRole, Borrow, Borrowed, Command, Denial, DeviceSettings, Entry, Form, Grant, NodeLimit,
    NodeLimits, Outcome, OverLimit, OverNodeLimit, Refusal, Sealed, SeatHolder, Waiting, Whom,
};
use crate::inventory::Source;
use crate::{Ledger, decode, decode_outcome, encode, encode_outcome};

const GOLDEN: &str = include_str!("golden-v1.txt");

/// One of each command. The match below fails to compile when a command has no name here, the test when it has no
/// sample.
fn commands() -> Vec<Command> {
    let (invite_id, license) = (InviteId([7; 16]), name("L1"));
    vec![
        Command::Found(Box::new(found())),
        Command::Checkout(want(1, "eva", "cad@2026+bim")),
        Command::Wait(want(1, "eva", "cad@2026+bim")),
        Command::Return { session: session(1), attach: Some(300) },
        Command::Describe(info("ws-1")),
        Command::Leave,
        Command::Expire { session: session(1), attach: 2 },
        Command::PassOver { session: session(1), attach: 2 },
        Command::AdmitInvited { invite: invite_id, key: device_key(1), info: info("ws-1") },
        Command::SealPoolKey { device: device(1), number: 1, sealed: Sealed(vec![1, 2, 3]) },
        Command::EndLicense { license: license.clone() },
        invite(7, 20),
        Command::RevokeInvite { invite: invite_id },
        Command::Admit { key: device_key(2), info: info("ws-2") },
        Command::RevokeDevice { device: device(2) },
        Command::SetDevice {
            device: device(1),
            settings: DeviceSettings {
                name: Some(name("rack")),
                always_on: Some(true),
                form: Some(Form::Laptop),
            },
        },
        add_admin("rita", 60, AdminRole::Reader),
        Command::RemoveAdmin { name: name("rita") },
        trust("acme", 3, &["cad", "bim"]),
        Command::AddLicense { text: "# Seatkeeper license v1\n".into() },
        Command::RemoveLicense { license },
        Command::ReleaseSeat { seat: SeatId(70_000) },
        Command::RotatePoolKey { certificate: certificate(2), sealed: vec![(device(0), Sealed(vec![9; 4]))] },
        Command::Borrow(Borrow {
            user: name("eva"),
            product: product("cad"),
            version: Some(Version::new("2026").unwrap()),
            features: vec!["bim".parse().unwrap()],
            until: START.plus_ms(7 * DAY_MS),
        }),
        Command::ReturnBorrow { seat: SeatId(70_000), serial: 77 },
        Command::GoOnline { seat: SeatId(70_000), start: want(1, "eva", "cad@2026+bim") },
        Command::EndBorrow { seat: SeatId(70_000), serial: 77 },
        Command::LoseDevice { device: device(1), lost: true },
        Command::SetLimit { product: product("cad"), whom: Whom::User(name("eva")), seats: Some(2) },
        Command::SetGroup { group: name("students"), members: vec![name("eva"), name("jan")] },
        Command::SetPriority { whom: Whom::Device(device(1)), priority: 9 },
        Command::SetNodes { set: vec![node("R", None), node("E", Some("R"))], remove: vec![node_id("W")] },
        Command::SetPlacement { from: 1, rules: rules() },
        Command::SetPurchases { purchases: vec![(purchase_id("PO-1"), purchase(10))] },
        Command::RemovePurchase { purchase: purchase_id("PO-1") },
        Command::Allocate { purchase: purchase_id("PO-1"), manual: BTreeMap::from([(node_id("E"), 4)]) },
        Command::SetStopAtLegal { stop: true },
        Command::Report(change("cad-1", &["Example CAD 2026=26.1/Example"], &["Editor"])),
        set_catalog(1, catalog()),
        import(Source::File, &[("old", change("old", &["Editor"], &[]))]),
        Command::RemoveMachines { source: Source::Site(site(90)), machines: Some(vec![name("d1")]) },
        export(91, 1_000),
        Command::Calculated(calculated(None, Some(crate::org::Totals { short: 2, ..Default::default() }))),
        Command::SetNodeLimits {
            product: product("cad"),
            node: node_id("E"),
            limits: NodeLimits { seats: Some(300), borrowed: Some(2), borrow_days: None, kept: Some(1) },
        },
        Command::Recover(Box::new(super::recover::recover(0, 2))),
    ]
}

fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Found(_) => "found",
        Command::Checkout(_) => "checkout",
        Command::Wait(_) => "wait",
        Command::Return { .. } => "return",
        Command::Describe(_) => "describe",
        Command::Leave => "leave",
        Command::Expire { .. } => "expire",
        Command::PassOver { .. } => "pass-over",
        Command::AdmitInvited { .. } => "admit-invited",
        Command::SealPoolKey { .. } => "seal-pool-key",
        Command::EndLicense { .. } => "end-license",
        Command::CreateInvite { .. } => "create-invite",
        Command::RevokeInvite { .. } => "revoke-invite",
        Command::Admit { .. } => "admit",
        Command::RevokeDevice { .. } => "revoke-device",
        Command::SetDevice { .. } => "set-device",
        Command::AddAdmin { .. } => "add-admin",
        Command::RemoveAdmin { .. } => "remove-admin",
        Command::TrustVendor { .. } => "trust-vendor",
        Command::AddLicense { .. } => "add-license",
        Command::RemoveLicense { .. } => "remove-license",
        Command::ReleaseSeat { .. } => "release-seat",
        Command::RotatePoolKey { .. } => "rotate-pool-key",
        Command::Borrow(_) => "borrow",
        Command::ReturnBorrow { .. } => "return-borrow",
        Command::GoOnline { .. } => "go-online",
        Command::EndBorrow { .. } => "end-borrow",
        Command::LoseDevice { .. } => "lose-device",
        Command::SetLimit { .. } => "set-limit",
        Command::SetGroup { .. } => "set-group",
        Command::SetPriority { .. } => "set-priority",
        Command::SetNodes { .. } => "set-nodes",
        Command::SetPlacement { .. } => "set-placement",
        Command::SetPurchases { .. } => "set-purchases",
        Command::RemovePurchase { .. } => "remove-purchase",
        Command::Allocate { .. } => "allocate",
        Command::SetStopAtLegal { .. } => "set-stop-at-legal",
        Command::Report(_) => "report",
        Command::SetCatalog { .. } => "set-catalog",
        Command::ImportMachines { .. } => "import-machines",
        Command::RemoveMachines { .. } => "remove-machines",
        Command::TakeExport { .. } => "take-export",
        Command::Calculated(_) => "calculated",
        Command::SetNodeLimits { .. } => "set-node-limits",
        Command::Recover(_) => "recover",
    }
}

fn outcomes() -> Vec<Outcome> {
    let (cad, version) = (product("cad"), Version::new("2026").unwrap());
    let holder = SeatHolder {
        seat: SeatId(1),
        user: name("eva"),
        device: device(1),
        device_name: name("ws-1"),
        since: START,
    };
    let denial = Denial {
        product: cad.clone(),
        version: Some(version.clone()),
        owned: 3,
        reserved: 1,
        holders: vec![holder],
        waiting: 2,
        kept: false,
        next_return: Some(START.plus_ms(DAY_MS)),
    };
    let waiting = Waiting {
        session: session(1),
        attach: 2,
        ttl_ms: 90_000,
        position: 3,
        denial: Denial { kept: true, ..denial.clone() },
    };
    let grant = Grant {
        seat: SeatId(1),
        session: session(1),
        attach: 2,
        serial: 77,
        license: name("L1"),
        license_hash: [5; 32],
        product: cad.clone(),
        version: version.clone(),
        features: vec!["bim".parse().unwrap()],
        user: name("eva"),
        ttl_ms: 90_000,
        issued: START,
        shared: true,
    };
    let refusals = vec![
        Refusal::NoSeat(Box::new(denial)),
        Refusal::NotLicensed { product: cad, version: Some(version), otherwise_owned: true },
        Refusal::Stale { epoch: 4 },
        Refusal::SessionEnded,
        Refusal::Superseded,
        Refusal::OtherTerm { decided: 3, applied: 4 },
        Refusal::NotPermitted("no".into()),
        Refusal::NotFound("seat 1".into()),
        Refusal::Conflict("no".into()),
        Refusal::Limit { what: "devices".into(), limit: 10_000 },
        Refusal::Invalid("no".into()),
        Refusal::UnknownFormat,
        Refusal::Bug("no".into()),
        Refusal::OverLimit(Box::new(OverLimit {
            product: product("cad"),
            whom: Whom::Group(name("students")),
            seats: 2,
            used: 3,
        })),
        Refusal::OverNodeLimit(Box::new(OverNodeLimit {
            product: product("cad"),
            node: node_id("E"),
            over: NodeLimit::Kept { kept: 2, of: 300, borrowed: 298 },
        })),
    ];
    let mut outcomes = vec![Outcome::Done, Outcome::Granted(grant), Outcome::Waiting(Box::new(waiting))];
    outcomes.extend(refusals.into_iter().map(Outcome::Refused));
    outcomes.push(Outcome::Borrowed(Box::new(Borrowed {
        seat: SeatId(1),
        serial: 77,
        license: name("L1"),
        license_hash: [5; 32],
        license_text: "# text".to_owned(),
        product: product("cad"),
        version: Version::new("2026").unwrap(),
        features: vec!["bim".parse().unwrap()],
        user: name("eva"),
        share: Share::UserDevice,
        issued: START,
        ends: START.plus_ms(DAY_MS),
        converted: true,
    })));
    outcomes
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    let refusal = match outcome {
        Outcome::Done => return "done",
        Outcome::Granted(_) => return "granted",
        Outcome::Waiting(_) => return "waiting",
        Outcome::Borrowed(_) => return "borrowed",
        Outcome::Refused(refusal) => refusal,
    };
    match refusal {
        Refusal::NoSeat(_) => "no-seat",
        Refusal::NotLicensed { .. } => "not-licensed",
        Refusal::Stale { .. } => "stale",
        Refusal::SessionEnded => "session-ended",
        Refusal::Superseded => "superseded",
        Refusal::OtherTerm { .. } => "other-term",
        Refusal::NotPermitted(_) => "not-permitted",
        Refusal::NotFound(_) => "not-found",
        Refusal::Conflict(_) => "conflict",
        Refusal::Limit { .. } => "limit",
        Refusal::Invalid(_) => "invalid",
        Refusal::UnknownFormat => "unknown-format",
        Refusal::Bug(_) => "bug",
        Refusal::OverLimit(_) => "over-limit",
        Refusal::OverNodeLimit(_) => "over-node-limit",
    }
}

/// Commands go through all three actors in turn.
fn entries() -> Vec<(String, Entry)> {
    let entry = |(n, command): (usize, Command)| {
        let request = RequestId { epoch: 3, counter: 500 };
        let actor = match n % 3 {
            0 => Actor::Holder(device(0)),
            1 => Actor::Device(device(1)),
            _ => sign("ada", super::office::ADMIN, request, &command),
        };
        let name = format!("entry {}", command_name(&command));
        (name, Entry { time: WallTime(-1), term: 9, actor, request, command })
    };
    commands().into_iter().enumerate().map(entry).collect()
}

/// A ledger with something of everything.
fn ledger() -> Ledger {
    let mut office = Office::with_license(2, "features = [\"bim\"]");
    office.done_by_admin(invite(7, 20));
    office.done_by_admin(add_admin("rita", 60, AdminRole::Reader));
    office.granted(1, want(1, "eva", "cad@2026+bim"));
    office.granted(1, want(2, "eva", "cad"));
    let other = office.granted(2, want(3, "max", "cad"));
    office.give_back(2, 4, None);
    office.release(other.seat);
    office.refused(0, want(5, "kim", "cad"));
    office.waits(0, want(6, "kim", "cad"));
    let waiting = office.waits(1, want(7, "ida", "cad@2026"));
    office.by_holder(Command::PassOver { session: session(7), attach: waiting.attach });
    office.done_by_admin(Command::RevokeDevice { device: device(2) });
    office.ledger
}

fn golden() -> BTreeMap<&'static str, Vec<u8>> {
    let decode = |hex: &str| {
        let digits: Vec<u8> = hex.chars().map(|c| u8::try_from(c.to_digit(16).unwrap()).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
    };
    GOLDEN.lines().filter_map(|line| line.split_once(": ")).map(|(name, hex)| (name, decode(hex))).collect()
}

#[test]
fn every_format_is_as_released() {
    let mut now: Vec<(String, Vec<u8>)> = Vec::new();
    now.extend(entries().iter().map(|(name, entry)| (name.clone(), encode(entry).unwrap())));
    now.extend(
        outcomes()
            .iter()
            .map(|outcome| (format!("outcome {}", outcome_name(outcome)), encode_outcome(outcome).unwrap())),
    );
    now.extend(super::happenings::records());
    now.push(("snapshot".into(), ledger().snapshot()));
    if std::env::var_os("SEATKEEPER_WRITE_GOLDEN").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/golden-v1.txt");
        let mut text = String::new();
        for (name, bytes) in &now {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "{name}: {hex}").unwrap();
        }
        std::fs::write(path, text).unwrap();
        return;
    }
    let golden = golden();
    assert_eq!(golden.len(), now.len(), "each name once");
    for (name, bytes) in now {
        assert_eq!(golden.get(name.as_str()), Some(&bytes), "the format of `{name}` changed");
    }
}

#[test]
fn every_released_format_is_read() {
    let golden = golden();
    for (name, entry) in entries() {
        assert_eq!(decode(&golden[name.as_str()]), Ok(entry), "{name}");
    }
    for outcome in outcomes() {
        let bytes = &golden[format!("outcome {}", outcome_name(&outcome)).as_str()];
        assert_eq!(decode_outcome(bytes), Ok(outcome));
    }
    let restored = Ledger::restore(&golden["snapshot"]).unwrap();
    assert_eq!(restored.hash(), ledger().hash());
    assert_eq!(restored, ledger());
}

#[test]
fn what_an_admin_signs_is_as_released() {
    let request = RequestId { epoch: 1, counter: 2 };
    let message =
        crate::command::admin_message(&SiteId([1; 20]), &GENERATION, &name("ada"), &request, &Command::Leave)
            .unwrap();
    let mut expected = b"seatkeeper-admin-v1\n".to_vec();
    expected.extend([1; 20]);
    expected.push(1);
    expected.extend([9; 16]);
    expected.extend(b"\x03ada\x01\x02\x05");
    assert_eq!(message, expected);
    assert_ne!(public(1), public(2), "the keys of these tests differ");
}
