//! What admins do, as resources of the API: by scripts on the socket, whose admin has signed in.

use serde_json::{Value, json};

use crate::http::Script;
use crate::office::{Office, eventually};

const PASSWORD: &str = "correct horse battery";

/// An office whose site was made by the API: its first admin's key was made there.
async fn office() -> (Office, Value) {
    let office = Office::empty().await;
    let script = Script::new(&office);
    let short = json!({ "name": "Office", "admin": "eva", "password": "short" });
    script.ask("POST", "/v1/site", short).await.refused(400, "bad-request");
    let both = json!({ "name": "Office", "admin": "eva", "password": PASSWORD, "admin_key": "x" });
    script.ask("POST", "/v1/site", both).await.refused(400, "bad-request");
    let neither = json!({ "name": "Office", "admin": "eva" });
    script.ask("POST", "/v1/site", neither).await.refused(400, "bad-request");
    script
        .ask("PUT", "/v1/org/stop-at-legal", json!({ "stop_at_legal": true }))
        .await
        .refused(401, "sign-in");
    let body = json!({ "name": "Office", "admin": "eva", "password": PASSWORD });
    // Its answer was lost, and so it is asked once more.
    let key = [("Idempotency-Key", "create-1")];
    let created = script.ask_with("POST", "/v1/site", body.clone(), &key).await.done();
    let again = script.ask_with("POST", "/v1/site", body.clone(), &key).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.done(), created);
    script.ask("POST", "/v1/site", body).await.refused(409, "conflict");
    let other = json!({ "name": "Other", "admin": "eva", "password": PASSWORD });
    script.ask_with("POST", "/v1/site", other, &key).await.refused(422, "idempotency-mismatch");
    (office, created)
}

async fn eva<'a>(office: &'a Office, created: &Value) -> Script<'a> {
    Script::signed_in(office, created["key_file"].as_str().expect("a key file"), PASSWORD).await
}

/// Makes a vendor's key; its public part.
async fn key_of_a_vendor(office: &Office) -> String {
    let key = office.path("vendor.key");
    let key = key.to_str().unwrap();
    office.done(&["vendor", "keygen", "--name", "acme", "-o", key]).await;
    let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
    let is_key =
        |word: &&str| word.len() == 52 && word.bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7'));
    let public = public.split(|c: char| !c.is_ascii_alphanumeric()).find(is_key).expect("a public key");
    public.to_owned()
}

/// A vendor's key, and a license of it for three seats.
async fn license(office: &Office, created: &Value) -> (String, String) {
    let public = key_of_a_vendor(office).await;
    let (key, unsigned, signed) = (office.path("vendor.key"), office.path("unsigned"), office.path("signed"));
    let [key, unsigned, signed] = [&key, &unsigned, &signed].map(|path| path.to_str().unwrap());
    let site = created["site"]["id"].as_str().unwrap();
    let text = format!(
        "# Seatkeeper license v1\nlicense = \"L1\"\nvendor = \"acme\"\ncustomer = \"Office\"\nissued = 2026-01-01\n\
         product = \"cad\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = 3\nsite = \"{site}\"\nshare = \"none\"\n"
    );
    std::fs::write(unsigned, text).unwrap();
    office.done(&["vendor", "sign", unsigned, "--key", key, "-o", signed]).await;
    (public, std::fs::read_to_string(signed).unwrap())
}

