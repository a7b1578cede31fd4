//! The records of a site: listed, exported, verified; and what would have come with other numbers of seats.

use seatkeeper_client::api;

use crate::office::Office;

fn json<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test]
async fn an_export_is_verified_anywhere_and_a_changed_one_is_not() {
    let office = Office::with_two_seats().await;
    let _running = office.run(&[], "sleep 60");
    office.until_seats(1).await;
    let listed = office.done(&["audit"]).await;
    assert!(listed.lines().count() >= 4 && listed.contains("site-founded"), "{listed}");
    let verified = office.done(&["audit", "verify"]).await;
    assert!(verified.starts_with("Records 1 to ") && verified.contains(" are whole on "), "{verified}");
    let csv = office.done(&["audit", "--csv"]).await;
    assert_eq!(csv.lines().count(), listed.lines().count() + 1);

    let exported = office.done(&["audit", "--json"]).await;
    let export: api::AuditExport = json(&exported);
    assert_eq!(export.parts.len(), 1);
    let file = office.path("export.json");
    std::fs::write(&file, &exported).expect("the file is written");
    let name = file.display().to_string();
    let told = office.done(&["audit", "verify", &name]).await;
    assert!(told.trim_end().ends_with("the site has signed the last one."), "{told}");
    let verdict: api::AuditVerdict = json(&office.done(&["audit", "verify", &name, "--json"]).await);
    assert_eq!((verdict.whole, verdict.signed), (true, Some(true)));

    std::fs::write(&file, exported.replace("founded the site", "bought the site"))
        .expect("the file is written");
    let refused = office.output(&["audit", "verify", &name, "--json"]).await;
    assert_eq!(refused.status.code(), Some(65));
    let verdict: api::AuditVerdict = json(&String::from_utf8_lossy(&refused.stdout));
    assert_eq!((verdict.whole, verdict.broken_at), (false, Some(1)));
    std::fs::write(&file, &exported[..exported.len() / 2]).expect("the file is written");
    assert_eq!(office.output(&["audit", "verify", &name]).await.status.code(), Some(65));

    // A part of it is an export too, and so is none of it.
    let after = export.parts[0].records.last().and_then(|last| last.time.clone()).expect("it has a time");
    std::fs::write(&file, office.done(&["audit", "--json", "--from", &after]).await).expect("it is written");
    assert!(office.done(&["audit", "verify", &name]).await.contains("the site has signed"));
    let none: api::AuditExport = json(&office.done(&["audit", "--json", "--from", "2100-01-01"]).await);
    assert!(none.parts.is_empty() && none.seal.is_none());
}

#[tokio::test]
async fn what_if_there_had_been_more_seats() {
    let office = Office::with_two_seats().await;
    let _running = [office.run(&[], "sleep 60"), office.run(&[], "sleep 60")];
    office.until_seats(2).await;
    assert_eq!(office.output(&["run", "cad", "--", "true"]).await.status.code(), Some(75));
    let what_if = |seats| {
        let office = &office;
        async move { json::<api::WhatIf>(&office.done(&["usage", "cad", "--what-if", seats, "--json"]).await) }
    };
    let told = what_if("3").await;
    assert_eq!((told.starts, told.recorded.refused, told.recorded.peak), (3, 1, 2));
    assert_eq!((told.replayed.refused, told.replayed.peak), (0, 3));
    assert!(told.first == 1 && told.last > 4 && told.from.is_some());
    let told = what_if("1").await;
    assert_eq!((told.replayed.refused, told.replayed.peak), (2, 1));
    let text = office.done(&["usage", "cad", "--what-if", "3"]).await;
    assert!(text.contains("WITH 3 SEATS"), "{text}");
    let nothing = office.output(&["usage", "cad", "--what-if", "3", "--from", "2100-01-01"]).await;
    assert_eq!(nothing.status.code(), Some(65));
}
