//! Checkouts: how long one takes, and how many there are in a second.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use seatkeeper_client::{Client, SeatRequest};
use tokio::time::Instant;

use super::etcd::Etcd;
use super::floor::Floor;
use super::office::{Office, PRODUCT, sentence};
use super::process::Process;
use super::report::{Report, Target};
use super::stats::{Samples, median};
use super::{Failure, Setting};

const LATENCY: &str = "checkout";
const THROUGHPUT: &str = "throughput";
/// Machines: three voters.
const MACHINES: usize = 3;
/// Clients at once.
const CLIENTS: usize = 64;
/// How long clients warm up before they are counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// One checkout after the other, with the floor and etcd beside them in the same run.
pub(super) async fn latency(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    let office = Office::open(setting, MACHINES).await?;
    let etcd = Etcd::start(setting).await?;
    let (holder, voter) = (office.one_with_role("holder").await?, office.one_with_role("voter").await?);
    let (runs, times) = (setting.times(5, 3), setting.times(400, 100));
    let mut floors = Vec::new();
    let mut took: [Vec<f64>; 4] = Default::default();
    for _ in 0..runs {
        floors.push(Floor::measure(setting, times).await?);
        for (place, machine) in [holder, voter].into_iter().enumerate() {
            let mut samples = Samples::default();
            for _ in 0..times {
                samples.add(office.machines[machine].checkout().await.map_err(sentence)?);
            }
            took[place].push(samples.p50_ms());
        }
        let Some(etcd) = &etcd else { continue };
        let leader = etcd.leader().await?;
        for (place, member) in [(2, leader), (3, leader + 1)] {
            let mut client = etcd.client(member).await?;
            let mut samples = Samples::default();
            for _ in 0..times {
                let (took, lease) = client.take().await?;
                client.give_back(&lease).await?;
                samples.add(took);
            }
            took[place].push(samples.p50_ms());
        }
    }
    office.close().await;
    let of = |figure: fn(&Floor) -> f64| median(&floors.iter().map(figure).collect::<Vec<_>>());
    let floor = of(|floor| floor.majority_ms());
    let [at_holder, at_voter, etcd_leader, etcd_follower] = took.map(|runs| median(&runs));
    report.add(LATENCY, "floor: fdatasync of a small append, p50", of(|floor| floor.fdatasync_ms), "ms");
    report.add(LATENCY, "floor: database commit (redb), p50", of(|floor| floor.commit_ms), "ms");
    report.add(LATENCY, "floor: QUIC echo, p50", of(|floor| floor.echo_ms), "ms");
    report.add(LATENCY, "floor of a majority: commit + echo", floor, "ms");
    report.add(LATENCY, "durable checkout at the holder, p50", at_holder, "ms");
    report.judge(LATENCY, "  beside the floor", at_holder / floor, "x", Target::AtMost(1.5));
    report.add(LATENCY, "durable checkout at a voter, p50", at_voter, "ms");
    report.add(LATENCY, "  beside the floor and one more echo", at_voter / (floor + of(|f| f.echo_ms)), "x");
    if etcd.is_none() {
        report.note("etcd is not installed (Debian: etcd-server), so nothing is compared with it".to_owned());
        return Ok(());
    }
    report.add(LATENCY, "etcd, lease and transaction at the leader, p50", etcd_leader, "ms");
    report.add(LATENCY, "etcd, lease and transaction at a follower, p50", etcd_follower, "ms");
    report.judge(
        LATENCY,
        "  checkout beside etcd, both at their leader",
        at_holder / etcd_leader,
        "x",
        BELOW,
    );
    report.judge(LATENCY, "  checkout beside etcd, both elsewhere", at_voter / etcd_follower, "x", BELOW);
    Ok(())
}

const BELOW: Target = Target::AtMost(1.0);

