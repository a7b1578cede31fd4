//! The cheapest maximum flow, by primal and dual steps: along all shortest ways at once, then along the next longer
//! ones, until there is none.
//!
//! Costs here have few different values (who pays, transfers, steps), and so have the lengths of shortest ways; each
//! needs one search and a few rounds of blocking flow, whatever the amounts. At the end the potentials prove that the
//! flow is cheapest, and tell which arcs every other cheapest flow may use differently: those without reduced cost.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table::Table;

/// The vertex where all flow begins.
pub(super) const SOURCE: usize = 0;
/// The vertex where all flow ends.
pub(super) const SINK: usize = 1;
/// More than any sum of what can be installed or bought.
pub(super) const UNBOUNDED: u64 = u64::MAX / 4;

const FAR: i64 = i64::MAX / 4;

/// One direction of an arc; the other one is its twin.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arc {
    pub(super) to: usize,
    pub(super) twin: usize,
    /// How much more may flow.
    pub(super) room: u64,
    cost: i64,
}

/// A network and a flow in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// By tail.
    arcs: Table<Arc>,
    /// By vertex: its first arc. One more, behind the last vertex.
    first: Table<usize>,
    /// Reduced cost of an arc: cost + potential of the tail − potential of the head; never negative where there is room.
    potentials: Table<i64>,
    levels: Table<usize>,
    /// By vertex: the next arc to try.
    next: Table<usize>,
}

/// An arc that is to be: tail, head, room, cost.
pub(super) type NewArc = (usize, usize, u64, i64);

impl Flow {
    /// A network without flow, and where each arc is in it. Costs are 0 or more.
    pub(super) fn new(vertices: usize, arcs: &[NewArc]) -> (Self, Vec<usize>) {
        let mut first = Table::new(vertices + 1, 0_usize);
        for (from, to, _, _) in arcs {
            first.change(from + 1, |n| *n += 1);
            first.change(to + 1, |n| *n += 1);
        }
        for vertex in 1..=vertices {
            let before = first.at(vertex - 1);
            first.change(vertex, |n| *n += before);
        }
        let mut free = first.clone();
        let mut take = |vertex: usize| {
            let at = free.at(vertex);
            free.set(vertex, at + 1);
            at
        };
        let mut placed = Table::new(2 * arcs.len(), Arc::default());
        let mut places = Vec::with_capacity(arcs.len());
        for (from, to, room, cost) in arcs.iter().copied() {
            let (there, back) = (take(from), take(to));
            placed.set(there, Arc { to, twin: back, room, cost });
            placed.set(back, Arc { to: from, twin: there, room: 0, cost: -cost });
            places.push(there);
        }
        let flow = Self {
            arcs: placed,
            first,
            potentials: Table::new(vertices, 0),
            levels: Table::new(vertices, 0),
            next: Table::new(vertices, 0),
        };
        (flow, places)
    }

    pub(super) fn vertices(&self) -> usize {
        self.potentials.len()
    }

    #[inline]
    pub(super) fn arc(&self, number: usize) -> Arc {
        self.arcs.at(number)
    }

    /// The arcs that leave a vertex, twins of those that come to it among them; by number.
    #[inline]
    pub(super) fn leaving(&self, vertex: usize) -> (usize, &[Arc]) {
        let from = self.first.at(vertex);
        (from, self.arcs.slice(from, self.first.at(vertex + 1)))
    }

    /// How much flows.
    pub(super) fn amount(&self, arc: usize) -> u64 {
        self.arc(self.arc(arc).twin).room
    }

    #[inline]
    pub(super) fn reduced(&self, from: usize, arc: &Arc) -> i64 {
        arc.cost + self.potentials.at(from) - self.potentials.at(arc.to)
    }

    /// Whether cheapest flows may differ here: more may flow, and at no cost.
    #[inline]
    pub(super) fn is_tight(&self, from: usize, arc: &Arc) -> bool {
        arc.room > 0 && self.reduced(from, arc) == 0
    }

