//! The description of this API (OpenAPI 3.1), made from the handlers and the types that they speak.
//!
//! Only tests make it; they compare it with `agent/openapi.json`, which the program carries. `SEATKEEPER_WRITE_GOLDEN=1`
//! writes that file anew.

use std::collections::{BTreeMap, BTreeSet};

use seatkeeper_protocol::api;
use serde_json::{Value, json};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi};

mod texts;

/// Where the description is kept.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

/// Problems by status and what they mean.
type Problems = &'static [(u16, &'static str)];

fn problems(of: Problems) -> BTreeMap<String, RefOr<Response>> {
    let problem = |description: &str| {
        let schema = Ref::from_schema_name("Problem");
        ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
            .build()
    };
    of.iter().map(|(status, meaning)| (status.to_string(), problem(meaning).into())).collect()
}

/// Of whatever asks the site.
pub(super) struct Asks;

impl IntoResponses for Asks {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (409, "`no-site`: this device belongs to no site."),
            (503, "`no-holder`: no machine of the site can answer now; try again."),
        ])
    }
}

/// Of what names something that may not be there.
pub(super) struct Finds;

impl IntoResponses for Finds {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (404, "`not-found`: there is no such thing."),
            (409, "`no-site`: this device belongs to no site."),
            (503, "`no-holder`: no machine of the site can answer now; try again."),
        ])
    }
}

/// Of what the site decides on in a user's name.
pub(super) struct Uses;

impl IntoResponses for Uses {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (403, "`not-permitted`, `excluded` or `turned-away`: it is not for this user or this device."),
            (404, "`not-found`: there is no such thing."),
            (
                409,
                "`no-site`, `no-seat`, `not-licensed`, `over-limit`, `limit`, `conflict`, …: the rule that refused.",
            ),
            (
                503,
                "`no-holder`: no machine of the site can answer now; `unknown`: it may have been done or not.",
            ),
        ])
    }
}

/// Of what changes which site this device belongs to.
pub(super) struct Manages;

impl IntoResponses for Manages {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (
                403,
                "`not-permitted` or `turned-away`: the user does not manage this device, or the site does not want it.",
            ),
            (409, "`no-site` or `conflict`: it contradicts where this device belongs."),
            (
                503,
                "`no-holder`: no machine of the site can answer now; `unknown`: it may have been done or not.",
            ),
        ])
    }
}

/// Of what only admins may do.
pub(super) struct Administers;

impl IntoResponses for Administers {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (400, "`invalid`: it does not fit what is there."),
            (401, "`sign-in`: no admin has signed in."),
            (403, "`not-permitted`: this admin may not."),
            (404, "`not-found`: there is no such thing."),
            (409, "`no-site`, `conflict`, `limit`, …: the rule that refused."),
            (
                503,
                "`no-holder`: no machine of the site can answer now; `unknown`: it may have been done or not.",
            ),
        ])
    }
}

/// Of sessions.
pub(super) struct Signs;

