//! Reading the source tree.

use std::path::{Path, PathBuf};

/// A Rust file, with comments and strings blanked out: a word in a sentence breaks no rule.
pub(crate) struct Source {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// The code, as many lines as the file.
    pub(crate) code: String,
}

impl Source {
    /// Whether it is test code as a whole, or measures.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches"))
    }

    /// Without `mod tests { … }` at its end.
    pub(crate) fn shipped(&self) -> &str {
        if self.is_test() {
            return "";
        }
        self.code.find("#[cfg(test)]\nmod tests {").map_or(&self.code, |at| &self.code[..at])
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every Rust file of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for dir in ["protocol", "election", "agent", "tests"] {
        collect(&root().join(dir), &mut found);
    }
    found
}

fn collect(dir: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            let path = path.strip_prefix(root()).expect("within the workspace");
            let path = path.to_str().expect("a plain path").replace('\\', "/");
            found.push(Source { path, code: code_of(&text) });
        }
    }
}

/// The text with everything inside comments, strings and characters blanked out, line by line as before.
pub(crate) fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, word: &str| word.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = if starts(at, "//") {
            find(&chars, at, |i| chars[i] == '\n')
        } else if starts(at, "/*") {
            find(&chars, at + 2, |i| starts(i, "*/")) + 2
        } else if let Some(hashes) = raw_string(&chars, at) {
            let close = format!("\"{}", "#".repeat(hashes));
            find(&chars, at + hashes + 2, |i| starts(i, &close)) + close.len()
        } else if chars[at] == '"' {
            skip_quoted(&chars, at, '"')
        } else if chars[at] == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\''))
        {
            skip_quoted(&chars, at, '\'')
        } else {
            code.push(chars[at]);
            at += 1;
            continue;
        };
        let end = end.min(chars.len());
        code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

fn find(chars: &[char], from: usize, is: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|&at| is(at)).unwrap_or(chars.len())
}

/// How many `#` the raw string that begins here has.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let word_goes_on =
        at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b';
    if chars[at] != 'r' || word_goes_on {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn skip_quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The names under every `dependencies` table of a manifest.
pub(crate) fn cargo_dependencies(manifest: &str) -> Vec<String> {
    let mut within = false;
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]");
        } else if within && let Some((name, _)) = line.split_once(['=', '.']) {
            found.push(name.trim().to_owned());
        }
    }
    found
}

#[test]
fn only_code_is_read() {
    let check = |text: &str, code: &str| assert_eq!(code_of(text), code, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b\n */ c", "a     \n    c");
    check(r#"a("b\"c")d"#, "a(      )d");
    check(r##"r#"a"b"# c"##, "         c");
    check("'\"' a '\\'' <'a>", "    a      <'a>");
    check("for \"x\"", "for    ");
}

#[test]
fn dependencies_are_found() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na = { workspace = true }\nb.workspace = true\n\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n[dev-dependencies]\nd = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(cargo_dependencies(manifest), ["a", "b", "c", "d"]);
}
