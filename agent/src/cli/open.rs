//! `seatkeeper open`.

use seatkeeper_client::{Client, api};

use super::fail::Fail;
use super::print;
use crate::platform::browser;

pub(super) async fn open(client: &Client, only_print: bool, json: bool) -> Result<(), Fail> {
    if !only_print && !json {
        return in_browser(client).await;
    }
    let code = client.session_code().await?;
    if json {
        return print::json(&code);
    }
    print::line(&code.url);
    Ok(())
}

/// Opens this machine's page in the user's name.
pub(super) async fn in_browser(client: &Client) -> Result<(), Fail> {
    let api::SessionCode { url, .. } = client.session_code().await?;
    let opened = tokio::task::spawn_blocking({
        let url = url.clone();
        move || browser::open(&url)
    });
    let opened = opened.await.map_err(|error| Fail::other(error.to_string()))?;
    opened.map_err(|error| {
        Fail::other(format!("no browser could be opened ({error}); open this yourself: {url}"))
    })
}
