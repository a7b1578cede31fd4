//! The demo's machines and programs: real processes with folders of their own, none of which outlives the demo.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use seatkeeper_client::Client;
use seatkeeper_protocol::id::{Name, SiteId};
use tokio::process::{Child, ChildStdin, Command};

use crate::cli::print;
use crate::disk::{Mode, write_atomic};
use crate::keys;
use crate::platform::files::create_private_dir;
use crate::platform::host::LOOPBACK;

/// The stand-in for a program: it is on every system and ends when its standard input does, so that it cannot
/// outlive the demo.
const PROGRAM: &str = "sort";
/// The password of the demo's admin key.
const PASSWORD: &str = "demo-demo";
/// How long a program may take to end or to be refused.
const END_WITHIN: Duration = Duration::from_secs(15);
/// Lines of each agent's log that are shown when a step failed.
const LOG_LINES: usize = 20;

/// Three machines in one temporary folder.
#[derive(Debug)]
pub(super) struct Office {
    dir: PathBuf,
    program: PathBuf,
    pub(super) machines: Vec<Machine>,
    kept: Vec<Program>,
}

/// A machine: an agent's process.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: &'static str,
    pub(super) client: Client,
    agent: Child,
}

/// A program under `seatkeeper run`.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) machine: &'static str,
    run: Child,
    input: Option<ChildStdin>,
}

impl Office {
    pub(super) fn open() -> io::Result<Self> {
        let random: [u8; 4] = keys::random().map_err(io::Error::other)?;
        let name = format!("seatkeeper-demo-{:08x}", u32::from_be_bytes(random));
        let dir = std::env::temp_dir().join(name);
        create_private_dir(&dir)?;
        Ok(Self { dir, program: std::env::current_exe()?, machines: Vec::new(), kept: Vec::new() })
    }

