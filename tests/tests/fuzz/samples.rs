//! Valid encodings of everything, always the same: what the corpora were written from.

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey};
use seatkeeper_ledger::command::{
    Actor, AdminRole, Checkout, Command, DeviceInfo, Entry, Form, Outcome, admin_message,
};
use seatkeeper_ledger::inventory::{Catalog, MachineChange, Software, Source};
use seatkeeper_ledger::org::Purchase;
use seatkeeper_ledger::{Ledger, encode};
use seatkeeper_protocol::api::{self, FORMAT};
use seatkeeper_protocol::frame;
use seatkeeper_protocol::id::{
    DeviceId, Feature, Generation, InviteId, Name, Note, ProductId, PublicKey, RequestId, SeatId, SessionId,
    SiteId, Version,
};
use seatkeeper_protocol::license;
use seatkeeper_protocol::limits::SESSION_FRAME_BYTES_MAX;
use seatkeeper_protocol::recovery::Recovery;
use seatkeeper_protocol::roster::{Role, Roster, RosterDevice, SignedRoster};
use seatkeeper_protocol::ticket::{PoolKeyCertificate, SeatKind, Ticket, TicketBody};
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::{
    AdminRequest, Admission, AuditQuery, BorrowPlace, FromPeer, Hello, JoinRequest, JoinResponse, Opening,
    PeerRefusal, Ping, Pong, Query, QueuePlace, Request, Response, SeatWish, SiteRef, ToPeer, View,
};
use serde::Serialize;

/// A corpus: each sample with the name of its file.
pub(crate) type Samples = Vec<(String, Vec<u8>)>;

/// Pieces of what is signed or sent in postcard.
pub(crate) const SIGNED_WORDS: &[&[u8]] =
    &[b"\x03ada", b"\x04ws-0", b"\x03cad", b"\x03bim", b"\x042026", &[9; 16]];

/// 2026-03-01T12:00:00Z, as in the ledger's own tests.
pub(crate) const START: WallTime = WallTime(1_772_366_400_000);
const GENERATION: Generation = Generation { number: 1, id: [9; 16] };

// The keys are those of the ledger's golden snapshot.

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub(crate) fn root() -> SigningKey {
    key(1)
}

pub(crate) fn pool() -> SigningKey {
    key(2)
}

pub(crate) fn vendor() -> SigningKey {
    key(3)
}

pub(crate) fn device(n: u8) -> SigningKey {
    key(100 + n)
}

pub(crate) fn device_id(n: u8) -> DeviceId {
    public(&device(n)).device()
}

pub(crate) fn public(key: &SigningKey) -> PublicKey {
    PublicKey(key.verifying_key().to_bytes())
}

pub(crate) fn certificate() -> PoolKeyCertificate {
    PoolKeyCertificate::sign(&root(), GENERATION, 1, public(&pool()))
}

/// The way to the next generation.
pub(crate) fn recovery() -> Recovery {
    let to = Generation { number: 2, id: [8; 16] };
    Recovery::sign(&root(), (GENERATION, to), device_id(0), START).expect("a later one")
}

/// The admin of the golden snapshot.
pub(crate) fn admin(request: RequestId, command: &Command) -> Actor {
    let site = public(&root()).site();
    let message =
        admin_message(&site, &GENERATION, &name("ada"), &request, command).expect("it can be encoded");
    Actor::Admin { name: name("ada"), signature: key(4).sign(&message).to_vec() }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn product(text: &str) -> ProductId {
    ProductId::new(text).expect("a product")
}

fn version(text: &str) -> Version {
    Version::new(text).expect("a version")
}

fn feature(text: &str) -> Feature {
    Feature::new(text).expect("a feature")
}

/// Samples that need no other name than their number.
pub(crate) fn numbered(samples: impl IntoIterator<Item = Vec<u8>>) -> Samples {
    samples.into_iter().enumerate().map(|(n, bytes)| (format!("{n:02}"), bytes)).collect()
}

fn named(names: &[&str], samples: impl IntoIterator<Item = Vec<u8>>) -> Samples {
    names.iter().map(|name| (*name).to_owned()).zip(samples).collect()
}

/// The lines of the ledger's golden file whose name begins with `kind`.
pub(crate) fn golden(kind: &str) -> Samples {
    include_str!("../../../protocol/ledger/src/tests/golden-v1.txt")
        .lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(name, _)| name.starts_with(kind))
        .map(|(name, hex)| (name.replace(' ', "-"), HEXLOWER.decode(hex.as_bytes()).expect("hexadecimal")))
        .collect()
}

