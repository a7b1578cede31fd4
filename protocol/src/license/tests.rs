use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"# Seatkeeper license v1
license = "ALP-2026-000123"
vendor = "example-vendor"
customer = "Biuro Projektowe Sp. z o.o."
issued = 2025-12-20
product = "allplan-engineering"
title = "Allplan Engineering"
version = "2026"                 # covers 2026 and 2026.x
seats = 3
features = ["bim", "cloud"]
valid_from = 2026-01-01
valid_until = 2027-01-01
site = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
ttl = "5m"
share = "user"
"#;

fn vendor() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn vendor_public() -> PublicKey {
    PublicKey(vendor().verifying_key().to_bytes())
}

/// The good text with the line of `key` replaced by `line` (added when there is no such line).
fn with(key: &str, line: &str) -> String {
    let is_it = |l: &&str| l.split('=').next().is_some_and(|k| k.trim() == key);
    let mut lines: Vec<&str> = GOOD.lines().filter(|l| !is_it(l)).collect();
    lines.push(line);
    lines.join("\n") + "\n"
}

/// Checks that the text with `line` for `key` is refused with a sentence that has all of `says`.
#[track_caller]
fn check(key: &str, line: &str, says: &[&str]) {
    let text = with(key, line);
    let error = parse_unsigned(&text).expect_err("must be refused");
    let sentence = error.to_string();
    for part in says {
        assert!(sentence.contains(part), "{sentence:?} should say {part:?}");
    }
    assert_eq!(sign(&text, &vendor()), Err(error), "what is refused is not signed either");
}

