//! The plan, as a table. A device is written as a role, a number and marks:
//! `L` leader, `V` voter, `S` standby, `l` leader without a vote, `-` spare;
//! `~` silent, `?` silent for long, `%` lags, `g` leaving, `x` may not vote, `h` not healthy yet, `_` off, `+` always on,
//! `!` revoked, `c` has lost entries, `w` worse rank, `b` better rank, `o` connected but with a fresh log elsewhere (wiped).

use seatkeeper_election::roles::voters_target;
use seatkeeper_election::{Candidate, Member, Standing, Step, View, plan};

use crate::office::{device, node_id, peer};

const LAST: u64 = 1_000;

fn view(office: &str) -> View {
    let mut members = Vec::new();
    let mut candidates = Vec::new();
    let mut me = 0;
    for word in office.split_whitespace() {
        let role = word.chars().next().unwrap();
        let digits: String = word.chars().skip(1).take_while(char::is_ascii_digit).collect();
        let n: u8 = digits.parse().unwrap();
        let marked = |mark| word.contains(mark);
        let leads = matches!(role, 'L' | 'l');
        if leads {
            me = node_id(n);
        }
        if role != '-' {
            let silent_ms = match () {
                () if marked('?') => 20_000,
                () if marked('~') => 3_500,
                () if marked('_') => 1_000,
                () => 0,
            };
            members.push(Member {
                peer: peer(n),
                voter: matches!(role, 'L' | 'V'),
                matched: Some(if marked('%') { LAST - 100 } else { LAST }),
                lost: marked('c'),
                silent_ms: Some(silent_ms),
            });
        }
        if !marked('!') {
            candidates.push(Candidate {
                device: device(n),
                node: match role {
                    _ if marked('o') => Some(900),
                    '-' => None,
                    _ => Some(node_id(n)),
                },
                rank: match () {
                    () if marked('b') => 1,
                    () if marked('w') => 9,
                    () => 5,
                },
                may_vote: !marked('x'),
                connected: !(marked('_') || marked('~') || marked('?')),
                healthy: leads || !(marked('h') || marked('_') || marked('~') || marked('?')),
                leaving: marked('g'),
                always_on: marked('+'),
            });
        }
    }
    let desktops = candidates.iter().filter(|candidate| candidate.may_vote).count();
    let standing = Standing { enrolled: candidates.len(), desktops, candidates };
    View { me, members, joint: false, last_log: LAST, standing, leaving_ms: None, resting: [].into() }
}

fn say(step: Option<Step>) -> String {
    let n = |node: u64| node - 100;
    match step {
        None => "rest".to_owned(),
        Some(Step::FinishJoint) => "finish".to_owned(),
        Some(Step::Recruit(device)) => format!("recruit {}", device.0[0]),
        Some(Step::AddStandby(peer)) => format!("add {}", peer.device.0[0]),
        Some(Step::Promote(node)) => format!("promote {}", n(node)),
        Some(Step::Demote(node)) => format!("demote {}", n(node)),
        Some(Step::Remove(node)) => format!("remove {}", n(node)),
        Some(Step::Transfer(node)) => format!("transfer {}", n(node)),
    }
}

#[track_caller]
fn check(office: &str, expected: &str) {
    assert_eq!(say(plan(&view(office))), expected, "{office}");
}

#[test]
fn sizes() {
    let table = [(1, 1, 1), (2, 2, 1), (3, 3, 3), (9, 9, 3), (10, 4, 3), (10, 5, 5), (500, 400, 5)];
    for (enrolled, desktops, voters) in table {
        assert_eq!(voters_target(enrolled, desktops), voters, "{enrolled} devices, {desktops} desktops");
    }
}

#[test]
fn growing() {
    check("L1", "rest");
    check("L1 -2", "recruit 2");
    check("L1 -2h", "rest");
    check("L1 S2", "rest");
    // Three devices: two standbys first, then from one vote to three without resting at two.
    check("L1 S2 -3", "recruit 3");
    check("L1 S2 S3%", "rest");
    check("L1 S2 S3", "promote 2");
    check("L1 V2 S3", "promote 3");
    check("L1 V2 S3%", "rest");
    check("L1 V2 V3", "rest");
    // Who has just come is not promoted.
    check("L1 V2 S3h", "rest");
    // Four and five: standbys beside the voters; six: a spare.
    check("L1 V2 V3 -4", "recruit 4");
    check("L1 V2 V3 S4 -5", "recruit 5");
    check("L1 V2 V3 S4 S5 -6", "rest");
    // Ten desktops: five voters.
    check("L1 V2 V3 S4 -5 -6 -7 -8 -9 -10", "recruit 5");
    check("L1 V2 V3 S4 S5 S6 S7 -8 -9 -10", "promote 4");
    check("L1 V2 V3 V4 S5 S6 S7 -8 -9 -10", "promote 5");
    check("L1 V2 V3 V4 V5 S6 S7 -8 -9 -10", "rest");
    // Ten devices, mostly laptops: three.
    check("L1 V2 V3 S4 S5x -6x -7x -8x -9x -10x -11x", "rest");
}

