//! The rules of the house: who imports whom, and what is banned where (design sections 2 and 3).

mod rules;
mod source;

use rules::{Finding, OUR_CRATES};
use source::{Source, cargo_dependencies, root, sources};

#[track_caller]
fn none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} against the rules:\n{}", findings.len(), lines.join("\n"));
}

fn every(rule: fn(&Source) -> Vec<Finding>) {
    let sources = sources();
    assert!(sources.len() > 50, "only {} source files found", sources.len());
    none(&sources.iter().flat_map(rule).collect::<Vec<_>>());
}

#[test]
fn crates_import_only_what_the_design_lets_them() {
    for (dir, name, may) in OUR_CRATES {
        let manifest = root().join(dir).join("Cargo.toml");
        let text =
            std::fs::read_to_string(&manifest).unwrap_or_else(|e| panic!("{}: {e}", manifest.display()));
        for dependency in cargo_dependencies(&text) {
            let ours = dependency.starts_with("seatkeeper-") || dependency == "seatkeeper";
            assert!(!ours || may.contains(&&*dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_middle_of_the_agent_never_imports_its_edge() {
    every(rules::middle_imports_edge);
}

#[test]
fn only_platform_calls_the_operating_system() {
    every(rules::operating_system_call);
}

#[test]
fn what_must_be_deterministic_reads_no_clock_and_no_chance() {
    every(rules::clock_or_chance);
}

#[test]
fn no_file_is_too_long() {
    every(rules::too_long);
}

#[test]
fn every_allow_says_why() {
    every(rules::allow_without_reason);
}

#[test]
fn nothing_is_left_undone() {
    every(rules::left_undone);
}
