//! Output: aligned tables for people, exact JSON for programs.
//!
//! | module | holds |
//! |---|---|
//! | `page` | what a command shows, line by line |
//! | `table` | columns that fit the terminal |
//! | `color` | which words have one |
//! | `progress` | how far work is that takes long |

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;

use super::fail::Fail;

mod color;
mod page;
pub(crate) mod progress;
mod table;

pub(crate) use page::Page;

/// Writes a line to standard output. A reader that has gone (`| head`) is not an error.
pub(crate) fn line(text: impl AsRef<str>) {
    progress::make_way();
    writeln!(io::stdout(), "{}", text.as_ref()).ok();
}

/// Writes a line that must not get lost: what is kept elsewhere and missing there is an error.
pub(crate) fn kept(text: impl AsRef<str>) -> Result<(), Fail> {
    progress::make_way();
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
    written.map_err(|error| Fail::other(format!("the output could not be written: {error}; it is not whole")))
}

/// Writes a line for the person to standard error.
pub(crate) fn note(text: impl AsRef<str>) {
    progress::make_way();
    writeln!(io::stderr(), "{}", text.as_ref()).ok();
}

/// Writes `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Fail> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Fail::other(error.to_string()))?;
    line(text);
    Ok(())
}

/// Writes columns under their titles, or `empty` when there are no rows.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>], empty: &str) {
    let mut page = Page::new();
    page.table(titles, rows, empty);
    page.print();
}

/// `2026-01-01T08:00:00Z` as people here read it, or a dash.
pub(crate) fn when(time: Option<&str>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| when_in(time, &TimeZone::system()))
}

/// By the clock on the wall of a time zone, and how far that is from UTC: `2026-01-01 09:00:00 +01:00`.
fn when_in(time: &str, zone: &TimeZone) -> String {
    let Ok(time) = time.parse::<Timestamp>() else { return time.to_owned() };
    let time = time.to_zoned(zone.clone());
    let form = if time.offset() == Offset::UTC { "%F %T UTC" } else { "%F %T %:z" };
    time.strftime(form).to_string()
}

/// A text that stands alone: it begins with a capital letter and ends with a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// `1 seat`, `2 seats`.
pub(crate) fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// `90 s`, `30 min`, `12 h`, `7 days`, in the largest unit that is exact.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let whole = |unit_s: u64| (seconds / unit_s * unit_s == seconds).then_some(seconds / unit_s);
    match (whole(86_400), whole(3_600), whole(60)) {
        (Some(days), _, _) => count(u32::try_from(days).unwrap_or(u32::MAX), "day", "days"),
        (_, Some(hours), _) => format!("{hours} h"),
        (_, _, Some(minutes)) => format!("{minutes} min"),
        _ => format!("{seconds} s"),
    }
}

/// How a terminal shows a line: its rows on one of so many columns.
pub(crate) fn rows_of(line: &str, columns: usize) -> usize {
    use unicode_width::UnicodeWidthStr;
    color::stripped(line).width().div_ceil(columns.max(1)).max(1)
}

/// Whether a person can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_whole() {
        assert_eq!(sentence("all seats are in use"), "All seats are in use.");
        assert_eq!(sentence("Is it?"), "Is it?");
    }

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(count(1, "seat", "seats"), "1 seat");
        assert_eq!(count(0, "seat", "seats"), "0 seats");
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [90, 1_800, 43_200, 86_400, 604_800].map(shown),
            ["90 s", "30 min", "12 h", "1 day", "7 days"]
        );
        let utc = |time| when_in(time, &TimeZone::UTC);
        assert_eq!(utc("2026-01-01T08:00:00Z"), "2026-01-01 08:00:00 UTC");
        assert_eq!(utc("soon"), "soon");
        // Also on the night in which the clock is put forward, and back.
        let warsaw = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (time, told) in [
            ("2026-01-01T08:00:00Z", "2026-01-01 09:00:00 +01:00"),
            ("2026-03-29T00:59:59Z", "2026-03-29 01:59:59 +01:00"),
            ("2026-03-29T01:00:00Z", "2026-03-29 03:00:00 +02:00"),
            ("2026-10-25T00:59:59Z", "2026-10-25 02:59:59 +02:00"),
            ("2026-10-25T01:00:00Z", "2026-10-25 02:00:00 +01:00"),
        ] {
            assert_eq!(when_in(time, &warsaw), told);
        }
    }
}
