//! What this machine tells the site of itself, when somebody wants to know: where it is, who uses it, and what is
//! installed on it. Only what differs from what the books have is sent.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use seatkeeper_ledger::command::{Command, Outcome};
use seatkeeper_ledger::inventory::{Catalog, MachineChange, SOFTWARE_REPORTED_MAX, Software, Translation};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::Name;
use seatkeeper_protocol::wire::Query;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::errors::NodeError;
use crate::seam::Programs;

/// How often is looked whether something was installed, or somebody else is here.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// First and longest pause after something did not work.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(10 * 60));
/// When all machines of a site are asked at once they answer within so much for each, milliseconds.
const SPREAD_MS_PER_DEVICE: u64 = 10;
/// How long one question or report may take.
const WITHIN: Duration = Duration::from_secs(60);
/// Software in one report.
const PART: usize = 200;

/// What was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    survey: u64,
    marker: u64,
    users: Vec<Name>,
    addresses: Vec<IpAddr>,
}

impl Told {
    fn keep(&mut self, users: &[Name], addresses: &[IpAddr]) {
        if self.users.is_empty() {
            self.users = users.to_vec();
        }
        if self.addresses.is_empty() {
            self.addresses = addresses.to_vec();
        }
    }
}

/// Tells the site of this machine until `stop`.
pub(super) async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    let Some(programs) = inner.programs.clone() else { return };
    let mut survey = inner.survey.subscribe();
    let mut told: Option<Told> = None;
    let mut pause = RETRY.0;
    loop {
        let asked = *survey.borrow_and_update();
        let mut next = LOOK_EVERY;
        if let Some(asked) = asked {
            let work = inner.tell(&programs, asked, told.as_ref());
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = work => answer,
            };
            match answer {
                Ok(now) => {
                    told = Some(now);
                    pause = RETRY.0;
                }
                Err(error) => {
                    tracing::info!(%error, "what is installed here could not be told to the site yet");
                    next = pause;
                    pause = (pause * 2).min(RETRY.1);
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = survey.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(next) => {}
        }
    }
}

/// Calls what may block.
async fn blocking<R: Send + 'static>(
    programs: &Arc<dyn Programs>,
    call: impl FnOnce(&dyn Programs) -> R + Send + 'static,
) -> Result<R, NodeError> {
    let programs = programs.clone();
    let called = tokio::task::spawn_blocking(move || call(&*programs)).await;
    called.map_err(|error| NodeError::Internal(error.to_string()))
}

impl Inner {
    /// Tells what the books do not have, if anything may differ from what was told.
    async fn tell(
        self: &Arc<Self>,
        programs: &Arc<dyn Programs>,
        survey: u64,
        told: Option<&Told>,
    ) -> Result<Told, NodeError> {
        let look = |programs: &dyn Programs| (programs.marker(), programs.users(), programs.addresses());
        let (marker, users, addresses) = blocking(programs, look).await?;
        let mut now = Told { survey, marker, users, addresses };
        // Who was here stays known until somebody else is.
        if let Some(told) = told {
            now.keep(&told.users, &told.addresses);
        }
        if told == Some(&now) {
            return Ok(now);
        }
        if told.is_none_or(|told| told.survey != survey) {
            self.spread().await?;
        }
        let catalog = Catalog::from_json(&self.look(Query::Catalog).await?);
        let known: Option<api::MachineDetail> = self.look(Query::Machine(self.device.to_string())).await?;
        if let Some(api::MachineDetail { machine, .. }) = &known {
            let users: Vec<Name> =
                machine.users.iter().filter_map(|user| Name::new(user.as_str()).ok()).collect();
            let addresses: Vec<IpAddr> =
                machine.addresses.iter().filter_map(|address| address.parse().ok()).collect();
            now.keep(&users, &addresses);
        }
        let installed = match catalog.0.is_empty() {
            true => Vec::new(),
            false => blocking(programs, |programs| programs.scan()).await?.map_err(NodeError::Internal)?,
        };
        let wanted = reported(&catalog, installed);
        self.report(known.as_ref(), wanted, &now).await?;
        Ok(now)
    }

    /// Waits a little while, so that not all machines answer at once.
    async fn spread(&self) -> Result<(), NodeError> {
        let devices = self.site().and_then(|site| site.roster.as_ref().map(|open| open.roster.devices.len()));
        let most = SPREAD_MS_PER_DEVICE * u64::try_from(devices.unwrap_or_default()).unwrap_or_default();
        let ms = u64::from_le_bytes(super::random()?) % most.max(1);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    }

    async fn look<T: DeserializeOwned>(self: &Arc<Self>, query: Query) -> Result<T, NodeError> {
        let json = self.query(query, WITHIN).await?;
        serde_json::from_slice(&json).map_err(|error| {
            NodeError::Internal(format!("the holder's answer is not readable here: {error}"))
        })
    }

    async fn report(
        self: &Arc<Self>,
        known: Option<&api::MachineDetail>,
        wanted: BTreeSet<Software>,
        now: &Told,
    ) -> Result<(), NodeError> {
        let there: BTreeSet<Software> =
            known.iter().flat_map(|known| &known.programs).filter_map(Software::from_json).collect();
        let remove: Vec<Software> = there.difference(&wanted).cloned().collect();
        let add: Vec<Software> = wanted.difference(&there).cloned().collect();
        let name = self.config.name.clone();
        let texts = |names: &[Name]| -> Vec<String> { names.iter().map(ToString::to_string).collect() };
        let same = known.is_some_and(|known| {
            let addresses: Vec<String> = now.addresses.iter().map(ToString::to_string).collect();
            let machine = &known.machine;
            machine.host == name.as_str()
                && machine.users == texts(&now.users)
                && machine.addresses == addresses
        });
        if same && remove.is_empty() && add.is_empty() {
            return Ok(());
        }
        let (mut remove, mut add) = (remove.chunks(PART), add.chunks(PART));
        let mut first = true;
        loop {
            // What goes makes room for what comes.
            let (gone, came) = match remove.next() {
                Some(gone) => (gone, &[] as &[Software]),
                None => match add.next() {
                    Some(came) => (&[] as &[Software], came),
                    None if first => (&[] as &[Software], &[] as &[Software]),
                    None => return Ok(()),
                },
            };
            first = false;
            let change = MachineChange {
                host: name.clone(),
                addresses: now.addresses.clone(),
                users: now.users.clone(),
                remove: gone.to_vec(),
                add: came.to_vec(),
            };
            let answer = self.device_command(&Command::Report(change), WITHIN).await?;
            if let Outcome::Refused(refusal) = answer.outcome {
                return Err(NodeError::Conflict(refusal.to_string()));
            }
        }
    }
}

/// Of what is installed, what the site wants to know: products first, should there be too much.
fn reported(catalog: &Catalog, installed: Vec<Software>) -> BTreeSet<Software> {
    let mut wanted: Vec<(bool, Software)> = installed
        .into_iter()
        .filter_map(|software| match catalog.translate(&software) {
            Translation::Ignored => None,
            Translation::Install(..) => Some((false, software)),
            Translation::Unknown => Some((true, software)),
        })
        .collect();
    wanted.sort();
    wanted.dedup();
    if wanted.len() > SOFTWARE_REPORTED_MAX {
        tracing::warn!(
            programs = wanted.len(),
            "more programs are installed here than one machine reports; let the catalog ignore some"
        );
    }
    wanted.into_iter().take(SOFTWARE_REPORTED_MAX).map(|(_, software)| software).collect()
}
