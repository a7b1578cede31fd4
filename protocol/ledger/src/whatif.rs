//! What if a product had another number of seats: its recorded starts, lived through again.
//!
//! A start that got a seat keeps it as long as it did; one that waited begins to run earlier or later, and runs as long.
//! One that was refused is taken to run as long as half of the others did, at most, and its user's next start within
//! that time to be the same work. All seats of the product count as alike, whatever versions and features their
//! licenses have, and the queue as first come, first served. A start that no license covers, or that a limit of the
//! site refused, is refused whatever the number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use seatkeeper_protocol::id::{DeviceId, Name, ProductId, SeatId};
use seatkeeper_protocol::time::WallTime;

use crate::records::{DeniedBy, Happening, Record, Who};

/// Who starts programs.
type Person = (Name, DeviceId);

/// A start that needs a seat of its own.
#[derive(Clone, Debug)]
struct Start {
    who: Option<Person>,
    at: i64,
    /// How long it runs; unknown while it runs, and of one that never ran.
    ran_ms: Option<i64>,
    /// How long it waits for a seat.
    waits: Waits,
    /// It ran before the first record.
    before: bool,
    /// When it got its seat, if it did.
    since: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// It does not.
    No,
    /// As long as it takes.
    Always,
    /// It gave up after so long.
    For(i64),
}

/// Collects what happened to one product.
#[derive(Clone, Debug)]
pub struct Replay {
    product: ProductId,
    first: Option<(u64, i64)>,
    last: (u64, i64),
    starts: Vec<Start>,
    running: BTreeMap<SeatId, (usize, i64)>,
    waiting: BTreeMap<Person, VecDeque<usize>>,
    refused_anyway: u64,
    recorded: Told,
}

/// What would have come of the starts, or what came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Starts that were refused for want of a seat.
    pub refused: u64,
    /// Starts that waited for a seat.
    pub waited: u64,
    /// How long they waited together, milliseconds.
    pub waited_ms: u64,
    /// The longest wait, milliseconds.
    pub longest_ms: u64,
    /// Of those that waited, who gave up.
    pub gave_up: u64,
    /// The most seats in use at once.
    pub peak: u32,
}

