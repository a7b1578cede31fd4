//! Machines without an agent: what is installed on them, from the JSON that GLPI-Agent writes and from CSV.
//!
//! Host names are compared as the network does, upper and lower case alike. Lists of programs are written by programs:
//! texts in them are cleaned and cut as an agent's own are, see [`Software::read`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use seatkeeper_protocol::id::Name;
use serde::Deserialize;

use super::text::short;
use super::{
    ADDRESSES_MAX, Catalog, MACHINES_MAX, SOFTWARE_MAX, SOFTWARE_REPORTED_MAX, Software, Translation,
    USERS_MAX, clean,
};
use crate::org::{IMPORT_BYTES_MAX, ImportError, each_row};

/// Rows of one file; one of the largest size has hardly more.
const ROWS_MAX: usize = 1_000_000;
const COLUMNS: [&str; 6] = ["host", "name", "publisher", "version", "user", "address"];
const EXAMPLE: &str = "host,name,publisher,version,user,address";

/// A machine as a file tells of it. All lists are sorted and have nothing twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedMachine {
    /// Its host name.
    pub host: Name,
    /// Its addresses, at most [`ADDRESSES_MAX`].
    pub addresses: Vec<IpAddr>,
    /// Who uses it, at most [`USERS_MAX`].
    pub users: Vec<Name>,
    /// What is installed on it, at most [`SOFTWARE_MAX`].
    pub software: Vec<Software>,
}

impl ImportedMachine {
    /// From the inventory that GLPI-Agent writes with `glpi-inventory --json`, one machine per file. Of its addresses
    /// those of the machine alone (loopback, link-local) are left out.
    ///
    /// # Errors
    /// When it is no such inventory, is a partial one, or too much is in it.
    pub fn from_glpi(bytes: &[u8]) -> Result<Self, ImportError> {
        if bytes.len() > IMPORT_BYTES_MAX {
            return Err(ImportError::TooLarge);
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let inventory: Inventory =
            serde_json::from_slice(bytes).map_err(|error| ImportError::Glpi(short(&error.to_string())))?;
        if inventory.partial == Some(true) {
            return Err(ImportError::Partial);
        }
        let content = inventory.content;
        let mut machine = Machine::new(content.hardware.host()?);
        for network in content.networks.unwrap_or_default() {
            let addresses = [network.ipaddress, network.ipaddress6];
            let addresses = addresses.iter().flatten().filter_map(|text| text.trim().parse().ok());
            machine.addresses.extend(addresses.filter(|address| !is_local(*address)));
        }
        let users = content.users.unwrap_or_default();
        // The last one is named without a domain, mostly again.
        let last = content.hardware.lastloggeduser.filter(|last| {
            let same =
                |user: &User| user.login.as_ref().is_some_and(|login| login.eq_ignore_ascii_case(last));
            !users.iter().any(same)
        });
        machine.users.extend(users.iter().filter_map(User::name));
        machine.users.extend(last.as_deref().and_then(clean));
        for program in content.softwares {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            let (name, publisher) = (text(&program.name), text(&program.publisher));
            machine.software.extend(Software::read(&name, &publisher, &text(&program.version)));
        }
        machine.bounded("leave some out of the file")
    }

    /// From CSV with the columns `host`, `name` and, where wanted, `publisher`, `version`, `user` and `address`, in any
    /// order: a row for each program, and as many rows of a machine as there are programs, users or addresses to tell.
    /// A row without `name` tells no program. The machines are sorted by host name.
    ///
    /// # Errors
    /// The first row that is wrong, or the first machine of which there is too much.
    pub fn from_csv(bytes: &[u8]) -> Result<Vec<Self>, ImportError> {
        let mut machines: BTreeMap<String, Machine> = BTreeMap::new();
        each_row(bytes, EXAMPLE, &COLUMNS, &["host", "name"], ROWS_MAX, |row| {
            let host = row.text("host").and_then(clean);
            let host = host.ok_or_else(|| row.wrong("host", "what the machine is called"))?;
            let key = host.as_str().to_lowercase();
            if machines.len() == MACHINES_MAX && !machines.contains_key(&key) {
                return Err(ImportError::TooManyMachines { row: row.number, max: MACHINES_MAX });
            }
            let machine = machines.entry(key).or_insert_with(|| Machine::new(host));
            let text = |column| row.text(column).unwrap_or_default();
            match Software::read(text("name"), text("publisher"), text("version")) {
                Some(software) => machine.software.extend([software]),
                None if row.text("publisher").or_else(|| row.text("version")).is_some() => {
                    return Err(row.wrong("name", "what the program is called"));
                }
                None => {}
            }
            machine.users.extend(row.text("user").and_then(clean));
            let address = row.text("address").map(str::parse::<IpAddr>).transpose();
            let address =
                address.map_err(|_| row.wrong("address", "one address as in 10.1.0.7, or nothing"))?;
            machine.addresses.extend(address);
            Ok(())
        })?;
        machines.into_values().map(|machine| machine.bounded("leave out some of its rows")).collect()
    }

    /// The machine without the software that the catalog ignores, as machines with an agent report themselves.
    ///
    /// # Errors
    /// When more than [`SOFTWARE_REPORTED_MAX`] programs are left.
    pub fn without_ignored(mut self, catalog: &Catalog) -> Result<Self, ImportError> {
        self.software.retain(|software| catalog.translate(software) != Translation::Ignored);
        if self.software.len() > SOFTWARE_REPORTED_MAX {
            return Err(ImportError::MachineTooLarge {
                host: self.host,
                max: SOFTWARE_REPORTED_MAX,
                what: "programs that the catalog does not ignore",
                remedy: "add rules with `ignore = true` to the catalog",
            });
        }
        Ok(self)
    }
}

/// A machine that is being read.
struct Machine {
    host: Name,
    addresses: BTreeSet<IpAddr>,
    users: BTreeSet<Name>,
    software: BTreeSet<Software>,
}

impl Machine {
    fn new(host: Name) -> Self {
        Self { host, addresses: BTreeSet::new(), users: BTreeSet::new(), software: BTreeSet::new() }
    }

