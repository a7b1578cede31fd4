//! What happened in random offices, counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::Happening;
use crate::command::{Command, Outcome, Refusal};
use crate::records::BorrowOver;

/// How often something happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    happened: BTreeMap<&'static str, u64>,
    /// By command: how often it was asked for, and how often it was not refused.
    commands: BTreeMap<&'static str, [u64; 2]>,
}

impl Counts {
    pub(super) fn add(&mut self, what: &'static str, many: u64) {
        *self.happened.entry(what).or_default() += many;
    }

    /// A command was applied.
    pub(super) fn asked(&mut self, command: &'static str, done: bool) {
        let counts = self.commands.entry(command).or_default();
        counts[0] += 1;
        counts[1] += u64::from(done);
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        others.happened.iter().for_each(|(what, many)| self.add(what, *many));
        for (command, many) in &others.commands {
            let counts = self.commands.entry(command).or_default();
            counts.iter_mut().zip(many).for_each(|(count, many)| *count += many);
        }
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        self.happened.get(what).copied().unwrap_or_default()
    }

    /// How often a command was asked for, and how often it was not refused.
    pub(super) fn of_command(&self, command: &str) -> [u64; 2] {
        self.commands.get(command).copied().unwrap_or_default()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.happened.iter().try_for_each(|(what, many)| writeln!(f, "{many:>9}  {what}"))?;
        let mut commands = self.commands.iter();
        commands.try_for_each(|(command, [asked, done])| writeln!(f, "{asked:>9}  {command}, done {done}"))
    }
}

/// All commands, by one list: one that is new does not compile before it stands here.
macro_rules! variants {
    ($($name:ident),* $(,)?) => {
        /// The names of all commands.
        pub(super) const VARIANTS: &[&str] = &[$(stringify!($name)),*];

        /// A command's name.
        pub(super) fn variant(command: &Command) -> &'static str {
            match command {
                $(Command::$name { .. } => stringify!($name)),*
            }
        }
    };
}

variants![
    Found,
    Checkout,
    Wait,
    Return,
    Describe,
    Leave,
    Expire,
    PassOver,
    AdmitInvited,
    SealPoolKey,
    EndLicense,
    CreateInvite,
    RevokeInvite,
    Admit,
    RevokeDevice,
    SetDevice,
    AddAdmin,
    RemoveAdmin,
    TrustVendor,
    AddLicense,
    RemoveLicense,
    ReleaseSeat,
    RotatePoolKey,
    Borrow,
    ReturnBorrow,
    GoOnline,
    EndBorrow,
    LoseDevice,
    SetLimit,
    SetGroup,
    SetPriority,
    SetNodes,
    SetPlacement,
    SetPurchases,
    RemovePurchase,
    Allocate,
    SetStopAtLegal,
    Report,
    SetCatalog,
    ImportMachines,
    RemoveMachines,
    TakeExport,
    Calculated,
    SetNodeLimits,
    Recover,
];

pub(super) fn kind_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Granted(_) => "granted",
        Outcome::Waiting(_) => "waiting",
        Outcome::Borrowed(_) => "borrowed",
        Outcome::Refused(refusal) => match refusal {
            Refusal::NoSeat(_) => "no seat",
            Refusal::NotLicensed { .. } => "not licensed",
            Refusal::Stale { .. } => "stale",
            Refusal::SessionEnded => "session ended",
            Refusal::Superseded => "superseded",
            Refusal::OtherTerm { .. } => "other term",
            Refusal::NotPermitted(_) => "not permitted",
            Refusal::NotFound(_) => "not found",
            Refusal::Conflict(_) => "conflict",
            Refusal::Limit { .. } => "limit",
            Refusal::Invalid(_) => "invalid",
            Refusal::UnknownFormat => "unknown format",
            Refusal::Bug(_) => "bug",
            Refusal::OverLimit(_) => "over limit",
            Refusal::OverNodeLimit(_) => "over limit of a node",
        },
    }
}

pub(super) fn happened(what: &Happening) -> &'static str {
    match what {
        Happening::Returned { free: false, .. } => "return of a shared seat",
        Happening::Expired { free: false, .. } => "expire of a shared seat",
        Happening::DeviceAdmitted { by: None, .. } => "device-invited",
        Happening::Borrowed { prolonged: true, .. } => "borrow prolonged",
        Happening::BorrowOver { how: BorrowOver::Returned, .. } => "borrow given back",
        Happening::BorrowOver { how: BorrowOver::Ended, .. } => "borrow ended",
        Happening::BorrowOver { how: BorrowOver::Lost, .. } => "borrow of a lost device",
        Happening::LeftQueue { expired: true, .. } => "expire of a place in the queue",
        other => other.kind(),
    }
}
