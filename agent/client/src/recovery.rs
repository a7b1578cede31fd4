//! Going on from this machine's books alone.

use crate::{Client, ClientError, api};

impl Client {
    /// What a recovery of the site from this machine would mean.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn recovery_plan(&self) -> Result<api::RecoveryPlan, ClientError> {
        self.get("/v1/site/recovery").await
    }

    /// Goes on in a new generation of the site, from this machine's books.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn recover_site(&self, body: &api::RecoverSite) -> Result<api::Site, ClientError> {
        self.post("/v1/site/recovery", body).await
    }

    /// The books of the site, sealed so that only the recovery code opens them.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn export_site(&self) -> Result<api::SiteExport, ClientError> {
        self.get("/v1/site/export").await
    }

    /// Goes on in a new generation of the site, from the books in a backup.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn import_site(&self, body: &api::ImportSite) -> Result<api::Site, ClientError> {
        self.post("/v1/site/import", body).await
    }
}
