//! Admin keys and commands signed with them. The agent never sees a password or a private key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use seatkeeper_client::{Client, ClientError};
use seatkeeper_ledger::command::{Command, InviteKey};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{InviteId, Name, PublicKey, SiteId};
use zeroize::Zeroizing;

use super::args::SignArgs;
use super::fail::{Fail, NOT_PERMITTED, OTHER, code_of_kind};
use super::print::progress::Progress;
use super::{files, print};
use crate::keys::admin::PASSWORD_CHARS_MIN;
use crate::keys::invite::InviteCode;
use crate::keys::signing::{CommandSigner, SignedFor, TRIES_MAX};
use crate::keys::{self, admin};
use crate::plan::long;
use crate::platform::clock::SystemClock;
use crate::platform::paths;
use seatkeeper_election::seam::Clock;

/// Longest key file, bytes.
const KEY_FILE_BYTES_MAX: usize = 16 * 1024;

/// The site that commands are signed for.
pub(crate) async fn site_of(client: &Client) -> Result<SignedFor, Fail> {
    let detail = client.site().await?;
    SignedFor::read(&detail).ok_or_else(|| Fail::other("the agent's answer about its site is not understood"))
}

/// Signs commands for one site as one admin.
pub(crate) struct SiteSigner {
    client: Client,
    signer: CommandSigner,
    /// Whether somebody reads what is worth knowing beside the answer.
    for_a_person: bool,
}

impl SiteSigner {
    /// Opens the admin's key, asking for its password.
    pub(crate) async fn open(client: &Client, args: &SignArgs) -> Result<Self, Fail> {
        let site = site_of(client).await?;
        let path = key_file(&site.id, args.admin.as_ref())?;
        let opened = open_key(&path, args.password_file.as_deref())?;
        if opened.site != site.id {
            return Err(Fail::input(format!("{} is a key of another site", path.display())));
        }
        let signer = Self::with_key(client, site, opened.name, opened.key);
        Ok(Self { for_a_person: true, ..signer })
    }

    /// Signs with an opened key.
    pub(crate) fn with_key(client: &Client, site: SignedFor, name: Name, key: SigningKey) -> Self {
        let signer = CommandSigner::new(site, name, key, SystemClock.wall());
        Self { client: client.clone(), signer, for_a_person: false }
    }

    pub(crate) fn site(&self) -> &SignedFor {
        self.signer.site()
    }

    /// Signs what is no command, and says by which key.
    pub(crate) fn sign(&self, message: &[u8]) -> (PublicKey, [u8; 64]) {
        (keys::public(self.signer.key()), self.signer.key().sign(message).to_bytes())
    }

    /// Opens an invitation; its code.
    pub(crate) async fn invite(
        &mut self,
        lasts: Duration,
        uses: u32,
        address: Option<SocketAddr>,
    ) -> Result<Zeroizing<String>, Fail> {
        let (invite, key) = (InviteId(keys::random()?), Zeroizing::new(keys::random()?));
        let ends = SystemClock.wall().plus_ms(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        self.send(&Command::CreateInvite { invite, key: InviteKey(*key), ends, uses }).await?;
        Ok(InviteCode { site: self.site().id, address, invite, key: *key }.to_text())
    }

    /// Has the site carry out `command`.
    pub(crate) async fn send(&mut self, command: &Command) -> Result<(), Fail> {
        self.signer.next();
        let mut result = self.send_once(command).await?;
        if result.code.as_deref() == Some("stale") {
            self.signer.stale(result.epoch);
            result = self.send_once(command).await?;
        }
        if result.done {
            if result.durability_single && self.for_a_person {
                print::note("note: only one machine has this on disk until a second one is on");
            }
            return Ok(());
        }
        let code = result.code.as_deref().map_or(OTHER, code_of_kind);
        Err(Fail::new(code, result.refusal.unwrap_or_else(|| "the site refused without a reason".to_owned())))
    }

    /// Has the site carry out one command after the other, and says how far that is: `what` in the present.
    pub(crate) async fn send_all(&mut self, what: &'static str, commands: Vec<Command>) -> Result<(), Fail> {
        let mut progress = Progress::new(what, Some(commands.iter().map(long::items).sum()));
        for command in commands {
            self.send(&command).await?;
            progress.add(long::items(&command));
        }
        Ok(())
    }

    async fn send_once(&self, command: &Command) -> Result<api::CommandResult, Fail> {
        let request = self.signer.sign(command);
        let request =
            request.map_err(|error| Fail::other(format!("the command cannot be encoded: {error}")))?;
        let signed = api::SignedCommand {
            admin: request.admin.to_string(),
            epoch: request.request.epoch,
            counter: request.request.counter,
            command: BASE64.encode(&request.command),
            signature: BASE64.encode(&request.signature),
        };
        let mut tries = 1;
        loop {
            match self.client.command(&signed).await {
                Err(ClientError::Problem(problem)) if problem.kind == "unknown" && tries < TRIES_MAX => {
                    tries += 1
                }
                other => return Ok(other?),
            }
        }
    }
}

/// Where the key file of `name` is.
pub(crate) fn key_path(site: &SiteId, name: &Name) -> Result<PathBuf, Fail> {
    let dir = paths::admin_key_dir()
        .ok_or_else(|| Fail::other("there is no home folder to keep admin keys in; set HOME"))?;
    Ok(dir.join(format!("{}-{}.key", site.short(), file_name_of(name))))
}

/// The name as it may stand in a file name; what may not is written as its code point.
fn file_name_of(name: &Name) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '@' | '+') || c == '.';
    let text: String = name
        .as_str()
        .chars()
        .map(|c| if plain(c) { c.to_string() } else { format!("%{:x}", u32::from(c)) })
        .collect();
    text
}

