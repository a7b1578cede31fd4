//! Answers that keep coming.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use seatkeeper_protocol::api;

use crate::{ClientError, Connection, LINE_BYTES_MAX};

/// How long the first line of a seat may take; the holder may be changing.
const FIRST_LINE_WITHIN: Duration = Duration::from_secs(60);

/// A held seat. Dropping it gives the seat back, unless a process tree was named and lives.
#[derive(Debug)]
pub struct SeatStream {
    lines: Lines,
    granted: api::SeatGranted,
}

impl SeatStream {
    /// Reads until the seat is granted. The first line comes soon; after `waiting` it may take as long as was wished.
    pub(crate) async fn begin(
        body: Incoming,
        connection: Connection,
        mut waiting: impl FnMut(&api::SeatWaiting),
    ) -> Result<Self, ClientError> {
        let mut lines = Lines::new(body, connection);
        let late = |_| ClientError::TimedOut(FIRST_LINE_WITHIN);
        let first = tokio::time::timeout(FIRST_LINE_WITHIN, next_seat_event(&mut lines));
        let mut event = first.await.map_err(late)??;
        loop {
            match event {
                Some(api::SeatEvent::Granted(granted)) => return Ok(Self { lines, granted: *granted }),
                Some(api::SeatEvent::Waiting(place)) => waiting(&place),
                Some(api::SeatEvent::NoSeat(problem)) => return Err(ClientError::Problem(problem)),
                Some(api::SeatEvent::Lost { reason }) => return Err(ClientError::Broken(reason)),
                Some(_) => {
                    return Err(ClientError::Unreadable("a seat must begin with `granted`".to_owned()));
                }
                None => return Err(ClientError::Broken("it ended before the seat was granted".to_owned())),
            }
            event = next_seat_event(&mut lines).await?;
        }
    }

    /// The grant, or the newest after an interruption.
    pub fn granted(&self) -> &api::SeatGranted {
        &self.granted
    }

    /// What happens next to the seat; `None` when the agent ended the stream. Cancel safe.
    ///
    /// # Errors
    /// When the connection breaks or a line is not understood. The session can be resumed with another
    /// [`crate::Client::take_seat`].
    pub async fn next_event(&mut self) -> Result<Option<api::SeatEvent>, ClientError> {
        let event = next_seat_event(&mut self.lines).await?;
        if let Some(api::SeatEvent::Granted(granted)) = &event {
            self.granted.clone_from(granted);
        }
        Ok(event)
    }
}

/// The events of the site, in order.
#[derive(Debug)]
pub struct EventStream {
    lines: Lines,
}

impl EventStream {
    pub(crate) fn new(body: Incoming, connection: Connection) -> Self {
        Self { lines: Lines::new(body, connection) }
    }

    /// The next event; `None` when the agent ended the stream. Cancel safe.
    ///
    /// # Errors
    /// When the connection breaks or an event is not understood.
    pub async fn next_event(&mut self) -> Result<Option<api::Event>, ClientError> {
        loop {
            let Some(line) = self.lines.next().await? else { return Ok(None) };
            // Of SSE only `data` lines matter here: each event is one line of JSON.
            if let Some(data) = line.strip_prefix(b"data:") {
                return serde_json::from_slice(data)
                    .map(Some)
                    .map_err(|error| ClientError::Unreadable(error.to_string()));
            }
        }
    }
}

/// The next event of a kind known here: a newer agent may send others, which are passed over.
async fn next_seat_event(lines: &mut Lines) -> Result<Option<api::SeatEvent>, ClientError> {
    loop {
        let Some(line) = lines.next().await? else { return Ok(None) };
        if line.trim_ascii().is_empty() {
            continue;
        }
        if let Some(event) = parse_seat_event(&line)? {
            return Ok(Some(event));
        }
    }
}

pub(crate) fn parse_seat_event(line: &[u8]) -> Result<Option<api::SeatEvent>, ClientError> {
    const KNOWN: [&str; 9] =
        ["granted", "waiting", "no-seat", "lost", "unreachable", "ends", "asked", "reachable", "alive"];
    let unreadable = |error: serde_json::Error| ClientError::Unreadable(error.to_string());
    let value: serde_json::Value = serde_json::from_slice(line).map_err(unreadable)?;
    match value.get("event").and_then(serde_json::Value::as_str) {
        Some(kind) if !KNOWN.contains(&kind) => Ok(None),
        _ => serde_json::from_value(value).map(Some).map_err(unreadable),
    }
}

/// Cuts a body into lines of bounded length.
#[derive(Debug)]
struct Lines {
    body: Incoming,
    _connection: Connection,
    buffer: Vec<u8>,
    /// How much of the buffer has been searched for a line's end.
    searched: usize,
}

impl Lines {
    fn new(body: Incoming, connection: Connection) -> Self {
        Self { body, _connection: connection, buffer: Vec::new(), searched: 0 }
    }

    /// The next line without its end. Cancel safe: what was read stays in the buffer.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(line) = cut_line(&mut self.buffer, &mut self.searched) {
                return Ok(Some(line));
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(ClientError::Unreadable(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(ClientError::Broken(error.to_string())),
                None => return Ok(None),
            }
        }
    }
}

pub(crate) fn cut_line(buffer: &mut Vec<u8>, searched: &mut usize) -> Option<Vec<u8>> {
    let end = buffer.iter().skip(*searched).position(|byte| *byte == b'\n');
    let Some(end) = end.map(|end| end + *searched) else {
        *searched = buffer.len();
        return None;
    };
    let rest = buffer.split_off(end + 1);
    let mut line = std::mem::replace(buffer, rest);
    *searched = 0;
    line.pop();
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some(line)
}