impl Told {
    fn wait(&mut self, ms: i64) {
        let ms = u64::try_from(ms).unwrap_or(0);
        self.waited = self.waited.saturating_add(1);
        self.waited_ms = self.waited_ms.saturating_add(ms);
        self.longest_ms = self.longest_ms.max(ms);
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatIf {
    /// The number of the first record, of any product, that was looked at, and of the last.
    pub records: (u64, u64),
    /// Their times.
    pub span: (WallTime, WallTime),
    /// Starts that needed a seat of their own, got one or not.
    pub starts: u64,
    /// Starts that no number of seats would have helped: not licensed, or over a limit.
    pub refused_anyway: u64,
    /// How long a refused start is taken to have run, milliseconds; `None`: to the end, since no start has ended.
    pub taken_to_run_ms: Option<i64>,
    /// What came.
    pub recorded: Told,
    /// What would have come.
    pub replayed: Told,
}

impl Replay {
    /// Nothing yet.
    pub fn new(product: ProductId) -> Self {
        Self {
            product,
            first: None,
            last: (0, i64::MIN),
            starts: Vec::new(),
            running: BTreeMap::new(),
            waiting: BTreeMap::new(),
            refused_anyway: 0,
            recorded: Told::default(),
        }
    }

    /// The number of the last record taken; 0: none.
    pub fn last(&self) -> u64 {
        self.last.0
    }

    /// Takes the next record, of whatever product.
    pub fn take(&mut self, record: &Record) {
        // A time that steps back counts as no time at all.
        let now = record.time.0.max(self.last.1);
        self.first.get_or_insert((record.seq, now));
        self.last = (record.seq, now);
        if record.what.product() != Some(&self.product) {
            return;
        }
        match &record.what {
            Happening::Checkout { seat, who, .. } => self.got_seat(*seat, who, now),
            Happening::Borrowed { seat, who, prolonged: false, .. } if !self.running.contains_key(seat) => {
                self.got_seat(*seat, who, now);
            }
            Happening::Returned { seat, who, free, .. }
            | Happening::Expired { seat, who, free, .. }
            | Happening::BorrowOver { seat, who, free, .. } => {
                self.known(*seat, who);
                if *free && let Some((start, since)) = self.running.remove(seat) {
                    self.ran(start, now.saturating_sub(since));
                }
            }
            Happening::Shared { seat, who, .. } => {
                self.known(*seat, who);
                // It needs no seat of its own any more.
                if let Some(start) = self.leaves_queue(who) {
                    self.waited(start, now);
                }
            }
            Happening::Released { seat, who, .. } | Happening::Borrowed { seat, who, .. } => {
                self.known(*seat, who);
            }
            Happening::Waits { who, .. } => {
                let start = self.start(Some(who), now, Waits::Always);
                self.waiting.entry(person(who)).or_default().push_back(start);
            }
            Happening::LeftQueue { who, .. } => {
                if let Some(start) = self.leaves_queue(who) {
                    self.waited(start, now);
                    self.recorded.gave_up = self.recorded.gave_up.saturating_add(1);
                }
            }
            Happening::Denied { who, by: DeniedBy::NoSeat | DeniedBy::Queue, .. } => {
                self.recorded.refused = self.recorded.refused.saturating_add(1);
                self.start(Some(who), now, Waits::No);
            }
            Happening::Denied { .. } => self.refused_anyway = self.refused_anyway.saturating_add(1),
            _ => {}
        }
    }

    fn start(&mut self, who: Option<&Who>, at: i64, waits: Waits) -> usize {
        let who = who.map(person);
        self.starts.push(Start { who, at, ran_ms: None, waits, before: false, since: None });
        self.starts.len() - 1
    }

    fn ran(&mut self, start: usize, ms: i64) {
        if let Some(start) = self.starts.get_mut(start) {
            start.ran_ms = Some(ms);
        }
    }

    /// The longest waiting start of somebody.
    fn leaves_queue(&mut self, who: &Who) -> Option<usize> {
        self.waiting.get_mut(&person(who))?.pop_front()
    }

    /// A start waited until now and got no seat of its own.
    fn waited(&mut self, start: usize, now: i64) {
        if let Some(start) = self.starts.get_mut(start) {
            let ms = now.saturating_sub(start.at);
            start.waits = Waits::For(ms);
            self.recorded.wait(ms);
        }
    }

    fn got_seat(&mut self, seat: SeatId, who: &Who, now: i64) {
        let start = match self.leaves_queue(who) {
            Some(start) => {
                let since = self.starts.get(start).map_or(now, |start| start.at);
                self.recorded.wait(now.saturating_sub(since));
                start
            }
            None => self.start(Some(who), now, Waits::No),
        };
        self.runs(seat, start, now);
    }

    fn runs(&mut self, seat: SeatId, start: usize, since: i64) {
        if let Some(start) = self.starts.get_mut(start) {
            start.since = Some(since);
        }
        self.running.insert(seat, (start, since));
    }

    /// A seat of which the first that is heard is not its start was in use before.
    fn known(&mut self, seat: SeatId, who: &Who) {
        let Some((_, since)) = self.first.filter(|_| !self.running.contains_key(&seat)) else { return };
        let start = self.start(Some(who), since, Waits::No);
        if let Some(start) = self.starts.get_mut(start) {
            start.before = true;
        }
        self.runs(seat, start, since);
    }

    /// The most seats that were in use at once.
    fn peak(&self) -> u32 {
        let mut changes: Vec<(i64, bool)> = Vec::new();
        for (since, ran) in self.starts.iter().filter_map(|start| Some((start.since?, start.ran_ms))) {
            changes.push((since, true));
            changes.extend(ran.map(|ran| (since.saturating_add(ran), false)));
        }
        // What becomes free at a moment is free for who starts then.
        changes.sort_unstable();
        let mut used = 0_u32;
        let count = |(_, takes): (i64, bool)| {
            used = if takes { used.saturating_add(1) } else { used.saturating_sub(1) };
            used
        };
        changes.into_iter().map(count).max().unwrap_or(0)
    }

    /// What would have come of it with so many seats; `None` while no record was taken.
    pub fn with_seats(&self, seats: u32) -> Option<WhatIf> {
        let (first, from) = self.first?;
        let (last, to) = self.last;
        let mut lengths: Vec<i64> =
            self.starts.iter().filter(|start| !start.before).filter_map(|start| start.ran_ms).collect();
        lengths.sort_unstable();
        let usual = lengths.get(lengths.len().saturating_sub(1) / 2).copied();
        let mut recorded = Told { peak: self.peak(), ..self.recorded };
        for start in self.waiting.values().flatten().filter_map(|start| self.starts.get(*start)) {
            recorded.wait(to.saturating_sub(start.at));
        }
        let mut life = Life { seats, to, usual, ..Life::default() };
        let mut order: Vec<&Start> = self.starts.iter().collect();
        order.sort_by_key(|start| (!start.before, start.at));
        order.into_iter().for_each(|start| life.starts(start));
        life.ends();
        Some(WhatIf {
            records: (first, last),
            span: (WallTime(from), WallTime(to)),
            starts: u64::try_from(self.starts.len()).unwrap_or(u64::MAX),
            refused_anyway: self.refused_anyway,
            taken_to_run_ms: usual,
            recorded,
            replayed: life.told,
        })
    }
}

fn person(who: &Who) -> Person {
    (who.user.clone(), who.device)
}

/// The starts, lived through again.
#[derive(Default)]
struct Life<'a> {
    seats: u32,
    to: i64,
    usual: Option<i64>,
    /// When seats are free again.
    ends: BinaryHeap<Reverse<i64>>,
    queue: VecDeque<&'a Start>,
    /// Who works on by a start that was refused in truth, and until when.
    helped: BTreeMap<Person, i64>,
    told: Told,
}

impl<'a> Life<'a> {
    fn starts(&mut self, start: &'a Start) {
        self.pass(start.at);
        if let Some(until) = start.who.as_ref().and_then(|who| self.helped.get(who)).copied()
            && until > start.at
        {
            // The same work has its seat already; from here on it is known how long it runs.
            if let Some(who) = start.who.as_ref().filter(|_| start.since.is_some()) {
                self.move_end(until, self.end(start, start.at));
                self.helped.remove(who);
            }
            return;
        }
        if start.before || self.has_room() {
            self.run(start, start.at);
        } else if start.waits == Waits::No {
            self.told.refused = self.told.refused.saturating_add(1);
        } else {
            self.queue.push_back(start);
        }
    }