#[tokio::test]
async fn vendors_licenses_and_seats() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    let (vendor, text) = license(&office, &created).await;
    admin.ask("POST", "/v1/licenses", json!({ "text": text })).await.refused(403, "not-permitted");
    admin.ask("POST", "/v1/licenses", json!({ "text": "# none" })).await.refused(400, "bad-request");
    let trust = format!("/v1/vendors/{vendor}");
    admin.ask("PUT", &trust, json!({ "name": "acme", "prefixes": [] })).await.refused(400, "invalid");
    admin
        .ask("PUT", "/v1/vendors/x", json!({ "name": "acme", "prefixes": ["cad"] }))
        .await
        .refused(400, "bad-request");
    admin
        .ask("PUT", &trust, json!({ "name": "acme", "prefixes": ["cad"], "more": 1 }))
        .await
        .refused(400, "bad-request");
    admin.ask("PUT", &trust, json!({ "name": "acme", "prefixes": ["cad"] })).await.done();
    let added = admin.ask("POST", "/v1/licenses", json!({ "text": text })).await.done();
    assert_eq!((&added["license"], &added["seats"], &added["done"]), (&json!("L1"), &json!(3), &json!(true)));

    // Three seats in pages of two.
    let request = seatkeeper_client::SeatRequest::product("cad");
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(office.client.take_seat(&request).await.unwrap());
    }
    let first = admin.get("/v1/seats?limit=2").await;
    let (seats, next) = (first["seats"].as_array().unwrap(), first["next"].as_str().expect("more follow"));
    assert_eq!((seats.len(), seats[1]["id"].as_str()), (2, Some(next)));
    let last = admin.get(&format!("/v1/seats?limit=2&after={next}")).await;
    assert_eq!((last["seats"].as_array().unwrap().len(), &last["next"]), (1, &Value::Null));
    let whole = admin.get("/v1/seats").await;
    assert_eq!((whole["seats"].as_array().unwrap().len(), &whole["next"]), (3, &Value::Null));
    admin.ask("POST", &format!("/v1/seats/{next}/release"), Value::Null).await.done();
    eventually("that seat is nobody's", async || {
        let seats = admin.get("/v1/seats").await;
        seats["seats"].as_array().unwrap().iter().all(|seat| seat["id"] != next)
    })
    .await;
    admin.ask("GET", "/v1/seats?limit=0", Value::Null).await.refused(400, "bad-request");
    admin.ask("GET", "/v1/seats?pages=1", Value::Null).await.refused(400, "bad-request");
    drop(held);

    let listed = admin.get("/v1/licenses?limit=1").await;
    assert_eq!((listed["licenses"][0]["id"].as_str(), &listed["next"]), (Some("L1"), &Value::Null));
    admin.ask("DELETE", "/v1/licenses/L2", Value::Null).await.refused(404, "not-found");
    admin.ask("DELETE", "/v1/licenses/L1", Value::Null).await.done();
}

#[tokio::test]
async fn admins_and_what_readers_may_not() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    let role = |role: &str| json!({ "role": role, "password": PASSWORD });
    admin.ask("PUT", "/v1/admins/max", json!({ "role": "reader" })).await.refused(400, "bad-request");
    admin
        .ask("PUT", "/v1/admins/max", json!({ "role": "reader", "password": "x" }))
        .await
        .refused(400, "bad-request");
    admin
        .ask("PUT", "/v1/admins/max", json!({ "role": "king", "password": PASSWORD }))
        .await
        .refused(400, "bad-request");
    let set = admin.ask("PUT", "/v1/admins/max", role("reader")).await.done();
    let reader = Script::signed_in(&office, set["key_file"].as_str().unwrap(), PASSWORD).await;
    assert_eq!(reader.get("/v1/session").await["admin"]["role"], "reader");
    reader.ask("PUT", "/v1/admins/ada", role("admin")).await.refused(403, "not-permitted");
    reader.ask("POST", "/v1/invites", Value::Null).await.refused(403, "not-permitted");
    let other = key_of_a_vendor(&office).await;
    admin.ask("PUT", "/v1/admins/ada", json!({ "role": "admin", "key": other })).await.done();
    admin
        .ask("PUT", "/v1/admins/ada", json!({ "role": "admin", "key": "x" }))
        .await
        .refused(400, "bad-request");
    assert_eq!(admin.get("/v1/admins").await["admins"].as_array().unwrap().len(), 3);
    admin.ask("DELETE", "/v1/admins/nobody", Value::Null).await.refused(404, "not-found");
    admin.ask("DELETE", "/v1/admins/max", Value::Null).await.done();
    reader.ask("POST", "/v1/invites", Value::Null).await.refused(403, "not-permitted");
    Script::new(&office).ask("DELETE", "/v1/admins/eva", Value::Null).await.refused(401, "sign-in");
    let mut guesser = Script::new(&office);
    guesser.token = Some("guess".to_owned());
    guesser.ask("DELETE", "/v1/admins/eva", Value::Null).await.refused(401, "sign-in");
}

