//! Catalogs and machines that are read from files, and what is said of files that are not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use seatkeeper_protocol::id::Name;

use super::*;
use crate::org::{Device, ImportError, Organisation, Placement, Rule};

const CATALOG: &str = r#"
[[software]]
name = "AutoCAD 2026*"
publisher = "Autodesk*"
reported = "25.*"
product = "autocad"
version = "2026"

[[software]] # all of a distribution
name = "*"
publisher = '*debian.org>'
ignore = true

[[software]]
name = "Studio \"Pro\" ?*"
product = "studio"
version = { name = 1 }

[[software]]
name = "studio-cli"
ignore = false
product = "studio"
version.reported = 2
"#;

fn software(name: &str, publisher: &str, version: &str) -> Software {
    Software::read(name, publisher, version).expect("software")
}

#[test]
fn a_catalog_is_read_and_written_the_same() {
    let catalog = Catalog::from_toml(CATALOG).unwrap();
    assert_eq!(catalog.0.len(), 4);
    let install = |software: &Software| match catalog.translate(software) {
        Translation::Install(product, version) => format!("{product} {version}"),
        other => format!("{other:?}"),
    };
    assert_eq!(install(&software("AutoCAD 2026 - English", "Autodesk, Inc.", "25.1.58")), "autocad 2026");
    assert_eq!(install(&software("AutoCAD 2026 - English", "Autodesk, Inc.", "24.1")), "Unknown");
    assert_eq!(install(&software("bash", "Matthias <doko@debian.org>", "5.2")), "Ignored");
    assert_eq!(install(&software("Studio \"Pro\" 2025.1", "", "")), "studio 2025");
    assert_eq!(install(&software("studio-cli", "", "2025.1.3")), "studio 2025.1");

    let text = catalog.to_toml();
    assert_eq!(Catalog::from_toml(&text).as_ref(), Ok(&catalog), "{text}");
    assert!(
        text.starts_with("[[software]]\nname = \"autocad 2026*\"\npublisher = \"autodesk*\"\n"),
        "{text}"
    );
    assert!(text.contains("version = { reported = 2 }\n"), "{text}");
    assert_eq!(Catalog::from_toml(" # nothing\n"), Ok(Catalog::default()));
    assert_eq!(Catalog::default().to_toml(), "");
}

#[test]
fn catalogs_that_cannot_be_meant_are_refused_by_entry() {
    let check = |text: &str, says: &str| {
        let text = format!("[[software]]\nname = 'a'\nignore = true\n{text}");
        let error = Catalog::from_toml(&text).expect_err(&text).to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{text}: {error}");
    };
    let entry = |text: &str, says: &str| {
        check(&format!("[[software]]\n{text}"), &format!("entry 2: {says}"));
    };
    check("name = 'b'", "line 4: it can't be read");
    check("[[software]]\nname = \"b", "line 5: it can't be read");
    check("[rules]\n", "there is a key `rules` that means nothing; each entry begins with `[[software]]`");
    entry("ignore = true", "it can't be read (missing field `name`");
    entry("name = 'b'\nvendor = 'c'", "it can't be read (unknown field `vendor`, expected one of `name`");
    entry("name = 7", "it can't be read (invalid type: integer `7`, expected a string");
    entry("name = ''\nignore = true", "`name` can't be used: a pattern has 1 to 128 characters");
    entry("name = 'b'\npublisher = ''\nignore = true", "`publisher` can't be used: a pattern has");
    entry(
        "name = 'b'",
        "it does not say what the software is; write `product` and `version`, or `ignore = true`",
    );
    entry("name = 'b'\nproduct = 'cad'", "it does not say what the software is");
    entry("name = 'b'\nversion = '1'", "it does not say what the software is");
    entry(
        "name = 'b'\nproduct = 'cad'\nversion = '1'\nignore = true",
        "software that is ignored has no product",
    );
    entry(
        "name = 'b'\nproduct = 'CAD'\nversion = '1'",
        "`product` can't be used: `C` may not stand in a product",
    );
    entry(
        "name = 'b'\nproduct = 'cad'\nversion = ''",
        "`version` can't be used: a version must not be empty",
    );
    for version in
        ["2026", "true", "{}", "{ name = 0 }", "{ name = 5 }", "{ reported = '1' }", "{ nam = 1 }", "[1]"]
    {
        let text = format!("name = 'b'\nproduct = 'cad'\nversion = {version}");
        entry(&text, "`version` can't be used; write one as in \"2026\"");
    }
    let error = |text: &str| Catalog::from_toml(text).expect_err("no catalog");
    assert_eq!(error("software = 1"), CatalogError::NoList);
    let one = "[[software]]\nname='a'\nignore=true\n";
    assert!(Catalog::from_toml(&one.repeat(RULES_MAX)).is_ok());
    assert_eq!(error(&one.repeat(RULES_MAX + 1)), CatalogError::TooMany);
    assert_eq!(error(&"#".repeat(crate::org::IMPORT_BYTES_MAX + 1)), CatalogError::TooLarge);
}

