//! `seatkeeper site recover`, `export` and `import`.

use std::path::Path;

use data_encoding::BASE64;
use seatkeeper_client::{Client, api};
use seatkeeper_protocol::backup::Backup;
use seatkeeper_protocol::limits::BACKUP_BYTES_MAX;
use zeroize::Zeroizing;

use super::fail::{Fail, OTHER, USAGE};
use super::print::Page;
use super::print::progress::while_doing;
use super::{files, print, sign};
use crate::disk::read_bounded;

/// What has to be typed to go on.
const YES: &str = "recover";

pub(super) async fn recover(
    client: &Client,
    code_file: Option<&Path>,
    yes: bool,
    plan_only: bool,
    json: bool,
) -> Result<(), Fail> {
    let plan = while_doing("looking for a majority of the voting machines", client.recovery_plan()).await?;
    if plan_only && json {
        return print::json(&plan);
    }
    if plan_only || !json {
        show(&plan).print();
    }
    if plan_only {
        return Ok(());
    }
    if let Some(against) = &plan.against {
        return Err(Fail::new(OTHER, against.clone()));
    }
    confirm(yes)?;
    let code = code(code_file)?;
    let body = api::RecoverSite { recovery_code: code.trim().to_owned() };
    let site = while_doing("recovering the site", client.recover_site(&body)).await?;
    told(&site, json)
}

/// Writes a backup.
pub(super) async fn export(client: &Client, output: &Path) -> Result<(), Fail> {
    if output.exists() {
        return Err(files::exists(output));
    }
    let export = while_doing("sealing the books", client.export_site()).await?;
    let bytes = BASE64
        .decode(export.file.as_bytes())
        .map_err(|error| Fail::other(format!("the agent's answer is not base64: {error}")))?;
    files::write_bytes(output, &bytes, true)?;
    print::line(format!("The books are in {}. Only the recovery code opens them.", output.display()));
    Ok(())
}

/// Goes on from a backup.
pub(super) async fn import(
    client: &Client,
    file: &Path,
    code_file: Option<&Path>,
    yes: bool,
    json: bool,
) -> Result<(), Fail> {
    let bytes = read_bounded(file, BACKUP_BYTES_MAX)
        .map_err(|error| Fail::input(format!("{} cannot be read: {error}", file.display())))?;
    let backup = Backup::open(&bytes).map_err(|error| Fail::input(format!("{}: {error}", file.display())))?;
    if !json {
        print::line(format!(
            "The backup is of the site {}, generation {}, made at {}. Whatever happened since is lost.",
            backup.about.name,
            backup.about.generation.number,
            print::when(backup.about.time.rfc3339().as_deref())
        ));
        print::line(
            "All machines that keep newer books must stay off, or out of reach, until the site works again.",
        );
    }
    confirm(yes)?;
    let code = code(code_file)?;
    let body = api::ImportSite { file: BASE64.encode(&bytes), recovery_code: code.trim().to_owned() };
    let site = while_doing("recovering the site", client.import_site(&body)).await?;
    told(&site, json)
}

fn confirm(yes: bool) -> Result<(), Fail> {
    if yes {
        return Ok(());
    }
    if !print::can_ask() {
        return Err(Fail::new(USAGE, "say --yes when those machines are off for good".to_owned()));
    }
    let answer = sign::ask(&format!("Type `{YES}` when those machines are off: "))?;
    if answer.trim() == YES { Ok(()) } else { Err(Fail::new(OTHER, "nothing was changed".to_owned())) }
}

fn code(file: Option<&Path>) -> Result<Zeroizing<String>, Fail> {
    match file {
        Some(file) => files::read_secret(file),
        None if print::can_ask() => sign::ask("Recovery code: "),
        None => Err(Fail::new(USAGE, "name the recovery code's file with --code-file".to_owned())),
    }
}

fn told(site: &api::Site, json: bool) -> Result<(), Fail> {
    if json {
        return print::json(site);
    }
    print::line(format!(
        "The site {} goes on in generation {}, and this machine is its holder.",
        site.name, site.generation
    ));
    print::line(
        "The machines that are on join it by themselves, and so do those that were off, when they come back.",
    );
    Ok(())
}

fn show(plan: &api::RecoveryPlan) -> Page {
    let mut page = Page::new();
    if let Some(against) = &plan.against {
        page.line(format!("Not now: {against}."));
        page.line("");
    }
    page.line(format!(
        "The newest in this machine's books is of {}. What the others agreed on later is lost.",
        print::when(plan.newest.as_deref())
    ));
    page.line("If one of these machines can be switched on again, do that instead; its books may be newer.");
    page.line("They must stay off, or out of reach, until the site works again:");
    let rows: Vec<_> = plan
        .stay_off
        .iter()
        .map(|machine| vec![machine.id.chars().take(8).collect(), machine.name.clone(), machine.role.clone()])
        .collect();
    page.table(&["id", "name", "role"], &rows, "No other machine kept the books.");
    if !plan.withheld.is_empty() {
        page.line("");
        page.line("Seats that may have been borrowed without this machine knowing are given to nobody:");
        let rows: Vec<_> = plan
            .withheld
            .iter()
            .map(|held| vec![held.license.clone(), held.seats.to_string(), print::when(Some(&held.until))])
            .collect();
        page.table(&["license", "seats", "until"], &rows, "");
    }
    page
}
