//! Founding a site, and joining one.

use serde::{Deserialize, Serialize};

use super::Site;

/// Body of `POST /v1/site`: creates a site on this device. One of `admin_key` and `password` is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateSite {
    /// The site's name.
    pub name: String,
    /// The first admin's name.
    pub admin: String,
    /// The first admin's public key, base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_key: Option<String>,
    /// Makes the first admin's key and seals it by this password, of at least 8 characters. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

impl std::fmt::Debug for CreateSite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreateSite")
            .field("name", &self.name)
            .field("admin", &self.admin)
            .field("admin_key", &self.admin_key)
            .finish_non_exhaustive()
    }
}

/// Answers [`CreateSite`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SiteCreated {
    /// 1.
    pub format: u32,
    /// The site.
    pub site: Site,
    /// Shown once, never stored.
    pub recovery_code: String,
    /// The first admin's sealed key, to be kept as a file; null: the admin has the key already.
    #[serde(default)]
    pub key_file: Option<String>,
}

impl std::fmt::Debug for SiteCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SiteCreated").field("site", &self.site).finish_non_exhaustive()
    }
}

/// Body of `POST /v1/site/join`. The code is a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The invitation's code; null: wait for admission by an admin.
    pub code: Option<String>,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Join(..)")
    }
}

/// Answers [`Join`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Joined {
    /// 1.
    pub format: u32,
    /// The site, once admitted.
    pub site: Option<Site>,
    /// This device's id: the fingerprint an admin compares.
    pub device: String,
    /// Whether it waits for admission.
    pub waiting: bool,
}