fn names<T: ToString>(of: &[T]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn programs(machine: &ImportedMachine) -> Vec<String> {
    let text = |part: &Option<_>| part.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let programs = machine.software.iter();
    programs.map(|it| format!("{} / {} / {}", it.name, text(&it.publisher), text(&it.version))).collect()
}

#[test]
fn an_inventory_of_glpi_is_a_machine() {
    let json = r#"{"deviceid": "north-07-2026-02-03-04-05-06", "itemtype": "Computer", "action": "inventory",
        "content": {"versionclient": "GLPI-Agent_v1.11",
            "hardware": {"name": "north-07", "lastloggeduser": "Ada", "memory": 7800},
            "networks": [{"description": "lo", "ipaddress": "127.0.0.1"}, {"ipaddress6": "fe80::1"},
                {"ipaddress": "10.20.0.7", "status": "up"}, {"ipaddress6": "2001:db8::7"}, {"ipaddress": "?"},
                {"ipaddress": "10.20.0.7"}, {"mac": "44:85:00:2b:90:bc"}],
            "users": [{"login": "ada", "domain": "OFFICE"}, {"login": "root"}, {"domain": "AD"}],
            "softwares": [{"name": "Studio 2026", "publisher": "Example\u0000 Inc.", "version": "26.1", "guid": "x"},
                {"name": "Studio 2026", "publisher": "Example Inc.", "version": "26.1", "arch": "x86_64"},
                {"name": "Editor", "publisher": null}, {"name": " "}, {"version": "3"}]}}"#;
    let machine = ImportedMachine::from_glpi(format!("\u{feff}{json}").as_bytes()).unwrap();
    assert_eq!(machine.host.as_str(), "north-07");
    assert_eq!(names(&machine.addresses), ["10.20.0.7", "2001:db8::7"]);
    assert_eq!(names(&machine.users), ["OFFICE\\ada", "root"]);
    assert_eq!(programs(&machine), ["Editor / - / -", "Studio 2026 / Example Inc. / 26.1"]);
    let other = json.replace("\"Ada\"", "\"eve\"");
    let machine = ImportedMachine::from_glpi(other.as_bytes()).unwrap();
    assert_eq!(names(&machine.users), ["OFFICE\\ada", "eve", "root"]);

    let check = |json: &str, says: &str| {
        let error = ImportedMachine::from_glpi(json.as_bytes()).expect_err(json).to_string();
        assert!(error.contains(says) && !error.contains('\n'), "{error}");
    };
    let what = "the file is no inventory that GLPI-Agent wrote in JSON";
    for json in
        ["", "[]", "{}", "<?xml version=\"1.0\"?>", "{\"content\": {}}", r#"{"content": {"hardware": {}}}"#]
    {
        check(json, what);
    }
    check(&json.replace("softwares", "programs"), "missing field `softwares`");
    check(
        &json.replace(r#""name": "north-07", "#, ""),
        "the inventory does not say what the machine is called",
    );
    check(&json.replace("north-07\", \"last", " \", \"last"), "the inventory does not say");
    check(&json.replacen('{', r#"{"partial": true, "#, 1), "the inventory is partial");
    check(&"x".repeat(crate::org::IMPORT_BYTES_MAX + 1), "the file has more than 8 MiB");
    let many: Vec<String> = (0..=SOFTWARE_MAX).map(|n| format!("{{\"name\": \"p{n}\"}}")).collect();
    check(
        &format!(r#"{{"content": {{"hardware": {{"name": "big"}}, "softwares": [{}]}}}}"#, many.join(",")),
        "machine `big` has more than 20000 programs; leave some out of the file",
    );
}

const MACHINES: &str = "host,name,publisher,version,user,address\n\
    north-07,Studio 2026,Example Inc.,26.1,ada,10.20.0.7\n\
    south-01,,,,eve,\n\
    NORTH-07,Editor,,,,2001:db8::7\n\
    north-07,Editor,,,ada,\n";

#[test]
fn machines_are_read_from_csv() {
    let machines = ImportedMachine::from_csv(MACHINES.as_bytes()).unwrap();
    assert_eq!(machines.len(), 2);
    assert_eq!(machines[0].host.as_str(), "north-07");
    assert_eq!(names(&machines[0].addresses), ["10.20.0.7", "2001:db8::7"]);
    assert_eq!(names(&machines[0].users), ["ada"]);
    assert_eq!(programs(&machines[0]), ["Editor / - / -", "Studio 2026 / Example Inc. / 26.1"]);
    assert_eq!((machines[1].host.as_str(), names(&machines[1].users)), ("south-01", vec!["eve".to_owned()]));
    assert!(machines[1].software.is_empty());
    let short = ImportedMachine::from_csv(b"Name;Host\nStudio 2026;pc\n").unwrap();
    assert_eq!(programs(&short[0]), ["Studio 2026 / - / -"]);
}

#[test]
fn machines_that_cannot_be_meant_are_refused_by_row() {
    let check = |csv: &str, says: &str| {
        let error = ImportedMachine::from_csv(csv.as_bytes()).expect_err(csv).to_string();
        assert_eq!(error, says);
    };
    let with = |rows: &str| format!("{MACHINES}{rows}\n");
    check(&with(",Editor,,,,"), "row 6: `host` is \"\"; write what the machine is called");
    check(&with("pc,,Example,,,"), "row 6: `name` is \"\"; write what the program is called");
    check(&with("pc,,,1,,"), "row 6: `name` is \"\"; write what the program is called");
    check(
        &with("pc,Editor,,,,10.20.0"),
        "row 6: `address` is \"10.20.0\"; write one address as in 10.1.0.7, or nothing",
    );
    check(
        "host,program\n",
        "there is a column `program` that means nothing; the first line names the columns, as in \
         `host,name,publisher,version,user,address`",
    );
    check(
        "host,name,\"pro\n gram\"\n",
        "there is a column `pro gram` that means nothing; the first line names the columns, as in \
         `host,name,publisher,version,user,address`",
    );
    check(
        "host\n",
        "there is no column `name`; the first line names the columns, as in `host,name,publisher,version,user,address`",
    );
    let rows = |row: &dyn Fn(usize) -> String, count: usize| {
        (0..count).map(row).fold("host,name,user,address\n".to_owned(), |all, row| all + &row + "\n")
    };
    let most = |row: &dyn Fn(usize) -> String, max: usize, what: &str| {
        assert!(ImportedMachine::from_csv(rows(row, max).as_bytes()).is_ok());
        let says = format!("machine `pc` has more than {max} {what}; leave out some of its rows");
        check(&rows(row, max + 1), &says);
    };
    most(&|n| format!("pc,p{n},,"), SOFTWARE_MAX, "programs");
    most(&|n| format!("pc,,u{n},"), USERS_MAX, "users");
    most(&|n| format!("pc,,,10.0.0.{n}"), ADDRESSES_MAX, "addresses");
    check(
        &rows(&|n| format!("pc{n},,,"), MACHINES_MAX + 1),
        "row 10002: there are at most 10000 machines in a file; split it",
    );
}

#[test]
fn what_the_catalog_ignores_does_not_count() {
    let catalog = Catalog::from_toml("[[software]]\nname = 'lib*'\nignore = true").unwrap();
    let machine = |counted: usize| {
        let rows: String = (0..counted).map(|n| format!("pc,p{n}\npc,lib{n}\n")).collect();
        ImportedMachine::from_csv(format!("host,name\n{rows}").as_bytes()).unwrap().remove(0)
    };
    let left = machine(SOFTWARE_REPORTED_MAX).without_ignored(&catalog).unwrap();
    assert_eq!(left.software.len(), SOFTWARE_REPORTED_MAX);
    let error = machine(SOFTWARE_REPORTED_MAX + 1).without_ignored(&catalog).unwrap_err();
    assert!(matches!(error, ImportError::MachineTooLarge { max: SOFTWARE_REPORTED_MAX, .. }), "{error}");
}

fn example(file: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/examples/organisation");
    std::fs::read(format!("{folder}/{file}")).expect(file)
}

fn shipped_catalog() -> Catalog {
    Catalog::from_toml(&String::from_utf8(example("catalog.toml")).unwrap()).unwrap()
}

/// The machines are the installs that the other examples count, but for those of a node that no rule names.
#[test]
fn the_machines_that_are_shipped_make_the_installs_that_are_shipped() {
    let catalog = shipped_catalog();
    assert_eq!(Catalog::from_toml(&catalog.to_toml()).as_ref(), Ok(&catalog));
    let organisation = Organisation::from_csv(&example("organisation.csv")).unwrap();
    let rules = Placement::new(Rule::from_csv(&example("rules.csv")).unwrap(), &organisation).unwrap();
    let mut machines = ImportedMachine::from_csv(&example("machines.csv")).unwrap();
    machines.push(ImportedMachine::from_glpi(&example("glpi.json")).unwrap());

    let (mut installs, mut unknown) = (BTreeMap::new(), Vec::new());
    for machine in machines {
        let users: Vec<&str> = machine.users.iter().map(Name::as_str).collect();
        let device =
            Device { id: None, host: machine.host.as_str(), addresses: &machine.addresses, users: &users };
        let node = rules.node(&device).unwrap_or_else(|| &organisation.root().id).clone();
        for software in &machine.software {
            match catalog.translate(software) {
                Translation::Install(product, version) => {
                    *installs.entry(format!("{node},{product},{version}")).or_insert(0) += 1;
                }
                Translation::Unknown => unknown.push(software.name.to_string()),
                Translation::Ignored => {}
            }
        }
    }
    assert_eq!(unknown, ["Hall Planner"]);
    assert_eq!(installs.remove("E1,autocad,2026"), Some(1));
    let shipped = String::from_utf8(example("installs.csv")).unwrap();
    let shipped: BTreeMap<String, u32> = shipped
        .lines()
        .skip(1)
        .filter(|row| !row.starts_with("E,"))
        .filter_map(|row| row.rsplit_once(',').map(|(of, count)| (of.to_owned(), count.parse().unwrap())))
        .collect();
    assert_eq!(installs, shipped);
}

#[test]
fn the_catalog_that_is_shipped_knows_what_it_names() {
    let catalog = shipped_catalog();
    let check = |name: &str, publisher: &str, version: &str, wanted: &str| {
        let found = match catalog.translate(&software(name, publisher, version)) {
            Translation::Install(product, version) => format!("{product} {version}"),
            other => format!("{other:?}"),
        };
        assert_eq!(found, wanted, "{name}");
    };
    check("AutoCAD 2024 - English", "Autodesk", "24.3.61.0", "autocad 2024");
    check("AutoCAD LT 2025 - English", "Autodesk", "25.0.58.0", "autocad-lt 2025");
    check("AutoCAD 2024 Language Pack - English", "Autodesk", "24.3.61.0", "Ignored");
    check("Autodesk AutoCAD", "Autodesk, Inc.", "25.1.58", "autocad 2026");
    check("Autodesk Material Library 2024", "Autodesk", "24.1.0.31", "Ignored");
    check("Autodesk Revit 2026", "Autodesk", "26.0.4.409", "revit 2026");
    check("Autodesk 3ds Max 2025", "Autodesk", "27.0", "3ds-max 2025");
    check("Allplan 2026", "ALLPLAN GmbH", "2026.0", "allplan 2026");
    check("Graphisoft Archicad 28", "Graphisoft SE", "28.0.0.3000", "archicad 28");
    check("SketchUp 2026", "Trimble, Inc.", "26.2.243", "sketchup 2026");
    check("SketchUp Viewer 2022", "Trimble, Inc.", "22.0.316", "Ignored");
    check(
        "MicroStation CONNECT Edition Update 17",
        "Bentley Systems, Incorporated",
        "10.17",
        "microstation connect",
    );
    check("SOLIDWORKS 2024 SP03.1", "Dassault Systemes SolidWorks Corp", "32.31.0011", "solidworks 2024");
    check("Adobe Photoshop 2024", "Adobe Inc.", "25.9.1", "photoshop 2024");
    check("Adobe Acrobat (64-bit)", "Adobe", "25.001.20918", "acrobat 25");
    check("Microsoft Office Professional Plus 2021 - en-us", "Microsoft Corporation", "16.0", "office 2021");
    check(
        "Microsoft Visual C++ 2015-2022 Redistributable (x64) - 14.40",
        "Microsoft Corporation",
        "14",
        "Ignored",
    );
    check("freecad", "Debian Science <x@lists.alioth.debian.org>", "0.20.2+dfsg1-4", "freecad 0.20");
    check("bash", "Matthias Klose <doko@debian.org>", "5.2.15-2+b8", "Ignored");
    check("bash", "Fedora Project", "5.2.26-3.fc40", "Ignored");
    check("planner", "Example Ltd <support@example.com>", "3.1", "Unknown");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text: String) {
        let _ = ImportedMachine::from_glpi(&bytes);
        let _ = ImportedMachine::from_csv(&bytes);
        let _ = Catalog::from_toml(&text);
    }

    #[test]
    fn any_cells_are_read_or_refused(cells in prop::collection::vec("[^,\"\r\n]{0,6}", 6)) {
        let csv = format!("host,name,publisher,version,user,address\n{}\n", cells.join(","));
        if let Ok(machines) = ImportedMachine::from_csv(csv.as_bytes()) {
            prop_assert!(machines.len() <= 1);
        }
    }

    #[test]
    fn any_catalog_is_read_as_it_was_written(name in "\\PC{1,60}", publisher in prop::option::of(".{1,40}"), parts in 1..5u8) {
        let entry = |text: &str| toml::Value::String(text.to_owned());
        let publisher = publisher.map_or_else(String::new, |text| format!("publisher = {}\n", entry(&text)));
        let text = format!(
            "[[software]]\nname = {}\n{publisher}product = 'p'\nversion = {{ name = {parts} }}\n", entry(&name)
        );
        if let Ok(catalog) = Catalog::from_toml(&text) {
            prop_assert_eq!(Catalog::from_toml(&catalog.to_toml()), Ok(catalog));
        }
    }
}