#[test]
fn shrinking() {
    check("L1 V2 V3 V4 S5 S6 -7", "demote 4");
    check("L1 V2 V3w V4 S5 S6 -7", "demote 3");
    check("L1 V2 V3 S4 S5 S6w -7", "remove 6");
    // Two devices are left in the site: one vote.
    check("L1 V2", "demote 2");
    // Whoever answers is needed until the one that does not is out.
    check("L1 V2! V3~", "demote 3");
    check("L1 V2! V3_", "rest");
    check("L1 V2! V3c", "demote 3");
    check("L1 V2! V3", "demote 2");
    check("L1 V2!~ V3", "demote 2");
    check("L1 V2x V3~ V4 V5~", "demote 5");
    // A new leader has yet to hear of anybody.
    let mut new = view("L1 V2! V3");
    new.members[2].matched = None;
    assert_eq!(say(plan(&new)), "rest");
    new.members[2].silent_ms = Some(3_000);
    assert_eq!(say(plan(&new)), "demote 3");
}

#[test]
fn silence() {
    check("L1 V2 V3~ S4 S5", "promote 4");
    check("L1 V2 V3~ V4 S5", "demote 3");
    check("L1 V2 V3~", "rest");
    check("L1 V2 V3~ S4%", "rest");
    // The silent one is kept as a standby only while nobody else is there.
    check("L1 V2 V4 S3~ S5", "rest");
    check("L1 V2 V4 S3~ S5 -6", "recruit 6");
    check("L1 V2 V4 S3~ S5 S6", "remove 3");
}

#[test]
fn leaving() {
    // The leader goes: a successor first, made if need be.
    check("L1g V2 V3", "transfer 2");
    check("L1g V2% V3", "transfer 3");
    check("L1g V2b V3", "transfer 2");
    check("L1g S2 S3", "promote 2");
    check("L1g V2 S3", "transfer 2");
    check("L2 V1g S3", "promote 3");
    check("L2 V1g V3", "rest");
    check("L2 V1g", "demote 1");
    // All leavers are planned for together.
    check("L1g V2g V3 S4 S5", "promote 4");
    check("L1g V2g V3 V4 S5", "demote 2");
    check("L1g V3 V4 S5", "transfer 3");
    check("L1 V2g V3g S4 S5", "promote 4");
    check("L1 V2g V3g V4 S5", "demote 3");
    check("L1 V2g V3 V4 S5g", "demote 2");
    // Nobody who goes is promoted or recruited.
    check("L1 V2~ V3 S4g", "rest");
    check("L1 -2g", "rest");
    // The floor: not below three by itself, but down to one that never goes.
    check("L1 V2g V3g", "rest");
    check("L1+ V2g V3g", "demote 3");
    check("L1+ V2g", "demote 2");
    check("L1 V2g -3h", "demote 2");
    // Five become three while machines go for the evening.
    check("L1 V2 V3 V4g V5g -6_ -7_ -8_ -9_ -10_", "demote 5");
    check("L1 V2 V3 V4g -5_ -6_ -7_ -8_ -9_ -10_", "demote 4");
    // When voters go, whoever is there takes their place, however short it has been there.
    check("L1g V2g V3g -4h", "recruit 4");
    check("L1g V2g V3g -4h -5", "recruit 5");
    check("L1g V2g V3g S4h", "promote 4");
    check("L1 V2g V3 S4h", "promote 4");
    check("L1g V2g V3g V4h", "demote 3");
    check("L1g V2g V4h", "transfer 4");
    check("L1g V2g V3 -4 -5", "recruit 4");
    // A leader that must go now hands over first.
    let mut late = view("L1g V2g V3 S4 S5");
    late.leaving_ms = Some(1_500);
    assert_eq!(say(plan(&late)), "transfer 3");
    // Standbys that went before this leader led count for nothing.
    check("L1g V2g V3g S4_ S5_ -6h", "recruit 6");
    check("L1 V2 V3 S4_ S5_ -6h", "rest");
    // Nor does a voter that is gone, and it goes first: who still answers helps to commit that.
    check("L1g V2_ V3 S4", "promote 4");
    check("L1 V2g V3_ V4 S5", "demote 3");
    check("L1g V2_ S3", "promote 3");
    check("L1 V2_ V3 S4 S5", "rest");
}

#[test]
fn who() {
    // A laptop gives its vote up when there are desktops enough.
    check("L1 V2 V3x S4 S5", "promote 4");
    check("L1x V2 V3 S4 S5", "transfer 2");
    check("L1 V2x V3 V4 S5", "demote 2");
    // A better machine replaces a worse one, once, and not the leader.
    check("L1 V2 V3w S4 S5", "promote 4");
    check("L1w V2 V3 S4 S5", "rest");
    check("L1 V2 V3 S4b S5", "promote 4");
    check("L1 V2 V3 V4b S5", "demote 3");
    check("L1 V2 V3 S4 S5w -6", "recruit 6");
    check("L1 V2 V3 S4x S5 -6", "recruit 6");
    check("L1 V2 V3 S4 S5 -6x", "rest");
}

