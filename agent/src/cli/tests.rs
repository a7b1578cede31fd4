use std::time::Duration;

use clap::{CommandFactory, Parser};
use seatkeeper_client::{ClientError, api};

use super::args::{Cli, Command, OnLost, names_device, parse_duration};
use super::fail::{Fail, code_of_kind};

#[test]
fn the_commands_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_understood() {
    let check = |line: &str, understood: bool| {
        let parsed = Cli::try_parse_from(line.split_whitespace());
        assert_eq!(parsed.is_ok(), understood, "{line}: {:?}", parsed.err().map(|error| error.to_string()));
        if !understood {
            let code = Cli::try_parse_from(line.split_whitespace()).unwrap_err().exit_code();
            assert_eq!(code, 2, "{line}");
        }
    };
    check("seatkeeper status --json", true);
    check("seatkeeper --socket /x --json seats", true);
    check("seatkeeper status --watch", true);
    check("seatkeeper status --watch --json", false);
    check("seatkeeper seats --watch release 7", false);
    check("seatkeeper device list --watch", true);
    check("seatkeeper borrow --list --watch", true);
    check("seatkeeper usage p --hours --watch", true);
    check("seatkeeper usage --csv --watch", false);
    check("seatkeeper notices off", true);
    check("seatkeeper notices", true);
    check("seatkeeper notices sometimes", false);
    check("seatkeeper completions zsh", true);
    check("seatkeeper completions tea", false);
    check("seatkeeper man --to D", true);
    check("seatkeeper agent --listen 127.0.0.1:0 --peer 10.0.0.1:7410 --peer 10.0.0.2:7410 --no-mdns", true);
    check("seatkeeper agent --mdns-interface lo --mdns-interface eth0", true);
    check("seatkeeper agent --no-mdns --mdns-interface lo", false);
    check("seatkeeper agent --peer somewhere", false);
    check("seatkeeper agent --webhook https://x/y --webhook-secret-file F", true);
    check("seatkeeper agent --webhook https://x/y", false);
    check("seatkeeper demo --keep", true);
    check("seatkeeper site create Office --admin eva", true);
    check("seatkeeper site create Office", false);
    check("seatkeeper site invite --for 12h --uses 30 --address 10.0.0.1:7410 --admin eva", true);
    check("seatkeeper site invite --uses 0", false);
    check("seatkeeper site invite --for soon", false);
    check("seatkeeper site join", true);
    check("seatkeeper site join CODE", true);
    check("seatkeeper site join CODE --join-file F", false);
    check("seatkeeper site recover --plan --json", true);
    check("seatkeeper site recover --yes --code-file F", true);
    check("seatkeeper site recover CODE", false);
    check("seatkeeper site export -o F", true);
    check("seatkeeper site export", false);
    check("seatkeeper site import F --yes", true);
    check("seatkeeper site import", false);
    check("seatkeeper admin add max --role reader", true);
    check("seatkeeper admin add max --key nonsense", false);
    check("seatkeeper admin passwd", true);
    check("seatkeeper device set abcdefgh --always-on yes --form laptop --name nb1", true);
    check("seatkeeper device set abcdefgh", false);
    check("seatkeeper device revoke pc1 --recovery-file F --admin eva", true);
    check("seatkeeper license trust v.pub --product example- other-", true);
    check("seatkeeper license trust v.pub", false);
    check("seatkeeper license add F --password-file P", true);
    check("seatkeeper vendor keygen --name example -o k", true);
    check("seatkeeper vendor sign F --key k --unbound -o O", true);
    check("seatkeeper vendor verify F --key k.pub", true);
    check("seatkeeper doctor --json", true);
    check("seatkeeper doctor --state-dir D --listen 127.0.0.1:1 --web off", true);
    check("seatkeeper doctor pc1", false);
    check("seatkeeper debug bundle --to F", true);
    check("seatkeeper debug", false);
    check("seatkeeper seats release 7", true);
    check("seatkeeper seats release x", false);
    check("seatkeeper seats ask 7", true);
    check("seatkeeper seats ask 7 --message later --json", true);
    check("seatkeeper seats ask", false);
    check("seatkeeper borrow p@2026 --for 7d --renew --feature bim", true);
    check("seatkeeper borrow p --until 2026-12-24", true);
    check("seatkeeper borrow p --until 2026-12-24T18:00:00+01:00", true);
    check("seatkeeper borrow p --until 2026-02-30", false);
    check("seatkeeper borrow p --until 2026-12-24 --for 7d", false);
    check("seatkeeper borrow --list", true);
    check("seatkeeper borrow --list --renew", false);
    check("seatkeeper borrow --for 7d", false);
    check("seatkeeper return p@2026", true);
    check("seatkeeper return", false);
    check("seatkeeper device lost nb1 --found --admin eva", true);
    check("seatkeeper usage p --from 2026-11-01 --to 2026-11-30 --hours --csv", true);
    check("seatkeeper usage --json", true);
    check("seatkeeper usage --csv --json", false);
    check("seatkeeper usage --from yesterday", false);
    check("seatkeeper usage p --what-if 5 --from 2026-11-01 --json", true);
    check("seatkeeper usage --what-if 5", false);
    check("seatkeeper usage p --what-if many", false);
    check("seatkeeper usage p --what-if 5 --csv", false);
    check("seatkeeper audit", true);
    check("seatkeeper audit --from 2026-11-01 --to 2026-11-30T12:00:00Z --csv", true);
    check("seatkeeper audit --csv --json", false);
    check("seatkeeper audit --from yesterday", false);
    check("seatkeeper audit verify", true);
    check("seatkeeper audit verify F --json", true);
    check("seatkeeper audit verify F G", false);
    check("seatkeeper audit --from 2026-11-01 verify F", false);
    check("seatkeeper limits", true);
    check("seatkeeper limits set p --user eva --seats 0", true);
    check("seatkeeper limits set p --user eva --group cads --seats 1", false);
    check("seatkeeper limits set p --seats 1", false);
    check("seatkeeper limits remove p --device nb1", true);
    check("seatkeeper limits group cads eva jan", true);
    check("seatkeeper limits group cads", true);
    check("seatkeeper limits priority --group cads 9", true);
    check("seatkeeper limits priority --group cads 10", false);
    check("seatkeeper events --follow", true);
    check("seatkeeper run p@2026 --feature bim -- sleep 5", true);
    check("seatkeeper run p -- sleep 5", true);
    check("seatkeeper run p --on-lost=terminate --status-file F -- x --json", true);
    check("seatkeeper run p", false);
    check("seatkeeper run p sleep", false);
    check("seatkeeper run P -- x", false);
    check("seatkeeper hold p@1 --feature a --feature b", true);
    check("seatkeeper hold", false);
    check("seatkeeper run p --wait -- x", true);
    check("seatkeeper run p --wait=30m -- x", true);
    check("seatkeeper run p --wait 30m -- x", false);
    check("seatkeeper run p --wait=soon -- x", false);
    check("seatkeeper hold p --wait=1h", true);
    check("seatkeeper borrow p", false);
    check("seatkeeper", false);
}

