//! An office on a ledger and its twin: a replica that applies the same entries.

use std::sync::LazyLock;

use ed25519_dalek::{Signer, SigningKey};
use seatkeeper_protocol::id::{
    DeviceId, Feature, Generation, InviteId, Name, ProductId, PublicKey, RequestId, SeatId, SessionId,
    Version,
};
use seatkeeper_protocol::license;
use seatkeeper_protocol::ticket::PoolKeyCertificate;
use seatkeeper_protocol::time::WallTime;

use crate::admission::Need;
use crate::command::{
    Actor, AdminRole, Borrow, Borrowed, Checkout, Command, DeviceInfo, Entry, Form, Found, Grant, InviteKey,
    Outcome, Refusal, Sealed, Waiting, admin_message,
};
use crate::ledger::Ledger;
use crate::state::Index;
use crate::{encode, snapshot};

/// 2026-03-01T12:00:00Z.
pub(crate) const START: WallTime = WallTime(1_772_366_400_000);
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
pub(super) const GENERATION: Generation = Generation { number: 1, id: [9; 16] };

/// Made once: a random office asks for them all the time.
static KEYS: LazyLock<Vec<SigningKey>> =
    LazyLock::new(|| (0..=u8::MAX).map(|n| SigningKey::from_bytes(&[n; 32])).collect());

pub(super) fn key(n: u8) -> SigningKey {
    KEYS[usize::from(n)].clone()
}

pub(super) fn public(n: u8) -> PublicKey {
    PublicKey(KEYS[usize::from(n)].verifying_key().to_bytes())
}

/// The key of device `n`; the first is 0.
pub(super) fn device_key(n: u8) -> PublicKey {
    public(100 + n)
}

pub(super) fn device(n: u8) -> DeviceId {
    device_key(n).device()
}

pub(super) const ROOT: u8 = 1;
pub(super) const POOL: u8 = 2;
pub(super) const VENDOR: u8 = 3;
pub(super) const ADMIN: u8 = 4;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn product(text: &str) -> ProductId {
    ProductId::new(text).unwrap()
}

pub(super) fn session(n: u8) -> SessionId {
    SessionId([n; 16])
}

pub(super) fn info(text: &str) -> DeviceInfo {
    DeviceInfo { name: name(text), form: Form::Desktop, version: name("0.1.0") }
}

pub(super) fn certificate(number: u32) -> PoolKeyCertificate {
    PoolKeyCertificate::sign(&key(ROOT), GENERATION, number, public(POOL))
}

/// A signed license: `more` are further lines of the file.
pub(crate) fn license_file(id: &str, product: &str, version: &str, seats: u32, more: &str) -> String {
    let text = format!(
        "# Seatkeeper license v1\nid-line\nvendor = \"acme\"\ncustomer = \"Office\"\nissued = 2026-01-01\n\
         product = \"{product}\"\ntitle = \"A product\"\nversion = \"{version}\"\nseats = {seats}\n{more}\n"
    )
    .replace("id-line", &format!("license = \"{id}\""));
    license::sign(&text, &key(VENDOR)).unwrap()
}

/// `product[@version][+feature]`.
pub(super) fn want(session_number: u8, user: &str, what: &str) -> Checkout {
    let (what, feature) = what.split_once('+').map_or((what, None), |(what, feature)| (what, Some(feature)));
    let (what, version) = what.split_once('@').map_or((what, None), |(what, version)| (what, Some(version)));
    Checkout {
        session: session(session_number),
        user: name(user),
        product: product(what),
        version: version.map(|version| Version::new(version).unwrap()),
        features: feature.into_iter().map(|feature| Feature::new(feature).unwrap()).collect(),
        pid: Some(1_000 + u32::from(session_number)),
    }
}

