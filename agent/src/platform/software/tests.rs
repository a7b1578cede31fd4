use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;

use super::*;

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn lines(found: &Found) -> Vec<String> {
    let text = |part: &Option<_>| part.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    found
        .0
        .iter()
        .map(|it| format!("{} / {} / {}", it.name, text(&it.publisher), text(&it.version)))
        .collect()
}

/// What is found below a root in which rpm is this program.
fn scan_in(root: &Path) -> Result<Vec<String>, ScanError> {
    unix(root, &root.join("rpm")).map(|found| lines(&found))
}

const STATUS: &str = "Package: bash
Status: install ok installed
Maintainer: Ann <ann@debian.org>
Architecture: amd64
Version: 5.2.15-2+b8
Description: shell
 Package: not this
\tVersion: nor this

package: libc6
status: hold ok installed
architecture: amd64
version: 2.36

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install reinstreq half-installed
Version: 1

Status: install ok installed
Version: 1

Package: no-status
Version: 1
";

#[test]
fn dpkg_tells_what_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "var/lib/dpkg/status", STATUS);
    let expected = ["bash / Ann <ann@debian.org> / 5.2.15-2+b8", "libc6 / - / 2.36"];
    assert_eq!(scan_in(dir.path()).unwrap(), expected);
    // Windows' line ends, no end of the last line, and bytes that are no text.
    write(dir.path(), "var/lib/dpkg/status", STATUS.replace('\n', "\r\n").trim_end());
    assert_eq!(scan_in(dir.path()).unwrap(), expected);
    let odd = b"\xff\x00\xfe:\n\n:\n\nPackage: caf\xe9\nStatus: install ok installed\nVersion: 1\n:::\n\n\nPackage:";
    write(dir.path(), "var/lib/dpkg/status", odd);
    assert_eq!(scan_in(dir.path()).unwrap(), ["caf\u{fffd} / - / 1"]);
    write(dir.path(), "var/lib/dpkg/status", "");
    assert!(scan_in(dir.path()).unwrap().is_empty());
}

#[test]
fn a_cut_status_gives_what_is_whole() {
    for end in 0..STATUS.len() {
        let mut found = Found::default();
        dpkg::parse(&STATUS.as_bytes()[..end], &mut found);
        // Of the entry that is cut there may be a part of its version.
        assert!(found.0.iter().all(|it| ["bash", "libc6"].contains(&it.name.as_str())), "{end}: {found:?}");
        assert!(found.0.iter().all(|it| it.version.is_some()), "{end}: {found:?}");
    }
}

#[test]
fn images_without_dpkg_have_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "var/lib/dpkg/status.d/base",
        "Package: base-files\nVersion: 12\nMaintainer: Santiago\n",
    );
    write(dir.path(), "var/lib/dpkg/status.d/base.md5sums", "Package: no\n");
    write(dir.path(), "var/lib/dpkg/status.d/gone", "Package: gone\nStatus: purge ok not-installed\n");
    assert_eq!(scan_in(dir.path()).unwrap(), ["base-files / Santiago / 12"]);
}

