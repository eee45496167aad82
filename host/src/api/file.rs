//! `/api/configuration/file`: how the watched file and what runs stand to each other, and a load that somebody asks for.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::edits::{answer, refused};
use super::{Api, ApiError, off_thread};
use crate::view::FileView;
use crate::watched::{CONFLICT, NotLoaded};

#[derive(Deserialize)]
pub struct LoadQuery {
    #[serde(default)]
    force: bool,
}

pub async fn show(State(api): State<Api>) -> Result<Json<FileView>, ApiError> {
    // A load that compiles holds the view up.
    off_thread(move || match &api.file {
        Some(file) => file.view(),
        None => FileView {
            state: "none",
            message: "the host was started without a file; `weir config export` gives what runs".to_owned(),
            ..FileView::default()
        },
    })
    .await
    .map(Json)
}

pub async fn load(State(api): State<Api>, Query(query): Query<LoadQuery>) -> Result<Response, ApiError> {
    let Some(file) = api.file.clone() else {
        return Err(ApiError::not_found("the host was started without a configuration file"));
    };
    match off_thread(move || file.load(query.force)).await? {
        Ok(changed) => answer(StatusCode::OK, Ok(changed), None),
        Err(NotLoaded::Missing(message)) => Err(ApiError::not_found(&message)),
        Err(NotLoaded::Conflict) => Err(ApiError::new(StatusCode::CONFLICT, "file_conflict", CONFLICT)),
        Err(NotLoaded::Refused(why)) => Err(refused(why)),
    }
}
