//! `seatkeeper demo`: three real agents on this machine stand for three computers of an office.
//!
//! They find each other by real mDNS on the loopback interface only, so nothing is seen in the office's network and
//! none is needed. All they write is in one temporary folder.

use std::time::Duration;

use seatkeeper_client::{ClientError, SeatRequest, api};
use seatkeeper_election::seam::Clock;
use seatkeeper_ledger::command::Command;
use seatkeeper_protocol::id::{Name, ProductId};
use seatkeeper_protocol::license;
use seatkeeper_protocol::time::BootTime;

use crate::cli::print;
use crate::cli::sign::{SiteSigner, site_of};
use crate::keys;
use crate::platform::clock::SystemClock;
use crate::platform::signals;
use office::{Office, Program};

mod office;

/// The product of the sample license.
const PRODUCT: &str = "demo-cad";
const VERSION: &str = "2026";
const SEATS: usize = 3;
/// How long a step may take.
const STEP_WITHIN: Duration = Duration::from_secs(15);
/// How often a state is looked at that no event tells.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The exit code of an interrupted program.
const INTERRUPTED: u8 = 130;

/// Runs the demo; the exit code is not zero if any step fails.
pub async fn demo(keep: bool) -> u8 {
    let stop = signals::shutdown();
    tokio::pin!(stop);
    let mut office = match Office::open() {
        Ok(office) => office,
        Err(error) => {
            print::note(format!("seatkeeper: the demo cannot begin: {error}"));
            return 1;
        }
    };
    let teller = Teller { began: SystemClock.mono() };
    let told = tokio::select! {
        told = story(&mut office, &teller) => Some(told),
        () = &mut stop => None,
    };
    let code = match told {
        Some(Ok(())) => {
            if keep {
                teller.invite_to_play(&office);
                stop.await;
            }
            0
        }
        Some(Err(error)) => {
            teller.tell(&format!("This step failed: {error}"));
            office.show_logs();
            1
        }
        None => INTERRUPTED,
    };
    match office.close().await {
        Ok(()) => teller.tell("Everything is cleaned up."),
        Err(error) => print::note(format!("seatkeeper: the demo's folder was not removed: {error}")),
    }
    code
}

async fn story(office: &mut Office, teller: &Teller) -> Result<(), String> {
    print::line("Three agents on this machine play three computers of an office. They use the loopback");
    print::line("network and a temporary folder only.");
    print::line("");
    for name in ["pc1", "pc2", "pc3"] {
        office.switch_on(name)?;
    }
    for machine in &office.machines {
        until("the agents answer", async || machine.client.status().await.map(|_| Some(()))).await?;
    }
    teller.tell("pc1, pc2 and pc3 are on. No machine is special and none is a server.");

    let signer = found(office, teller).await?;
    license(office, teller, signer).await?;
    let programs = four_starts(office, teller).await?;
    survive(office, teller, programs).await
}

/// A site is created, and two machines join by a code.
async fn found(office: &Office, teller: &Teller) -> Result<SiteSigner, String> {
    let admin = Name::new("demo").map_err(sentence)?;
    let key = keys::generate().map_err(sentence)?;
    let first = office.machine("pc1")?.client.clone();
    let body = api::CreateSite {
        name: "Demo office".to_owned(),
        admin: admin.to_string(),
        admin_key: Some(keys::public(&key).to_string()),
        password: None,
    };
    first.create_site(&body).await.map_err(sentence)?;
    let site = site_of(&first).await.map_err(|fail| fail.text)?;
    office.keep_admin_key(&site.id, &admin, &key)?;
    let mut signer = SiteSigner::with_key(&first, site, admin, key);
    let code = signer.invite(Duration::from_secs(3600), 2, None).await.map_err(|fail| fail.text)?;
    teller.tell("pc1 created the site \"Demo office\" and printed a code for two more machines.");

    let joining = ["pc2", "pc3"].map(|name| office.machine(name).map(|machine| machine.client.clone()));
    for client in joining {
        let client = client?;
        let body = api::Join { code: Some(code.to_string()) };
        let joined = tokio::time::timeout(STEP_WITHIN, client.join_site(&body)).await;
        let joined = joined.map_err(|_| "a machine did not find the site in time")?.map_err(sentence)?;
        if joined.waiting {
            return Err("a machine with a code was told to wait for admission".to_owned());
        }
    }
    teller.tell("pc2 and pc3 found it by mDNS and joined with the code.");
    let status = until("three machines vote", async || {
        let status = first.status().await?;
        let quorum = status.quorum.as_ref().is_some_and(|quorum| quorum.voters == 3 && quorum.ok);
        let online = status.devices.as_ref().is_some_and(|devices| devices.online == 3);
        Ok((quorum && online).then_some(status))
    })
    .await?;
    let holder = status.holder.map(|holder| holder.name).unwrap_or_default();
    teller.tell(&format!("All three vote now; they elected {holder} to hold the licenses."));
    Ok(signer)
}

/// A vendor signs a license, and the site adds it.
async fn license(office: &Office, teller: &Teller, mut signer: SiteSigner) -> Result<(), String> {
    let vendor = keys::generate().map_err(sentence)?;
    let site = signer.site().id;
    let text = format!(
        "# Seatkeeper license v1\nlicense = \"DEMO-1\"\nvendor = \"demo-vendor\"\ncustomer = \"Demo office\"\n\
         issued = 2026-01-01\nproduct = \"{PRODUCT}\"\ntitle = \"Demo CAD\"\nversion = \"{VERSION}\"\n\
         seats = {SEATS}\nsite = \"{site}\"\nshare = \"none\"\n"
    );
    let signed = license::sign(&text, &vendor).map_err(sentence)?;
    let trust = Command::TrustVendor {
        name: Name::new("demo-vendor").map_err(sentence)?,
        key: keys::public(&vendor),
        prefixes: vec![ProductId::new(PRODUCT).map_err(sentence)?],
    };
    signer.send(&trust).await.map_err(|fail| fail.text)?;
    signer.send(&Command::AddLicense { text: signed }).await.map_err(|fail| fail.text)?;
    let client = &office.machine("pc1")?.client;
    until("the license is listed", async || {
        Ok(client.status().await?.pools.iter().any(|pool| pool.license == "DEMO-1").then_some(()))
    })
    .await?;
    teller.tell(&format!(
        "A sample vendor signed a license for {SEATS} seats of {PRODUCT}, and the site added it."
    ));
    Ok(())
}

