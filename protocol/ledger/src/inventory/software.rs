//! What a machine says of a program that is installed on it.

use seatkeeper_protocol::id::Name;
use seatkeeper_protocol::limits::NAME_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// A program as the machine's own lists name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Software {
    /// What it is called.
    pub name: Name,
    /// Who made or packaged it; `None`: not said.
    pub publisher: Option<Name>,
    /// Its version as it is written there; `None`: not said.
    pub version: Option<Name>,
}

impl Software {
    /// One from texts as they stand in a list; `None`: it has no name. What may not stand in a name is left out, and
    /// what is too long is cut.
    pub fn read(name: &str, publisher: &str, version: &str) -> Option<Self> {
        Some(Self { name: clean(name)?, publisher: clean(publisher), version: clean(version) })
    }
}

/// The text without control characters and repeated spaces, cut to the length of a name; `None`: nothing is left.
pub fn clean(text: &str) -> Option<Name> {
    let mut short = String::new();
    for word in text.split(|char: char| char.is_whitespace() || char.is_control()) {
        let space = usize::from(!short.is_empty());
        if word.is_empty() {
            continue;
        }
        if space == 1 {
            short.push(' ');
        }
        short.push_str(word);
        if short.len() > NAME_BYTES_MAX {
            break;
        }
    }
    while short.len() > NAME_BYTES_MAX {
        short.pop();
    }
    Name::new(short.trim_end()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_lists_become_names() {
        let long = "ż".repeat(200);
        let cases = [
            ("  Allplan\t Engineering \n 2026 ", Some("Allplan Engineering 2026".to_owned())),
            ("a\u{0}b\u{7}", Some("a b".to_owned())),
            ("", None),
            (" \r\n ", None),
            (long.as_str(), Some("ż".repeat(NAME_BYTES_MAX / 2))),
        ];
        for (text, wanted) in cases {
            assert_eq!(clean(text).map(|name| name.as_str().to_owned()), wanted, "{text:?}");
        }
        let software = Software::read("Allplan", " ", "2026.1").map(|it| (it.publisher, it.version));
        assert_eq!(software, Some((None, clean("2026.1"))));
        assert_eq!(Software::read(" ", "Nemetschek", "1"), None);
    }
}
