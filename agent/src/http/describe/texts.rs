//! What may stand in the texts that are asked with.

use seatkeeper_protocol::limits::{NAME_BYTES_MAX, PRODUCT_BYTES_MAX, VERSION_BYTES_MAX};
use serde_json::{Value, json};

fn named(max: usize) -> Value {
    json!({ "minLength": 1, "maxLength": max, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$" })
}

fn of_alphabet(alphabet: &str, max: usize) -> Value {
    json!({ "minLength": 1, "maxLength": max, "pattern": format!("^[{alphabet}]*$") })
}

fn pattern(pattern: &str) -> Value {
    json!({ "pattern": pattern })
}

fn product() -> Value {
    of_alphabet("a-z0-9._-", PRODUCT_BYTES_MAX)
}

/// Of a property, by its name and the schema that it is in.
fn property(schema: &str, name: &str) -> Option<Value> {
    Some(match (schema, name) {
        ("CatalogEntry", "name" | "publisher" | "reported") | (_, "pattern") => {
            json!({ "minLength": 1, "maxLength": NAME_BYTES_MAX })
        }
        (_, "product" | "prefixes" | "features") => product(),
        (_, "version" | "downgrade") => of_alphabet("A-Za-z0-9._+-", VERSION_BYTES_MAX),
        (
            "SetLimit" | "SetPriority" | "SetDevice" | "SetGroup" | "SetNode" | "SetNodes" | "CreateSite"
            | "TrustVendor" | "OrgNode" | "SignedCommand",
            "name" | "admin" | "user" | "group" | "node" | "parent" | "id" | "members" | "removed",
        )
        | ("PlacementRule", "node")
        | ("SetPurchase", "owner") => named(NAME_BYTES_MAX),
        ("SetLimit" | "SetPriority", "device") => pattern("^[A-Za-z2-7]{32}$"),
        ("SetAdmin", "key") | (_, "admin_key" | "trust") => pattern("^[A-Za-z2-7]{52}$"),
        ("PlacementRule", "match") => json!({ "enum": ["host", "address", "user", "device"] }),
        (_, "nonce") => pattern("^[A-Za-z0-9_-]{22,86}$"),
        (_, "session") => pattern("^[0-9A-Fa-f]{32}$"),
        (_, "until") => json!({ "format": "date-time" }),
        (_, "valid_from" | "valid_until" | "purchased") => json!({ "format": "date" }),
        (_, "password") => json!({ "minLength": 8 }),
        ("SignedCommand", "command" | "signature") => json!({ "contentEncoding": "base64" }),
        _ => return None,
    })
}

/// Of a parameter in a path.
fn parameter(path: &str, name: &str) -> Option<Value> {
    let resource = path.trim_start_matches("/v1/").split('/').next().unwrap_or_default();
    Some(match (resource, name) {
        ("seats", "session") if path.ends_with("/ask") || path.ends_with("/release") => {
            pattern("^[0-9]{1,19}$")
        }
        ("seats", "session") if path.ends_with('}') => pattern("^[0-9A-Fa-f]{32}$"),
        ("seats", "session") => pattern("^([0-9]{1,19}|[0-9A-Fa-f]{32})$"),
        ("devices", "id") => pattern("^[A-Za-z2-7]{32}$"),
        ("inventory", "id") if path.contains("/sites/") => pattern("^[A-Za-z2-7]{32}$"),
        ("vendors", "key") => pattern("^[A-Za-z2-7]{52}$"),
        ("licenses" | "admins" | "groups" | "purchases", _) => named(NAME_BYTES_MAX),
        _ => return None,
    })
}

/// Adds what is known of a text, of the texts in a list, or of those in one of several.
fn add(to: &mut Value, known: &Value) {
    let Value::Object(to) = to else { return };
    if let Some(items) = to.get_mut("items") {
        return add(items, known);
    }
    let is_text = match to.get("type") {
        Some(Value::Array(types)) => types.contains(&"string".into()),
        of => of == Some(&"string".into()),
    };
    if is_text {
        let mut known = known.clone();
        if let (Some(Value::Array(values)), Some(Value::Array(_))) = (known.get_mut("enum"), to.get("type")) {
            values.push(Value::Null);
        }
        to.extend(known.as_object().cloned().unwrap_or_default());
    }
}

/// What is often asked.
fn example(schema: &str) -> Option<Value> {
    Some(match schema {
        "BorrowRequest" => json!({ "product": "cad", "for_s": 86_400, "renew": true }),
        "ReturnRequest" => json!({ "product": "cad" }),
        "SeatRequest" => json!({ "product": "cad", "version": "2026", "wait_s": 600 }),
        "ProofRequest" => json!({ "nonce": "xu3Rj0q9RcuYc3Zp2yVbMA" }),
        "AskSeat" => json!({ "message": "may I have it until noon?" }),
        "CreateSite" => json!({ "name": "Office", "admin": "eva", "password": "correct horse" }),
        "Join" => json!({ "code": null }),
        "Invite" => json!({ "lasts_s": 3_600, "uses": 2, "address": "10.0.0.5:7410" }),
        "LoseDevice" => json!({ "lost": true }),
        "SetDevice" => json!({ "name": "workshop", "always_on": true, "form": "desktop" }),
        "TrustVendor" => json!({ "name": "acme", "prefixes": ["cad"] }),
        "SetAdmin" => json!({ "role": "reader", "password": "correct horse" }),
        "SetLimit" => json!({ "product": "cad", "user": "max", "seats": 1 }),
        "SetGroup" => json!({ "members": ["ada", "max"] }),
        "SetPriority" => json!({ "user": "ada", "priority": 5 }),
        "SetNodes" => json!({ "nodes": [{ "id": "W", "parent": "R", "name": "Works", "legal": true }] }),
        "SetPlacement" => json!({ "rules": [{ "match": "address", "pattern": "10.1.0.0/16", "node": "E" }] }),
        "SetStopAtLegal" => json!({ "stop_at_legal": true }),
        "SetPurchase" => json!({ "product": "cad", "version": "2026", "quantity": 3, "unit_cost": 125_000 }),
        "SetAllocations" => json!({ "allocations": { "E": 1 } }),
        "SetCatalog" => json!({ "entries": [{ "name": "Cad *", "product": "cad", "version_from_name": 1 }] }),
        "ImportMachines" => json!({ "text": "host,name,version\nold2,Cad 2025,25.1\n" }),
        "ComplianceChanges" => {
            json!({ "changes": [{ "remove_purchase": "PO-1" }, { "stop_at_legal": true }] })
        }
        _ => return None,
    })
}

/// Adds to a schema that is asked with what its texts are, and an example.
pub(super) fn in_schema(name: &str, schema: &mut Value) {
    if let Some(example) = example(name) {
        schema["examples"] = json!([example]);
    }
    for (property_name, value) in
        schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten()
    {
        if let Some(known) = property(name, property_name) {
            add(value, &known);
        }
    }
}

/// Adds to a parameter of a path what it is.
pub(super) fn in_parameter(path: &str, parameter_of: &mut Value) {
    let name = parameter_of["name"].as_str().unwrap_or_default();
    if parameter_of["in"] == "path"
        && let Some(known) = parameter(path, name)
    {
        add(&mut parameter_of["schema"], &known);
    }
}