pub(crate) fn licenses() -> Samples {
    let head = "# Seatkeeper license v1\nlicense = \"ALP-2026-000123\"\nvendor = \"example-vendor\"\n\
                customer = \"Biuro Projektowe Sp. z o.o.\"\nissued = 2025-12-20\nproduct = \"allplan-engineering\"\n\
                title = \"Allplan Engineering\"\nversion = \"2026\"   # covers 2026 and 2026.x\nseats = 3\n";
    let full = format!(
        "{head}features = [\"bim\", \"cloud\"]\nvalid_from = 2026-01-01\nvalid_until = 2027-01-01\n\
         site = \"{}\"\nttl = \"5m\"\nshare = \"user\"\n",
        public(&root()).site()
    );
    let sign = |text: &str| license::sign(text, &vendor()).expect("a license");
    let wrapped = |file: String| {
        let (text, block) = file.split_once("-----BEGIN").expect("a signature");
        format!("\u{feff}{}-----BEGIN{}", text.replace('\n', "\r\n"), block.replace('=', "\r\n="))
    };
    let files = [sign(head), sign(&full), wrapped(sign(&full)), full.clone(), head.replace('"', "'")];
    named(&["least", "full", "mailed", "unsigned", "literal"], files.map(String::into_bytes))
}

fn ticket(change: impl FnOnce(&mut TicketBody)) -> Ticket {
    let mut body = TicketBody {
        format: seatkeeper_protocol::ticket::FORMAT,
        license: name("ALP-1"),
        license_hash: [5; 32],
        site: certificate().site,
        generation: GENERATION,
        seat: SeatId(7),
        kind: SeatKind::Online,
        product: product("cad"),
        version: version("2026"),
        features: vec![feature("bim")],
        user: name("anna"),
        device: device_id(0),
        serial: 300,
        nonce: Some(vec![6; 16]),
        issued: START,
        ends: None,
    };
    change(&mut body);
    Ticket::sign(&body, certificate(), &pool()).expect("a ticket")
}

pub(crate) fn tickets() -> Vec<Ticket> {
    vec![
        ticket(|_| {}),
        ticket(|body| (body.features, body.nonce) = (Vec::new(), None)),
        ticket(|body| {
            body.features = (0..64).map(|n| feature(&format!("{n:064}"))).collect();
            body.nonce = Some(vec![255; 64]);
            (body.user, body.license) = (name(&"ü".repeat(64)), name(&"x".repeat(128)));
            (body.serial, body.issued, body.ends) = (u64::MAX, WallTime(i64::MIN), Some(WallTime(i64::MAX)));
        }),
    ]
}

pub(crate) fn rosters() -> Vec<SignedRoster> {
    let one = |n: u8, role: Role| RosterDevice {
        key: public(&device(n)),
        name: name(&format!("ws-{n}")),
        role,
        node: role.has_log().then_some(u64::MAX - u64::from(n)),
        laptop: n > 2,
    };
    let roster = |devices: Vec<RosterDevice>, revoked: Vec<DeviceId>| Roster {
        number: 9,
        site: certificate().site,
        generation: GENERATION,
        site_name: name("Office"),
        devices,
        revoked,
    };
    let office = vec![one(0, Role::Holder), one(1, Role::Voter), one(2, Role::Standby), one(3, Role::Spare)];
    [roster(Vec::new(), Vec::new()), roster(office, vec![device_id(3), device_id(9)])]
        .map(|roster| SignedRoster::sign(roster, certificate(), &pool()).expect("a roster"))
        .to_vec()
}

fn view() -> View {
    View {
        term: 3,
        holder: Some(device_id(0)),
        roster: Some(rosters().swap_remove(1)),
        addresses: vec![
            (device_id(0), ([10, 0, 0, 1], 7410).into()),
            (device_id(1), ([0, 0, 0, 0, 0, 0, 0, 1_u16], 7410).into()),
        ],
    }
}

