//! The stories of `tests/stories`: each comes out as it is told there. Each runs in a process of its own, as a run has
//! to that is the same again (see `sim::chance`). `SEATKEEPER_WRITE_GOLDEN=1` writes what comes of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

/// Stories that run at once.
const JOBS: usize = 2;

fn story(file: &Path, write: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatkeeper-tests"));
    command.arg("story").arg(file);
    if write {
        command.arg("--write");
    }
    command.output().expect("the tests' own binary starts")
}

/// A story that is not among the others.
fn told_elsewhere(text: &str) -> Output {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a.story");
    std::fs::write(&file, text).expect("a file");
    let output = story(&file, false);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), text, "nobody asked to write");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn every_story_comes_out_as_it_is_told() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories");
    let files = std::fs::read_dir(&dir).expect("the stories").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "story")).collect();
    assert!(files.len() >= 17, "only {} stories found", files.len());
    files.sort();
    files.reverse();
    let write = std::env::var_os("SEATKEEPER_WRITE_GOLDEN").is_some_and(|write| write == "1");
    let (files, wrong) = (Mutex::new(files), Mutex::new(Vec::new()));
    let next = || files.lock().expect("no thread panics with it").pop();
    std::thread::scope(|scope| {
        for _ in 0..JOBS {
            scope.spawn(|| {
                while let Some(file) = next() {
                    let output = story(&file, write);
                    if !output.status.success() {
                        let name = file.file_name().unwrap_or_default().to_string_lossy();
                        let (said, error) = (text(&output.stdout), text(&output.stderr));
                        let mut wrong = wrong.lock().expect("no thread panics with it");
                        wrong.push(format!("{name}\n{said}{error}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no thread panics with it");
    assert!(
        wrong.is_empty(),
        "{} stories do not come out as they are told:\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_story_that_is_told_wrong_fails_and_says_where() {
    let output = told_elsewhere(
        "office 1 desktop seats 1 ttl 15s\n> 1 voter, 0 standbys, 0 spares\n\ncheckout eva@pc0 as a\n> refused\n",
    );
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "line 4: checkout eva@pc0 as a\n- refused\n+ granted, on one disk only\n"
    );
}

#[test]
fn what_is_not_understood_is_refused_with_file_and_line() {
    let office = "office 1 desktop seats 1 ttl 15s\n> 1 voter, 0 standbys, 0 spares\n";
    for (command, problem) in [
        ("dance pc1", "`dance pc1` is not understood"),
        ("kill Rita", "no machine is called Rita yet"),
        ("end a", "no program is called a yet"),
        ("await a stops within 1s", "no program is called a yet"),
        ("call One a standby", "there is no other standby now"),
        ("show pc7", "there is no pc7"),
    ] {
        let output = told_elsewhere(&format!("{office}{command}\n"));
        assert_eq!(output.status.code(), Some(2), "{command}");
        let error = text(&output.stderr);
        assert!(error.trim_end().ends_with(&format!("a.story:3: {problem}")), "{error}");
    }
}