/// A program on each machine takes a seat; a fourth finds none.
async fn four_starts(office: &Office, teller: &Teller) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    for (started, name) in ["pc1", "pc2", "pc3"].into_iter().enumerate() {
        let began = SystemClock.mono();
        programs.push(office.start_program(name, &format!("{PRODUCT}@{VERSION}"))?);
        let client = &office.machine(name)?.client;
        let seats = until("the program has a seat", async || {
            let seats = client.seats().await?.seats;
            Ok((seats.len() == started + 1).then_some(seats))
        })
        .await?;
        if !seats.iter().any(|seat| seat.device_name == name) {
            return Err(format!("the seat of {name} is not listed"));
        }
        let ms = SystemClock.mono().ms_since(began);
        teller.tell(&format!("A program started on {name} and has a seat ({ms} ms after its start)."));
    }
    let refused = office.refused_program("pc2", &format!("{PRODUCT}@{VERSION}")).await?;
    teller.tell("A fourth program was started on pc2 and refused (exit code 75):");
    print::line(format!("              {}", refused.trim()));
    Ok(programs)
}

/// A seat comes back, the holder is killed, and the next checkout is timed.
async fn survive(office: &mut Office, teller: &Teller, mut programs: Vec<Program>) -> Result<(), String> {
    let client = office.machine("pc1")?.client.clone();
    let holder = client.status().await.map_err(sentence)?.holder.map(|holder| holder.name);
    let holder = holder.ok_or("the site has no holder")?;
    let mut others = office.machines.iter().map(|machine| machine.name).filter(|name| *name != holder);
    let (ended, next) = (others.next().ok_or("no other machine")?, others.next().ok_or("no other machine")?);

    let at = programs.iter().position(|program| program.machine == ended).ok_or("no such program")?;
    programs.remove(at).end().await?;
    let left = until("the seat is back", async || {
        let seats = client.seats().await?.seats;
        Ok((seats.len() == SEATS - 1).then_some(seats))
    })
    .await?;
    teller.tell(&format!("The program on {ended} ended by itself; its seat is free again."));

    let killed = SystemClock.mono();
    office.kill(&holder).await?;
    let client = office.machine(next)?.client.clone();
    let request = SeatRequest::product(PRODUCT);
    let seat = until("a seat is granted again", async || client.take_seat(&request).await.map(Some)).await?;
    let ms = SystemClock.mono().ms_since(killed);
    teller.tell(&format!("{holder}, which held the licenses, was killed without warning."));
    teller.tell(&format!("{next} got the next seat {ms} ms after the kill, from a new holder."));

    let (status, seats) = until("the new holder is known", async || {
        let (status, seats) = (client.status().await?, client.seats().await?.seats);
        let changed = status.holder.as_ref().is_some_and(|known| known.name != holder);
        Ok(changed.then_some((status, seats)))
    })
    .await?;
    let kept = left.iter().all(|old| seats.iter().any(|new| new.id == old.id));
    let granted = seats.iter().any(|new| new.id == seat.granted().seat);
    if !kept || !granted || seats.len() != SEATS {
        return Err(format!("the seats in use changed: before {left:?}, after {seats:?}"));
    }
    for program in &mut programs {
        if !program.runs() {
            return Err(format!("the program on {} ended", program.machine));
        }
    }
    let new_holder = status.holder.map(|holder| holder.name).unwrap_or_default();
    teller.tell(&format!(
        "{new_holder} holds the licenses now. The programs that ran before run on with the seats they had,"
    ));
    print::line(format!("              and {SEATS} seats are in use, as many as were bought."));
    office.keep_programs(programs);
    Ok(())
}

/// Tells the story with the time that passed.
struct Teller {
    began: BootTime,
}

impl Teller {
    fn tell(&self, text: &str) {
        let ms = SystemClock.mono().ms_since(self.began);
        print::line(format!("{:>4}.{:01} s    {text}", ms / 1000, ms % 1000 / 100));
    }

    fn invite_to_play(&self, office: &Office) {
        print::line("");
        print::line(
            "The demo runs on until Ctrl-C, which stops and removes everything. In another terminal:",
        );
        print::line("");
        for line in office.how_to_play() {
            print::line(format!("    {line}"));
        }
        print::line("");
    }
}

/// Asks again until there is an answer, at most [`STEP_WITHIN`]. An agent that is starting or without a holder is
/// asked again too.
async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, ClientError>,
) -> Result<T, String> {
    let mut last = String::new();
    let seen = async {
        loop {
            match look().await {
                Ok(Some(seen)) => return Ok(seen),
                Ok(None) => {}
                Err(error) if error.is_transient() => last = format!(" ({error})"),
                Err(error) => return Err(error.to_string()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let seen = tokio::time::timeout(STEP_WITHIN, seen).await;
    seen.unwrap_or_else(|_| Err(format!("{} s have passed before {what}{last}", STEP_WITHIN.as_secs())))
}

fn sentence(error: impl std::fmt::Display) -> String {
    error.to_string()
}
