//! What may be asked of an office, at random: mostly what makes sense there, so that the office goes on living, and now
//! and then what does not.

use std::collections::VecDeque;
use std::sync::LazyLock;

use seatkeeper_protocol::id::{DeviceId, InviteId, Name, RequestId, SeatId, SessionId};
use seatkeeper_protocol::limits::PRIORITY_MAX;
use seatkeeper_protocol::time::WallTime;

use super::admission::{FEATURES, LICENSES, VERSIONS};
use super::chance::Chance;
use super::inventory::{report, some_calculation, survey};
use super::office::{
    ADMIN, DAY_MS, VENDOR, add_admin, certificate, device, device_key, found, info, invite, license_file,
    name, product, sign, trust, want,
};
use super::organisation::organise;
use crate::command::{Actor, AdminRole, Borrow, Checkout, Command, DeviceSettings, Sealed, Whom};
use crate::state::SeatRecord;
use crate::{ActorKey, Ledger};

/// Devices that come and go.
const DEVICES: i64 = 24;
const INVITES: i64 = 8;
const USERS: [&str; 4] = ["eva", "max", "kim", "ida"];
/// A second admin, who comes and goes.
const BOB: (&str, u8) = ("bob", 60);

const GROUPS: [&str; 2] = ["team", "guests"];
const MINUTE_MS: i64 = 60_000;

/// What those of [`LICENSES`] say of borrowing.
const LENDS: [&str; LICENSES.len()] = [
    "\nborrow = { max_days = 30 }",
    "\nborrow = { max_days = 3, max_seats = 1 }\nlost = \"immediate\"",
    "",
    "\nborrow = { max_days = 2 }",
    "\nborrow = { max_days = 30 }\nlost = \"immediate\"",
    "\nborrow = { max_days = 30, max_seats = 2 }",
];

/// Beside [`LICENSES`]: id, product, version, seats, further lines.
const MORE_LICENSES: [(&str, &str, &str, u32, &str); 8] = [
    ("M0", "cad", "2026", 2, "share = \"none\"\nvalid_until = 2026-03-03\nborrow = { max_days = 30 }"),
    (
        "M1",
        "cad",
        "2026",
        2,
        "share = \"device\"\nborrow = { max_days = 30 }\nlost = \"immediate\"\nfeatures = [\"bim\"]\ndowngrade = [\"2025\", \"2024\"]",
    ),
    // A renewal of the renewal in LICENSES, and one that cannot be beside it.
    ("M2", "cad", "2026", 2, "features = [\"bim\"]\nreplaces = [\"L1\", \"L5\"]\nvalid_from = 2026-03-03"),
    ("M3", "cad", "2026", 1, "replaces = [\"L1\"]"),
    // Another product of the vendor, another vendor's, and another site's.
    ("M4", "cad-view", "2026", 2, "share = \"user\"\nborrow = { max_days = 30 }"),
    ("M5", "paint", "2026", 2, ""),
    ("M6", "cad", "2026", 9, "site = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
    // Another text with the id of one of LICENSES.
    ("L0", "cad", "2026", 3, ""),
];

/// The files, signed once: a signature takes as long as many commands.
static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let first = LICENSES.iter().zip(LENDS).enumerate().map(|(n, ((version, seats, more), lends))| {
        license_file(&format!("L{n}"), "cad", version, *seats, &format!("{more}{lends}"))
    });
    let more = MORE_LICENSES
        .iter()
        .map(|(id, product, version, seats, more)| license_file(id, product, version, *seats, more));
    first.chain(more).chain(["a license that is none".to_owned()]).collect()
});

/// The licenses that an office begins with.
pub(super) fn first_files() -> &'static [String] {
    &FILES[..4]
}

/// A request as its actor sends it.
#[derive(Clone, Debug)]
pub(super) enum By {
    Device(DeviceId),
    /// An admin, who signs with the key of this number.
    Admin(&'static str, u8),
}

impl By {
    pub(super) fn key(&self) -> ActorKey {
        match self {
            Self::Device(device) => ActorKey::Device(*device),
            Self::Admin(who, _) => ActorKey::Admin(name(who)),
        }
    }

