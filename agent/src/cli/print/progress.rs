//! What takes long says how far it is: in one line on standard error, if that is a terminal, which is gone at the end.

use std::future::Future;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::platform::terminal;

/// What is done sooner is not worth a word.
const WORTH_A_WORD: Duration = Duration::from_millis(500);

/// Whether a line of progress stands on the terminal: other output takes its place.
static STANDS: AtomicBool = AtomicBool::new(false);

/// Removes the line that stands, before something else is written.
pub(super) fn make_way() {
    if STANDS.swap(false, Ordering::Relaxed) {
        write!(io::stderr(), "\r\u{1b}[K").ok();
    }
}

fn show(text: &str) {
    // A line that is wider than the terminal could not be removed any more.
    let columns = terminal::size().map_or(80, |size| size.columns);
    let text: String = text.chars().take(columns.saturating_sub(1)).collect();
    STANDS.store(true, Ordering::Relaxed);
    let mut error = io::stderr();
    write!(error, "\r\u{1b}[K{text}").and_then(|()| error.flush()).ok();
}

/// Work in parts.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    total: Option<usize>,
    done: usize,
    shown: bool,
}

impl Progress {
    /// `what` in the present: "sending the nodes". `total`: unknown is `None`.
    pub(crate) fn new(what: &'static str, total: Option<usize>) -> Self {
        // One part is one look at the clock.
        let shown = total != Some(1) && terminal::error_is_one();
        Self { what, total, done: 0, shown }
    }

    /// So many more are done.
    pub(crate) fn add(&mut self, done: usize) {
        self.done = self.done.saturating_add(done);
        if self.shown {
            show(&self.text());
        }
    }

    fn text(&self) -> String {
        match self.total {
            Some(total) => format!("{}: {} of {total}", self.what, self.done),
            None => format!("{}: {}", self.what, self.done),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        make_way();
    }
}

/// Does `work`, and says so with the seconds that it has taken.
pub(crate) async fn while_doing<T>(what: &str, work: impl Future<Output = T>) -> T {
    if !terminal::error_is_one() {
        return work.await;
    }
    tokio::pin!(work);
    if let Ok(done) = tokio::time::timeout(WORTH_A_WORD, &mut work).await {
        return done;
    }
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut seconds = 0u64;
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = second.tick() => {
                show(&format!("{what} … {seconds} s"));
                seconds += 1;
            }
        }
    };
    make_way();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is() {
        let mut progress = Progress { what: "sending the nodes", total: Some(3), done: 0, shown: false };
        progress.add(2);
        assert_eq!(progress.text(), "sending the nodes: 2 of 3");
        let progress = Progress { total: None, ..progress };
        assert_eq!(progress.text(), "sending the nodes: 2");
    }

    #[tokio::test]
    async fn work_is_done_whether_it_is_told_or_not() {
        assert_eq!(while_doing("adding", async { 1 + 1 }).await, 2);
    }
}
