//! `/v1/borrows`: what this device has borrowed.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::{Extension, Json};
use seatkeeper_protocol::api;
use seatkeeper_protocol::id::{Feature, IdError, Name, ProductId, Version};
use seatkeeper_protocol::time::WallTime;

#[cfg(test)]
use super::describe::Uses;
use super::problem::Problem;
use super::routes::read_json;
use crate::node::{BorrowAsk, Node, Until};
use crate::platform::local::Caller;

/// What is borrowed on this device.
#[cfg_attr(test, utoipa::path(
    get, path = "/v1/borrows", responses((status = 200, body = api::Borrows))
))]
pub(super) async fn list(State(node): State<Node>) -> Json<api::Borrows> {
    Json(node.borrow_list())
}

/// Borrows a seat until a date, or prolongs a borrow.
#[cfg_attr(test, utoipa::path(
    post, path = "/v1/borrows", request_body = api::BorrowRequest,
    responses((status = 200, body = api::Borrow), Uses)
))]
pub(super) async fn borrow(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::Borrow>, Problem> {
    let request: api::BorrowRequest = read_json(body).await?;
    Ok(Json(node.borrow(ask(request, &caller)?).await?))
}

/// Gives back what the caller borrowed of a product.
#[cfg_attr(test, utoipa::path(
    delete, path = "/v1/borrows", request_body = api::ReturnRequest,
    responses((status = 200, body = api::BorrowReturned), Uses)
))]
pub(super) async fn give_back(
    State(node): State<Node>,
    Extension(caller): Extension<Caller>,
    body: Body,
) -> Result<Json<api::BorrowReturned>, Problem> {
    let request: api::ReturnRequest = read_json(body).await?;
    let user = Name::new(caller.user.as_str()).map_err(bad)?;
    let product = ProductId::new(request.product).map_err(bad)?;
    let version = request.version.map(Version::new).transpose().map_err(bad)?;
    Ok(Json(node.return_borrow(&user, &product, version.as_ref()).await?))
}

fn ask(request: api::BorrowRequest, caller: &Caller) -> Result<BorrowAsk, Problem> {
    let until = match (&request.until, request.for_s) {
        (Some(until), None) => WallTime::from_rfc3339(until)
            .map(Until::At)
            .map_err(|error| Problem::bad_request(format!("`until` is not an RFC 3339 time: {error}")))?,
        (None, Some(seconds)) => Until::For(Duration::from_secs(seconds)),
        _ => return Err(Problem::bad_request("name either `until` or `for_s`")),
    };
    Ok(BorrowAsk {
        user: Name::new(caller.user.as_str()).map_err(bad)?,
        product: ProductId::new(request.product).map_err(bad)?,
        version: request.version.map(Version::new).transpose().map_err(bad)?,
        features: request.features.into_iter().map(Feature::new).collect::<Result<_, _>>().map_err(bad)?,
        until,
        renew: request.renew,
    })
}

fn bad(error: IdError) -> Problem {
    Problem::bad_request(error.to_string())
}
