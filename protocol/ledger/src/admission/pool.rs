//! What is known of a product's licenses and running seats; follows from the state, kept up to date by each command.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::id::{DeviceId, Feature, Name, SeatId};
use seatkeeper_protocol::license::{License, Share};
use seatkeeper_protocol::time::WallTime;

use super::parts::Load;
use super::{Demand, Need, Parts, PieceSet, Registered, flexibility, is_not_stricter};
use crate::state::{LicenseRecord, SeatRecord, ShareKey};

/// The licenses of one product, also those without seats now, and who stands on them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The least flexible first. Their places are the numbers of the sets.
    pieces: Vec<Piece>,
    number_of: BTreeMap<Name, usize>,
    terms: Terms,
    /// The licenses that are not for all nodes alike. Without any, all seats count as the root's.
    pub(super) divided: PieceSet,
    /// The licenses on which fewer seats stand than they have. On others there is no room, whatever the time.
    pub(super) roomy: PieceSet,
    places: BTreeMap<SeatId, Place>,
    /// Seats that further starts may share.
    shareable: BTreeMap<ShareKey, BTreeSet<SeatId>>,
}

/// Licenses with something in common, so that each term is looked at once and not once per license. The number is that
/// of one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Terms {
    /// Equal version and earlier versions.
    versions: Vec<(usize, PieceSet)>,
    /// Equal ttl and sharing.
    leases: Vec<(usize, PieceSet)>,
    features: BTreeMap<Feature, PieceSet>,
}

impl Terms {
    fn of(pieces: &[Piece]) -> Self {
        let none = || PieceSet::empty(pieces.len());
        let mut features: BTreeMap<Feature, PieceSet> = BTreeMap::new();
        for (number, piece) in pieces.iter().enumerate() {
            for feature in &piece.license.features {
                features.entry(feature.clone()).or_insert_with(none).insert(number);
            }
        }
        let alike = |alike: fn(&License, &License) -> bool| {
            let mut kinds: Vec<(usize, PieceSet)> = Vec::new();
            for (number, piece) in pieces.iter().enumerate() {
                let of_kind = |(other, _): &&mut (usize, PieceSet)| {
                    pieces.get(*other).is_some_and(|other| alike(&other.license, &piece.license))
                };
                if let Some((_, kind)) = kinds.iter_mut().find(of_kind) {
                    kind.insert(number);
                } else {
                    let mut kind = none();
                    kind.insert(number);
                    kinds.push((number, kind));
                }
            }
            kinds
        };
        Self {
            versions: alike(|a, b| a.version == b.version && a.downgrade == b.downgrade),
            leases: alike(|a, b| a.ttl_ms == b.ttl_ms && a.share == b.share),
            features,
        }
    }
}

/// Where a seat stands, in the books, and where it may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    piece: usize,
    node: usize,
    may: PieceSet,
}

/// Seats of one node that may stand on the same licenses.
pub(super) type Seated<'a> = (&'a (usize, PieceSet), &'a BTreeSet<SeatId>);

/// One license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// As the office registered it, which is not wider than its file.
    pub(super) license: License,
    /// Which nodes its seats are for; `None`: all of them.
    pub(super) parts: Option<Parts>,
    /// From when on it has taken the place of those that it replaces. An office that begins to use it later does not
    /// prolong those.
    starts: Option<WallTime>,
    /// The end that the office registered, if that is before the license's own.
    until: Option<WallTime>,
    ended: bool,
    removed: bool,
    /// Numbers of the licenses that this one says it replaces, and of those that say so of this one.
    replaces: Vec<usize>,
    replaced_by: Vec<usize>,
    used: u32,
    /// Its seats by the nodes of their devices and by where they may stand.
    pub(super) seated: BTreeMap<(usize, PieceSet), BTreeSet<SeatId>>,
    pub(super) load: Load,
}

impl Piece {
    fn of(record: &LicenseRecord, registered: Registered) -> Self {
        let Registered { license, parts } = registered;
        let own = record.license();
        let until = license.valid_until.filter(|_| license.valid_until != own.valid_until);
        Self {
            starts: own.valid_from.map(|from| from.starts()),
            until: until.map(|until| until.ends()),
            ended: record.ended.is_some(),
            removed: record.removed,
            replaces: Vec::new(),
            replaced_by: Vec::new(),
            used: 0,
            seated: BTreeMap::new(),
            load: Load::default(),
            license,
            parts,
        }
    }

