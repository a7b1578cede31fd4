//! `seatkeeper admin`.

use seatkeeper_client::Client;
use seatkeeper_ledger::command::{AdminRole, Command};
use seatkeeper_protocol::id::{Name, PublicKey};

use super::args::{AdminCommand, Role, SignArgs};
use super::fail::Fail;
use super::sign::{self, SiteSigner};
use super::{files, print};
use crate::keys;

pub(super) async fn admin(client: &Client, command: AdminCommand, json: bool) -> Result<(), Fail> {
    match command {
        AdminCommand::Add { name, role, key: Some(key), new_password_file: _, sign } => {
            add(client, name, role, key, &sign).await
        }
        AdminCommand::Add { name, role, key: None, new_password_file, sign } => {
            add_with_new_key(client, name, role, new_password_file.as_deref(), &sign).await
        }
        AdminCommand::List => list(client, json).await,
        AdminCommand::Remove { name, sign } => {
            let text = format!("{name} is no longer an admin.");
            SiteSigner::open(client, &sign).await?.send(&Command::RemoveAdmin { name }).await?;
            print::line(text);
            Ok(())
        }
        AdminCommand::Passwd { new_password_file, sign } => {
            passwd(client, new_password_file.as_deref(), &sign).await
        }
    }
}

async fn add(client: &Client, name: Name, role: Role, key: PublicKey, sign: &SignArgs) -> Result<(), Fail> {
    let mut signer = SiteSigner::open(client, sign).await?;
    let text = format!("{name} is {} now.", describe(role));
    signer.send(&Command::AddAdmin { name, key, role: role.into() }).await?;
    print::line(text);
    Ok(())
}

async fn add_with_new_key(
    client: &Client,
    name: Name,
    role: Role,
    password_file: Option<&std::path::Path>,
    sign: &SignArgs,
) -> Result<(), Fail> {
    let mut signer = SiteSigner::open(client, sign).await?;
    let path = sign::key_path(&signer.site().id, &name)?;
    if path.exists() {
        return Err(Fail::input(format!("{} exists already; move it away first", path.display())));
    }
    sign::prepare_key_dir()?;
    let password = sign::new_password(password_file, &name)?;
    let key = keys::generate()?;
    // The file first: an admin in the ledger whose key is lost would only confuse.
    let site = signer.site().id;
    let path = sign::save_key(&site, &name, &key, &password)?;
    let public = keys::public(&key);
    let command = Command::AddAdmin { name: name.clone(), key: public, role: role.into() };
    if let Err(fail) = signer.send(&command).await {
        std::fs::remove_file(&path).ok();
        return Err(fail);
    }
    print::line(format!("{name} is {} now. The key is in {};", describe(role), path.display()));
    print::line("hand it over with its password, to be kept in the same folder of the person's machine.");
    Ok(())
}

async fn list(client: &Client, json: bool) -> Result<(), Fail> {
    let admins = client.admins().await?;
    if json {
        return print::json(&admins);
    }
    let rows: Vec<Vec<String>> = admins
        .admins
        .iter()
        .map(|admin| vec![admin.name.clone(), admin.role.clone(), admin.key.clone()])
        .collect();
    print::table(&["name", "role", "key"], &rows, "No admins.");
    Ok(())
}

async fn passwd(
    client: &Client,
    password_file: Option<&std::path::Path>,
    sign: &SignArgs,
) -> Result<(), Fail> {
    let site = sign::site_of(client).await?.id;
    let path = sign::key_file(&site, sign.admin.as_ref())?;
    let opened = sign::open_key(&path, sign.password_file.as_deref())?;
    let password = sign::new_password(password_file, &opened.name)?;
    let sealed = keys::admin::seal_admin(&opened.name, &site, &opened.key, &password)?;
    files::write(&path, &sealed, true)?;
    print::line(format!("The password of {} is changed.", path.display()));
    Ok(())
}

fn describe(role: Role) -> &'static str {
    match role {
        Role::Admin => "an admin",
        Role::Reader => "a reader",
    }
}

impl From<Role> for AdminRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Reader => Self::Reader,
        }
    }
}
