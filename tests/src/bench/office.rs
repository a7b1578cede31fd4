//! An office on this machine: real agents, a site, and a license with seats for everybody.

use std::fs::OpenOptions;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use seatkeeper_client::{Client, ClientError, SeatRequest, api};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::net::Net;
use super::process::Process;
use super::{Failure, Setting};

/// The product of the license.
pub(super) const PRODUCT: &str = "bench-cad";
/// Seats of the license: nobody is ever refused for want of one.
pub(super) const SEATS: usize = 5_000;
/// How long anything may take before the measurement is given up.
const WITHIN: Duration = Duration::from_secs(60);
/// How often a state is looked at that no event tells.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Voters of an office of three to nine machines, and the log holders that stand by beside them.
const VOTERS: usize = 3;
const STANDBYS: usize = 2;

/// Agents in one temporary folder, all ended on drop.
#[derive(Debug)]
pub(super) struct Office {
    dir: tempfile::TempDir,
    pub(super) machines: Vec<Machine>,
    // After the machines, so that it goes when they are gone.
    net: Option<Net>,
}

/// A machine: an agent's process.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) client: Client,
    binary: PathBuf,
    dir: PathBuf,
    arguments: Vec<String>,
    listens: Option<SocketAddr>,
    namespace: Option<String>,
    agent: Option<Child>,
}

impl Office {
    /// An office on loopback, where machines find each other by mDNS.
    pub(super) async fn open(setting: &Setting, machines: usize) -> Result<Self, Failure> {
        Self::found(setting, machines, None).await
    }

    /// An office where each machine is a network namespace.
    pub(super) async fn open_on_net(setting: &Setting, machines: usize) -> Result<Self, Failure> {
        let net = Net::new(machines).await?;
        Self::found(setting, machines, Some(net)).await
    }

    async fn found(setting: &Setting, machines: usize, net: Option<Net>) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("sk-bench").tempdir_in(&setting.dir);
        let dir = dir.map_err(|error| format!("{}: {error}", setting.dir.display()))?;
        let mut office = Self { dir, machines: Vec::new(), net };
        for number in 0..machines {
            let namespace = office.net.as_ref().map(|net| net.host(number));
            let mut machine = Machine::new(number, office.dir.path(), &setting.binary, namespace)?;
            machine.start()?;
            office.machines.push(machine);
        }
        for machine in &office.machines {
            until("the agent answers", async || machine.client.status().await.map(|_| Some(()))).await?;
        }
        office.make_site().await?;
        office.license().await?;
        if machines > 1 {
            let code = office.invite(machines - 1).await?;
            for machine in &office.machines[1..] {
                let body = api::Join { code: Some(code.clone()) };
                machine.client.join_site(&body).await.map_err(sentence)?;
            }
        }
        office.settled().await?;
        Ok(office)
    }

    async fn make_site(&self) -> Result<(), Failure> {
        let path = self.dir.path().join("password");
        std::fs::write(&path, "correct horse\n").map_err(sentence)?;
        self.signed(&["site", "create", "Office", "--admin", "eva"]).await.map(drop)
    }

    async fn license(&self) -> Result<(), Failure> {
        let site = self.machines[0].client.site().await.map_err(sentence)?.id;
        let text = format!(
            "# Seatkeeper license v1\nlicense = \"BENCH-1\"\nvendor = \"bench\"\ncustomer = \"Office\"\n\
             issued = 2026-01-01\nproduct = \"{PRODUCT}\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = {SEATS}\n\
             site = \"{site}\"\nshare = \"none\"\n"
        );
        std::fs::write(self.dir.path().join("license"), text).map_err(sentence)?;
        self.cli(&["vendor", "keygen", "--name", "bench", "-o", "vendor.key"]).await?;
        self.cli(&["vendor", "sign", "license", "--key", "vendor.key", "-o", "signed"]).await?;
        self.signed(&["license", "trust", "vendor.key.pub", "--product", PRODUCT]).await?;
        self.signed(&["license", "add", "signed"]).await.map(drop)
    }

    /// A code for so many machines.
    pub(super) async fn invite(&self, uses: usize) -> Result<String, Failure> {
        let code = self.signed(&["site", "invite", "--uses", &uses.to_string()]).await?;
        Ok(code.trim().to_owned())
    }

    /// A command of the admin.
    pub(super) async fn signed(&self, args: &[&str]) -> Result<String, Failure> {
        self.cli(&[args, &["--password-file", "password"]].concat()).await
    }

    async fn cli(&self, args: &[&str]) -> Result<String, Failure> {
        let machine = &self.machines[0];
        let mut command = Command::new(&machine.binary);
        command.arg("--socket").arg(machine.client.socket()).args(args);
        command.current_dir(self.dir.path()).env("XDG_CONFIG_HOME", self.dir.path());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let late = |_| format!("seatkeeper {} hangs", args.join(" "));
        let output = tokio::time::timeout(WITHIN, output).await.map_err(late)?.map_err(sentence)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("seatkeeper {} failed: {}", args.join(" "), why.trim()))
    }

    /// Waits until every machine is online and as many vote and stand by as should.
    pub(super) async fn settled(&self) -> Result<(), Failure> {
        let voters = if self.machines.len() < VOTERS { 1 } else { VOTERS };
        let standbys = (self.machines.len() - voters).min(STANDBYS);
        until("all machines are online and in their roles", async || {
            let mut seen = 0;
            for machine in self.machines.iter().filter(|machine| machine.agent.is_some()) {
                let devices = machine.client.devices().await?.devices;
                let count = |roles: &[&str]| {
                    devices.iter().filter(|device| device.online && roles.contains(&&*device.role)).count()
                };
                let all = count(&["holder", "voter", "standby", "spare"]) >= self.machines.len();
                let roles = count(&["holder", "voter"]) == voters && count(&["standby"]) == standbys;
                seen += usize::from(all && roles);
            }
            Ok((seen == self.machines.len()).then_some(()))
        })
        .await
    }

    /// The machines of this role, by their number.
    pub(super) async fn with_role(&self, role: &str) -> Result<Vec<usize>, Failure> {
        let asked = self.machines.iter().find(|machine| machine.agent.is_some()).ok_or("nothing runs")?;
        let devices = until("a list of the devices", async || asked.client.devices().await.map(Some)).await?;
        let has = |machine: &Machine| {
            devices.devices.iter().any(|device| device.name == machine.name && device.role == role)
        };
        Ok((0..self.machines.len()).filter(|number| has(&self.machines[*number])).collect())
    }

    /// The first machine of this role.
    pub(super) async fn one_with_role(&self, role: &str) -> Result<usize, Failure> {
        self.with_role(role).await?.first().copied().ok_or_else(|| format!("no machine is {role}"))
    }

    /// Ends all agents and removes the folder.
    pub(super) async fn close(mut self) {
        for machine in &mut self.machines {
            machine.kill().await.ok();
        }
    }
}

