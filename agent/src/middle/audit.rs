//! Records of the audit as the API tells them, and verifying what was told.

use data_encoding::BASE64;
use seatkeeper_ledger::Record;
use seatkeeper_ledger::audit::{Broken, Chain, Link, Linked, read_record};
use seatkeeper_protocol::api::{AuditPart, AuditRecord, AuditSpan};
use seatkeeper_protocol::id::SiteId;

/// A record as the API tells it. One that can't be read has its bytes and hash alone.
pub fn told(seq: u64, linked: &Linked) -> AuditRecord {
    let bytes = linked.bytes.as_slice();
    let read = read_record(bytes);
    let what = read.as_ref().map(|record| &record.what);
    AuditRecord {
        seq,
        time: read.as_ref().and_then(|record| record.time.rfc3339()),
        kind: what.map_or("unreadable", |what| what.kind()).to_owned(),
        text: what.map_or_else(|| "this record cannot be read here".to_owned(), |what| what.text()),
        product: what.and_then(|what| what.product()).map(ToString::to_string),
        user: what.and_then(|what| what.who()).map(|who| who.user.to_string()),
        device: what.and_then(|what| what.device()).map(|device| device.to_string()),
        seat: what.and_then(|what| what.seat()).map(|seat| seat.to_string()),
        record: BASE64.encode(bytes),
        hash: linked.link.to_string(),
    }
}

/// Why records are not what was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The chain.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Not base64, not hexadecimal, or too long.
    #[error("record {0} is not written as a record is")]
    Malformed(u64),
    /// What people read is not what is hashed.
    #[error(
        "record {0} says something else than its content; it was changed, or exported by another version of Seatkeeper: \
         verify it with that one"
    )]
    OtherWords(u64),
}

impl Wrong {
    /// The number of the record.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Broken(broken) => broken.seq(),
            Self::Malformed(seq) | Self::OtherWords(seq) => *seq,
        }
    }
}

/// Verifies records, part after part.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    site: Option<SiteId>,
    chain: Option<Chain>,
    spans: Vec<AuditSpan>,
}

impl Verifier {
    /// Begins. Of the site's first record can be told whether it is this site's.
    pub fn new(site: Option<SiteId>) -> Self {
        Self { site, ..Self::default() }
    }

    /// Takes the records that come next. Those that are missing before them end one span and begin another.
    ///
    /// # Errors
    /// What is wrong with the first that is wrong. Those before it are taken.
    pub fn take(&mut self, part: &AuditPart, mut each: impl FnMut(Record)) -> Result<(), Wrong> {
        let before: Link = part.before.parse().map_err(|_| Wrong::Malformed(part.first))?;
        let mut chain = match self.chain {
            Some(chain) if chain.next() == part.first => {
                if chain.link() != before {
                    return Err(Broken::Changed(part.first).into());
                }
                chain
            }
            Some(chain) if chain.next() > part.first => {
                return Err(Broken::Missing { expected: chain.next(), found: part.first }.into());
            }
            _ => {
                let chain = Chain::new(part.first, before);
                if let Some(site) = &self.site {
                    chain.check_start(site)?;
                }
                if !part.records.is_empty() {
                    self.spans.push(AuditSpan { first: part.first, last: 0, from: None, to: None });
                }
                chain
            }
        };
        for record in &part.records {
            let wrong = || Wrong::Malformed(chain.next());
            let bytes = BASE64.decode(record.record.as_bytes()).map_err(|_| wrong())?;
            let link: Link = record.hash.parse().map_err(|_| wrong())?;
            let content = chain.take(&bytes, link)?;
            if *record != told(content.seq, &Linked { bytes: bytes.into(), link }) {
                return Err(Wrong::OtherWords(content.seq));
            }
            self.chain = Some(chain);
            if let Some(span) = self.spans.last_mut() {
                span.last = content.seq;
                span.to.clone_from(&record.time);
                if span.first == content.seq {
                    span.from.clone_from(&record.time);
                }
            }
            each(content);
        }
        Ok(())
    }

    /// The last record's number and hash.
    pub fn head(&self) -> Option<(u64, Link)> {
        self.chain.map(|chain| (chain.next().saturating_sub(1), chain.link()))
    }

    /// What is whole.
    pub fn spans(&self) -> Vec<AuditSpan> {
        self.spans.iter().filter(|span| span.last >= span.first).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
