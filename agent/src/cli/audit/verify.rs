//! `seatkeeper audit verify`.

use std::path::Path;

use seatkeeper_client::{Client, api};
use seatkeeper_ledger::audit::Link;
use seatkeeper_protocol::audit::SignedAuditHead;
use seatkeeper_protocol::id::{PublicKey, SiteId};

use super::Pages;
use crate::cli::fail::{BAD_INPUT, Fail, OTHER};
use crate::cli::files::read_text;
use crate::cli::print::{self, progress::Progress};
use crate::middle::audit::{Verifier, Wrong};

/// The longest export that is read, bytes.
const EXPORT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Verifies what this machine keeps, or else the holder.
pub(super) async fn machine(client: &Client, json: bool) -> Result<(), Fail> {
    let mut pages = Pages::new(client, None, None);
    let mut verdict = Verdict::default();
    let mut verifier = Verifier::default();
    let mut newest = None;
    let mut progress = Progress::new("verifying the records", None);
    while let Some(page) = pages.next().await? {
        progress.add(page.part.records.len());
        if verdict.keeper.is_empty() {
            verdict = Verdict::of_machine(&page.keeper);
            verifier = Verifier::new(site_of(page.site.as_ref()));
        }
        verdict.broken.extend(page.damaged);
        if let Err(wrong) = verifier.take(&page.part, drop) {
            verdict.wrong(&wrong);
            break;
        }
        newest = Some(page.newest);
    }
    drop(progress);
    let head = verifier.head();
    if let (Some((seq, hash)), Some(newest)) = (head, &newest)
        && verdict.broken_at.is_none()
        && (newest.seq != seq || newest.hash != hash.to_string())
    {
        verdict.broken_at = Some(seq);
        verdict.broken.push(format!("record {seq} is not the one that the books of {} end with", verdict.of));
    }
    verdict.spans = verifier.spans();
    if let Some((seq, hash)) = head {
        let heads = client.audit_heads(seq).await?;
        verdict.compare(seq, hash, heads.witnesses);
    }
    verdict.finish(json, OTHER)
}

/// Verifies an export.
pub(super) fn file(path: &Path, json: bool) -> Result<(), Fail> {
    let text = read_text(path, EXPORT_BYTES_MAX)?;
    let export: api::AuditExport = serde_json::from_str(&text).map_err(|error| {
        Fail::input(format!(
            "{} is not an export of the audit, or was cut short: {error}; `seatkeeper audit --json` writes one",
            path.display()
        ))
    })?;
    drop(text);
    check(&path.display().to_string(), &export).finish(json, BAD_INPUT)
}

fn site_of(site: Option<&api::Site>) -> Option<SiteId> {
    site.and_then(|site| site.id.parse().ok())
}

/// Verifies an export, called `name`.
pub(super) fn check(name: &str, export: &api::AuditExport) -> Verdict {
    let mut verdict = Verdict { of: name.to_owned(), file: true, ..Verdict::default() };
    let mut verifier = Verifier::new(site_of(export.site.as_ref()));
    verdict.broken.extend(export.damaged.iter().cloned());
    for part in &export.parts {
        if let Err(wrong) = verifier.take(part, drop) {
            verdict.wrong(&wrong);
            break;
        }
    }
    verdict.spans = verifier.spans();
    match (&export.seal, verifier.head()) {
        (Some(seal), Some(head)) if verdict.broken_at.is_none() => {
            let signed = check_seal(seal, export, head);
            verdict.signed = Some(signed.is_ok());
            verdict.broken.extend(signed.err());
        }
        (Some(_), None) => verdict.broken.push("it has a signature and no records".to_owned()),
        _ => {}
    }
    verdict
}

