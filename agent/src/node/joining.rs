//! Joining: both sides prove the invitation's key over the TLS channel, or an admin admits after comparing
//! fingerprints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hmac::{Hmac, Mac};
use seatkeeper_election::seam::Channel;
use seatkeeper_ledger::command::{Command, DeviceInfo, Form, Outcome};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{InviteId, Name, SiteId};
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::wire::{
    Admission, JOIN_EXPORTER_LABEL, JOIN_PROOF_DEVICE, JOIN_PROOF_SITE, JoinRequest, JoinResponse,
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use tokio::io::AsyncWriteExt;

use super::duty::Duty;
use super::errors::NodeError;
use super::gate::Asked;
use super::record::{Site, SiteRecord};
use super::site::RECORD;
use super::{Inner, state};
use crate::keys::invite::InviteCode;
use crate::middle::nearby;
use crate::seam::frames::{read_frame, write_frame};
use crate::seam::{BoxStream, Peer};

/// How long `site join` looks for the site.
const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// How long one machine may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(6);
/// Pause between two rounds over the known addresses, and between two looks of a waiting device.
const ROUND: Duration = Duration::from_millis(500);
const WAITING_ROUND: Duration = Duration::from_secs(3);
/// Rounds in which somebody said no before that is believed.
const REFUSALS: u32 = 3;
/// Pause after which a refused code is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(30);
/// Addresses tried at once.
const TRIES_AT_ONCE: usize = 8;
/// Largest join request, bytes.
const JOIN_FRAME_BYTES_MAX: usize = 4 * 1024;
/// Addresses tried in one round.
const ADDRESSES_MAX: usize = 32;
/// Remembers over a restart that this device waits for admission.
const WAITING_RECORD: &str = "waiting";

#[derive(Debug, Serialize, Deserialize)]
struct WaitingRecord {
    site: Option<SiteId>,
}

fn proof(key: &[u8; 16], label: &[u8], exporter: &[u8; 32]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(label);
    mac.update(exporter);
    Some(mac.finalize().into_bytes().into())
}

enum Tried {
    Admitted(Peer, Box<Admission>, Option<[u8; 32]>),
    Waiting(Name, SiteId),
    Elsewhere(Option<SocketAddr>),
}

impl Inner {
    /// Joins with a code, or asks to be admitted.
    pub(crate) async fn join(self: &Arc<Self>, body: api::Join) -> Result<api::Joined, NodeError> {
        let _change = self.site_change.lock().await;
        self.refuse_second_site()?;
        let code = match &body.code {
            Some(text) => {
                Some(text.parse::<InviteCode>().map_err(|error| NodeError::BadInput(error.to_string()))?)
            }
            None => None,
        };
        let looking = self.look_for_site(code.as_ref());
        match tokio::time::timeout(JOIN_WITHIN, looking).await {
            Ok(joined) => joined,
            Err(_) if code.is_some() => Err(NodeError::NoHolder(
                "no machine of the site was found within 20 s; is one switched on and in the same network? An \
                 invitation made with --address names one to dial"
                    .to_owned(),
            )),
            Err(_) => Err(NodeError::NoHolder("no site was found in this network within 20 s".to_owned())),
        }
    }

    /// Asks everybody who may be of the site, in rounds, until one answers.
    async fn look_for_site(self: &Arc<Self>, code: Option<&InviteCode>) -> Result<api::Joined, NodeError> {
        let mut refusals = 0;
        loop {
            let mut refused: Option<NodeError> = None;
            let mut elsewhere: Vec<SocketAddr> = Vec::new();
            let mut addresses = self.join_addresses(code)?;
            // Who is named as the holder is asked in the same round.
            for _ in 0..2 {
                addresses.truncate(ADDRESSES_MAX);
                let tries = stream::iter(addresses)
                    .map(|address| async move {
                        (address, tokio::time::timeout(ANSWER_WITHIN, self.try_join(address, code)).await)
                    })
                    .buffer_unordered(TRIES_AT_ONCE);
                tokio::pin!(tries);
                while let Some((address, tried)) = tries.next().await {
                    match tried {
                        Ok(Ok(Tried::Admitted(peer, admission, exporter))) => {
                            self.book().saw(peer.device, peer.address);
                            match self.admitted(*admission, code, exporter) {
                                Ok(joined) => return Ok(joined),
                                Err(error) => refused = Some(error),
                            }
                        }
                        Ok(Ok(Tried::Waiting(name, site))) => return Ok(self.wait_for_admission(site, &name)),
                        Ok(Ok(Tried::Elsewhere(address))) => elsewhere.extend(address),
                        Ok(Err(error @ NodeError::NotPermitted(_))) => refused = Some(error),
                        Ok(Err(error)) => tracing::debug!(%address, %error, "joining here failed"),
                        Err(_) => tracing::debug!(%address, "no answer"),
                    }
                }
                addresses = std::mem::take(&mut elsewhere);
            }
            if let Some(error) = refused {
                // Anybody may say no: it counts when nobody says anything else for some rounds.
                refusals += 1;
                if refusals >= REFUSALS {
                    return Err(error);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(ROUND) => {}
                () = self.sighted.notified() => {}
            }
        }
    }

    /// Where to ask: the code's address, what mDNS shows, static peers.
    fn join_addresses(&self, code: Option<&InviteCode>) -> Result<Vec<SocketAddr>, NodeError> {
        let mut addresses: Vec<SocketAddr> = code.and_then(|code| code.address).into_iter().collect();
        let wanted = match code {
            Some(code) => Some(code.site.short()),
            None => self.waiting_site_id().map(|site| site.short()),
        };
        let seen = self.seen();
        if wanted.is_none() {
            let mut sites: Vec<&str> = seen.values().map(|seen| seen.site.as_str()).collect();
            sites.sort_unstable();
            sites.dedup();
            if sites.len() > 1 {
                return Err(NodeError::Conflict(format!(
                    "there are several sites in this network ({}); join one with an invitation's code",
                    nearby::some_of(sites.iter().map(ToString::to_string)).join(", ")
                )));
            }
        }
        let matching = seen.values().filter(|seen| wanted.as_ref().is_none_or(|site| *site == seen.site));
        addresses.extend(matching.flat_map(|seen| seen.addresses.iter().copied()));
        addresses.extend(self.config.peers.iter().copied());
        Ok(addresses)
    }

    async fn try_join(&self, address: SocketAddr, code: Option<&InviteCode>) -> Result<Tried, NodeError> {
        let failed = |error: &dyn std::fmt::Display| NodeError::NoHolder(error.to_string());
        let (peer, mut stream) = self.net.0.dial(address, Channel::Join).await.map_err(|e| failed(&e))?;
        if peer.device == self.device {
            return Ok(Tried::Elsewhere(None));
        }
        let exporter = stream.exporter(JOIN_EXPORTER_LABEL);
        let invite = match code {
            Some(code) => {
                let exporter = exporter.as_ref().map_err(|e| failed(e))?;
                let proof = proof(&code.key, JOIN_PROOF_DEVICE, exporter)
                    .ok_or_else(|| NodeError::Internal("no proof".to_owned()))?;
                Some((code.invite, proof))
            }
            None => None,
        };
        let info = self.info();
        let request = JoinRequest {
            site: code.map(|code| code.site).or_else(|| *self.waiting_site_id()),
            name: info.name,
            laptop: info.form == Form::Laptop,
            version: info.version,
            invite,
        };
        write_frame(&mut stream, &request, SESSION_FRAME_BYTES_MAX).await.map_err(|e| failed(&e))?;
        match read_frame(&mut stream, SESSION_FRAME_BYTES_MAX).await.map_err(|e| failed(&e))? {
            // Without a code, a site is believed only when it is the one that was asked before.
            JoinResponse::Admitted(admission) if code.is_none() && self.waiting_site_id().is_none() => {
                Ok(Tried::Waiting(admission.name, admission.root.site()))
            }
            JoinResponse::Admitted(admission) => Ok(Tried::Admitted(peer, admission, exporter.ok())),
            JoinResponse::Waiting { site_name, site } => Ok(Tried::Waiting(site_name, site)),
            JoinResponse::NotHolder { address, .. } => Ok(Tried::Elsewhere(address)),
            JoinResponse::Refused(reason) => Err(NodeError::NotPermitted(reason)),
        }
    }

    /// Checks what the site says of itself, then begins to live in it.
    fn admitted(
        self: &Arc<Self>,
        admission: Admission,
        code: Option<&InviteCode>,
        exporter: Option<[u8; 32]>,
    ) -> Result<api::Joined, NodeError> {
        let lie = |what: &str| {
            NodeError::NotPermitted(format!(
                "the machine that answered is not of the invitation's site: {what}"
            ))
        };
        let id = admission.root.site();
        if let Some(code) = code {
            if id != code.site {
                return Err(lie("its root key has another fingerprint"));
            }
            let expected = exporter.and_then(|exporter| proof(&code.key, JOIN_PROOF_SITE, &exporter));
            let proven = match (expected, admission.proof) {
                (Some(expected), Some(given)) => bool::from(expected.ct_eq(&given)),
                _ => false,
            };
            if !proven {
                return Err(lie("it does not know the code"));
            }
        } else if self.waiting_site_id().is_some_and(|site| site != id) {
            return Err(lie("it is not the one that this machine asked"));
        }
        let roster = admission.roster.open(&admission.root).map_err(|error| lie(&error.to_string()))?;
        if roster.device(&self.device).is_none() {
            return Err(lie("its roster does not list this machine"));
        }
        {
            let mut book = self.book();
            for (device, address) in admission.addresses.iter().take(ADDRESSES_MAX) {
                book.heard(*device, *address);
            }
        }
        let record = SiteRecord {
            root: admission.root,
            name: admission.name,
            generation: roster.generation,
            roster: Some(admission.roster),
            node: None,
            recovery: None,
            addresses: admission.addresses,
        };
        self.disk.write_record(RECORD, &record).map_err(|error| NodeError::Internal(error.to_string()))?;
        self.stop_waiting();
        let site = Site::of(&record);
        let joined = api::Joined {
            format: api::FORMAT,
            site: Some(site.api()),
            device: self.device.to_string(),
            waiting: false,
        };
        tracing::info!(site = %site.name, "joined");
        self.enter(site, None);
        Ok(joined)
    }

    /// Asks again and again until an admin has admitted this device.
    fn wait_for_admission(self: &Arc<Self>, site: SiteId, name: &Name) -> api::Joined {
        let joined =
            api::Joined { format: api::FORMAT, site: None, device: self.device.to_string(), waiting: true };
        if self.waiting_site_id().is_some() {
            return joined;
        }
        *self.waiting_site_id() = Some(site);
        self.waiting_site.send_replace(Some(format!("{name} ({})", site.short())));
        if let Err(error) = self.disk.write_record(WAITING_RECORD, &WaitingRecord { site: Some(site) }) {
            tracing::warn!(%error, "that this machine waits for admission is not remembered across a restart");
        }
        let inner = self.clone();
        self.tasks.spawn(async move {
            while inner.site().is_none() && inner.waiting_site_id().is_some() {
                tokio::select! {
                    () = inner.stop.cancelled() => return,
                    () = tokio::time::sleep(WAITING_ROUND) => {}
                }
                let addresses = inner.join_addresses(None).unwrap_or_default();
                for address in addresses.into_iter().take(ADDRESSES_MAX) {
                    let tried = tokio::time::timeout(ANSWER_WITHIN, inner.try_join(address, None)).await;
                    let Ok(Ok(Tried::Admitted(peer, admission, exporter))) = tried else { continue };
                    inner.book().saw(peer.device, peer.address);
                    let _change = inner.site_change.lock().await;
                    if inner.site().is_some() {
                        return;
                    }
                    match inner.admitted(*admission, None, exporter) {
                        Ok(_) => return,
                        Err(error) => tracing::warn!(%error, "an admission is not believed"),
                    }
                }
            }
        });
        joined
    }

    /// At start: a device that waited goes on waiting.
    pub(crate) fn go_on_waiting(self: &Arc<Self>) {
        match self.disk.read_record::<WaitingRecord>(WAITING_RECORD) {
            Ok(Some(WaitingRecord { site: Some(site) })) if self.site().is_none() => {
                let name = Name::new("the site").unwrap_or_else(|_| unreachable!("a name"));
                self.wait_for_admission(site, &name);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "this machine does not know any more what it waited for"),
        }
    }

    pub(crate) fn stop_waiting(&self) {
        *self.waiting_site_id() = None;
        self.waiting_site.send_replace(None);
        state::remove_record(&*self.disk, WAITING_RECORD);
    }

    /// Joins by a code as soon as the site is found, also if that takes days.
    pub(crate) async fn join_when_found(self: &Arc<Self>, code: String) -> Result<(), NodeError> {
        while self.site().is_none() {
            let joining = self.join(api::Join { code: Some(code.clone()) });
            let result = tokio::select! {
                () = self.stop.cancelled() => return Err(NodeError::NoHolder("the agent is stopping".to_owned())),
                result = joining => result,
            };
            match result {
                Ok(_) => return Ok(()),
                Err(NodeError::NoHolder(reason)) => tracing::info!(%reason, "the site is not there yet"),
                Err(NodeError::NotPermitted(reason)) => {
                    tracing::warn!(%reason, "the code is refused; it is tried again");
                    tokio::select! {
                        () = self.stop.cancelled() => {}
                        () = tokio::time::sleep(REFUSED_PAUSE) => {}
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Answers a device that asks to join.
    pub(crate) async fn serve_join(self: &Arc<Self>, peer: Peer, mut stream: BoxStream) {
        let served = tokio::time::timeout(ANSWER_WITHIN, async {
            let request: JoinRequest = read_frame(&mut stream, JOIN_FRAME_BYTES_MAX).await?;
            // Only now, so that silent streams keep nobody out.
            let Ok(_permit) = self.joins.acquire().await else { return Ok(()) };
            let exporter = stream.exporter(JOIN_EXPORTER_LABEL).ok();
            let response = self.answer_join(&peer, request, exporter).await;
            write_frame(&mut stream, &response, SESSION_FRAME_BYTES_MAX).await?;
            stream.shutdown().await?;
            Ok::<_, crate::seam::frames::FrameIoError>(())
        });
        match served.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(peer = %peer.device.short(), %error, "join request not served"),
            Err(_) => tracing::debug!(peer = %peer.device.short(), "join request not served in time"),
        }
    }

    async fn answer_join(
        self: &Arc<Self>,
        peer: &Peer,
        request: JoinRequest,
        exporter: Option<[u8; 32]>,
    ) -> JoinResponse {
        let Some(site) = self.site() else {
            return JoinResponse::NotHolder { holder: None, address: None };
        };
        if request.site.is_some_and(|wanted| wanted != site.id) {
            return JoinResponse::NotHolder { holder: None, address: None };
        }
        let Some(duty) = self.duty() else {
            let holder = self.known().holder.filter(|holder| *holder != self.device);
            let address = holder.and_then(|holder| self.book().newest(&holder));
            return JoinResponse::NotHolder { holder, address };
        };
        let form = if request.laptop { Form::Laptop } else { Form::Desktop };
        let info = DeviceInfo { name: request.name, form, version: request.version };
        match request.invite {
            Some((invite, given)) => self.admit_invited(&duty, peer, info, invite, given, exporter).await,
            None if duty.log.books.read().device(&peer.device).is_some() => self.admission(&duty, None),
            None => {
                let asked = Asked {
                    key: peer.key,
                    name: info.name,
                    form: info.form,
                    version: info.version,
                    address: peer.address,
                    at: self.clock.mono(),
                };
                if duty.log.books.read().is_revoked(&peer.device) {
                    return JoinResponse::Refused("this device was revoked; ask an admin".to_owned());
                }
                self.asks_admission(peer.device, asked);
                JoinResponse::Waiting { site_name: site.name.clone(), site: site.id }
            }
        }
    }

    async fn admit_invited(
        self: &Arc<Self>,
        duty: &Arc<Duty>,
        peer: &Peer,
        info: DeviceInfo,
        invite: InviteId,
        given: [u8; 32],
        exporter: Option<[u8; 32]>,
    ) -> JoinResponse {
        let unknown = || {
            JoinResponse::Refused(
                "the invitation is not known or used up; ask an admin for a new one".to_owned(),
            )
        };
        let key = match duty.log.books.read().invite(&invite) {
            Some(invite) => invite.key.clone(),
            None => return unknown(),
        };
        let Some(exporter) = exporter else { return unknown() };
        let expected = proof(&key.0, JOIN_PROOF_DEVICE, &exporter);
        if !expected.is_some_and(|expected| bool::from(expected.ct_eq(&given))) {
            tracing::warn!(peer = %peer.device.short(), address = %peer.address, "a join proof was wrong");
            return unknown();
        }
        match duty.propose_own(self, Command::AdmitInvited { invite, key: peer.key, info }).await {
            Some(Outcome::Done) => self.admission(duty, proof(&key.0, JOIN_PROOF_SITE, &exporter)),
            Some(Outcome::Refused(refusal)) => JoinResponse::Refused(refusal.to_string()),
            _ => JoinResponse::NotHolder { holder: None, address: None },
        }
    }

    /// What a new device learns, with a roster that lists it.
    fn admission(self: &Arc<Self>, duty: &Arc<Duty>, proof: Option<[u8; 32]>) -> JoinResponse {
        super::keeper::refresh(self, duty);
        let (view, _) = self.view_for(None);
        let (Some(site), Some(roster)) = (self.site(), view.roster) else {
            return JoinResponse::NotHolder { holder: None, address: None };
        };
        JoinResponse::Admitted(Box::new(Admission {
            root: site.root,
            name: site.name.clone(),
            roster,
            proof,
            addresses: view.addresses,
        }))
    }
}
