use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

mod page;

fn root() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn pool() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn device() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn generation() -> Generation {
    Generation { number: 1, id: [4; 16] }
}

fn certificate() -> PoolKeyCertificate {
    static MADE: LazyLock<PoolKeyCertificate> =
        LazyLock::new(|| PoolKeyCertificate::sign(&root(), generation(), 1, public(&pool())));
    MADE.clone()
}

fn body() -> TicketBody {
    TicketBody {
        format: FORMAT,
        license: Name::new("ALP-1").unwrap(),
        license_hash: [5; 32],
        site: public(&root()).site(),
        generation: generation(),
        seat: SeatId(7),
        kind: SeatKind::Online,
        product: ProductId::new("allplan").unwrap(),
        version: Version::new("2026").unwrap(),
        features: vec![Feature::new("bim").unwrap()],
        user: Name::new("anna").unwrap(),
        device: public(&device()).device(),
        serial: 300,
        nonce: Some(vec![6; 4]),
        issued: WallTime(1_767_225_600_000),
        ends: None,
    }
}

fn ticket() -> Ticket {
    Ticket::sign(&body(), certificate(), &pool()).unwrap()
}

/// Checks that the good ticket, changed by `change`, is refused with `expected`.
#[track_caller]
fn check(expected: TicketError, change: impl FnOnce(&mut Ticket)) {
    let mut changed = ticket();
    change(&mut changed);
    assert_ne!(changed, ticket());
    assert_eq!(changed.verify(&public(&root())), Err(expected));
}

/// A ticket over `bytes` that the pool key really signed.
fn signed_bytes(bytes: Vec<u8>) -> Ticket {
    let signature = certificate().sign_with(&pool(), TICKET_DOMAIN, &bytes).unwrap();
    Ticket { body: bytes, certificate: certificate(), signature }
}

#[test]
fn a_ticket_is_verified_from_the_root_key_alone() {
    let text = ticket().to_text().unwrap();
    let read = Ticket::from_text(&format!("{text}\n")).unwrap();
    assert_eq!(read, ticket());
    assert_eq!(read.verify(&public(&root())), Ok(body()));
    assert_eq!(read.verify(&public(&pool())), Err(TicketError::OtherSite));
}

#[test]
fn each_changed_field_is_found() {
    check(TicketError::BadSignature, |t| t.body[1] ^= 1);
    check(TicketError::BadSignature, |t| t.body.push(0));
    check(TicketError::BadSignature, |t| t.body.clear());
    check(TicketError::BadSignature, |t| t.signature[0] ^= 1);
    check(TicketError::BadSignature, |t| t.signature.clear());
    check(TicketError::OtherSite, |t| t.certificate.site.0[0] ^= 1);
    check(TicketError::BadCertificate, |t| t.certificate.generation.number += 1);
    check(TicketError::BadCertificate, |t| t.certificate.generation.id[0] ^= 1);
    check(TicketError::BadCertificate, |t| t.certificate.number += 1);
    check(TicketError::BadCertificate, |t| t.certificate.key = public(&device()));
    check(TicketError::BadCertificate, |t| t.certificate.signature[0] ^= 1);
    check(TicketError::BadCertificate, |t| t.certificate.signature.push(0));
    check(TicketError::TooLong, |t| t.body.resize(limits::TICKET_BYTES_MAX + 1, 0));
    // A certificate that is good in itself, of another pool key.
    let other = PoolKeyCertificate::sign(&root(), generation(), 2, public(&device()));
    check(TicketError::BadSignature, |t| t.certificate = other);
}

