//! Columns that are aligned, and fit the terminal: what is too wide goes on in the next line, and nothing is cut off.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::color::{self, Style};

/// Between two columns.
const GAP: &str = "  ";
/// A column is not made narrower than this, whatever the terminal: a name in single letters is not read.
const NARROWEST: usize = 6;

/// Lines out of titles and rows, at most `columns` wide if that is possible.
pub(super) fn layout(
    titles: &[&str],
    rows: &[Vec<String>],
    columns: Option<usize>,
    color: bool,
) -> Vec<String> {
    let head: Vec<String> = titles.iter().map(|title| title.to_uppercase()).collect();
    let widths = widths(&head, rows, columns);
    let bold = |_: &str, _: &str| Some(color::TITLE);
    let mut lines = row(titles, &head, &widths, if color { &bold } else { &plain });
    for cells in rows {
        lines.extend(row(titles, cells, &widths, if color { &color::of_cell } else { &plain }));
    }
    lines
}

fn plain(_: &str, _: &str) -> Option<Style> {
    None
}

/// How wide each column is.
fn widths(head: &[String], rows: &[Vec<String>], columns: Option<usize>) -> Vec<usize> {
    let widest = |column: usize, measure: fn(&str) -> usize| {
        let cells = std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
        cells.filter_map(|row| row.get(column)).map(|cell| measure(cell)).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> =
        (0..head.len()).map(|column| widest(column, UnicodeWidthStr::width)).collect();
    let Some(columns) = columns else { return widths };
    let room = columns.saturating_sub(GAP.len() * head.len().saturating_sub(1));
    // Words stay whole as long as there is room for them.
    let words: Vec<usize> = (0..head.len()).map(|column| widest(column, longest_word)).collect();
    narrow(&mut widths, &words, room);
    narrow(&mut widths, &vec![NARROWEST; head.len()], room);
    widths
}

/// Takes from the widest columns, as long as they are wider than their floor, until all fit.
fn narrow(widths: &mut [usize], floors: &[usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let wide = widths.iter_mut().zip(floors).filter(|(width, floor)| **width > **floor);
        let Some((widest, _)) = wide.max_by_key(|(width, _)| **width) else { return };
        *widest -= 1;
    }
}

fn longest_word(cell: &str) -> usize {
    let indent = cell.len() - cell.trim_start_matches(' ').len();
    indent + cell.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// The lines of one row.
fn row(
    titles: &[&str],
    cells: &[String],
    widths: &[usize],
    style: &dyn Fn(&str, &str) -> Option<Style>,
) -> Vec<String> {
    let wrapped: Vec<Vec<String>> =
        cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    (0..height)
        .map(|line| {
            let mut text = String::new();
            // Blanks are written before what follows them, so that no line ends with some.
            let mut blanks = 0;
            for ((column, lines), width) in wrapped.iter().enumerate().zip(widths) {
                let part = lines.get(line).map_or("", String::as_str);
                if !part.is_empty() {
                    text.push_str(&" ".repeat(blanks));
                    blanks = 0;
                    let (title, cell) = (titles.get(column), cells.get(column));
                    let style = title.zip(cell).and_then(|(title, cell)| style(title, cell));
                    text.push_str(&color::paint(style, part));
                }
                blanks += width.saturating_sub(part.width()) + GAP.len();
            }
            text
        })
        .collect()
}

/// A cell in lines of this width, broken between words if that is possible. Where it is indented, all lines are.
fn wrap(cell: &str, width: usize) -> Vec<String> {
    if cell.width() <= width {
        return vec![cell.to_owned()];
    }
    let words = cell.trim_start_matches(' ');
    let indent = (cell.len() - words.len()).min(width / 2);
    let room = width.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() <= room {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            if line.width() + letter.width().unwrap_or(0) > room && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    lines.push(line);
    lines.into_iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_blanks() {
        let rows = cells(&[&["1", "größer"], &["22", ""]]);
        assert_eq!(layout(&["id", "name"], &rows, None, false), ["ID  NAME", "1   größer", "22"]);
        // What takes two columns each, and what takes none.
        let rows = cells(&[&["佐藤", "x"], &["e\u{301}va", "y"]]);
        assert_eq!(layout(&["user", ""], &rows, None, false), ["USER", "佐藤  x", "e\u{301}va   y"]);
    }

    #[test]
    fn what_is_too_wide_goes_on_below_and_nothing_is_lost() {
        let rows = cells(&[&["7", "the quick brown fox", "3"], &["8", "jumps", "44"]]);
        let check = |columns, expected: &[&str]| {
            let lines = layout(&["id", "what", "n"], &rows, Some(columns), false);
            assert_eq!(lines, expected);
        };
        check(
            27,
            &["ID  WHAT                 N", "7   the quick brown fox  3", "8   jumps                44"],
        );
        check(18, &["ID  WHAT        N", "7   the quick   3", "    brown fox", "8   jumps       44"]);
        // Only now are words broken, and no column becomes narrower than can be read.
        let rows = cells(&[&["extraordinary", "x"]]);
        let lines = layout(&["a", "b"], &rows, Some(10), false);
        assert_eq!(lines, ["A        B", "extraor  x", "dinary"]);
        let lines = layout(&["a", "b"], &rows, Some(1), false);
        assert_eq!(lines, ["A       B", "extrao  x", "rdinar", "y"]);
    }

    #[test]
    fn every_line_fits_wherever_that_is_possible() {
        let rows = cells(&[
            &[
                "abcdefgh",
                "Müller's workstation",
                "holder",
                "online",
                "desktop, always on",
                "[2001:db8::1]:7410",
            ],
            &["ijklmnop", "佐藤のコンピューター", "spare", "offline", "laptop", "-"],
        ]);
        let titles = ["id", "name", "role", "state", "form", "address"];
        let letters = |lines: &[String]| {
            let mut letters: Vec<char> = lines.concat().chars().filter(|c| *c != ' ').collect();
            letters.sort_unstable();
            letters
        };
        let whole = letters(&layout(&titles, &rows, None, false));
        for columns in 6 * NARROWEST + 10..120 {
            let lines = layout(&titles, &rows, Some(columns), false);
            assert!(lines.iter().all(|line| line.width() <= columns), "{columns}: {lines:#?}");
            assert_eq!(letters(&lines), whole, "{columns}");
        }
    }

    #[test]
    fn an_indented_cell_stays_so_in_all_lines() {
        assert_eq!(wrap("    north wing", 10), ["    north", "    wing"]);
        assert_eq!(wrap("one two", 3), ["one", "two"]);
    }

    #[test]
    fn colors_change_no_widths() {
        let rows = cells(&[&["holder", "0", "x"], &["spare", "12", "y"]]);
        let lines = layout(&["role", "free", "n"], &rows, None, true);
        let stripped: Vec<String> = lines.iter().map(|line| color::stripped(line)).collect();
        assert_eq!(stripped, layout(&["role", "free", "n"], &rows, None, false));
        assert_ne!(lines, stripped);
    }
}
