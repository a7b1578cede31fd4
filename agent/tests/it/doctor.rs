//! `doctor` finds what is wrong, and `debug bundle` gives nothing away.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use seatkeeper_client::api::{Doctor, Health};

use crate::office::{Office, eventually};

/// What a doctor on this machine says, and its exit code.
async fn doctor(office: &Office, args: &[&str]) -> (Option<i32>, BTreeMap<String, Health>) {
    let output = office.output(&[&["doctor", "--json"], args].concat()).await;
    let found: Doctor = serde_json::from_slice(&output.stdout).expect("JSON");
    let checks = found.checks.into_iter().map(|check| (check.code.clone(), check));
    // How full the disk of the machine is that this runs on is nobody's business.
    (output.status.code(), checks.filter(|(code, _)| !code.starts_with("disk-")).collect())
}

fn unwell(checks: &BTreeMap<String, Health>) -> Vec<&str> {
    let bad = checks.values().filter(|check| !matches!(check.severity.as_str(), "ok" | "info"));
    bad.map(|check| check.code.as_str()).collect()
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_on_real_machines() {
    let office = Office::with_two_seats().await;
    let mut second = office.second().await;
    // A machine that has just joined may not be connected from everywhere yet.
    eventually("all is well", async || {
        let (_, checks) = doctor(&office, &[]).await;
        unwell(&checks).is_empty() && checks.contains_key("udp-port-ok")
    })
    .await;
    let (_, checks) = doctor(&second, &[]).await;
    assert_eq!(unwell(&checks), [""; 0]);
    assert_eq!(checks["holder-ok"].args["holder"], "pc1");
    assert_eq!(checks["udp-port-ok"].args["peer"], "pc1");
    assert!(checks.contains_key("multicast-not-used"), "it was started with --no-mdns");
    assert!(checks["web-port-ok"].args["address"].starts_with("127.0.0.1:"));

    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(10 * 24);
    let until = until.strftime("%F").to_string();
    office.license("L2", "2027", 1, &format!("valid_until = {until}\n")).await;
    let state = second.path("state");
    fs::set_permissions(&state, Permissions::from_mode(0o720)).unwrap();
    let (code, checks) = doctor(&second, &[]).await;
    assert_eq!((code, unwell(&checks)), (Some(1), vec!["license-ends", "others-write"]));
    assert_eq!(checks["others-write"].args["path"], state.to_str().unwrap());
    let license = &checks["license-ends"];
    assert_eq!((license.args["license"].as_str(), &license.args["until"]), ("L2", &until));
    assert!(license.text.contains(&until), "{}", license.text);
    let told = second.client.status().await.unwrap().health;
    assert!(told.contains(license), "status says the same: {told:?}");
    fs::set_permissions(&state, Permissions::from_mode(0o700)).unwrap();

    // Where no agent runs, what can be seen without one.
    second.stop_agent().await;
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let page = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (udp, web) = (taken.local_addr().unwrap().to_string(), page.local_addr().unwrap().to_string());
    let given = ["--state-dir", state.to_str().unwrap(), "--listen", &udp, "--web", &web];
    let (code, checks) = doctor(&second, &given).await;
    let expected = vec!["no-agent", "udp-port-taken", "web-port-taken"];
    assert_eq!((code, unwell(&checks)), (Some(69), expected));
    assert!(checks.contains_key("rights-ok"), "{checks:?}");
    if cfg!(target_os = "linux") {
        let me = format!("(process {})", std::process::id());
        assert!(checks["udp-port-taken"].args["program"].ends_with(&me), "{checks:?}");
        assert!(checks["web-port-taken"].args["program"].ends_with(&me), "{checks:?}");
    }
    drop((taken, page));
    let absent = second.path("absent");
    let given = ["--state-dir", absent.to_str().unwrap(), "--listen", &udp, "--web", &web];
    let (code, checks) = doctor(&second, &given).await;
    assert_eq!((code, unwell(&checks)), (Some(69), vec!["no-agent"]));
    assert!(checks.contains_key("state-dir-new"), "{checks:?}");
}

#[tokio::test]
async fn a_bundle_tells_much_and_gives_nothing_away() {
    let office = Office::empty_and(vec![("SEATKEEPER_LOG", "info,seatkeeper=trace".to_owned())]).await;
    let password = office.path("password");
    let password = password.to_str().unwrap();
    let created =
        office.done(&["site", "create", "Office", "--admin", "eva", "--password-file", password]).await;
    let invite = office.done(&["site", "invite", "--password-file", password]).await;
    let code = office.client.session_code().await.unwrap();
    // What is asked for is answered, and noted in the log.
    office.done(&["status"]).await;

    let file = office.path("bundle.tar.gz");
    office.done(&["debug", "bundle", "--to", file.to_str().unwrap()]).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = office.output(&["debug", "bundle", "--to", file.to_str().unwrap()]).await;
    assert_eq!(again.status.code(), Some(65), "a file is not overwritten");

    let files = unpack(&fs::read(&file).unwrap());
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "README.txt",
        "devices.json",
        "doctor.json",
        "health.json",
        "log.txt",
        "state.json",
        "status.json",
        "version.txt",
    ];
    assert_eq!(names, expected);
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    assert!(text("log.txt").contains("ready listen="), "{}", text("log.txt"));
    assert!(text("doctor.json").contains("\"agent-ok\""));
    for part in ["\"mdns\": \"off\"", "\"identity.key\"", "\"last_applied\"", "\"quorum_ok\": true"] {
        assert!(text("state.json").contains(part), "{part} is not in {}", text("state.json"));
    }

    let whole: Vec<u8> = files.into_values().flatten().collect();
    let secrets = secrets(&office, &created, &invite, &code.code);
    assert!(secrets.len() >= 10, "{}", secrets.len());
    for (what, secret) in secrets {
        assert!(secret.len() >= 8, "{what} is too short to be looked for");
        let found = whole.windows(secret.len()).any(|part| part == secret);
        assert!(!found, "{what} is in the bundle");
    }
}

