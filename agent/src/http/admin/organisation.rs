//! The organisation: nodes, and which devices belong to them.

use axum::Json;
use axum::body::Body;
use seatkeeper_ledger::command::Command;
use seatkeeper_ledger::org::{Node as OrgNode, NodeId, Rule};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::Name;

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::read_json;
use super::super::session::AdminSigner;
use super::{bad, read_long, send_all};
use crate::plan::long;

type Done = Result<Json<api::CommandResult>, Problem>;

/// Adds or changes nodes of the organisation, and takes others out.
///
/// What is very long is done in parts.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/org", request_body = api::SetNodes,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set(admin: AdminSigner, body: Body) -> Done {
    let api::SetNodes { nodes, removed } = read_long(body).await?;
    let set = nodes.into_iter().map(node).collect::<Result<_, _>>()?;
    let remove = removed.into_iter().map(NodeId::new).collect::<Result<_, _>>().map_err(bad)?;
    send_all(&admin, long::nodes(set, remove)?).await.map(Json)
}

fn node(of: api::SetNode) -> Result<OrgNode, Problem> {
    let api::SetNode { id, parent, name, legal, priority } = of;
    Ok(OrgNode {
        name: Name::new(name.unwrap_or_else(|| id.clone())).map_err(bad)?,
        id: NodeId::new(id).map_err(bad)?,
        parent: parent.map(NodeId::new).transpose().map_err(bad)?,
        legal,
        priority,
    })
}

/// Says which devices belong to which node: all rules anew.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/org/placement", request_body = api::SetPlacement,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn place(admin: AdminSigner, body: Body) -> Done {
    let api::SetPlacement { rules } = read_long(body).await?;
    let rules = rules.iter().map(Rule::from_json).collect::<Result<_, _>>();
    let rules = rules.map_err(|error| Problem::bad_request(error.to_string()))?;
    send_all(&admin, long::placement(rules)?).await.map(Json)
}

/// Says whether automatic coverage stops where another legal entity begins.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/org/stop-at-legal", request_body = api::SetStopAtLegal,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn stop_at_legal(admin: AdminSigner, body: Body) -> Done {
    let api::SetStopAtLegal { stop_at_legal } = read_json(body).await?;
    admin.send(&Command::SetStopAtLegal { stop: stop_at_legal }).await.map(Json)
}