impl IntoResponses for Signs {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problems(&[
            (403, "`wrong-password`, `not-permitted` or `code-used`."),
            (409, "`no-site` or `no-web`."),
            (
                429,
                "`slow-down`: too much at once, or too many wrong passwords; `Retry-After` says when to try again.",
            ),
            (503, "`no-holder`: no machine of the site can answer now; try again."),
        ])
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Seatkeeper's local API",
        description = "HTTP/1.1 and JSON on the agent's socket (a named pipe on Windows) and on its loopback web port. \
            Every object carries `format: 1`, times are RFC 3339 in UTC, what is not known is null, and fields are only \
            ever added. Errors are problem+json whose `type` is a stable code.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(api::Problem, api::SeatEvent)),
    paths(
        super::look::status,
        super::look::site,
        super::look::seats,
        super::look::devices,
        super::look::licenses,
        super::look::organisation,
        super::look::purchases,
        super::look::admins,
        super::look::vendors,
        super::look::usage,
        super::look::limits,
        super::look::calculations,
        super::look::unknown_programs,
        super::look::catalog,
        super::look::pool_key,
        super::doctor::doctor,
        super::doctor::state,
        super::doctor::log,
        super::metrics::metrics,
        super::routes::command,
        super::routes::description,
        super::site::create,
        super::site::join,
        super::site::leave,
        super::recovery::export,
        super::recovery::import,
        super::recovery::plan,
        super::recovery::recover,
        super::site::nearby,
        super::session::show,
        super::session::begin,
        super::session::end,
        super::session::open_code,
        super::session::sign_in,
        super::session::sign_out,
        super::admin::devices::release,
        super::admin::devices::invite,
        super::admin::devices::admit,
        super::admin::devices::revoke,
        super::admin::devices::lose,
        super::admin::devices::set,
        super::admin::devices::rotate,
        super::admin::licenses::add,
        super::admin::licenses::remove,
        super::admin::licenses::trust,
        super::admin::people::set,
        super::admin::people::remove,
        super::admin::limits::set,
        super::admin::limits::set_group,
        super::admin::limits::set_priority,
        super::admin::organisation::set,
        super::admin::organisation::place,
        super::admin::organisation::stop_at_legal,
        super::admin::purchases::set,
        super::admin::purchases::remove,
        super::admin::purchases::allocate,
        super::admin::inventory::set_catalog,
        super::admin::inventory::import,
        super::admin::inventory::forget,
        super::admin::inventory::forget_site,
        super::seats::take,
        super::seats::give_back,
        super::seats::prove,
        super::idle::activity,
        super::idle::ask,
        super::borrows::list,
        super::borrows::borrow,
        super::borrows::give_back,
        super::audit::page,
        super::audit::heads,
        super::compliance::compliance,
        super::compliance::what_if,
        super::compliance::inventory,
        super::compliance::machine,
        super::events::events,
    )
)]
struct Described;

/// Paths on which an idempotency key does nothing.
fn without_key(method: &str, path: &str) -> bool {
    method == "get" || !super::idempotency::takes_key(&method.to_uppercase(), path)
}

/// A stable name: `postSeatsSeatAsk` of `POST /v1/seats/{seat}/ask`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/v1").split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).fold(method.to_owned(), |id, word| {
        let (first, rest) = word.split_at(1);
        format!("{id}{}{rest}", first.to_ascii_uppercase())
    })
}

/// Adds what every operation of a kind has.
fn complete(path: &str, method: &str, operation: &mut Value) {
    operation["operationId"] = operation_id(method, path).into();
    let tag = path.split('/').find(|part| !part.is_empty() && *part != "v1").unwrap_or("site");
    operation["tags"] = json!([tag]);
    let mut add = |status: &str, meaning: &str| {
        let known = &mut operation["responses"][status];
        match known["description"].as_str().map(|known| format!("{known} {meaning}")) {
            Some(more) => known["description"] = more.into(),
            None => {
                let schema = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
                *known = json!({ "description": meaning, "content": { "application/problem+json": schema } });
            }
        }
    };
    add("400", "`bad-request`: the request is not what is described here.");
    add(
        "403",
        "`host`, `origin` or `csrf`: on the web port, the request is for another place or comes from one.",
    );
    add("500", "`internal`: a fault of the agent; its log says more.");
    if method == "get" {
        return;
    }
    add("401", "`no-session`: on the web port, the page has no session.");
    add("413", "`too-large`: the body has too many bytes.");
    if without_key(method, path) {
        return;
    }
    add("409", "`in-progress`: a request with this idempotency key is under way.");
    add("422", "`idempotency-mismatch`: the idempotency key was used for another request.");
    add(
        "429",
        "`slow-down`: too much at once, or too many wrong passwords; `Retry-After` says when to try again.",
    );
    let key = json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Chosen by the caller for one request. The same request with the same key within 10 minutes is \
            answered as before and does nothing.",
        "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    });
    match operation.get_mut("parameters").and_then(Value::as_array_mut) {
        Some(parameters) => parameters.push(key),
        None => operation["parameters"] = json!([key]),
    }
}

