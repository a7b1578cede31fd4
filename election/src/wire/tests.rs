//! Whatever bytes come from another node: read or refused, never more. Every single change of every message is tried,
//! and every pair of changes of whole bytes.

use seatkeeper_protocol::frame;

use super::*;

fn id(term: u64, index: u64) -> WireLogId {
    WireLogId { term, index }
}

fn vote(term: u64, committed: bool) -> WireVote {
    WireVote { term, node: 300, committed }
}

fn membership() -> WireMembership {
    let device = |n: u8| DeviceId([n; 20]);
    WireMembership {
        configs: vec![BTreeSet::from([1, 2, 300]), BTreeSet::from([2, 300])],
        nodes: BTreeMap::from([(1, device(1)), (2, device(2)), (300, device(3)), (4, device(4))]),
    }
}

fn requests() -> Vec<Request> {
    let payloads = [
        WirePayload::Blank,
        WirePayload::Command(vec![1, 2, 3]),
        WirePayload::Membership(membership()),
        WirePayload::Command(Vec::new()),
    ];
    let entries =
        (8..).zip(payloads).map(|(index, payload)| WireEntry { id: id(2, index), payload }).collect();
    let meta =
        WireSnapshotMeta { last: Some(id(2, 9)), membership_at: Some(id(1, 3)), membership: membership() };
    let none = WireMembership { configs: Vec::new(), nodes: BTreeMap::new() };
    let asks = [
        Ask::Append { vote: vote(3, true), prev: Some(id(2, 7)), entries, commit: Some(id(2, 8)) },
        Ask::Append { vote: vote(3, true), prev: None, entries: Vec::new(), commit: None },
        Ask::Vote { vote: vote(3, false), last: Some(id(2, 7)), transfer: true },
        Ask::PreVote { vote: vote(3, false), last: None },
        Ask::Transfer { vote: vote(3, true), to: 2, last: Some(id(2, 7)) },
        Ask::SnapshotStart { vote: vote(3, true), meta, bytes: 70_000 },
        Ask::SnapshotStart {
            vote: vote(3, true),
            meta: WireSnapshotMeta { last: None, membership_at: None, membership: none },
            bytes: 0,
        },
        Ask::SnapshotChunk { data: vec![9; 5] },
    ];
    asks.map(|body| Request { from: 300, to: 1, body }).into()
}

fn answers() -> Vec<Answer> {
    let append = |appended| Answer::Append(appended, WallTime(1_767_225_600_000));
    vec![
        append(WireAppended::Success),
        append(WireAppended::Partial(Some(id(2, 7)))),
        append(WireAppended::Conflict),
        append(WireAppended::HigherVote(vote(9, true))),
        Answer::Vote { vote: vote(3, false), last: None, granted: true },
        Answer::Transfer { accepted: true },
        Answer::SnapshotMore,
        Answer::SnapshotDone { vote: vote(3, true) },
        Answer::Refused(Refusal::NotThisNode),
        Answer::Refused(Refusal::Stopped),
    ]
}

/// Small numbers, and what no number ends with.
const EDGES: [u8; 3] = [0, 1, 0xff];
/// The biggest number.
const HUGE: [u8; 10] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];

/// Calls `check` with every changed copy of `bytes`.
fn changed(bytes: &[u8], mut check: impl FnMut(&[u8])) {
    check(bytes);
    for at in 0..bytes.len() {
        check(&bytes[..at]);
        check(&[&bytes[..at], &HUGE, &bytes[at..]].concat());
        check(&[&bytes[..at], &HUGE, &bytes[at + 1..]].concat());
        check(&[&bytes[..at], &bytes[at + 1..]].concat());
        for bit in 0..8 {
            let mut copy = bytes.to_vec();
            copy[at] ^= 1 << bit;
            check(&copy);
        }
        for other in 0..at {
            let mut copy = bytes.to_vec();
            for (one, two) in EDGES.into_iter().flat_map(|one| EDGES.map(|two| (one, two))) {
                (copy[at], copy[other]) = (one, two);
                check(&copy);
            }
        }
    }
}

/// What the engine takes for granted of a request that got through.
fn is_sound(request: Request) {
    match request.body {
        Ask::Append { vote, prev, entries, commit } => {
            let Ok(rpc) = append_request(vote, prev, entries.clone(), commit) else { return };
            let mut last = prev;
            for entry in &rpc.entries {
                let (index, term) = (entry.log_id.index, entry.log_id.leader_id.term);
                assert_eq!(index, last.map_or(0, |last| last.index + 1));
                assert!(term >= last.map_or(0, |last| last.term) && term <= vote.term);
                last = Some(entry.log_id.into());
            }
            let Ask::Append { vote: v, prev: p, entries: again, commit: c } = Ask::from(rpc) else {
                panic!()
            };
            assert_eq!(
                (v, p, again, c),
                (vote, prev, entries, commit),
                "nothing is lost or added on the way"
            );
        }
        Ask::Vote { vote, last, .. } | Ask::PreVote { vote, last } => {
            let asked = vote_request(vote, last, false);
            assert_eq!((WireVote::from(asked.vote), wire_ids(asked.last_log_id)), (vote, last));
        }
        Ask::Transfer { vote, to, last } => drop(transfer_request(vote, to, last)),
        Ask::SnapshotStart { meta, .. } => {
            let wire = meta.clone();
            let Ok(meta) = SnapshotMeta::try_from(meta) else { return };
            assert_eq!(WireSnapshotMeta::from(&meta), wire);
            assert!(meta.last_membership.membership().nodes().count() <= MEMBERS_MAX);
        }
        Ask::SnapshotChunk { .. } => {}
    }
}

#[test]
fn any_change_of_a_request_is_read_or_refused() {
    for request in requests() {
        let bytes = frame::encode(&request, 4_096).unwrap();
        let (mut read, mut refused) = (0, 0);
        changed(&bytes[4..], |bytes| match frame::decode::<Request>(bytes) {
            Ok(request) => {
                read += 1;
                is_sound(request);
            }
            Err(_) => refused += 1,
        });
        assert!(read > 20 && refused > 20, "{read} read, {refused} refused of {request:?}");
    }
}

#[test]
fn any_change_of_an_answer_is_read_or_refused() {
    for answer in answers() {
        let bytes = frame::encode(&answer, 4_096).unwrap();
        changed(&bytes[4..], |bytes| match frame::decode::<Answer>(bytes) {
            Ok(Answer::Append(appended, _)) => {
                let engine = openraft::raft::AppendEntriesResponse::from(appended.clone());
                assert_eq!(WireAppended::from(engine), appended);
            }
            Ok(Answer::Vote { vote, last, granted }) => {
                let engine = vote_response(vote, last, granted);
                assert_eq!(Answer::from(engine), Answer::Vote { vote, last, granted });
            }
            Ok(_) | Err(_) => {}
        });
    }
}

#[test]
fn an_entry_on_disk_is_read_or_refused() {
    for request in requests() {
        let Ask::Append { entries, .. } = request.body else { continue };
        for entry in entries {
            let bytes = postcard::to_stdvec(&entry).unwrap();
            changed(&bytes, |bytes| {
                let Ok(wire) = frame::decode_body::<WireEntry>(bytes) else { return };
                if let Ok(entry) = wire.clone().entry() {
                    assert_eq!(WireEntry::from(&entry), wire);
                }
            });
        }
    }
}
