//! Stages: what others need is applied, and waited for, before the rest is even tried.
//!
//! Source: `ApplyAllStaged` of `fluxcd/pkg/ssa`. Within a stage everything is dry-run before anything is
//! applied; a stage that fails leaves earlier stages applied.

use super::order;
use crate::object::Object;

/// One stage: its objects in the order they are applied, and whether it is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    /// What it is, in a word.
    pub name: &'static str,
    /// Its objects, in apply order.
    pub objects: Vec<Object>,
    /// Whether its objects must be healthy before the next stage begins.
    pub wait: bool,
}

/// A kind of a group, whatever version: what `--custom-apply-stage-kinds` lists.
pub type GroupKind = (String, String);

/// Splits objects into stages: definitions (CustomResourceDefinition, Namespace, ClusterRole), kinds
/// whose name ends in `Class`, the `custom` kinds, and the rest. Empty stages are left out.
pub fn stages(objects: Vec<Object>, custom: &[GroupKind]) -> Vec<Stage> {
    let mut found =
        [("definitions", true), ("classes", true), ("custom", false), ("resources", false)]
            .map(|(name, wait)| Stage { name, objects: Vec::new(), wait });
    for object in objects {
        found[place(&object, custom)].objects.push(object);
    }
    found.into_iter().filter(|stage| !stage.objects.is_empty()).map(sorted).collect()
}

fn place(object: &Object, custom: &[GroupKind]) -> usize {
    let gvk = object.gvk();
    if is_definition(object) {
        0
    } else if gvk.kind.ends_with("Class") {
        1
    } else if custom.iter().any(|(group, kind)| *group == gvk.group && *kind == gvk.kind) {
        2
    } else {
        3
    }
}

fn is_definition(object: &Object) -> bool {
    let (api, kind) = (object.api_version(), object.kind().to_ascii_lowercase());
    match kind.as_str() {
        "customresourcedefinition" => api.starts_with("apiextensions.k8s.io/"),
        "namespace" => api == "v1",
        "clusterrole" => api.starts_with("rbac.authorization.k8s.io/"),
        _ => false,
    }
}

fn sorted(mut stage: Stage) -> Stage {
    order::sort(&mut stage.objects);
    stage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_and_classes_come_in_waited_stages_of_their_own() {
        let objects = vec![
            Object::new("apps/v1", "Deployment", "a", "d"),
            Object::new("storage.k8s.io/v1", "StorageClass", "", "s"),
            Object::new("v1", "Namespace", "", "a"),
            Object::new("rbac.authorization.k8s.io/v1", "Role", "a", "r"),
            Object::new("rbac.authorization.k8s.io/v1", "ClusterRole", "", "c"),
        ];
        let custom = [("rbac.authorization.k8s.io".to_owned(), "Role".to_owned())];
        let found: Vec<_> = stages(objects, &custom)
            .into_iter()
            .map(|s| {
                (
                    s.name,
                    s.wait,
                    s.objects.iter().map(|o| o.kind().to_owned()).collect::<Vec<_>>().join(" "),
                )
            })
            .collect();
        let wanted = [
            ("definitions", true, "Namespace ClusterRole".to_owned()),
            ("classes", true, "StorageClass".into()),
            ("custom", false, "Role".into()),
            ("resources", false, "Deployment".into()),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn nothing_makes_no_stage() {
        assert_eq!(stages(Vec::new(), &[]), []);
    }
}
