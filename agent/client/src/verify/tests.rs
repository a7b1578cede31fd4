use ed25519_dalek::SigningKey;
use seatkeeper_protocol::id::{Generation, Name, SeatId};
use seatkeeper_protocol::license;

use super::*;

mod agents;

/// 2026-03-01T12:00:00Z.
const NOW: WallTime = WallTime(1_772_366_400_000);
const HOUR_MS: i64 = 60 * 60 * 1_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

/// The parts that an answer is made of: those of an honest agent, unless a test changes some.
struct Parts {
    vendor: SigningKey,
    /// The license without its `site` line.
    license: String,
    /// The license's `site` line.
    bound: String,
    /// The file after it was signed.
    altered: fn(String) -> String,
    root: SigningKey,
    /// Whose root key the agent shows.
    shown: Option<PublicKey>,
    /// Who certifies the pool key.
    certifier: SigningKey,
    generation: Generation,
    number: u32,
    pool: SigningKey,
    /// A change of the certificate after it was made.
    certificate: fn(&mut PoolKeyCertificate),
    /// A change of the ticket before it is signed.
    ticket: fn(&mut TicketBody),
    /// A change of the ticket after it was signed.
    resigned: fn(&mut Ticket),
    device: SigningKey,
    /// Who signs the nonce, and whose key is shown.
    signer: (SigningKey, SigningKey),
    /// What the device signs, if not the nonce.
    signed: Option<Vec<u8>>,
}

impl Parts {
    fn honest() -> Self {
        Self {
            vendor: key(3),
            license: "# Seatkeeper license v1\nlicense = \"L1\"\nvendor = \"acme\"\ncustomer = \"Office\"\n\
                      issued = 2025-12-20\nproduct = \"cad\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = 2\n\
                      features = [\"bim\", \"cloud\"]\nvalid_from = 2026-01-01\nvalid_until = 2026-12-31\n\
                      borrow = { max_days = 30 }\n"
                .to_owned(),
            bound: format!("site = \"{}\"\n", public(&key(1)).site()),
            altered: |file| file,
            root: key(1),
            shown: None,
            certifier: key(1),
            generation: Generation { number: 1, id: [9; 16] },
            number: 1,
            pool: key(2),
            certificate: |_| {},
            ticket: |_| {},
            resigned: |_| {},
            device: key(4),
            signer: (key(4), key(4)),
            signed: None,
        }
    }

    fn certificate(&self) -> PoolKeyCertificate {
        let pool = public(&self.pool);
        let mut certificate = PoolKeyCertificate::sign(&self.certifier, self.generation, self.number, pool);
        (self.certificate)(&mut certificate);
        certificate
    }

    /// What an agent with these parts answers.
    fn answer(&self, ticket_nonce: &[u8], proof_nonce: &[u8]) -> SeatProof {
        let file = license::sign(&format!("{}{}", self.license, self.bound), &self.vendor).unwrap();
        let parsed = SignedLicense::parse(&file).unwrap();
        let mut body = TicketBody {
            format: 1,
            license: parsed.license().id.clone(),
            license_hash: parsed.hash(),
            site: public(&self.certifier).site(),
            generation: self.generation,
            seat: SeatId(7),
            kind: SeatKind::Online,
            product: "cad".parse().unwrap(),
            version: "2026.1".parse().unwrap(),
            features: vec!["bim".parse().unwrap()],
            user: Name::new("eva").unwrap(),
            device: public(&self.device).device(),
            serial: 300,
            nonce: Some(ticket_nonce.to_vec()),
            issued: NOW,
            ends: None,
        };
        (self.ticket)(&mut body);
        let mut ticket = Ticket::sign(&body, self.certificate(), &self.pool).unwrap();
        (self.resigned)(&mut ticket);
        let (signer, shown) = &self.signer;
        let proof =
            DeviceProof::sign(&ticket, self.signed.as_deref().unwrap_or(proof_nonce), signer).unwrap();
        SeatProof {
            format: 1,
            seat: "7".to_owned(),
            session: "01".repeat(16),
            ticket: ticket.to_text().unwrap(),
            license_text: (self.altered)(file),
            root: self.shown.unwrap_or_else(|| public(&self.root)).to_string(),
            device_key: public(shown).to_string(),
            signature: BASE64URL_NOPAD.encode(&proof.signature),
        }
    }
}