#[tokio::test]
async fn devices_join_by_invitation_and_leave_by_revocation() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    admin.ask("POST", "/v1/invites", json!({ "lasts_s": 0 })).await.refused(400, "bad-request");
    admin.ask("POST", "/v1/invites", json!({ "uses": 0 })).await.refused(400, "invalid");
    admin.ask("POST", "/v1/invites", json!({ "address": "nowhere" })).await.refused(400, "bad-request");
    let invited = admin.ask("POST", "/v1/invites", json!({ "lasts_s": 600, "uses": 2 })).await.done();
    assert_eq!(invited["uses"], 2);
    let second = office.joined_by(invited["code"].as_str().unwrap()).await;
    let id = Script::new(&second).get("/v1/session").await["device"]["id"].as_str().unwrap().to_owned();

    let path = format!("/v1/devices/{id}");
    admin.ask("PUT", &path, json!({ "name": "workshop", "always_on": true, "form": "laptop" })).await.done();
    admin.ask("PUT", &path, json!({ "form": "fridge" })).await.refused(400, "bad-request");
    admin.ask("PUT", "/v1/devices/x", json!({})).await.refused(400, "bad-request");
    let none = "a".repeat(32);
    admin.ask("PUT", &format!("/v1/devices/{none}"), json!({ "name": "x" })).await.refused(404, "not-found");
    admin.ask("POST", &format!("/v1/devices/{none}/admit"), Value::Null).await.refused(404, "not-found");
    admin.ask("POST", &format!("/v1/devices/{none}/revoke"), Value::Null).await.refused(404, "not-found");
    admin.ask("PUT", &format!("{path}/lost"), json!({})).await.refused(400, "bad-request");
    admin.ask("PUT", &format!("{path}/lost"), json!({ "lost": true })).await.done();
    let devices = admin.get("/v1/devices?limit=2").await;
    assert_eq!(devices["next"], Value::Null);
    let known =
        devices["devices"].as_array().unwrap().iter().find(|device| device["id"] == id.as_str()).unwrap();
    assert_eq!((known["name"].as_str(), known["form"].as_str()), (Some("workshop"), Some("laptop")));
    assert!(known["lost"].is_string() && known["always_on"] == true, "{known}");
    admin.ask("PUT", &format!("{path}/lost"), json!({ "lost": false })).await.done();

    eventually("the second machine keeps the log", async || {
        let key = admin.get("/v1/pool-key").await;
        key["log_holders"].as_array().unwrap().len() == 2
    })
    .await;
    // A new key that signs tickets: the second machine knows it, as whoever keeps the log.
    let number = admin.get("/v1/pool-key").await["number"].as_u64().unwrap();
    let code = json!({ "recovery_code": created["recovery_code"] });
    let wrong = json!({ "recovery_code": "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA-AAAAA" });
    admin.ask("POST", "/v1/pool-key/rotate", wrong.clone()).await.refused(400, "bad-request");
    admin.ask("POST", "/v1/pool-key/rotate", code.clone()).await.done();
    let revoke = format!("{path}/revoke");
    admin.ask("POST", &revoke, wrong).await.refused(400, "bad-request");
    let revoked = admin.ask("POST", &revoke, Value::Null).await.done();
    assert_eq!(
        (&revoked["pool_key_exposed"], &admin.get("/v1/pool-key").await["exposed"]),
        (&json!(true), &json!(true))
    );
    let rotated = admin.ask("POST", &revoke, code).await.done();
    assert_eq!(rotated["pool_key_exposed"], false);
    let key = admin.get("/v1/pool-key").await;
    assert_eq!((key["number"].as_u64(), &key["exposed"]), (Some(number + 2), &json!(false)));
}

#[tokio::test]
async fn a_device_without_a_code_is_admitted() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    let second = office.beside().await;
    let joined = Script::new(&second).ask("POST", "/v1/site/join", json!({ "code": null })).await.done();
    assert_eq!(joined["waiting"], true);
    let id = joined["device"].as_str().unwrap();
    admin.ask("POST", &format!("/v1/devices/{id}/admit"), Value::Null).await.done();
    eventually("it belongs to the site", async || {
        Script::new(&second).ask("GET", "/v1/site", Value::Null).await.status == 200
    })
    .await;
    assert_eq!(Script::new(&second).get("/v1/sites").await["sites"], json!([]), "mDNS is off");
}

