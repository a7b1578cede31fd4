//! Finding faults.

use hyper::Method;
use seatkeeper_protocol::api;

use crate::{Client, ClientError, collect, succeeded};

impl Client {
    /// Looks for faults, also where somebody has to be asked: takes some seconds.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn doctor(&self) -> Result<api::Doctor, ClientError> {
        self.get("/v1/doctor").await
    }

    /// What whoever looks into a fault wants to know. No secrets.
    ///
    /// # Errors
    /// A problem `not-permitted` for who doesn't manage this device.
    pub async fn debug_state(&self) -> Result<api::DebugState, ClientError> {
        self.get("/v1/debug/state").await
    }

    /// The newest lines of the agent's log.
    ///
    /// # Errors
    /// A problem `not-permitted` for who doesn't manage this device.
    pub async fn debug_log(&self) -> Result<String, ClientError> {
        let request = self.request(Method::GET, "/v1/debug/log", "text/plain", Vec::new())?;
        let (response, _connection) = self.send(request).await?;
        let body = collect(succeeded(response).await?).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
