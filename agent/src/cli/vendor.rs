//! `seatkeeper vendor`: what a vendor does on its own machine, without an agent.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use seatkeeper_protocol::id::{Name, PublicKey};
use seatkeeper_protocol::license::{self, SignedLicense};
use seatkeeper_protocol::limits::LICENSE_BYTES_MAX;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::args::VendorCommand;
use super::fail::Fail;
use super::{files, print};
use crate::keys;

/// The first line of a private key file.
const SECRET_HEAD: &str = "# Seatkeeper vendor key v1: secret, whoever has it can sign licenses";
/// The first line of a public key file.
const PUBLIC_HEAD: &str = "# Seatkeeper vendor public key v1";
/// Longest key file, bytes.
const KEY_FILE_BYTES_MAX: usize = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretFile {
    name: Name,
    secret: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicFile {
    name: Name,
    key: String,
}

pub(super) fn vendor(command: VendorCommand) -> Result<(), Fail> {
    match command {
        VendorCommand::Keygen { name, output } => keygen(name, &output),
        VendorCommand::Sign { file, key, unbound, output } => sign(&file, &key, unbound, output.as_deref()),
        VendorCommand::Verify { file, key } => verify(&file, key.as_deref()),
    }
}

fn keygen(name: Name, output: &Path) -> Result<(), Fail> {
    let key = keys::generate()?;
    let public = keys::public(&key);
    let mut secret = SecretFile { name: name.clone(), secret: BASE64.encode(key.as_bytes()) };
    let text = Zeroizing::new(render(SECRET_HEAD, &secret)?);
    secret.secret.zeroize();
    let public_file = PathBuf::from({
        let mut path = output.as_os_str().to_owned();
        path.push(".pub");
        path
    });
    let public_text = render(PUBLIC_HEAD, &PublicFile { name, key: public.to_string() })?;
    files::write_new(output, &text, true)?;
    files::write_new(&public_file, &public_text, false)?;
    print::line(format!("{} signs licenses: keep it secret and safe.", output.display()));
    print::line(format!("{} is for customers: `seatkeeper license trust` takes it.", public_file.display()));
    Ok(())
}

fn render(head: &str, file: &impl Serialize) -> Result<String, Fail> {
    let body = toml::to_string(file).map_err(|error| Fail::other(error.to_string()))?;
    Ok(format!("{head}\n{body}"))
}

fn sign(file: &Path, key: &Path, unbound: bool, output: Option<&Path>) -> Result<(), Fail> {
    let wrong = |error: &dyn std::fmt::Display| Fail::input(format!("{}: {error}", file.display()));
    let text = files::read_text(file, LICENSE_BYTES_MAX)?;
    let parsed = license::parse_unsigned(&text).map_err(|error| wrong(&error))?;
    let (name, key) = secret_key(key)?;
    if parsed.vendor != name {
        return Err(wrong(&format!("it is of the vendor {}, the key is of {name}", parsed.vendor)));
    }
    if parsed.site.is_none() && !unbound {
        let text = "it names no `site`, so it would work at every site at once; add the customer's site id, or say --unbound";
        return Err(wrong(&text));
    }
    let signed = license::sign(&text, &key).map_err(|error| wrong(&error))?;
    match output {
        Some(output) => files::write(output, &signed, false),
        None => {
            print::line(signed.trim_end());
            Ok(())
        }
    }
}

fn verify(file: &Path, key: Option<&str>) -> Result<(), Fail> {
    let wrong = |error: &dyn std::fmt::Display| Fail::input(format!("{}: {error}", file.display()));
    let text = files::read_text(file, LICENSE_BYTES_MAX)?;
    let signed = SignedLicense::parse(&text).map_err(|error| wrong(&error))?;
    let signer = match key {
        Some(key) => public_key(key)?.0,
        None => signed.signer(),
    };
    signed.verify(&signer).map_err(|error| wrong(&error))?;
    let license = signed.license();
    print::line(format!(
        "The signature of license {} is good: {} of {}@{} for {}.",
        license.id,
        print::count(license.seats, "seat", "seats"),
        license.product,
        license.version,
        license.customer,
    ));
    if key.is_none() {
        print::line(format!(
            "It is by the key {signer}, which nobody vouched for here; --key checks whose it is."
        ));
    }
    Ok(())
}

fn secret_key(path: &Path) -> Result<(Name, SigningKey), Fail> {
    let text = Zeroizing::new(files::read_text(path, KEY_FILE_BYTES_MAX)?);
    let wrong = || Fail::input(format!("{} is not a vendor's key file of this version", path.display()));
    if text.lines().next() != Some(SECRET_HEAD) {
        return Err(wrong());
    }
    let file: SecretFile = toml::from_str(&text).map_err(|_| wrong())?;
    let secret = Zeroizing::new(file.secret);
    let bytes = Zeroizing::new(BASE64.decode(secret.as_bytes()).map_err(|_| wrong())?);
    let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong())?;
    Ok((file.name, SigningKey::from_bytes(bytes)))
}

/// A public key from the command line: the key itself, or a file with it and the vendor's name.
pub(super) fn public_key(key: &str) -> Result<(PublicKey, Option<Name>), Fail> {
    if let Ok(key) = key.parse() {
        return Ok((key, None));
    }
    let path = Path::new(key);
    if !path.exists() {
        return Err(Fail::input(format!("{key} is neither a public key nor a file with one")));
    }
    let text = files::read_text(path, KEY_FILE_BYTES_MAX)?;
    let wrong = || Fail::input(format!("{key} is not a vendor's public key file of this version"));
    if text.lines().next() == Some(SECRET_HEAD) {
        return Err(Fail::input(format!("{key} is the vendor's secret key; the public one is {key}.pub")));
    }
    if text.lines().next() != Some(PUBLIC_HEAD) {
        return Err(wrong());
    }
    let file: PublicFile = toml::from_str(&text).map_err(|_| wrong())?;
    let key = file.key.parse().map_err(|_| wrong())?;
    Ok((key, Some(file.name)))
}
