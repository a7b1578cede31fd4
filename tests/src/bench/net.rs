//! Network namespaces joined by a bridge: each agent has an interface of its own, whose bytes can be counted.

use tokio::process::Command;

use super::Failure;

/// A bridge with a cable to each host; deleted on drop.
#[derive(Debug)]
pub(super) struct Net {
    prefix: String,
    names: Vec<String>,
}

impl Net {
    /// A network for `hosts` machines. Needs root and `ip`.
    pub(super) async fn new(hosts: usize) -> Result<Self, Failure> {
        let prefix = format!("skb{}", std::process::id());
        let mut net = Self { prefix, names: Vec::new() };
        let switch = net.add("sw").await?;
        // Snooping would hold multicast back until a querier is found, and there is none.
        ip(&["-n", &switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"]).await?;
        ip(&["-n", &switch, "link", "set", "br0", "up"]).await?;
        for host in 1..=hosts {
            let (name, far) = (net.add(&format!("h{host}")).await?, format!("h{host}"));
            let ends = ["type", "veth", "peer", "name", &far, "netns", &switch];
            ip(&[&["-n", &name, "link", "add", "eth0"][..], &ends].concat()).await?;
            ip(&["-n", &switch, "link", "set", &far, "master", "br0", "up"]).await?;
            ip(&["-n", &name, "link", "set", "lo", "up"]).await?;
            ip(&["-n", &name, "link", "set", "eth0", "up"]).await?;
            ip(&["-n", &name, "address", "add", &format!("10.78.0.{host}/24"), "dev", "eth0"]).await?;
            ip(&["-n", &name, "route", "add", "default", "dev", "eth0"]).await?;
        }
        Ok(net)
    }

    /// The namespace of the host with this number, from 0.
    pub(super) fn host(&self, number: usize) -> String {
        format!("{}h{}", self.prefix, number + 1)
    }

    async fn add(&mut self, name: &str) -> Result<String, Failure> {
        let name = format!("{}{name}", self.prefix);
        ip(&["netns", "add", &name]).await?;
        self.names.push(name.clone());
        Ok(name)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            std::process::Command::new("ip").args(["netns", "delete", name]).output().ok();
        }
    }
}

async fn ip(args: &[&str]) -> Result<(), Failure> {
    let output = Command::new("ip").args(args).output().await;
    let output = output.map_err(|error| format!("namespaces need `ip` (package iproute2): {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("namespaces cannot be made here (they need root): ip {}: {}", args.join(" "), why.trim()))
}
