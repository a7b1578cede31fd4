//! What proves a seat: to this device, which does not trust the machine that gives it, and to a program, which does not
//! trust this agent.

use std::collections::BTreeMap;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use seatkeeper_protocol::api::{FORMAT, SeatProof};
use seatkeeper_protocol::id::{Name, SeatId, SessionId};
use seatkeeper_protocol::ticket::{DeviceProof, Ticket, TicketBody};

use super::Hold;
use crate::node::errors::NodeError;
use crate::node::{Inner, Node};

/// How a program names the seat that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeatKey {
    /// By its session: the ticket is that session's own.
    Session(SessionId),
    /// By the seat: the ticket is of one of the user's sessions that share it.
    Seat(SeatId),
}

impl FromStr for SeatKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let seat = || text.parse().map(Self::Seat);
        text.parse().map(Self::Session).or_else(|_| seat()).map_err(drop)
    }
}

impl Node {
    /// Proves a seat that `user` has on this device, for a nonce; `None`: there is none.
    ///
    /// # Errors
    /// When the license's text never came, or `nonce` is longer than a proof may cover.
    pub fn prove_seat(
        &self,
        user: &Name,
        key: SeatKey,
        nonce: &[u8],
    ) -> Result<Option<SeatProof>, NodeError> {
        self.inner.prove_seat(user, key, nonce)
    }
}

impl Inner {
    fn prove_seat(&self, user: &Name, key: SeatKey, nonce: &[u8]) -> Result<Option<SeatProof>, NodeError> {
        let Some(site) = self.site() else { return Ok(None) };
        let (granted, license_text) = {
            let state = self.seats.state();
            let Some(hold) = find(&state.holds, user, key) else { return Ok(None) };
            (hold.granted.clone(), hold.license_text.clone())
        };
        let license_text = license_text.ok_or_else(|| {
            NodeError::Conflict(format!(
                "the text of license {} did not come with the seat; give the seat back and take it again",
                granted.license
            ))
        })?;
        let signature = self.prove(&granted.ticket, nonce);
        let signature = signature.ok_or_else(|| NodeError::BadInput("the nonce is too long".to_owned()))?;
        Ok(Some(SeatProof {
            format: FORMAT,
            seat: granted.seat,
            session: granted.session,
            ticket: granted.ticket,
            license_text,
            root: site.root.to_string(),
            device_key: self.public.to_string(),
            signature,
        }))
    }

    /// The holder proves by the ticket that it is one: only who has the site's pool key can sign it.
    pub(in crate::node) fn check_ticket(
        &self,
        seat: SeatId,
        ticket: &Ticket,
    ) -> Result<TicketBody, NodeError> {
        let site = self.site().ok_or(NodeError::NoSite)?;
        let body = ticket.verify(&site.root).map_err(|error| {
            NodeError::NotPermitted(format!("the machine that answered is not of this site: {error}"))
        })?;
        if body.device == self.device && body.seat == seat && body.generation == site.generation {
            return Ok(body);
        }
        Err(NodeError::NotPermitted("the machine that answered gave somebody else's ticket".to_owned()))
    }

    /// The device's signature over a ticket of its own and a program's nonce, under a prefix that nothing else that
    /// the device signs begins with; base64url.
    pub(super) fn prove(&self, ticket: &str, nonce: &[u8]) -> Option<String> {
        let proof = DeviceProof::sign(&Ticket::from_text(ticket).ok()?, nonce, &self.key).ok()?;
        Some(BASE64URL_NOPAD.encode(&proof.signature))
    }
}

/// What `user` has by this key: nobody proves another's seat as his own.
pub(super) fn find<'a>(holds: &'a BTreeMap<SessionId, Hold>, user: &Name, key: SeatKey) -> Option<&'a Hold> {
    let hold = match key {
        SeatKey::Session(session) => holds.get(&session),
        SeatKey::Seat(seat) => holds.values().find(|hold| hold.is_on(seat) && hold.basis.user == *user),
    };
    hold.filter(|hold| hold.basis.user == *user)
}

#[cfg(test)]
mod tests {
    use seatkeeper_protocol::api::SeatGranted;
    use seatkeeper_protocol::id::ProductId;

    use super::*;
    use crate::node::seats::Basis;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn hold(n: u8, seat: &str, user: &str) -> (SessionId, Hold) {
        let session = SessionId([n; 16]);
        let basis = Basis {
            session,
            user: name(user),
            product: ProductId::new("cad").unwrap(),
            version: None,
            features: Vec::new(),
            pid: None,
        };
        let granted = SeatGranted {
            format: FORMAT,
            seat: seat.to_owned(),
            session: session.to_string(),
            license: "L1".to_owned(),
            product: "cad".to_owned(),
            version: "2026".to_owned(),
            shared: false,
            durability: "majority".to_owned(),
            until_boot_ms: 0,
            ticket: String::new(),
            proof: None,
        };
        let (nonce, license_text) = (None, None);
        (session, Hold { granted, basis, connection: None, tree: None, borrowed: None, nonce, license_text })
    }

    #[test]
    fn a_seat_is_proven_to_its_own_user_only() {
        // A seat that the device's users share, and one of eva's alone.
        let holds = BTreeMap::from([hold(1, "7", "max"), hold(2, "7", "eva"), hold(3, "8", "eva")]);
        let found = |user: &str, key: &str| {
            let hold = find(&holds, &name(user), key.parse().ok()?)?;
            Some(hold.granted.session.clone())
        };
        let session = |n: u8| SessionId([n; 16]).to_string();
        for (user, key, expected) in [
            ("max", session(1), Some(session(1))),
            ("max", session(2), None),
            ("max", session(9), None),
            ("max", "7".to_owned(), Some(session(1))),
            ("eva", "7".to_owned(), Some(session(2))),
            ("eva", "8".to_owned(), Some(session(3))),
            ("max", "8".to_owned(), None),
            ("kim", "7".to_owned(), None),
            ("max", "x".to_owned(), None),
        ] {
            assert_eq!(found(user, &key), expected, "{user} {key}");
        }
    }
}