    /// Starts an agent.
    pub(super) fn switch_on(&mut self, name: &'static str) -> Result<(), String> {
        let cannot = |error: io::Error| format!("the agent of {name} does not start: {error}");
        let log = File::create(self.log(name)).map_err(cannot)?;
        let socket = self.socket(name);
        let agent = Command::new(&self.program)
            .arg("agent")
            .arg("--state-dir")
            .arg(self.dir.join(name))
            .arg("--socket")
            .arg(&socket)
            .args(["--listen", "127.0.0.1:0", "--mdns-interface", LOOPBACK, "--name", name])
            .args(["--web", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(cannot)?;
        self.machines.push(Machine { name, client: Client::with_socket(socket), agent });
        Ok(())
    }

    pub(super) fn machine(&self, name: &str) -> Result<&Machine, String> {
        self.machines.iter().find(|machine| machine.name == name).ok_or_else(|| format!("there is no {name}"))
    }

    /// Ends an agent as a power cut would.
    pub(super) async fn kill(&mut self, name: &str) -> Result<(), String> {
        let machine = self.machines.iter_mut().find(|machine| machine.name == name);
        let machine = machine.ok_or_else(|| format!("there is no {name}"))?;
        machine.agent.kill().await.map_err(|error| format!("{name} cannot be killed: {error}"))
    }

    /// Starts a program that needs a seat.
    pub(super) fn start_program(&self, name: &'static str, product: &str) -> Result<Program, String> {
        let cannot = |error: io::Error| format!("the program on {name} does not start: {error}");
        let log = File::create(self.dir.join(format!("program-on-{name}.log"))).map_err(cannot)?;
        let mut run = self.run(name, product).stderr(log).spawn().map_err(cannot)?;
        let input = run.stdin.take();
        Ok(Program { machine: name, run, input })
    }

    /// Starts a program that is expected to find no seat; what it was told.
    pub(super) async fn refused_program(&self, name: &'static str, product: &str) -> Result<String, String> {
        let run = self.run(name, product).stderr(Stdio::piped()).output();
        let output = tokio::time::timeout(END_WITHIN, run).await;
        let output = output.map_err(|_| "the fourth program was not refused in time")?;
        let output = output.map_err(|error| format!("the program on {name} does not start: {error}"))?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(75) if told.contains("in use") => Ok(told),
            code => Err(format!("the fourth program was not refused for want of a seat ({code:?}): {told}")),
        }
    }

    fn run(&self, name: &str, product: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--socket").arg(self.socket(name)).args(["run", product, "--", PROGRAM]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Keeps programs running until the demo ends.
    pub(super) fn keep_programs(&mut self, programs: Vec<Program>) {
        self.kept = programs;
    }

    /// Writes the admin's key where the command line looks for it, for whoever plays on.
    pub(super) fn keep_admin_key(&self, site: &SiteId, admin: &Name, key: &SigningKey) -> Result<(), String> {
        let dir = self.key_dir();
        let cannot = |error: io::Error| format!("the admin's key cannot be kept: {error}");
        create_private_dir(&dir).map_err(cannot)?;
        let sealed =
            keys::admin::seal_admin(admin, site, key, PASSWORD).map_err(|error| error.to_string())?;
        let file = dir.join(format!("{}-{admin}.key", site.short()));
        write_atomic(&file, sealed.as_bytes(), Mode::Secret).map_err(cannot)
    }

    /// What to type to play on.
    pub(super) fn how_to_play(&self) -> Vec<String> {
        let (set, folder) = if cfg!(windows) { ("set", "APPDATA") } else { ("export", "XDG_CONFIG_HOME") };
        let program = self.program.display();
        let running = self.machines.iter().rev().find(|machine| machine.agent.id().is_some());
        let socket = running.map(|machine| self.socket(machine.name)).unwrap_or_default();
        vec![
            format!("{set} SEATKEEPER_SOCKET={}", socket.display()),
            format!("{set} {folder}={}", self.dir.display()),
            format!("{program} status"),
            format!("{program} seats"),
            format!("{program} events --follow"),
            format!("{program} hold demo-cad"),
            format!("{program} seats release ID        (the password of the demo's admin is {PASSWORD})"),
        ]
    }

    /// Shows the end of every log.
    pub(super) fn show_logs(&self) {
        for machine in &self.machines {
            let log = std::fs::read_to_string(self.log(machine.name)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            print::note(format!("--- the end of {}'s log:", machine.name));
            for line in lines.iter().skip(lines.len().saturating_sub(LOG_LINES)) {
                print::note(line);
            }
        }
    }

    /// Ends everything that was started, and removes the folder.
    pub(super) async fn close(mut self) -> io::Result<()> {
        for program in &mut self.kept {
            // Its input ends, so it ends.
            drop(program.input.take());
            tokio::time::timeout(Duration::from_secs(2), program.run.wait()).await.ok();
            program.run.kill().await.ok();
        }
        for machine in &mut self.machines {
            machine.agent.kill().await.ok();
        }
        std::fs::remove_dir_all(&self.dir)
    }

    fn socket(&self, name: &str) -> PathBuf {
        if cfg!(windows) {
            let folder = self.dir.file_name().unwrap_or_default().to_string_lossy();
            return PathBuf::from(format!(r"\\.\pipe\{folder}-{name}"));
        }
        self.dir.join(format!("{name}.sock"))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    fn key_dir(&self) -> PathBuf {
        let folder = if cfg!(windows) { "Seatkeeper" } else { "seatkeeper" };
        Path::new(&self.dir).join(folder).join("admins")
    }
}

impl Program {
    /// Ends the program by its own will, and waits until it has ended well.
    pub(super) async fn end(mut self) -> Result<(), String> {
        drop(self.input.take());
        let machine = self.machine;
        match tokio::time::timeout(END_WITHIN, self.run.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the program on {machine} ended with {status}")),
            Ok(Err(error)) => Err(format!("the program on {machine} is lost: {error}")),
            Err(_) => Err(format!("the program on {machine} did not end")),
        }
    }

    pub(super) fn runs(&mut self) -> bool {
        matches!(self.run.try_wait(), Ok(None))
    }
}
