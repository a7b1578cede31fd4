//! Three members of etcd at the same work: a lease, and a transaction that takes a seat's key if nobody has it.
//!
//! It is asked through its own HTTP gateway over connections that are kept.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use data_encoding::BASE64;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::office::sentence;
use super::{Failure, Setting};

const MEMBERS: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A cluster; its processes end on drop.
#[derive(Debug)]
pub(super) struct Etcd {
    _dir: tempfile::TempDir,
    _members: Vec<Child>,
    ports: Vec<u16>,
    /// The next key, so that each seat is taken by one client at a time.
    keys: AtomicUsize,
}

impl Etcd {
    /// Starts a cluster; nothing where etcd is not installed.
    pub(super) async fn start(setting: &Setting) -> Result<Option<Self>, Failure> {
        let found = Command::new("etcd").arg("--version").output().await;
        if found.is_err() {
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("sk-etcd").tempdir_in(&setting.dir).map_err(sentence)?;
        // Held until all are known, so that none comes twice.
        let held: Vec<TcpListener> = (0..2 * MEMBERS)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .collect::<Result<_, _>>()
            .map_err(sentence)?;
        let ports: Vec<u16> = held
            .iter()
            .map(|listener| listener.local_addr().map(|address| address.port()))
            .collect::<Result<_, _>>()
            .map_err(sentence)?;
        drop(held);
        let (ports, peers) = ports.split_at(MEMBERS);
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let all: Vec<String> =
            peers.iter().enumerate().map(|(number, port)| format!("m{number}={}", url(port))).collect();
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            let (own, peer) = (url(&ports[number]), url(&peers[number]));
            let log = std::fs::File::create(dir.path().join(format!("m{number}.log"))).map_err(sentence)?;
            let mut command = Command::new("etcd");
            command.args(["--name", &format!("m{number}"), "--initial-cluster", &all.join(",")]);
            command.arg("--data-dir").arg(dir.path().join(format!("m{number}")));
            command.args(["--listen-client-urls", &own, "--advertise-client-urls", &own]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            // Debian's build refuses some processors without it; where it runs anyway this changes nothing.
            command.env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
            members.push(command.spawn().map_err(sentence)?);
        }
        let cluster = Self { _dir: dir, _members: members, ports: ports.to_vec(), keys: AtomicUsize::new(0) };
        cluster.ready().await?;
        Ok(Some(cluster))
    }

    async fn ready(&self) -> Result<(), Failure> {
        let asking = async {
            for member in 0..MEMBERS {
                while let Err(_wait) = self.tried(member).await {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        };
        let asked = tokio::time::timeout(READY_WITHIN, asking).await;
        asked.map_err(|_| "etcd does not get ready".to_owned())
    }

    async fn tried(&self, member: usize) -> Result<(), Failure> {
        let mut client = self.client(member).await?;
        let lease = client.take().await?.1;
        client.give_back(&lease).await
    }

    /// The number of the member that leads.
    pub(super) async fn leader(&self) -> Result<usize, Failure> {
        for member in 0..MEMBERS {
            let status = self.client(member).await?.post("/v3/maintenance/status", &json!({})).await?;
            if status["leader"].is_string() && status["leader"] == status["header"]["member_id"] {
                return Ok(member);
            }
        }
        Err("etcd has no leader".to_owned())
    }

    /// A connection to a member, for one seat's key.
    pub(super) async fn client(&self, member: usize) -> Result<EtcdClient, Failure> {
        let port = self.ports[member % MEMBERS];
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(sentence)?;
        stream.set_nodelay(true).map_err(sentence)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(sentence)?;
        let driver = tokio::spawn(async move { drop(connection.await) });
        let key = format!("seat/{}", self.keys.fetch_add(1, Ordering::Relaxed));
        Ok(EtcdClient {
            sender,
            driver,
            host: format!("127.0.0.1:{port}"),
            key: BASE64.encode(key.as_bytes()),
        })
    }
}

/// A client that takes one seat again and again.
#[derive(Debug)]
pub(super) struct EtcdClient {
    sender: SendRequest<Full<Bytes>>,
    driver: tokio::task::JoinHandle<()>,
    host: String,
    key: String,
}

impl Drop for EtcdClient {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl EtcdClient {
    /// A lease, and the key with it unless somebody has it: how long it took, and the lease.
    pub(super) async fn take(&mut self) -> Result<(Duration, String), Failure> {
        let began = Instant::now();
        let granted = self.post("/v3/lease/grant", &json!({ "TTL": 90 })).await?;
        let lease = granted["ID"].as_str().ok_or_else(|| format!("no lease: {granted}"))?.to_owned();
        let key = &self.key;
        let transaction = json!({
            "compare": [{ "key": key, "target": "CREATE", "result": "EQUAL", "create_revision": "0" }],
            "success": [{ "request_put": { "key": key, "value": BASE64.encode(b"eva@pc1"), "lease": lease } }],
        });
        let done = self.post("/v3/kv/txn", &transaction).await?;
        if done["succeeded"] != json!(true) {
            return Err(format!("the seat's key is taken: {done}"));
        }
        Ok((began.elapsed(), lease))
    }

    /// Ends the lease, and so the key.
    pub(super) async fn give_back(&mut self, lease: &str) -> Result<(), Failure> {
        self.post("/v3/lease/revoke", &json!({ "ID": lease })).await.map(drop)
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = Request::post(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(sentence)?;
        self.sender.ready().await.map_err(sentence)?;
        let response = self.sender.send_request(request).await.map_err(sentence)?;
        let status = response.status();
        let answer = response.into_body().collect().await.map_err(sentence)?.to_bytes();
        if !status.is_success() {
            return Err(format!("etcd: {status}: {}", String::from_utf8_lossy(&answer)));
        }
        serde_json::from_slice(&answer).map_err(sentence)
    }
}
