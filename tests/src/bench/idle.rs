//! What agents cost while nothing happens, and the size of the program.

use std::time::Duration;

use tokio::time::Instant;

use super::office::Office;
use super::process::{Process, Traffic};
use super::report::{Report, Target};
use super::{Failure, Setting};

const PART: &str = "idle";
const MIB: f64 = 1024.0 * 1024.0;
/// Three voters, two standbys, and one spare.
const MACHINES: usize = 6;
/// What one process has used between two looks.
#[derive(Debug)]
pub(super) struct Use {
    process: Process,
    began: Instant,
    cpu: Duration,
    traffic: Traffic,
}

/// Per second, and in RAM at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) rss_mib: f64,
    pub(super) own_mib: f64,
    pub(super) cpu_percent: f64,
    pub(super) sent_kb_s: f64,
    pub(super) received_kb_s: f64,
}

impl Use {
    pub(super) fn begin(process: Process) -> Result<Self, Failure> {
        Ok(Self { process, began: Instant::now(), cpu: process.cpu()?, traffic: process.traffic()? })
    }

    pub(super) fn end(self) -> Result<Cost, Failure> {
        let (cpu, traffic) = (self.process.cpu()?, self.process.traffic()?);
        let seconds = self.began.elapsed().as_secs_f64();
        let memory = self.process.memory()?;
        let kb_s = |now: u64, then: u64| now.saturating_sub(then) as f64 / 1_000.0 / seconds;
        Ok(Cost {
            rss_mib: memory.resident as f64 / MIB,
            own_mib: memory.own as f64 / MIB,
            cpu_percent: (cpu - self.cpu).as_secs_f64() / seconds * 100.0,
            sent_kb_s: kb_s(traffic.sent, self.traffic.sent),
            received_kb_s: kb_s(traffic.received, self.traffic.received),
        })
    }
}

/// Agents on hosts of their own, while nobody asks for a seat. Traffic is all that passes the host's interface.
pub(super) async fn idle(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    let office = Office::open_on_net(setting, MACHINES).await?;
    // In its first minutes everybody asks by mDNS who is there, ever less often; after this about as often as for good.
    tokio::time::sleep(Duration::from_secs(setting.times(180, 15) as u64)).await;
    let roles = ["spare", "standby", "voter", "holder"];
    let mut uses = Vec::new();
    for role in roles {
        let machine = office.one_with_role(role).await?;
        uses.push((role, office.machines[machine].process()?));
    }
    let uses = uses.into_iter().map(|(role, process)| Ok((role, Use::begin(process)?)));
    let uses = uses.collect::<Result<Vec<_>, Failure>>()?;
    tokio::time::sleep(Duration::from_secs(setting.times(90, 10) as u64)).await;
    for (role, used) in uses {
        let cost = used.end()?;
        let targets = match role {
            "spare" => [Some(10.0), Some(0.05), Some(0.2), None],
            "voter" => [Some(16.0), Some(0.5), None, None],
            _ => [None; 4],
        };
        let figures = [
            ("RSS", cost.rss_mib, "MiB"),
            ("of a core", cost.cpu_percent, "%"),
            ("sent", cost.sent_kb_s, "kB/s"),
            ("received, with mDNS of the others", cost.received_kb_s, "kB/s"),
        ];
        for ((what, value, unit), target) in figures.into_iter().zip(targets) {
            let name = format!("idle {role}, {what}");
            match target {
                Some(most) => report.judge(PART, name, value, unit, Target::AtMost(most)),
                None => report.add(PART, name, value, unit),
            }
        }
        report.add(PART, format!("  of the {role}'s RSS, not the program's file"), cost.own_mib, "MiB");
    }
    office.close().await;
    Ok(())
}

/// The program as it is delivered.
pub(super) fn size(setting: &Setting, report: &mut Report) -> Result<(), Failure> {
    let told = std::fs::metadata(&setting.binary);
    let bytes = told.map_err(|error| format!("{}: {error}", setting.binary.display()))?.len();
    report.judge("size", "the program, stripped", bytes as f64 / MIB, "MiB", Target::AtMost(12.0));
    Ok(())
}
