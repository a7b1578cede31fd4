//! `seatkeeper open`.

use seatkeeper_client::Client;

use super::fail::Fail;
use super::print;
use crate::platform::browser;

pub(super) async fn open(client: &Client, only_print: bool, json: bool) -> Result<(), Fail> {
    let code = client.session_code().await?;
    if json {
        return print::json(&code);
    }
    if only_print {
        print::line(&code.url);
        return Ok(());
    }
    let url = code.url.clone();
    let opened = tokio::task::spawn_blocking(move || browser::open(&url)).await;
    let opened = opened.map_err(|error| Fail::other(error.to_string()))?;
    opened.map_err(|error| {
        Fail::other(format!("no browser could be opened ({error}); open this yourself: {}", code.url))
    })
}
