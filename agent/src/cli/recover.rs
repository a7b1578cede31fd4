//! `seatkeeper site recover`.

use std::path::Path;

use seatkeeper_client::{Client, api};

use super::fail::{Fail, OTHER, USAGE};
use super::print::Page;
use super::print::progress::while_doing;
use super::{files, print, sign};

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
    if !yes {
        if !print::can_ask() {
            return Err(Fail::new(
                USAGE,
                "say --yes when the machines listed above are off for good".to_owned(),
            ));
        }
        let answer = sign::ask(&format!("Type `{YES}` when those machines are off: "))?;
        if answer.trim() != YES {
            return Err(Fail::new(OTHER, "nothing was changed".to_owned()));
        }
    }
    let code = match code_file {
        Some(file) => files::read_secret(file)?,
        None if print::can_ask() => sign::ask("Recovery code: ")?,
        None => return Err(Fail::new(USAGE, "name the recovery code's file with --code-file".to_owned())),
    };
    let body = api::RecoverSite { recovery_code: code.trim().to_owned() };
    let site = while_doing("recovering the site", client.recover_site(&body)).await?;
    if json {
        return print::json(&site);
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
