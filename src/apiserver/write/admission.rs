//! Admission: what a real server's plugins that are on by default do to a new object.

use serde_json::{Value, json};

use super::{limits, metadata_mut};
use crate::api::Status;
use crate::apiserver::refusal;
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::object::{Object, ObjectRef};

/// Priorities that every cluster has.
const SYSTEM_PRIORITIES: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Puts a new object through admission.
pub(super) fn admit(server: &Server, resource: &Resource, value: &mut Value) -> Result<(), Status> {
    match (resource.gvk.group.as_str(), resource.gvk.kind.as_str()) {
        ("", "Pod") => {
            limits::set_defaults(server, value);
            tolerate_lost_nodes(value);
            set_priority(server, resource, value)?;
            follow_runtime_class(server, resource, value)
        }
        ("", "PersistentVolumeClaim") => {
            choose_storage_class(server, value);
            protect(value, "kubernetes.io/pvc-protection");
            Ok(())
        }
        ("", "PersistentVolume") => {
            protect(value, "kubernetes.io/pv-protection");
            Ok(())
        }
        ("networking.k8s.io", "Ingress") => {
            choose_ingress_class(server, value);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `DefaultTolerationSeconds`: a pod stays five minutes on a node that is lost.
fn tolerate_lost_nodes(pod: &mut Value) {
    let there = pod["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    let mut tolerations = there.clone();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = there.iter().any(|t| {
            let of_key = t["key"] == key || t.get("key").is_none_or(|k| k == "");
            let of_effect = t["effect"] == "NoExecute" || t.get("effect").is_none_or(|e| e == "");
            of_key && of_effect
        });
        if !covered {
            tolerations.push(json!({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}));
        }
    }
    pod["spec"]["tolerations"] = tolerations.into();
}

/// `Priority`: the value of the class, or of the default class, or 0.
fn set_priority(server: &Server, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let class = pod["spec"]["priorityClassName"].as_str().unwrap_or_default().to_owned();
    let (value, policy) = match priority_of(server, &class) {
        Some(found) => found,
        None => {
            let why = format!("no PriorityClass with name {class} was found");
            return Err(refusal::forbidden(resource, name_of(pod), &why, Vec::new()));
        }
    };
    if class.is_empty()
        && let Some(default) = default_class(server)
    {
        pod["spec"]["priorityClassName"] = json!(default.name());
    }
    expect_computed(resource, pod, value, &policy)?;
    pod["spec"]["priority"] = json!(value);
    pod["spec"]["preemptionPolicy"] = json!(policy);
    Ok(())
}

/// What is computed is not given.
fn expect_computed(
    resource: &Resource,
    pod: &Value,
    priority: i64,
    policy: &str,
) -> Result<(), Status> {
    let refuse = |what: String, computed: String| {
        let why = format!(
            "the {what} must not be provided in pod spec; priority admission controller computed {computed} from the given PriorityClass name"
        );
        Err(refusal::forbidden(resource, name_of(pod), &why, Vec::new()))
    };
    match (pod["spec"]["priority"].as_i64(), pod["spec"]["preemptionPolicy"].as_str()) {
        (Some(given), _) if given != priority => {
            refuse(format!("integer value of priority ({given})"), priority.to_string())
        }
        (_, Some(given)) if given != policy => {
            refuse(format!("string value of PreemptionPolicy ({given})"), policy.to_owned())
        }
        _ => Ok(()),
    }
}

/// The name of a new object, which may not have its whole name yet.
fn name_of(object: &Value) -> &str {
    let text = |field: &str| object["metadata"][field].as_str().filter(|text| !text.is_empty());
    text("name").or_else(|| text("generateName")).unwrap_or("Unknown")
}

fn priority_of(server: &Server, class: &str) -> Option<(i64, String)> {
    const PREEMPT: &str = "PreemptLowerPriority";
    if let Some((_, value)) = SYSTEM_PRIORITIES.iter().find(|(name, _)| *name == class) {
        return Some((*value, PREEMPT.into()));
    }
    let found = match class {
        "" => default_class(server).cloned(),
        name => {
            server.get(&ObjectRef::new("scheduling.k8s.io", "PriorityClass", "", name)).cloned()
        }
    };
    match (found, class) {
        (Some(found), _) => {
            let policy = match found.text("preemptionPolicy") {
                "" => PREEMPT,
                policy => policy,
            };
            Some((found.int("value").unwrap_or(0), policy.into()))
        }
        (None, "") => Some((0, PREEMPT.into())),
        (None, _) => None,
    }
}

fn default_class(server: &Server) -> Option<&Object> {
    let classes = server.objects_of("scheduling.k8s.io", "PriorityClass");
    classes.filter(|c| c.get("globalDefault") == Some(&json!(true))).min_by_key(|c| c.int("value"))
}

/// `RuntimeClass`: a pod costs beside its containers what its class says.
fn follow_runtime_class(
    server: &Server,
    resource: &Resource,
    pod: &mut Value,
) -> Result<(), Status> {
    let Some(name) = pod["spec"].get("runtimeClassName").and_then(Value::as_str) else {
        return Ok(());
    };
    if name.is_empty() {
        return Err(refusal::internal("resource name may not be empty"));
    }
    let Some(class) = runtime_class(server, name) else {
        let why = format!("pod rejected: RuntimeClass {name:?} not found");
        return Err(refusal::forbidden(resource, name_of(pod), &why, Vec::new()));
    };
    set_overhead(class, resource, pod)?;
    narrow_nodes(class, resource, pod)
}

fn set_overhead(class: &Object, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let Some(fixed) = class.get("overhead.podFixed") else { return Ok(()) };
    let given =
        pod["spec"].get("overhead").filter(|o| o.as_object().is_some_and(|o| !o.is_empty()));
    if given.is_some_and(|given| given != fixed) {
        let why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
        return Err(refusal::forbidden(resource, name_of(pod), why, Vec::new()));
    }
    pod["spec"]["overhead"] = fixed.clone();
    Ok(())
}

/// A pod goes where both its class and itself allow it.
fn narrow_nodes(class: &Object, resource: &Resource, pod: &mut Value) -> Result<(), Status> {
    let wanted = class.get("scheduling.nodeSelector").and_then(Value::as_object);
    for (key, value) in wanted.into_iter().flatten() {
        let given = &mut pod["spec"]["nodeSelector"][key];
        if !given.is_null() && given != value {
            let (wanted, given) = (text(value), text(given));
            let why = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; pod.spec.nodeSelector[{key}] = {given}"
            );
            return Err(refusal::forbidden(resource, name_of(pod), &why, Vec::new()));
        }
        *given = value.clone();
    }
    let tolerated = class.get("scheduling.tolerations").and_then(Value::as_array);
    for toleration in tolerated.into_iter().flatten() {
        let there = pod["spec"]["tolerations"].as_array_mut();
        let Some(there) = there else { continue };
        let everything = |t: &Value| *t == json!({"operator": "Exists"});
        if !there.iter().any(|t| t == toleration || everything(t)) {
            there.push(toleration.clone());
        }
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What comes after the validation of a new pod: it costs nothing of its own accord.
pub(super) fn check_overhead(
    server: &Server,
    resource: &Resource,
    value: &Value,
) -> Result<(), Status> {
    if !resource.is("", "Pod") || value["spec"].get("overhead").is_none() {
        return Ok(());
    }
    let name = value["spec"]["runtimeClassName"].as_str().unwrap_or_default();
    let costs = |class: &Object| class.get("overhead.podFixed").is_some();
    if runtime_class(server, name).is_some_and(costs) {
        return Ok(());
    }
    let why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
    Err(refusal::forbidden(resource, name_of(value), why, Vec::new()))
}

fn runtime_class<'s>(server: &'s Server, name: &str) -> Option<&'s Object> {
    server.get(&ObjectRef::new("node.k8s.io", "RuntimeClass", "", name))
}

