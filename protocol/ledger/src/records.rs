//! What can happen, for people and for the audit (`audit`).

use std::fmt;

use seatkeeper_protocol::id::{DeviceId, InviteId, Name, ProductId, SeatId, Version};
use seatkeeper_protocol::time::WallTime;
use serde::{Deserialize, Serialize};

use crate::command::{AdminRole, NodeLimits, Whom};
use crate::org::NodeId;
use crate::organisation::Organised;
pub use crate::reasons::{BorrowOver, DeniedBy};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the site's records, from 1, without gaps.
    pub seq: u64,
    /// The log index of its entry.
    pub index: u64,
    /// The site's time.
    pub time: WallTime,
    /// What.
    pub what: Happening,
}

/// Who did something on which device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user.
    pub user: Name,
    /// The device.
    pub device: DeviceId,
    /// Its name at the time.
    pub device_name: Name,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.user, self.device_name)
    }
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happening {
    /// The site was founded.
    Founded {
        /// Its name.
        name: Name,
        /// Its first admin.
        admin: Name,
    },
    /// A seat was taken.
    Checkout {
        /// The seat.
        seat: SeatId,
        /// By whom.
        who: Who,
        /// The product.
        product: ProductId,
        /// The version.
        version: Version,
        /// The license.
        license: Name,
    },
    /// A further start shares a seat.
    Shared {
        /// The seat.
        seat: SeatId,
        /// By whom.
        who: Who,
        /// The product.
        product: ProductId,
    },
    /// A start gave its seat back.
    Returned {
        /// The seat.
        seat: SeatId,
        /// By whom.
        who: Who,
        /// The product.
        product: ProductId,
        /// Whether the seat is free now; else others share it.
        free: bool,
    },
    /// A start lost contact for longer than its ttl.
    Expired {
        /// The seat.
        seat: SeatId,
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// Whether the seat is free now; else others share it.
        free: bool,
    },
    /// A checkout was refused.
    Denied {
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// Why; one sentence.
        reason: String,
        /// The rule that refused.
        by: DeniedBy,
    },
    /// A start waits for a seat.
    Waits {
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// Its place in the queue, from 1.
        position: u32,
    },
    /// Who waits was not heard of for a while: others go first.
    PassedOver {
        /// Who.
        who: Who,
        /// The product.
        product: ProductId,
    },
    /// A start waits no longer and has no seat.
    LeftQueue {
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// Whether it was out of contact for its ttl; else it gave its place up.
        expired: bool,
    },
    /// An admin took a seat away.
    Released {
        /// The seat.
        seat: SeatId,
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// The admin.
        by: Name,
    },
    /// A device was admitted.
    DeviceAdmitted {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: Name,
        /// The admin; `None`: by invitation.
        by: Option<Name>,
    },
    /// A device left.
    DeviceLeft {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: Name,
    },
    /// A device was shut out for good.
    DeviceRevoked {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: Name,
        /// The admin.
        by: Name,
    },
    /// An admin set what it knows of a device.
    DeviceSet {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: Name,
        /// The admin.
        by: Name,
    },
    /// An invitation was opened.
    InviteCreated {
        /// Its id.
        invite: InviteId,
        /// How many devices it may admit.
        uses: u32,
        /// The admin.
        by: Name,
    },
    /// An invitation was closed.
    InviteRevoked {
        /// Its id.
        invite: InviteId,
        /// The admin.
        by: Name,
    },
    /// An admin was added, or got another key or role.
    AdminAdded {
        /// Who.
        name: Name,
        /// The role.
        role: AdminRole,
        /// The admin who did it.
        by: Name,
    },
    /// An admin was removed.
    AdminRemoved {
        /// Who.
        name: Name,
        /// The admin who did it.
        by: Name,
    },
    /// A vendor's key is trusted.
    VendorTrusted {
        /// The vendor.
        name: Name,
        /// The admin.
        by: Name,
    },
    /// A license was added.
    LicenseAdded {
        /// Its id.
        license: Name,
        /// The product.
        product: ProductId,
        /// Seats.
        seats: u32,
        /// The admin.
        by: Name,
    },
    /// A license was removed.
    LicenseRemoved {
        /// Its id.
        license: Name,
        /// The product.
        product: ProductId,
        /// The admin.
        by: Name,
    },
    /// A license's last day is over.
    LicenseEnded {
        /// Its id.
        license: Name,
        /// The product.
        product: ProductId,
    },
    /// The pool key was replaced.
    PoolKeyRotated {
        /// The new number.
        number: u32,
        /// The admin.
        by: Name,
    },
    /// A seat was borrowed.
    Borrowed {
        /// The seat.
        seat: SeatId,
        /// By whom.
        who: Who,
        /// The product.
        product: ProductId,
        /// Until when.
        ends: WallTime,
        /// Whether it was borrowed already, to an earlier end.
        prolonged: bool,
    },
    /// A borrowed seat came back.
    BorrowOver {
        /// The seat.
        seat: SeatId,
        /// Whose.
        who: Who,
        /// The product.
        product: ProductId,
        /// Why.
        how: BorrowOver,
        /// Whether the seat is free now; else programs use it online.
        free: bool,
    },
    /// A device is lost, or found again.
    DeviceLost {
        /// The device.
        device: DeviceId,
        /// Its name.
        name: Name,
        /// The admin.
        by: Name,
        /// `false`: it is found.
        lost: bool,
    },
    /// A limit was set or removed.
    LimitSet {
        /// Of which product.
        product: ProductId,
        /// For whom.
        whom: Whom,
        /// How many seats; `None`: no limit any more.
        seats: Option<u32>,
        /// The admin.
        by: Name,
    },
    /// A group was made, changed or removed.
    GroupSet {
        /// The group.
        group: Name,
        /// How many users are in it; 0: it is no more.
        members: u32,
        /// The admin.
        by: Name,
    },
    /// A priority was set.
    PrioritySet {
        /// For whom.
        whom: Whom,
        /// The higher goes first.
        priority: u8,
        /// The admin.
        by: Name,
    },
    /// Something of the organisation was changed.
    Organised {
        /// What.
        what: Organised,
        /// The admin.
        by: Name,
    },
    /// What is installed was compared with what was bought, and the figures changed.
    Recalculated {
        /// The calculation.
        number: u64,
        /// For how many products they changed.
        products: u32,
        /// How many installs are not covered now, of all products.
        short: u64,
        /// The holder that calculated.
        device: DeviceId,
    },
    /// The limits of a node were set or removed.
    NodeLimitsSet {
        /// Of which product.
        product: ProductId,
        /// Whose.
        node: NodeId,
        /// All of them; without any: there are none any more.
        limits: NodeLimits,
        /// The admin.
        by: Name,
    },
    /// The site went on in a new generation, from the books of one device.
    Recovered {
        /// The generation before.
        from: u32,
        /// The new one.
        to: u32,
        /// Whose books these were.
        device: DeviceId,
        /// Its name.
        name: Name,
        /// How many seats are withheld that may have been borrowed unseen.
        withheld: u32,
    },
}