pub(super) struct Office {
    pub(super) ledger: Ledger,
    twin: Ledger,
    pub(super) index: u64,
    pub(super) term: u64,
    pub(super) time: WallTime,
    counter: u64,
    /// How many running seats were moved in the books to make room.
    pub(super) moves: usize,
    /// How many grants there were while a license was over-committed.
    pub(super) grants_beside_over: usize,
}

impl Office {
    /// A ledger before its first entry.
    pub(super) fn empty() -> Self {
        let (ledger, twin) = (Ledger::new(), Ledger::new());
        Self { ledger, twin, index: 0, term: 1, time: START, counter: 0, moves: 0, grants_beside_over: 0 }
    }

    /// A site with devices 0 to 2 (`ws-0` …), the admin `ada` and the trusted vendor `acme` for `cad`.
    pub(super) fn open() -> Self {
        let mut office = Self::empty();
        office.done_by_holder(Command::Found(Box::new(found())));
        for n in 1..3 {
            let info = info(&format!("ws-{n}"));
            office.done_by_admin(Command::Admit { key: device_key(n), info });
        }
        office.done_by_admin(trust("acme", VENDOR, &["cad"]));
        office
    }

    /// [`Office::open`] with one license.
    pub(super) fn with_license(seats: u32, more: &str) -> Self {
        let mut office = Self::open();
        office.add_license("L1", "cad", "2026", seats, more);
        office
    }

    pub(super) fn add_license(&mut self, id: &str, product: &str, version: &str, seats: u32, more: &str) {
        self.done_by_admin(Command::AddLicense { text: license_file(id, product, version, seats, more) });
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        self.counter += 1;
        RequestId { epoch: 1, counter: self.counter }
    }

    /// Applies an entry and checks all that must hold.
    pub(super) fn apply_bytes(&mut self, bytes: &[u8]) -> Outcome {
        let outcome = self.commit(bytes);
        self.check();
        outcome
    }

    /// Applies an entry and checks what is quickly checked.
    pub(super) fn commit(&mut self, bytes: &[u8]) -> Outcome {
        self.index += 1;
        let outcome = self.ledger.apply(self.index, self.term, bytes);
        match &outcome {
            Outcome::Granted(grant) => self.check_grant(grant.seat, grant.issued),
            Outcome::Borrowed(borrowed) => self.check_grant(borrowed.seat, borrowed.issued),
            _ => {}
        }
        let twin = self.twin.apply(self.index, self.term, bytes);
        assert_eq!(outcome, twin, "I5: the twin answers otherwise");
        assert_eq!(self.ledger.hash(), self.twin.hash(), "I5: another hash");
        assert_eq!(self.ledger.bug(), None, "I11: a broken invariant");
        outcome
    }

    /// What was over-committed may stay so, but neither a grant nor a borrow adds to it (I1). The twin is asked for the books before the
    /// grant, so it must not have applied it yet.
    fn check_grant(&mut self, granted: SeatId, issued: WallTime) {
        let over = |ledger: &Ledger| {
            let pools = ledger.pools(issued).into_iter().filter(|pool| pool.over > 0);
            pools.map(|pool| (pool.license, pool.over)).collect::<Vec<_>>()
        };
        let after = over(&self.ledger);
        if !after.is_empty() {
            self.grants_beside_over += 1;
            let before = over(&self.twin);
            let more = after.iter().find(|(id, over)| {
                before.iter().find(|(other, _)| other == id).is_none_or(|(_, before)| before < over)
            });
            assert_eq!(more, None, "I1: beyond the seats by the grant of {granted}");
        }
        super::divided::check_grant(&self.twin, &self.ledger, issued);
        let (before, after) = (&self.twin.state.seats, &self.ledger.state.seats);
        let moved = after
            .iter()
            .filter(|(id, seat)| before.get(id).is_some_and(|before| before.license != seat.license));
        self.moves += moved.count();
    }

    pub(super) fn apply(&mut self, actor: Actor, request: RequestId, term: u64, command: Command) -> Outcome {
        let entry = Entry { time: self.time, term, actor, request, command };
        self.apply_bytes(&encode(&entry).unwrap())
    }

