//! Resource quotas (admission plugin `ResourceQuota`): what there is no room for is refused, and the
//! rest is charged at once, not when the controller next counts.
//!
//! Source: `k8s.io/apiserver/pkg/admission/plugin/resourcequota`.

use serde_json::{Map, Value};

use super::Write;
use crate::api::{ApiRequest, Caller, Status, Subresource, WriteOptions};
use crate::apiserver::bootstrap::SERVER_USER;
use crate::apiserver::refusal;
use crate::object::{Object, Quantity};
use crate::quota::{Amounts, add, amounts, is_in_scope, is_used_by, missing, told, usage};

impl Write<'_> {
    /// The quotas that a new object, or a new state of one, uses, with what is used of them then.
    pub(super) fn charged_quotas(
        &self,
        old: Option<&Object>,
        new: &Value,
    ) -> Result<Vec<Object>, Status> {
        let resource = self.resource.resource();
        let quotas = self.server.objects_of("", "ResourceQuota");
        let mut quotas = quotas.filter(|quota| quota.namespace() == self.namespace).peekable();
        if !self.resource.namespaced || quotas.peek().is_none() || resource.starts_with("events") {
            return Ok(Vec::new());
        }
        let new = &super::object(new.clone());
        let concerned: Vec<&Object> = quotas.filter(|q| concerns(q, &resource, new)).collect();
        let refuse = |why: String| refusal::forbidden(&self.resource, new.name(), &why, Vec::new());
        for quota in &concerned {
            expect_told(quota, &resource, new).map_err(refuse)?;
        }
        let more = more_used(&resource, old, new);
        let charged = concerned.into_iter().filter_map(|quota| charge(quota, &more).transpose());
        charged.collect::<Result<_, _>>().map_err(refuse)
    }

    /// Writes what is used of quotas, as the server itself does.
    pub(super) fn charge(&mut self, quotas: Vec<Object>) -> Result<(), Status> {
        if self.dry_run {
            return Ok(());
        }
        for quota in quotas {
            let mut request = ApiRequest::update(quota, WriteOptions::default());
            request.subresource = Some(Subresource::Status);
            let mut server = Caller::new(SERVER_USER, "kube-apiserver");
            server.groups.push("system:masters".into());
            self.server.handle(self.now, &server, request)?;
        }
        Ok(())
    }
}

/// Whether a quota counts an object: its controller has taken up a limit of what the object uses.
fn concerns(quota: &Object, resource: &str, object: &Object) -> bool {
    let hard = quota.get("status.hard").and_then(Value::as_object);
    hard.into_iter().flatten().any(|(name, _)| is_used_by(name, resource))
        && is_in_scope(quota, resource, object)
}

/// The object must say what it asks for of what is limited, and the quota what is used of it.
fn expect_told(quota: &Object, resource: &str, object: &Object) -> Result<(), String> {
    let [hard, used] = ["status.hard", "status.used"].map(|path| amounts(quota.get(path)));
    let limited = || hard.keys().filter(|name| is_used_by(name, resource));
    if resource == "pods" {
        let missing = missing(limited(), object);
        if !missing.is_empty() {
            return Err(format!("failed quota: {}: must specify {missing}", quota.name()));
        }
    }
    if limited().any(|name| !used.contains_key(name)) {
        let names: Vec<&str> = limited().map(String::as_str).collect();
        let names = names.join(",");
        return Err(format!("status unknown for quota: {}, resources: {names}", quota.name()));
    }
    Ok(())
}

/// What is used more than before.
fn more_used(resource: &str, old: Option<&Object>, new: &Object) -> Amounts {
    let before = old.map(|old| usage(resource, old)).unwrap_or_default();
    let more = usage(resource, new).into_iter().map(|(name, amount)| {
        let before = before.get(&name).copied().unwrap_or_default();
        (name, amount - before)
    });
    more.filter(|(_, amount)| *amount > Quantity::default()).collect()
}

/// The quota with more used of it; `None` when none of it is.
fn charge(quota: &Object, more: &Amounts) -> Result<Option<Object>, String> {
    let [hard, mut used] = ["status.hard", "status.used"].map(|path| amounts(quota.get(path)));
    let requested: Amounts = more
        .iter()
        .filter(|(name, _)| hard.contains_key(*name))
        .map(|(n, a)| (n.clone(), *a))
        .collect();
    if requested.is_empty() {
        return Ok(None);
    }
    let before = used.clone();
    add(&mut used, &requested);
    let exceeded = |name: &String| requested.contains_key(name) && used[name] > hard[name];
    let over = |all: &Amounts| {
        let over = all.iter().filter(|(name, _)| exceeded(name));
        told(&over.map(|(name, amount)| (name.clone(), *amount)).collect())
    };
    if requested.keys().any(exceeded) {
        return Err(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            quota.name(),
            over(&requested),
            over(&before),
            over(&hard)
        ));
    }
    let mut quota = quota.clone();
    let used: Map<String, Value> =
        used.into_iter().map(|(name, amount)| (name, amount.to_string().into())).collect();
    quota.set("status.used", used);
    Ok(Some(quota))
}