#[test]
fn a_well_signed_ticket_must_still_make_sense() {
    let verify = |bytes: Vec<u8>| signed_bytes(bytes).verify(&public(&root()));
    let encode = |body: &TicketBody| postcard::to_allocvec(body).unwrap();
    assert_eq!(verify(Vec::new()), Err(TicketError::Malformed));
    assert_eq!(verify(vec![FORMAT, 1]), Err(TicketError::Malformed));
    assert_eq!(verify([encode(&body()), vec![0]].concat()), Err(TicketError::Malformed));
    assert_eq!(verify(encode(&TicketBody { format: 2, ..body() })), Err(TicketError::UnknownFormat(2)));
    let site = SiteId([0; 20]);
    assert_eq!(verify(encode(&TicketBody { site, ..body() })), Err(TicketError::OtherSite));
    let generation = Generation { number: 2, id: [4; 16] };
    assert_eq!(verify(encode(&TicketBody { generation, ..body() })), Err(TicketError::OtherGeneration));
    let nonce = Some(vec![0; limits::NONCE_BYTES_MAX + 1]);
    assert_eq!(verify(encode(&TicketBody { nonce, ..body() })), Err(TicketError::NonceTooLong));
}

#[test]
fn a_signer_does_not_sign_what_no_one_would_accept() {
    let sign = |body: TicketBody, key: &SigningKey| Ticket::sign(&body, certificate(), key).unwrap_err();
    assert_eq!(sign(body(), &device()), TicketError::OtherKey);
    assert_eq!(sign(TicketBody { format: 2, ..body() }, &pool()), TicketError::UnknownFormat(2));
    assert_eq!(sign(TicketBody { site: SiteId([0; 20]), ..body() }, &pool()), TicketError::OtherSite);
    let features = vec![Feature::new("f").unwrap(); limits::FEATURES_MAX + 1];
    assert_eq!(sign(TicketBody { features, ..body() }, &pool()), TicketError::TooLong);
}

#[test]
fn the_largest_ticket_fits_into_its_text() {
    let largest = TicketBody {
        license: Name::new("l".repeat(limits::NAME_BYTES_MAX)).unwrap(),
        product: ProductId::new("p".repeat(limits::PRODUCT_BYTES_MAX)).unwrap(),
        version: Version::new("v".repeat(limits::VERSION_BYTES_MAX)).unwrap(),
        features: vec![Feature::new("f".repeat(limits::PRODUCT_BYTES_MAX)).unwrap(); limits::FEATURES_MAX],
        user: Name::new("u".repeat(limits::NAME_BYTES_MAX)).unwrap(),
        seat: SeatId(u64::MAX),
        serial: u64::MAX,
        nonce: Some(vec![0; limits::NONCE_BYTES_MAX]),
        issued: WallTime(i64::MIN),
        ends: Some(WallTime(i64::MIN)),
        ..body()
    };
    let ticket = Ticket::sign(&largest, certificate(), &pool()).unwrap();
    let read = Ticket::from_text(&ticket.to_text().unwrap()).unwrap();
    assert_eq!(read.verify(&public(&root())), Ok(largest));
}

#[test]
fn a_text_that_is_no_ticket_is_refused() {
    let text = ticket().to_text().unwrap();
    assert_eq!(Ticket::from_text(""), Err(TicketError::Malformed));
    assert_eq!(Ticket::from_text("?"), Err(TicketError::Malformed));
    assert_eq!(Ticket::from_text(&text[..text.len() - 4]), Err(TicketError::Malformed));
    assert_eq!(Ticket::from_text(&format!("{text}AAAA")), Err(TicketError::Malformed));
    assert_eq!(Ticket::from_text("AgAA"), Err(TicketError::UnknownFormat(2)));
    assert_eq!(Ticket::from_text(&"A".repeat(20_000)), Err(TicketError::TooLong));
    let huge = Ticket { body: vec![0; limits::TICKET_BYTES_MAX], ..ticket() };
    assert_eq!(huge.to_text(), Err(TicketError::TooLong));
}