    pub(super) fn push(&mut self, arc: usize, amount: u64) {
        let twin = self.arc(arc).twin;
        self.arcs.change(arc, |arc| arc.room = arc.room.saturating_sub(amount));
        self.arcs.change(twin, |arc| arc.room = arc.room.saturating_add(amount));
    }

    /// Makes the flow the cheapest of the greatest ones.
    pub(super) fn fill(&mut self) {
        while self.find_shortest() {
            while self.find_levels() {
                self.push_all();
            }
        }
    }

    /// Moves the potentials so that shortest ways to the sink have no reduced cost. False: there is no way.
    fn find_shortest(&mut self) -> bool {
        let mut distances = Table::new(self.vertices(), FAR);
        let mut heap = BinaryHeap::new();
        // Those as far away as the one taken from the heap last.
        let mut near = Vec::new();
        let mut farthest = 0;
        distances.set(SOURCE, 0);
        heap.push(Reverse((0, SOURCE)));
        while let Some(Reverse((distance, vertex))) = heap.pop() {
            if distance > distances.at(vertex) {
                continue;
            }
            farthest = distance;
            near.push(vertex);
            while let Some(from) = near.pop() {
                let (_, arcs) = self.leaving(from);
                let here = distance + self.potentials.at(from);
                for arc in arcs.iter().filter(|arc| arc.room > 0) {
                    let there = here + arc.cost - self.potentials.at(arc.to);
                    if there < distances.at(arc.to) {
                        distances.set(arc.to, there);
                        if there == distance {
                            near.push(arc.to)
                        } else {
                            heap.push(Reverse((there, arc.to)))
                        }
                    }
                }
            }
            if distances.at(SINK) <= distance {
                break;
            }
        }
        for (vertex, distance) in distances.iter().enumerate() {
            self.potentials.change(vertex, |potential| *potential += distance.min(farthest));
        }
        distances.at(SINK) < FAR
    }

    /// How many arcs without reduced cost lead to each vertex. False: none lead to the sink.
    fn find_levels(&mut self) -> bool {
        let unseen = usize::MAX;
        self.levels.fill(unseen);
        self.levels.set(SOURCE, 0);
        let mut queue = vec![SOURCE];
        let mut at = 0;
        while let Some(from) = queue.get(at).copied() {
            at += 1;
            if from == SINK {
                break;
            }
            let level = self.levels.at(from) + 1;
            let (first, arcs) = (self.first.at(from), self.first.at(from + 1));
            self.next.set(from, first);
            for number in first..arcs {
                let arc = self.arc(number);
                if self.levels.at(arc.to) == unseen && self.is_tight(from, &arc) {
                    self.levels.set(arc.to, level);
                    self.next.set(arc.to, self.first.at(arc.to));
                    queue.push(arc.to);
                }
            }
        }
        self.levels.at(SINK) != unseen
    }

    /// Along all ways that go up one level with each arc, until each has an arc without room.
    fn push_all(&mut self) {
        let mut way: Vec<usize> = Vec::new();
        let mut at = SOURCE;
        loop {
            if at == SINK {
                let amount = way.iter().map(|arc| self.arc(*arc).room).min().unwrap_or_default();
                way.iter().for_each(|arc| self.push(*arc, amount));
                // Back to the first arc that is full now.
                let full = way.iter().position(|arc| self.arc(*arc).room == 0).unwrap_or_default();
                at = way.get(full).map_or(SOURCE, |arc| self.arc(self.arc(*arc).twin).to);
                way.truncate(full);
            }
            let end = self.first.at(at + 1);
            let level = self.levels.at(at) + 1;
            let mut number = self.next.at(at);
            while number < end {
                let arc = self.arc(number);
                if self.levels.at(arc.to) == level && self.is_tight(at, &arc) {
                    break;
                }
                number += 1;
            }
            self.next.set(at, number);
            if number < end {
                way.push(number);
                at = self.arc(number).to;
            } else if let Some(arc) = way.pop() {
                at = self.arc(self.arc(arc).twin).to;
                self.next.change(at, |next| *next += 1);
            } else {
                return;
            }
        }
    }
}