/// Everything that lets somebody act, in each form that it may have.
fn secrets(office: &Office, created: &str, invite: &str, session: &str) -> Vec<(String, Vec<u8>)> {
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, secret: &[u8]| secrets.push((what.to_owned(), secret.to_vec()));
    add("the password", b"correct horse");
    add("the code of a session", session.as_bytes());
    add("the invitation", invite.trim().as_bytes());
    let recovery: Vec<&str> = created.split_whitespace().filter(|word| word.len() >= 20).collect();
    assert!(!recovery.is_empty(), "no recovery code: {created}");
    recovery.iter().for_each(|word| add("the recovery code", word.as_bytes()));
    // A record: four bytes of length, then the key.
    let key = fs::read(office.path("state/identity.key")).unwrap();
    let key = &key[key.len() - 32..];
    add("the device's key", key);
    add("the device's key, hex", data_encoding::HEXLOWER.encode(key).as_bytes());
    add("the device's key, base32", data_encoding::BASE32_NOPAD.encode(key).to_lowercase().as_bytes());
    add("the device's key, base64", data_encoding::BASE64.encode(key).trim_end_matches('=').as_bytes());
    let debugged = format!("{key:?}");
    add("the device's key, as Rust writes it", debugged.as_bytes());
    let mut sealed = 0;
    for entry in fs::read_dir(office.path("seatkeeper/admins")).unwrap() {
        let file = fs::read_to_string(entry.unwrap().path()).unwrap();
        // The site and the public key stand there too.
        for line in file.lines().filter(|line| line.starts_with("sealed = ")) {
            sealed += 1;
            add("the admin's sealed key", line.trim_start_matches("sealed = ").trim_matches('"').as_bytes());
        }
    }
    assert!(sealed > 0, "no sealed key was found");
    secrets
}

fn unpack(packed: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        files.insert(name, bytes);
    }
    files
}
