use seatkeeper_ledger::audit::Stretch;
use seatkeeper_protocol::id::PublicKey;

use super::*;

/// The example of `protocol/AUDIT.md`.
const EXAMPLE: &str = include_str!("../../../../protocol/AUDIT.md");

fn part() -> (SiteId, AuditPart) {
    let begin = EXAMPLE.find("```json export\n").expect("the page has an export") + "```json export\n".len();
    let rest = &EXAMPLE[begin..];
    let text = &rest[..rest.find("```").expect("it ends")];
    let export: seatkeeper_protocol::api::AuditExport = serde_json::from_str(text).expect("an export");
    let root: PublicKey = export.root.unwrap().parse().unwrap();
    (root.site(), export.parts.into_iter().next().unwrap())
}

fn verified(parts: &[AuditPart]) -> (Verifier, Result<(), Wrong>) {
    let mut verifier = Verifier::new(Some(part().0));
    let done = parts.iter().try_for_each(|part| verifier.take(part, drop));
    (verifier, done)
}

#[test]
fn the_example_is_whole() {
    let (_, part) = part();
    assert!(part.records.len() >= 4);
    let (verifier, done) = verified(std::slice::from_ref(&part));
    assert_eq!(done, Ok(()));
    let last = part.records.last().unwrap();
    let (seq, link) = verifier.head().unwrap();
    assert_eq!((seq, link.to_string()), (last.seq, last.hash.clone()));
    let [span] = &verifier.spans()[..] else { panic!() };
    assert_eq!((span.first, span.last), (1, last.seq));
    assert_eq!((&span.from, &span.to), (&part.records[0].time, &last.time));
}

