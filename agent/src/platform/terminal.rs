//! The terminal that a command runs on.

use std::io::IsTerminal;

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// How large the terminal is that standard output goes to; `None`: it goes elsewhere, or nobody knows.
#[cfg(unix)]
pub fn size() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // A serial line has no size.
    (size.ws_col > 0 && size.ws_row > 0)
        .then(|| Size { columns: size.ws_col.into(), rows: size.ws_row.into() })
}

/// How large the terminal is that standard output goes to; `None`: it goes elsewhere, or nobody knows.
#[cfg(windows)]
pub fn size() -> Option<Size> {
    let (columns, rows) = super::windows::console_size()?;
    Some(Size { columns: usize::from(columns), rows: usize::from(rows) })
}

/// Whether standard output is a terminal that takes escape sequences.
pub fn output_is_one() -> bool {
    std::io::stdout().is_terminal() && understands(Stream::Output)
}

/// Whether standard error is a terminal that takes escape sequences.
pub fn error_is_one() -> bool {
    std::io::stderr().is_terminal() && understands(Stream::Error)
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

#[cfg(unix)]
fn understands(_: Stream) -> bool {
    std::env::var_os("TERM").is_some_and(|term| term != "dumb" && !term.is_empty())
}

/// Consoles have to be asked for it.
#[cfg(windows)]
fn understands(stream: Stream) -> bool {
    super::windows::console_understands_escapes(matches!(stream, Stream::Error))
}
