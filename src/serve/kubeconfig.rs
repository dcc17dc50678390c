//! How kubectl finds the model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::apiserver::{Users, base64};
use crate::manifest::yaml;

/// A kubeconfig that leads to `url`: the context `driftlab` for `admin`, and a context `NAME@driftlab` for
/// every user who has a token. Where `admin` has none, the first of the others is current.
///
/// `authority` is the certificate, as PEM, by which the server is known; empty when it is none of its own
/// making. Without users the context is `admin`'s, who needs no token.
pub fn kubeconfig(url: &str, authority: &str, users: &Users) -> String {
    let mut cluster = json!({ "server": url });
    if !authority.is_empty() {
        cluster["certificate-authority-data"] = json!(base64::encode(authority.as_bytes()));
    }
    let tokens: BTreeMap<&str, Value> =
        users.iter().map(|(token, user)| (user.user.as_str(), json!({ "token": token }))).collect();
    let tokens = if tokens.is_empty() { BTreeMap::from([(ADMIN, json!({}))]) } else { tokens };
    let current =
        if tokens.contains_key(ADMIN) { Some(ADMIN) } else { tokens.keys().next().copied() };
    let context = |user: &str| json!({"name": context(user), "context": {"cluster": "driftlab", "user": user}});
    yaml::to_string(&json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "driftlab", "cluster": cluster}],
        "contexts": tokens.keys().map(|user| context(user)).collect::<Vec<_>>(),
        "current-context": current.map(self::context),
        "users": tokens.iter().map(|(name, user)| json!({"name": name, "user": user})).collect::<Vec<_>>(),
    }))
}

const ADMIN: &str = "admin";

/// The name of a user's context.
fn context(user: &str) -> String {
    if user == ADMIN { "driftlab".into() } else { format!("{user}@driftlab") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_a_context_and_one_is_current() {
        let check = |users: &str, current: &str, contexts: usize| {
            let text = kubeconfig("http://x", "", &users.parse().unwrap());
            assert!(text.contains(&format!("current-context: {current}\n")), "{text}");
            assert_eq!(text.matches("context:\n").count(), contexts, "{text}");
        };
        check("", "driftlab", 1);
        check("t,admin,1\nu,alice,2", "driftlab", 2);
        check("t,bob,1\nu,alice,2", "alice@driftlab", 2);
    }
}