/// The key file of `who`, or the only one of this site.
pub(crate) fn key_file(site: &SiteId, who: Option<&Name>) -> Result<PathBuf, Fail> {
    if let Some(who) = who {
        let path = key_path(site, who)?;
        if path.exists() {
            return Ok(path);
        }
        let text = format!("there is no key file of {who} for this site; it would be {}", path.display());
        return Err(Fail::new(NOT_PERMITTED, text));
    }
    let dir = paths::admin_key_dir()
        .ok_or_else(|| Fail::other("there is no home folder to look for admin keys in; set HOME"))?;
    let mut found = keys_in(&dir, site);
    match (found.pop(), found.pop()) {
        (Some((only, _)), None) => Ok(only),
        (None, _) => Err(Fail::new(
            NOT_PERMITTED,
            format!("there is no admin key of this site in {}; ask an admin of the site", dir.display()),
        )),
        (Some(one), Some(other)) => Err(Fail::new(
            2,
            format!("there are keys of several admins here; say --admin {} or --admin {}", other.1, one.1),
        )),
    }
}

/// The key files of a site with the names they are for, in order.
fn keys_in(dir: &Path, site: &SiteId) -> Vec<(PathBuf, String)> {
    let prefix = format!("{}-", site.short());
    let mut found: Vec<(PathBuf, String)> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let name = file.strip_prefix(&prefix)?.strip_suffix(".key")?.to_owned();
            Some((entry.path(), name))
        })
        .collect();
    found.sort();
    found
}

/// Opens a key file, asking for its password.
pub(crate) fn open_key(path: &Path, password_file: Option<&Path>) -> Result<admin::AdminKey, Fail> {
    let text = files::read_text(path, KEY_FILE_BYTES_MAX)?;
    let password = match password_file {
        Some(file) => files::read_secret(file)?,
        None => ask(&format!("Password of {}: ", path.display()))?,
    };
    admin::open_admin(&text, &password).map_err(|error| {
        let code = if matches!(error, admin::AdminKeyError::WrongPassword) { NOT_PERMITTED } else { 65 };
        Fail::new(code, format!("{}: {error}", path.display()))
    })
}

/// A new password, from a file or asked twice.
pub(crate) fn new_password(file: Option<&Path>, whose: &Name) -> Result<Zeroizing<String>, Fail> {
    let password = match file {
        Some(file) => files::read_secret(file)?,
        None => {
            let first = ask(&format!("New password of {whose}: "))?;
            if first != ask("The same again: ")? {
                return Err(Fail::input("the two passwords differ; nothing was done"));
            }
            first
        }
    };
    if password.chars().count() < PASSWORD_CHARS_MIN {
        return Err(Fail::input(format!(
            "a password has at least {PASSWORD_CHARS_MIN} characters; nothing was done"
        )));
    }
    Ok(password)
}

/// Asks for a secret on the terminal.
pub(crate) fn ask(prompt: &str) -> Result<Zeroizing<String>, Fail> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        Fail::input(format!("no secret can be asked for here ({error}); name a file that has it, see --help"))
    })
}

/// Writes the sealed key file of `name`.
pub(crate) fn save_key(
    site: &SiteId,
    name: &Name,
    key: &SigningKey,
    password: &str,
) -> Result<PathBuf, Fail> {
    let path = key_path(site, name)?;
    let sealed = admin::seal_admin(name, site, key, password)?;
    files::write(&path, &sealed, true)?;
    Ok(path)
}

/// Makes the folder of the admin keys and finds out now whether it can be written to: a site whose only admin key
/// was not kept cannot be administered.
pub(crate) fn prepare_key_dir() -> Result<(), Fail> {
    let dir = paths::admin_key_dir()
        .ok_or_else(|| Fail::other("there is no home folder to keep admin keys in; set HOME"))?;
    let cannot =
        |error: std::io::Error| Fail::other(format!("{} cannot be written to: {error}", dir.display()));
    std::fs::create_dir_all(&dir).map_err(cannot)?;
    let probe = dir.join(".probe");
    files::write(&probe, "", true)?;
    std::fs::remove_file(&probe).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        let check = |name: &str, file: &str| assert_eq!(file_name_of(&Name::new(name).unwrap()), file);
        check("eva", "eva");
        check("Eva Müller", "Eva%20Müller");
        check("../x", "..%2fx");
    }

    #[test]
    fn the_only_key_of_a_site_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (site, other) = (SiteId([1; 20]), SiteId([2; 20]));
        for file in
            [format!("{}-eva.key", site.short()), format!("{}-max.key", other.short()), "x".to_owned()]
        {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let names = |site| keys_in(dir.path(), site).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(&site), ["eva"]);
        assert_eq!(names(&other), ["max"]);
        assert!(keys_in(&dir.path().join("none"), &site).is_empty());
    }
}
