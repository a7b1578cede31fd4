//! Desktop entries, as freedesktop.org specifies them.

use super::{Entry, MenuError};

/// The key by which an entry is known as ours.
const OURS: &str = "X-Seatkeeper-Product";
const GROUP: &str = "[Desktop Entry]";
/// What an entry may leave for the desktop to fill in.
const FIELD_CODES: [&str; 7] = ["%f", "%F", "%u", "%U", "%i", "%c", "%k"];

/// A new entry.
pub(super) fn new(entry: &Entry) -> Result<String, MenuError> {
    let exec = line(
        entry
            .launcher
            .iter()
            .map(|word| (word, false))
            .chain(entry.command.iter().map(|word| (word, FIELD_CODES.contains(&word.as_str())))),
    )?;
    let mut text = format!(
        "{GROUP}\nType=Application\nName={}\nComment=Takes a seat of {} from Seatkeeper\nExec={exec}\nTerminal=false\n",
        value(&entry.name)?,
        entry.product,
    );
    if let Some(icon) = &entry.icon {
        text += &format!("Icon={}\n", value(icon)?);
    }
    Ok(text + &format!("{OURS}={}\n", entry.product))
}

/// Another program's entry, which now starts it with a seat. Its further actions go: they would start it without.
pub(super) fn wrapped(original: &str, entry: &Entry) -> Result<String, MenuError> {
    let own = get(original, "Exec")
        .ok_or_else(|| MenuError::Unfit("Exec".to_owned(), "the entry names no program"))?;
    let exec = format!("{} {own}", line(entry.launcher.iter().map(|word| (word, false)))?);
    let mut text = format!("{GROUP}\n");
    for kept in own_lines(original) {
        let key = kept.split(['=', '[']).next().unwrap_or_default().trim();
        match key {
            "Exec" => text += &format!("Exec={exec}\n"),
            "TryExec" | "DBusActivatable" | "Actions" | OURS => {}
            _ => text += &format!("{kept}\n"),
        }
    }
    Ok(text + &format!("{OURS}={}\n", entry.product))
}

/// The product, if the entry is ours.
pub(super) fn product(text: &str) -> Option<&str> {
    get(text, OURS)
}

/// The untranslated name.
pub(super) fn name(text: &str) -> Option<&str> {
    get(text, "Name")
}

/// The lines of the main group.
fn own_lines(text: &str) -> impl Iterator<Item = &str> {
    let begin = text.lines().skip_while(|line| line.trim() != GROUP).skip(1);
    begin.take_while(|line| !line.starts_with('['))
}

fn get<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    own_lines(text).find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim_end() == key).then(|| value.trim())
    })
}

/// A command line; `true`: a field code, which is left to the desktop.
fn line<'a>(words: impl Iterator<Item = (&'a String, bool)>) -> Result<String, MenuError> {
    let words: Result<Vec<String>, _> =
        words.map(|(word, code)| if code { Ok(word.clone()) } else { quoted(word) }).collect();
    value(&words?.join(" "))
}

/// An argument, quoted where it must be.
fn quoted(word: &str) -> Result<String, MenuError> {
    let word = word.replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Ok(word);
    }
    let mut quoted = String::from('"');
    for c in word.chars() {
        if matches!(c, '"' | '`' | '$' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    Ok(quoted + "\"")
}

/// A string value: its backslashes are escaped once more.
fn value(text: &str) -> Result<String, MenuError> {
    if text.chars().any(char::is_control) {
        return Err(MenuError::Unfit(
            text.to_owned(),
            "it has a line break or another control character in it",
        ));
    }
    Ok(text.replace('\\', "\\\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(command: &[&str]) -> Entry {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Entry {
            name: "Example CAD".to_owned(),
            product: "example-cad@2026".to_owned(),
            icon: Some("cad".to_owned()),
            launcher: words(&["/usr/bin/seatkeeper", "run", "--window", "example-cad@2026", "--"]),
            command: words(command),
        }
    }

    #[test]
    fn a_new_entry() {
        let text =
            new(&entry(&["/opt/cad/cad", "%F", "100%", "two words", "$HOME", "a\\b", "\"", ""])).unwrap();
        assert_eq!(
            text,
            "[Desktop Entry]\nType=Application\nName=Example CAD\n\
             Comment=Takes a seat of example-cad@2026 from Seatkeeper\n\
             Exec=/usr/bin/seatkeeper run --window example-cad@2026 -- /opt/cad/cad %F 100%% \"two words\" \
             \"\\\\$HOME\" \"a\\\\\\\\b\" \"\\\\\"\" \"\"\nTerminal=false\nIcon=cad\n\
             X-Seatkeeper-Product=example-cad@2026\n"
        );
        assert_eq!((product(&text), name(&text)), (Some("example-cad@2026"), Some("Example CAD")));
    }

    #[test]
    fn what_would_break_out_of_its_line_is_refused() {
        for command in [&["cad\nExec=evil"], &["cad\r"], &["a\0b"]] {
            assert!(matches!(new(&entry(command)), Err(MenuError::Unfit(..))), "{command:?}");
        }
        let named = Entry { name: "a\nExec=b".to_owned(), ..entry(&["cad"]) };
        assert!(matches!(new(&named), Err(MenuError::Unfit(..))));
    }

    #[test]
    fn an_entry_of_another_program_keeps_its_looks_and_loses_its_actions() {
        let original = "# by the vendor\n[Desktop Entry]\nName=CAD\nName[pl]=KAD\nTryExec=cad\nExec=env A=\"b c\" cad %F\n\
                        Icon=cad\nMimeType=image/x-dwg;\nActions=new;\nDBusActivatable=true\n\n[Desktop Action new]\n\
                        Name=New\nExec=cad --new\n";
        let text = wrapped(original, &entry(&[])).unwrap();
        assert_eq!(
            text,
            "[Desktop Entry]\nName=CAD\nName[pl]=KAD\n\
             Exec=/usr/bin/seatkeeper run --window example-cad@2026 -- env A=\"b c\" cad %F\nIcon=cad\n\
             MimeType=image/x-dwg;\n\nX-Seatkeeper-Product=example-cad@2026\n"
        );
        // Once more changes nothing but the product.
        assert!(matches!(wrapped("[Desktop Entry]\nName=x\n", &entry(&[])), Err(MenuError::Unfit(..))));
        assert_eq!(product(original), None);
    }
}
