//! `--watch`: a page that is drawn again whenever something happens.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_client::Client;
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::args::WatchArgs;
use super::fail::Fail;
use super::print::{self, Page};
use crate::platform::terminal::{self, Size};
use crate::platform::{clock::SystemClock, signals};
use seatkeeper_election::seam::Clock;

/// What is no event (who is online, for how long a seat is idle, health) is looked at as often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Events of so long are one look.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long to wait for an agent that is away.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Shows the page of what `ask` asks for: once, or with `--watch` until Ctrl-C. Programs get JSON.
pub(super) async fn show<T: Serialize>(
    client: &Client,
    args: WatchArgs,
    json: bool,
    ask: impl AsyncFn() -> Result<T, Fail>,
    page: impl Fn(&T) -> Page,
) -> Result<(), Fail> {
    if json && args.watch {
        // Where --json comes before the command, the parser doesn't see it.
        let text = "--watch shows pages to people; for programs there is `seatkeeper events --follow --json`";
        return Err(Fail::new(2, text));
    }
    // Nothing to look at is an error, with --watch too; what is lost later comes back.
    let first = ask().await?;
    if json {
        return print::json(&first);
    }
    let first = page(&first);
    if !args.watch {
        first.print();
        return Ok(());
    }
    let stop = signals::shutdown();
    let mut view = View::open();
    view.show(&first, None);
    tokio::select! {
        () = stop => {}
        () = follow(client, &mut view, first, async || Ok(page(&ask().await?))) => {}
    }
    Ok(())
}

async fn follow(client: &Client, view: &mut View, first: Page, draw: impl AsyncFn() -> Result<Page, Fail>) {
    let news = Arc::new(Notify::new());
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let listening = listen(client.clone(), news.clone());
    tokio::spawn(async move { over.run_until_cancelled(listening).await });
    let mut page = first;
    let mut next_look = LOOK_AGAIN;
    loop {
        let drawn_again = async {
            tokio::select! {
                () = news.notified() => tokio::time::sleep(TOGETHER).await,
                () = signals::resized() => {}
                () = tokio::time::sleep(next_look) => {}
            }
            draw().await
        };
        match drawn_again.await {
            Ok(drawn) => {
                page = drawn;
                view.show(&page, None);
                next_look = LOOK_AGAIN;
            }
            Err(fail) => {
                view.show(&page, Some(&fail.text));
                next_look = TRY_AGAIN;
            }
        }
    }
}

/// Tells of everything that happens from now on.
async fn listen(client: Client, news: Arc<Notify>) {
    loop {
        // Where the list ends is where this begins.
        if let Ok(page) = client.events(None).await
            && let Ok(mut stream) = client.follow_events(page.events.last().map(|event| event.seq)).await
        {
            // What happened between two streams.
            news.notify_one();
            while let Ok(Some(_)) = stream.next_event().await {
                news.notify_one();
            }
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// The terminal while it is watched, which is as it was before once this is dropped; or where pages go to one after
/// another.
struct View {
    terminal: bool,
    last: Vec<String>,
}

impl View {
    fn open() -> Self {
        let terminal = terminal::output_is_one();
        if terminal {
            // Another screen, without a cursor.
            write!(io::stdout(), "\u{1b}[?1049h\u{1b}[?25l").ok();
        }
        Self { terminal, last: Vec::new() }
    }

    fn show(&mut self, page: &Page, trouble: Option<&str>) {
        let mut lines = page.lines().to_vec();
        lines.extend(trouble.map(|text| format!("seatkeeper: {text}")));
        if self.terminal {
            let time = SystemClock.wall().rfc3339();
            let foot = format!("{}  Ctrl-C ends", print::when(time.as_deref()));
            let screen = screen(&lines, &foot, terminal::size());
            let mut out = io::stdout();
            write!(out, "{screen}").and_then(|()| out.flush()).ok();
        } else if lines != self.last {
            if !self.last.is_empty() {
                print::line("");
            }
            lines.iter().for_each(print::line);
            self.last = lines;
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.terminal {
            let mut out = io::stdout();
            write!(out, "\u{1b}[?25h\u{1b}[?1049l").and_then(|()| out.flush()).ok();
        }
    }
}

/// All of the screen, written over what it shows. What there is no room for is counted.
fn screen(lines: &[String], foot: &str, size: Option<Size>) -> String {
    let size = size.unwrap_or(Size { columns: 80, rows: 24 });
    let rows = |line: &String| print::rows_of(line, size.columns);
    // A blank line and the foot.
    let room = size.rows.saturating_sub(2);
    let fits = lines.iter().map(rows).sum::<usize>() <= room;
    let mut left = if fits { room } else { room.saturating_sub(1) };
    let shown = lines
        .iter()
        .take_while(|line| {
            let taken = rows(line);
            let enough = taken <= left;
            left = left.saturating_sub(taken);
            enough
        })
        .count();
    let mut text = String::from("\u{1b}[H");
    let mut write = |line: &str, end: &str| text.push_str(&format!("{line}\u{1b}[K{end}"));
    lines.iter().take(shown).for_each(|line| write(line, "\r\n"));
    if shown < lines.len() {
        write(&format!("… and {} more lines", lines.len() - shown), "\r\n");
    }
    write("", "\r\n");
    write(foot, "\u{1b}[J");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_never_fuller_than_the_terminal() {
        let check = |lines: &[&str], rows: usize, expected: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            let text = screen(&lines, "foot", Some(Size { columns: 10, rows }));
            let text = text.strip_prefix("\u{1b}[H").unwrap().strip_suffix("\u{1b}[J").unwrap();
            let shown: Vec<&str> = text.split("\r\n").map(|line| line.trim_end_matches("\u{1b}[K")).collect();
            assert_eq!(shown, expected);
        };
        check(&["a", "b"], 24, &["a", "b", "", "foot"]);
        check(&["a", "b"], 4, &["a", "b", "", "foot"]);
        check(&["a", "b", "c"], 4, &["a", "… and 2 more lines", "", "foot"]);
        // A line of two rows has both or is not shown.
        check(&["a", "0123456789x"], 5, &["a", "0123456789x", "", "foot"]);
        check(&["a", "0123456789x"], 4, &["a", "… and 1 more lines", "", "foot"]);
        check(&["a"], 0, &["… and 1 more lines", "", "foot"]);
    }
}
