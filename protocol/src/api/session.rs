//! Who works on a page, and as which admin.

use serde::{Deserialize, Serialize};

/// Answers `POST /v1/session/codes`: lets a browser work in the caller's name, once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionCode {
    /// 1.
    pub format: u32,
    /// The code. A secret.
    pub code: String,
    /// The page, with the code in its fragment, which a browser sends to nobody.
    pub url: String,
    /// Until when the code can be used, RFC 3339.
    pub ends: Option<String>,
}

impl std::fmt::Debug for SessionCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionCode").field("ends", &self.ends).finish_non_exhaustive()
    }
}

/// Body of `POST /v1/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UseCode {
    /// The code.
    pub code: String,
}

impl std::fmt::Debug for UseCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UseCode(..)")
    }
}

/// `GET /v1/session`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// 1.
    pub format: u32,
    /// The user in whose name requests are made; null: nobody's, so nothing can be changed.
    pub user: Option<String>,
    /// Whether this user may create, join and leave a site on this device.
    pub manages_device: bool,
    /// What a page sends as `X-Seatkeeper-CSRF` with each change; null: no session.
    pub csrf: Option<String>,
    /// This device.
    pub device: SessionDevice,
    /// The site's name.
    pub site: Option<String>,
    /// The admin signed in.
    pub admin: Option<SessionAdmin>,
    /// On the socket, answering a sign-in: what later requests carry as `Authorization: Bearer`. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("admin", &self.admin)
            .finish_non_exhaustive()
    }
}

/// The device of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionDevice {
    /// Device id.
    pub id: String,
    /// Name.
    pub name: String,
}

/// The admin of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionAdmin {
    /// Name.
    pub name: String,
    /// `admin` or `reader`.
    pub role: String,
    /// When it ends unless used before, RFC 3339.
    pub ends: Option<String>,
}

/// Body of `PUT /v1/session/admin`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The text of the admin's sealed key file.
    pub key: String,
    /// The password that it is sealed by. A secret.
    pub password: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignIn(..)")
    }
}
