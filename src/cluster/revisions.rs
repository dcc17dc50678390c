//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had
//! (`k8s.io/kubernetes/pkg/controller/history`).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fnv::{fnv1_32, safe_encode};
use super::writes::Act;
use super::{kinds, pods};
use crate::api::ApiRequest;
use crate::object::{Object, OwnerReference};

/// The revisions of one workload, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct History(Vec<Object>);

/// Where the revision of the current template comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Newest {
    /// It is the newest already.
    Known(Object),
    /// It was one before and becomes the newest again.
    Renewed(Object),
    /// It is to be made.
    New(Object),
}

/// The request for the cached revisions of a namespace.
pub(super) fn cached(namespace: &str) -> ApiRequest {
    ApiRequest::list_all_cached(&kinds::controller_revision(), namespace)
}

/// What a revision keeps of a workload: a patch that puts its template back.
fn data(owner: &Object) -> Value {
    let mut template = owner.get("spec.template").cloned().unwrap_or_else(|| json!({}));
    template["$patch"] = "replace".into();
    json!({"spec": {"template": template}})
}

/// The hash in the name of a StatefulSet's revision, over the data as Go writes JSON.
pub(super) fn hash_of_data(owner: &Object, collisions: i64) -> String {
    let mut text = data(owner).to_string();
    for (sign, escaped) in [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026")] {
        text = text.replace(sign, escaped);
    }
    safe_encode(&fnv1_32(format!("{text}{collisions}").as_bytes()).to_string())
}

/// The template that a revision keeps.
pub(super) fn template(revision: &Object) -> Value {
    let mut template = revision.get("data.spec.template").cloned().unwrap_or_default();
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

impl History {
    /// The revisions that a workload controls.
    pub(super) fn of(owner: &Object, mut candidates: Vec<Object>) -> Self {
        candidates.retain(|revision| pods::is_controlled_by(revision, owner));
        candidates.sort_by_key(|revision| (number(revision), revision.name().to_owned()));
        History(candidates)
    }

    /// The revision of the workload's current template. `hash` goes into its name and, under `label`,
    /// onto it.
    pub(super) fn newest(&self, owner: &Object, label: &str, hash: &str) -> Newest {
        let wanted = data(owner);
        let same = |revision: &&Object| revision.get("data") == Some(&wanted);
        let next = self.0.last().map_or(0, number) + 1;
        if let Some(last) = self.0.last().filter(same) {
            return Newest::Known(last.clone());
        }
        match self.0.iter().rev().find(same) {
            Some(earlier) => {
                let mut renewed = earlier.clone();
                renewed.set("revision", next);
                Newest::Renewed(renewed)
            }
            None => Newest::New(revision(owner, wanted, label, hash, next)),
        }
    }

    /// The revision of a name.
    pub(super) fn named(&self, name: &str) -> Option<&Object> {
        self.0.iter().find(|revision| revision.name() == name)
    }

    /// The oldest revisions beyond the limit that are not in use.
    pub(super) fn surplus(&self, limit: i64, in_use: &BTreeSet<&str>) -> Vec<Act> {
        let idle: Vec<&Object> =
            self.0.iter().filter(|revision| !in_use.contains(revision.name())).collect();
        let surplus = idle.len().saturating_sub(limit.max(0) as usize);
        idle.into_iter().take(surplus).map(Act::delete).collect()
    }
}

impl Newest {
    pub(super) fn revision(&self) -> &Object {
        match self {
            Newest::Known(revision) | Newest::Renewed(revision) | Newest::New(revision) => revision,
        }
    }

    /// What makes it so.
    pub(super) fn act(&self) -> Option<Act> {
        match self {
            Newest::Known(_) => None,
            Newest::Renewed(revision) => Some(Act::update(revision.clone())),
            Newest::New(revision) => Some(Act::create(revision.clone())),
        }
    }
}

fn number(revision: &Object) -> i64 {
    revision.int("revision").unwrap_or(0)
}

fn revision(owner: &Object, data: Value, label: &str, hash: &str, number: i64) -> Object {
    let name = format!("{}-{hash}", owner.name());
    let mut revision = Object::new("apps/v1", "ControllerRevision", owner.namespace(), &name);
    for (path, field) in
        [("spec.template.metadata.labels", "labels"), ("metadata.annotations", "annotations")]
    {
        if let Some(value) = owner.get(path) {
            revision.set_at(&["metadata", field], value.clone());
        }
    }
    revision.set_label(label, hash);
    let reference = OwnerReference::controller_of(owner).to_value();
    revision.set("metadata.ownerReferences", json!([reference]));
    revision.set("data", data);
    revision.set("revision", number);
    revision
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As kube-controller-manager 1.36 names the revision of this StatefulSet.
    #[test]
    fn the_name_of_a_revision_is_the_one_that_kubernetes_gives() {
        let mut set = Object::new("apps/v1", "StatefulSet", "a", "ss");
        set.set("spec.template", json!({
            "metadata": {"labels": {"app": "ss"}},
            "spec": {
                "containers": [{"image": "x", "imagePullPolicy": "Always", "name": "a", "resources": {}, "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
                "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
                "securityContext": {}, "terminationGracePeriodSeconds": 30,
            },
        }));
        assert_eq!(hash_of_data(&set, 0), "545649cf78");
    }
}
