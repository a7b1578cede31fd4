//! The browser test: the pages in Debian's Chromium, against three real agents. What is checked stands in `tests/browser`.
//!
//! It needs `node`, `npm` (which fetches playwright-core and axe-core once) and Chromium, at /usr/bin/chromium or where
//! `CHROMIUM` says; elsewhere it says that it was skipped, except in CI (`CI=true`), where it fails.

#![cfg(unix)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_pages_do_what_people_expect() {
    let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
    if let Err(missing) = prerequisites(&checks) {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "the browser test cannot run: {missing}"
        );
        // Past the test harness, which shows no output of a test that passes.
        writeln!(std::io::stderr(), "skipped: the browser test cannot run here: {missing}").ok();
        return;
    }
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let mut node = Command::new("node");
    node.current_dir(&checks).arg("run.mjs").arg(binary()).arg(&shots);
    let done = node.output().expect("node runs");
    let told = String::from_utf8_lossy(&done.stdout);
    let wrong = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{told}\n{wrong}\nscreenshots of what failed: {}", shots.display());
    writeln!(std::io::stdout(), "{told}").ok();
}

/// What the test needs, or what of it is missing.
fn prerequisites(checks: &Path) -> Result<(), String> {
    let answers = |program: &str| {
        Command::new(program).arg("--version").output().is_ok_and(|done| done.status.success())
    };
    for program in ["node", "npm"] {
        if !answers(program) {
            return Err(format!("there is no {program}"));
        }
    }
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() {
        return Err(format!("there is no Chromium at {chromium}"));
    }
    if checks.join("node_modules/playwright-core").exists() && checks.join("node_modules/axe-core").exists() {
        return Ok(());
    }
    let fetched = Command::new("npm")
        .current_dir(checks)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .output()
        .map_err(|error| error.to_string())?;
    if fetched.status.success() {
        return Ok(());
    }
    Err(format!(
        "npm cannot fetch what is in package-lock.json: {}",
        String::from_utf8_lossy(&fetched.stderr)
    ))
}

/// `seatkeeper`, built beside this test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let binary = test.ancestors().nth(2).expect("target/debug/deps/browser").join("seatkeeper");
    assert!(binary.exists(), "{} is missing: run `cargo build -p seatkeeper` first", binary.display());
    binary
}
