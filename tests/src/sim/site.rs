//! The site's admin and vendor: what people do to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use seatkeeper::keys;
use seatkeeper::keys::invite::InviteCode;
use seatkeeper::node::{Node, NodeError};
use seatkeeper_ledger::command::{Command, InviteKey, Outcome, Refusal, admin_message};
use seatkeeper_ledger::encode_command;
use seatkeeper_protocol::api::{CreateSite, Join};
use seatkeeper_protocol::id::{Generation, InviteId, Name, ProductId, PublicKey, RequestId, SiteId};
use seatkeeper_protocol::license;
use seatkeeper_protocol::time::WallTime;
use seatkeeper_protocol::wire::AdminRequest;

/// How often a command whose fate is unknown is sent again under the same id.
const TRIES: u32 = 10;
/// The product that is licensed.
pub const PRODUCT: &str = "example-cad";

/// The admin's and the vendor's keys, and what the admin has sent.
#[derive(Clone)]
pub struct Admin(Arc<Mutex<State>>);

struct State {
    admin: SigningKey,
    vendor: SigningKey,
    site: Option<(SiteId, Generation)>,
    recovery_code: String,
    counter: u64,
    licenses: u64,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// The licensed product.
pub fn product() -> ProductId {
    ProductId::new(PRODUCT).expect("a product")
}

impl Default for Admin {
    fn default() -> Self {
        let key = || keys::generate().expect("seeded chance does not fail");
        let state = State {
            admin: key(),
            vendor: key(),
            site: None,
            recovery_code: String::new(),
            counter: 0,
            licenses: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }
}

/// A license as the vendor sells it.
#[derive(Clone, Debug)]
pub struct Sale {
    /// Seats.
    pub seats: u32,
    /// Seconds of ttl.
    pub ttl_s: u64,
    /// `user-device` or `none`.
    pub share: &'static str,
    /// The last day.
    pub valid_until: Option<&'static str>,
    /// Further lines of its file.
    pub terms: &'static str,
}

impl Admin {
    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The site, once there is one.
    pub fn site(&self) -> Option<(SiteId, Generation)> {
        self.with(|state| state.site)
    }

    /// Creates the site on a device.
    ///
    /// # Errors
    /// As the agent says.
    pub async fn create_site(&self, node: &Node) -> Result<(), NodeError> {
        let key = self.with(|state| keys::public(&state.admin));
        let body = CreateSite {
            name: "Office".to_owned(),
            admin: "anna".to_owned(),
            admin_key: Some(key.to_string()),
            password: None,
        };
        let created = node.create_site(body).await?;
        self.with(|state| state.recovery_code = created.recovery_code);
        self.look(node)
    }

    /// Has the site go on from the books of a device.
    ///
    /// # Errors
    /// As the agent says.
    pub async fn recover(&self, node: &Node) -> Result<(), NodeError> {
        let code = self.with(|state| state.recovery_code.clone());
        node.recover_site(&code).await?;
        self.look(node)
    }

    /// Notes the site and its generation.
    fn look(&self, node: &Node) -> Result<(), NodeError> {
        let detail = node.site().ok_or(NodeError::NoSite)?;
        let id = detail.id.parse().map_err(|_| NodeError::Internal("the site's id".to_owned()))?;
        let random = data_encoding::HEXLOWER.decode(detail.generation_id.as_bytes()).ok();
        let random = random.and_then(|id| id.try_into().ok());
        let random = random.ok_or_else(|| NodeError::Internal("the generation's id".to_owned()))?;
        let generation = Generation { number: detail.generation, id: random };
        self.with(|state| state.site = Some((id, generation)));
        Ok(())
    }

    /// Has the site carry out a command, by way of a device; tries again while its fate is unknown.
    ///
    /// # Errors
    /// When nobody answers, or the site refuses.
    pub async fn command(&self, node: &Node, command: &Command) -> Result<Outcome, String> {
        let request = self.with(|state| {
            let (site, generation) = state.site.ok_or("there is no site yet")?;
            state.counter += 1;
            let request = RequestId { epoch: 1, counter: state.counter };
            let message = admin_message(&site, &generation, &name("anna"), &request, command)
                .map_err(|error| error.to_string())?;
            let signature = state.admin.sign(&message).to_bytes().to_vec();
            let command = encode_command(command).map_err(|error| error.to_string())?;
            Ok::<_, String>(AdminRequest { admin: name("anna"), request, command, signature })
        })?;
        let mut last = String::new();
        for _ in 0..TRIES {
            match node.admin(request.clone()).await {
                Ok(answer) => match answer.outcome {
                    Outcome::Refused(Refusal::Conflict(reason)) => return Err(reason),
                    outcome => return Ok(outcome),
                },
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(last)
    }

    /// The command that trusts the vendor.
    pub fn trust(&self) -> Command {
        let key = self.with(|state| keys::public(&state.vendor));
        Command::TrustVendor {
            name: name("example-vendor"),
            key,
            prefixes: vec![ProductId::new("example-").expect("a product prefix")],
        }
    }

    /// The command that adds a new license, and its id.
    pub fn license(&self, sale: &Sale) -> (Command, Name) {
        self.with(|state| {
            state.licenses += 1;
            let id = format!("L{}", state.licenses);
            let site = state.site.map(|(site, _)| site.to_string()).unwrap_or_default();
            let until = sale.valid_until.map(|day| format!("valid_until = {day}\n")).unwrap_or_default();
            let text = format!(
                "# Seatkeeper license v1\nlicense = \"{id}\"\nvendor = \"example-vendor\"\ncustomer = \"Office\"\n\
                 issued = 2026-01-01\nproduct = \"{PRODUCT}\"\ntitle = \"Cad\"\nversion = \"2026\"\nseats = {}\n\
                 {until}site = \"{site}\"\nttl = \"{}s\"\nshare = \"{}\"\n{}",
                sale.seats, sale.ttl_s, sale.share, sale.terms
            );
            let text = license::sign(&text, &state.vendor).expect("a license that the vendor would sell");
            (Command::AddLicense { text }, name(&id))
        })
    }

    /// The command that opens an invitation for one device, and its code.
    pub fn invite(&self, ends: WallTime) -> (Command, String) {
        let random = || keys::random::<16>().expect("seeded chance does not fail");
        let (invite, key) = (InviteId(keys::random().expect("seeded chance does not fail")), random());
        let site = self.site().map(|(site, _)| site).expect("there is a site before anybody is invited");
        let code = InviteCode { site, address: None, invite, key }.to_text().to_string();
        (Command::CreateInvite { invite, key: InviteKey(key), ends, uses: 1 }, code)
    }

    /// The vendor's key.
    pub fn vendor(&self) -> PublicKey {
        self.with(|state| keys::public(&state.vendor))
    }
}

/// Joins with a code.
///
/// # Errors
/// As the agent says.
pub async fn join(node: &Node, code: String) -> Result<(), NodeError> {
    node.join(Join { code: Some(code) }).await.map(|_| ())
}
