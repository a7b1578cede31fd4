//! An office of one machine, or of two: an agent, a site, and a license for two seats of `cad` with the shortest ttl.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use seatkeeper_client::{Client, api};
use tokio::process::{Child, Command};

/// How long anything may take before a test fails.
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Office {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) client: Client,
    agent: Option<Child>,
    name: &'static str,
    /// The UDP port that the agent listens on.
    port: u16,
    /// That of another machine.
    peer: Option<u16>,
    /// What the agent has in its environment besides.
    env: Vec<(&'static str, String)>,
    /// What it is started with besides, the next time.
    pub(crate) more: Vec<String>,
}

impl Office {
    /// An agent without a site.
    pub(crate) async fn empty() -> Self {
        Self::empty_and(Vec::new()).await
    }

    /// The same, with this in the agent's environment.
    pub(crate) async fn empty_and(env: Vec<(&'static str, String)>) -> Self {
        Self::machine("pc1", None, env).await
    }

    async fn machine(name: &'static str, peer: Option<u16>, env: Vec<(&'static str, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let client = Client::with_socket(dir.path().join("agent.sock"));
        std::fs::write(dir.path().join("password"), "correct horse\n").unwrap();
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut office = Self { dir, client, agent: None, name, port, peer, env, more: Vec::new() };
        office.start_agent().await;
        office
    }

    /// Another machine of the same site, `pc2`.
    pub(crate) async fn second(&self) -> Self {
        let second = self.beside().await;
        let password = self.path("password");
        let code = self.done(&["site", "invite", "--password-file", password.to_str().unwrap()]).await;
        second.joins(&code).await;
        second
    }

    /// Another machine, `pc2`, which has joined by a code.
    pub(crate) async fn joined_by(&self, code: &str) -> Self {
        let second = self.beside().await;
        second.joins(code).await;
        second
    }

    /// Another machine, `pc2`, which knows where this one is.
    pub(crate) async fn beside(&self) -> Self {
        Self::machine("pc2", Some(self.port), Vec::new()).await
    }

    async fn joins(&self, code: &str) {
        let file = self.path("code");
        std::fs::write(&file, code).unwrap();
        self.done(&["site", "join", "--join-file", file.to_str().unwrap()]).await;
        eventually("the second machine hears the holder", async || self.client.seats().await.is_ok()).await;
    }

    /// An agent with a site and a license.
    pub(crate) async fn with_two_seats() -> Self {
        Self::with_two_seats_and(Vec::new()).await
    }

    /// The same, with this in the agent's environment.
    pub(crate) async fn with_two_seats_and(env: Vec<(&'static str, String)>) -> Self {
        let office = Self::machine("pc1", None, env).await;
        let password = office.path("password");
        let password = password.to_str().unwrap();
        office.done(&["site", "create", "Office", "--admin", "eva", "--password-file", password]).await;
        let key = office.path("vendor.key");
        office.done(&["vendor", "keygen", "--name", "acme", "-o", key.to_str().unwrap()]).await;
        let public = format!("{}.pub", key.display());
        office.done(&["license", "trust", &public, "--product", "cad", "--password-file", password]).await;
        office.license("L1", "2026", 2, "").await;
        office
    }

    /// Signs a license for `cad` as the vendor, and adds it.
    pub(crate) async fn license(&self, id: &str, version: &str, seats: u32, terms: &str) {
        let site = self.client.site().await.unwrap().id;
        let text = format!(
            "# Seatkeeper license v1\nlicense = \"{id}\"\nvendor = \"acme\"\ncustomer = \"Office\"\n\
             issued = 2026-01-01\nproduct = \"cad\"\ntitle = \"Cad\"\nversion = \"{version}\"\nseats = {seats}\n\
             site = \"{site}\"\nttl = \"15s\"\nshare = \"none\"\n{terms}"
        );
        let (unsigned, signed) = (self.path("unsigned"), self.path("signed"));
        std::fs::write(&unsigned, text).unwrap();
        let (unsigned, signed) = (unsigned.to_str().unwrap(), signed.to_str().unwrap());
        let (key, password) = (self.path("vendor.key"), self.path("password"));
        self.done(&["vendor", "sign", unsigned, "--key", key.to_str().unwrap(), "-o", signed]).await;
        self.done(&["license", "add", signed, "--password-file", password.to_str().unwrap()]).await;
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The binary, as a user of this office runs it.
    pub(crate) fn seatkeeper(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seatkeeper"));
        command
            .args(args)
            .env("SEATKEEPER_SOCKET", self.client.socket())
            .env("XDG_CONFIG_HOME", self.dir.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn output(&self, args: &[&str]) -> Output {
        tokio::time::timeout(WITHIN, self.seatkeeper(args).output()).await.expect("it ends").unwrap()
    }

    pub(crate) async fn done(&self, args: &[&str]) -> String {
        let output = self.output(args).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command of the admin prints.
    pub(crate) async fn signed(&self, args: &[&str]) -> String {
        let password = self.path("password");
        self.done(&[args, &["--password-file", password.to_str().expect("a path")]].concat()).await
    }

    /// The exit code of a command of the admin, and the sentence.
    pub(crate) async fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let password = self.path("password");
        let args = [args, &["--password-file", password.to_str().expect("a path")]].concat();
        let output = self.output(&args).await;
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Writes a file; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    }

    /// Runs a program in the background under `seatkeeper run cad`.
    pub(crate) fn run(&self, options: &[&str], script: &str) -> Child {
        let args = [&["run", "cad"], options, &["--", "sh", "-c", script]].concat();
        self.seatkeeper(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) async fn start_agent(&mut self) {
        let state = self.path("state");
        let (listen, peer) =
            (format!("127.0.0.1:{}", self.port), self.peer.map(|peer| format!("127.0.0.1:{peer}")));
        let mut args = vec![
            "agent",
            "--listen",
            &listen,
            "--no-mdns",
            "--name",
            self.name,
            "--web",
            "127.0.0.1:0",
            "--state-dir",
        ];
        args.push(state.to_str().unwrap());
        if let Some(peer) = &peer {
            args.extend(["--peer", peer]);
        }
        args.extend(self.more.iter().map(String::as_str));
        let mut command = self.seatkeeper(&args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        self.agent = Some(command.stderr(Stdio::null()).spawn().unwrap());
        eventually("the agent answers", async || self.client.status().await.is_ok()).await;
    }

    /// Where other machines reach the agent.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub(crate) fn agent_pid(&self) -> u32 {
        self.agent.as_ref().unwrap().id().unwrap()
    }

    pub(crate) async fn kill_agent(&mut self) {
        self.agent.take().unwrap().kill().await.unwrap();
    }

    /// Asks the agent to stop; its exit code.
    pub(crate) async fn stop_agent(&mut self) -> Option<i32> {
        let mut agent = self.agent.take().unwrap();
        signal(&agent, Signal::TERM);
        ended(&mut agent).await
    }

    pub(crate) async fn seats(&self) -> Vec<api::Seat> {
        self.client.seats().await.map(|seats| seats.seats).unwrap_or_default()
    }

    /// Waits until so many seats are in use.
    pub(crate) async fn until_seats(&self, count: usize) -> Vec<api::Seat> {
        let what = format!("{count} seats are in use");
        eventually(&what, async || match self.client.seats().await {
            Ok(seats) => seats.seats.len() == count,
            Err(_) => false,
        })
        .await;
        self.seats().await
    }
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

pub(crate) async fn ended(child: &mut Child) -> Option<i32> {
    tokio::time::timeout(WITHIN, child.wait()).await.expect("it ends").unwrap().code()
}

/// Looks until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(WITHIN, looking).await.is_ok(), "not so in time: {what}");
}

/// Waits until a file is there with content: what a script says.
pub(crate) async fn written(path: &Path) -> String {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    eventually(&format!("{} is written", path.display()), async || read().ends_with('\n')).await;
    read()
}