/// That the site's pool key signed this head.
fn check_seal(seal: &str, export: &api::AuditExport, (seq, hash): (u64, Link)) -> Result<(), String> {
    let root: PublicKey = export
        .root
        .as_deref()
        .and_then(|root| root.parse().ok())
        .ok_or("the site's root key, which its signature is verified by, is missing")?;
    let head = SignedAuditHead::from_text(seal)
        .and_then(|signed| signed.open(&root))
        .map_err(|error| error.to_string())?;
    if Some(head.site) != site_of(export.site.as_ref()) {
        return Err("the site that signed the records is not the one that the export names".to_owned());
    }
    if (head.seq, head.hash) != (seq, hash.0) {
        return Err(format!(
            "the site signed other records: they end with record {}, and the export with record {seq}",
            head.seq
        ));
    }
    Ok(())
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    of: String,
    /// The machine's id; empty: a file.
    keeper: String,
    file: bool,
    pub(super) spans: Vec<api::AuditSpan>,
    pub(super) broken: Vec<String>,
    pub(super) broken_at: Option<u64>,
    agree: Vec<String>,
    differ: Vec<String>,
    pub(super) signed: Option<bool>,
}

impl Verdict {
    pub(super) fn of_machine(machine: &api::Holder) -> Self {
        Self { of: machine.name.clone(), keeper: machine.id.clone(), ..Self::default() }
    }

    fn wrong(&mut self, wrong: &Wrong) {
        self.broken_at = Some(wrong.seq());
        self.broken.push(wrong.to_string());
    }

    /// Other machines' hashes of the last record.
    pub(super) fn compare(&mut self, seq: u64, hash: Link, witnesses: Vec<api::AuditWitness>) {
        let hash = hash.to_string();
        let keeper = self.keeper.clone();
        for witness in witnesses.into_iter().filter(|witness| witness.machine.id != keeper) {
            match witness.hash {
                Some(theirs) if theirs == hash => self.agree.push(witness.machine.name),
                Some(_) => {
                    let name = witness.machine.name;
                    self.broken.push(format!(
                        "{name} has another hash of record {seq}: on one of the two machines the records were rewritten"
                    ));
                    self.differ.push(name);
                }
                None => {}
            }
        }
    }

    fn whole(&self) -> bool {
        self.broken.is_empty()
    }

    pub(super) fn text(&self) -> String {
        let span = |span: &api::AuditSpan| {
            let (from, to) = (print::when(span.from.as_deref()), print::when(span.to.as_deref()));
            match span.last - span.first {
                0 => format!("record {} of {from}", span.first),
                _ => format!("records {} to {}, from {from} to {to},", span.first, span.last),
            }
        };
        let spans: Vec<String> = self.spans.iter().map(span).collect();
        let of = &self.of;
        if !self.whole() {
            let rest = match spans.len() {
                0 => String::new(),
                _ => format!("; whole are {}", spans.join(" and ").trim_end_matches(',')),
            };
            return format!("{of} is not as it was recorded: {}{rest}", self.broken.join("; "));
        }
        if spans.is_empty() {
            return format!("there are no records {} {of}", if self.file { "in" } else { "on" });
        }
        let (are, between) = match &spans[..] {
            [_] if self.spans.iter().all(|span| span.first == span.last) => ("is", ""),
            [_] => ("are", ""),
            _ => ("are", "; those between are no longer kept"),
        };
        let others = match (&self.agree[..], self.signed) {
            ([], None) if self.file => "; the site has not signed the last one".to_owned(),
            ([], None) => "; no other machine was there to compare with".to_owned(),
            ([], Some(_)) => "; the site has signed the last one".to_owned(),
            ([one], _) => format!("; {one} has the same"),
            (many, _) => format!("; {} have the same", many.join(", ")),
        };
        let (spans, at) = (spans.join(" and "), if self.file { "in" } else { "on" });
        format!("{spans} {are} whole {at} {of}{between}{others}")
    }

    fn finish(self, json: bool, code: u8) -> Result<(), Fail> {
        let (text, whole) = (self.text(), self.whole());
        if json {
            print::json(&api::AuditVerdict {
                format: api::FORMAT,
                whole,
                of: self.of,
                spans: self.spans,
                broken: self.broken,
                broken_at: self.broken_at,
                agree: self.agree,
                differ: self.differ,
                signed: self.signed,
                text: text.clone(),
            })?;
        } else if whole {
            print::line(print::sentence(&text));
        }
        if whole { Ok(()) } else { Err(Fail::new(code, text)) }
    }
}