    fn bounded(self, remedy: &'static str) -> Result<ImportedMachine, ImportError> {
        let counts = [
            (self.software.len(), SOFTWARE_MAX, "programs"),
            (self.users.len(), USERS_MAX, "users"),
            (self.addresses.len(), ADDRESSES_MAX, "addresses"),
        ];
        if let Some((_, max, what)) = counts.into_iter().find(|(count, max, _)| count > max) {
            return Err(ImportError::MachineTooLarge { host: self.host, max, what, remedy });
        }
        Ok(ImportedMachine {
            host: self.host,
            addresses: self.addresses.into_iter().collect(),
            users: self.users.into_iter().collect(),
            software: self.software.into_iter().collect(),
        })
    }
}

/// Whether an address means something on the machine or its cable alone.
fn is_local(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    link_local || address.is_loopback() || address.is_unspecified()
}

/// GLPI's format, as far as it is of interest here: `inventory.schema.json` of glpi-project/inventory_format.
#[derive(Deserialize)]
struct Inventory {
    #[serde(default)]
    partial: Option<bool>,
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    hardware: Hardware,
    // An inventory without it would say that nothing is installed.
    softwares: Vec<Program>,
    networks: Option<Vec<NetworkPort>>,
    users: Option<Vec<User>>,
}

#[derive(Deserialize)]
struct Hardware {
    name: Option<String>,
    lastloggeduser: Option<String>,
}

#[derive(Deserialize)]
struct NetworkPort {
    ipaddress: Option<String>,
    ipaddress6: Option<String>,
}

#[derive(Deserialize)]
struct User {
    login: Option<String>,
    domain: Option<String>,
}

#[derive(Deserialize)]
struct Program {
    name: Option<String>,
    publisher: Option<String>,
    version: Option<String>,
}

impl Hardware {
    fn host(&self) -> Result<Name, ImportError> {
        self.name.as_deref().and_then(clean).ok_or(ImportError::NoHost)
    }
}

impl User {
    /// As Windows writes it, and agents there: `DOMAIN\name`.
    fn name(&self) -> Option<Name> {
        let login = clean(self.login.as_deref()?)?;
        match self.domain.as_deref().and_then(clean) {
            Some(domain) => clean(&format!(r"{domain}\{login}")),
            None => Some(login),
        }
    }
}
