//! `POST`, `GET` and `DELETE /v1/borrows`.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/borrows`. One of `until` and `for_s` is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BorrowRequest {
    /// Product.
    pub product: String,
    /// Version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Until when, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For so long from now, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
    /// Prolongs the borrow to as long from then whenever the site is seen.
    #[serde(default)]
    pub renew: bool,
}

/// Body of `DELETE /v1/borrows`: gives back what the caller borrowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    /// Product.
    pub product: String,
    /// Version; absent: whatever is borrowed of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A borrowed seat of this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Borrow {
    /// 1.
    pub format: u32,
    /// Seat id.
    pub seat: String,
    /// Product.
    pub product: String,
    /// Version.
    pub version: String,
    /// Features.
    pub features: Vec<String>,
    /// Whose.
    pub user: String,
    /// License id.
    pub license: String,
    /// Until when, RFC 3339.
    pub ends: Option<String>,
    /// How long that is from now, seconds.
    pub left_s: u64,
    /// It is prolonged to so long whenever the site is seen, seconds; null: it is not.
    pub renew_s: Option<u64>,
    /// How many programs use it now.
    pub programs: u32,
}

/// `GET /v1/borrows`: what is borrowed on this device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Borrows {
    /// 1.
    pub format: u32,
    /// The borrowed seats.
    pub borrows: Vec<Borrow>,
    /// Ids of seats that are given back at the next contact with the site.
    pub returning: Vec<String>,
}

/// What came of giving borrowed seats back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BorrowReturned {
    /// 1.
    pub format: u32,
    /// Ids of the seats.
    pub seats: Vec<String>,
    /// `true`: the site hears of it at the next contact; until then others do not get them.
    pub pending: bool,
}
