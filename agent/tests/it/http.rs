//! HTTP as it is written, over whatever connection.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::office::Office;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
}

impl Answer {
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, kind: &str) {
        assert_eq!((self.status, self.body["type"].as_str()), (status, Some(kind)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
    }

    /// What was answered, if it was done.
    #[track_caller]
    pub(crate) fn done(self) -> Value {
        assert_eq!((self.status, &self.body["format"]), (200, &1.into()), "{}", self.body);
        self.body
    }
}

/// Sends one request, its headers with it, and reads the whole answer.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: serde_json::from_str(body).unwrap_or(Value::Null) }
}

/// A script on the agent's socket, perhaps with an admin's token.
pub(crate) struct Script<'a> {
    office: &'a Office,
    pub(crate) token: Option<String>,
}

impl<'a> Script<'a> {
    pub(crate) fn new(office: &'a Office) -> Self {
        Self { office, token: None }
    }

    /// The same, signed in with a key file.
    pub(crate) async fn signed_in(office: &'a Office, key: &str, password: &str) -> Self {
        let mut script = Self::new(office);
        let body = serde_json::json!({ "key": key, "password": password });
        let session = script.ask("PUT", "/v1/session/admin", body).await.done();
        script.token = Some(session["token"].as_str().expect("a token").to_owned());
        script
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask_with(method, path, body, &[]).await
    }

    pub(crate) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: Value,
        more: &[(&str, &str)],
    ) -> Answer {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("Host", "localhost")];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        headers.extend(more);
        let stream = UnixStream::connect(self.office.client.socket()).await.unwrap();
        exchange(stream, method, path, &headers, &body).await
    }

    /// What a resource is.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).await.done()
    }
}
