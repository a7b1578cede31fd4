use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboard")
}

fn files_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, into) } else { into.push(path) }
    }
}

fn on_disk() -> BTreeSet<String> {
    let mut files = Vec::new();
    files_below(&folder(), &mut files);
    let name = |file: &PathBuf| file.strip_prefix(folder()).unwrap().to_str().unwrap().replace('\\', "/");
    files.iter().map(name).collect()
}

fn text(path: &str) -> &'static str {
    std::str::from_utf8(find(path).unwrap().bytes).unwrap()
}

fn own_scripts() -> Vec<&'static Asset> {
    ASSETS.iter().filter(|asset| asset.path.starts_with("app/")).collect()
}

#[test]
fn every_file_of_the_folder_is_served() {
    let served: BTreeSet<_> = ASSETS.iter().map(|asset| asset.path.to_owned()).collect();
    assert_eq!(served, on_disk());
    assert_eq!(served.len(), ASSETS.len(), "none is there twice");
}

#[test]
fn the_page_is_light() {
    let mut compressed = 0;
    for asset in ASSETS.iter() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(asset.bytes).unwrap();
        compressed += encoder.finish().unwrap().len();
    }
    assert!(
        compressed <= 200 * 1024,
        "the page has {compressed} bytes compressed; at most 200 KiB are agreed"
    );
}

#[test]
fn a_strict_policy_lets_the_page_run() {
    let page = text("index.html");
    for tag in page.split("<script").skip(1) {
        let tag = tag.split_once("</script>").unwrap().0;
        assert!(tag.contains(" src=\"/assets/") && tag.ends_with('>'), "a script within the page: {tag}");
    }
    assert!(!page.contains("<style") && !page.contains("style="), "a style within the page");
    for asset in own_scripts() {
        let script = text(asset.path);
        for word in ["eval(", "new Function", "style=", "innerHTML", "unsafeHTML", "http://", "https://"] {
            assert!(!script.contains(word), "{}: {word}", asset.path);
        }
    }
}

#[test]
fn files_that_the_page_names_are_there() {
    for rest in text("index.html").split("\"/assets/").skip(1) {
        let path = rest.split('"').next().unwrap();
        assert!(find(path).is_some(), "index.html names {path}");
    }
    for asset in ASSETS.iter().filter(|asset| asset.path.ends_with(".js")) {
        for rest in text(asset.path).split("from").skip(1) {
            let Some(name) = rest.trim_start().strip_prefix('"') else { continue };
            let name = name.split('"').next().unwrap();
            if !name.ends_with(".js") {
                continue;
            }
            assert!(name.starts_with('.'), "{} imports {name}, which only a tool could find", asset.path);
            let imported = folder().join(asset.path).parent().unwrap().join(name);
            assert!(imported.exists(), "{} imports {name}", asset.path);
        }
    }
}

#[test]
fn what_is_not_ours_has_its_license_and_version() {
    let vendored: BTreeSet<_> = on_disk()
        .iter()
        .filter_map(|path| Some(path.strip_prefix("vendor/")?.split_once('/')?.0.to_owned()))
        .collect();
    let told = text("vendor/README.md");
    for library in vendored {
        assert!(find(&format!("vendor/{library}/LICENSE")).is_some(), "{library} has no license");
        assert!(told.contains(&format!("| `{library}` |")), "vendor/README.md does not tell of {library}");
    }
}

#[test]
fn own_scripts_are_short() {
    for asset in own_scripts() {
        let lines = text(asset.path).lines().count();
        assert!(lines <= 400, "{} has {lines} lines", asset.path);
    }
}

/// The messages of a language: key, and the variables that its sentence has.
fn messages(language: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = None;
    for line in text(&format!("i18n/{language}.ftl")).lines() {
        if line.starts_with(|first: char| first.is_ascii_lowercase()) {
            let key = line.split_once(" =").unwrap_or_else(|| panic!("{language}: {line}")).0.to_owned();
            assert!(
                messages.insert(key.clone(), BTreeSet::new()).is_none(),
                "{language}: {key} is there twice"
            );
            current = Some(key);
        }
        let Some(key) = &current else { continue };
        let variables = line
            .split('$')
            .skip(1)
            .map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
        messages.get_mut(key).unwrap().extend(variables.map(|mut words| words.next().unwrap().to_owned()));
    }
    messages
}

#[test]
fn every_language_has_every_sentence() {
    let (english, polish) = (messages("en"), messages("pl"));
    assert!(english.len() > 100, "{}", english.len());
    for (key, variables) in &english {
        let theirs = polish.get(key).unwrap_or_else(|| panic!("pl.ftl lacks {key}"));
        assert_eq!(theirs, variables, "the variables of {key}");
    }
    // What the agent says itself is English; only sentences that say it otherwise are in en.ftl.
    let agents_own = ["health-", "event-"];
    let is_agents = |key: &str| agents_own.iter().any(|prefix| key.starts_with(prefix));
    let unknown: Vec<_> =
        polish.keys().filter(|key| !english.contains_key(*key) && !is_agents(key)).collect();
    assert!(unknown.is_empty(), "pl.ftl alone has {unknown:?}");
}

/// What stands between `call` and `end`, where `call` is no end of a longer name.
fn named<'a>(script: &'a str, call: &str, end: char) -> Vec<&'a str> {
    let is_whole = |at: usize| !script[..at].ends_with(|before: char| before.is_ascii_alphanumeric());
    let calls = script.match_indices(call).filter(|(at, _)| is_whole(*at));
    calls.map(|(at, _)| script[at + call.len()..].split(end).next().unwrap()).collect()
}

#[test]
fn the_scripts_use_the_sentences_that_there_are() {
    let english = messages("en");
    let (mut keys, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    for asset in own_scripts() {
        let script = text(asset.path);
        // The end of the others comes from the agent.
        keys.extend(named(script, "t(\"", '"'));
        prefixes.extend(named(script, "t(`", '$'));
        prefixes.extend(named(script, "tryT(\"", '"'));
    }
    assert!(keys.len() > 100 && prefixes.len() > 5, "{} {}", keys.len(), prefixes.len());
    let missing: Vec<_> = keys.iter().filter(|key| !english.contains_key(**key)).collect();
    assert!(missing.is_empty(), "no sentence for {missing:?}");
    for prefix in &prefixes {
        assert!(messages("pl").keys().any(|key| key.starts_with(prefix)), "no sentence begins with {prefix}");
    }
    let is_used = |key: &str| keys.contains(key) || prefixes.iter().any(|prefix| key.starts_with(prefix));
    let unused: Vec<_> = english.keys().filter(|key| !is_used(key)).collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}

#[test]
fn a_file_that_the_browser_has_is_not_sent_again() {
    let first = answer("app/main.js", &HeaderMap::new()).unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone())]);
    assert_eq!(answer("app/main.js", &known).unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(answer("app/shell.js", &known).unwrap().status(), StatusCode::OK);
    assert!(answer("../Cargo.toml", &known).is_err());
}