#[test]
fn a_copied_ticket_lacks_its_device() {
    let root = public(&root());
    let proof = DeviceProof::sign(&ticket(), b"nonce", &device()).unwrap();
    assert_eq!(proof.verify(&ticket(), &root, b"nonce"), Ok(body()));
    assert_eq!(proof.verify(&ticket(), &root, b"other"), Err(TicketError::BadProof));
    assert_eq!(proof.verify(&ticket(), &root, &[0; 65]), Err(TicketError::NonceTooLong));
    assert_eq!(DeviceProof::sign(&ticket(), &[0; 65], &device()), Err(TicketError::NonceTooLong));

    let thief = DeviceProof::sign(&ticket(), b"nonce", &pool()).unwrap();
    assert_eq!(thief.verify(&ticket(), &root, b"nonce"), Err(TicketError::OtherDevice));
    let claimed = DeviceProof { key: proof.key, ..thief };
    assert_eq!(claimed.verify(&ticket(), &root, b"nonce"), Err(TicketError::BadProof));

    let newer = Ticket::sign(&TicketBody { serial: 301, ..body() }, certificate(), &pool()).unwrap();
    assert_eq!(proof.verify(&newer, &root, b"nonce"), Err(TicketError::BadProof));
}

#[test]
fn no_signature_passes_for_another_kind() {
    // A roster's signature over the bytes of a ticket.
    let mut forged = ticket();
    forged.signature = certificate().sign_with(&pool(), b"seatkeeper-roster-v1\n", &forged.body).unwrap();
    assert_eq!(forged.verify(&public(&root())), Err(TicketError::BadSignature));
}

/// Tickets are verified by applications that are never updated: these bytes stay readable for ever.
#[test]
fn the_released_format_does_not_change() {
    assert_eq!(HEXLOWER.encode(&postcard::to_allocvec(&body()).unwrap()), BODY_GOLDEN);
    assert_eq!(ticket().to_text().unwrap(), TEXT_GOLDEN);
    let read = Ticket::from_text(TEXT_GOLDEN).unwrap();
    assert_eq!(read.verify(&public(&root())), Ok(body()));
    let message = device_proof_message(TEXT_GOLDEN, b"nonce");
    assert_eq!(HEXLOWER.encode(&Sha256::digest(message)), PROOF_MESSAGE_HASH);
}

const BODY_GOLDEN: &str = "\
    0105414c502d31050505050505050505050505050505050505050505050505050505050505050534750f98bd59fcfc94\
    6da45aaabe933be154a4b50104040404040404040404040404040404070007616c6c706c616e0432303236010362696d\
    04616e6e618cef065b7af83669150b7d32704d3d3e75c3e9aeac0201040606060680a0d5edee6600";
const TEXT_GOLDEN: &str = "\
    AYgBAQVBTFAtMQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFNHUPmL1Z_PyUbaRaqr6TO-FUpLUBBAQEBAQEBAQE\
    BAQEBAQEBAcAB2FsbHBsYW4EMjAyNgEDYmltBGFubmGM7wZbevg2aRULfTJwTT0-dcPprqwCAQQGBgYGgKDV7e5mADR1D5i9\
    Wfz8lG2kWqq-kzvhVKS1AQQEBAQEBAQEBAQEBAQEBAQBgTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5RAbLknJK1G\
    6DB5lA2XI-ESOSFjQeq_-g45PFzNfs5qVIw1OL5gIRr7wdhbGzZvt4RjlbxWrqgf1ZWOitKEAKeNAkCce8jyyr1yW6GSYiHc\
    UIQLbL6VFX_9BmAo6QCAO_87vhyCwH_H4Qot-ZlKEot7FJO7cfjXXb-dmkHehreW9DAC";
const PROOF_MESSAGE_HASH: &str = "ce250aeae78edc12e987bed94f863a53622653e627ec627bb9eaf35f78819f54";

proptest! {
    // Each case signs or verifies, which is slow without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600), text in ".{0,200}") {
        let _ = Ticket::from_text(&text);
        let _ = Ticket::from_text(&BASE64URL_NOPAD.encode(&[&[FORMAT], bytes.as_slice()].concat()));
        let _ = signed_bytes(bytes.clone()).verify(&public(&root()));
        let _ = signed_bytes([&[FORMAT], bytes.as_slice()].concat()).verify(&public(&root()));
    }

    #[test]
    fn no_changed_byte_of_the_text_form_verifies(at in any::<proptest::sample::Index>(), flip in 1u8..) {
        let mut bytes = postcard::to_allocvec(&ticket()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(changed) = frame::decode_body::<Ticket>(&bytes) {
            prop_assert!(changed.verify(&public(&root())).is_err());
        }
    }
}