    fn has_room(&self) -> bool {
        u32::try_from(self.ends.len()).is_ok_and(|used| used < self.seats)
    }

    fn end(&self, start: &Start, from: i64) -> i64 {
        let ran = if start.since.is_some() { start.ran_ms } else { self.usual };
        ran.map_or(i64::MAX, |ran| from.saturating_add(ran))
    }

    fn run(&mut self, start: &'a Start, from: i64) {
        let end = self.end(start, from);
        self.ends.push(Reverse(end));
        let used = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.told.peak = self.told.peak.max(used);
        if start.since.is_none()
            && let Some(who) = &start.who
        {
            self.helped.insert(who.clone(), end);
        }
    }

    /// A seat that would be free at `until` is free at `end`.
    fn move_end(&mut self, until: i64, end: i64) {
        let mut ends = std::mem::take(&mut self.ends).into_vec();
        if let Some(one) = ends.iter_mut().find(|one| one.0 == until) {
            *one = Reverse(end);
        }
        self.ends = ends.into();
    }

    /// Time goes on to `now`: seats become free, and go to who waits.
    fn pass(&mut self, now: i64) {
        while let Some(Reverse(free)) = self.ends.peek().copied().filter(|end| end.0 <= now) {
            self.ends.pop();
            self.serve(free);
        }
    }

    fn serve(&mut self, now: i64) {
        while self.has_room()
            && let Some(start) = self.queue.pop_front()
        {
            let waited = now.saturating_sub(start.at);
            match start.waits {
                Waits::For(most) if waited > most => self.gives_up(most),
                _ => {
                    self.told.wait(waited);
                    self.run(start, now);
                }
            }
        }
    }

    fn gives_up(&mut self, after: i64) {
        self.told.wait(after);
        self.told.gave_up = self.told.gave_up.saturating_add(1);
    }

    /// The last record: whoever waits then has waited until then.
    fn ends(&mut self) {
        self.pass(self.to);
        while let Some(start) = self.queue.pop_front() {
            let waited = self.to.saturating_sub(start.at);
            match start.waits {
                Waits::For(most) if waited >= most => self.gives_up(most),
                _ => self.told.wait(waited),
            }
        }
    }
}
