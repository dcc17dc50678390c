//! What single kinds do of their own when they are made or changed, after admission and before
//! validation (`PrepareForCreate` and `PrepareForUpdate` of their strategies).

use serde_json::{Map, Value, json};

use super::{Write, metadata_mut, services};
use crate::api::{Status, Subresource};
use crate::apiserver::{custom, schema};

/// How often a DaemonSet's template changed, from before generations.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Since when a volume is in its phase.
const PHASE_SINCE: &str = "lastPhaseTransitionTime";

impl Write<'_> {
    pub(super) fn prepare_for_create(&self, value: &mut Value) -> Result<(), Status> {
        if self.resource.has_generation() {
            metadata_mut(value).insert("generation".into(), json!(1));
        }
        self.clear_status(value);
        match (self.resource.gvk.group.as_str(), self.resource.gvk.kind.as_str()) {
            ("", "Namespace") => prepare_namespace(value),
            ("", "Pod") => {
                value["status"] = json!({"phase": "Pending", "qosClass": qos_class(value)})
            }
            ("", "PersistentVolumeClaim") => value["status"]["phase"] = json!("Pending"),
            ("", "PersistentVolume") => {
                value["status"]["phase"] = json!("Pending");
                value["status"][PHASE_SINCE] = json!(self.now.to_string());
            }
            ("", "Service") => self.allocate(None, value)?,
            ("apps", "DaemonSet") => set_annotation(value, TEMPLATE_GENERATION, "1"),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                value["status"]["storedVersions"] = custom::stored_versions(value).into();
            }
            ("batch", "Job") => select_by_uid(value),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn prepare_for_update(&self, old: &Value, value: &mut Value) -> Result<(), Status> {
        if self.subresource == Some(Subresource::Status) && self.resource.is("", "PersistentVolume")
        {
            self.note_phase(old, value);
        }
        if self.subresource.is_some() {
            return Ok(());
        }
        match (self.resource.gvk.group.as_str(), self.resource.gvk.kind.as_str()) {
            // Only the subresource `finalize` takes them off.
            ("", "Service") => {
                services::keep_allocated(old, value);
                self.allocate(Some(old), value)?;
            }
            ("apps", "DaemonSet") => count_template(old, value),
            _ => {}
        }
        Ok(())
    }

    /// A volume tells since when it is in its phase, unless somebody else says so.
    fn note_phase(&self, old: &Value, value: &mut Value) {
        let (before, after) = (&old["status"], &value["status"]);
        let (stood, given) = (before.get(PHASE_SINCE).cloned(), after.get(PHASE_SINCE).cloned());
        let since = match before["phase"] == after["phase"] {
            true => given.or(stood),
            false if given.is_none() || given == stood => Some(json!(self.now.to_string())),
            false => given,
        };
        if let Some(since) = since {
            value["status"][PHASE_SINCE] = since;
        }
    }

    /// A new object has no status but the zero of its kind, or the default that its definition gives.
    fn clear_status(&self, value: &mut Value) {
        let Some(fields) = value.as_object_mut() else { return };
        if !self.resource.status || fields.remove("status").is_none() {
            return;
        }
        if self.resource.is_custom() {
            self.default(value);
        } else {
            schema::normalize(&self.resource, value).expect("it was in normal form with a status");
        }
    }
}

fn prepare_namespace(value: &mut Value) {
    value["status"] = json!({"phase": "Active"});
    let finalizers = &mut value["spec"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|f| f == "kubernetes") => {}
        Some(list) => list.push(json!("kubernetes")),
        None => *finalizers = json!(["kubernetes"]),
    }
}

