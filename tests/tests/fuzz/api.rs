//! The JSON of the local API, and the ids and times in it.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use seatkeeper_ledger::inventory::Catalog;
use seatkeeper_ledger::org::{Purchase, PurchaseId, Rule};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{
    DeviceId, Feature, InviteId, Name, ProductId, PublicKey, SeatId, SessionId, SiteId, Version,
};
use seatkeeper_protocol::limits::API_BODY_BYTES_MAX;
use seatkeeper_protocol::time::WallTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::examples;
use crate::heap;
use crate::samples;
use crate::target::{Target, has_samples};

/// What JSON is made of, and the API's own.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"[[[[[[[[",
    b",",
    b":",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"4294967296",
    b"0.5",
    b"\"format\":1,",
    b"\"product\":\"x\",",
    b"\"x\":1,",
    b"\"event\":\"lost\",",
    b"\xc3\x28",
    b"\xe2\x80\xa8",
];

#[test]
fn api() {
    Target { name: "api", words: WORDS, runs: 5000, check: check_api }.run();
}
#[test]
fn ids() {
    Target {
        name: "ids",
        words: &[b"+", b"-", b".", b" ", b"Z", b"00", b"T24:00:00", b"[Europe/Warsaw]", b"\xc4\xb1"],
        runs: 20000,
        check: check_ids,
    }
    .run();
}

fn check_api(bytes: &[u8]) {
    // What is asked.
    body::<api::SeatRequest>(bytes);
    body::<api::CreateSite>(bytes);
    body::<api::Join>(bytes);
    body::<api::ProofRequest>(bytes);
    body::<api::SeatActivity>(bytes);
    body::<api::AskSeat>(bytes);
    body::<api::BorrowRequest>(bytes);
    body::<api::ReturnRequest>(bytes);
    body::<api::SignedCommand>(bytes);
    body::<api::ComplianceChanges>(bytes);
    body::<api::UseCode>(bytes);
    body::<api::SignIn>(bytes);
    body::<api::Invite>(bytes);
    body::<api::RevokeDevice>(bytes);
    body::<api::LoseDevice>(bytes);
    body::<api::SetDevice>(bytes);
    body::<api::AddLicense>(bytes);
    body::<api::TrustVendor>(bytes);
    body::<api::SetAdmin>(bytes);
    body::<api::SetLimit>(bytes);
    body::<api::SetGroup>(bytes);
    body::<api::SetPriority>(bytes);
    body::<api::SetNodes>(bytes);
    body::<api::SetPlacement>(bytes);
    body::<api::SetStopAtLegal>(bytes);
    body::<api::SetPurchase>(bytes);
    body::<api::SetAllocations>(bytes);
    body::<api::SetCatalog>(bytes);
    body::<api::ImportMachines>(bytes);
    body::<api::RotatePoolKey>(bytes);
    // What is answered, as a client reads it.
    body::<api::Invited>(bytes);
    body::<api::DeviceRevoked>(bytes);
    body::<api::LicenseAdded>(bytes);
    body::<api::AdminSet>(bytes);
    body::<api::MachinesImported>(bytes);
    body::<api::Sites>(bytes);
    body::<api::Status>(bytes);
    body::<api::Seats>(bytes);
    body::<api::SeatEvent>(bytes);
    body::<api::SeatProof>(bytes);
    body::<api::Devices>(bytes);
    body::<api::Licenses>(bytes);
    body::<api::Admins>(bytes);
    body::<api::Vendors>(bytes);
    body::<api::PoolKeyInfo>(bytes);
    body::<api::Borrow>(bytes);
    body::<api::Borrows>(bytes);
    body::<api::BorrowReturned>(bytes);
    body::<api::Limits>(bytes);
    body::<api::Usage>(bytes);
    body::<api::AuditPage>(bytes);
    body::<api::AuditHeads>(bytes);
    body::<api::AuditExport>(bytes);
    body::<api::SiteDetail>(bytes);
    body::<api::Organisation>(bytes);
    body::<api::Purchases>(bytes);
    body::<api::Compliance>(bytes);
    body::<api::ProductCompliance>(bytes);
    body::<api::ComplianceDifferences>(bytes);
    body::<api::Calculations>(bytes);
    body::<api::Inventory>(bytes);
    body::<api::MachineDetail>(bytes);
    body::<api::UnknownPrograms>(bytes);
    body::<api::InventoryExport>(bytes);
    body::<api::InventorySeal>(bytes);
    // What is made of it.
    if let Ok(rules) = serde_json::from_slice::<api::SetPlacement>(bytes) {
        rules.rules.iter().for_each(|rule| drop(Rule::from_json(rule)));
    }
    if let Ok(catalog) = serde_json::from_slice::<api::Catalog>(bytes) {
        let read = Catalog::from_json(&catalog);
        assert_eq!(Catalog::from_json(&read.to_json()), read);
    }
    if let Ok(purchase) = serde_json::from_slice::<api::Purchase>(bytes)
        && let (Ok(terms), Ok(id)) = (Purchase::from_json(&purchase), PurchaseId::new(purchase.id.as_str()))
    {
        let again = terms.to_json(&id, purchase.license, purchase.registered);
        assert_eq!(Purchase::from_json(&again).as_ref(), Ok(&terms));
    }
    body::<api::Events>(bytes);
    body::<api::Problem>(bytes);
    body::<api::SiteCreated>(bytes);
    body::<api::Joined>(bytes);
    body::<api::CommandResult>(bytes);
}

fn body<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    let (read, most) = heap::peak(|| serde_json::from_slice::<T>(bytes));
    assert!(most <= 4_096 + 128 * bytes.len(), "{} bytes made us allocate {most}", bytes.len());
    if let Ok(body) = read {
        let written = serde_json::to_vec(&body).expect("it can be written");
        assert_eq!(serde_json::from_slice::<T>(&written).expect("what we write can be read"), body);
    }
}

fn check_ids(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    id::<DeviceId>(&text);
    id::<SiteId>(&text);
    id::<PublicKey>(&text);
    id::<SessionId>(&text);
    id::<InviteId>(&text);
    id::<SeatId>(&text);
    id::<ProductId>(&text);
    id::<Version>(&text);
    id::<Feature>(&text);
    id::<Name>(&text);
    if let Ok(time) = WallTime::from_rfc3339(&text) {
        let whole_seconds = WallTime(time.0 - time.0.rem_euclid(1_000));
        if let Some(written) = time.rfc3339() {
            assert_eq!(WallTime::from_rfc3339(&written).ok(), Some(whole_seconds), "{text} is {written}");
            assert_eq!(written.len(), "2026-01-01T00:00:00Z".len(), "{text} is {written}");
        }
    }
}

fn id<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(id) => {
            let written = id.to_string();
            assert_eq!(written.parse::<T>().ok(), Some(id), "{text:?} is {written:?}");
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.is_empty() && sentence.len() <= 512, "{sentence}");
        }
    }
}

#[test]
fn corpora() {
    let mut bodies = samples::bodies();
    bodies.extend(examples::bodies());
    assert!(bodies.iter().all(|(_, body)| body.len() <= API_BODY_BYTES_MAX));
    has_samples("api", &bodies);
    has_samples("ids", &samples::numbered(samples::texts().into_iter().map(String::into_bytes)));
}
