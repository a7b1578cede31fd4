//! The newest lines of this process's log, in memory: for whoever looks into a fault, also where nobody keeps the log.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Bytes kept.
const BYTES_MAX: usize = 256 * 1024;

static RECENT: Mutex<Recent> = Mutex::new(Recent(VecDeque::new()));

#[derive(Debug)]
struct Recent(VecDeque<u8>);

impl Recent {
    fn add(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(BYTES_MAX)..).unwrap_or_default();
        let over = (self.0.len() + bytes.len()).saturating_sub(BYTES_MAX);
        self.0.drain(..over);
        self.0.extend(bytes);
    }

    /// Whole lines: the first one may be cut off.
    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let whole = if bytes.len() < BYTES_MAX {
            bytes.as_slice()
        } else {
            bytes.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default()
        };
        String::from_utf8_lossy(whole).into_owned()
    }
}

/// Adds what is written to it.
#[derive(Clone, Copy, Debug)]
pub struct Writer;

/// Where a log is written that is to be asked for.
pub fn writer() -> Writer {
    Writer
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        RECENT.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The newest lines, oldest first.
pub(super) fn text() -> String {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner).text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_whole() {
        let mut recent = Recent(VecDeque::new());
        recent.add(b"first\n");
        assert_eq!(recent.text(), "first\n");
        let lines = BYTES_MAX / 10;
        for number in 0..lines {
            recent.add(format!("{number:09}\n").as_bytes());
        }
        let text = recent.text();
        assert!(text.len() <= BYTES_MAX && text.len() > BYTES_MAX - 20, "{}", text.len());
        assert!(text.lines().all(|line| line.len() == 9), "a line is cut");
        assert!(text.ends_with(&format!("{:09}\n", lines - 1)));
        recent.add(&vec![b'x'; 2 * BYTES_MAX]);
        assert_eq!(recent.0.len(), BYTES_MAX);
        assert_eq!(recent.text(), "");
    }
}
