//! What a command shows, before it is shown: once, or again and again.

use super::{color, table};
use crate::platform::terminal;

/// Lines for a person.
#[derive(Debug)]
pub(crate) struct Page {
    lines: Vec<String>,
    columns: Option<usize>,
    color: bool,
}

impl Page {
    /// For standard output as it is now.
    pub(crate) fn new() -> Self {
        let columns = terminal::size().map(|size| size.columns);
        Self { lines: Vec::new(), columns, color: color::wanted() }
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    /// Columns under their titles, or `empty` when there are no rows.
    pub(crate) fn table(&mut self, titles: &[&str], rows: &[Vec<String>], empty: &str) {
        if rows.is_empty() {
            self.line(empty);
            return;
        }
        self.lines.extend(table::layout(titles, rows, self.columns, self.color));
    }

    /// A word such as `error` or `holder`, in its color.
    pub(crate) fn word(&self, word: &str) -> String {
        color::paint(color::of_word(word).filter(|_| self.color), word)
    }

    /// The lines.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Writes it to standard output.
    pub(crate) fn print(&self) {
        self.lines.iter().for_each(super::line);
    }
}
