//! `scale`, `patch`, `set`, `label`, `annotate`, `autoscale`, `cordon`, `drain`.

use serde_json::{Map, Value, json};

use super::ask::{Asking, Found, options};
use super::{DryRun, MetaField, Pairs, PatchType, Targets};
use crate::api::{ApiRequest, DeleteOptions, Patch, Status, Subresource};
use crate::object::{FieldSelector, GroupVersionKind, LabelSelector, Object};

impl Asking<'_> {
    pub(super) fn scale(&mut self, targets: &Targets, replicas: i64, current: Option<i64>) {
        for found in self.find(targets) {
            let name = found.kind.name(found.object.name());
            let now = found.object.int("spec.replicas");
            if let Some(expected) = current.filter(|expected| now != Some(*expected)) {
                let now = now.unwrap_or(0);
                self.out.error(format!("error: Expected replicas to be {expected}, was {now}"));
                continue;
            }
            let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
            let request = found.patch(patch, options("", DryRun::No)).to(Subresource::Scale);
            match self.ask(request) {
                Ok(_) => self.out.line(format!("{name} scaled")),
                Err(status) => self.refused(&status),
            }
        }
    }

    pub(super) fn patch(
        &mut self,
        targets: &Targets,
        body: &Value,
        kind: PatchType,
        subresource: Option<&str>,
        dry_run: DryRun,
    ) {
        for found in self.find(targets) {
            let patch = match kind {
                PatchType::Strategic => Patch::Strategic(body.clone()),
                PatchType::Merge => Patch::Merge(body.clone()),
                PatchType::Json => Patch::Json(body.clone()),
            };
            let mut request = found.patch(patch, options("kubectl-patch", dry_run));
            if let Some(name) = subresource {
                request = request.to(named_subresource(name));
            }
            self.change(&found, request, dry_run, |_| "patched".into(), "patched (no change)");
        }
    }

    pub(super) fn set_image(&mut self, targets: &Targets, images: &Pairs) {
        for found in self.find(targets) {
            let Some(path) = pod_spec_path(&found.object) else {
                self.out.error(format!(
                    "error: {} has no pod template",
                    found.kind.name(found.object.name())
                ));
                continue;
            };
            match image_patch(&found.object, path, images) {
                Ok(body) => {
                    let request =
                        found.patch(Patch::Strategic(body), options("kubectl-set", DryRun::No));
                    self.change(&found, request, DryRun::No, |_| "image updated".into(), "");
                }
                Err(message) => self.out.error(message),
            }
        }
    }

    pub(super) fn set_env(
        &mut self,
        targets: &Targets,
        container: Option<&str>,
        variables: &Pairs,
    ) {
        for found in self.find(targets) {
            let Some(path) = pod_spec_path(&found.object) else { continue };
            let names = container_names(&found.object, path, "containers");
            let meant = names.iter().filter(|name| container.is_none_or(|c| c == **name));
            let containers: Vec<Value> =
                meant.map(|name| json!({"name": name, "env": env_patch(variables)})).collect();
            if containers.is_empty() {
                let wanted = container.unwrap_or_default();
                self.out.error(format!("error: unable to find container named {wanted:?}"));
                continue;
            }
            let body = at_path(path, json!({"containers": containers}));
            let request = found.patch(Patch::Strategic(body), options("kubectl-set", DryRun::No));
            self.change(&found, request, DryRun::No, |_| "env updated".into(), "");
        }
    }

    pub(super) fn metadata(
        &mut self,
        targets: &Targets,
        field: MetaField,
        changes: &Pairs,
        overwrite: bool,
    ) {
        let (map, manager) = match field {
            MetaField::Labels => ("labels", "kubectl-label"),
            MetaField::Annotations => ("annotations", "kubectl-annotate"),
        };
        for found in self.find(targets) {
            let there = |key: &str| found.object.at(&["metadata", map, key]);
            let taken = changes.iter().find(|(key, value)| {
                value.is_some()
                    && there(key).is_some_and(|old| Some(old.as_str()) != Some(value.as_deref()))
            });
            if let Some((key, _)) = taken.filter(|_| !overwrite) {
                let old = there(key).and_then(Value::as_str).unwrap_or_default();
                self.out.error(format!(
                    "error: '{key}' already has a value ({old}), and --overwrite is false"
                ));
                continue;
            }
            let body: Map<String, Value> =
                changes.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            let patch = Patch::Merge(json!({"metadata": {(map): body}}));
            let request = found.patch(patch, options(manager, DryRun::No));
            let only_removes = changes.iter().all(|(_, value)| value.is_none());
            let (done, not) = match (field, only_removes) {
                (MetaField::Labels, true) => ("unlabeled", "not labeled"),
                (MetaField::Labels, false) => ("labeled", "not labeled"),
                (MetaField::Annotations, _) => ("annotated", "annotated"),
            };
            self.change(&found, request, DryRun::No, |_| done.into(), not);
        }
    }

    /// Sends a change and prints what was done, or the other word when nothing changed.
    fn change(
        &mut self,
        found: &Found,
        request: ApiRequest,
        dry_run: DryRun,
        done: impl FnOnce(&Object) -> String,
        unchanged: &str,
    ) {
        if dry_run == DryRun::Client {
            let name = found.kind.name(found.object.name());
            return self.out.line(format!("{name} {}{}", done(&found.object), dry_run.suffix()));
        }
        match self.ask_object(request) {
            Ok(after) => {
                let same = after.resource_version() == found.object.resource_version();
                let word = if same { unchanged.to_owned() } else { done(&after) };
                let name = found.kind.name(found.object.name());
                if !word.is_empty() {
                    self.out.line(format!("{name} {word}{}", dry_run.suffix()));
                }
            }
            Err(status) => self.refused(&status),
        }
    }

    pub(super) fn autoscale(
        &mut self,
        targets: &Targets,
        (min, max): (Option<i64>, i64),
        cpu: Option<i64>,
        name: Option<&str>,
    ) {
        for found in self.find(targets) {
            let name = name.unwrap_or(found.object.name());
            let mut scaler =
                Object::new("autoscaling/v2", "HorizontalPodAutoscaler", &self.namespace, name);
            scaler.set(
                "spec.scaleTargetRef",
                json!({
                    "apiVersion": found.object.api_version(), "kind": found.object.kind(),
                    "name": found.object.name(),
                }),
            );
            scaler.set("spec.maxReplicas", max);
            if let Some(min) = min {
                scaler.set("spec.minReplicas", min);
            }
            if let Some(share) = cpu {
                let target = json!({"type": "Utilization", "averageUtilization": share});
                let metric =
                    json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
                scaler.set("spec.metrics", json!([metric]));
            }
            let request = ApiRequest::create(scaler, options("kubectl-autoscale", DryRun::No));
            match self.ask_object(request) {
                Ok(_) => {
                    self.out.line(format!("horizontalpodautoscaler.autoscaling/{name} autoscaled"))
                }
                Err(status) => self.refused(&status),
            }
        }
    }

    pub(super) fn cordon(&mut self, nodes: &[String], unschedulable: bool) {
        for name in nodes {
            self.cordon_one(name, unschedulable);
        }
    }

    fn cordon_one(&mut self, name: &str, unschedulable: bool) {
        let word = if unschedulable { "cordoned" } else { "uncordoned" };
        match self.ask_object(ApiRequest::get(&node_kind(), "", name)) {
            Err(status) => self.refused(&status),
            Ok(node) if (node.get("spec.unschedulable") == Some(&json!(true))) == unschedulable => {
                self.out.line(format!("node/{name} already {word}"));
            }
            Ok(_) => {
                let value = if unschedulable { json!(true) } else { Value::Null };
                let patch = Patch::Strategic(json!({"spec": {"unschedulable": value}}));
                let request =
                    ApiRequest::patch(&node_kind(), "", name, patch, options("", DryRun::No));
                match self.ask(request) {
                    Ok(_) => self.out.line(format!("node/{name} {word}")),
                    Err(status) => self.refused(&status),
                }
            }
        }
    }

    /// Cordons nodes and evicts their pods; the evicted are returned, to be waited for.
    pub(super) fn drain(
        &mut self,
        nodes: &[String],
        ignore_daemonsets: bool,
        force: bool,
    ) -> Vec<Object> {
        let mut evicted = Vec::new();
        for name in nodes {
            self.cordon_one(name, true);
            let Ok(pods) = self.pods_on(name) else { continue };
            if let Some(message) = undrainable(name, &pods, ignore_daemonsets, force) {
                self.out.error(message);
                continue;
            }
            for pod in pods.into_iter().filter(|pod| owner_kind(pod) != "DaemonSet") {
                self.out.line(format!("evicting pod {}/{}", pod.namespace(), pod.name()));
                let request = ApiRequest::delete(
                    &pod.gvk(),
                    pod.namespace(),
                    pod.name(),
                    DeleteOptions::default(),
                );
                match self.ask(request) {
                    Ok(_) => evicted.push(pod),
                    Err(status) => self.refused(&status),
                }
            }
        }
        evicted
    }

    fn pods_on(&mut self, node: &str) -> Result<Vec<Object>, Status> {
        let pods = GroupVersionKind::new("v1", "Pod");
        let fields = FieldSelector { terms: vec![("spec.nodeName".into(), node.into(), true)] };
        let mut request = ApiRequest::list(&pods, "", LabelSelector::everything());
        if let crate::api::Verb::List(options) = &mut request.verb {
            options.fields = fields;
        }
        Ok(self.ask(request)?.into_list().unwrap_or_default().items)
    }
}

