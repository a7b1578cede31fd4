//! The page: the files of `agent/dashboard`, inside of the program.
//!
//! They are what a browser runs, without a build in between. What is not ours is in `vendor`, each with its license.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below `agent/dashboard`, with `/` between folders.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: &'static [u8],
    /// Of these bytes, in quotation marks.
    pub(super) etag: HeaderValue,
}

macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_bytes!(concat!("../../dashboard/", $path)) as &'static [u8]),)*]
    };
}

const FILES: &[(&str, &[u8])] = files![
    "app/api.js",
    "app/calendar.js",
    "app/chart.js",
    "app/events.js",
    "app/i18n.js",
    "app/icons.js",
    "app/main.js",
    "app/pages/along.js",
    "app/pages/audit.js",
    "app/pages/health.js",
    "app/pages/invite.js",
    "app/pages/licenses.js",
    "app/pages/machines.js",
    "app/pages/organisation.js",
    "app/pages/seats.js",
    "app/pages/site.js",
    "app/pages/usage.js",
    "app/pages/welcome.js",
    "app/pages/whatif.js",
    "app/products.js",
    "app/session.js",
    "app/shell.js",
    "app/store.js",
    "app/table.js",
    "app/theme.js",
    "app/ui.js",
    "i18n/en.ftl",
    "i18n/pl.ftl",
    "icon.svg",
    "index.html",
    "style/base.css",
    "style/pages.css",
    "style/parts.css",
    "vendor/README.md",
    "vendor/fluent/LICENSE",
    "vendor/fluent/builtins.js",
    "vendor/fluent/bundle.js",
    "vendor/fluent/index.js",
    "vendor/fluent/memoizer.js",
    "vendor/fluent/resolver.js",
    "vendor/fluent/resource.js",
    "vendor/fluent/scope.js",
    "vendor/fluent/types.js",
    "vendor/lit-html/LICENSE",
    "vendor/lit-html/directive-helpers.js",
    "vendor/lit-html/directive.js",
    "vendor/lit-html/directives/repeat.js",
    "vendor/lit-html/lit-html.js",
    "vendor/uplot/LICENSE",
    "vendor/uplot/uPlot.iife.min.js",
    "vendor/uplot/uPlot.min.css",
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |&(path, bytes)| Asset { path, content_type: content_type(path), bytes, etag: etag(bytes) };
    FILES.iter().map(asset).collect()
});

/// The file at `path`.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

fn etag(bytes: &[u8]) -> HeaderValue {
    let mut tag = String::from('"');
    for byte in Sha256::digest(bytes).iter().take(12) {
        // Writing to a string does not fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"-\""))
}

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Result<Response, Problem> {
    answer("index.html", &headers)
}

/// `GET /assets/{path}`
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    answer(&path, &headers)
}

/// The browser keeps the file and asks each time whether it is still the same, so that a new agent has a new page.
fn answer(path: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let asset = find(path).ok_or_else(|| Problem::not_found(format!("the page has no file {path}")))?;
    let about = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, asset.etag.clone()),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == asset.etag) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    Ok((about, Bytes::from_static(asset.bytes)).into_response())
}

#[cfg(test)]
mod tests;