impl Happening {
    /// A stable word, as in the JSON contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Founded { .. } => "site-founded",
            Self::Checkout { .. } => "checkout",
            Self::Shared { .. } => "shared",
            Self::Returned { .. } => "return",
            Self::Expired { .. } => "expire",
            Self::Denied { .. } => "denied",
            Self::Waits { .. } => "waits",
            Self::PassedOver { .. } => "passed-over",
            Self::LeftQueue { .. } => "left-queue",
            Self::Released { .. } => "release",
            Self::DeviceAdmitted { .. } => "device-admitted",
            Self::DeviceLeft { .. } => "device-left",
            Self::DeviceRevoked { .. } => "device-revoked",
            Self::DeviceSet { .. } => "device-set",
            Self::InviteCreated { .. } => "invite-created",
            Self::InviteRevoked { .. } => "invite-revoked",
            Self::AdminAdded { .. } => "admin-added",
            Self::AdminRemoved { .. } => "admin-removed",
            Self::VendorTrusted { .. } => "vendor-trusted",
            Self::LicenseAdded { .. } => "license-added",
            Self::LicenseRemoved { .. } => "license-removed",
            Self::LicenseEnded { .. } => "license-ended",
            Self::PoolKeyRotated { .. } => "pool-key-rotated",
            Self::Borrowed { .. } => "borrow",
            Self::BorrowOver { .. } => "borrow-over",
            Self::LimitSet { .. } => "limit-set",
            Self::GroupSet { .. } => "group-set",
            Self::PrioritySet { .. } => "priority-set",
            Self::Organised { what, .. } => what.kind(),
            Self::Recalculated { .. } => "recalculated",
            Self::NodeLimitsSet { .. } => "node-limits-set",
            Self::Recovered { .. } => "site-recovered",
            Self::DeviceLost { lost: true, .. } => "device-lost",
            Self::DeviceLost { lost: false, .. } => "device-found",
        }
    }

    /// One sentence.
    pub fn text(&self) -> String {
        match self {
            Self::Founded { name, admin } => format!("{admin} founded the site {name}"),
            Self::Checkout { seat, who, product, version, license } => {
                format!("{who} took seat {seat} of {product}@{version} (license {license})")
            }
            Self::Shared { seat, who, product } => format!("{who} shares seat {seat} of {product}"),
            Self::Returned { seat, who, product, free: true } => {
                format!("{who} gave seat {seat} of {product} back")
            }
            Self::Returned { seat, who, product, free: false } => {
                format!("{who} ended one of the starts that share seat {seat} of {product}")
            }
            Self::Expired { seat, who, product, free: true } => {
                format!("seat {seat} of {product} is free again: no contact to {who} for its ttl")
            }
            Self::Expired { seat, who, product, free: false } => {
                format!(
                    "one of the starts that share seat {seat} of {product} ended: no contact to {who} for its ttl"
                )
            }
            Self::Denied { who, product, reason, .. } => format!("{who} got no seat of {product}: {reason}"),
            Self::Waits { who, product, position } => {
                format!("{who} waits for a seat of {product}, in place {position}")
            }
            Self::PassedOver { who, product } => {
                format!("{who}, who waits for a seat of {product}, is out of contact: others go first")
            }
            Self::LeftQueue { who, product, expired: false } => {
                format!("{who} waits no longer for a seat of {product}")
            }
            Self::LeftQueue { who, product, expired: true } => {
                format!("{who} waits no longer for a seat of {product}: no contact for its ttl")
            }
            Self::Released { seat, who, product, by } => {
                format!("{by} took seat {seat} of {product} away from {who}")
            }
            Self::DeviceAdmitted { name, by: Some(by), .. } => format!("{by} admitted the device {name}"),
            Self::DeviceAdmitted { name, by: None, .. } => format!("the device {name} joined by invitation"),
            Self::DeviceLeft { name, .. } => format!("the device {name} left the site"),
            Self::DeviceRevoked { name, by, .. } => format!("{by} revoked the device {name}"),
            Self::DeviceSet { name, by, .. } => format!("{by} changed the settings of the device {name}"),
            Self::InviteCreated { uses, by, .. } => format!("{by} invited up to {uses} devices"),
            Self::InviteRevoked { by, .. } => format!("{by} closed an invitation"),
            Self::AdminAdded { name, role: AdminRole::Admin, by } => format!("{by} made {name} an admin"),
            Self::AdminAdded { name, role: AdminRole::Reader, by } => format!("{by} made {name} a reader"),
            Self::AdminRemoved { name, by } => format!("{by} removed the admin {name}"),
            Self::VendorTrusted { name, by } => format!("{by} trusts the vendor {name}"),
            Self::LicenseAdded { license, product, seats, by } => {
                format!("{by} added license {license}: {seats} seats of {product}")
            }
            Self::LicenseRemoved { license, product, by } => {
                format!("{by} removed license {license} of {product}")
            }
            Self::LicenseEnded { license, product } => format!("license {license} of {product} ended"),
            Self::PoolKeyRotated { number, by } => {
                format!("{by} replaced the pool key; the new one is number {number}")
            }
            Self::Borrowed { seat, who, product, ends, prolonged } => {
                let verb = if *prolonged { "prolonged the borrow of" } else { "borrowed" };
                let ends = ends.rfc3339().unwrap_or_else(|| "its end".to_owned());
                format!("{who} {verb} seat {seat} of {product} until {ends}")
            }
            Self::BorrowOver { seat, who, product, how, free } => {
                let over = match how {
                    BorrowOver::Returned => format!("{who} gave the borrowed seat {seat} of {product} back"),
                    BorrowOver::Ended => format!("the borrow of seat {seat} of {product} by {who} ended"),
                    BorrowOver::Lost => {
                        format!("the seat {seat} of {product}, borrowed by {who}, is lost there")
                    }
                };
                if *free { over } else { over + "; programs still use it online" }
            }
            Self::LimitSet { product, whom, seats: Some(seats), by } => {
                let noun = if *seats == 1 { "seat" } else { "seats" };
                format!("{by} limited {whom} to {seats} {noun} of {product}")
            }
            Self::LimitSet { product, whom, seats: None, by } => {
                format!("{by} removed the limit of {product} for {whom}")
            }
            Self::GroupSet { group, members: 0, by } => format!("{by} removed the group {group}"),
            Self::GroupSet { group, members, by } => {
                format!("{by} set the users of the group {group}: {members}")
            }
            Self::PrioritySet { whom, priority, by } => format!("{by} gave {whom} the priority {priority}"),
            Self::Organised { what, by } => what.text(by),
            Self::Recalculated { number, products, short, .. } => format!(
                "calculation {number}: the figures of {products} products changed; {short} installs are not covered"
            ),
            Self::NodeLimitsSet { product, node, limits, by } if *limits == NodeLimits::default() => {
                format!("{by} removed the limits of {product} for the node {node}")
            }
            Self::NodeLimitsSet { product, node, limits, by } => {
                format!("{by} limited the node {node} in {product}: {limits}")
            }
            Self::Recovered { from, to, name, withheld, .. } => format!(
                "the site went on from generation {from} to {to} with the books of {name}; seats withheld: {withheld}"
            ),
            Self::DeviceLost { name, by, lost, .. } => {
                format!("{by} reported the device {name} as {}", if *lost { "lost" } else { "found" })
            }
        }
    }

    /// The product it concerns.
    pub fn product(&self) -> Option<&ProductId> {
        match self {
            Self::Checkout { product, .. }
            | Self::Shared { product, .. }
            | Self::Returned { product, .. }
            | Self::Expired { product, .. }
            | Self::Denied { product, .. }
            | Self::Waits { product, .. }
            | Self::PassedOver { product, .. }
            | Self::LeftQueue { product, .. }
            | Self::Released { product, .. }
            | Self::Borrowed { product, .. }
            | Self::BorrowOver { product, .. }
            | Self::LimitSet { product, .. }
            | Self::NodeLimitsSet { product, .. }
            | Self::LicenseAdded { product, .. }
            | Self::LicenseRemoved { product, .. }
            | Self::LicenseEnded { product, .. } => Some(product),
            _ => None,
        }
    }

    /// The user and device whose seat it concerns.
    pub fn who(&self) -> Option<&Who> {
        match self {
            Self::Checkout { who, .. }
            | Self::Shared { who, .. }
            | Self::Returned { who, .. }
            | Self::Expired { who, .. }
            | Self::Denied { who, .. }
            | Self::Waits { who, .. }
            | Self::PassedOver { who, .. }
            | Self::LeftQueue { who, .. }
            | Self::Released { who, .. }
            | Self::Borrowed { who, .. }
            | Self::BorrowOver { who, .. } => Some(who),
            _ => None,
        }
    }

    /// The device it concerns.
    pub fn device(&self) -> Option<DeviceId> {
        match self {
            Self::DeviceAdmitted { device, .. }
            | Self::DeviceLeft { device, .. }
            | Self::DeviceRevoked { device, .. }
            | Self::DeviceSet { device, .. }
            | Self::Recovered { device, .. }
            | Self::DeviceLost { device, .. } => Some(*device),
            _ => self.who().map(|who| who.device),
        }
    }

    /// The seat it concerns.
    pub fn seat(&self) -> Option<SeatId> {
        match self {
            Self::Checkout { seat, .. }
            | Self::Shared { seat, .. }
            | Self::Returned { seat, .. }
            | Self::Expired { seat, .. }
            | Self::Released { seat, .. }
            | Self::Borrowed { seat, .. }
            | Self::BorrowOver { seat, .. } => Some(*seat),
            _ => None,
        }
    }
}
