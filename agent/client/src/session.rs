//! Opening this machine's page in the caller's name.

use seatkeeper_protocol::api;

use crate::{Client, ClientError};

impl Client {
    /// A code with which a browser works in the caller's name, once, within a minute.
    ///
    /// # Errors
    /// A problem `no-web` when the agent serves no page.
    pub async fn session_code(&self) -> Result<api::SessionCode, ClientError> {
        self.post("/v1/session/codes", &()).await
    }
}