#[test]
fn a_license_says_what_was_bought() {
    let license = parse_unsigned(GOOD).unwrap();
    assert_eq!(license.id.as_str(), "ALP-2026-000123");
    assert_eq!(license.vendor.as_str(), "example-vendor");
    assert_eq!(license.customer.as_str(), "Biuro Projektowe Sp. z o.o.");
    assert_eq!(license.issued.to_string(), "2025-12-20");
    assert_eq!(license.product.as_str(), "allplan-engineering");
    assert_eq!(license.title.as_str(), "Allplan Engineering");
    assert_eq!(license.version.as_str(), "2026");
    assert_eq!(license.seats, 3);
    assert_eq!(license.features.iter().map(Feature::as_str).collect::<Vec<_>>(), ["bim", "cloud"]);
    assert_eq!(license.valid_from.unwrap().starts().rfc3339().unwrap(), "2026-01-01T00:00:00Z");
    assert_eq!(license.valid_until.unwrap().ends().rfc3339().unwrap(), "2027-01-02T12:00:00Z");
    assert_eq!(license.site, Some(SiteId([0; 20])));
    assert_eq!(license.ttl_ms, 300_000);
    assert_eq!(license.share, Share::User);
    assert_eq!((license.borrow, license.lost), (None, Lost::AtEnd));
    let terms = |line| parse_unsigned(&with("borrow", line)).unwrap().borrow.unwrap();
    let both = terms("borrow = { max_days = 30, max_seats = 2 }");
    assert_eq!(both, BorrowTerms { max_days: 30, max_seats: 2 });
    assert_eq!(both.max_ms(), 30 * 24 * 60 * 60 * 1_000);
    assert_eq!(terms("borrow = { max_days = 7 }"), BorrowTerms { max_days: 7, max_seats: 3 });
    assert_eq!(parse_unsigned(&with("lost", r#"lost = "immediate""#)).unwrap().lost, Lost::Immediate);
}

#[test]
fn what_is_absent_has_its_default() {
    let few = GOOD.lines().take(9).collect::<Vec<_>>().join("\n");
    let license = parse_unsigned(&few).unwrap();
    assert_eq!((license.ttl_ms, license.share), (90_000, Share::UserDevice));
    assert_eq!((license.valid_from, license.valid_until, license.site), (None, None, None));
    assert!(license.features.is_empty() && license.replaces.is_empty());
    assert_eq!(license.downgrade, Downgrade::None);
}

#[test]
fn unknown_keys_are_refused_by_name() {
    // Terms of later releases: half a license must not be accepted in the meantime.
    check("grace", "grace = { hours = 8, per_days = 7 }", &["`grace`"]);
    check("Seats", "Seats = 3", &["`Seats`"]);
    check("x", "[x]\ny = 1", &["`x`"]);
}

#[test]
fn a_wrong_value_is_told_with_its_key_and_what_to_write() {
    check("seats", "", &["`seats` is missing", "seats = 3"]);
    check("license", "", &["`license` is missing", "license = \"ALP"]);
    check("issued", "", &["`issued` is missing", "issued = 2025-12-20"]);
    check("seats", r#"seats = "3""#, &["`seats`", "wrong kind", "seats = 3"]);
    check("seats", "seats = 3.0", &["`seats`", "wrong kind"]);
    check("seats", "seats = 0", &["`seats` is 0", "from 1 to 100000"]);
    check("seats", "seats = -1", &["`seats` is -1"]);
    check("seats", "seats = 100001", &["`seats` is 100001"]);
    check("product", "product = 7", &["`product`", "wrong kind"]);
    check("product", r#"product = "Allplan Engineering""#, &["`product` is wrong", "`A`"]);
    check("version", r#"version = """#, &["`version` is wrong", "empty"]);
    check("customer", r#"customer = "a\nb""#, &["`customer` is wrong"]);
    check("features", r#"features = "bim""#, &["`features`", "wrong kind", "[\"bim\"]"]);
    check("features", "features = [1]", &["`features`", "wrong kind"]);
    check("features", r#"features = ["bim", "bim"]"#, &["`features` names `bim` twice"]);
    let many: Vec<String> = (0..65).map(|n| format!("\"f{n}\"")).collect();
    check("features", &format!("features = [{}]", many.join(",")), &["at most 64"]);
    check("site", r#"site = "my-office""#, &["`site` is wrong", "site show"]);
    check("downgrade", r#"downgrade = "none""#, &["`downgrade` is \"none\"", "\"any\""]);
    check("downgrade", "downgrade = 2025", &["`downgrade`", "wrong kind", "[\"2025\", \"2024\"]"]);
    check("downgrade", "downgrade = [2025]", &["`downgrade`", "wrong kind"]);
    check("downgrade", r#"downgrade = ["2025", "2025"]"#, &["`downgrade` names `2025` twice"]);
    check("downgrade", r#"downgrade = ["20 25"]"#, &["`downgrade` is wrong", "` `"]);
    check("replaces", r#"replaces = "ALP-1""#, &["`replaces`", "wrong kind", "[\"ALP-2025-000088\"]"]);
    check("replaces", r#"replaces = ["A", "B", "A"]"#, &["`replaces` names `A` twice"]);
    check("replaces", r#"replaces = ["ALP-2026-000123"]"#, &["names the license itself"]);
    let many: Vec<String> = (0..65).map(|n| format!("\"f{n}\"")).collect();
    check("downgrade", &format!("downgrade = [{}]", many.join(",")), &["at most 64"]);
    check("replaces", &format!("replaces = [{}]", many.join(",")), &["at most 64"]);
    check("share", r#"share = "everybody""#, &["`share` is \"everybody\"", "\"user-device\""]);
    check("borrow", "borrow = true", &["`borrow`", "wrong kind", "max_days = 30"]);
    check("borrow", "borrow = { max_seats = 2 }", &["`borrow`", "`max_days` is missing"]);
    check("borrow", "borrow = { max_days = 0 }", &["`max_days` is 0", "from 1 to 3660"]);
    check("borrow", "borrow = { max_days = 30, max_seats = 4 }", &["`max_seats` is 4", "from 1 to 3"]);
    check("borrow", "borrow = { max_days = 30, days = 2 }", &["`days` is not known"]);
    check("lost", r#"lost = "never""#, &["`lost` is \"never\"", "\"at-end\""]);
    check("valid_from", r#"valid_from = "2026-01-01""#, &["`valid_from`", "valid_from = 2026-01-01"]);
    check("valid_from", "valid_from = 2026-01-01T00:00:00Z", &["`valid_from` must be a day without a time"]);
    check("valid_until", "valid_until = 12:00:00", &["`valid_until` must be a day without a time"]);
    check("valid_until", "valid_until = 2025-12-31", &["(2025-12-31) is before `valid_from` (2026-01-01)"]);
    check("valid_until", "valid_until = 2027-02-30", &["line "]);
    check("seats", "seats = 3\nseats = 4", &["line 16", "duplicate key"]);
    check("seats", "seats 3", &["line 15"]);
}

#[test]
fn a_ttl_is_from_15_seconds_to_24_hours() {
    for (text, ms) in [("15s", 15_000), ("90s", 90_000), ("5m", 300_000), ("24h", 86_400_000)] {
        let license = parse_unsigned(&with("ttl", &format!("ttl = \"{text}\""))).unwrap();
        assert_eq!(license.ttl_ms, ms, "{text}");
    }
    for bad in
        ["14s", "25h", "0s", "90", "s", "", "+90s", "-90s", "1.5m", "90 s", "1d", "99999999999999999999h"]
    {
        check("ttl", &format!("ttl = \"{bad}\""), &["`ttl` is", "\"90s\""]);
    }
    check("ttl", "ttl = 90", &["`ttl`", "wrong kind", "ttl = \"90s\""]);
}

#[test]
fn dates_are_of_the_calendar() {
    let day = |y, m, d| Date::new(y, m, d);
    assert_eq!(day(2028, 2, 29).unwrap().to_string(), "2028-02-29");
    assert_eq!(day(2026, 2, 29), None);
    assert_eq!(day(2026, 13, 1), None);
    assert_eq!(day(10_000, 1, 1), None);
    assert_eq!(day(1970, 1, 1).unwrap().starts(), WallTime(0));
    assert_eq!(day(1969, 12, 31).unwrap().starts(), WallTime(-DAY_MS));
    // Also at the calendar's end, where an instant can no longer be written.
    assert_eq!(day(9999, 12, 31).unwrap().ends().ms_since(day(9999, 12, 30).unwrap().ends()), DAY_MS);
    let one_day = with("valid_until", "valid_until = 2026-01-01");
    assert!(parse_unsigned(&one_day).is_ok(), "one day is enough");
}

#[test]
fn a_license_covers_its_product_versions_and_features() {
    let license = parse_unsigned(GOOD).unwrap();
    let covers = |product: &str, version: Option<&str>, features: &[&str]| {
        let version = version.map(|v| Version::new(v).unwrap());
        let features: Vec<Feature> = features.iter().map(|f| Feature::new(*f).unwrap()).collect();
        license.covers(&ProductId::new(product).unwrap(), version.as_ref(), &features)
    };
    assert!(covers("allplan-engineering", None, &[]));
    assert!(covers("allplan-engineering", Some("2026"), &["cloud", "bim"]));
    assert!(covers("allplan-engineering", Some("2026.1"), &["bim"]));
    assert!(!covers("allplan-engineering", Some("2025"), &[]));
    assert!(!covers("allplan-engineering", None, &["bim", "render"]));
    assert!(!covers("allplan", None, &[]));
}

#[test]
fn a_license_covers_earlier_versions_as_it_says() {
    let covers = |line: &str, version: &str| {
        let license = parse_unsigned(&with("downgrade", line)).unwrap();
        license.covers(&license.product, Some(&Version::new(version).unwrap()), &[])
    };
    for (line, covered, not_covered) in [
        ("", &["2026", "2026.3"][..], &["2025", "2027"][..]),
        ("downgrade = []", &["2026"], &["2025"]),
        (r#"downgrade = ["2025", "2023"]"#, &["2026.1", "2025", "2025.2", "2023"], &["2024", "2022", "2027"]),
        (r#"downgrade = "any""#, &["2026.1", "2025", "1999.12", "9"], &["2027", "2027.1", "xp"]),
    ] {
        assert!(covered.iter().all(|version| covers(line, version)), "{line}");
        assert!(!not_covered.iter().any(|version| covers(line, version)), "{line}");
    }
}

#[test]
fn a_renewal_names_what_it_replaces() {
    let license =
        parse_unsigned(&with("replaces", r#"replaces = ["ALP-2025-000088", "ALP-2024-1"]"#)).unwrap();
    assert_eq!(
        license.replaces.iter().map(Name::as_str).collect::<Vec<_>>(),
        ["ALP-2025-000088", "ALP-2024-1"]
    );
}

#[test]
fn sharing_is_wider_or_narrower() {
    use Share::{Device, None, User, UserDevice};
    let all = [None, UserDevice, Device, User];
    let within =
        [(None, &all[..]), (UserDevice, &[UserDevice, Device, User]), (Device, &[Device]), (User, &[User])];
    for (share, wider) in within {
        for other in all {
            assert_eq!(share.is_within(other), wider.contains(&other), "{share} within {other}");
        }
    }
}

#[test]
fn a_signed_file_verifies_and_has_one_form() {
    let file = sign(GOOD, &vendor()).unwrap();
    let signed = SignedLicense::parse(&file).unwrap();
    assert_eq!(signed.verify(&vendor_public()), Ok(()));
    assert_eq!(signed.signer(), vendor_public());
    assert_eq!(signed.text(), GOOD);
    assert_eq!(signed.file(), file);
    assert_eq!(signed.license(), &parse_unsigned(GOOD).unwrap());

    let other = PublicKey([9; 32]);
    assert_eq!(
        signed.verify(&other),
        Err(LicenseError::OtherSigner { signer: vendor_public(), expected: other })
    );
}

#[test]
fn byte_order_mark_and_line_ends_do_not_matter() {
    let file = sign(GOOD, &vendor()).unwrap();
    let expected = SignedLicense::parse(&file).unwrap();
    let windows = format!("\u{feff}{}", file.replace('\n', "\r\n"));
    let wrapped = file.replace("==\n-----END", "\n==\n\n-----END") + "\n \t\n";
    for variant in [windows, wrapped, file.trim_end().to_owned()] {
        let signed = SignedLicense::parse(&variant).unwrap();
        assert_eq!(signed, expected);
        assert_eq!(signed.verify(&vendor_public()), Ok(()));
        assert_eq!((signed.hash(), signed.file()), (expected.hash(), file.clone()));
    }
    let from_windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(sign(&from_windows, &vendor()).unwrap(), file);
    assert_eq!(sign(GOOD.trim_end(), &vendor()).unwrap(), file);
}

#[test]
fn a_lone_carriage_return_is_refused_and_not_signed() {
    let refused = |line| LicenseError::LoneCarriageReturn { line };
    for (text, line) in [(GOOD.replacen('\n', "\r\r\n", 1), 1), (GOOD.replace("seats", "\rseats"), 9)] {
        assert_eq!(sign(&text, &vendor()), Err(refused(line)));
        assert_eq!(SignedLicense::parse(&format!("{text}{BLOCK}")), Err(refused(line)));
    }
    // Cut between the two: signed with a line feed after it, it would be another text when the file is read.
    let cut = GOOD.replace('\n', "\r\n").trim_end_matches('\n').to_owned();
    assert_eq!(sign(&cut, &vendor()), Err(refused(GOOD.lines().count())));
}

#[test]
fn a_changed_file_does_not_verify() {
    let file = sign(GOOD, &vendor()).unwrap();
    for (from, to) in [
        ("seats = 3", "seats = 30"),
        ("# covers 2026 and 2026.x", "# covers everything"),
        ("2027-01-01", "2037-01-01"),
        ("share = \"user\"\n", "share = \"user\"\n\n"),
    ] {
        let changed = file.replace(from, to);
        assert_ne!(changed, file, "{from}");
        let signed = SignedLicense::parse(&changed).unwrap();
        assert_eq!(signed.verify(&vendor_public()), Err(LicenseError::BadSignature), "{from}");
        assert_ne!(signed.hash(), SignedLicense::parse(&file).unwrap().hash());
    }
    // Signed by somebody who writes the vendor's key into the file.
    let forger = SigningKey::from_bytes(&[2; 32]);
    let forged = sign(GOOD, &forger).unwrap();
    let forger = PublicKey(forger.verifying_key().to_bytes());
    let forged = forged.replace(&forger.to_string(), &vendor_public().to_string());
    let signed = SignedLicense::parse(&forged).unwrap();
    assert_eq!(signed.verify(&vendor_public()), Err(LicenseError::BadSignature));
}

#[test]
fn a_file_that_is_no_signed_license_is_refused() {
    let file = sign(GOOD, &vendor()).unwrap();
    let block = &file[GOOD.len()..];
    let parse = |file: &str| SignedLicense::parse(file).unwrap_err();
    assert_eq!(parse(""), LicenseError::NotALicense);
    assert_eq!(parse("hello"), LicenseError::NotALicense);
    assert_eq!(parse(&format!("\n{file}")), LicenseError::NotALicense);
    assert_eq!(
        parse(&file.replace("license v1", "license v2")),
        LicenseError::UnknownVersion("v2".to_owned())
    );
    assert_eq!(parse(GOOD), LicenseError::NotSigned);
    assert_eq!(parse(&file.replace(signed::BEGIN, "")), LicenseError::NotSigned);
    assert_eq!(parse(&file.replace(signed::END, "")), LicenseError::NoEnd);
    assert_eq!(parse(&format!("{file}{block}")), LicenseError::SeveralSignatures);
    assert_eq!(parse(&format!("{GOOD}{}\n{block}", signed::BEGIN)), LicenseError::SeveralSignatures);
    assert_eq!(parse(&format!("{file}seats = 9\n")), LicenseError::AfterSignature);
    assert_eq!(parse(&file.replace("==\n", "\n")), LicenseError::DamagedSignature);
    assert_eq!(parse(&format!("{GOOD}{}\n{}\n", signed::BEGIN, signed::END)), LicenseError::DamagedSignature);
    assert_eq!(parse(&format!("{file}{}", " ".repeat(20_000))), LicenseError::TooLong);
    assert_eq!(sign(&file, &vendor()), Err(LicenseError::AlreadySigned));
    assert_eq!(parse_unsigned(&file), Err(LicenseError::AlreadySigned));
    let padded = format!("{GOOD}#{}\n", "x".repeat(limits::LICENSE_BYTES_MAX - GOOD.len() - 8));
    assert!(parse_unsigned(&padded).is_ok());
    assert_eq!(sign(&padded, &vendor()), Err(LicenseError::TooLong));
}

/// What vendors have signed stays valid: the text, the key and the signature of a released file.
#[test]
fn the_released_format_does_not_change() {
    let text = "# Seatkeeper license v1\nlicense = \"G-1\"\nvendor = \"v\"\ncustomer = \"c\"\nissued = 2026-01-02\n\
                product = \"p\"\ntitle = \"P\"\nversion = \"1\"\nseats = 1\n";
    let file = format!("{text}{BLOCK}");
    let signed = SignedLicense::parse(&file).unwrap();
    assert_eq!(signed.verify(&vendor_public()), Ok(()));
    assert_eq!(sign(text, &vendor()), Ok(file));
    assert_eq!(data_encoding::HEXLOWER.encode(&signed.hash()), HASH);
}

const BLOCK: &str = "-----BEGIN SIGNATURE-----\n\
    rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5oa\n\
    UYygb6vBuFIQfSf87WeEzQbhrymBLODiM1YF2abRHAjwPDIvTWcrZYX3PuhcaSxeR0evfNEVMwivaRuDohDqDw==\n\
    -----END SIGNATURE-----\n";
const HASH: &str = "9fde4051f7e02559f5f4330f54677ad920205cfee59a57e1d3a130647667a2c3";

proptest! {
    // Each case signs or verifies, which is slow without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn parsing_never_panics(text in ".{0,400}") {
        let _ = SignedLicense::parse(&text);
        let _ = parse_unsigned(&format!("# Seatkeeper license v1\n{text}"));
        let _ = SignedLicense::parse(&format!("{GOOD}-----BEGIN SIGNATURE-----\n{text}\n-----END SIGNATURE-----\n"));
    }

    #[test]
    fn no_edit_of_a_signed_file_is_accepted_as_the_vendors(at in 0usize..1000, byte in 0u8..128) {
        let file = sign(GOOD, &vendor()).unwrap();
        let original = SignedLicense::parse(&file).unwrap();
        let mut bytes = file.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let edited = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(signed) = SignedLicense::parse(&edited) {
            let accepted = signed.verify(&vendor_public()).is_ok();
            prop_assert!(!accepted || signed == original, "{edited}");
        }
    }
}
