//! An office of which anything is asked at random, and what must hold after each command: I1 and I5 by
//! [`Office::commit`], here I4, I8 and I11.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;

use seatkeeper_protocol::id::{DeviceId, RequestId, SessionId};
use seatkeeper_protocol::limits;

mod compare;

use super::chance::Chance;
use super::counts::{Counts, happened, kind_of, variant};
use super::holds::Before;
use super::office::{Office, START};
use super::organisation::first_nodes;
use super::steps::{self, By, Scene, Step};
use crate::command::{Actor, Borrowed, Command, Entry, Grant, Outcome, Refusal, Waiting, admin_message};
use crate::memory::{OUTCOME_BYTES_PER_ACTOR, OUTCOME_ENTRIES};
use crate::{ActorKey, Happening, Ledger, decode, decode_outcome, encode, encode_outcome};

/// Requests that the test knows of one actor: more than the ledger does, so that some come too late.
const ASKED_MAX: usize = limits::OUTCOMES_PER_DEVICE + 36;
/// Of them, those of an actor that left.
const LEFT_MAX: usize = 3;
/// Sessions of which somebody may speak again.
const RECENT_MAX: usize = 48;
/// Commands that a failure tells of.
const TOLD_MAX: usize = 12;

/// When everything is compared; that takes as long as many commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    AfterEachCommand,
    NowAndThen,
}

/// Of so many commands one, if not each.
const COMPARED_EVERY: u64 = 256;

/// A request that was proven to be its actor's, and what came of it.
struct Asked {
    entry: Entry,
    outcome: Outcome,
    /// Of the outcome.
    bytes: usize,
    /// Where it stands.
    index: u64,
    /// Whether its bytes were what it is written as. Damaged ones may be read as a request that nobody writes so: it does
    /// not come again like that, and requests are told apart by their bytes.
    as_written: bool,
    /// The actor left since: only the newest outcome is kept for who left.
    left: bool,
}

/// What is compared at once when nothing may have changed: how many there are of everything, and the books' numbers.
type Outline = ([usize; 16], [u64; 2]);

/// The office.
pub(super) struct RandomOffice {
    pub(super) office: Office,
    /// A replica that hears each request once. It must always have the state of those that hear some again, which so
    /// have changed nothing but index and hash (invariant I4).
    once: Ledger,
    asked: BTreeMap<ActorKey, VecDeque<Asked>>,
    /// The highest id that each actor has asked with.
    highest: BTreeMap<ActorKey, RequestId>,
    /// The highest id of each actor that is not in `asked` any more.
    forgotten: BTreeMap<ActorKey, RequestId>,
    epochs: BTreeMap<ActorKey, u64>,
    counter: u64,
    recent: VecDeque<(DeviceId, SessionId)>,
    compared: Compared,
    /// The newest entries: index, bytes, outcome.
    told: VecDeque<(u64, Vec<u8>, Outcome)>,
    counts: Counts,
}

impl RandomOffice {
    /// `organised`: it has an organisation from the beginning.
    pub(super) fn open(compared: Compared, organised: bool) -> Self {
        let mut office = Office::open();
        if organised {
            office.done_by_admin(first_nodes());
        }
        for text in steps::first_files() {
            office.done_by_admin(Command::AddLicense { text: text.clone() });
        }
        let mut counts = Counts::default();
        // Once in an office's life.
        counts.asked("Found", true);
        Self {
            once: office.ledger.clone(),
            office,
            asked: BTreeMap::new(),
            highest: BTreeMap::new(),
            forgotten: BTreeMap::new(),
            epochs: BTreeMap::new(),
            // Beyond what the office has asked so far.
            counter: 1_000,
            recent: VecDeque::new(),
            compared,
            told: VecDeque::new(),
            counts,
        }
    }

    /// Commands so far.
    pub(super) fn commands(&self) -> u64 {
        self.counts.of("commands")
    }

