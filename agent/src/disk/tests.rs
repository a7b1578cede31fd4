use super::*;
use crate::seam::{Disk, RecordError};

fn disk(state: &StateDir) -> &dyn Disk {
    state
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write_atomic(&path, b"old", Mode::Public).unwrap();
    write_atomic(&path, b"new", Mode::Secret).unwrap();
    assert_eq!(read_bounded(&path, 3).unwrap(), b"new");
    assert_eq!(read_bounded(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(names(dir.path()), ["file"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A folder of that name can't be replaced: the error leaves nothing behind either.
    std::fs::create_dir(dir.path().join("folder")).unwrap();
    std::fs::write(dir.path().join("folder/x"), "").unwrap();
    assert!(write_atomic(&dir.path().join("folder"), b"x", Mode::Public).is_err());
    assert_eq!(names(dir.path()), ["file", "folder"]);
}

#[test]
fn the_first_open_creates_and_the_next_finds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/state");
    let state = StateDir::open(&path).unwrap();
    assert_eq!(disk(&state).read_record::<Vec<u8>>("site").unwrap(), None);
    disk(&state).write_record("site", &vec![1u8, 2]).unwrap();
    std::fs::write(state.log_file(7), "").unwrap();
    assert!(matches!(StateDir::open(&path), Err(StateDirError::Locked(_))));
    drop(state);

    std::fs::write(path.join(".site.1.1.tmp"), "left by a crash").unwrap();
    let state = StateDir::open(&path).unwrap();
    assert_eq!(disk(&state).read_record::<Vec<u8>>("site").unwrap(), Some(vec![1, 2]));
    assert_eq!(state.log_files().unwrap(), [(7, state.log_file(7))]);
    disk(&state).remove("site").unwrap();
    disk(&state).remove("site").unwrap();
    assert_eq!(names(&path), ["format", "lock", "log-7.redb"]);
}

#[test]
fn a_record_may_be_in_a_folder_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let state = StateDir::open(&path).unwrap();
    let listed = |state: &StateDir| {
        let listed = disk(state).list("audit").unwrap();
        listed.into_iter().map(|(name, bytes)| format!("{name} {bytes}")).collect::<Vec<_>>()
    };
    assert!(listed(&state).is_empty());
    disk(&state).write("audit/2", b"22").unwrap();
    disk(&state).write("audit/1", b"1").unwrap();
    disk(&state).write("audit/1", b"111").unwrap();
    assert_eq!(listed(&state), ["audit/1 3", "audit/2 2"]);
    assert_eq!(disk(&state).read("audit/2").unwrap().as_deref(), Some(b"22".as_slice()));
    drop(state);
    // A power cut in the middle of a write leaves a temporary file, and the record as it was.
    std::fs::write(path.join("audit").join(".1.1.1.tmp"), "hal").unwrap();
    std::fs::create_dir(path.join("audit").join("folder")).unwrap();
    let state = StateDir::open(&path).unwrap();
    assert_eq!(names(&path.join("audit")), ["1", "2", "folder"]);
    disk(&state).remove("audit/1").unwrap();
    disk(&state).remove("audit/1").unwrap();
    assert_eq!(listed(&state), ["audit/2 2"]);
}

#[test]
fn a_newer_or_damaged_format_is_refused() {
    let check = |format: &str, expected: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("format"), format).unwrap();
        let error = StateDir::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{format:?}: {error}");
    };
    check("seatkeeper state 2\n", "newer version");
    check("seatkeeper state x\n", "damaged");
    check("something else", "damaged");
    check(&"x".repeat(1_000), "too long");

    let dir = tempfile::tempdir().unwrap();
    write_atomic(&dir.path().join("identity.key"), b"key", Mode::Secret).unwrap();
    assert!(matches!(StateDir::open(dir.path()), Err(StateDirError::Damaged { .. })));
}

#[cfg(unix)]
#[test]
fn wrong_rights_are_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(dir.path(), 0o775);
    let error = StateDir::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("changed by other users; run `chmod go-w "), "{error}");
    set(dir.path(), 0o755);
    drop(StateDir::open(dir.path()).unwrap());

    let key = dir.path().join("identity.key");
    std::fs::write(&key, "key").unwrap();
    set(&key, 0o644);
    let error = StateDir::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("read by other users; run `chmod 600 "), "{error}");
    set(&key, 0o600);
    StateDir::open(dir.path()).unwrap();
}

#[test]
fn a_damaged_record_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    disk(&state).write_record("sessions", &"hello".to_owned()).unwrap();
    let whole = std::fs::read(state.sessions()).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(state.sessions(), &whole[..cut]).unwrap();
        let error = disk(&state).read_record::<String>("sessions").unwrap_err();
        assert!(matches!(error, RecordError::Damaged { .. }), "{cut}: {error}");
        assert!(error.to_string().contains("sessions"), "{error}");
    }
    std::fs::write(state.sessions(), [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(disk(&state).read_record::<String>("sessions").is_err());
    let mut other = whole;
    other[4] = 99;
    std::fs::write(state.sessions(), &other).unwrap();
    assert!(disk(&state).read_record::<String>("sessions").unwrap_err().to_string().contains("version 99"));
}