#[test]
fn every_word_of_a_record_is_what_is_hashed() {
    let (_, part) = part();
    let check = |what: &str, change: &dyn Fn(&mut AuditRecord), expected: Wrong| {
        let mut changed = part.clone();
        change(&mut changed.records[2]);
        let (verifier, done) = verified(&[changed]);
        assert_eq!(done, Err(expected.clone()), "{what}");
        assert_eq!(expected.seq(), 3);
        assert_eq!(verifier.spans()[0].last, 2, "those before are whole");
    };
    check("time", &|r| r.time = None, Wrong::OtherWords(3));
    check("text", &|r| r.text.push('!'), Wrong::OtherWords(3));
    check("kind", &|r| r.kind = "denied".into(), Wrong::OtherWords(3));
    check("user", &|r| r.user = Some("max".into()), Wrong::OtherWords(3));
    check("seq", &|r| r.seq = 4, Wrong::OtherWords(3));
    check("no base64", &|r| r.record.push('!'), Wrong::Malformed(3));
    check("no hash", &|r| r.hash.truncate(63), Wrong::Malformed(3));
    check("another hash", &|r| r.hash.replace_range(0..1, "_"), Wrong::Malformed(3));
    let another = |r: &mut AuditRecord| {
        let mut bytes = BASE64.decode(r.record.as_bytes()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        r.record = BASE64.encode(&bytes);
    };
    check("another record", &another, Broken::Changed(3).into());
}

#[test]
fn parts_follow_each_other_or_begin_anew() {
    let (_, part) = part();
    let cut = |from: usize, to: usize| {
        let before =
            from.checked_sub(1).map_or_else(|| part.before.clone(), |at| part.records[at].hash.clone());
        AuditPart { first: from as u64 + 1, before, records: part.records[from..to].to_vec() }
    };
    let all = part.records.len();
    let (verifier, done) = verified(&[cut(0, 2), cut(2, 2), cut(2, all)]);
    assert_eq!((done, verifier.spans().len()), (Ok(()), 1));
    let (verifier, done) = verified(&[cut(0, 1), cut(2, all)]);
    assert_eq!(done, Ok(()));
    let spans: Vec<_> = verifier.spans().iter().map(|span| (span.first, span.last)).collect();
    assert_eq!(spans, [(1, 1), (3, all as u64)], "a gap is told, not hidden");
    assert_eq!(
        verified(&[cut(2, all), cut(0, 2)]).1,
        Err(Broken::Missing { expected: all as u64 + 1, found: 1 }.into())
    );
    let mut other = cut(1, all);
    other.before = Link::default().to_string();
    assert_eq!(verified(&[cut(0, 1), other]).1, Err(Broken::Changed(2).into()));
    let mut no_hash = cut(0, all);
    no_hash.before = "nothing".into();
    assert_eq!(verified(&[no_hash]).1, Err(Wrong::Malformed(1)));
    // Another site's records.
    let mut verifier = Verifier::new(Some(SiteId([7; 20])));
    assert_eq!(verifier.take(&part, drop), Err(Broken::OtherSite(SiteId([7; 20])).into()));
}

#[test]
fn a_record_that_nobody_here_knows_is_told_by_its_hash_alone() {
    let bytes = vec![1, 1, 1, 0x7f];
    let link = Link::default().next(&bytes);
    let stretch =
        Stretch { first: 1, before: Link::default(), records: vec![Linked { bytes: bytes.into(), link }] };
    let record = told(1, &stretch.records[0]);
    assert_eq!((record.kind.as_str(), record.time), ("unreadable", None));
}

mod page {
    //! The example of the page: made by this release, and verified by hand as the page tells.

    use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER};
    use ed25519_dalek::{Signer, SigningKey, Verifier as _, VerifyingKey};
    use seatkeeper_ledger::command::{
        Actor, Checkout, Command, DeviceInfo, Entry, Form, Found, Outcome, Sealed, admin_message,
    };
    use seatkeeper_ledger::{Ledger, encode};
    use seatkeeper_protocol::api::{self, AuditExport};
    use seatkeeper_protocol::audit::{AuditHead, SignedAuditHead};
    use seatkeeper_protocol::id::{Generation, Name, RequestId, SessionId};
    use seatkeeper_protocol::license;
    use seatkeeper_protocol::ticket::PoolKeyCertificate;
    use seatkeeper_protocol::time::WallTime;
    use sha2::{Digest, Sha256};

    use super::*;

    const START: WallTime = WallTime(1_772_366_400_000);
    const GENERATION: Generation = Generation { number: 1, id: [9; 16] };

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn public(n: u8) -> PublicKey {
        PublicKey(key(n).verifying_key().to_bytes())
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn ledger() -> Ledger {
        let mut ledger = Ledger::new();
        let mut index = 0;
        let mut apply = |actor: Actor, request: RequestId, command: Command| {
            index += 1;
            let time = START.plus_ms(i64::try_from(index).unwrap() * 60_000);
            let bytes = encode(&Entry { time, term: 1, actor, request, command }).unwrap();
            ledger.apply(index, 1, &bytes)
        };
        let request = |counter| RequestId { epoch: 1, counter };
        let found = Found {
            name: name("Office"),
            root: public(1),
            generation: GENERATION,
            sealed_root: Sealed(vec![1; 60]),
            certificate: certificate(),
            sealed_pool_key: Sealed(vec![2; 60]),
            device: public(5),
            info: DeviceInfo { name: name("ws-1"), form: Form::Desktop, version: name("0.1.0") },
            admin: name("anna"),
            admin_key: public(4),
        };
        let device = public(5).device();
        assert_eq!(apply(Actor::Holder(device), request(1), Command::Found(Box::new(found))), Outcome::Done);
        let text = "# Seatkeeper license v1\nlicense = \"EX-1\"\nvendor = \"example-vendor\"\ncustomer = \"Office\"\n\
                    issued = 2026-01-01\nproduct = \"example-cad\"\ntitle = \"CAD\"\nversion = \"2026\"\nseats = 3\n";
        let vendor = Command::TrustVendor {
            name: name("example-vendor"),
            key: public(3),
            prefixes: vec!["example-".parse().unwrap()],
        };
        for (n, command) in [vendor, Command::AddLicense { text: license::sign(text, &key(3)).unwrap() }]
            .into_iter()
            .enumerate()
        {
            let request = request(n as u64 + 1);
            let message =
                admin_message(&public(1).site(), &GENERATION, &name("anna"), &request, &command).unwrap();
            let actor = Actor::Admin { name: name("anna"), signature: key(4).sign(&message).to_vec() };
            assert_eq!(apply(actor, request, command), Outcome::Done);
        }
        let session = SessionId([1; 16]);
        let want = Checkout {
            session,
            user: name("eva"),
            product: "example-cad".parse().unwrap(),
            version: None,
            features: Vec::new(),
            pid: None,
        };
        assert!(matches!(
            apply(Actor::Device(device), request(1), Command::Checkout(want)),
            Outcome::Granted(_)
        ));
        let back = Command::Return { session, attach: None };
        assert_eq!(apply(Actor::Device(device), request(2), back), Outcome::Done);
        ledger
    }

    fn certificate() -> PoolKeyCertificate {
        PoolKeyCertificate::sign(&key(1), GENERATION, 1, public(2))
    }

    fn export() -> AuditExport {
        let stretch = ledger().audit(1, 100);
        let site = public(1).site();
        let head =
            AuditHead { site, generation: GENERATION, seq: stretch.next() - 1, hash: stretch.head().0 };
        let seal = SignedAuditHead::sign(&head, certificate(), &key(2)).unwrap().to_text().unwrap();
        let records = stretch.records.iter().zip(stretch.first..).map(|(linked, seq)| told(seq, linked));
        AuditExport {
            format: 1,
            site: Some(api::Site { id: site.to_string(), name: "Office".into(), generation: 1 }),
            keeper: api::Holder { id: public(5).device().to_string(), name: "ws-1".into() },
            oldest: 1,
            damaged: Vec::new(),
            parts: vec![AuditPart {
                first: stretch.first,
                before: stretch.before.to_string(),
                records: records.collect(),
            }],
            root: Some(public(1).to_string()),
            seal: Some(seal),
        }
    }

    fn wrapped(text: &str) -> String {
        text.as_bytes().chunks(100).map(|line| String::from_utf8_lossy(line).into_owned() + "\n").collect()
    }

    fn with_block(page: &str, label: &str, content: &str) -> String {
        let begin = format!("```{label}\n");
        let at = page.find(&begin).unwrap_or_else(|| panic!("the page has no {label}")) + begin.len();
        let end = at + page[at..].find("```").expect("the block ends");
        format!("{}{content}{}", &page[..at], &page[end..])
    }

    /// `SEATKEEPER_WRITE_GOLDEN=1` writes the example anew.
    #[test]
    fn the_pages_example_is_what_this_release_exports() {
        let export = export();
        let records = &export.parts[0].records;
        let content = |n: usize| HEXLOWER.encode(&BASE64.decode(records[n].record.as_bytes()).unwrap());
        let mut page = EXAMPLE.to_owned();
        page = with_block(&page, "text start", &(export.parts[0].before.clone() + "\n"));
        page = with_block(&page, "text record-1", &wrapped(&content(0)));
        page = with_block(&page, "text record-4", &wrapped(&content(3)));
        page = with_block(&page, "json export", &(serde_json::to_string_pretty(&export).unwrap() + "\n"));
        if std::env::var_os("SEATKEEPER_WRITE_GOLDEN").is_some() {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/AUDIT.md");
            std::fs::write(path, page).unwrap();
            return;
        }
        assert!(page == EXAMPLE, "the page's example is outdated");
    }

    /// The page's steps over the page's bytes, with nothing of ours but the JSON types.
    #[test]
    fn the_pages_steps_accept_the_pages_example() {
        let begin = EXAMPLE.find("```json export\n").unwrap() + "```json export\n".len();
        let text = &EXAMPLE[begin..];
        let export: AuditExport = serde_json::from_str(&text[..text.find("```").unwrap()]).unwrap();
        let base32 = |text: &str| BASE32_NOPAD.decode(text.to_uppercase().as_bytes()).unwrap();
        let (site, root) = (base32(&export.site.unwrap().id), base32(&export.root.unwrap()));
        assert_eq!(site, Sha256::digest(&root)[..20]);
        let mut hash = Sha256::digest([b"seatkeeper-audit-v1\n".as_slice(), &site].concat());
        assert_eq!(HEXLOWER.encode(&hash), export.parts[0].before);
        for (n, record) in export.parts[0].records.iter().enumerate() {
            let content = BASE64.decode(record.record.as_bytes()).unwrap();
            hash = Sha256::digest([b"seatkeeper-record-v1\n".as_slice(), &hash, &content].concat());
            assert_eq!(HEXLOWER.encode(&hash), record.hash);
            assert_eq!(usize::from(content[0]), n + 1, "small numbers are one byte");
        }
        let seal = BASE64URL_NOPAD.decode(export.seal.unwrap().as_bytes()).unwrap();
        let mut rest = seal.as_slice();
        let mut next = |n: usize| {
            let (taken, left) = rest.split_at(n);
            rest = left;
            taken
        };
        assert_eq!(next(1), [1]);
        let length = usize::from(next(1)[0]);
        let signed = next(length);
        assert_eq!(next(20), site);
        let (generation, number, pool_key) = (next(17), next(1), next(32));
        assert_eq!((generation[0], number), (1, [1].as_slice()));
        let length = usize::from(next(1)[0]);
        let by_root = next(length);
        let length = usize::from(next(1)[0]);
        let by_pool_key = next(length);
        let verifies = |key: &[u8], message: &[u8], signature: &[u8]| {
            let key = VerifyingKey::from_bytes(key.try_into().unwrap()).unwrap();
            key.verify(message, &signature.try_into().unwrap()).is_ok()
        };
        assert!(!by_root.is_empty());
        assert!(verifies(
            pool_key,
            &[b"seatkeeper-audit-head-v1\n".as_slice(), signed].concat(),
            by_pool_key
        ));
        let seq = u8::try_from(export.parts[0].records.len()).unwrap();
        assert_eq!(signed, [&[1], site.as_slice(), generation, &[seq], &hash].concat());
    }
}
