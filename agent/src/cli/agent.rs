//! `seatkeeper agent`.

use std::net::SocketAddr;
use std::path::PathBuf;

use seatkeeper_client::socket;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{AgentArgs, WebArg, WebhookArgs};
use super::fail::{Fail, OTHER, USAGE};
use super::files;
use crate::host::{self, HostConfig, MdnsChoice};
use crate::http::Api;
use crate::http::web::{WebConfig, WebPort};
use crate::platform::files::exposure;
use crate::platform::local::LocalListener;
use crate::platform::{paths, signals};
use crate::webhook::{self, Target};

/// Names the filter of the log.
const LOG_VARIABLE: &str = "SEATKEEPER_LOG";

pub(super) async fn agent(args: AgentArgs, socket: Option<PathBuf>) -> Result<(), Fail> {
    start_log();
    // Before anything else, so that a stop during the start is not lost.
    let stop = signals::shutdown();
    let socket = socket.unwrap_or_else(socket::default_listen_socket);
    let listen = args.listen;
    let webhook = webhook(&args.webhook)?;
    let web = web(&args)?;
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
    if let Some(port) = web {
        let (api, shutdown) = (api.clone(), shutdown.clone());
        tokio::spawn(async move { api.serve_web(port, tell_trouble, shutdown).await });
    }
    let serving = {
        let shutdown = shutdown.clone();
        tokio::spawn(async move { api.serve(listener, shutdown).await })
    };
    stop.await;
    tracing::info!("stopping");
    // The node first: while it works, closing the clients' connections would give their seats back.
    node.stop().await;
    shutdown.cancel();
    serving.await.map_err(|error| Fail::other(format!("the local API failed: {error}")))?;
    tracing::info!("stopped");
    Ok(())
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

fn tell_trouble(trouble: Option<&std::io::Error>) {
    if let Some(error) = trouble {
        tracing::warn!(%error, "the page is not served; another program may have its port: see --web");
    }
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
    // The libraries below tell every hiccup of the network; ours say what it means.
    let filter = filter.unwrap_or_else(|| "warn,seatkeeper=info,openraft=error,mdns_sd=error".to_owned());
    // Targets and levels only: filters by span and field bring an engine for regular expressions with them.
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let log =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(log).with(filter).try_init().ok();
}