#[test]
fn what_follows_the_dashes_belongs_to_the_program() {
    let cli = Cli::try_parse_from("seatkeeper run p@2026.1 -- prog --json --socket x".split(' ')).unwrap();
    assert!(!cli.json && cli.socket.is_none());
    let Command::Run(run) = cli.command else { panic!("{:?}", cli.command) };
    assert_eq!(run.command, ["prog", "--json", "--socket", "x"]);
    assert_eq!(run.seat.product.to_string(), "p@2026.1");
    assert_eq!(run.on_lost, OnLost::Warn);
    assert_eq!(run.seat.wait, None);
}

#[test]
fn waiting_without_a_time_is_as_long_as_it_takes() {
    let wait = |line: &str| {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Hold(hold) = cli.command else { panic!("{:?}", cli.command) };
        hold.wait.map(|wait| wait.as_secs())
    };
    assert_eq!(wait("seatkeeper hold p --wait=90s"), Some(90));
    assert!(wait("seatkeeper hold p --wait") > Some(9 * 365 * 24 * 60 * 60));
    assert_eq!(wait("seatkeeper hold p"), None);
}

#[test]
fn durations() {
    let check = |text: &str, seconds: Option<u64>| {
        assert_eq!(parse_duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
    };
    check("90s", Some(90));
    check("30m", Some(1_800));
    check("12h", Some(43_200));
    check("7d", Some(604_800));
    check("2w", Some(1_209_600));
    check("0s", None);
    check("7", None);
    check("d", None);
    check("-1d", None);
    check("99999999999999999999d", None);
    check("9999999999999999999w", None);
    check("1y", None);
    check("", None);
}

#[test]
fn devices_are_named_by_id_or_enough_of_it() {
    let id = seatkeeper_protocol::id::DeviceId::of(b"x").to_string();
    assert!(names_device(&id, &id));
    assert!(names_device(&id.to_uppercase(), &id));
    assert!(names_device(&id[..8], &id));
    assert!(!names_device(&id[..7], &id));
    assert!(!names_device("", &id));
}

#[test]
fn exit_codes() {
    let problem = |kind: &str, status| {
        let problem = api::Problem {
            kind: kind.to_owned(),
            title: String::new(),
            status,
            detail: "what happened".to_owned(),
            holders: Vec::new(),
            expected: None,
            retry_after_s: None,
        };
        Fail::from(ClientError::Problem(Box::new(problem)))
    };
    assert_eq!(problem("no-seat", 409), Fail { code: 75, text: "what happened".to_owned() });
    assert_eq!(problem("not-licensed", 409).code, 1);
    assert_eq!(problem("no-holder", 503).code, 69);
    assert_eq!(problem("no-site", 409).code, 69);
    assert_eq!(problem("not-permitted", 403).code, 77);
    assert_eq!(problem("bad-request", 400).code, 65);
    assert_eq!(problem("internal", 500).code, 1);
    assert_eq!(code_of_kind("invalid"), 65);
    assert_eq!(code_of_kind("conflict"), 1);
    let no_agent = ClientError::NoAgent { socket: "/x".into(), source: std::io::ErrorKind::NotFound.into() };
    assert_eq!(Fail::from(no_agent).code, 69);
}
