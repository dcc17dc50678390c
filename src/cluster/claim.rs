//! Which objects belong to a workload: those it controls and selects; orphans that it selects are
//! adopted, those it no longer selects are let go (`k8s.io/kubernetes/pkg/controller.ControllerRefManager`).

use serde_json::json;

use super::writes::Act;
use crate::api::{ApiRequest, Patch, WriteOptions};
use crate::object::{LabelSelector, Object, OwnerReference};

/// What a look at the candidates found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    /// Controlled and selected.
    pub(super) mine: Vec<Object>,
    adopt: Vec<Object>,
    release: Vec<Object>,
}

impl Claim {
    /// Sorts the candidates, all in the owner's namespace.
    pub(super) fn new(
        owner: &Object,
        selector: &LabelSelector,
        candidates: impl IntoIterator<Item = Object>,
    ) -> Self {
        let mut claim = Claim::default();
        for candidate in candidates {
            match (candidate.controller(), selector.matches(&candidate)) {
                (Some(controller), selected) if controller.uid == owner.uid() => match selected {
                    true => claim.mine.push(candidate),
                    false if owner.is_deleting() || candidate.is_deleting() => {}
                    false => claim.release.push(candidate),
                },
                (None, true) if !owner.is_deleting() && !candidate.is_deleting() => {
                    claim.adopt.push(candidate);
                }
                _ => {}
            }
        }
        claim
    }

    /// What makes the claim true; nothing when it is.
    pub(super) fn acts(&self, owner: &Object) -> Vec<Act> {
        let mut acts = Vec::new();
        if !self.adopt.is_empty() {
            acts.push(Act::verify(owner));
        }
        acts.extend(self.adopt.iter().map(|orphan| adopt(owner, orphan)));
        acts.extend(self.release.iter().map(|leaving| release(owner, leaving)));
        acts
    }
}

/// The selector of a workload, `spec.selector`; nothing without one.
pub(super) fn selector(owner: &Object) -> LabelSelector {
    match owner.get("spec.selector") {
        Some(value) => LabelSelector::from_value(value),
        None => nothing(),
    }
}

fn nothing() -> LabelSelector {
    let never = crate::object::Requirement::In(String::new(), Vec::new());
    LabelSelector { requirements: vec![never] }
}

fn adopt(owner: &Object, orphan: &Object) -> Act {
    let reference = OwnerReference::controller_of(owner).to_value();
    change_owners(orphan, json!([reference]))
}

fn release(owner: &Object, leaving: &Object) -> Act {
    change_owners(leaving, json!([{"$patch": "delete", "uid": owner.uid()}]))
}

fn change_owners(object: &Object, references: serde_json::Value) -> Act {
    let patch = json!({"metadata": {"uid": object.uid(), "ownerReferences": references}});
    Act::needed(ApiRequest::patch(
        &object.gvk(),
        object.namespace(),
        object.name(),
        Patch::Strategic(patch),
        WriteOptions::default(),
    ))
}