/// Properties of answers that are left out when there is nothing to say; all others are always there.
const LEFT_OUT: [(&str, &str); 5] = [
    ("Problem", "holders"),
    ("Problem", "expected"),
    ("Problem", "retry_after_s"),
    ("SeatWaiting", "holders"),
    ("Session", "token"),
];

/// Every schema that `of` refers to, and those that they refer to.
fn referred(of: &Value, schemas: &Value, names: &mut BTreeSet<String>) {
    match of {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(|at| at.as_str()?.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && names.insert(name.to_owned())
            {
                referred(&schemas[name], schemas, names);
            }
            members.values().for_each(|member| referred(member, schemas, names));
        }
        Value::Array(items) => items.iter().for_each(|item| referred(item, schemas, names)),
        _ => {}
    }
}

/// What we answer has all its properties.
fn require_all(name: &str, of: &mut Value) {
    match of {
        Value::Object(members) => {
            members.values_mut().for_each(|member| require_all(name, member));
            if let Some(Value::Object(properties)) = members.get("properties") {
                let always = properties.keys().filter(|key| !LEFT_OUT.contains(&(name, key.as_str())));
                members.insert("required".to_owned(), always.cloned().collect());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| require_all(name, item)),
        _ => {}
    }
}

/// Says what numbers have for bounds, by the names that the registry of formats has for them.
fn bound(of: &mut Value) {
    match of {
        Value::Object(members) => {
            members.values_mut().for_each(bound);
            let (format, max) = match members.get("format").and_then(Value::as_str) {
                Some("u-int8") => ("uint8", u64::from(u8::MAX)),
                Some("u-int16") => ("uint16", u64::from(u16::MAX)),
                Some("u-int32") => ("uint32", u64::from(u32::MAX)),
                Some("u-int64") => ("uint64", u64::MAX),
                _ => return,
            };
            members.insert("format".to_owned(), format.into());
            members.entry("maximum").or_insert(max.into());
        }
        Value::Array(items) => items.iter_mut().for_each(bound),
        _ => {}
    }
}

/// Moves `part` to the components, which keep what is the same once.
fn share(part: &mut Value, kind: &str, name: &str, components: &mut Value) {
    let shared = &mut components[kind][name];
    assert!(shared.is_null() || shared == part, "{kind} {name} are two");
    *shared = std::mem::replace(part, json!({ "$ref": format!("#/components/{kind}/{name}") }));
}

/// What a problem's answer is called: its status and the codes in its description.
fn problem_name(status: &str, answer: &Value) -> String {
    let description = answer["description"].as_str().unwrap_or_default();
    let codes = description.split('`').skip(1).step_by(2).filter(|code| *code != "Retry-After");
    codes.fold(status.to_owned(), |name, code| format!("{name}.{code}"))
}

/// The whole description.
fn document() -> Value {
    let mut document = serde_json::to_value(Described::openapi()).unwrap();
    let mut components = document["components"].take();
    let mut asked = BTreeSet::new();
    for (path, methods) in document["paths"].as_object_mut().unwrap() {
        for (method, operation) in methods.as_object_mut().unwrap() {
            complete(path, method, operation);
            referred(&operation["requestBody"], &components["schemas"], &mut asked);
            for (status, answer) in operation["responses"].as_object_mut().unwrap() {
                if status.starts_with(['4', '5']) {
                    share(answer, "responses", &problem_name(status, answer), &mut components);
                }
            }
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            for parameter in parameters.into_iter().flatten() {
                texts::in_parameter(path, parameter);
                if parameter["name"] == "Idempotency-Key" {
                    share(parameter, "parameters", "Idempotency-Key", &mut components);
                }
            }
        }
    }
    for (name, schema) in components["schemas"].as_object_mut().unwrap() {
        match asked.contains(name) {
            true => texts::in_schema(name, schema),
            false => require_all(name, schema),
        }
    }
    document["components"] = components;
    bound(&mut document);
    document
}

/// The description as it is kept: a line for each operation and each component.
fn text(document: &Value) -> String {
    fn lines(text: &mut String, of: &Value, depth: usize) {
        let Value::Object(members) = of else { return text.push_str(&of.to_string()) };
        if depth == 0 || members.is_empty() {
            return text.push_str(&of.to_string());
        }
        text.push('{');
        for (at, (name, member)) in members.iter().enumerate() {
            text.push_str(if at == 0 { "\n" } else { ",\n" });
            text.push_str(&format!("{}:", Value::from(name.as_str())));
            lines(text, member, depth - 1);
        }
        text.push_str("\n}");
    }
    let mut text = String::new();
    lines(&mut text, document, 3);
    text.push('\n');
    text
}

#[test]
fn the_description_in_the_tree_is_that_of_the_code() {
    let text = text(&document());
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document());
    if std::env::var_os("SEATKEEPER_WRITE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    if golden != text {
        let at = golden.lines().zip(text.lines()).position(|(old, new)| old != new);
        panic!("{GOLDEN} is not what the code says (line {at:?}); SEATKEEPER_WRITE_GOLDEN=1 writes it anew");
    }
}

