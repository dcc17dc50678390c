//! Admission webhooks: who is asked before a write is kept, and what they answer.
//!
//! The objects in the store decide *when* somebody is asked, as in a real cluster: rules, selectors,
//! failure and reinvocation policies of `MutatingWebhookConfiguration`s and
//! `ValidatingWebhookConfiguration`s. *Who* answers is part of the model: a [`Webhook`] is a named actor
//! behind a service or a URL, and what it does is data. Where a configuration leads to nobody, the
//! call fails as a real one does.
//!
//! What a mutating webhook sets is managed by nobody: the API server notes field managers before it
//! asks webhooks. (So does kube-apiserver 1.36; `tests/conformance/webhooks.jsonl` has the record.)
//!
//! Not modelled: `matchConditions` are not evaluated, they count as met; `sideEffects` and a dry run make
//! no difference, for actors have no side effects; a call takes no time; a certificate is not looked at.
//! `ValidatingAdmissionPolicy` and `MutatingAdmissionPolicy` are not served.
//!
//! ```
//! use driftlab::api::{ApiRequest, Caller, WriteOptions};
//! use driftlab::apiserver::{Server, webhook::Webhook};
//! use driftlab::object::Object;
//! use driftlab::time::Timestamp;
//! use serde_json::json;
//!
//! let mut server = Server::new();
//! let alice = Caller::new("alice", "kubectl/v1.36");
//! server.add_webhook(serde_json::from_value::<Webhook>(json!({
//!     "name": "labeller",
//!     "url": "https://labeller.example.com/mutate",
//!     "does": [{"set": {"field": "metadata.labels.team", "to": "payments"}}],
//! })).unwrap());
//! let mut configuration = Object::new(
//!     "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "", "labeller");
//! configuration.set("webhooks", json!([{
//!     "name": "labeller.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
//!     "clientConfig": {"url": "https://labeller.example.com/mutate"},
//!     "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}],
//! }]));
//! server.handle(Timestamp::START, &alice, ApiRequest::create(configuration, WriteOptions::default())).unwrap();
//! let settings = Object::new("v1", "ConfigMap", "default", "settings");
//! let made = server.handle(Timestamp::START, &alice, ApiRequest::create(settings, WriteOptions::default()));
//! assert_eq!(made.unwrap().into_object().unwrap().label("team"), Some("payments"));
//! ```

mod act;
mod field;
mod hook;
mod reach;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use act::{Act, Condition, Effect};
pub(super) use act::{Answer, Changed, Review};
pub(super) use hook::{Asked, Hook, Webhooks};
pub(super) use reach::reach;

/// Somebody who answers admission reviews: a sidecar injector, a policy engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Webhook {
    /// Its name, in faults and in a report.
    pub name: String,
    /// Where a configuration finds it.
    pub address: Address,
    /// What it does with what it is asked about, one after the other; a denial ends it.
    pub does: Vec<Act>,
}

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Behind a service: `clientConfig.service`. The Service must be there, and when it selects pods, one
    /// of them must be ready.
    Service {
        /// The service's namespace.
        namespace: String,
        /// The service's name.
        name: String,
        /// The path at which it answers; empty: at any.
        path: String,
    },
    /// At a URL: `clientConfig.url`.
    Url(String),
}

/// A webhook as it is written: `service: mesh/injector` and `path: /inject`, or `url:`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    service: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    url: String,
    does: Vec<Act>,
}

impl TryFrom<Written> for Webhook {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, service, path, url, does } = written;
        let address = match (service.split_once('/'), &*url) {
            (Some((namespace, name)), "") if !namespace.is_empty() && !name.is_empty() => {
                Address::Service { namespace: namespace.into(), name: name.into(), path }
            }
            (None, url) if service.is_empty() && url.starts_with("https://") => {
                Address::Url(url.into())
            }
            _ => {
                return Err(
                    "no address, expected `service: NAMESPACE/NAME` or `url: https://…`".into()
                );
            }
        };
        Ok(Webhook { name, address, does })
    }
}

impl From<Webhook> for Written {
    fn from(webhook: Webhook) -> Self {
        let (service, path, url) = match webhook.address {
            Address::Service { namespace, name, path } => {
                (format!("{namespace}/{name}"), path, String::new())
            }
            Address::Url(url) => (String::new(), String::new(), url),
        };
        Written { name: webhook.name, service, path, url, does: webhook.does }
    }
}

/// The webhooks of a cluster, and which of them are down. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Actors {
    all: Arc<Vec<Webhook>>,
    down: Arc<BTreeSet<String>>,
}

impl Actors {
    /// Adds one, in place of one of that name.
    pub(super) fn add(&mut self, webhook: Webhook) {
        let all = Arc::make_mut(&mut self.all);
        all.retain(|other| other.name != webhook.name);
        all.push(webhook);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Webhook> {
        self.all.iter()
    }

    /// Has one refuse connections, or take them again; an empty name means all.
    pub(super) fn set_down(&mut self, name: &str, down: bool) {
        let names: Vec<String> =
            self.iter().map(|w| w.name.clone()).filter(|n| name.is_empty() || n == name).collect();
        let set = Arc::make_mut(&mut self.down);
        for name in names {
            if down {
                set.insert(name)
            } else {
                set.remove(&name)
            };
        }
    }

    fn is_down(&self, webhook: &Webhook) -> bool {
        self.down.contains(&webhook.name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_webhook_is_read_as_it_is_written() {
        let check = |text: &str, expected: Result<(), &str>| {
            let read = serde_json::from_str::<Webhook>(text);
            match expected {
                Ok(()) => {
                    let written = serde_json::to_value(read.unwrap()).unwrap();
                    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
                }
                Err(why) => {
                    let error = read.unwrap_err().to_string();
                    assert!(error.contains(why), "{error}");
                }
            }
        };
        check(
            r#"{"name":"a","service":"mesh/injector","path":"/inject","does":[{"set":{"field":"spec.a","to":1}}]}"#,
            Ok(()),
        );
        check(
            r#"{"name":"a","url":"https://a/b","does":[{"when":{"field":"spec.replicas","above":3},"deny":{"message":"no"}}]}"#,
            Ok(()),
        );
        check(r#"{"name":"a","does":[]}"#, Err("no address, expected `service: NAMESPACE/NAME`"));
        check(r#"{"service":"mesh","does":[]}"#, Err("no address"));
        check(r#"{"service":"m/i","url":"https://a","does":[]}"#, Err("no address"));
        check(r#"{"url":"https://a","does":[{"st":{}}]}"#, Err("unknown variant `st`"));
        check(r#"{"url":"https://a","does":[{"when":{}}]}"#, Err("one effect"));
        check(r#"{"url":"https://a","does":[{"warn":"a","hang":{}}]}"#, Err("one effect"));
    }
}