#[tokio::test]
async fn limits_groups_and_priorities() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    admin.ask("PUT", "/v1/org", json!({ "nodes": [{ "id": "R" }] })).await.done();
    let limit = |more: Value| {
        let mut limit = json!({ "product": "cad" });
        limit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        limit
    };
    for wrong in [
        json!({ "seats": 1 }),
        json!({ "user": "max", "group": "all", "seats": 1 }),
        json!({ "user": "max", "node": "R", "seats": 1 }),
        json!({ "user": "max", "seats": 1, "borrowed": 1 }),
        json!({ "device": "pc1", "seats": 1 }),
        json!({ "user": "max", "seats": -1 }),
        json!({ "user": "max", "seat": 1 }),
    ] {
        admin.ask("PUT", "/v1/limits", limit(wrong)).await.refused(400, "bad-request");
    }
    admin.ask("PUT", "/v1/limits", limit(json!({ "node": "X", "seats": 1 }))).await.refused(404, "not-found");
    admin.ask("PUT", "/v1/limits", limit(json!({ "user": "max", "seats": 1 }))).await.done();
    admin.ask("PUT", "/v1/limits", limit(json!({ "node": "R", "borrow_days": 7, "kept": 1 }))).await.done();
    admin.ask("PUT", "/v1/groups/students", json!({ "members": ["ada", "max"] })).await.done();
    admin.ask("PUT", "/v1/groups/students", json!({ "members": ["a\nb"] })).await.refused(400, "bad-request");
    admin.ask("PUT", "/v1/priorities", json!({ "group": "students", "priority": 3 })).await.done();
    admin
        .ask("PUT", "/v1/priorities", json!({ "group": "students", "priority": 10 }))
        .await
        .refused(400, "invalid");
    admin.ask("PUT", "/v1/priorities", json!({ "priority": 1 })).await.refused(400, "bad-request");
    let limits = admin.get("/v1/limits").await;
    assert_eq!((&limits["limits"][0]["user"], &limits["limits"][0]["seats"]), (&json!("max"), &json!(1)));
    assert_eq!((&limits["nodes"][0]["borrow_days"], &limits["nodes"][0]["seats"]), (&json!(7), &Value::Null));
    assert_eq!(limits["groups"][0]["members"], json!(["ada", "max"]));
    assert_eq!(limits["priorities"][0]["priority"], 3);
    admin.ask("PUT", "/v1/limits", limit(json!({ "user": "max", "seats": null }))).await.done();
    admin.ask("PUT", "/v1/limits", limit(json!({ "node": "R" }))).await.done();
    let limits = admin.get("/v1/limits").await;
    assert_eq!((&limits["limits"], &limits["nodes"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn the_organisation_and_its_purchases() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    let nodes = json!([{ "id": "R", "legal": true }, { "id": "E", "parent": "R", "name": "Engineering", "priority": 2 }]);
    admin
        .ask("PUT", "/v1/org", json!({ "nodes": [{ "id": "E", "parent": "X" }] }))
        .await
        .refused(400, "invalid");
    admin
        .ask("PUT", "/v1/org", json!({ "nodes": [{ "id": "E", "above": "X" }] }))
        .await
        .refused(400, "bad-request");
    admin.ask("PUT", "/v1/org", json!([])).await.refused(400, "bad-request");
    admin.ask("PUT", "/v1/org", json!({ "nodes": nodes })).await.done();
    // More than one command takes, and more than most bodies may have.
    let name = "a unit with a long name ".repeat(5);
    let many: Vec<Value> =
        (0..1_500).map(|n| json!({ "id": format!("N{n}"), "parent": "E", "name": name })).collect();
    assert!(json!({ "nodes": many }).to_string().len() > 200_000);
    admin.ask("PUT", "/v1/org", json!({ "nodes": many })).await.done();
    let mut after = String::new();
    let mut found = 0;
    loop {
        let page = admin.get(&format!("/v1/org?limit=700{after}")).await;
        found += page["nodes"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(found, 1_502);
    let removed: Vec<String> = (0..1_500).map(|n| format!("N{n}")).collect();
    admin.ask("PUT", "/v1/org", json!({ "removed": removed })).await.done();
    let rules = json!({ "rules": [{ "match": "host", "pattern": "pc*", "node": "E" }] });
    admin.ask("PUT", "/v1/org/placement", rules.clone()).await.done();
    let wrong = json!({ "rules": [{ "match": "color", "pattern": "pc*", "node": "E" }] });
    admin.ask("PUT", "/v1/org/placement", wrong).await.refused(400, "bad-request");
    admin.ask("PUT", "/v1/org/stop-at-legal", json!({ "stop_at_legal": true })).await.done();
    let org = admin.get("/v1/org").await;
    assert_eq!((&org["stop_at_legal"], &org["rules"]), (&json!(true), &rules["rules"]));
    assert_eq!((org["nodes"].as_array().unwrap().len(), &org["nodes"][0]["name"]), (2, &json!("R")));

    let terms = json!({ "product": "cad", "version": "2026", "quantity": 3, "valid_until": "2027-12-31" });
    admin.ask("PUT", "/v1/purchases/PO-1", terms.clone()).await.done();
    admin.ask("PUT", "/v1/purchases/PO-1/allocations", json!({ "allocations": { "E": 2 } })).await.done();
    admin
        .ask("PUT", "/v1/purchases/PO-1/allocations", json!({ "allocations": { "E": 9 } }))
        .await
        .refused(400, "invalid");
    // Other terms leave what is allocated.
    admin.ask("PUT", "/v1/purchases/PO-1", terms).await.done();
    let purchase = admin.get("/v1/purchases?limit=1").await["purchases"][0].clone();
    assert_eq!(
        (&purchase["manual"], &purchase["owner"], &purchase["automatic"]),
        (&json!({ "E": 2 }), &json!("R"), &json!(true))
    );
    let never = json!({ "product": "cad", "version": "2026", "quantity": 3, "valid_until": "soon" });
    admin.ask("PUT", "/v1/purchases/PO-1", never).await.refused(400, "bad-request");
    admin.ask("DELETE", "/v1/purchases/PO-1", Value::Null).await.done();
    admin.ask("DELETE", "/v1/purchases/PO-1", Value::Null).await.refused(400, "invalid");
    Script::new(&office).ask("PUT", "/v1/org", json!({})).await.refused(401, "sign-in");
}

#[tokio::test]
async fn the_inventory() {
    let (office, created) = office().await;
    let admin = eva(&office, &created).await;
    let entries = json!([{ "name": "Cad *", "product": "cad", "version_from_name": 1 }]);
    admin
        .ask("PUT", "/v1/inventory/catalog", json!({ "entries": [{ "name": "" }] }))
        .await
        .refused(400, "bad-request");
    let no_way = json!({ "entries": [{ "name": "Cad", "product": "cad" }] });
    admin.ask("PUT", "/v1/inventory/catalog", no_way).await.refused(400, "bad-request");
    admin.ask("PUT", "/v1/inventory/catalog", json!({ "entries": entries })).await.done();
    let text = "host,name\nold1,Cad 2025\nold2,Cad 2026\nold2,Editor\n";
    let imported = admin.ask("POST", "/v1/inventory/machines", json!({ "text": text })).await.done();
    assert_eq!((&imported["machines"], &imported["left_out"]), (&json!(2), &json!([])));
    admin
        .ask("POST", "/v1/inventory/machines", json!({ "text": "host\n" }))
        .await
        .refused(400, "bad-request");
    admin
        .ask("POST", "/v1/inventory/machines", json!({ "text": text, "trust": "x" }))
        .await
        .refused(400, "bad-request");
    let of_files = async || {
        let all = admin.get("/v1/inventory?limit=1000").await["machines"].clone();
        let ids = all.as_array().unwrap().iter().map(|machine| machine["id"].as_str().unwrap().to_owned());
        ids.filter(|id| id.starts_with("file:")).collect::<Vec<_>>()
    };
    assert_eq!(of_files().await, ["file:old1", "file:old2"]);
    // Imported again with less, and one forgotten.
    admin.ask("POST", "/v1/inventory/machines", json!({ "text": "host,name\nold2,Cad 2026\n" })).await.done();
    let machine = admin.get("/v1/inventory/machines/file:old2").await;
    assert_eq!(machine["programs"].as_array().unwrap().len(), 1);
    admin.ask("DELETE", "/v1/inventory/machines/file:old1", Value::Null).await.done();
    assert_eq!(of_files().await, ["file:old2"]);
    admin.ask("DELETE", "/v1/inventory/machines/file:old1", Value::Null).await.refused(404, "not-found");
    let own = admin.get("/v1/session").await["device"]["id"].as_str().unwrap().to_owned();
    admin
        .ask("DELETE", &format!("/v1/inventory/machines/{own}"), Value::Null)
        .await
        .refused(400, "bad-request");
    let site = "a".repeat(32);
    admin.ask("DELETE", &format!("/v1/inventory/sites/{site}"), Value::Null).await.refused(404, "not-found");

    // Another site's machines, of which somebody has to vouch for the key.
    let other = Office::with_two_seats().await;
    other.signed(&["inventory", "catalog", "--import", &other.file("catalog.toml", "")]).await;
    let file = other.path("export.json");
    let told = other.signed(&["inventory", "export", "--to", file.to_str().unwrap()]).await;
    let key = told.trim().rsplit(' ').next().unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    admin.ask("POST", "/v1/inventory/machines", json!({ "text": text })).await.refused(409, "unknown-key");
    let taken =
        admin.ask("POST", "/v1/inventory/machines", json!({ "text": text, "trust": key })).await.done();
    assert_eq!(taken["site"], "Office");
    let id = admin.get("/v1/inventory").await["sites"][0]["id"].as_str().unwrap().to_owned();
    admin.ask("DELETE", &format!("/v1/inventory/sites/{id}"), Value::Null).await.done();
    assert_eq!(admin.get("/v1/inventory").await["sites"], json!([]));
}

#[tokio::test]
async fn the_description_is_served() {
    let office = Office::empty().await;
    let answer = Script::new(&office).ask("GET", "/openapi.json", Value::Null).await;
    assert_eq!((answer.status, answer.body["openapi"].as_str()), (200, Some("3.1.0")));
}