impl Found {
    pub(super) fn patch(&self, patch: Patch, options: crate::api::WriteOptions) -> ApiRequest {
        let (namespace, name) = (self.object.namespace(), self.object.name());
        ApiRequest::patch(&self.kind.gvk, namespace, name, patch, options)
    }
}

fn node_kind() -> GroupVersionKind {
    GroupVersionKind::new("v1", "Node")
}

fn owner_kind(pod: &Object) -> String {
    pod.controller().map(|owner| owner.kind).unwrap_or_default()
}

/// Why a node cannot be drained, as kubectl says it.
fn undrainable(
    node: &str,
    pods: &[Object],
    ignore_daemonsets: bool,
    force: bool,
) -> Option<String> {
    let of = |kind: &str| pods.iter().any(|pod| owner_kind(pod) == kind);
    let why = if of("DaemonSet") && !ignore_daemonsets {
        "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
    } else if of("") && !force {
        "cannot delete Pods that declare no controller (use --force to override)"
    } else {
        return None;
    };
    Some(format!("error: unable to drain node {node:?} due to error: {why}, continuing command..."))
}

fn named_subresource(name: &str) -> Subresource {
    match name {
        "status" => Subresource::Status,
        "scale" => Subresource::Scale,
        other => Subresource::Other(other.into()),
    }
}