    pub(super) fn by_device(&mut self, n: u8, command: Command) -> Outcome {
        let request = self.next_request();
        self.apply(Actor::Device(device(n)), request, self.term, command)
    }

    pub(super) fn by_holder(&mut self, command: Command) -> Outcome {
        let request = RequestId { epoch: 0, counter: 0 };
        self.apply(Actor::Holder(device(0)), request, self.term, command)
    }

    pub(super) fn by_admin(&mut self, command: Command) -> Outcome {
        let request = self.next_request();
        self.apply(sign("ada", ADMIN, request, &command), request, self.term, command)
    }

    pub(super) fn done_by_admin(&mut self, command: Command) {
        assert_eq!(self.by_admin(command), Outcome::Done);
    }

    pub(super) fn done_by_holder(&mut self, command: Command) {
        assert_eq!(self.by_holder(command), Outcome::Done);
    }

    pub(super) fn checkout(&mut self, n: u8, want: Checkout) -> Outcome {
        self.by_device(n, Command::Checkout(want))
    }

    pub(super) fn granted(&mut self, n: u8, want: Checkout) -> Grant {
        match self.checkout(n, want) {
            Outcome::Granted(grant) => grant,
            other => panic!("not granted: {other:?}"),
        }
    }

    pub(super) fn refused(&mut self, n: u8, want: Checkout) -> Refusal {
        refusal(self.checkout(n, want))
    }

    pub(super) fn wait(&mut self, n: u8, want: Checkout) -> Outcome {
        self.by_device(n, Command::Wait(want))
    }

    /// Waits; the place in the queue.
    pub(super) fn waits(&mut self, n: u8, want: Checkout) -> Waiting {
        match self.wait(n, want) {
            Outcome::Waiting(waiting) => *waiting,
            other => panic!("not in the queue: {other:?}"),
        }
    }

    pub(super) fn give_back(&mut self, n: u8, session_number: u8, attach: Option<u32>) -> Outcome {
        self.by_device(n, Command::Return { session: session(session_number), attach })
    }

    pub(super) fn expire(&mut self, session_number: u8, attach: u32) -> Outcome {
        self.by_holder(Command::Expire { session: session(session_number), attach })
    }

    pub(super) fn release(&mut self, seat: SeatId) -> Outcome {
        self.by_admin(Command::ReleaseSeat { seat })
    }

    /// Borrows; the seat.
    pub(super) fn borrows(&mut self, n: u8, user: &str, what: &str, days: i64) -> Borrowed {
        match self.borrow(n, user, what, days) {
            Outcome::Borrowed(borrowed) => *borrowed,
            other => panic!("not borrowed: {other:?}"),
        }
    }

    pub(super) fn borrow(&mut self, n: u8, user: &str, what: &str, days: i64) -> Outcome {
        let Checkout { user, product, version, features, .. } = want(0, user, what);
        let until = self.time.plus_ms(days * DAY_MS);
        self.by_device(n, Command::Borrow(Borrow { user, product, version, features, until }))
    }

    /// Gives a borrowed seat back.
    pub(super) fn return_borrow(&mut self, n: u8, borrowed: &Borrowed) -> Outcome {
        self.by_device(n, Command::ReturnBorrow { seat: borrowed.seat, serial: borrowed.serial })
    }

    pub(super) fn end_borrow(&mut self, borrowed: &Borrowed) -> Outcome {
        self.by_holder(Command::EndBorrow { seat: borrowed.seat, serial: borrowed.serial })
    }

    /// `license: online+borrowed/owned over` of each license.
    pub(super) fn books(&self) -> String {
        let pools = self.ledger.pools(self.time);
        let lines = pools.iter().map(|pool| {
            let over = if pool.over > 0 { format!(" over {}", pool.over) } else { String::new() };
            let lent = pool.borrowers.len();
            let lent = if lent > 0 { format!("+{lent}") } else { String::new() };
            format!("{}: {}{lent}/{}{over}", pool.license, pool.online, pool.owned)
        });
        lines.collect::<Vec<_>>().join(", ")
    }

