//! Admission: what the server's plugins add to an object before it is checked and stored. No field
//! manager owns what they add.

use serde_json::{Value, json};

use super::{Write, text};

/// How long a pod stays on a node that is not ready or not reachable, unless it says otherwise.
const TOLERATED_SECONDS: i64 = 300;
const TOLERATED: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// The priorities that need no PriorityClass.
const SYSTEM: [(&str, i64); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

impl Write<'_> {
    /// The plugins that add something to a pod that is being made.
    pub(super) fn admit_pod(&self, pod: &mut Value) {
        if self.resource.is("", "Pod") && pod["spec"].is_object() {
            tolerate(&mut pod["spec"]);
            self.prioritise(&mut pod["spec"]);
        }
    }

    /// Plugin `Priority`: the number behind the name of a PriorityClass.
    fn prioritise(&self, spec: &mut Value) {
        let name = text(spec, "priorityClassName").to_owned();
        let mut classes = self.server.objects_of("scheduling.k8s.io", "PriorityClass");
        let class = classes.find(|class| match name.as_str() {
            "" => class.get("globalDefault") == Some(&Value::Bool(true)),
            name => class.name() == name,
        });
        let system = SYSTEM.iter().find(|(system, _)| *system == name).map(|(_, value)| *value);
        let value = class.and_then(|class| class.int("value")).or(system).unwrap_or(0);
        let policy = class.map_or("", |class| class.text("preemptionPolicy"));
        if let Some(class) = class.filter(|_| name.is_empty()) {
            spec["priorityClassName"] = class.name().into();
        }
        spec["priority"] = value.into();
        if spec.get("preemptionPolicy").is_none() {
            let policy = if policy.is_empty() { "PreemptLowerPriority" } else { policy };
            spec["preemptionPolicy"] = policy.into();
        }
    }
}

/// Plugin `DefaultTolerationSeconds`.
fn tolerate(spec: &mut Value) {
    if !spec["tolerations"].is_array() {
        spec["tolerations"] = json!([]);
    }
    let Some(tolerations) = spec["tolerations"].as_array_mut() else { return };
    for key in TOLERATED {
        let covers = |t: &Value| {
            matches!(text(t, "effect"), "" | "NoExecute") && [key, ""].contains(&text(t, "key"))
        };
        if !tolerations.iter().any(covers) {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATED_SECONDS}));
        }
    }
}
