//! What tests of the program share: a kubeconfig, and the answers every API server gives.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tempfile::TempDir;

/// A kubeconfig that names one server, as long as it lives.
pub(crate) struct Kubeconfig(TempDir);

impl Kubeconfig {
    /// That of an address, without TLS and credentials.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let text = json!({"apiVersion": "v1", "kind": "Config", "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "it", "user": {}}]});
        std::fs::write(directory.path().join("kubeconfig"), text.to_string()).expect("it can be written");
        Self(directory)
    }

    /// Its file.
    pub(crate) fn path(&self) -> String {
        self.0.path().join("kubeconfig").to_str().expect("the directory is UTF-8").to_owned()
    }
}

/// The answer to `GET /version`.
pub(crate) fn version() -> Response {
    let version = json!({"major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "",
        "buildDate": "", "goVersion": "", "compiler": "", "platform": ""});
    version.to_string().into_response()
}

/// A refusal, with the status as its message.
pub(crate) fn refused(status: StatusCode) -> Response {
    let reason = match status {
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::FORBIDDEN => "Forbidden",
        _ => "",
    };
    let code = status.as_u16();
    let text = json!({"status": "Failure", "code": code, "reason": reason, "message": status.to_string()});
    (status, text.to_string()).into_response()
}
