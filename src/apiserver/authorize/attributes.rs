//! What somebody wants to do.

use serde_json::Value;

use super::items;
use crate::api::{ApiRequest, Reason, Status, StatusDetails, Verb};
use crate::apiserver::resource::Resource;

/// What somebody wants to do, as rules speak of it (`authorizer.Attributes`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::apiserver) struct Attributes {
    pub verb: String,
    pub target: Target,
}

/// With what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::apiserver) enum Target {
    Resource(ResourceTarget),
    /// A path that leads to no resource, such as `/version`.
    Path(String),
}

/// A resource, or a subresource of it; one object of it, if it has a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::apiserver) struct ResourceTarget {
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    pub name: String,
}

impl Attributes {
    pub(super) fn of(resource: &Resource, request: &ApiRequest) -> Self {
        // A namespace counts as in itself.
        let namespace = match resource.is("", "Namespace") {
            true => &request.name,
            false => &request.namespace,
        };
        let target = ResourceTarget {
            group: resource.gvk.group.clone(),
            resource: resource.plural.clone(),
            subresource: request.subresource.as_ref().map_or("", |s| s.name()).into(),
            namespace: namespace.clone(),
            name: named(request).into(),
        };
        Attributes { verb: request.verb.name().into(), target: Target::Resource(target) }
    }

    /// What the `spec` of an access review asks about.
    pub(in crate::apiserver) fn of_review(spec: &Value) -> Self {
        let resource = &spec["resourceAttributes"];
        let asked = if resource.is_object() { resource } else { &spec["nonResourceAttributes"] };
        let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
        let target = match resource.is_object() {
            false => Target::Path(text("path")),
            true => Target::Resource(ResourceTarget {
                group: text("group"),
                resource: text("resource"),
                subresource: text("subresource"),
                namespace: text("namespace"),
                name: text("name"),
            }),
        };
        Attributes { verb: text("verb"), target }
    }

    pub(super) fn namespace(&self) -> &str {
        match &self.target {
            Target::Resource(resource) => &resource.namespace,
            Target::Path(_) => "",
        }
    }

    /// Whether a rule allows it.
    pub(super) fn fits(&self, rule: &Value) -> bool {
        let verb = items(rule.get("verbs")).any(|verb| verb == "*" || verb == &*self.verb);
        verb && match &self.target {
            Target::Resource(resource) => resource.fits(rule),
            Target::Path(path) => items(rule.get("nonResourceURLs"))
                .filter_map(Value::as_str)
                .any(|url| covers(url, path)),
        }
    }

    /// The refusal of it to a user; `why` may say more. (`responsewriters.ForbiddenStatusError`.)
    pub(super) fn refusal(&self, user: &str, why: &str) -> Status {
        let (of, what, details) = match &self.target {
            Target::Path(path) => {
                (String::new(), format!("path {path:?}"), StatusDetails::default())
            }
            Target::Resource(resource) => {
                (resource.shown(), resource.described(), resource.details())
            }
        };
        let denied = format!("User {user:?} cannot {} {what}", self.verb);
        let denied = denied.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        let message = format!("{of}forbidden: {denied}{why}");
        Status::failure_about(Reason::Forbidden, message, details)
    }
}

impl ResourceTarget {
    /// The resource with the subresource behind a slash.
    fn path(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            below => format!("{}/{below}", self.resource),
        }
    }

    fn fits(&self, rule: &Value) -> bool {
        let has = |field: &str, wanted: &str| {
            items(rule.get(field)).any(|value| value == "*" || value == wanted)
        };
        let any_below =
            || !self.subresource.is_empty() && has("resources", &format!("*/{}", self.subresource));
        let names = rule.get("resourceNames").and_then(Value::as_array);
        let named =
            names.is_none_or(|names| names.is_empty() || names.iter().any(|n| n == &*self.name));
        named && has("apiGroups", &self.group) && (has("resources", &self.path()) || any_below())
    }

    /// `deployments.apps "web" is `.
    fn shown(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let name = if self.name.is_empty() { String::new() } else { format!(" {:?}", self.name) };
        format!("{}{group}{name} is ", self.resource)
    }

    fn described(&self) -> String {
        let place = match self.namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        format!("resource {:?} in API group {:?} {place}", self.path(), self.group)
    }

    fn details(&self) -> StatusDetails {
        StatusDetails {
            name: self.name.clone(),
            group: self.group.clone(),
            kind: self.resource.clone(),
            ..StatusDetails::default()
        }
    }
}

/// Whether a URL of a rule, which may end in `*`, has another.
pub(super) fn covers(rule: &str, url: &str) -> bool {
    rule == url || rule.strip_suffix('*').is_some_and(|prefix| url.starts_with(prefix))
}

/// The name that a request is about; a list of one object, by `metadata.name`, is about that.
fn named(request: &ApiRequest) -> &str {
    match &request.verb {
        Verb::List(options) | Verb::Watch(options, _) | Verb::DeleteCollection(options, _) => {
            let mut terms = options.fields.terms.iter();
            let one = terms.find(|(field, _, equal)| field == "metadata.name" && *equal);
            one.map_or(&request.name, |(_, name, _)| name)
        }
        _ => &request.name,
    }
}