/// `StorageObjectInUseProtection`.
fn protect(value: &mut Value, finalizer: &str) {
    let finalizers = metadata_mut(value).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|f| f == finalizer)
    {
        list.push(json!(finalizer));
    }
}

/// `DefaultStorageClass`: a claim without a class gets the newest default one.
fn choose_storage_class(server: &Server, claim: &mut Value) {
    let beta = "volume.beta.kubernetes.io/storage-class";
    let chosen = claim["spec"].get("storageClassName").is_some()
        || claim["metadata"]["annotations"].get(beta).is_some();
    let default = default_of(
        server,
        "storage.k8s.io",
        "StorageClass",
        "storageclass.kubernetes.io/is-default-class",
    );
    if let (false, Some(class)) = (chosen, default) {
        claim["spec"]["storageClassName"] = json!(class.name());
    }
}

/// `DefaultIngressClass`.
fn choose_ingress_class(server: &Server, ingress: &mut Value) {
    let old = "kubernetes.io/ingress.class";
    let chosen = ingress["spec"].get("ingressClassName").is_some()
        || ingress["metadata"]["annotations"].get(old).is_some();
    let default = default_of(
        server,
        "networking.k8s.io",
        "IngressClass",
        "ingressclass.kubernetes.io/is-default-class",
    );
    if let (false, Some(class)) = (chosen, default) {
        ingress["spec"]["ingressClassName"] = json!(class.name());
    }
}

