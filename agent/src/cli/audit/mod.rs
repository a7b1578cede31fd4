//! `seatkeeper audit`.

mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use seatkeeper_client::{Client, api};
use seatkeeper_protocol::time::WallTime;
use serde::Serialize;

use super::args::{parse_from, parse_to};
use super::fail::Fail;
use super::print;

/// `audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AuditArgs {
    /// From this day, or time (RFC 3339)
    #[arg(long, value_name = "DATE", value_parser = parse_from)]
    pub from: Option<WallTime>,
    /// To the end of this day, or before this time
    #[arg(long, value_name = "DATE", value_parser = parse_to)]
    pub to: Option<WallTime>,
    /// Comma separated values, for a spreadsheet; what can be verified later is what --json writes
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// What else
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
}

/// `audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no record was changed, left out or added since; exits with 1, or 65 for a file, if one was
    Verify {
        /// What `seatkeeper audit --json` wrote; without it, the records that this machine keeps, or else the holder's
        file: Option<PathBuf>,
    },
}

pub(super) async fn audit(client: &Client, args: AuditArgs, json: bool) -> Result<(), Fail> {
    match args.command {
        Some(AuditCommand::Verify { file: Some(file) }) => verify::file(&file, json),
        Some(AuditCommand::Verify { file: None }) => verify::machine(client, json).await,
        None if json => export(client, args.from, args.to).await,
        None => list(client, &args).await,
    }
}

/// The pages of a span of time, one by one.
pub(super) struct Pages<'a> {
    client: &'a Client,
    from: Option<String>,
    to: Option<String>,
    after: Option<u64>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(client: &'a Client, from: Option<WallTime>, to: Option<WallTime>) -> Self {
        let text = |time: Option<WallTime>| time.and_then(WallTime::rfc3339);
        Self { client, from: text(from), to: text(to), after: Some(0) }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<api::AuditPage>, Fail> {
        let Some(after) = self.after else { return Ok(None) };
        let page = self.client.audit(after, self.from.as_deref(), self.to.as_deref()).await?;
        // Whatever an agent of another version says: a page leads on.
        self.after = page.next.filter(|next| *next > after);
        Ok(Some(page))
    }
}

async fn list(client: &Client, args: &AuditArgs) -> Result<(), Fail> {
    let mut pages = Pages::new(client, args.from, args.to);
    if args.csv {
        print::kept("seq,time,kind,product,user,device,seat,text,record,hash")?;
    }
    let (mut expected, mut some) = (None, false);
    while let Some(page) = pages.next().await? {
        page.damaged.iter().for_each(|damaged| print::note(format!("seatkeeper: {damaged}")));
        if let (Some(expected), Some(first)) = (expected, page.part.records.first())
            && first.seq != expected
        {
            print::note(format!("seatkeeper: records {expected} to {} are not kept", first.seq - 1));
        }
        some |= !page.part.records.is_empty();
        expected = page.part.records.last().map(|last| last.seq.saturating_add(1)).or(expected);
        if args.csv {
            page.part.records.iter().try_for_each(|record| print::kept(csv(record)))?;
        } else {
            page.part.records.iter().for_each(|record| print::line(row(record)));
        }
    }
    if !some && !args.csv {
        print::line("Nothing was recorded then.");
    }
    Ok(())
}

fn row(record: &api::AuditRecord) -> String {
    let when = print::when(record.time.as_deref());
    format!("{:>8}  {when}  {:<17}  {}", record.seq, record.kind, record.text)
}

fn csv(record: &api::AuditRecord) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let cells = [
        record.seq.to_string(),
        text(&record.time),
        record.kind.clone(),
        text(&record.product),
        text(&record.user),
        text(&record.device),
        text(&record.seat),
        record.text.clone(),
        record.record.clone(),
        record.hash.clone(),
    ];
    cells.map(|cell| quoted(&cell)).join(",")
}

/// A cell of RFC 4180. A spreadsheet takes one that begins like a formula for one: such a name gets a mark in front.
fn quoted(cell: &str) -> String {
    let mark = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if mark.is_empty() && !cell.contains([',', '"', '\n', '\r']) {
        return cell.to_owned();
    }
    format!("\"{mark}{}\"", cell.replace('"', "\"\""))
}

/// Writes an [`api::AuditExport`] as the pages come: years of records need no memory.
async fn export(client: &Client, from: Option<WallTime>, to: Option<WallTime>) -> Result<(), Fail> {
    let mut pages = Pages::new(client, from, to);
    let mut last: Option<api::AuditPoint> = None;
    let mut damaged = Vec::new();
    let mut begun = false;
    while let Some(page) = pages.next().await? {
        if !begun {
            print::kept(format!("{{\n\"format\": {},\n\"site\": {},", api::FORMAT, text(&page.site)?))?;
            let keeper = text(&page.keeper)?;
            print::kept(format!("\"keeper\": {keeper},\n\"oldest\": {},\n\"parts\": [", page.oldest))?;
            begun = true;
        }
        damaged.extend(page.damaged);
        let part = page.part;
        let Some(end) = part.records.last() else { continue };
        let point = api::AuditPoint { seq: end.seq, hash: end.hash.clone() };
        let goes_on = last
            .as_ref()
            .is_some_and(|last| last.seq.saturating_add(1) == part.first && last.hash == part.before);
        if goes_on {
            print::kept(",")?;
        } else {
            let close = if last.is_some() { "]},\n" } else { "" };
            let before = text(&part.before)?;
            print::kept(format!("{close}{{\"first\": {}, \"before\": {before}, \"records\": [", part.first))?;
        }
        let records: Result<Vec<String>, Fail> = part.records.iter().map(text).collect();
        print::kept(records?.join(",\n"))?;
        last = Some(point);
    }
    let close = if last.is_some() { "]}\n" } else { "" };
    let (mut root, mut seal) = (None, None);
    if let Some(last) = &last {
        // Without it the export can be verified too, but not whether the site made it.
        let heads = client.audit_heads(last.seq).await?;
        let signed =
            |witness: &api::AuditWitness| witness.hash.as_ref() == Some(&last.hash) && witness.seal.is_some();
        if let Some(witness) = heads.witnesses.into_iter().find(signed) {
            (root, seal) = (witness.root, witness.seal);
        }
    }
    let (damaged, root, seal) = (text(&damaged)?, text(&root)?, text(&seal)?);
    print::kept(format!("{close}],\n\"damaged\": {damaged},\n\"root\": {root},\n\"seal\": {seal}\n}}"))?;
    Ok(())
}

fn text(value: &impl Serialize) -> Result<String, Fail> {
    serde_json::to_string(value).map_err(|error| Fail::other(error.to_string()))
}

#[cfg(test)]
mod tests;