    pub(super) fn actor(&self, request: RequestId, command: &Command) -> Actor {
        match self {
            Self::Device(device) => Actor::Device(*device),
            Self::Admin(who, key) => sign(who, *key, request, command),
        }
    }
}

/// One step of an office.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A new request.
    Ask(By, Command),
    /// A request with an id that is not above all before: of a gap, of one that was used, of an earlier epoch.
    AskLate(By, Command),
    /// One of the last requests arrives again.
    Again,
    Holder(DeviceId, Command),
    /// What the holder decided in another term.
    OtherTerm(DeviceId, Command),
    Bytes(Vec<u8>),
    /// An entry whose bytes are changed by [`damaged`].
    Damaged(By, Command),
    /// Milliseconds, may be negative.
    Time(i64),
    NewTerm,
    Restart,
}

/// Where a step is taken.
pub(super) struct Scene<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) now: WallTime,
    /// Sessions that were spoken of lately.
    pub(super) recent: &'a VecDeque<(DeviceId, SessionId)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Device,
    Admin,
    Holder,
    Again,
    AskLate,
    OtherTerm,
    Bytes,
    Damaged,
    Time,
    NewTerm,
    Restart,
}

/// Of 1,000 steps. A signature takes as long as many other commands, a restart as many more.
const KINDS: [(usize, Kind); 11] = [
    (560, Kind::Device),
    (68, Kind::Admin),
    (110, Kind::Holder),
    (130, Kind::Again),
    (30, Kind::AskLate),
    (20, Kind::OtherTerm),
    (12, Kind::Bytes),
    (40, Kind::Damaged),
    (10, Kind::Time),
    (10, Kind::NewTerm),
    (10, Kind::Restart),
];

pub(super) fn step(chance: &mut Chance, scene: &Scene<'_>) -> Step {
    match chance.weighted(&KINDS) {
        Kind::Device => {
            let (device, command) = scene.by_device(chance);
            Step::Ask(By::Device(device), command)
        }
        Kind::Admin => Step::Ask(admin(chance), scene.by_admin(chance)),
        Kind::Holder => Step::Holder(scene.holder(chance), scene.by_holder(chance)),
        Kind::Again => Step::Again,
        Kind::AskLate => {
            let (device, command) = scene.by_device(chance);
            Step::AskLate(By::Device(device), command)
        }
        Kind::OtherTerm => Step::OtherTerm(scene.holder(chance), scene.by_holder(chance)),
        Kind::Bytes => {
            let len = chance.index(60);
            Step::Bytes((0..len).map(|_| chance.small(0..=255)).collect())
        }
        Kind::Damaged if chance.one_in(8) => Step::Damaged(admin(chance), scene.by_admin(chance)),
        Kind::Damaged => {
            let (device, command) = scene.by_device(chance);
            Step::Damaged(By::Device(device), command)
        }
        Kind::Time => Step::Time(chance.range(-DAY_MS..=4 * DAY_MS)),
        Kind::NewTerm => Step::NewTerm,
        Kind::Restart => Step::Restart,
    }
}

/// Changes, cuts or lengthens the bytes of an entry.
pub(super) fn damaged(chance: &mut Chance, mut bytes: Vec<u8>) -> Vec<u8> {
    let at = chance.index(bytes.len());
    match chance.index(8) {
        0 => bytes.truncate(at),
        1 => bytes.push(chance.small(0..=255)),
        2 => bytes.insert(at, chance.small(0..=255)),
        3 => _ = bytes.remove(at),
        _ => bytes[at] ^= 1 << chance.index(8),
    }
    bytes
}