/// The newest class that is marked as the default one.
fn default_of<'s>(server: &'s Server, group: &str, kind: &str, mark: &str) -> Option<&'s Object> {
    let marked = server.objects_of(group, kind).filter(|c| c.annotation(mark) == Some("true"));
    marked.max_by_key(|class| class.creation_timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::{ApiRequest, Caller, WriteOptions};
    use crate::apiserver::Server;
    use crate::object::Object;
    use crate::time::Timestamp;

    /// As kube-apiserver 1.36 answers.
    #[test]
    fn a_pod_costs_what_its_runtime_class_says() {
        let mut server = Server::new();
        let mut create = |object| {
            let caller = Caller::new("alice", "test/1");
            let request = ApiRequest::create(object, WriteOptions::default());
            server.handle(Timestamp::START, &caller, request)
        };
        for (name, overhead) in
            [("light", None), ("heavy", Some(json!({"podFixed": {"cpu": "1"}})))]
        {
            let mut class = Object::new("node.k8s.io/v1", "RuntimeClass", "", name);
            class.set("handler", "runc");
            if let Some(overhead) = overhead {
                class.set("overhead", overhead);
            }
            create(class).unwrap();
        }
        let mut check = |class: &str, overhead: Option<Value>, expected: Result<Value, &str>| {
            let mut pod = Object::new("v1", "Pod", "default", "");
            pod.set("metadata.generateName", "a-");
            pod.set("spec.containers", json!([{"name": "a", "image": "b"}]));
            pod.set("spec.runtimeClassName", class);
            if let Some(overhead) = overhead {
                pod.set("spec.overhead", overhead);
            }
            let answer = create(pod).map(|answer| {
                let pod = answer.into_object().expect("an object");
                pod.get("spec.overhead").cloned().unwrap_or_default()
            });
            let shown = answer.map_err(|refused| refused.message);
            match expected {
                Ok(overhead) => assert_eq!(shown, Ok(overhead)),
                Err(why) => assert!(shown.as_ref().is_err_and(|s| s.ends_with(why)), "{shown:?}"),
            }
        };
        let one = || json!({"cpu": "1"});
        check("heavy", None, Ok(one()));
        check("heavy", Some(one()), Ok(one()));
        check(
            "heavy",
            Some(json!({"cpu": "2"})),
            Err("doesn't match RuntimeClass's defined Overhead"),
        );
        check("light", None, Ok(Value::Null));
        check("light", Some(one()), Err("without corresponding RuntimeClass defined Overhead"));
        check("none", None, Err("pod rejected: RuntimeClass \"none\" not found"));
    }

    #[test]
    fn a_pod_goes_where_its_runtime_class_does() {
        let check = |given: Value, expected: Result<Value, &str>| {
            let mut class = Object::new("node.k8s.io/v1", "RuntimeClass", "", "a");
            class.set(
                "scheduling",
                json!({
                    "nodeSelector": {"k": "v"}, "tolerations": [{"key": "x", "operator": "Exists"}],
                }),
            );
            let pods = crate::apiserver::resource::Resources::builtin();
            let pods = pods.get(&crate::object::GroupVersionKind::new("v1", "Pod")).unwrap();
            let mut pod = json!({"metadata": {"name": "p"}, "spec": given});
            let answer = super::narrow_nodes(&class, pods, &mut pod).map(|()| pod["spec"].take());
            assert_eq!(answer.map_err(|refused| refused.message), expected.map_err(str::to_owned));
        };
        let x = || json!({"key": "x", "operator": "Exists"});
        let y = || json!({"key": "y", "operator": "Exists"});
        check(
            json!({"nodeSelector": {"a": "b"}, "tolerations": [y()]}),
            Ok(json!({"nodeSelector": {"a": "b", "k": "v"}, "tolerations": [y(), x()]})),
        );
        check(
            json!({"tolerations": [x()]}),
            Ok(json!({"nodeSelector": {"k": "v"}, "tolerations": [x()]})),
        );
        check(
            json!({"nodeSelector": {"k": "w"}}),
            Err(
                "pods \"p\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[k] = v; pod.spec.nodeSelector[k] = w",
            ),
        );
    }
}
