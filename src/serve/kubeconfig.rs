//! How kubectl finds the model.

use serde_json::json;

use crate::manifest::yaml;

/// A kubeconfig whose only context leads to `url`, with a token if one is needed.
pub fn kubeconfig(url: &str, token: Option<&str>) -> String {
    let user = token.map_or(json!({}), |token| json!({ "token": token }));
    yaml::to_string(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "driftlab", "cluster": {"server": url}}],
        "contexts": [{"name": "driftlab", "context": {"cluster": "driftlab", "user": "admin"}}],
        "current-context": "driftlab",
        "users": [{"name": "admin", "user": user}],
    }))
}