impl Machine {
    fn new(number: usize, dir: &Path, binary: &Path, namespace: Option<String>) -> Result<Self, Failure> {
        let name = format!("pc{}", number + 1);
        let mut arguments = vec!["--name".to_owned(), name.clone()];
        let mut listens = None;
        if namespace.is_none() {
            let address = free_address()?;
            arguments.extend(["--listen", &address.to_string(), "--mdns-interface", "lo"].map(str::to_owned));
            listens = Some(address);
        }
        let client = Client::with_socket(dir.join(format!("{name}.sock")));
        let (binary, dir) = (binary.to_owned(), dir.to_owned());
        Ok(Self { name, client, binary, dir, arguments, listens, namespace, agent: None })
    }

    /// Where it listens, on loopback.
    pub(super) fn listens(&self) -> Option<SocketAddr> {
        self.listens
    }

    /// Starts the agent.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| format!("the agent of {} does not start: {error}", self.name);
        let log = self.dir.join(format!("{}.log", self.name));
        let log = OpenOptions::new().create(true).append(true).open(log).map_err(cannot)?;
        let mut command = match &self.namespace {
            Some(namespace) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace]).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        command.arg("agent").arg("--state-dir").arg(self.dir.join(&self.name));
        command.arg("--socket").arg(self.client.socket()).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        self.agent = Some(command.spawn().map_err(cannot)?);
        Ok(())
    }

    /// Ends the agent as a power cut would, at once; whoever waits for the end waits afterwards.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        match self.agent.take() {
            Some(mut agent) => agent.kill().await.map_err(sentence),
            None => Ok(()),
        }
    }

    /// Asks the agent to end, and waits until it has.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        self.process()?.terminate()?;
        let mut agent = self.agent.take().ok_or("no agent runs")?;
        let ended = tokio::time::timeout(WITHIN, agent.wait()).await;
        ended.map_err(|_| format!("the agent of {} does not stop", self.name))?.map_err(sentence)?;
        Ok(())
    }

    pub(super) fn process(&self) -> Result<Process, Failure> {
        let pid = self.agent.as_ref().and_then(Child::id);
        Process::new(pid.ok_or_else(|| format!("the agent of {} does not run", self.name))?)
    }

    /// Takes a seat and gives it back: how long it took to get it.
    pub(super) async fn checkout(&self) -> Result<Duration, ClientError> {
        let began = Instant::now();
        let seat = self.client.take_seat(&SeatRequest::product(PRODUCT)).await?;
        let took = began.elapsed();
        self.client.give_back(&seat.granted().session).await?;
        Ok(took)
    }
}

/// An address on loopback that nobody listens at now.
fn free_address() -> Result<SocketAddr, Failure> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).map_err(sentence)
}

/// Looks again until there is something, at most a minute. What passes by itself is waited out.
pub(super) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, ClientError>,
) -> Result<T, Failure> {
    let mut last = String::new();
    let looking = async {
        loop {
            match look().await {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => {}
                Err(error) if error.is_transient() => last = format!(" ({error})"),
                Err(error) => return Err(error.to_string()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let seen = tokio::time::timeout(WITHIN, looking).await;
    seen.unwrap_or_else(|_| Err(format!("{} s have passed before {what}{last}", WITHIN.as_secs())))
}

pub(super) fn sentence(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}
