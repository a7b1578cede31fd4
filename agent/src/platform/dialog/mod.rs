//! Windows that say or ask something, for people who started a program without a terminal.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as sys;
#[cfg(windows)]
use windows as sys;

pub(crate) use sys::{Dialogs, Notice, Progress};

/// The title of every window.
const TITLE: &str = "Seatkeeper";
/// The longest text in a window, characters: more would not fit the smallest screen.
const TEXT_MAX: usize = 1_500;

/// What a question may be answered with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices<'a> {
    pub(crate) first: &'a str,
    pub(crate) second: &'a str,
    /// Not everywhere offered.
    #[cfg_attr(windows, allow(dead_code, reason = "a message box has no words of its own for three"))]
    pub(crate) third: &'a str,
}

/// Which one was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    First,
    Second,
    #[cfg_attr(windows, allow(dead_code, reason = "not offered there"))]
    Third,
}

/// What a window may show: names come from other machines, so that what could steer a desktop's text field goes.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| match c {
            '<' => '‹',
            '>' => '›',
            '\n' => '\n',
            c if c.is_control() => ' ',
            c => c,
        })
        .take(TEXT_MAX)
        .collect();
    if text.chars().count() > TEXT_MAX {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_of_others_could_steer_is_taken_out() {
        assert_eq!(shown("<b>eva</b>\u{1b}[1m on\tpc"), "‹b›eva‹/b› [1m on pc");
        assert_eq!(shown("one\ntwo"), "one\ntwo");
        assert_eq!(shown(&"ą".repeat(1_500)), "ą".repeat(1_500));
        assert_eq!(shown(&"ą".repeat(1_501)), "ą".repeat(1_500) + "…");
    }
}
