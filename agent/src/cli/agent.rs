//! `seatkeeper agent`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seatkeeper_client::socket;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{AgentArgs, WebArg, WebhookArgs};
use super::doctor::web_trouble;
use super::fail::{Fail, OTHER, USAGE};
use super::files;
use crate::host::{self, HostConfig, MdnsChoice};
use crate::http::web::{WebConfig, WebPort};
use crate::http::{Api, recent};
use crate::node::{Node, Page};
use crate::platform::files::exposure;
use crate::platform::local::LocalListener;
use crate::platform::{dumps, manager, paths, signals};
use crate::webhook::{self, Target};

/// Names the filter of the log.
const LOG_VARIABLE: &str = "SEATKEEPER_LOG";
/// The libraries below tell every hiccup of the network; ours say what it means.
const LOG_DEFAULT: &str = "warn,seatkeeper=info,openraft=error,mdns_sd=error";

pub(super) async fn agent(args: AgentArgs, socket: Option<PathBuf>) -> Result<(), Fail> {
    start_log();
    dumps::none();
    // Before anything else, so that a stop during the start is not lost.
    let stop = signals::shutdown();
    let socket = socket.unwrap_or_else(socket::default_listen_socket);
    let listen = args.listen;
    let webhook = webhook(&args.webhook)?;
    let (web, page) = (web(&args)?, args.web);
    let settings = settings(&args, &socket);
    let config = config(args)?;
    let node = host::start(config).await.map_err(|error| Fail::new(error.exit_code(), error.to_string()))?;
    let listener = match LocalListener::bind(&socket) {
        Ok(listener) => listener,
        Err(error) => {
            node.stop().await;
            return Err(Fail::new(OTHER, error.to_string()));
        }
    };
    // Port 0 asks for a free one.
    let listen = SocketAddr::new(listen.ip(), node.port());
    tracing::info!(%listen, socket = %socket.display(), device = %node.device(), "ready");

    let shutdown = CancellationToken::new();
    if let Some(target) = webhook {
        tokio::spawn(webhook::run(node.clone(), target, shutdown.clone()));
    }
    let api = Api::new(node.clone());
    node.set_settings(settings);
    match (web, page) {
        (Some(port), WebArg::At(address)) => {
            let (api, shutdown, told) = (api.clone(), shutdown.clone(), page_told(node.clone(), address));
            tokio::spawn(async move { api.serve_web(port, told, shutdown).await });
        }
        _ => node.set_page(Page::Off),
    }
    let serving = {
        let shutdown = shutdown.clone();
        tokio::spawn(async move { api.serve(listener, shutdown).await })
    };
    manager::ready();
    if let Some(patience) = manager::patience() {
        tokio::spawn(tell_alive(node.clone(), patience / 2, shutdown.clone()));
    }
    stop.await;
    tracing::info!("stopping");
    manager::stopping();
    // The node first: while it works, closing the clients' connections would give their seats back.
    node.stop().await;
    shutdown.cancel();
    serving.await.map_err(|error| Fail::other(format!("the local API failed: {error}")))?;
    tracing::info!("stopped");
    Ok(())
}

/// Tells the service manager again and again that the agent is alive: that its threads go round and that the node's locks
/// can be had. An agent that hangs is restarted.
async fn tell_alive(node: Node, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let me = node.me();
        tracing::trace!(role = %me.role, "alive");
        manager::alive();
    }
}

fn webhook(args: &WebhookArgs) -> Result<Option<Target>, Fail> {
    let (Some(url), Some(file)) = (&args.webhook, &args.webhook_secret_file) else { return Ok(None) };
    let exposed = exposure(file, true)
        .map_err(|error| Fail::input(format!("{} cannot be read: {error}", file.display())))?;
    if exposed.is_some() {
        let file = file.display();
        return Err(Fail::input(format!(
            "others may read or change the secret in {file}; run `chmod 600 {file}`"
        )));
    }
    let target =
        Target::new(url, files::read_secret(file)?).map_err(|error| Fail::input(error.to_string()))?;
    Ok(Some(target))
}

fn web(args: &AgentArgs) -> Result<Option<WebPort>, Fail> {
    let WebArg::At(address) = args.web else { return Ok(None) };
    let tls = args.web_cert.clone().zip(args.web_key.clone());
    WebPort::new(WebConfig { address, tls }).map(Some).map_err(|error| Fail::new(USAGE, error.to_string()))
}

/// Tells the node where the page is, or why there is none: once for each reason, as it is tried again and again.
fn page_told(node: Node, address: SocketAddr) -> impl FnMut(Result<SocketAddr, &std::io::Error>) {
    let mut last = None;
    move |told| match told {
        Ok(served) => node.set_page(Page::Served(served.to_string())),
        Err(error) if last == Some(error.kind()) => {}
        Err(error) => {
            last = Some(error.kind());
            node.set_page(Page::Trouble(web_trouble(address, error)));
        }
    }
}

/// The settings in force, by the names of their options.
fn settings(args: &AgentArgs, socket: &Path) -> BTreeMap<String, String> {
    let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(" ") };
    let path =
        |path: Option<&PathBuf>| path.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let state_dir = args.state_dir.clone().or_else(paths::default_state_dir);
    let log = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty());
    let mdns = match (args.no_mdns, args.mdns_interface.is_empty()) {
        (true, _) => "off".to_owned(),
        (false, true) => "all interfaces".to_owned(),
        (false, false) => args.mdns_interface.join(" "),
    };
    let settings = [
        ("config", path(args.config.as_ref())),
        ("socket", socket.display().to_string()),
        ("state-dir", path(state_dir.as_ref())),
        ("listen", args.listen.to_string()),
        ("peer", list(args.peer.iter().map(ToString::to_string).collect())),
        ("mdns", mdns),
        ("name", args.name.as_ref().map_or_else(|| "host name".to_owned(), ToString::to_string)),
        ("join-file", path(args.join_file.as_ref())),
        (
            "web",
            match args.web {
                WebArg::Off => "off".to_owned(),
                WebArg::At(address) => address.to_string(),
            },
        ),
        ("web-cert", path(args.web_cert.as_ref())),
        ("web-key", path(args.web_key.as_ref())),
        ("log", log.unwrap_or_else(|| LOG_DEFAULT.to_owned())),
    ];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn config(args: AgentArgs) -> Result<HostConfig, Fail> {
    let state_dir = args.state_dir.or_else(paths::default_state_dir);
    Ok(HostConfig {
        state_dir: state_dir
            .ok_or_else(|| Fail::other("there is no home folder to keep the state in; say --state-dir"))?,
        listen: args.listen,
        peers: args.peer,
        mdns: match (args.no_mdns, args.mdns_interface.is_empty()) {
            (true, _) => MdnsChoice::Off,
            (false, true) => MdnsChoice::All,
            (false, false) => MdnsChoice::Only(args.mdns_interface),
        },
        name: args.name.map(|name| name.to_string()),
        join_file: args.join_file,
    })
}

fn start_log() {
    let filter = std::env::var(LOG_VARIABLE).ok().filter(|filter| !filter.is_empty());
    let filter = filter.unwrap_or_else(|| LOG_DEFAULT.to_owned());
    // Targets and levels only: filters by span and field bring an engine for regular expressions with them.
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let to = std::io::stderr.and(recent::writer);
    let log = tracing_subscriber::fmt::layer().with_writer(to).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(log).with(filter).try_init().ok();
}