fn verifier() -> Verifier {
    Verifier::new(public(&key(3)), "cad".parse().unwrap())
        .version("2026.1".parse().unwrap())
        .feature("bim".parse().unwrap())
}

/// What `verifier` says at `now` to honest parts, changed.
fn checked(
    verifier: &Verifier,
    now: WallTime,
    change: impl FnOnce(&mut Parts),
) -> Result<Verified, VerifyError> {
    let mut parts = Parts::honest();
    change(&mut parts);
    let challenge = verifier.challenge().unwrap();
    let proof = parts.answer(&challenge.ticket.0, &challenge.proof.0);
    verifier.check(challenge, &proof, now)
}

/// Checks that honest parts, changed, are refused as `pattern`.
macro_rules! refused {
    ($pattern:pat, $change:expr) => {
        refused!($pattern, verifier(), NOW, $change)
    };
    ($pattern:pat, $verifier:expr, $now:expr, $change:expr) => {
        let found = checked(&$verifier, $now, $change);
        assert!(matches!(found, Err($pattern)), "{found:?} instead of {}", stringify!($pattern));
        let sentence = found.unwrap_err().to_string();
        assert!(sentence.len() > 30 && !sentence.ends_with('.'), "{sentence}");
    };
}

fn borrowed(body: &mut TicketBody) {
    (body.kind, body.nonce) = (SeatKind::Borrowed, None);
    (body.issued, body.ends) = (NOW.plus_ms(-DAY_MS), Some(NOW.plus_ms(29 * DAY_MS)));
}

#[test]
fn an_honest_agent_is_believed() {
    let verified = checked(&verifier(), NOW, |_| {}).unwrap();
    assert_eq!((verified.license.customer.as_str(), verified.ticket.user.as_str()), ("Office", "eva"));
    assert_eq!((verified.ticket.seat, verified.certificate.number), (SeatId(7), 1));
    // An online seat's time is the site's: this clock may be years off.
    checked(&verifier(), NOW.plus_ms(3_000 * DAY_MS), |_| {}).unwrap();
    checked(&verifier(), WallTime(0), |_| {}).unwrap();
    checked(&verifier(), NOW, |parts| parts.ticket = borrowed).unwrap();
}

#[test]
fn the_license_must_be_the_vendors_and_for_this_program() {
    // A forged agent that is its own vendor.
    refused!(VerifyError::OtherVendor { .. }, |parts| parts.vendor = key(30));
    refused!(VerifyError::LicenseAltered, |parts| {
        parts.altered = |file| file.replace("seats = 2", "seats = 200");
    });
    refused!(VerifyError::LicenseAltered, |parts| {
        parts.altered = |file| file.replace("2026-12-31", "2036-12-31");
    });
    refused!(VerifyError::LicenseUnreadable(_), |parts| parts.altered = |_| "licensed!".to_owned());
    refused!(VerifyError::OtherProduct { .. }, |parts| {
        parts.license = parts.license.replace("\"cad\"", "\"cam\"");
    });
    refused!(VerifyError::NotCovered { .. }, |parts| parts.license =
        parts.license.replace("2026\"", "2025\""));
    refused!(VerifyError::NotCovered { .. }, |parts| parts.license = parts.license.replace("bim", "bam"));
    let both = Verifier::new(public(&key(30)), "cad".parse().unwrap());
    refused!(VerifyError::OtherVendor { .. }, both, NOW, |_| {});
    checked(&both.or_vendor(public(&key(3))), NOW, |_| {}).unwrap();
}

