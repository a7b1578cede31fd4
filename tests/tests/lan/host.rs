//! One host: its agent and its command line.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::wait::wait_until;

/// Longest time a command may take, seconds, before it counts as hung.
const COMMAND_S: &str = "60";
/// Lines of each log shown after a failure.
const LOG_LINES: usize = 40;

/// A host of the LAN.
pub(crate) struct Host {
    pub(crate) number: u8,
    pub(crate) name: String,
    pub(crate) namespace: String,
    dir: PathBuf,
    binary: PathBuf,
    agent: Mutex<Option<Child>>,
}

/// How a command ended.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Host {
    pub(crate) fn new(number: u8, namespace: String, dir: &Path, binary: &Path) -> Self {
        let name = format!("h{number}");
        let dir = dir.join(&name);
        std::fs::create_dir(&dir).expect("a folder for the host");
        Self { number, name, namespace, dir, binary: binary.to_owned(), agent: Mutex::new(None) }
    }

    /// A file of this host.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where this host's system bus is, if it has one.
    pub(crate) fn bus(&self) -> String {
        format!("unix:path={}", self.file("bus").display())
    }

    /// The program on this host, with nothing from this machine's own agent or user.
    fn program(&self, wrapper: &[&str]) -> Command {
        let mut words = wrapper.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.binary);
                command
            }
            None => Command::new(&self.binary),
        };
        for variable in ["SEATKEEPER_SOCKET", "SEATKEEPER_SESSION", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
            command.env_remove(variable);
        }
        command.env("HOME", &self.dir).env("DBUS_SYSTEM_BUS_ADDRESS", self.bus()).stdin(Stdio::null());
        command.arg("--socket").arg(self.file("agent.sock"));
        command
    }

    /// Starts the agent and waits until it answers.
    #[track_caller]
    pub(crate) fn start(&self, args: &[&str]) {
        let log = OpenOptions::new().create(true).append(true).open(self.file("agent.log")).expect("the log");
        let mut command = self.program(&["ip", "netns", "exec", &self.namespace]);
        command.args(["agent", "--name", &self.name, "--state-dir"]).arg(self.file("state")).args(args);
        command.stdout(log.try_clone().expect("the log, again")).stderr(log);
        let mut agent = self.agent.lock().expect("the agent");
        assert!(agent.is_none(), "the agent of {} runs already", self.name);
        let child = agent.insert(command.spawn().expect("ip runs"));
        wait_until(&format!("the agent of {} answers", self.name), 30, || {
            let ended = child.try_wait().expect("the agent's fate");
            assert!(
                ended.is_none(),
                "the agent of {} ended at once: {ended:?}\n{}",
                self.name,
                self.log_tail()
            );
            (self.cli(&["status"]).code == 0).then_some(())
        });
    }

    /// SIGKILL: it has no chance to say anything.
    pub(crate) fn kill(&self) {
        if let Some(mut agent) = self.agent.lock().expect("the agent").take() {
            agent.kill().expect("the agent is killed");
            agent.wait().expect("the agent is gone");
        }
    }

    /// Has the agent stand still, as in a sleep, or go on.
    pub(crate) fn stand_still(&self, still: bool) {
        let agent = self.agent.lock().expect("the agent");
        let id = agent.as_ref().expect("the agent runs").id();
        signal(if still { "STOP" } else { "CONT" }, &id.to_string());
    }

    /// What the agent has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.file("agent.log")).unwrap_or_default()
    }

    /// SIGTERM, and waits for the end.
    #[track_caller]
    pub(crate) fn stop(&self) -> ExitStatus {
        let mut agent = self.agent.lock().expect("the agent").take().expect("the agent runs");
        signal("TERM", &agent.id().to_string());
        let ended = || agent.try_wait().expect("the agent's fate");
        wait_until(&format!("the agent of {} stops", self.name), 20, ended)
    }

    /// A command, as typed on this host.
    #[track_caller]
    pub(crate) fn cli(&self, args: &[&str]) -> Done {
        let output =
            self.program(&["timeout", "-k", "5", COMMAND_S]).args(args).output().expect("timeout runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let code = output.status.code().unwrap_or(-1);
        assert!(!matches!(code, 124 | 137), "seatkeeper {} on {} hangs", args.join(" "), self.name);
        Done { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// A command that succeeds.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let done = self.cli(args);
        assert!(done.code == 0, "seatkeeper {} on {}: {done:?}", args.join(" "), self.name);
        done.out
    }

    /// A listing, as JSON.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(&[&["--json"], args].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?} on {}: {error}: {out}", self.name))
    }

    /// A command in the background, in a process group of its own.
    pub(crate) fn spawn(&self, args: &[&str], output: &Path) -> Child {
        use std::os::unix::process::CommandExt;
        let output = File::create(output).expect("a file for the output");
        let mut command = self.program(&[]);
        command.args(args).process_group(0);
        command.stdout(output.try_clone().expect("the output, again")).stderr(output);
        command.spawn().expect("the program starts")
    }

    /// The id of this device.
    #[track_caller]
    pub(crate) fn device(&self) -> String {
        self.status("/me/id").expect("a device has an id")
    }

    /// A text of `status`, by JSON pointer; nothing while no agent answers.
    pub(crate) fn status(&self, pointer: &str) -> Option<String> {
        let done = self.cli(&["--json", "status"]);
        let status: Value = serde_json::from_str(&done.out).ok()?;
        status.pointer(pointer)?.as_str().map(str::to_owned)
    }

    fn log_tail(&self) -> String {
        tail(&self.file("agent.log"))
    }

    #[allow(clippy::print_stdout, reason = "shown by the harness after a failure")]
    pub(crate) fn tell_logs(&self) {
        println!("---- the agent of {}, its last lines:\n{}", self.name, self.log_tail());
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("program") && name.ends_with(".log") {
                println!("---- {name} on {}:\n{}", self.name, tail(&entry.path()));
            }
        }
    }
}

/// The last lines of a file.
fn tail(path: &Path) -> String {
    let log = std::fs::read(path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process, or to a process group (`-ID`).
pub(crate) fn signal(name: &str, to: &str) {
    Command::new("sh").args(["-c", &format!("kill -s {name} -- {to}")]).output().ok();
}
