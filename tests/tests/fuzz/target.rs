//! How one target runs.
//!
//! By hand and not by a fuzzing crate: bolero pins a version of a crate that the product's TOML parser needs newer,
//! and cargo-fuzz needs a nightly compiler. What is lost is guidance by coverage; the corpus and the recipes make up
//! for most of it.

use std::any::Any;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use seatkeeper_tests::sim::chance::Chance;
use sha2::{Digest, Sha256};

use crate::recipe;

/// Longest random input, bytes.
const RANDOM_BYTES_MAX: usize = 512;

/// Something that reads bytes from outside, with valid ones to start from.
pub(crate) struct Target {
    /// The name of its corpus' folder.
    pub(crate) name: &'static str,
    /// What its format is made of.
    pub(crate) words: &'static [&'static [u8]],
    /// Random inputs per run: a few seconds' worth without optimization.
    pub(crate) runs: u64,
    /// Panics when what was read is not as it must be.
    pub(crate) check: fn(&[u8]),
}

impl Target {
    /// The corpus, then random bytes and recipes.
    pub(crate) fn run(&self) {
        let corpus = corpus(self.name);
        assert!(!corpus.is_empty(), "there is no corpus of {}", self.name);
        corpus.iter().for_each(|(name, bytes)| self.try_one(bytes, &format!("the corpus' {name}")));
        let seeds: Vec<Vec<u8>> = corpus.into_iter().map(|(_, bytes)| bytes).collect();
        let seed = number("SEATKEEPER_FUZZ_SEED").unwrap_or_else(fresh_seed);
        let mut chance = Chance::new(seed);
        for run in 0..number("SEATKEEPER_FUZZ_RUNS").unwrap_or(self.runs) {
            let input = random_bytes(&mut chance);
            let from = format!("SEATKEEPER_FUZZ_SEED={seed}, run {run}");
            self.try_one(&input, &from);
            self.try_one(&recipe::changed(&seeds, self.words, &input), &from);
        }
    }

    /// An input that fails is written into the corpus, where every further run begins with it.
    fn try_one(&self, bytes: &[u8], from: &str) {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| (self.check)(bytes))) {
            let name: String =
                Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
            let path = folder(self.name).join(format!("failed-{name}"));
            let kept = std::fs::write(&path, bytes);
            panic!("{}\n{from}; the input is in {}, {kept:?}", text_of(cause), path.display());
        }
    }
}

/// What a panic said. One that says nothing goes on as it is.
fn text_of(cause: Box<dyn Any + Send>) -> String {
    match cause.downcast::<String>() {
        Ok(text) => *text,
        Err(cause) => match cause.downcast::<&str>() {
            Ok(text) => (*text).to_owned(),
            Err(cause) => resume_unwind(cause),
        },
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}

/// The standard library's hashers are keyed by the system's randomness.
fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn random_bytes(chance: &mut Chance) -> Vec<u8> {
    let len = chance.index(RANDOM_BYTES_MAX);
    let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| chance.number().to_le_bytes()).collect();
    bytes.truncate(len);
    bytes
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name)
}

/// The files of a corpus by name.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let Ok(files) = std::fs::read_dir(folder(name)) else { return Vec::new() };
    let mut found: Vec<(String, Vec<u8>)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a corpus file can be read"))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Checks that the corpus has the samples as they are made today: what was released is still written the same.
/// `SEATKEEPER_WRITE_CORPUS=1` writes them.
pub(crate) fn has_samples(name: &str, samples: &[(String, Vec<u8>)]) {
    if std::env::var_os("SEATKEEPER_WRITE_CORPUS").is_some() {
        std::fs::create_dir_all(folder(name)).expect("the corpus' folder can be made");
        for (sample, bytes) in samples {
            std::fs::write(folder(name).join(sample), bytes).expect("a sample can be written");
        }
    }
    let corpus = corpus(name);
    for sample in samples {
        assert!(corpus.contains(sample), "the corpus of {name} has no {} like today's", sample.0);
    }
}