#[test]
fn the_ticket_must_be_of_the_site_that_the_license_names() {
    // A forged agent with a site of its own, and a real license.
    fn own_site(parts: &mut Parts) {
        (parts.root, parts.certifier) = (key(10), key(10));
    }
    refused!(VerifyError::OtherSite { .. }, own_site);
    // One that shows the real root key with it, or certifies its pool key by another.
    refused!(VerifyError::TicketUnreadable(TicketError::OtherSite), |parts| {
        own_site(parts);
        parts.shown = Some(public(&key(1)));
    });
    refused!(VerifyError::PoolKeyForged, |parts| {
        parts.certificate = |certificate| {
            let (site, generation, number) = (certificate.site, certificate.generation, certificate.number);
            *certificate = PoolKeyCertificate::sign(&key(10), generation, number, certificate.key);
            certificate.site = site;
        };
    });
    // With a license for any site, everybody is a site.
    refused!(VerifyError::AnySite, |parts| parts.bound.clear());
    checked(&verifier().any_site(), NOW, |parts| {
        own_site(parts);
        parts.bound.clear();
    })
    .unwrap();
    refused!(VerifyError::OtherSite { .. }, verifier().any_site(), NOW, own_site);
}

#[test]
fn the_ticket_must_be_whole_and_for_this_start() {
    refused!(VerifyError::TicketForged, |parts| parts.resigned = |ticket| ticket.signature[0] ^= 1);
    refused!(VerifyError::TicketForged, |parts| parts.resigned = |ticket| {
        let at = ticket.body.len() - 1;
        ticket.body[at] ^= 1;
    });
    refused!(VerifyError::Replayed, |parts| parts.ticket = |body| body.nonce = Some(vec![1; NONCE_BYTES]));
    refused!(VerifyError::Replayed, |parts| parts.ticket = |body| body.nonce = None);
    refused!(VerifyError::OtherLicense, |parts| parts.ticket = |body| body.license_hash[0] ^= 1);
    refused!(VerifyError::OtherLicense, |parts| {
        parts.ticket = |body| body.license = Name::new("L2").unwrap();
    });
    refused!(VerifyError::OtherGrant, |parts| parts.ticket = |body| body.product = "cam".parse().unwrap());
    refused!(VerifyError::OtherGrant, |parts| parts.ticket = |body| body.version = "2026.2".parse().unwrap());
    refused!(VerifyError::OtherGrant, |parts| parts.ticket = |body| body.features.clear());
    // Whose license covers what was asked for, but whose ticket is for another version.
    let any = Verifier::new(public(&key(3)), "cad".parse().unwrap());
    refused!(VerifyError::OtherGrant, any, NOW, |parts| {
        parts.ticket = |body| body.version = "2027".parse().unwrap();
    });
    // A dated ticket needs no nonce: nobody else may go as one.
    refused!(VerifyError::OtherGrant, |parts| parts.ticket = |body| body.kind = SeatKind::Borrowed);
    refused!(VerifyError::OtherGrant, |parts| {
        parts.ticket = |body| (body.nonce, body.ends) = (None, Some(NOW.plus_ms(HOUR_MS)));
    });
}