    /// What happened.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        counts.add("seats moved in the books", u64::try_from(self.office.moves).unwrap());
        let beside_over = u64::try_from(self.office.grants_beside_over).unwrap();
        counts.add("granted beside over-commitment", beside_over);
        counts
    }

    /// The newest commands, for who looks into a failure.
    fn story(&self) -> String {
        let line = |(index, bytes, outcome): &(u64, Vec<u8>, Outcome)| match decode(bytes) {
            Ok(entry) => format!("{index}: {entry:?}\n    {outcome:?}\n"),
            Err(error) => format!("{index}: {error}: {bytes:?}\n    {outcome:?}\n"),
        };
        self.told.iter().map(line).collect()
    }

    /// Takes the step that the seed says. What does not hold is told with the commands before it.
    pub(super) fn try_step(&mut self, seed: u64) -> Result<(), String> {
        self.checked(|office| office.step(seed))
    }

    /// Compares everything at the end.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.checked(|office| {
            office.office.restart_twin();
            office.compare();
        })
    }

    fn checked(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), String> {
        let act = AssertUnwindSafe(|| act(self));
        let found = match std::panic::catch_unwind(act) {
            Ok(()) => return Ok(()),
            Err(found) => found,
        };
        let words = found.downcast_ref::<String>().map(String::as_str);
        let words =
            words.or_else(|| found.downcast_ref::<&str>().copied()).unwrap_or("a panic without words");
        Err(format!("{words}\nThe newest commands:\n{}", self.story()))
    }

    /// Takes the step that the seed says.
    fn step(&mut self, seed: u64) {
        let mut chance = Chance::new(seed);
        let before = (self.compared == Compared::AfterEachCommand).then(|| self.office.ledger.clone());
        self.office.time = self.office.time.plus_ms(chance.range(0..=2_000));
        let scene = Scene { ledger: &self.office.ledger, now: self.office.time, recent: &self.recent };
        match steps::step(&mut chance, &scene) {
            Step::Ask(by, command) => {
                let request = self.next_request(&by);
                self.ask_anew(&by, request, command, &mut chance);
            }
            Step::AskLate(by, command) => {
                let request = self.late_request(&by, &mut chance);
                self.ask_anew(&by, request, command, &mut chance);
            }
            Step::Again => self.ask_again(&mut chance),
            Step::Holder(device, command) => {
                let entry = self.entry(Actor::Holder(device), RequestId { epoch: 0, counter: 0 }, command);
                let bytes = encode(&entry).unwrap();
                self.ask(entry, &bytes);
                if chance.one_in(4) {
                    // What the holder asks is idempotent by its content.
                    let before = self.outline();
                    self.commit_again(&bytes);
                    assert_eq!(self.outline(), before, "I4: a holder's command acted twice");
                }
            }
            Step::OtherTerm(device, command) => self.of_another_term(device, command, &mut chance),
            Step::Bytes(bytes) => self.commit_bytes(&bytes),
            Step::Damaged(by, command) => {
                let request = self.next_request(&by);
                let entry = self.entry(by.actor(request, &command), request, command);
                self.commit_bytes(&steps::damaged(&mut chance, encode(&entry).unwrap()));
            }
            Step::Time(ms) => self.office.time = START.plus_ms(ms),
            Step::NewTerm => self.office.term += 1,
            Step::Restart => {
                self.office.restart_twin();
                self.counts.add("restarts from a snapshot", 1);
                self.compare();
            }
        }
        if let Some(before) = before {
            self.unchanged_if_refused(before);
        }
    }

    // Requests.

    fn next_request(&mut self, by: &By) -> RequestId {
        self.counter += 1;
        RequestId { epoch: self.epoch(by), counter: self.counter }
    }

    /// Counters are counted per office, so each actor leaves gaps, which may be filled while they are remembered.
    fn late_request(&self, by: &By, chance: &mut Chance) -> RequestId {
        let epoch = self.epoch(by);
        let counter = self.counter.saturating_sub(chance.small(0..=800));
        RequestId { epoch: epoch.saturating_sub(u64::from(chance.one_in(8))), counter }
    }

    fn epoch(&self, by: &By) -> u64 {
        self.epochs.get(&by.key()).copied().unwrap_or(1)
    }

    fn entry(&self, actor: Actor, request: RequestId, command: Command) -> Entry {
        Entry { time: self.office.time, term: self.office.term, actor, request, command }
    }

    fn ask_anew(&mut self, by: &By, request: RequestId, command: Command, chance: &mut Chance) {
        let entry = self.entry(by.actor(request, &command), request, command);
        let bytes = encode(&entry).unwrap();
        // Of who left only the request with the highest id is remembered, and a damaged one may have had any.
        let overtaken = self.highest.get(&by.key()).is_some_and(|highest| *highest > request);
        let unheard = overtaken && entry.command == Command::Leave;
        let first = self.ask(entry, &bytes);
        if !unheard && chance.one_in(4) {
            let before = self.outline();
            assert_eq!(self.commit_again(&bytes), first, "I4: answered otherwise at once");
            assert_eq!(self.outline(), before, "I4: a repeated request acted");
            self.counts.add("asked again at once", 1);
        }
    }

    /// Applies a request and remembers it, if the ledger should.
    fn ask(&mut self, entry: Entry, bytes: &[u8]) -> Outcome {
        let actor = key_of(&entry.actor);
        let enrolled = match &actor {
            Some(ActorKey::Device(device)) => self.office.ledger.device(device).is_some(),
            _ => true,
        };
        let taken_over = self.is_taken_over(&entry.command);
        let outcome = self.commit(bytes);
        assert!(
            !taken_over || matches!(outcome, Outcome::Refused(_)),
            "I8: ended by an older attach: {entry:?}"
        );
        let Some(actor) = actor else { return outcome };
        let as_written = encode(&entry).unwrap() == bytes;
        match &entry.command {
            Command::Checkout(want) | Command::Wait(want) => self.speak_of(&actor, want.session),
            Command::Return { session, .. } => self.speak_of(&actor, *session),
            _ => {}
        }
        let proven = match (&outcome, &actor) {
            (Outcome::Refused(Refusal::Stale { epoch }), _) => {
                // As an agent does that lost its counter.
                self.epochs.insert(actor.clone(), epoch.saturating_add(1));
                false
            }
            // Somebody who is no admin, or one who asks for what no admin may.
            (Outcome::Refused(Refusal::NotPermitted(_)), ActorKey::Admin(_)) => self.is_signed(&entry),
            _ => enrolled,
        };
        let left = match &entry.command {
            Command::Leave => Some(actor.clone()),
            Command::RevokeDevice { device } => Some(ActorKey::Device(*device)),
            Command::RemoveAdmin { name } => Some(ActorKey::Admin(name.clone())),
            _ => None,
        };
        if proven {
            let highest = self.highest.entry(actor.clone()).or_insert(entry.request);
            *highest = entry.request.max(*highest);
            let by = actor.clone();
            let known = self.asked.entry(actor).or_default();
            let outcome_bytes = encode_outcome(&outcome).unwrap().len();
            let index = self.office.index;
            known.push_back(Asked {
                entry,
                outcome: outcome.clone(),
                bytes: outcome_bytes,
                index,
                left: false,
                as_written,
            });
            if known.len() > ASKED_MAX
                && let Some(Asked { entry, .. }) = known.pop_front()
            {
                let highest = self.forgotten.entry(by).or_insert(entry.request);
                *highest = entry.request.max(*highest);
            }
        }
        if let Some(known) =
            left.filter(|_| outcome == Outcome::Done).and_then(|left| self.asked.get_mut(&left))
        {
            // A few are enough: what is asked again should mostly be somebody's who is here.
            known.drain(..known.len().saturating_sub(LEFT_MAX));
            known.iter_mut().for_each(|asked| asked.left = true);
        }
        outcome
    }

    /// Whether the command would end a session that has another attach by now.
    fn is_taken_over(&self, command: &Command) -> bool {
        let (Command::Expire { session, attach }
        | Command::PassOver { session, attach }
        | Command::Return { session, attach: Some(attach) }) = command
        else {
            return false;
        };
        let ledger = &self.office.ledger;
        let waits = ledger.waiting_session(session).map(|waiting| waiting.attach);
        let known = ledger.session(session).map(|session| session.attach).or(waits);
        known.is_some_and(|known| known != *attach)
    }

    fn is_signed(&self, entry: &Entry) -> bool {
        let Actor::Admin { name, signature } = &entry.actor else { return false };
        let site = self.office.ledger.site().unwrap();
        let message =
            admin_message(&site.id, &site.generation, name, &entry.request, &entry.command).unwrap();
        self.office.ledger.admin(name).is_some_and(|admin| admin.key.verifies(&message, signature))
    }

    fn speak_of(&mut self, actor: &ActorKey, session: SessionId) {
        if let ActorKey::Device(device) = actor {
            self.recent.push_back((*device, session));
            if self.recent.len() > RECENT_MAX {
                self.recent.pop_front();
            }
        }
    }

    /// One of the last requests arrives again, at another time and maybe in another term.
    fn ask_again(&mut self, chance: &mut Chance) {
        let many: usize = self.asked.values().map(VecDeque::len).sum();
        let mut nth = chance.index(many.max(1));
        // An actor that asked much is asked for more often.
        let chosen = self.asked.iter().find(|(_, known)| match nth.checked_sub(known.len()) {
            Some(rest) => {
                nth = rest;
                false
            }
            None => true,
        });
        let Some((actor, known)) = chosen else { return };
        // The newer ones more often.
        let at = chance.index(known.len()).max(chance.index(known.len()));
        let asked = &known[at];
        let must_be_known = self.must_be_known(actor, known, at);
        let first = asked.outcome.clone();
        let (time, term) = (self.office.time, self.office.term);
        let bytes = encode(&Entry { time, term, ..asked.entry.clone() }).unwrap();
        let before = self.outline();
        let again = self.commit_again(&bytes);
        assert_eq!(self.outline(), before, "I4: a repeated request acted");
        match (&first, &again) {
            (_, Outcome::Refused(Refusal::Stale { .. } | Refusal::NotPermitted(_)))
                if !must_be_known && again != first =>
            {
                self.counts.add("asked again and forgotten", 1);
            }
            (Outcome::Granted(grant), _) if !self.in_force(grant) => {
                let over = Outcome::Refused(Refusal::SessionEnded);
                let taken_over = Outcome::Refused(Refusal::Superseded);
                assert!(again == over || again == taken_over, "I4: {first:?}, then {again:?}");
                self.counts.add("asked again for a seat that is over", 1);
            }
            // So is where somebody stands in the queue, as long as he does.
            (Outcome::Waiting(first), _) if self.waits(first) => {
                let known = |waiting: &Waiting| (waiting.session, waiting.attach);
                assert!(
                    matches!(&again, Outcome::Waiting(again) if known(again) == known(first)),
                    "I4: {first:?}, then {again:?}"
                );
                self.counts.add("asked again for a place in the queue", 1);
            }
            (Outcome::Waiting(_), _) => {
                let over = Outcome::Refused(Refusal::SessionEnded);
                let taken_over = Outcome::Refused(Refusal::Superseded);
                assert!(again == over || again == taken_over, "I4: {first:?}, then {again:?}");
                self.counts.add("asked again for a place that is over", 1);
            }
            (Outcome::Borrowed(borrowed), _) if !self.is_lent(borrowed) => {
                assert_eq!(again, Outcome::Refused(Refusal::SessionEnded), "I4: a borrow that is over");
                self.counts.add("asked again for a borrow that is over", 1);
            }
            // Who has the seats is looked up anew.
            (Outcome::Refused(Refusal::NoSeat(first)), Outcome::Refused(Refusal::NoSeat(again))) => {
                assert_eq!(
                    (&first.product, first.owned),
                    (&again.product, again.owned),
                    "I4: another denial"
                );
                self.counts.add("asked again and answered", 1);
            }
            _ => {
                assert_eq!(again, first, "I4: answered otherwise");
                self.counts.add("asked again and answered", 1);
            }
        }
    }

    fn in_force(&self, grant: &Grant) -> bool {
        let session = self.office.ledger.session(&grant.session);
        session.is_some_and(|session| session.seat == grant.seat)
            && self.office.ledger.live(&grant.session, grant.attach)
    }

    fn waits(&self, waiting: &Waiting) -> bool {
        let known = self.office.ledger.waiting_session(&waiting.session);
        known.is_some_and(|known| known.attach == waiting.attach)
    }

    fn is_lent(&self, borrowed: &Borrowed) -> bool {
        let seat = self.office.ledger.seat(borrowed.seat).and_then(|seat| seat.borrow.as_ref());
        seat.is_some_and(|borrow| borrow.serial == borrowed.serial)
    }

    /// Whether the ledger still has to know the request at this place: those of its actor's epoch that have a higher
    /// number or came later are not too many, nor their outcomes too long, and it was not long ago.
    fn must_be_known(&self, actor: &ActorKey, known: &VecDeque<Asked>, at: usize) -> bool {
        let asked = &known[at];
        let id = asked.entry.request;
        let newer = known.iter().enumerate().filter(|(place, other)| {
            let other = other.entry.request;
            other.epoch == id.epoch && (other.counter > id.counter || *place > at)
        });
        let (many, bytes) =
            newer.fold((1, asked.bytes), |(many, bytes), (_, other)| (many + 1, bytes + other.bytes));
        !asked.left
            && asked.as_written
            // The ledger forgets the lowest id first, which may have come late.
            && self.forgotten.get(actor).is_none_or(|forgotten| *forgotten < id)
            && asked.index + OUTCOME_ENTRIES >= self.office.index
            && self.office.ledger.epoch(actor) == Some(id.epoch)
            && many <= limits::OUTCOMES_PER_DEVICE
            && bytes <= OUTCOME_BYTES_PER_ACTOR
    }

    // Entries.

    fn of_another_term(&mut self, device: DeviceId, command: Command, chance: &mut Chance) {
        let entry = self.entry(Actor::Holder(device), RequestId { epoch: 0, counter: 0 }, command);
        let decided = entry.term.wrapping_add(chance.pick(&[1, u64::MAX, 7]));
        let bytes = encode(&Entry { term: decided, ..entry }).unwrap();
        let before = self.outline();
        let outcome = self.commit_again(&bytes);
        let applied = self.office.term;
        assert_eq!(
            outcome,
            Outcome::Refused(Refusal::OtherTerm { decided, applied }),
            "I7: decided in another term"
        );
        assert_eq!(self.outline(), before, "I7: decided in another term");
    }

    /// Applies what may be an entry or not.
    fn commit_bytes(&mut self, bytes: &[u8]) {
        match decode(bytes) {
            Ok(entry) => {
                self.ask(entry, bytes);
                self.counts.add("damaged and read", 1);
            }
            Err(_) => {
                let before = self.outline();
                assert_eq!(
                    self.commit_again(bytes),
                    Outcome::Refused(Refusal::UnknownFormat),
                    "I11: unreadable"
                );
                assert_eq!(self.outline(), before, "I11: something unreadable acted");
            }
        }
    }

    fn commit(&mut self, bytes: &[u8]) -> Outcome {
        let outcome = self.commit_again(bytes);
        let once = self.once.apply(self.office.index, self.office.term, bytes);
        assert_eq!(once, outcome, "I4: by a replica that hears each request once");
        outcome
    }

    /// Applies what must change nothing.
    fn commit_again(&mut self, bytes: &[u8]) -> Outcome {
        let seq = self.office.ledger.next_seq();
        let before = Before::of(&self.office.ledger);
        let outcome = self.office.commit(bytes);
        let entry = decode(bytes).ok();
        let encoded = encode_outcome(&outcome);
        self.told.push_back((self.office.index, bytes.to_vec(), outcome.clone()));
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
        if let Some(entry) = &entry {
            before.compare(&self.office.ledger, entry, &outcome);
            self.counts.asked(variant(&entry.command), !matches!(outcome, Outcome::Refused(_)));
        }
        self.counts.add("commands", 1);
        self.counts.add(kind_of(&outcome), 1);
        let resumes = matches!(&outcome, Outcome::Granted(grant) if grant.serial == self.office.index)
            && self.office.ledger.next_seq() == seq;
        self.counts.add("resumed", u64::from(resumes));
        let converted = matches!(&outcome, Outcome::Borrowed(borrowed) if borrowed.converted);
        self.counts.add("running seats that became borrowed", u64::from(converted));
        for record in self.office.ledger.records().rev().take_while(|record| record.seq >= seq) {
            self.counts.add(happened(&record.what), 1);
            if let Happening::DeviceAdmitted { device, .. } = &record.what {
                let known = self.office.ledger.epoch(&ActorKey::Device(*device)).is_some();
                self.counts.add("devices that came back", u64::from(known));
            }
        }
        if self.compared == Compared::AfterEachCommand || self.commands().is_multiple_of(COMPARED_EVERY) {
            assert_eq!(
                encoded.and_then(|bytes| decode_outcome(&bytes)).as_ref(),
                Ok(&outcome),
                "I11: not as encoded"
            );
            self.office.check();
        } else {
            assert_eq!(encoded.err(), None, "I11: not encodable");
        }
        outcome
    }

    // Comparisons.

    fn outline(&self) -> Outline {
        let state = &self.office.ledger.state;
        let many = [
            state.devices.len(),
            state.revoked.len(),
            state.admins.len(),
            state.invites.len(),
            state.licenses.len(),
            state.seats.len(),
            state.sessions.len(),
            state.memories.len(),
            state.waiting.len(),
            state.limits.len(),
            state.groups.len(),
            state.priorities.len(),
            state.node_limits.len(),
            state.seats.values().filter(|seat| seat.borrow.is_some()).count(),
            state.register.as_ref().map_or(0, |register| register.organisation().nodes().len()),
            state.register.as_ref().map_or(0, |register| register.purchases().len()),
        ];
        (many, [state.next_seat, state.records.next_seq()])
    }
}

/// `None`: the holder's requests are not remembered.
fn key_of(actor: &Actor) -> Option<ActorKey> {
    match actor {
        Actor::Device(device) => Some(ActorKey::Device(*device)),
        Actor::Admin { name, .. } => Some(ActorKey::Admin(name.clone())),
        Actor::Holder(_) => None,
    }
}
