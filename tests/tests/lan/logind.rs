//! systemd-logind on a host: python-dbusmock's, on a bus of its own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Runtime;
use zbus::{Connection, Variant, connection};

use crate::host::Host;
use crate::lan::skip;
use crate::wait::{Watch, wait_until};

const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
/// python-dbusmock is a package for the system's Python, whichever else there is.
const PYTHON: &str = "/usr/bin/python3";

/// What, who, why, how, user, process.
type Inhibitor = (String, String, String, String, u32, u32);

/// A host's logind; ended on drop.
pub(crate) struct Logind {
    bus: Child,
    mock: Child,
    runtime: Runtime,
    connection: Connection,
}

impl Logind {
    /// One on each host, before their agents start; nothing where it can't be had.
    #[track_caller]
    pub(crate) fn on(hosts: &[Host]) -> Option<Vec<Self>> {
        let mock = Command::new(PYTHON).args(["-c", "import dbusmock"]).stderr(Stdio::null()).status();
        let bus = Command::new("dbus-daemon").arg("--version").stdout(Stdio::null()).status();
        let found =
            |status: std::io::Result<std::process::ExitStatus>| status.is_ok_and(|status| status.success());
        if !found(mock) || !found(bus) {
            skip("it needs a bus and python-dbusmock (packages dbus-daemon, python3-dbusmock)");
            return None;
        }
        Some(hosts.iter().map(Self::start).collect())
    }

    #[track_caller]
    fn start(host: &Host) -> Self {
        let address = host.bus();
        let quiet = |command: &mut Command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts")
        };
        let listen = format!("--address={address}");
        let bus = quiet(Command::new("dbus-daemon").args([
            "--session",
            "--nofork",
            "--nopidfile",
            "--nosyslog",
            &listen,
        ]));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let connection =
            wait_until(&format!("a bus on {}", host.name), 20, || runtime.block_on(connect_to(&address)));
        let mock = quiet(
            Command::new(PYTHON)
                .args(["-m", "dbusmock", "--system", "--template", "logind"])
                .env("DBUS_SYSTEM_BUS_ADDRESS", &address),
        );
        let logind = Self { bus, mock, runtime, connection };
        wait_until(&format!("logind on {}", host.name), 20, || logind.list().ok());
        logind
    }

    fn list(&self) -> zbus::Result<Vec<Inhibitor>> {
        let (bus, member) = (&self.connection, "ListInhibitors");
        let listed =
            self.runtime.block_on(bus.call_method(Some(LOGIND), PATH, Some(MANAGER), member, &()))?;
        listed.body().deserialize()
    }

    /// Who keeps this host from sleeping.
    #[track_caller]
    pub(crate) fn inhibitors(&self) -> Vec<Inhibitor> {
        self.list().expect("logind answers")
    }

    /// Waits until it holds one lock, of ours.
    #[track_caller]
    pub(crate) fn await_lock(&self) {
        let [(what, who, why, mode, ..)] = &wait_until("a lock", 20, || {
            let locks = self.inhibitors();
            (!locks.is_empty()).then_some(locks)
        })[..] else {
            panic!("more locks than one: {:?}", self.inhibitors());
        };
        assert_eq!((what.as_str(), who.as_str(), mode.as_str()), ("sleep:shutdown", "Seatkeeper", "delay"));
        assert!(!why.is_empty());
    }

    /// Waits until nothing keeps the host any more.
    #[track_caller]
    pub(crate) fn await_release(&self) {
        let watch = Watch::start();
        while !self.inhibitors().is_empty() {
            assert!(watch.elapsed() < Duration::from_secs(5), "logind would not have waited so long");
        }
    }

    /// Says that the host goes, or stays: `PrepareForSleep`, `PrepareForShutdown`.
    #[track_caller]
    pub(crate) fn prepare(&self, signal: &str, goes: bool) {
        let told = (MANAGER, signal, "b", vec![Variant::from(goes)]);
        let mock = Some("org.freedesktop.DBus.Mock");
        let emitted = self.connection.call_method(Some(LOGIND), PATH, mock, "EmitSignal", &told);
        self.runtime.block_on(emitted).expect("the mock says it");
    }
}

impl Drop for Logind {
    fn drop(&mut self) {
        for child in [&mut self.mock, &mut self.bus] {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

async fn connect_to(address: &str) -> Option<Connection> {
    connection::Builder::address(address).method_timeout(Duration::from_secs(10)).build().await.ok()
}