    /// The kinds of the records from `seq` on.
    pub(super) fn happened_since(&self, seq: u64) -> Vec<&'static str> {
        let records = self.ledger.records().filter(|record| record.seq >= seq);
        records
            .map(|record| {
                assert!(!record.what.text().is_empty());
                record.what.kind()
            })
            .collect()
    }

    /// A restart from a snapshot: the twin goes on from it, and [`Office::apply_bytes`] compares.
    pub(super) fn restart_twin(&mut self) {
        assert!(self.twin == self.ledger, "I5: before the restart");
        let snapshot = self.ledger.snapshot();
        self.twin = Ledger::restore(&snapshot).unwrap();
        assert!(self.twin == self.ledger, "I5: restored");
        assert_eq!(self.twin.hash(), self.ledger.hash());
        assert_eq!(self.twin.audit_head(), self.ledger.audit_head());
        assert_eq!(self.twin.snapshot(), snapshot);
    }

    /// What holds after every entry.
    pub(super) fn check(&self) {
        let state = &self.ledger.state;
        assert_eq!(self.ledger.hash(), self.twin.hash(), "I5");
        assert_eq!(self.ledger.bug(), None);
        assert_eq!(snapshot::check(state), Ok(()));
        assert_eq!(Index::build(state), self.ledger.by, "the index is what the state says");
        for pool in self.ledger.pools(self.time) {
            let license = self.ledger.license(&pool.license).unwrap();
            // Who ran on a replaced license is one too many if the new one has fewer seats.
            let exempt = license.removed
                || license.ended.is_some()
                || !license.license().replaces.is_empty()
                // What ran when the site was recovered may be out by now, and is withheld besides.
                || state.seats.values().any(|seat| seat.device == crate::WITHHELD);
            assert!(
                exempt
                    || pool.online + u32::try_from(pool.borrowers.len()).unwrap() <= license.license().seats,
                "I1: {}",
                self.books()
            );
        }
        for (id, seat) in &state.seats {
            let license = state.licenses[&seat.license].license();
            let need = Need { pinned: false, ..seat.need(&state.sessions) };
            assert!(need.fits(license), "seat {id} is on {}, which is not for it", license.id);
        }
    }
}

pub(super) fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Refused(refusal) => {
            assert!(!refusal.to_string().is_empty());
            refusal
        }
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn sign(admin: &str, key_number: u8, request: RequestId, command: &Command) -> Actor {
    let site = public(ROOT).site();
    let message = admin_message(&site, &GENERATION, &name(admin), &request, command).unwrap();
    Actor::Admin { name: name(admin), signature: key(key_number).sign(&message).to_bytes().to_vec() }
}

pub(super) fn found() -> Found {
    Found {
        name: name("Office"),
        root: public(ROOT),
        generation: GENERATION,
        sealed_root: Sealed(vec![1; 60]),
        certificate: certificate(1),
        sealed_pool_key: Sealed(vec![2; 60]),
        device: device_key(0),
        info: info("ws-0"),
        admin: name("ada"),
        admin_key: public(ADMIN),
    }
}

pub(super) fn trust(vendor: &str, key_number: u8, prefixes: &[&str]) -> Command {
    let prefixes = prefixes.iter().map(|prefix| product(prefix)).collect();
    Command::TrustVendor { name: name(vendor), key: public(key_number), prefixes }
}

pub(super) fn invite(n: u8, uses: u32) -> Command {
    let ends = START.plus_ms(DAY_MS);
    Command::CreateInvite { invite: InviteId([n; 16]), key: InviteKey([n; 16]), ends, uses }
}

pub(super) fn add_admin(text: &str, key_number: u8, role: AdminRole) -> Command {
    Command::AddAdmin { name: name(text), key: public(key_number), role }
}