    /// The seats of one node.
    pub(super) fn seated_at(&self, node: usize) -> impl Iterator<Item = Seated<'_>> {
        self.seated.range((node, PieceSet::default())..).take_while(move |((at, _), _)| *at == node)
    }

    /// Whether it neither replaces another license nor is replaced by one.
    pub(super) fn is_single(&self) -> bool {
        self.replaces.is_empty() && self.replaced_by.is_empty()
    }

    fn has_begun(&self, now: WallTime) -> bool {
        self.starts.is_none_or(|from| now >= from)
    }

    /// Whether the office uses it on this day.
    fn is_in_use(&self, now: WallTime) -> bool {
        self.license.valid_from.is_none_or(|from| now >= from.starts())
            && self.until.is_none_or(|until| now < until)
    }

    /// Whether those that it replaces have no seats any more. That holds beyond its own end: what was given up for it
    /// does not come back with the end of a subscription, only with its removal.
    fn replaces_at(&self, now: WallTime) -> bool {
        !self.removed && self.has_begun(now)
    }
}

impl Pool {
    /// A pool without seats in use.
    pub(crate) fn new<'a>(licenses: impl Iterator<Item = (&'a LicenseRecord, Registered)>) -> Self {
        let mut licenses: Vec<_> = licenses.collect();
        licenses.sort_by_cached_key(|(_, registered)| flexibility(&registered.license));
        let (records, registered): (Vec<_>, Vec<_>) = licenses.into_iter().unzip();
        let pieces = records.iter().zip(registered);
        let mut pieces: Vec<Piece> =
            pieces.map(|(record, registered)| Piece::of(record, registered)).collect();
        for (old, replaced) in records.iter().enumerate() {
            for (new, _) in records.iter().enumerate().filter(|(_, record)| record.replaces(replaced)) {
                pieces.get_mut(new).into_iter().for_each(|piece| piece.replaces.push(old));
                pieces.get_mut(old).into_iter().for_each(|piece| piece.replaced_by.push(new));
            }
        }
        let number_of =
            pieces.iter().enumerate().map(|(number, piece)| (piece.license.id.clone(), number)).collect();
        let terms = Terms::of(&pieces);
        // A license has at least one seat.
        let roomy = PieceSet::full(pieces.len());
        let mut divided = PieceSet::empty(pieces.len());
        let parts = pieces.iter().enumerate().filter(|(_, piece)| piece.parts.is_some());
        parts.for_each(|(number, _)| divided.insert(number));
        Self { pieces, number_of, terms, divided, roomy, ..Self::default() }
    }

    /// A license ended, was removed, or came back.
    pub(crate) fn set_standing(&mut self, record: &LicenseRecord) {
        let number = self.number_of.get(&record.license().id);
        if let Some(piece) = number.and_then(|number| self.pieces.get_mut(*number)) {
            (piece.ended, piece.removed) = (record.ended.is_some(), record.removed);
        }
    }

    pub(crate) fn number_of(&self, license: &Name) -> Option<usize> {
        self.number_of.get(license).copied()
    }

    /// What a license gives in this office.
    pub(crate) fn license(&self, number: usize) -> Option<&License> {
        self.pieces.get(number).map(|piece| &piece.license)
    }

    pub(super) fn piece(&self, number: usize) -> Option<&Piece> {
        self.pieces.get(number)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Those of `kinds` of which one license, and so each, does `fit`.
    fn fitting(&self, kinds: &[(usize, PieceSet)], fit: impl Fn(&License) -> bool) -> PieceSet {
        let mut set = PieceSet::empty(self.pieces.len());
        let fit = |number: usize| self.license(number).is_some_and(&fit);
        kinds.iter().filter(|(number, _)| fit(*number)).for_each(|(_, kind)| set.add_all(kind));
        set
    }

    /// The licenses that cover a start of this product, whether or not they have seats now.
    pub(crate) fn covering(&self, demand: &Demand<'_>) -> PieceSet {
        let mut set = match demand.version {
            Some(version) => self.fitting(&self.terms.versions, |license| license.covers_version(version)),
            None => PieceSet::full(self.pieces.len()),
        };
        for feature in demand.features {
            match self.terms.features.get(feature) {
                Some(with) => set.keep_only(with),
                None => return PieceSet::empty(self.pieces.len()),
            }
        }
        set
    }

    /// Where a running seat may stand beside its own license.
    pub(crate) fn allowed(&self, need: &Need<'_>) -> PieceSet {
        if need.pinned {
            return PieceSet::empty(self.pieces.len());
        }
        let all = PieceSet::full(self.pieces.len());
        let covering = need.granted.iter().fold(all, |mut set, demand| {
            set.keep_only(&self.covering(demand));
            set
        });
        self.allowed_of(covering, need.ttl_ms, need.share)
    }

    /// [`Pool::allowed`] from the licenses that cover what was granted.
    pub(crate) fn allowed_of(&self, mut covering: PieceSet, ttl_ms: u64, share: Share) -> PieceSet {
        covering
            .keep_only(&self.fitting(&self.terms.leases, |license| is_not_stricter(license, ttl_ms, share)));
        covering
    }

    /// The license whose places the seats of this one take up: the one that replaces it, or itself.
    pub(crate) fn counts_on(&self, number: usize, now: WallTime) -> usize {
        let mut at = number;
        // No more steps than licenses: circles are refused when a license is added, and nothing may hang on one.
        for _ in 0..self.pieces.len() {
            let in_force = |new: &&usize| self.pieces.get(**new).is_some_and(|piece| piece.replaces_at(now));
            match self.pieces.get(at).and_then(|piece| piece.replaced_by.iter().find(in_force)) {
                Some(new) => at = *new,
                None => break,
            }
        }
        at
    }

    /// Whether seats may start on a license. Only a start compares times; an end is an entry (design section 5).
    pub(crate) fn is_open(&self, number: usize, now: WallTime) -> bool {
        self.pieces.get(number).is_some_and(|piece| {
            !piece.removed && !piece.ended && piece.has_begun(now) && piece.is_in_use(now)
        }) && self.counts_on(number, now) == number
    }

    /// Whether the last day that the office registered for a license is over.
    pub(crate) fn is_over(&self, number: usize, now: WallTime) -> bool {
        self.piece(number).is_some_and(|piece| piece.until.is_some_and(|until| now >= until))
    }

    /// Whether any license has seats.
    pub(crate) fn is_any_open(&self, now: WallTime) -> bool {
        (0..self.pieces.len()).any(|number| self.is_open(number, now))
    }

    /// Of these, the licenses that have seats.
    pub(crate) fn open<'a>(&'a self, set: &'a PieceSet, now: WallTime) -> impl Iterator<Item = usize> + 'a {
        set.iter().filter(move |number| self.is_open(*number, now))
    }

    /// The license and those whose seats take up its places.
    pub(super) fn counted(&self, number: usize, now: WallTime) -> impl Iterator<Item = &Piece> {
        let single = self.pieces.get(number).filter(|piece| piece.is_single());
        let mut numbers = BTreeSet::new();
        let mut next = if single.is_some() { Vec::new() } else { vec![number] };
        while let Some(at) = next.pop() {
            if self.counts_on(at, now) == number && numbers.insert(at) {
                next.extend(self.pieces.get(at).into_iter().flat_map(|piece| &piece.replaces));
            }
        }
        single.into_iter().chain(numbers.into_iter().filter_map(|number| self.pieces.get(number)))
    }

    /// The licenses that cover a start and have seats now.
    pub(crate) fn open_set(&self, demand: &Demand<'_>, now: WallTime) -> PieceSet {
        let mut set = PieceSet::empty(self.pieces.len());
        self.open(&self.covering(demand), now).for_each(|number| set.insert(number));
        set
    }

    /// How many seats take up places of a license: none on a replaced one.
    pub(crate) fn used(&self, number: usize, now: WallTime) -> u32 {
        match self.pieces.get(number) {
            Some(piece) if piece.is_single() => piece.used,
            _ => self.counted(number, now).fold(0, |sum, piece| sum.saturating_add(piece.used)),
        }
    }

    /// How many seats stand on a license in the books.
    pub(crate) fn standing(&self, license: &Name) -> u32 {
        let number = self.number_of.get(license);
        number.and_then(|number| self.pieces.get(*number)).map_or(0, |piece| piece.used)
    }

    /// How many seats are in use.
    pub(crate) fn seats(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// The license whose place a seat takes up.
    pub(crate) fn place(&self, seat: SeatId, now: WallTime) -> Option<usize> {
        self.places.get(&seat).map(|place| self.counts_on(place.piece, now))
    }

    /// The node whose seat it is.
    pub(crate) fn node(&self, seat: SeatId) -> usize {
        self.places.get(&seat).map_or(0, |place| place.node)
    }

    /// The node that a device's seats count for here.
    pub(crate) fn counted_node(&self, node: usize) -> usize {
        if self.is_divided() { node } else { 0 }
    }

    /// Whether any license is not for all nodes alike.
    pub(crate) fn is_divided(&self) -> bool {
        !self.divided.is_empty()
    }

    /// The seats that take up places of these licenses, longest first.
    pub(crate) fn seats_of<'a>(
        &'a self,
        set: &'a PieceSet,
        now: WallTime,
    ) -> impl Iterator<Item = SeatId> + 'a {
        let of = move |place: &Place| set.contains(self.counts_on(place.piece, now));
        self.places.iter().filter(move |(_, place)| of(place)).map(|(seat, _)| *seat)
    }

    /// The seats that a start may share, should their licenses cover it.
    pub(crate) fn shareable(&self, user: &Name, device: DeviceId) -> BTreeSet<SeatId> {
        if self.shareable.is_empty() {
            return BTreeSet::new();
        }
        let keys = [Share::UserDevice, Share::Device, Share::User].into_iter();
        let keys = keys.filter_map(|share| ShareKey::of(share, user, device));
        keys.filter_map(|key| self.shareable.get(&key)).flatten().copied().collect()
    }

    /// Puts a seat into the books, of a device at this node.
    pub(crate) fn add_seat(&mut self, id: SeatId, seat: &SeatRecord, may: PieceSet, node: usize) {
        self.stand(id, &seat.license, may, node);
        let key = ShareKey::of(seat.share, &seat.user, seat.device);
        if let Some(key) = key.filter(|_| seat.released_by.is_none()) {
            self.shareable.entry(key).or_default().insert(id);
        }
    }

    /// Takes a seat out of the books.
    pub(crate) fn remove_seat(&mut self, id: SeatId, seat: &SeatRecord) {
        self.leave(id);
        self.stop_sharing(id, seat);
    }

    /// No further start shares the seat.
    pub(crate) fn stop_sharing(&mut self, id: SeatId, seat: &SeatRecord) {
        let Some(key) = ShareKey::of(seat.share, &seat.user, seat.device) else { return };
        if let Some(seats) = self.shareable.get_mut(&key) {
            seats.remove(&id);
            if seats.is_empty() {
                self.shareable.remove(&key);
            }
        }
    }

    /// Moves a seat to another license.
    pub(crate) fn move_seat(&mut self, id: SeatId, to: &Name) {
        if let Some(Place { may, node, .. }) = self.leave(id) {
            self.stand(id, to, may, node);
        }
    }

    /// The seat may stand on these licenses from now on, and is one of this node.
    pub(crate) fn set_allowed(&mut self, id: SeatId, license: &Name, may: PieceSet, node: usize) {
        let node = self.counted_node(node);
        if self.places.get(&id).is_some_and(|place| place.may != may || place.node != node) {
            self.leave(id);
            self.stand(id, license, may, node);
        }
    }

    /// The license on which a seat stands, in the books.
    pub(super) fn stands_on(&self, seat: SeatId) -> Option<&Name> {
        self.license(self.places.get(&seat)?.piece).map(|license| &license.id)
    }

    pub(super) fn stand(&mut self, id: SeatId, license: &Name, may: PieceSet, node: usize) {
        let (node, is_divided) = (self.counted_node(node), self.is_divided());
        let Some(number) = self.number_of(license) else { return };
        let Some(piece) = self.pieces.get_mut(number) else { return };
        piece.used = piece.used.saturating_add(1);
        if piece.used >= piece.license.seats {
            self.roomy.remove(number);
        }
        if is_divided {
            piece.load.add(node, piece.parts.as_ref());
        }
        let kind = (node, may);
        match piece.seated.get_mut(&kind) {
            Some(seats) => _ = seats.insert(id),
            None => _ = piece.seated.insert(kind.clone(), BTreeSet::from([id])),
        }
        self.places.insert(id, Place { piece: number, node, may: kind.1 });
    }

    fn leave(&mut self, id: SeatId) -> Option<Place> {
        let Place { piece: number, node, may } = self.places.remove(&id)?;
        let is_divided = self.is_divided();
        let piece = self.pieces.get_mut(number)?;
        if is_divided {
            piece.load.take(node, piece.parts.as_ref());
        }
        piece.used = piece.used.saturating_sub(1);
        if piece.used < piece.license.seats {
            self.roomy.insert(number);
        }
        let kind = (node, may);
        if let Some(seats) = piece.seated.get_mut(&kind) {
            seats.remove(&id);
            if seats.is_empty() {
                piece.seated.remove(&kind);
            }
        }
        Some(Place { piece: number, node, may: kind.1 })
    }
}