#[test]
fn strangers() {
    check("L1 V2 V3! S4 S5", "promote 4");
    check("L1 V2 V3! V4 S5", "demote 3");
    check("L1 V2 V4 S3! S5", "remove 3");
    check("L1! V2 V3", "transfer 2");
    // Nothing gets smaller around one that nobody lets vote any more.
    check("L1! V2_g V3~", "rest");
    check("L1! V2? V3~", "rest");
    check("L1! V2_ V3", "transfer 3");
    check("L1! V2? V3? S4", "promote 4");
    check("L1! V2? S3!", "rest");
    // A wiped device: its old node goes, its new one is a newcomer.
    check("L1 V2 S3o", "remove 3");
    // Connected, and yet its node has not answered for long: its log is gone.
    let mut ghost = view("L1 V2 V4 S3?");
    ghost.standing.candidates[3].healthy = true;
    assert_eq!(say(plan(&ghost)), "remove 3");
    // One that has lost entries answers heartbeats, but can be given nothing. It goes, and begins anew.
    check("L1 V2 V3 S4c S5", "remove 4");
    check("L1 V2 V3c S4 S5", "promote 4");
    check("L1 V2 V3c V4 S5", "demote 3");
    check("L1 V2 S3c -4x", "remove 3");
    check("L1 V2 V3c S4x S5x", "rest");
}

#[test]
fn what_comes_before_everything() {
    let mut half_way = view("L1g V2 V3");
    half_way.joint = true;
    assert_eq!(say(plan(&half_way)), "finish");
    let mut unknown = view("L1 V2 V3");
    unknown.standing = Standing::default();
    assert_eq!(say(plan(&unknown)), "rest");
    let mut resting = view("L1 -2 -3");
    resting.resting.insert(device(2));
    assert_eq!(say(plan(&resting)), "recruit 3");
    let mut leaving = view("L1 V2 V3");
    leaving.leaving_ms = Some(0);
    assert_eq!(say(plan(&leaving)), "transfer 2");
}

/// From any office, the plan comes to rest if every step succeeds, and never leaves the leader without a vote, the
/// site without voters, or those who answer without a majority, on the way.
#[test]
fn every_plan_ends() {
    let marks = ["", "~", "g", "x", "!", "c", "w", "b", "h", "%"];
    let roles = ["V", "S", "-"];
    let kinds = roles.len() * marks.len();
    let mut seed = 1u64;
    for _ in 0..20_000 {
        let mut pick = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let leader = ["L1", "L1g", "L1x", "L1+", "L1w"][pick(5)];
        let mut office = leader.to_owned();
        for n in 2..2 + pick(11) {
            let kind = pick(kinds);
            office.push_str(&format!(" {}{n}{}", roles[kind % 3], marks[kind / 3]));
        }
        settle(&office);
    }
}

fn answer_in_majority(view: &View) -> bool {
    let voters = || view.members.iter().filter(|member| member.voter);
    let answering = voters().filter(|member| !member.lost && member.silent_ms == Some(0)).count();
    2 * answering > voters().count()
}

fn settle(office: &str) {
    let mut view = view(office);
    for _ in 0..60 {
        let could_commit = answer_in_majority(&view);
        let Some(step) = plan(&view) else { return };
        let member = |view: &mut View, node: u64, voter: bool| {
            view.members.iter_mut().find(|member| member.peer.node == node).unwrap().voter = voter;
        };
        match step {
            Step::Promote(node) => member(&mut view, node, true),
            Step::Demote(node) => {
                assert_ne!(node, view.me, "{office}");
                member(&mut view, node, false);
            }
            Step::Remove(node) => {
                assert_ne!(node, view.me, "{office}");
                view.members.retain(|member| member.peer.node != node);
                for candidate in &mut view.standing.candidates {
                    candidate.node = candidate.node.filter(|of| *of != node);
                }
            }
            Step::Recruit(device) => {
                let n = device.0[0];
                let new = Member {
                    peer: peer(n),
                    voter: false,
                    matched: Some(LAST),
                    lost: false,
                    silent_ms: Some(0),
                };
                view.members.push(new);
                let candidate = view.standing.candidates.iter_mut().find(|of| of.device == device).unwrap();
                candidate.node = Some(node_id(n));
            }
            Step::Transfer(node) => view.me = node,
            Step::AddStandby(_) | Step::FinishJoint => panic!("{office}: {step:?}"),
        }
        assert!(view.members.iter().any(|member| member.voter && member.peer.node == view.me), "{office}");
        assert!(answer_in_majority(&view) || !could_commit, "{office}: {step:?}");
    }
    panic!("{office} never rests");
}
