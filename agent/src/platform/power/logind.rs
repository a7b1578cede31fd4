//! systemd-logind's delay locks: logind says that the machine is about to sleep or to be switched off, and waits until
//! the lock is closed, for 5 s unless it is told otherwise (`InhibitDelayMaxSec=`).

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedFd, connection, message};

use crate::seam::{Delay, PowerChange};

/// Changes waiting for an agent that is still busy with an earlier one.
pub(super) const CHANGES_MAX: usize = 16;
const LOGIND: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
/// The answer of bus or logind is awaited so long.
const ANSWERS_WITHIN: Duration = Duration::from_secs(25);
/// First and longest pause before logind is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Tells what becomes of the machine, until nobody listens any more.
pub(super) async fn watch(changes: mpsc::Sender<PowerChange>) {
    let mut watcher = Watcher { changes: changes.clone(), going: false, lock: None, served: false };
    let mut pause = RETRY.0;
    let mut said = false;
    loop {
        let ended = tokio::select! {
            () = changes.closed() => return,
            Err(error) = watcher.watch() => error,
        };
        watcher.lock = None;
        if std::mem::take(&mut watcher.served) {
            (pause, said) = (RETRY.0, false);
        }
        if said {
            tracing::debug!(error = %ended, "logind still cannot be asked");
        } else {
            said = true;
            tracing::info!(
                error = %ended,
                "logind does not say here before the machine sleeps; a holder that sleeps is replaced once it is silent"
            );
        }
        tokio::select! {
            () = changes.closed() => return,
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY.1),
        }
    }
}

struct Watcher {
    changes: mpsc::Sender<PowerChange>,
    /// logind has said that the machine goes, and not yet that it stays.
    going: bool,
    /// What logind waits for.
    lock: Option<OwnedFd>,
    /// A lock was had.
    served: bool,
}

enum Never {}

impl Watcher {
    /// Follows logind over one connection to the bus, until that or logind fails.
    async fn watch(&mut self) -> zbus::Result<Never> {
        let bus = connection::Builder::system().method_timeout(ANSWERS_WITHIN).build().await?;
        // Before the lock: what is told from here on is heard.
        let manager = rule().sender(LOGIND).path(PATH).interface(MANAGER).build()?;
        let mut told = MessageStream::for_match_rule(manager, &bus, None).await?;
        let owner =
            rule().sender("org.freedesktop.DBus").member("NameOwnerChanged").arg(0, LOGIND).build()?;
        let mut owners = MessageStream::for_match_rule(owner, &bus, None).await?;
        self.stand(&bus).await?;
        loop {
            tokio::select! {
                message = told.next() => self.hear(&bus, &message.ok_or_else(gone)??).await?,
                message = owners.next() => {
                    let message = message.ok_or_else(gone)??;
                    let (_, _, owner): (String, String, String) = message.body().deserialize()?;
                    // A new logind may know nothing of the lock that its forerunner gave.
                    if !owner.is_empty() {
                        self.stand(&bus).await?;
                    }
                }
            }
        }
    }

    async fn hear(&mut self, bus: &Connection, message: &Message) -> zbus::Result<()> {
        let header = message.header();
        let member = header.member().map_or("", |member| member.as_str());
        if !matches!(member, "PrepareForSleep" | "PrepareForShutdown") {
            return Ok(());
        }
        if message.body().deserialize()? {
            tracing::info!(signal = member, "this machine is about to go");
            self.going = true;
            let delay = Delay::new(self.lock.take());
            self.tell(PowerChange::Goes(delay)).await;
            return Ok(());
        }
        self.stays().await;
        self.stand(bus).await
    }

    /// Takes a lock. logind gives none while the machine is going: with one in hand, it stays.
    async fn stand(&mut self, bus: &Connection) -> zbus::Result<()> {
        let asked = ("sleep:shutdown", "Seatkeeper", "Hands the seats over to another machine", "delay");
        let answer = bus.call_method(Some(LOGIND), PATH, Some(MANAGER), "Inhibit", &asked).await?;
        // A copy of the descriptor: logind waits for the answer's own one, too, which is dropped here.
        self.lock = Some(answer.body().deserialize()?);
        self.served = true;
        self.stays().await;
        Ok(())
    }

    async fn stays(&mut self) {
        if std::mem::take(&mut self.going) {
            tracing::info!("this machine is awake again, or stays");
            self.tell(PowerChange::Stays).await;
        }
    }

    async fn tell(&self, change: PowerChange) {
        // Nobody listens any more: this ends next.
        let _ = self.changes.send(change).await;
    }
}

fn rule() -> zbus::match_rule::Builder<'static> {
    MatchRule::builder().msg_type(message::Type::Signal)
}

fn gone() -> zbus::Error {
    zbus::Error::Failure("the connection to the system's bus has ended".to_owned())
}