/// Mostly the first admin; at times the second one, whether or not he is one; rarely somebody with another key.
fn admin(chance: &mut Chance) -> By {
    match chance.index(20) {
        0..=15 => By::Admin("ada", ADMIN),
        16..=18 => By::Admin(BOB.0, BOB.1),
        _ => By::Admin("ada", BOB.1),
    }
}

impl Scene<'_> {
    fn some_device(&self, chance: &mut Chance) -> DeviceId {
        let devices = self.ledger.devices();
        match chance.index(devices.len().max(1)) {
            _ if chance.one_in(25) => any_device(chance),
            nth => self.ledger.devices().nth(nth).map_or_else(|| device(0), |(id, _)| *id),
        }
    }

    fn holder(&self, chance: &mut Chance) -> DeviceId {
        match self.ledger.devices().next() {
            Some((first, _)) if !chance.one_in(30) => *first,
            _ => any_device(chance),
        }
    }

    fn some_session(&self, chance: &mut Chance) -> Option<SessionId> {
        let sessions = self.ledger.sessions();
        let nth = chance.index(sessions.len().max(1));
        self.ledger.sessions().nth(nth).map(|(id, _)| *id)
    }

    fn session_of(&self, device: &DeviceId, chance: &mut Chance) -> Option<SessionId> {
        let nth = chance.index(self.ledger.sessions_of(device).count().max(1));
        self.ledger.sessions_of(device).nth(nth).map(|(id, _)| *id)
    }

    /// Somebody who waits; `of`: on this device.
    fn some_waiting(&self, of: Option<&DeviceId>, chance: &mut Chance) -> Option<SessionId> {
        let on = |known: &DeviceId| of.is_none_or(|of| of == known);
        let waiting = self.ledger.waiting().filter(|(_, waiting)| on(&waiting.device));
        let waiting: Vec<SessionId> = waiting.map(|(id, _)| *id).collect();
        (!waiting.is_empty()).then(|| chance.pick(&waiting))
    }

    /// A borrowed seat: device, seat, serial.
    fn some_borrow(&self, chance: &mut Chance) -> Option<(DeviceId, SeatId, u64)> {
        let borrow = |(id, seat): (&SeatId, &SeatRecord)| {
            seat.borrow.as_ref().map(|borrow| (borrow.device, *id, borrow.serial))
        };
        let borrows: Vec<_> = self.ledger.seats().filter_map(borrow).collect();
        (!borrows.is_empty()).then(|| chance.pick(&borrows))
    }

    /// Mostly the attach that the session has; now and then another.
    fn attach(&self, id: &SessionId, chance: &mut Chance) -> u32 {
        let waits = self.ledger.waiting_session(id).map(|waiting| waiting.attach);
        match self.ledger.session(id).map(|session| session.attach).or(waits) {
            Some(attach) if !chance.one_in(6) => attach,
            Some(attach) => attach.saturating_sub(chance.small(0..=2)),
            None => chance.small(1..=4),
        }
    }

    pub(super) fn by_device(&self, chance: &mut Chance) -> (DeviceId, Command) {
        let device = self.some_device(chance);
        match chance.index(206) {
            0..=79 => {
                let (device, want) = self.checkout(device, chance);
                (device, Command::Checkout(want))
            }
            80..=105 => self.wait(device, chance),
            106..=165 => self.give_back(device, chance),
            166..=177 => (device, Command::Borrow(self.borrow(&device, chance))),
            178..=184 => self.return_borrow(device, chance),
            185..=189 => self.go_online(device, chance),
            190..=195 => (device, Command::Describe(info(chance.pick(&["renamed", "moved"])))),
            196 => (device, Command::Leave),
            200.. => (device, report(chance)),
            _ => (device, if chance.one_in(2) { self.by_admin(chance) } else { self.by_holder(chance) }),
        }
    }

    fn checkout(&self, device: DeviceId, chance: &mut Chance) -> (DeviceId, Checkout) {
        let (device, session) = match chance.index(20) {
            0..=12 => (device, None),
            13..=15 => (device, self.session_of(&device, chance)),
            16 => (device, self.some_session(chance)),
            17 => (device, self.some_waiting(Some(&device), chance)),
            _ if self.recent.is_empty() => (device, None),
            _ => {
                let (device, session) = self.recent[chance.index(self.recent.len())];
                (device, Some(session))
            }
        };
        let session = session.unwrap_or_else(|| new_session(chance));
        (device, self.wants(session, chance))
    }

    /// What the program asked for that has the session, or waits for a seat: it comes back.
    fn wants(&self, session: SessionId, chance: &mut Chance) -> Checkout {
        let another = chance.one_in(8);
        if let Some(waiting) = self.ledger.waiting_session(&session).filter(|_| !another) {
            return Checkout { pid: Some(chance.small(1..=9)), ..waiting.want.clone() };
        }
        let known = self.ledger.session(&session).filter(|_| !another);
        match known.and_then(|known| Some((known, self.ledger.seat(known.seat)?))) {
            Some((known, seat)) => Checkout {
                session,
                user: known.user.clone(),
                product: seat.product.clone(),
                version: known.asked_version.clone(),
                features: known.features.clone(),
                pid: Some(chance.small(1..=9)),
            },
            None => {
                let what = match chance.index(20) {
                    0 => "paint".to_owned(),
                    1..=2 => "cad-view".to_owned(),
                    3..=9 => format!("cad{}{}", chance.pick(&VERSIONS), chance.pick(&FEATURES)),
                    _ => chance.pick(&["cad", "cad@2026", "cad@2026+bim", "cad@2025"]).to_owned(),
                };
                Checkout { session, ..want(0, chance.pick(&USERS), &what) }
            }
        }
    }

    fn wait(&self, device: DeviceId, chance: &mut Chance) -> (DeviceId, Command) {
        if chance.one_in(2)
            && let Some(session) = self.some_waiting(None, chance)
            && let Some(waiting) = self.ledger.waiting_session(&session)
        {
            let device = if chance.one_in(12) { device } else { waiting.device };
            return (device, Command::Wait(self.wants(session, chance)));
        }
        let (device, want) = self.checkout(device, chance);
        (device, Command::Wait(want))
    }

    fn give_back(&self, device: DeviceId, chance: &mut Chance) -> (DeviceId, Command) {
        let (device, session) = match chance.index(10) {
            0..=6 => (device, self.session_of(&device, chance)),
            7 => (device, self.some_waiting(Some(&device), chance)),
            8 => (device, self.some_session(chance)),
            // Before its checkout: that one will be late.
            _ => (device, None),
        };
        let session = session.unwrap_or_else(|| new_session(chance));
        let attach = (!chance.one_in(4)).then(|| self.attach(&session, chance));
        (device, Command::Return { session, attach })
    }

    /// What somebody borrows on a device: mostly for minutes or days, now and then longer than it may be; often what a
    /// program there uses, or what is borrowed there already.
    fn borrow(&self, device: &DeviceId, chance: &mut Chance) -> Borrow {
        let session = if chance.one_in(2) { self.session_of(device, chance) } else { None };
        let Checkout { user, product, version, features, .. } =
            self.wants(session.unwrap_or_else(|| new_session(chance)), chance);
        let own = self.ledger.borrowed_by(device).next().filter(|_| chance.one_in(3));
        let (user, product) =
            own.map_or((user, product), |(_, seat, own)| (own.user.clone(), seat.product.clone()));
        let ms = match chance.index(20) {
            0 => -MINUTE_MS,
            1 => 31 * DAY_MS,
            2..=9 => chance.range(MINUTE_MS..=30 * MINUTE_MS),
            _ => chance.range(MINUTE_MS..=3 * DAY_MS),
        };
        Borrow { user, product, version, features, until: self.now.plus_ms(ms) }
    }

    fn return_borrow(&self, device: DeviceId, chance: &mut Chance) -> (DeviceId, Command) {
        let (own, seat, serial) = self.some_borrow(chance).unwrap_or((device, SeatId(1), 1));
        let device = if chance.one_in(12) { device } else { own };
        (device, Command::ReturnBorrow { seat, serial: serial - u64::from(chance.one_in(8)) })
    }

    /// A program on a borrowed seat: mostly what it was borrowed for.
    fn go_online(&self, device: DeviceId, chance: &mut Chance) -> (DeviceId, Command) {
        let (own, id, _) = self.some_borrow(chance).unwrap_or((device, SeatId(1), 1));
        let device = if chance.one_in(12) { device } else { own };
        let session = if chance.one_in(8) { self.session_of(&device, chance) } else { None };
        let mut start = self.wants(session.unwrap_or_else(|| new_session(chance)), chance);
        let borrow = self.ledger.seat(id).and_then(|seat| Some((seat, seat.borrow.as_ref()?)));
        if let Some((seat, borrow)) = borrow.filter(|_| !chance.one_in(8)) {
            start.product = seat.product.clone();
            start.version = (!chance.one_in(3)).then(|| borrow.version.clone());
            start.features.clone_from(&borrow.features);
            start.user = borrow.user.clone();
        }
        (device, Command::GoOnline { seat: id, start })
    }

    fn by_holder(&self, chance: &mut Chance) -> Command {
        match chance.index(104) {
            100.. => some_calculation(self.ledger, chance),
            0..=46 => {
                let waits = if chance.one_in(6) { self.some_waiting(None, chance) } else { None };
                let id = waits.or_else(|| self.some_session(chance)).unwrap_or(SessionId([0; 16]));
                Command::Expire { session: id, attach: self.attach(&id, chance) }
            }
            47..=58 => {
                let id = self.some_waiting(None, chance).unwrap_or(SessionId([0; 16]));
                Command::PassOver { session: id, attach: self.attach(&id, chance) }
            }
            59..=66 => {
                let over = self.ledger.borrows_to_end(self.now).next().filter(|_| !chance.one_in(8));
                let any = || self.some_borrow(chance).map(|(_, seat, serial)| (seat, serial));
                let (seat, serial) = over.or_else(any).unwrap_or((SeatId(1), 1));
                Command::EndBorrow { seat, serial }
            }
            67..=76 => Command::AdmitInvited {
                invite: invite_id(chance),
                key: device_key(chance.small(0..=DEVICES - 1)),
                info: info("invited"),
            },
            77..=84 => Command::SealPoolKey {
                device: self.some_device(chance),
                number: self.pool_key_number(chance),
                sealed: Sealed(vec![1; 8]),
            },
            85..=90 => Command::EndLicense { license: self.some_license(chance) },
            91..=97 => {
                let over = self.ledger.licenses_to_end(self.now).next().cloned();
                Command::EndLicense { license: over.unwrap_or_else(|| self.some_license(chance)) }
            }
            98 => Command::Found(Box::new(found())),
            _ => Command::Leave,
        }
    }

    fn by_admin(&self, chance: &mut Chance) -> Command {
        match chance.index(186) {
            156..=169 => survey(chance),
            170.. => organise(self.ledger, chance),
            130..=148 => organise(self.ledger, chance),
            149..=150 => Command::RevokeInvite { invite: invite_id(chance) },
            100..=109 => self.lose(chance),
            110..=119 => self.limit(chance),
            120..=124 => {
                let members = USERS.iter().filter(|_| !chance.one_in(3)).map(|user| name(user)).collect();
                let members = if chance.one_in(4) { Vec::new() } else { members };
                Command::SetGroup { group: name(chance.pick(&GROUPS)), members }
            }
            125..=129 => {
                let priority =
                    if chance.one_in(3) { 0 } else { chance.small(1..=i64::from(PRIORITY_MAX) + 1) };
                Command::SetPriority { whom: self.whom(chance), priority }
            }
            0..=29 => Command::AddLicense { text: chance.pick(&FILES) },
            30..=36 => Command::RemoveLicense { license: self.some_license(chance) },
            37..=52 | 151..=154 => {
                Command::Admit { key: device_key(chance.small(0..=DEVICES - 1)), info: info("admitted") }
            }
            53..=55 => Command::RevokeDevice { device: self.some_device(chance) },
            56..=67 => {
                let session = self.some_session(chance).and_then(|id| self.ledger.session(&id));
                Command::ReleaseSeat { seat: session.map_or(SeatId(1), |session| session.seat) }
            }
            68..=75 | 98 => invite(chance.small(0..=INVITES - 1), chance.small(1..=3)),
            76..=77 => Command::RevokeInvite { invite: invite_id(chance) },
            78..=82 => {
                let settings = DeviceSettings { always_on: Some(true), ..DeviceSettings::default() };
                Command::SetDevice { device: self.some_device(chance), settings }
            }
            83..=88 => {
                add_admin(BOB.0, BOB.1, chance.pick(&[AdminRole::Admin, AdminRole::Admin, AdminRole::Reader]))
            }
            89..=91 | 155 => Command::RemoveAdmin { name: name(chance.pick(&[BOB.0, BOB.0, "nobody"])) },
            92..=93 => trust("acme", VENDOR, chance.pick(&[&["cad"], &["cad", "bim"]])),
            94..=97 => {
                let number = self.pool_key_number(chance).saturating_add(chance.small(0..=1));
                let sealed = vec![(self.some_device(chance), Sealed(vec![1]))];
                Command::RotatePoolKey { certificate: certificate(number), sealed }
            }
            _ => Command::Leave,
        }
    }

    /// A device is lost, or mostly found if one is lost.
    fn lose(&self, chance: &mut Chance) -> Command {
        let lost = self.ledger.devices().find(|(_, record)| record.lost.is_some());
        match lost.filter(|_| !chance.one_in(3)) {
            Some((device, _)) => Command::LoseDevice { device: *device, lost: false },
            None => Command::LoseDevice { device: self.some_device(chance), lost: !chance.one_in(8) },
        }
    }

    /// Limits come and go.
    fn limit(&self, chance: &mut Chance) -> Command {
        let known = self.ledger.limits().next().map(|(product, whom, ..)| (product.clone(), whom.clone()));
        match known.filter(|_| chance.one_in(2)) {
            Some((product, whom)) => Command::SetLimit { product, whom, seats: None },
            None => Command::SetLimit {
                product: product(chance.pick(&["cad", "cad", "cad", "cad-view"])),
                whom: self.whom(chance),
                seats: Some(chance.small(0..=3)),
            },
        }
    }

    fn whom(&self, chance: &mut Chance) -> Whom {
        match chance.index(4) {
            0 | 1 => Whom::User(name(chance.pick(&USERS))),
            2 => Whom::Group(name(chance.pick(&GROUPS))),
            _ => Whom::Device(self.some_device(chance)),
        }
    }

    fn pool_key_number(&self, chance: &mut Chance) -> u32 {
        let current = self.ledger.pool_key().map_or(1, |key| key.certificate.number);
        if chance.one_in(8) { 1 } else { current }
    }

    fn some_license(&self, chance: &mut Chance) -> Name {
        let nth = chance.index(self.ledger.licenses().len().max(1));
        match self.ledger.licenses().nth(nth) {
            Some((id, _)) if !chance.one_in(10) => id.clone(),
            _ => name("L1"),
        }
    }
}

fn any_device(chance: &mut Chance) -> DeviceId {
    device(chance.small(0..=DEVICES - 1))
}

fn new_session(chance: &mut Chance) -> SessionId {
    let (high, low) = (u128::from(chance.number()), u128::from(chance.number()));
    SessionId((high << 64 | low).to_le_bytes())
}

fn invite_id(chance: &mut Chance) -> InviteId {
    InviteId([chance.small(0..=INVITES - 1); 16])
}