/// Many clients at once, spread over the machines.
pub(super) async fn throughput(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    let runs = setting.times(5, 2);
    let lasts = Duration::from_secs(setting.times(4, 2) as u64);
    let office = Office::open(setting, MACHINES).await?;
    let mut figures = Vec::new();
    for _ in 0..runs {
        let watched = Watched::begin(&office)?;
        let load = Load { until: Instant::now() + WARM_UP + lasts, counted_from: Instant::now() + WARM_UP };
        let clients = (0..CLIENTS).map(|client| {
            let client = office.machines[client % MACHINES].client.clone();
            tokio::spawn(load.seats(client))
        });
        let samples = gather(clients.collect()).await?;
        figures.push((samples, watched.end()?));
    }
    office.close().await;
    let rates: Vec<f64> =
        figures.iter().map(|(samples, _)| samples.len() as f64 / lasts.as_secs_f64()).collect();
    let rate = median(&rates);
    let of = |percent| {
        median(&figures.iter().map(|(samples, _)| samples.percentile_ms(percent)).collect::<Vec<_>>())
    };
    report.judge(
        THROUGHPUT,
        format!("{CLIENTS} clients of the API, checkouts and returns"),
        rate,
        "/s",
        AT_LEAST,
    );
    report.add(THROUGHPUT, "  a checkout, p50", of(50), "ms");
    report.judge(THROUGHPUT, "  a checkout, p99", of(99), "ms", Target::AtMost(20.0));
    if let Some((_, busy)) = figures.last() {
        report.note(format!("processor while 64 clients are served: {busy}"));
    }
    etcd_throughput(setting, report, runs, lasts).await
}

const AT_LEAST: Target = Target::AtLeast(10_000.0);

async fn etcd_throughput(
    setting: &Setting,
    report: &mut Report,
    runs: usize,
    lasts: Duration,
) -> Result<(), Failure> {
    let Some(etcd) = Etcd::start(setting).await?.map(Arc::new) else { return Ok(()) };
    let mut figures = Vec::new();
    for _ in 0..runs {
        let load = Load { until: Instant::now() + WARM_UP + lasts, counted_from: Instant::now() + WARM_UP };
        let clients = (0..CLIENTS).map(|client| tokio::spawn(load.leases(etcd.clone(), client)));
        figures.push(gather(clients.collect()).await?);
    }
    let rates: Vec<f64> = figures.iter().map(|samples| samples.len() as f64 / lasts.as_secs_f64()).collect();
    let p99: Vec<f64> = figures.iter().map(|samples| samples.percentile_ms(99)).collect();
    report.add(
        THROUGHPUT,
        format!("etcd, {CLIENTS} clients, lease, transaction, revoke"),
        median(&rates),
        "/s",
    );
    report.add(THROUGHPUT, "  lease and transaction, p99", median(&p99), "ms");
    Ok(())
}

async fn gather(clients: Vec<tokio::task::JoinHandle<Result<Samples, Failure>>>) -> Result<Samples, Failure> {
    let mut all = Samples::default();
    for client in join_all(clients).await {
        all.append(client.map_err(sentence)??);
    }
    Ok(all)
}

/// What a client does, and when.
#[derive(Clone, Copy, Debug)]
struct Load {
    counted_from: Instant,
    until: Instant,
}

impl Load {
    /// Takes a seat, gives it back and waits until it is free, again and again.
    async fn seats(self, client: Client) -> Result<Samples, Failure> {
        let mut samples = Samples::default();
        let request = SeatRequest::product(PRODUCT);
        while Instant::now() < self.until {
            let began = Instant::now();
            let seat = client.take_seat(&request).await.map_err(sentence)?;
            let took = began.elapsed();
            client.give_back(&seat.granted().session).await.map_err(sentence)?;
            self.count(began, took, &mut samples);
        }
        Ok(samples)
    }

    async fn leases(self, etcd: Arc<Etcd>, member: usize) -> Result<Samples, Failure> {
        let mut samples = Samples::default();
        let mut client = etcd.client(member).await?;
        while Instant::now() < self.until {
            let began = Instant::now();
            let (took, lease) = client.take().await?;
            client.give_back(&lease).await?;
            self.count(began, took, &mut samples);
        }
        Ok(samples)
    }

    fn count(self, began: Instant, took: Duration, samples: &mut Samples) {
        if (self.counted_from..self.until).contains(&began) {
            samples.add(took);
        }
    }
}

/// The processor time of everybody who works.
struct Watched {
    began: Instant,
    processes: Vec<(String, Process, Duration)>,
}

impl Watched {
    fn begin(office: &Office) -> Result<Self, Failure> {
        let mut processes = vec![("the clients".to_owned(), Process::me())];
        for machine in &office.machines {
            processes.push((machine.name.clone(), machine.process()?));
        }
        let processes = processes.into_iter().map(|(name, process)| Ok((name, process, process.cpu()?)));
        Ok(Self { began: Instant::now(), processes: processes.collect::<Result<_, Failure>>()? })
    }

    fn end(self) -> Result<String, Failure> {
        let lasted = self.began.elapsed().as_secs_f64();
        let mut told = Vec::new();
        for (name, process, before) in self.processes {
            let share = (process.cpu()? - before).as_secs_f64() / lasted * 100.0;
            told.push(format!("{name} {share:.0} %"));
        }
        Ok(told.join(", "))
    }
}
