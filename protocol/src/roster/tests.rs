use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn root() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn pool() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

fn generation() -> Generation {
    Generation { number: 1, id: [4; 16] }
}

fn certificate() -> PoolKeyCertificate {
    static MADE: LazyLock<PoolKeyCertificate> =
        LazyLock::new(|| PoolKeyCertificate::sign(&root(), generation(), 1, public(&pool())));
    MADE.clone()
}

fn device(n: u8, role: Role) -> RosterDevice {
    let node = role.has_log().then_some(u64::from(n));
    RosterDevice {
        key: PublicKey([n; 32]),
        name: Name::new(format!("pc-{n}")).unwrap(),
        role,
        node,
        laptop: n > 2,
    }
}

fn roster() -> Roster {
    Roster {
        number: 9,
        site: public(&root()).site(),
        generation: generation(),
        site_name: Name::new("Office").unwrap(),
        devices: vec![device(1, Role::Voter), device(2, Role::Standby), device(3, Role::Spare)],
        revoked: vec![PublicKey([8; 32]).device()],
    }
}

fn signed() -> SignedRoster {
    SignedRoster::sign(roster(), certificate(), &pool()).unwrap()
}

/// A roster of `bytes` that the pool key really signed.
fn signed_bytes(bytes: Vec<u8>) -> SignedRoster {
    let signature = certificate().sign_with(&pool(), DOMAIN, &bytes).unwrap();
    SignedRoster { bytes, certificate: certificate(), signature }
}

/// Checks that the good roster, changed by `change`, is refused with `expected`.
#[track_caller]
fn check(expected: RosterError, change: impl FnOnce(&mut SignedRoster)) {
    let mut changed = signed();
    change(&mut changed);
    assert_ne!(changed, signed());
    assert_eq!(changed.open(&public(&root())), Err(expected));
}

#[test]
fn a_roster_is_opened_from_the_root_key_alone() {
    assert_eq!(signed().open(&public(&root())), Ok(roster()));
    let expected = Err(RosterError::NotSigned(TicketError::OtherSite));
    assert_eq!(signed().open(&public(&pool())), expected);
}

#[test]
fn devices_are_found_unless_revoked() {
    let mut roster = roster();
    let key = PublicKey([2; 32]);
    assert_eq!(roster.device(&key.device()), Some(&device(2, Role::Standby)));
    assert_eq!(roster.by_key(&key), Some(&device(2, Role::Standby)));
    assert!(!roster.is_revoked(&key.device()));
    roster.revoked.push(key.device());
    assert_eq!((roster.device(&key.device()), roster.by_key(&key)), (None, None));
    assert!(roster.is_revoked(&key.device()));
    assert_eq!(roster.by_key(&PublicKey([7; 32])), None);
}

#[test]
fn the_holder_is_written_as_a_voter() {
    let mut led = roster();
    led.devices[0].role = Role::Holder;
    let signed_led = SignedRoster::sign(led, certificate(), &pool()).unwrap();
    assert_eq!(signed_led, signed());
}

#[test]
fn each_changed_field_is_found() {
    let bad_signature = RosterError::NotSigned(TicketError::BadSignature);
    let bad_certificate = RosterError::NotSigned(TicketError::BadCertificate);
    check(bad_signature.clone(), |r| r.bytes[1] ^= 1);
    check(bad_signature.clone(), |r| r.bytes.clear());
    check(bad_signature.clone(), |r| r.bytes.push(0));
    check(bad_signature, |r| r.signature[0] ^= 1);
    check(bad_certificate.clone(), |r| r.certificate.number += 1);
    check(bad_certificate, |r| r.certificate.key.0[0] ^= 1);
    check(RosterError::NotSigned(TicketError::OtherSite), |r| r.certificate.site.0[0] ^= 1);
    check(RosterError::TooLong, |r| r.bytes.resize(limits::ROSTER_BYTES_MAX + 1, 0));
}