#[test]
fn every_operation_is_described_in_full() {
    let document = document();
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let of = format!("{method} {path}");
            let summary = operation["summary"].as_str().unwrap_or_default();
            assert!(summary.ends_with('.') && summary.len() > 10, "{of} says what it is for: {summary:?}");
            let answers = operation["responses"].as_object().unwrap();
            assert!(answers.keys().any(|status| status.starts_with('2')), "{of} answers something");
            for (status, answer) in answers {
                let shared = answer["$ref"].as_str().and_then(|at| at.strip_prefix('#'));
                let answer = shared.map_or(answer, |at| document.pointer(at).unwrap());
                let problem = &answer["content"]["application/problem+json"];
                assert_eq!(!problem.is_null(), status.starts_with(['4', '5']), "{of}: {status}");
            }
            let named = path.matches('{').count();
            let parameters = operation["parameters"]
                .as_array()
                .map_or(0, |all| all.iter().filter(|parameter| parameter["in"] == "path").count());
            assert_eq!(parameters, named, "{of} describes its path");
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "no two operations have one id");
}

/// The methods that the router takes at a path, by its own word.
#[cfg(unix)]
async fn methods(router: &axum::Router, path: &str) -> Vec<String> {
    use hyper::service::Service;
    let request = axum::http::Request::builder().method("PROBE").uri(path).body(axum::body::Body::empty());
    let service = hyper_util::service::TowerToHyperService::new(router.clone());
    let answer = service.call(request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 405, "{path} is routed");
    let allowed = answer.headers().get("allow").map(|allow| allow.to_str().unwrap()).unwrap_or_default();
    let allowed = allowed.split(',').map(|method| method.trim().to_lowercase());
    allowed.filter(|method| !method.is_empty() && method != "head").collect()
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_routed_is_described_and_the_other_way_round() {
    let dir = tempfile::tempdir().unwrap();
    let node = super::tests::node(dir.path()).await;
    let (router, paths) = super::routes::router_and_paths(node);
    let mut routed = BTreeMap::new();
    for path in paths {
        let mut methods = methods(&router, &path.replace(['{', '}'], "")).await;
        methods.sort();
        routed.insert(path.to_owned(), methods);
    }
    let document = document();
    let described: BTreeMap<String, Vec<String>> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(path, methods)| (path.clone(), methods.as_object().unwrap().keys().cloned().collect()))
        .collect();
    assert_eq!(routed, described);
}