/// Where an object keeps the spec of its pods.
pub(super) fn pod_spec_path(object: &Object) -> Option<&'static [&'static str]> {
    const PATHS: [&[&str]; 3] = [
        &["spec", "template", "spec"],
        &["spec", "jobTemplate", "spec", "template", "spec"],
        &["spec"],
    ];
    PATHS.into_iter().find(|path| object.at(path).and_then(|spec| spec.get("containers")).is_some())
}

fn container_names(object: &Object, path: &[&str], list: &str) -> Vec<String> {
    let containers = object.at(path).and_then(|spec| spec.get(list)?.as_array());
    let names = containers.into_iter().flatten().filter_map(|c| c.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

fn image_patch(object: &Object, path: &[&str], images: &Pairs) -> Result<Value, String> {
    let mut lists = Map::new();
    let mut known = Vec::new();
    for list in ["containers", "initContainers"] {
        let names = container_names(object, path, list);
        let mut items = Vec::new();
        for (wanted, image) in images {
            let matching = names.iter().filter(|name| wanted == "*" || *name == wanted);
            items.extend(matching.map(|name| json!({"name": name, "image": image})));
        }
        known.extend(names);
        if !items.is_empty() {
            lists.insert(list.into(), Value::Array(items));
        }
    }
    match images.iter().find(|(wanted, _)| wanted != "*" && !known.contains(wanted)) {
        Some((wanted, _)) => Err(format!("error: unable to find container named {wanted:?}")),
        None => Ok(at_path(path, Value::Object(lists))),
    }
}

fn env_patch(variables: &Pairs) -> Vec<Value> {
    let entry = |(name, value): &(String, Option<String>)| match value {
        Some(value) => json!({"name": name, "value": value}),
        None => json!({"name": name, "$patch": "delete"}),
    };
    variables.iter().map(entry).collect()
}

fn at_path(path: &[&str], value: Value) -> Value {
    path.iter().rev().fold(value, |value, step| json!({(*step): value}))
}