/// A Job selects its pods by its own uid, and labels them so.
fn select_by_uid(value: &mut Value) {
    if value["spec"]["manualSelector"] == true {
        return;
    }
    let uid = value["metadata"]["uid"].clone();
    let name = value["metadata"]["name"].clone();
    let template = labels_of(&value["spec"]["template"]);
    let shared = labels_of(value) == template;
    let mut labels = template.unwrap_or_default();
    for (key, label) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.into(), label.clone());
    }
    value["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] = uid;
    metadata_mut(&mut value["spec"]["template"]).insert("labels".into(), labels.clone().into());
    // Labels that the Job has from its template follow it.
    if shared {
        metadata_mut(value).insert("labels".into(), labels.into());
    }
}

fn labels_of(value: &Value) -> Option<Map<String, Value>> {
    value["metadata"].get("labels").and_then(Value::as_object).cloned()
}

/// The first of a pod's addresses has a field of its own, which stands for all that are not given.
pub(super) fn show_all_addresses(pod: &mut Value) {
    for (one, all) in [("podIP", "podIPs"), ("hostIP", "hostIPs")] {
        let Some(ip) = pod["status"].get(one).filter(|ip| *ip != "").cloned() else { continue };
        if pod["status"][all][0]["ip"] != ip {
            pod["status"][all] = json!([{"ip": ip}]);
        }
    }
}

/// Every DaemonSet that is read has the annotation.
pub(super) fn show_template_generation(value: &mut Value) {
    if value["metadata"]["annotations"].get(TEMPLATE_GENERATION).is_none() {
        set_annotation(value, TEMPLATE_GENERATION, "0");
    }
}

/// A DaemonSet counts changes of its template in an annotation, for clients of long ago.
fn count_template(old: &Value, value: &mut Value) {
    let before = old["metadata"]["annotations"][TEMPLATE_GENERATION].as_str().unwrap_or("0");
    let changed = old["spec"]["template"] != value["spec"]["template"];
    let count = before.parse::<i64>().unwrap_or(0) + i64::from(changed);
    set_annotation(value, TEMPLATE_GENERATION, &count.to_string());
}

pub(super) fn set_annotation(value: &mut Value, key: &str, text: &str) {
    metadata_mut(value).entry("annotations").or_insert_with(|| json!({}))[key] = json!(text);
}

/// How a pod stands when its node runs out of memory, from the resources of its containers.
/// (`k8s.io/kubernetes/pkg/apis/core/v1/helper/qos`.)
fn qos_class(pod: &Value) -> &'static str {
    let spec = &pod["spec"];
    let lists = ["containers", "initContainers"];
    let containers: Vec<&Value> =
        lists.iter().filter_map(|list| spec[list].as_array()).flatten().collect();
    let amount = |container: &Value, field: &str, resource: &str| {
        container["resources"][field][resource].as_str().map(str::to_owned)
    };
    let resources = ["cpu", "memory"];
    let mentioned = containers.iter().any(|container| {
        resources.iter().any(|resource| {
            amount(container, "requests", resource).is_some()
                || amount(container, "limits", resource).is_some()
        })
    });
    let guaranteed = containers.iter().all(|container| {
        resources.iter().all(|resource| {
            let limit = amount(container, "limits", resource);
            let request = amount(container, "requests", resource);
            limit.is_some() && (request.is_none() || request == limit)
        })
    });
    match (mentioned, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quality_of_service_follows_from_requests_and_limits() {
        let check = |resources: Value, class: &str| {
            let pod = json!({"spec": {"containers": [{"resources": resources}]}});
            assert_eq!(qos_class(&pod), class);
        };
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(json!({"limits": {"cpu": "1"}}), "Burstable");
        check(json!({"limits": {"cpu": "1", "memory": "1Gi"}}), "Guaranteed");
        check(
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}),
            "Burstable",
        );
    }

    #[test]
    fn a_job_selects_by_its_uid() {
        let mut job =
            json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"template": {"metadata": {}}}});
        select_by_uid(&mut job);
        assert_eq!(
            job["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"],
            "u"
        );
        assert_eq!(job["metadata"]["labels"]["job-name"], "a");
    }
}
