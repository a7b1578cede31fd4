//! Colors: for what somebody looks for first. They say nothing that the words beside them don't.

use std::fmt::Write;

use anstyle::AnsiColor;
pub(super) use anstyle::Style;

use crate::platform::terminal;

/// Titles of columns.
pub(super) const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const NOTICE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();

/// Whether standard output gets colors: a terminal does, unless the person does not want any (<https://no-color.org>).
pub(super) fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) && terminal::output_is_one()
}

pub(super) fn paint(style: Option<Style>, text: &str) -> String {
    style.map_or_else(|| text.to_owned(), |style| format!("{style}{text}{style:#}"))
}

/// What a word deserves, wherever it stands.
pub(super) fn of_word(word: &str) -> Option<Style> {
    match word {
        "error" | "none" | "too few" | "revoked" | "lost" | "ended" => Some(BAD),
        "warning" | "borrowed" | "out of contact" => Some(NOTICE),
        "holder" | "online" | "active" | "enough" => Some(GOOD),
        "offline" | "future" | "replaced" => Some(QUIET),
        _ => None,
    }
}

/// What a cell below this title deserves.
pub(super) fn of_cell(title: &str, cell: &str) -> Option<Style> {
    match (title, cell) {
        ("free", "0") => Some(BAD),
        ("free", _) => Some(GOOD),
        ("short", "0" | "-") | ("compliance", "0") => None,
        ("short", _) => Some(BAD),
        ("compliance", cell) => cell.starts_with('-').then_some(BAD),
        ("role" | "state" | "kind", word) => of_word(word),
        // A column without a title has remarks.
        ("", _) => Some(NOTICE),
        _ => None,
    }
}

/// The text that a terminal would show.
pub(super) fn stripped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
        } else {
            shown.write_char(letter).ok();
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_first_has_a_color() {
        let check = |title, cell, style| assert_eq!(of_cell(title, cell), style, "{title}: {cell}");
        check("free", "0", Some(BAD));
        check("free", "3", Some(GOOD));
        check("role", "holder", Some(GOOD));
        check("role", "voter", None);
        check("role", "revoked", Some(BAD));
        check("compliance", "-3", Some(BAD));
        check("compliance", "2", None);
        check("name", "lost", None);
        assert_eq!(of_word("error"), Some(BAD));
        assert_eq!(of_word("info"), None);
    }

    #[test]
    fn escapes_are_no_text() {
        let painted = paint(Some(BAD), "too few");
        assert_ne!(painted, "too few");
        assert_eq!(stripped(&format!("voters {painted}!")), "voters too few!");
        assert_eq!(paint(None, "x"), "x");
    }
}
