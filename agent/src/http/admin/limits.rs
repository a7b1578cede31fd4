//! Who may use how many seats, and who goes first.

use axum::Json;
use axum::body::Body;
use axum::extract::Path;
use seatkeeper_ledger::command::{Command, NodeLimits, Whom};
use seatkeeper_ledger::org::NodeId;
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Name, ProductId};

#[cfg(test)]
use super::super::describe::Administers;
use super::super::problem::Problem;
use super::super::routes::read_json;
use super::super::session::AdminSigner;
use super::bad;

type Done = Result<Json<api::CommandResult>, Problem>;

/// For whom a rule is: exactly one is named.
fn whom(user: Option<String>, group: Option<String>, device: Option<String>) -> Result<Whom, Problem> {
    match (user, group, device) {
        (Some(user), None, None) => Name::new(user).map(Whom::User).map_err(bad),
        (None, Some(group), None) => Name::new(group).map(Whom::Group).map_err(bad),
        (None, None, Some(device)) => device.parse().map(Whom::Device).map_err(bad),
        _ => Err(Problem::bad_request("name one for whom it is: `user`, `group` or `device`")),
    }
}

/// Limits how much of a product somebody may use, or takes the limit away.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/limits", request_body = api::SetLimit,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set(admin: AdminSigner, body: Body) -> Done {
    let api::SetLimit { product, user, group, device, node, seats, borrowed, borrow_days, kept } =
        read_json(body).await?;
    let product = ProductId::new(product).map_err(bad)?;
    let command = match node {
        Some(node) => {
            if user.is_some() || group.is_some() || device.is_some() {
                return Err(Problem::bad_request("name one for whom it is, `node` or another"));
            }
            let node = NodeId::new(node).map_err(bad)?;
            let limits = NodeLimits { seats, borrowed, borrow_days, kept };
            Command::SetNodeLimits { product, node, limits }
        }
        None => {
            if borrowed.is_some() || borrow_days.is_some() || kept.is_some() {
                let detail = "`borrowed`, `borrow_days` and `kept` are for a node; name it as `node`";
                return Err(Problem::bad_request(detail));
            }
            Command::SetLimit { product, whom: whom(user, group, device)?, seats }
        }
    };
    admin.send(&command).await.map(Json)
}

/// Says which users are in a group; without any there is no such group.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/groups/{name}", params(("name" = String, Path, description = "The group's name.")),
    request_body = api::SetGroup, responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set_group(admin: AdminSigner, Path(name): Path<String>, body: Body) -> Done {
    let group = Name::new(name).map_err(bad)?;
    let api::SetGroup { members } = read_json(body).await?;
    let members = members.into_iter().map(Name::new).collect::<Result<_, _>>().map_err(bad)?;
    admin.send(&Command::SetGroup { group, members }).await.map(Json)
}

/// Says who goes first in queues.
#[cfg_attr(test, utoipa::path(
    put, path = "/v1/priorities", request_body = api::SetPriority,
    responses((status = 200, body = api::CommandResult), Administers)
))]
pub(in super::super) async fn set_priority(admin: AdminSigner, body: Body) -> Done {
    let api::SetPriority { user, group, device, priority } = read_json(body).await?;
    admin.send(&Command::SetPriority { whom: whom(user, group, device)?, priority }).await.map(Json)
}