#[test]
fn what_is_over_is_over() {
    fn license_until(day: &'static str) -> impl FnOnce(&mut Parts) {
        move |parts| parts.license = parts.license.replace("2026-12-31", day)
    }
    refused!(VerifyError::LicenseEnded { .. }, license_until("2026-02-27"));
    // Its last day lasts until noon of the next one in Greenwich; a site may be some minutes late to end it.
    checked(&verifier(), NOW, license_until("2026-02-28")).unwrap();
    refused!(VerifyError::LicenseNotYet { .. }, |parts| {
        parts.license = parts.license.replace("2026-01-01", "2026-03-02");
    });

    fn borrow(parts: &mut Parts) {
        parts.ticket = borrowed;
    }
    let at = |days: i64| NOW.plus_ms(days * DAY_MS);
    checked(&verifier(), at(28), borrow).unwrap();
    refused!(VerifyError::Ended { .. }, verifier(), at(29), borrow);
    // A clock that was set back to before the borrow, and one that is a little slow.
    refused!(VerifyError::ClockBehind { .. }, verifier(), at(-2), borrow);
    checked(&verifier(), at(-1).plus_ms(-ISSUED_AHEAD_MS), borrow).unwrap();
    // One that was borrowed for longer than the license allows, or on one that allows none.
    refused!(VerifyError::TooLong, |parts| {
        parts.ticket = |body| {
            borrowed(body);
            body.ends = Some(NOW.plus_ms(30 * DAY_MS));
        };
    });
    refused!(VerifyError::TooLong, |parts| {
        borrow(parts);
        parts.license = parts.license.replace("borrow = { max_days = 30 }\n", "");
    });
    refused!(VerifyError::LicenseEnded { .. }, verifier(), at(2), |parts| {
        borrow(parts);
        license_until("2026-03-01")(parts);
    });
}

#[test]
fn the_ticket_must_be_this_machines() {
    // Copied to another machine, which has a key of its own, or says that it has the first one's.
    refused!(VerifyError::OtherDevice, |parts| parts.signer = (key(5), key(5)));
    refused!(VerifyError::ProofForged, |parts| parts.signer = (key(5), key(4)));
    // A proof that the machine made before, for another nonce.
    refused!(VerifyError::ProofForged, |parts| parts.signed = Some(vec![1; NONCE_BYTES]));
    refused!(VerifyError::OtherDevice, |parts| {
        parts.ticket = borrowed;
        parts.signer = (key(5), key(5));
    });
}

#[test]
fn parts_that_are_none_are_refused() {
    let verifier = verifier();
    let check = |expected: &str, change: fn(&mut SeatProof)| {
        let challenge = verifier.challenge().unwrap();
        let mut proof = Parts::honest().answer(&challenge.ticket.0, &challenge.proof.0);
        change(&mut proof);
        let error = verifier.check(challenge, &proof, NOW).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("root key", |proof| proof.root.clear());
    check("device key", |proof| proof.device_key.push('a'));
    check("device signature", |proof| proof.signature.push('*'));
    check("the ticket is damaged", |proof| proof.ticket.truncate(40));
    check("the ticket is too long", |proof| proof.ticket = "A".repeat(100_000));
    check("at most 16384 bytes", |proof| proof.license_text = "x".repeat(100_000));
}

fn second(parts: &mut Parts) {
    (parts.pool, parts.number) = (key(20), 2);
}

#[test]
fn a_pool_key_that_the_site_replaced_gives_no_seat() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sites.json");
    let kept = || verifier().remember_in(&file);
    checked(&kept(), NOW, |_| {}).unwrap();
    checked(&kept(), NOW, second).unwrap();
    // What was stolen with a machine that is revoked signs for a forged agent. Each verifier is a process of its own.
    let found = checked(&kept(), NOW, |_| {});
    assert!(matches!(found, Err(VerifyError::PoolKeyReplaced { number: 1, newest: 2 })), "{found:?}");
    checked(&kept(), NOW, second).unwrap();
    refused!(VerifyError::PoolKeyReplaced { .. }, kept(), NOW.plus_ms(DAY_MS), |parts| {
        parts.ticket = |body| {
            borrowed(body);
            body.issued = NOW.plus_ms(1);
        };
    });
    // A seat that was borrowed before runs to its end.
    checked(&kept(), NOW, |parts| parts.ticket = borrowed).unwrap();
    // Without a file it is known as long as the verifier and its clones.
    let verifier = verifier();
    let clone = verifier.clone();
    checked(&verifier, NOW, second).unwrap();
    refused!(VerifyError::PoolKeyReplaced { .. }, clone, NOW, |_| {});
    // Another site's keys count for themselves.
    checked(&kept(), NOW, |parts| {
        (parts.root, parts.certifier) = (key(11), key(11));
        parts.bound = format!("site = \"{}\"\n", public(&key(11)).site());
    })
    .unwrap();
}