#[test]
fn a_well_signed_roster_must_still_make_sense() {
    let open = |bytes: Vec<u8>| signed_bytes(bytes).open(&public(&root()));
    let encode = |roster: &Roster| postcard::to_extend(roster, vec![FORMAT]).unwrap();
    assert_eq!(open(Vec::new()), Err(RosterError::Malformed));
    assert_eq!(open(vec![FORMAT]), Err(RosterError::Malformed));
    assert_eq!(open(vec![2, 0]), Err(RosterError::UnknownFormat(2)));
    assert_eq!(open([encode(&roster()), vec![0]].concat()), Err(RosterError::Malformed));
    let other = Roster { site: SiteId([0; 20]), ..roster() };
    assert_eq!(open(encode(&other)), Err(RosterError::NotSigned(TicketError::OtherSite)));
    let other = Roster { generation: Generation { number: 2, id: [4; 16] }, ..roster() };
    assert_eq!(open(encode(&other)), Err(RosterError::NotSigned(TicketError::OtherGeneration)));
    let twice = Roster { devices: vec![device(1, Role::Voter), device(1, Role::Spare)], ..roster() };
    assert_eq!(open(encode(&twice)), Err(RosterError::DeviceTwice));
    assert_eq!(SignedRoster::sign(twice, certificate(), &pool()), Err(RosterError::DeviceTwice));
    let many = Roster { revoked: vec![DeviceId([0; 20]); limits::REVOKED_MAX + 1], ..roster() };
    assert_eq!(open(encode(&many)), Err(RosterError::TooLong));
    assert_eq!(SignedRoster::sign(many, certificate(), &pool()), Err(RosterError::TooLong));
}

#[test]
fn the_largest_roster_fits() {
    let name = Name::new("n".repeat(limits::NAME_BYTES_MAX)).unwrap();
    let devices = (0u32..).take(limits::DEVICES_MAX).map(|n| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        let name = name.clone();
        RosterDevice { key: PublicKey(key), name, role: Role::Standby, node: Some(u64::MAX), laptop: true }
    });
    let devices = devices.collect();
    let revoked = vec![DeviceId([1; 20]); limits::REVOKED_MAX];
    let largest = Roster { devices, revoked, number: u64::MAX, site_name: name.clone(), ..roster() };
    let signed = SignedRoster::sign(largest.clone(), certificate(), &pool()).unwrap();
    assert_eq!(signed.open(&public(&root())), Ok(largest));
    assert!(frame::encode(&signed, limits::SESSION_FRAME_BYTES_MAX).is_ok());
}

#[test]
fn a_key_that_is_not_certified_does_not_sign() {
    let error = SignedRoster::sign(roster(), certificate(), &root());
    assert_eq!(error, Err(RosterError::NotSigned(TicketError::OtherKey)));
}

/// Devices of mixed releases read each other's rosters.
#[test]
fn the_released_format_does_not_change() {
    assert_eq!(HEXLOWER.encode(&signed().bytes), BYTES_GOLDEN);
    assert_eq!(HEXLOWER.encode(&signed().signature), SIGNATURE_GOLDEN);
    let bytes = HEXLOWER.decode(BYTES_GOLDEN.as_bytes()).unwrap();
    let signature = HEXLOWER.decode(SIGNATURE_GOLDEN.as_bytes()).unwrap();
    let read = SignedRoster { bytes, certificate: certificate(), signature };
    assert_eq!(read.open(&public(&root())), Ok(roster()));
}

const BYTES_GOLDEN: &str = "\
    010934750f98bd59fcfc946da45aaabe933be154a4b50104040404040404040404040404040404064f66666963650301\
    010101010101010101010101010101010101010101010101010101010101010470632d31010101000202020202020202\
    0202020202020202020202020202020202020202020202020470632d3202010200030303030303030303030303030303\
    03030303030303030303030303030303030470632d33030001013a6c5720e43c7d1dcd9cb520275d7112f3560a4f";
const SIGNATURE_GOLDEN: &str = "\
    b2fec4e476f57decf85aa162477b0de56741a8a465a2688c93f1671e8f5bf65134a57b1c46482d58b7aad38c56f3054d\
    579df0685efa5bd7bf743c1a56bd2a00";

proptest! {
    // Each case signs or verifies, which is slow without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn opening_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = signed_bytes(bytes.clone()).open(&public(&root()));
        let _ = signed_bytes([&[FORMAT], bytes.as_slice()].concat()).open(&public(&root()));
        if let Ok(roster) = frame::decode_body::<SignedRoster>(&bytes) {
            let _ = roster.open(&public(&root()));
        }
    }
}