#[test]
fn no_list_and_an_unreadable_list_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(scan_in(dir.path()), Err(ScanError::NoList)));
    fs::create_dir_all(dir.path().join("var/lib/dpkg/status")).unwrap();
    let error = scan_in(dir.path()).unwrap_err();
    assert!(matches!(error, ScanError::Unreadable { .. }), "{error}");
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn rpm_is_asked_where_it_has_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let rpm = dir.path().join("rpm");
    program(
        &rpm,
        r"test $# = 3 && printf 'bash\tFedora Project\t5.2-1.fc40\nodd\ngpg-pubkey\t(none)\t1-1\nown\t(none)\t1-1\n'",
    );
    assert!(matches!(scan_in(dir.path()), Err(ScanError::NoList)));
    write(dir.path(), "var/lib/rpm/rpmdb.sqlite", "");
    assert_eq!(scan_in(dir.path()).unwrap(), ["bash / Fedora Project / 5.2-1.fc40", "own / - / 1-1"]);

    let check = |looks: u32, says: &str| {
        let error = rpm::ask(&rpm, looks).unwrap_err();
        assert!(error.contains(says), "{error}");
    };
    // Half an answer is none.
    program(&rpm, r"printf 'bash\tFedora Project\t5.2-1.fc40\n'; exit 1");
    check(600, "it ended with exit status: 1");
    program(&rpm, "exec sleep 60");
    check(4, "it took more than 0 s");
    program(&rpm, "exec >&-; exec sleep 60");
    check(4, "it took more than 0 s");
    program(&rpm, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
    check(1_200, "its answer is longer than 8 MiB");
    program(&rpm, r#"test -z "$HOME" && test "$LC_ALL" = C && test "$(pwd)" = /"#);
    assert_eq!(rpm::ask(&rpm, 600), Ok(Vec::new()));
    fs::remove_file(&rpm).unwrap();
    assert!(
        scan_in(dir.path()).unwrap_err().to_string().starts_with("rpm does not tell what is installed (")
    );
}

#[test]
fn flatpaks_and_snaps_are_found() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "var/lib/dpkg/status", "");
    write(dir.path(), "var/lib/flatpak/app/org.freecad.FreeCAD/current/active", "");
    fs::create_dir_all(dir.path().join("var/lib/flatpak/app/org.gone.Gone")).unwrap();
    let snap = "name: blender\nversion: '4.2.0'\napps:\n  blender:\n    name: no\n";
    write(dir.path(), "snap/blender/current/meta/snap.yaml", snap);
    write(dir.path(), "snap/bin/blender", "");
    write(dir.path(), "snap/odd/current/meta/snap.yaml", b"\xff\n:\nversion");
    assert_eq!(scan_in(dir.path()).unwrap(), ["blender / Snap / 4.2.0", "org.freecad.FreeCAD / Flatpak / -"]);
}

#[test]
fn more_than_is_looked_at_is_cut() {
    let mut found = Found::default();
    let many: String = (0..=SOFTWARE_MAX).map(|n| format!("p{n}\t\t1\n")).collect();
    rpm::parse(many.as_bytes(), &mut found);
    assert_eq!(found.0.len(), SOFTWARE_MAX);
}

#[test]
fn the_marker_changes_with_the_lists() {
    let dir = tempfile::tempdir().unwrap();
    let none = unix_marker(dir.path());
    write(dir.path(), "var/lib/dpkg/status", "Package: a\n");
    let one = unix_marker(dir.path());
    assert_ne!(one, none);
    assert_eq!(unix_marker(dir.path()), one);
    write(dir.path(), "var/lib/dpkg/status", "Package: ab\n");
    let other = unix_marker(dir.path());
    assert_ne!(other, one);
    write(dir.path(), "var/lib/snapd/snaps/x_1.snap", "");
    assert_ne!(unix_marker(dir.path()), other);
}

/// Debian has bash, and is what the tests run on; elsewhere there may be no list at all.
#[test]
fn this_machine_can_be_scanned() {
    match scan() {
        Ok(found) => {
            assert!(
                found.is_sorted() && found.iter().any(|it| it.name.as_str() == "bash"),
                "{}",
                found.len()
            );
        }
        Err(error) => {
            assert!(matches!(error, ScanError::NoList) && !Path::new("/var/lib/dpkg/status").exists())
        }
    }
    assert_eq!(changed_marker(), changed_marker());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, lines in prop::collection::vec("(Package|Status|Version| )?:?\\PC{0,8}", 0..9)) {
        let mut found = Found::default();
        dpkg::parse(&bytes, &mut found);
        rpm::parse(&bytes, &mut found);
        dpkg::parse(lines.join("\n").as_bytes(), &mut found);
        rpm::parse(lines.join("\t").as_bytes(), &mut found);
    }
}
