//! A holder that is killed, one that leaves, an agent that starts.

use std::time::Duration;

use seatkeeper_client::{ClientError, SeatRequest};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::office::{Machine, Office, PRODUCT, sentence, until};
use super::report::{Report, Target};
use super::stats::Samples;
use super::{Failure, Setting};

/// Three voters, two standbys, and one spare.
const MACHINES: usize = 6;
/// How long checkouts go on before and after a holder leaves.
const AROUND: Duration = Duration::from_millis(1_500);
/// How often a starting agent is asked: as often as the runtime's timers can.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The holder is killed, again and again: how long until others get a seat.
pub(super) async fn kill(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    const PART: &str = "failover";
    let mut office = Office::open(setting, MACHINES).await?;
    let times = setting.times(20, 5);
    let (mut at_voter, mut at_spare) = (Samples::default(), Samples::default());
    for _ in 0..times {
        office.settled().await?;
        let holder = office.one_with_role("holder").await?;
        let (voter, spare) = (office.one_with_role("voter").await?, office.one_with_role("spare").await?);
        let began = Instant::now();
        office.machines[holder].kill().await?;
        let next = |machine: usize| {
            let machine = &office.machines[machine];
            async move { next_checkout(machine).await.map(|()| began.elapsed()) }
        };
        let (voter, spare) = tokio::join!(next(voter), next(spare));
        at_voter.add(voter?);
        at_spare.add(spare?);
        office.machines[holder].start()?;
    }
    office.close().await;
    for (who, samples) in [("voter", at_voter), ("spare", at_spare)] {
        let name = |figure| format!("holder killed → a checkout at a {who}, {figure} of {times}");
        report.judge(PART, name("p50"), samples.p50_ms() / 1_000.0, "s", Target::AtMost(0.7));
        report.judge(PART, name("max"), samples.max_ms() / 1_000.0, "s", Target::AtMost(1.2));
    }
    Ok(())
}

/// Asks until there is a seat.
async fn next_checkout(machine: &Machine) -> Result<(), Failure> {
    let request = SeatRequest::product(PRODUCT);
    until("a seat is granted again", async || machine.client.take_seat(&request).await.map(|_| Some(())))
        .await
}

/// The holder is asked to stop while another machine takes and returns seats without a pause.
pub(super) async fn leave(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    const PART: &str = "leave";
    let mut office = Office::open(setting, MACHINES).await?;
    let times = setting.times(7, 3);
    let (mut gaps, mut usual, mut refused) = (Samples::default(), Samples::default(), 0);
    for round in 0..times {
        office.settled().await?;
        let holder = office.one_with_role("holder").await?;
        // In turn from a voter and from a spare.
        let asker = office.one_with_role(if round % 2 == 0 { "voter" } else { "spare" }).await?;
        let machine = office.machines[asker].client.clone();
        let stop = CancellationToken::new();
        let asking = tokio::spawn(checkouts(machine, stop.clone()));
        tokio::time::sleep(AROUND).await;
        let left = Instant::now();
        office.machines[holder].stop().await?;
        tokio::time::sleep(AROUND).await;
        stop.cancel();
        let told = asking.await.map_err(sentence)?;
        refused += told.refused;
        let gap = |from: Option<Instant>, until: Option<Instant>| {
            let ends = told.granted.windows(2).filter(|pair| {
                from.is_none_or(|from| pair[1] >= from) && until.is_none_or(|until| pair[1] < until)
            });
            ends.map(|pair| pair[1] - pair[0]).max().ok_or("no seat was granted")
        };
        usual.add(gap(None, Some(left))?);
        gaps.add(gap(Some(left), None)?);
        office.machines[holder].start()?;
    }
    office.close().await;
    let name = |figure| format!("holder leaves: longest gap between checkouts, {figure} of {times}");
    report.judge(PART, name("p50"), gaps.p50_ms(), "ms", Target::AtMost(30.0));
    report.add(PART, name("max"), gaps.max_ms(), "ms");
    report.add(PART, "  longest gap while nobody leaves, p50", usual.p50_ms(), "ms");
    report.judge(PART, "  checkouts refused", f64::from(refused), "", Target::AtMost(0.0));
    Ok(())
}

/// When seats were granted, and how often one was not.
#[derive(Debug, Default)]
struct Told {
    granted: Vec<Instant>,
    refused: u32,
}

async fn checkouts(client: seatkeeper_client::Client, stop: CancellationToken) -> Told {
    let mut told = Told::default();
    let request = SeatRequest::product(PRODUCT);
    while !stop.is_cancelled() {
        let taken = async {
            let seat = client.take_seat(&request).await?;
            told.granted.push(Instant::now());
            client.give_back(&seat.granted().session).await?;
            Ok::<_, ClientError>(())
        };
        if taken.await.is_err() {
            told.refused += 1;
        }
    }
    told
}

/// An agent that was stopped starts: how long until it knows the holder.
pub(super) async fn start(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    const PART: &str = "start";
    let mut office = Office::open(setting, MACHINES).await?;
    for role in ["spare", "voter"] {
        let mut samples = Samples::default();
        let times = setting.times(15, 5);
        for _ in 0..times {
            office.settled().await?;
            let number = office.one_with_role(role).await?;
            let machine = &mut office.machines[number];
            machine.kill().await?;
            let began = Instant::now();
            machine.start()?;
            while !machine.client.status().await.is_ok_and(|status| status.holder.is_some()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            samples.add(began.elapsed());
        }
        let name = format!("agent starts → site seen, a {role}, p50 of {times}");
        report.judge(PART, name, samples.p50_ms() / 1_000.0, "s", Target::AtMost(0.3));
        report.add(PART, "  max", samples.max_ms() / 1_000.0, "s");
    }
    office.close().await;
    Ok(())
}
