//! `seatkeeper site`.

use std::time::Duration;

use seatkeeper_client::{Client, api};
use seatkeeper_protocol::id::{Name, SiteId};
use zeroize::Zeroizing;

use super::args::{SignArgs, SiteCommand};
use super::fail::{Fail, OTHER};
use super::print::progress::while_doing;
use super::sign::{self, SiteSigner};
use super::{files, print, recover};
use crate::keys;
use crate::keys::invite::InviteCode;

pub(super) async fn site(client: &Client, command: SiteCommand, json: bool) -> Result<(), Fail> {
    match command {
        SiteCommand::Create { name, admin, password_file } => {
            create(client, &name, &admin, password_file.as_deref(), json).await
        }
        SiteCommand::Invite { lasts, uses, address, sign } => {
            invite(client, lasts, uses, address, &sign).await
        }
        SiteCommand::Join { code, join_file } => {
            let code = match (code, join_file) {
                (Some(code), _) => Some(Zeroizing::new(code)),
                (None, Some(file)) => Some(files::read_secret(&file)?),
                (None, None) => None,
            };
            join(client, code, json).await
        }
        SiteCommand::Show => show(client, json).await,
        SiteCommand::Export { output } => recover::export(client, &output).await,
        SiteCommand::Import { file, yes, code_file } => {
            recover::import(client, &file, code_file.as_deref(), yes, json).await
        }
        SiteCommand::Recover { plan, yes, code_file } => {
            recover::recover(client, code_file.as_deref(), yes, plan, json).await
        }
        SiteCommand::Leave => {
            while_doing("leaving the site", client.leave_site()).await?;
            print::line("This machine has left its site.");
            Ok(())
        }
    }
}

async fn create(
    client: &Client,
    name: &Name,
    admin: &Name,
    password_file: Option<&std::path::Path>,
    json: bool,
) -> Result<(), Fail> {
    // Asked before the password, so that nobody types one in vain.
    if let Some(site) = client.status().await?.site {
        return Err(Fail::new(OTHER, format!("this machine belongs to the site {} already", site.name)));
    }
    sign::prepare_key_dir()?;
    let password = sign::new_password(password_file, admin)?;
    let key = keys::generate()?;
    let body = api::CreateSite {
        name: name.to_string(),
        admin: admin.to_string(),
        admin_key: Some(keys::public(&key).to_string()),
        password: None,
    };
    let created = while_doing("creating the site", client.create_site(&body)).await?;
    let id: SiteId =
        created.site.id.parse().map_err(|_| Fail::other("the agent answered with a malformed site id"))?;
    let saved = sign::save_key(&id, admin, &key, &password);
    if json {
        print::json(&created)?;
    } else {
        print::line(format!("The site {} is created; its id is {}.", created.site.name, created.site.id));
        print::line("");
        print::line(format!("    Recovery code:  {}", created.recovery_code));
        print::line("");
        print::line("Write it down and lock it away: it is shown only now, and replaces lost keys.");
    }
    let path = saved?;
    if !json {
        print::line(format!("{admin}'s admin key is in {}.", path.display()));
        print::line("Next: `seatkeeper site invite` prints a code with which other machines join.");
    }
    Ok(())
}

async fn invite(
    client: &Client,
    lasts: Duration,
    uses: u32,
    address: Option<std::net::SocketAddr>,
    sign: &SignArgs,
) -> Result<(), Fail> {
    let mut signer = SiteSigner::open(client, sign).await?;
    let code = signer.invite(lasts, uses, address).await?;
    print::line(&*code);
    print::note(format!(
        "admits {} within {}; on the other machine: seatkeeper site join CODE",
        print::count(uses, "machine", "machines"),
        print::duration(lasts),
    ));
    Ok(())
}

async fn join(client: &Client, code: Option<Zeroizing<String>>, json: bool) -> Result<(), Fail> {
    let code = code.map(|code| code.trim().to_owned());
    if let Some(code) = &code {
        // A mistyped code is found here, before anybody is asked.
        code.parse::<InviteCode>().map_err(|error| Fail::input(error.to_string()))?;
    }
    let join = api::Join { code };
    let joining = client.join_site(&join);
    let joined = while_doing("looking for the site and asking to be let in", joining).await?;
    if json {
        return print::json(&joined);
    }
    match (&joined.site, joined.waiting) {
        (Some(site), false) => print::line(format!("This machine has joined the site {}.", site.name)),
        _ => {
            print::line(
                "This machine waits to be admitted. An admin of the site compares this id and admits it:",
            );
            print::line(format!("    seatkeeper device admit {}", joined.device));
        }
    }
    Ok(())
}

async fn show(client: &Client, json: bool) -> Result<(), Fail> {
    let site = client.site().await?;
    if json {
        return print::json(&site);
    }
    print::line(format!("name        {}", site.name));
    print::line(format!("id          {}", site.id));
    print::line(format!("generation  {} ({})", site.generation, site.generation_id));
    print::line(format!("root key    {}", site.root));
    Ok(())
}