#[test]
fn an_older_generation_gives_no_seat() {
    fn generation(number: u32, id: u8) -> impl FnOnce(&mut Parts) {
        move |parts| parts.generation = Generation { number, id: [id; 16] }
    }
    let verifier = verifier();
    checked(&verifier, NOW, second).unwrap();
    checked(&verifier, NOW, generation(2, 1)).unwrap();
    refused!(VerifyError::PoolKeyReplaced { .. }, verifier, NOW, second);
    // Of two rivals an admin chooses one; which, nobody can know here.
    checked(&verifier, NOW, generation(2, 2)).unwrap();
    checked(&verifier, NOW, generation(2, 1)).unwrap();
}

#[test]
fn a_running_seat_survives_the_rotation_of_the_pool_key() {
    let verifier = verifier();
    let challenge = || verifier.challenge().unwrap();
    let (first, proof_nonce) = (challenge(), challenge().proof);
    let proof = Parts::honest().answer(&first.ticket.0, &first.proof.0);
    let ticket = first.ticket.clone();
    verifier.check(first, &proof, NOW).unwrap();
    checked(&verifier, NOW, second).unwrap();
    let again = Challenge { ticket, proof: proof_nonce };
    let new = SeatProof {
        signature: Parts::honest().answer(&again.ticket.0, &again.proof.0).signature,
        ..proof.clone()
    };
    verifier.check_again(&again, &new, NOW, Some(&proof.ticket)).unwrap();
    // Only that very ticket, and only with a new signature.
    let found = verifier.check_again(&again, &new, NOW, Some("another"));
    assert!(matches!(found, Err(VerifyError::PoolKeyReplaced { .. })), "{found:?}");
    let found = verifier.check_again(&again, &proof, NOW, Some(&proof.ticket));
    assert!(matches!(found, Err(VerifyError::ProofForged)), "{found:?}");
}

#[test]
fn what_is_known_of_sites_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sites.json");
    for damaged in ["", "{", r#"{"format":1,"keys":[{"site":"x"}]}"#, r#"{"format":2,"keys":[]}"#] {
        std::fs::write(&file, damaged).unwrap();
        refused!(VerifyError::Memory { .. }, verifier().remember_in(&file), NOW, |_| {});
    }
    refused!(VerifyError::Memory { .. }, verifier().remember_in(folder.path().join("no/x")), NOW, |_| {});
    std::fs::remove_file(&file).unwrap();
    // What is longest known is forgotten.
    for n in 0..70 {
        checked(&verifier().any_site().remember_in(&file), NOW, |parts| {
            (parts.root, parts.certifier) = (key(100 + n), key(100 + n));
            parts.bound.clear();
        })
        .unwrap();
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("generation_id").count(), 64, "{text}");
    assert!(!text.contains(&public(&key(105)).site().to_string()));
    assert!(text.contains(&public(&key(106)).site().to_string()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn each_start_has_its_own_nonces() {
    let verifier = verifier();
    let (one, other) = (verifier.challenge().unwrap(), verifier.challenge().unwrap());
    let nonces = [one.ticket_nonce(), one.proof_nonce(), other.ticket_nonce(), other.proof_nonce()];
    for (at, nonce) in nonces.iter().enumerate() {
        assert_eq!(BASE64URL_NOPAD.decode(nonce.as_bytes()).unwrap().len(), NONCE_BYTES);
        assert!(!nonces[..at].contains(nonce));
    }
    let request = verifier.request(&one);
    assert_eq!(request.nonce, Some(one.ticket_nonce()));
    assert_eq!((request.product.as_str(), request.version.as_deref()), ("cad", Some("2026.1")));
    assert_eq!(request.features, ["bim"]);
}
