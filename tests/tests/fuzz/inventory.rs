//! Catalogs and lists of machines: files that people write, and that other programs do.

use seatkeeper_ledger::inventory::{ADDRESSES_MAX, Catalog, ImportedMachine, SOFTWARE_MAX, USERS_MAX};

use crate::target::{Target, has_samples};

/// Longest sentence about what is wrong with a file, bytes: it is shown to people.
const SENTENCE_BYTES_MAX: usize = 1_024;

#[test]
fn catalog() {
    let words: &[&[u8]] = &[
        b"\n",
        b"\"",
        b"'''",
        b"[[",
        b"[",
        b"{",
        b"=",
        b"\\u0000",
        b"[[software]]\n",
        b"name = \"*?\"\n",
        b"publisher = ''\n",
        b"reported = 1\n",
        b"version = { name = 1 }\n",
        b"version.reported = 256\n",
        b"ignore = true\n",
        b"\xc4\xb0",
        b"\xef\xbb\xbf",
    ];
    Target { name: "catalog", words, runs: 4000, check: check_catalog }.run();
}

#[test]
fn machines() {
    let words: &[&[u8]] = &[
        b"\r\n",
        b",",
        b";",
        b"\"",
        b"\"\"",
        b"host",
        b"name",
        b"user",
        b"address",
        b"pc",
        b"10.0.0.1",
        b"::1",
        b"\xff",
        b"\xef\xbb\xbf",
    ];
    Target { name: "machines", words, runs: 4000, check: check_machines }.run();
}

#[test]
fn glpi() {
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b"[[[[[[[[",
        b",",
        b"\"",
        b"null",
        b"1e999",
        b"\\ud800",
        b"\"partial\":true,",
        b"\"name\":null,",
        b"\"ipaddress\":\"::\",",
        b"\"login\":\"\",",
        b"\xc3\x28",
    ];
    Target { name: "glpi", words, runs: 4000, check: check_glpi }.run();
}

fn check_catalog(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Catalog::from_toml(text) {
        Ok(catalog) => assert_eq!(Catalog::from_toml(&catalog.to_toml()), Ok(catalog)),
        Err(error) => is_a_sentence(&error.to_string()),
    }
}

fn check_machines(bytes: &[u8]) {
    match ImportedMachine::from_csv(bytes) {
        Ok(machines) => machines.iter().for_each(is_bounded),
        Err(error) => is_a_sentence(&error.to_string()),
    }
}

fn check_glpi(bytes: &[u8]) {
    match ImportedMachine::from_glpi(bytes) {
        Ok(machine) => is_bounded(&machine),
        Err(error) => is_a_sentence(&error.to_string()),
    }
}

fn is_bounded(machine: &ImportedMachine) {
    assert!(machine.software.is_sorted() && machine.software.len() <= SOFTWARE_MAX);
    assert!(machine.users.is_sorted() && machine.users.len() <= USERS_MAX);
    assert!(machine.addresses.is_sorted() && machine.addresses.len() <= ADDRESSES_MAX);
}

fn is_a_sentence(error: &str) {
    assert!(!error.contains('\n') && error.len() <= SENTENCE_BYTES_MAX, "{error}");
}

#[test]
fn corpora() {
    let sample = |text: &str| [("sample".to_owned(), text.as_bytes().to_vec())];
    has_samples(
        "catalog",
        &sample(
            "[[software]]\nname = \"Draw 2026*\"\npublisher = \"Example*\"\nreported = \"26.*\"\nproduct = \"draw\"\n\
             version = \"2026\"\n\n[[software]]\nname = \"Studio *\"\nproduct = \"studio\"\nversion = { name = 2 }\n\n\
             [[software]]\nname = \"*\"\npublisher = \"*example.org>\"\nignore = true\n",
        ),
    );
    has_samples(
        "machines",
        &sample(
            "host,name,publisher,version,user,address\npc-1,Draw 2026,Example,26.1,ada,10.0.0.1\n\
             PC-1,\"Studio, 2\",,,ben,2001:db8::1\npc-2,,,,,\n",
        ),
    );
    has_samples(
        "glpi",
        &sample(
            r#"{"partial":false,"content":{"hardware":{"name":"pc-1","lastloggeduser":"ada"},"networks":
            [{"ipaddress":"10.0.0.1"},{"ipaddress6":"2001:db8::1"}],"users":[{"login":"ben","domain":"D"}],
            "softwares":[{"name":"Draw 2026","publisher":"Example","version":"26.1"},{"name":"Studio"}]}}"#,
        ),
    );
}
