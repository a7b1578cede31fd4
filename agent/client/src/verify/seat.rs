//! A seat that is held and proven.

use std::time::SystemTime;

use seatkeeper_protocol::api;
use seatkeeper_protocol::time::WallTime;

use super::{Challenge, Nonce, Verified, Verifier, VerifyError};
use crate::{Client, ClientError, SeatRequest, SeatStream};

/// A seat that is held and proven. Dropping it gives the seat back.
#[derive(Debug)]
pub struct VerifiedSeat {
    verifier: Verifier,
    client: Client,
    stream: SeatStream,
    nonce: Nonce,
    /// The ticket that was proven.
    ticket: String,
    verified: Verified,
}

impl Verifier {
    /// Takes a seat and verifies it; an agent that cannot prove it has given none.
    ///
    /// # Errors
    /// As [`Client::take_seat`], and whatever is found wrong; the seat is given back then.
    pub async fn take_seat(&self, client: &Client) -> Result<VerifiedSeat, VerifyError> {
        self.begin(client, None, |_| {}).await
    }

    /// Takes a seat, or waits for one for `wait_s` seconds at most, as [`Client::wait_for_seat`] does, and verifies it.
    ///
    /// # Errors
    /// As [`Client::wait_for_seat`], and whatever is found wrong; the seat is given back then.
    pub async fn wait_for_seat(
        &self,
        client: &Client,
        wait_s: u64,
        waiting: impl FnMut(&api::SeatWaiting),
    ) -> Result<VerifiedSeat, VerifyError> {
        self.begin(client, Some(wait_s), waiting).await
    }

    async fn begin(
        &self,
        client: &Client,
        wait_s: Option<u64>,
        waiting: impl FnMut(&api::SeatWaiting),
    ) -> Result<VerifiedSeat, VerifyError> {
        let nonce = Nonce::random()?;
        let request = SeatRequest { wait_s, ..self.request_with(&nonce) };
        let stream = client.wait_for_seat(&request, waiting).await?;
        let (verified, ticket) = self.prove(client, &stream, &nonce, None).await?;
        let (verifier, client) = (self.clone(), client.clone());
        Ok(VerifiedSeat { verifier, client, stream, nonce, ticket, verified })
    }

    async fn prove(
        &self,
        client: &Client,
        stream: &SeatStream,
        nonce: &Nonce,
        verified: Option<&str>,
    ) -> Result<(Verified, String), VerifyError> {
        let challenge = Challenge::again(nonce.clone())?;
        let proof = client.prove(&stream.granted().session, &challenge.proof_nonce()).await?;
        let verified = self.check_again(&challenge, &proof, now(), verified)?;
        Ok((verified, proof.ticket))
    }
}

impl VerifiedSeat {
    /// What the seat was proven by.
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// What the agent says of it, which proves nothing.
    pub fn granted(&self) -> &api::SeatGranted {
        self.stream.granted()
    }

    /// What happens next to the seat, as the agent says; `None` when it ended the stream. Cancel safe.
    ///
    /// # Errors
    /// As [`SeatStream::next_event`]; [`VerifiedSeat::resume`] goes on.
    pub async fn next_event(&mut self) -> Result<Option<api::SeatEvent>, ClientError> {
        self.stream.next_event().await
    }

    /// Verifies anew that this machine has the seat: that its agent holds it, with a ticket for this program, and can
    /// sign for its device.
    ///
    /// # Errors
    /// Whatever is found wrong; a problem `not-found` when the seat is gone. The seat is not given back by this.
    pub async fn check_again(&mut self) -> Result<&Verified, VerifyError> {
        let Self { verifier, client, stream, nonce, ticket, .. } = &*self;
        let (verified, ticket) = verifier.prove(client, stream, nonce, Some(ticket)).await?;
        (self.verified, self.ticket) = (verified, ticket);
        Ok(&self.verified)
    }

    /// Goes on with the seat after the connection broke or the agent restarted, and verifies it anew.
    ///
    /// # Errors
    /// As [`Client::take_seat`], and whatever is found wrong.
    pub async fn resume(&mut self) -> Result<&Verified, VerifyError> {
        let session = Some(self.stream.granted().session.clone());
        let request = SeatRequest { session, ..self.verifier.request_with(&self.nonce) };
        self.stream = self.client.take_seat(&request).await?;
        self.check_again().await
    }
}

/// This machine's clock. Before 1970 it is 1970.
#[allow(clippy::disallowed_methods, reason = "an application has no clock seam; `check` takes the time")]
fn now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