fn requests() -> Vec<Request> {
    let request = RequestId { epoch: 3, counter: 500 };
    let product = ProductId::new("cad").expect("a product");
    let command = seatkeeper_ledger::encode_command(&Command::Leave).expect("a command");
    let queries = [
        Query::Status,
        Query::Seats,
        Query::Devices,
        Query::Licenses,
        Query::Admins,
        Query::Vendors,
        Query::PoolKey,
        Query::Events { after: Some(70_000) },
        Query::Limits,
        Query::Usage,
        Query::Organisation,
        Query::Purchases,
        Query::Compliance(Some(product)),
        Query::WhatIf(br#"{"changes":[{"stop_at_legal":true}]}"#.to_vec()),
        Query::Calculations,
        Query::Inventory(Some("file:ws-1".into())),
        Query::Machine("file:ws-1".into()),
        Query::UnknownPrograms,
        Query::Catalog,
    ];
    let mut requests = vec![
        Request::Device { request, command: command.clone(), nonce: None },
        Request::Admin(AdminRequest { admin: name("ada"), request, command, signature: vec![7; 64] }),
        Request::StartLog,
        Request::StopLog,
    ];
    requests.extend(queries.map(Request::Query));
    let page = AuditQuery::Page { after: 70_000, from: Some(WallTime(-1)), to: None };
    requests.extend([page, AuditQuery::Witness { seq: 70_000 }].map(Request::Audit));
    requests
}

/// One of every message, as a frame.
pub(crate) fn frames() -> Samples {
    let site = SiteRef { site: certificate().site, generation: GENERATION };
    let mut samples = Vec::new();
    add(&mut samples, "opening", requests().into_iter().map(|request| Opening::Request(site, request)));
    add(&mut samples, "opening-control", [Opening::Control(Hello { site, roster: 9 })]);
    add(&mut samples, "request", requests());
    let request = RequestId { epoch: 3, counter: 500 };
    let with_nonce = Request::Device { request, command: vec![3; 20], nonce: Some(vec![6; 16]) };
    add(&mut samples, "request-nonce", [with_nonce]);
    let ask = Request::Ask { seat: SeatId(7), user: name("eva"), note: Note::new("for an hour").ok() };
    add(&mut samples, "request-ask", [ask]);
    add(&mut samples, "request-call-back", [Request::CallBack]);
    let ping = Ping {
        number: 1,
        sessions: vec![(SessionId([1; 16]), 1), (SessionId([2; 16]), 70_000)],
        idle: vec![(SessionId([1; 16]), 25)],
        clock: WallTime(1_780_000_000_000),
    };
    add(&mut samples, "to-peer", [ToPeer::Ping(ping), ToPeer::Intent { leaving: true }]);
    let refusals = [
        PeerRefusal::NotEnrolled,
        PeerRefusal::Revoked,
        PeerRefusal::OtherSite,
        PeerRefusal::OtherGeneration { generation: GENERATION, recovery: None },
        PeerRefusal::OtherGeneration { generation: GENERATION, recovery: Some(Box::new(recovery())) },
        PeerRefusal::NoSite,
        PeerRefusal::Busy,
    ];
    let place = QueuePlace { session: SessionId([1; 16]), attach: 2, position: 1, ask: true };
    let pong = Pong {
        number: 1,
        survey: Some(70_000),
        term: 3,
        live: vec![SessionId([1; 16])],
        released: vec![(SessionId([2; 16]), name("ada"))],
        queue: vec![place],
        time: START,
        borrows: vec![BorrowPlace { seat: SeatId(300), serial: 400, recalled: true }],
        lost: false,
        asked: vec![SeatWish {
            seat: SeatId(7),
            user: name("eva"),
            device: device_id(1),
            device_name: name("ws-1"),
            waiting: 2,
            note: Note::new("I need it for an hour").ok(),
        }],
    };
    add(&mut samples, "from-peer", [FromPeer::Welcome(view()), FromPeer::Pong(pong), FromPeer::View(view())]);
    add(&mut samples, "from-peer-queue", [FromPeer::Queue(vec![place])]);
    add(&mut samples, "from-peer-refused", refusals.map(FromPeer::Refused));
    let [(_, granted), ..] = &golden("outcome granted")[..] else { panic!("no golden grant") };
    let responses = [
        Response::Outcome {
            outcome: granted.clone(),
            ticket: Some(Box::new(ticket(|_| {}))),
            license: licenses().into_iter().next().and_then(|(_, file)| String::from_utf8(file).ok()),
            durability_single: true,
            idle: vec![(SeatId(7), 25)],
        },
        Response::Json(br#"{"format":1}"#.to_vec()),
        Response::LogStarted(u64::MAX),
        Response::Done,
        Response::NotHolder { term: 3, holder: Some(device_id(1)) },
        Response::Unknown,
        Response::Refused(PeerRefusal::Busy),
    ];
    add(&mut samples, "response", responses);
    let invited = JoinRequest {
        site: Some(site.site),
        name: name("ws-9"),
        laptop: true,
        version: name("0.1.0"),
        invite: Some((InviteId([7; 16]), [8; 32])),
    };
    let waiting = JoinRequest { site: None, invite: None, ..invited.clone() };
    add(&mut samples, "join-request", [invited, waiting]);
    let admission = Admission {
        root: public(&root()),
        name: name("Office"),
        roster: rosters().swap_remove(1),
        proof: Some([9; 32]),
        addresses: view().addresses,
    };
    let answers = [
        JoinResponse::Admitted(Box::new(admission)),
        JoinResponse::Waiting { site_name: name("Office"), site: site.site },
        JoinResponse::NotHolder { holder: Some(device_id(0)), address: Some(([10, 0, 0, 1], 7410).into()) },
        JoinResponse::Refused("the invitation is used up; ask an admin for a new one".into()),
    ];
    add(&mut samples, "join-response", answers);
    samples
}

fn add<T: Serialize>(samples: &mut Samples, name: &str, messages: impl IntoIterator<Item = T>) {
    for (n, message) in messages.into_iter().enumerate() {
        let frame = frame::encode(&message, SESSION_FRAME_BYTES_MAX).expect("it fits");
        samples.push((format!("{name}-{n}"), frame));
    }
}

/// The golden one, that of an empty ledger, and that of a busier office.
pub(crate) fn snapshots() -> Samples {
    let mut samples = golden("snapshot");
    samples.push(("empty".into(), Ledger::new().snapshot()));
    samples.push(("busy".into(), busy().snapshot()));
    samples
}

/// The golden office after a day: several licenses, one removed with a seat running, devices that left, an admin who
/// was removed, sharing, denials.
fn busy() -> Ledger {
    let mut ledger = Ledger::restore(&golden("snapshot")[0].1).expect("the golden snapshot");
    let mut counter = 0;
    let mut ask = |actor: Option<u8>, command: Command| {
        counter += 1;
        let request = RequestId { epoch: 50, counter };
        let actor = actor.map_or_else(|| admin(request, &command), |n| Actor::Device(device_id(n)));
        let entry = Entry { time: START, term: 1, actor, request, command };
        let index = ledger.index() + 1;
        ledger.apply(index, 1, &encode(&entry).expect("an entry"))
    };
    let info = |text: &str| DeviceInfo { name: name(text), form: Form::Laptop, version: name("0.1.0") };
    let checkout = |n: u8, user: &str, version: Option<Version>| {
        let session = SessionId([n; 16]);
        let features = if n.is_multiple_of(2) { vec![feature("bim")] } else { Vec::new() };
        Command::Checkout(Checkout {
            session,
            user: name(user),
            product: product("cad"),
            version,
            features,
            pid: None,
        })
    };
    for n in 3..8 {
        assert_eq!(ask(None, Command::Admit { key: public(&device(n)), info: info("book") }), Outcome::Done);
    }
    for (n, terms) in
        (2..).zip(["share = \"none\"", "share = \"user\"\nfeatures = [\"bim\"]", "ttl = \"24h\""])
    {
        let text = format!(
            "# Seatkeeper license v1\nlicense = \"L{n}\"\nvendor = \"acme\"\ncustomer = \"Office\"\n\
             issued = 2026-01-01\nproduct = \"cad\"\ntitle = \"A product\"\nversion = \"2026\"\nseats = {n}\n{terms}\n"
        );
        let text = license::sign(&text, &vendor()).expect("a license");
        assert_eq!(ask(None, Command::AddLicense { text }), Outcome::Done);
    }
    for n in 20..40 {
        ask(Some(n % 7), checkout(n, ["eva", "max", "kim"][usize::from(n % 3)], None));
    }
    ask(None, Command::RemoveLicense { license: name("L2") });
    ask(None, Command::AddAdmin { name: name("bob"), key: public(&key(60)), role: AdminRole::Admin });
    ask(None, Command::RemoveAdmin { name: name("bob") });
    ask(None, Command::RevokeDevice { device: device_id(4) });
    ask(Some(5), Command::Leave);
    let change = |host: &str| MachineChange {
        host: name(host),
        addresses: vec![[10, 0, 0, 1].into()],
        users: vec![name("eva")],
        remove: Vec::new(),
        add: Software::read("Example CAD 2026", "Example", "26.1").into_iter().collect(),
    };
    let rules =
        Catalog::from_toml("[[software]]\nname = \"*cad*\"\nproduct = \"cad\"\nversion = { name = 1 }");
    assert_eq!(ask(None, Command::SetCatalog { from: 0, rules: rules.expect("a catalog").0 }), Outcome::Done);
    assert_eq!(ask(Some(6), Command::Report(change("ws-6"))), Outcome::Done);
    let machines = vec![(name("old"), change("old"))];
    assert_eq!(ask(None, Command::ImportMachines { source: Source::File, machines }), Outcome::Done);
    ask(Some(6), Command::Return { session: SessionId([27; 16]), attach: None });
    ask(Some(6), Command::Return { session: SessionId([99; 16]), attach: None });
    assert!(ledger.seats().len() > 5 && ledger.license(&name("L2")).is_some_and(|license| license.removed));
    ledger
}

/// Bodies of the local API: what clients ask, then what they are answered.
pub(crate) fn bodies() -> Samples {
    let text = |text: &str| Some(text.to_owned());
    let mut samples = Vec::new();
    let mut add =
        |name: &str, body: serde_json::Value| samples.push((name.to_owned(), body.to_string().into_bytes()));
    add("seat-request-least", json(&api::SeatRequest::product("cad")));
    add(
        "seat-request",
        json(&api::SeatRequest {
            wait_s: Some(90),
            product: "cad".into(),
            version: text("2026"),
            features: vec!["bim".into()],
            nonce: text("AAAAAAAAAAAAAAAAAAAAAA"),
            session: text("01010101010101010101010101010101"),
            tree: Some(api::Tree { pid: 4_000_000_000, token: "0".repeat(32) }),
        }),
    );
    let site = api::Site { id: certificate().site.to_string(), name: "Büro".into(), generation: 1 };
    let key = public(&key(4)).to_string();
    add(
        "create-site",
        json(&api::CreateSite {
            name: "Büro".into(),
            admin: "ada".into(),
            admin_key: Some(key),
            password: None,
        }),
    );
    let borrow = api::BorrowRequest {
        product: "cad".into(),
        version: text("2026"),
        features: vec!["bim".into()],
        until: START.rfc3339(),
        for_s: Some(u64::MAX),
        renew: true,
    };
    add("borrow", json(&borrow));
    add("return", json(&api::ReturnRequest { product: "cad".into(), version: text("2026") }));
    let terms = Purchase::from_csv(
        b"id,product,version,quantity,owner,downgrade,manual,valid_until,unit_cost\nP,cad,2026,9,R,2025,E1=4,2026-12-31,12.50\n",
    );
    let (_, id, terms) = terms.expect("purchases").swap_remove(0);
    let purchase = terms.to_json(&id, false, true);
    add("purchase", json(&purchase));
    let change = api::ComplianceChange::SetPurchase(Box::new(purchase));
    let stop = api::ComplianceChange::StopAtLegal(true);
    add("compliance-changes", json(&api::ComplianceChanges { changes: vec![change, stop] }));
    let rules =
        "[[software]]\nname = \"*cad*\"\npublisher = \"E*\"\nproduct = \"cad\"\nversion = { name = 1 }";
    add("catalog", json(&Catalog::from_toml(rules).expect("a catalog").to_json()));
    add("join", json(&api::Join { code: text("SK1-AAAA") }));
    add(
        "joined",
        json(&api::Joined { format: FORMAT, site: Some(site.clone()), device: "x".into(), waiting: false }),
    );
    add(
        "signed-command",
        json(&api::SignedCommand {
            admin: "ada".into(),
            epoch: u64::MAX,
            counter: 1,
            command: "AAQ=".into(),
            signature: "A".repeat(86) + "==",
        }),
    );
    add("lost", json(&api::SeatEvent::Lost { reason: "an admin took the seat away".into() }));
    add("reachable", json(&api::SeatEvent::Reachable));
    let place = api::SeatWaiting {
        format: FORMAT,
        session: "01".repeat(16),
        position: 2,
        expected: None,
        detail: "1 waits before it".into(),
        holders: Vec::new(),
    };
    add("waiting", json(&api::SeatEvent::Waiting(Box::new(place))));
    add("alive", json(&api::SeatEvent::Alive { until_boot_ms: u64::MAX }));
    add(
        "granted",
        json(&api::SeatEvent::Granted(Box::new(api::SeatGranted {
            format: FORMAT,
            seat: "7".into(),
            session: "01".repeat(16),
            license: "L1".into(),
            product: "cad".into(),
            version: "2026".into(),
            shared: true,
            durability: "majority".into(),
            until_boot_ms: 90_000,
            ticket: tickets()[1].to_text().expect("it fits"),
            proof: None,
        }))),
    );
    add("proof-request", json(&api::ProofRequest { nonce: "AAAAAAAAAAAAAAAAAAAAAA".into() }));
    add("activity", json(&api::SeatActivity { idle_s: 1_500, source: api::IdleSource::Display }));
    add("ask", json(&api::AskSeat { message: Some("for an hour".into()) }));
    add(
        "proof",
        json(&api::SeatProof {
            format: FORMAT,
            seat: "7".into(),
            session: "01".repeat(16),
            ticket: tickets()[1].to_text().expect("it fits"),
            license_text: String::from_utf8(licenses()[0].1.clone()).expect("a license is text"),
            root: public(&root()).to_string(),
            device_key: public(&device(1)).to_string(),
            signature: "A".repeat(86),
        }),
    );
    let quorum = api::Quorum { voters: 3, live: 2, needed: 2, ok: true };
    let health = api::Health {
        code: "no-holder".into(),
        severity: "error".into(),
        text: "nobody leads".into(),
        args: Default::default(),
    };
    add(
        "status",
        json(&api::Status {
            format: FORMAT,
            site: Some(site),
            me: None,
            holder: Some(api::Holder { id: "x".into(), name: "ws-0".into() }),
            quorum: Some(quorum),
            devices: Some(api::DeviceCount { enrolled: 3, online: 2 }),
            pools: Vec::new(),
            health: vec![health],
        }),
    );
    add(
        "problem",
        json(&api::Problem {
            kind: "no-seat".into(),
            title: "no seat".into(),
            status: 409,
            detail: "all 1 seats of cad are in use".into(),
            holders: vec![api::SeatHolder {
                seat: "1".into(),
                user: "eva".into(),
                device: "x".into(),
                device_name: "ws-1".into(),
                since: START.rfc3339(),
                idle_s: None,
            }],
            expected: START.rfc3339(),
            retry_after_s: Some(2),
        }),
    );
    samples
}

fn json(body: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(body).expect("it can be written")
}

/// Ids and times as text.
pub(crate) fn texts() -> Vec<String> {
    vec![
        device_id(0).to_string(),
        SiteId([255; 20]).to_string(),
        public(&root()).to_string().to_uppercase(),
        format!(" {} \n", SessionId([0xab; 16])),
        SeatId(u64::MAX).to_string(),
        "allplan-engineering_2.0".into(),
        "2026.1+hotfix".into(),
        "Büro 7, Kraków".into(),
        "2026-03-01T12:00:00Z".into(),
        "-000001-12-31T23:59:59.999999999+01:00".into(),
        "9999-12-30T22:00:00.999999999Z".into(),
    ]
}
