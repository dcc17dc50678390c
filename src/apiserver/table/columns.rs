//! The columns of `kubectl get`, as the API server's table printers fill them.

use serde_json::Value;

use crate::object::Object;
use crate::time::{Duration, Timestamp};

/// The titles of a kind's columns; those that only `-o wide` shows come after `/`.
pub(crate) fn titles(group: &str, kind: &str) -> &'static str {
    match (group, kind) {
        ("", "Pod") => "NAME|READY|STATUS|RESTARTS|AGE/IP|NODE|NOMINATED NODE|READINESS GATES",
        ("apps", "Deployment") => "NAME|READY|UP-TO-DATE|AVAILABLE|AGE/CONTAINERS|IMAGES|SELECTOR",
        ("apps", "ReplicaSet") => "NAME|DESIRED|CURRENT|READY|AGE/CONTAINERS|IMAGES|SELECTOR",
        ("apps", "StatefulSet") => "NAME|READY|AGE/CONTAINERS|IMAGES",
        ("apps", "DaemonSet") => {
            "NAME|DESIRED|CURRENT|READY|UP-TO-DATE|AVAILABLE|NODE SELECTOR|AGE/CONTAINERS|IMAGES|SELECTOR"
        }
        ("batch", "Job") => "NAME|STATUS|COMPLETIONS|DURATION|AGE/CONTAINERS|IMAGES|SELECTOR",
        ("batch", "CronJob") => {
            "NAME|SCHEDULE|TIMEZONE|SUSPEND|ACTIVE|LAST SCHEDULE|AGE/CONTAINERS|IMAGES|SELECTOR"
        }
        ("", "Service") => "NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE/SELECTOR",
        ("", "Namespace") => "NAME|STATUS|AGE",
        ("", "Node") => "NAME|STATUS|ROLES|AGE|VERSION",
        ("", "ConfigMap") => "NAME|DATA|AGE",
        ("", "Secret") => "NAME|TYPE|DATA|AGE",
        ("", "Event") => "LAST SEEN|TYPE|REASON|OBJECT|MESSAGE",
        ("", "PersistentVolumeClaim") => {
            "NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|AGE"
        }
        ("autoscaling", "HorizontalPodAutoscaler") => {
            "NAME|REFERENCE|TARGETS|MINPODS|MAXPODS|REPLICAS|AGE"
        }
        ("networking.k8s.io", "Ingress") => "NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE",
        ("apiextensions.k8s.io", "CustomResourceDefinition") => "NAME|CREATED AT",
        ("discovery.k8s.io", "EndpointSlice") => "NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE",
        _ => "NAME|AGE",
    }
}

/// What an object shows in the columns of its kind, the wide ones last.
pub(crate) fn cells(object: &Object, now: Timestamp) -> Vec<String> {
    let name = object.name().to_owned();
    let age = age(object.creation_timestamp(), now);
    let int = |path: &str| object.int(path).unwrap_or(0).to_string();
    let wide = || vec![containers(object, "name"), containers(object, "image"), selector(object)];
    let of = |parts: [Vec<String>; 2]| parts.concat();
    match (object.gvk().group.as_str(), object.kind()) {
        ("", "Pod") => pod(object, age),
        ("apps", "Deployment") => of([
            vec![
                name,
                ready(object),
                int("status.updatedReplicas"),
                int("status.availableReplicas"),
                age,
            ],
            wide(),
        ]),
        ("apps", "ReplicaSet") => of([
            vec![
                name,
                int("spec.replicas"),
                int("status.replicas"),
                int("status.readyReplicas"),
                age,
            ],
            wide(),
        ]),
        ("apps", "StatefulSet") => of([vec![name, ready(object), age], wide()]),
        ("apps", "DaemonSet") => of([
            vec![
                name,
                int("status.desiredNumberScheduled"),
                int("status.currentNumberScheduled"),
                int("status.numberReady"),
                int("status.updatedNumberScheduled"),
                int("status.numberAvailable"),
                pairs(object.get("spec.template.spec.nodeSelector")),
                age,
            ],
            wide(),
        ]),
        ("batch", "Job") => of([job(object, age, now), wide()]),
        ("batch", "CronJob") => of([cron_job(object, age, now), wide()]),
        ("", "Service") => service(object, age),
        ("", "Namespace") => vec![name, object.text("status.phase").into(), age],
        ("", "Node") => node(object, age),
        ("", "ConfigMap") => {
            let keys = length(object.get("data")) + length(object.get("binaryData"));
            vec![name, keys.to_string(), age]
        }
        ("", "Secret") => {
            vec![name, object.text("type").into(), length(object.get("data")).to_string(), age]
        }
        ("", "Event") => event(object, now),
        ("", "PersistentVolumeClaim") => claim(object, age),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(object, age),
        ("networking.k8s.io", "Ingress") => ingress(object, age),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            vec![name, object.text("metadata.creationTimestamp").into()]
        }
        ("discovery.k8s.io", "EndpointSlice") => slice(object, age),
        _ => vec![name, age],
    }
}

/// How a pod is, in the word that `kubectl get pods` shows.
pub(crate) fn pod_status(pod: &Object) -> String {
    let statuses = |path: &str| {
        pod.get(path).and_then(Value::as_array).into_iter().flatten().collect::<Vec<_>>()
    };
    let reason = |status: &Value, state: &str| {
        let reason = status.get("state")?.get(state)?.get("reason")?.as_str()?;
        Some(reason.to_owned())
    };
    let mut word = match pod.text("status.reason") {
        "" => pod.text("status.phase").to_owned(),
        reason => reason.to_owned(),
    };
    for status in statuses("status.containerStatuses") {
        if let Some(reason) = reason(status, "waiting").or_else(|| reason(status, "terminated")) {
            word = reason;
        }
    }
    for (i, status) in statuses("status.initContainerStatuses").into_iter().enumerate() {
        if let Some(reason) = reason(status, "waiting").filter(|r| r != "PodInitializing") {
            word = format!("Init:{reason}");
        } else if status.pointer("/state/running").is_some() {
            let all = length(pod.get("spec.initContainers"));
            word = format!("Init:{i}/{all}");
        }
    }
    if pod.is_deleting() && !matches!(word.as_str(), "Completed" | "Error" | "Succeeded" | "Failed")
    {
        word =
            if pod.text("status.reason") == "NodeLost" { "Unknown" } else { "Terminating" }.into();
    }
    word
}

fn pod(pod: &Object, age: String) -> Vec<String> {
    let statuses: Vec<&Value> = pod
        .get("status.containerStatuses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let is_ready = |status: &&&Value| status.get("ready") == Some(&Value::Bool(true));
    let ready = statuses.iter().filter(is_ready).count();
    let restarts: i64 =
        statuses.iter().filter_map(|status| status.get("restartCount")?.as_i64()).sum();
    vec![
        pod.name().into(),
        format!("{ready}/{}", length(pod.get("spec.containers"))),
        pod_status(pod),
        restarts.to_string(),
        age,
        or_none(pod.text("status.podIP")),
        or_none(pod.text("spec.nodeName")),
        "<none>".into(),
        "<none>".into(),
    ]
}

/// `2/3` pods.
fn ready(object: &Object) -> String {
    let int = |path: &str| object.int(path).unwrap_or(0);
    format!("{}/{}", int("status.readyReplicas"), int("spec.replicas"))
}

fn job(job: &Object, age: String, now: Timestamp) -> Vec<String> {
    let is = |kind: &str| {
        let conditions = job.get("status.conditions").and_then(Value::as_array);
        conditions.into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True")
    };
    let word = ["Complete", "Failed", "Suspended"].into_iter().find(|kind| is(kind));
    let wanted = job.int("spec.completions").unwrap_or(1);
    let done = job.int("status.succeeded").unwrap_or(0);
    let started = job.text("status.startTime").parse::<Timestamp>().ok();
    let ended = job.text("status.completionTime").parse::<Timestamp>().unwrap_or(now);
    let took = started.map(|started| human(ended.since(started))).unwrap_or_default();
    vec![job.name().into(), word.unwrap_or("Running").into(), format!("{done}/{wanted}"), took, age]
}

fn cron_job(job: &Object, age: String, now: Timestamp) -> Vec<String> {
    let last = job.text("status.lastScheduleTime").parse::<Timestamp>().ok();
    let suspended = job.get("spec.suspend") == Some(&Value::Bool(true));
    vec![
        job.name().into(),
        job.text("spec.schedule").into(),
        or_none(job.text("spec.timeZone")),
        if suspended { "True" } else { "False" }.into(),
        length(job.get("status.active")).to_string(),
        last.map_or("<none>".into(), |last| human(now.since(last))),
        age,
    ]
}

fn service(service: &Object, age: String) -> Vec<String> {
    let kind = service.text("spec.type");
    let ingress = service.text("status.loadBalancer.ingress.0.ip");
    let external = match kind {
        "LoadBalancer" if ingress.is_empty() => "<pending>".into(),
        "LoadBalancer" => ingress.to_owned(),
        "ExternalName" => service.text("spec.externalName").to_owned(),
        _ => "<none>".into(),
    };
    let ports = service.get("spec.ports").and_then(Value::as_array).into_iter().flatten();
    let port = |port: &Value| {
        let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
        match port.get("nodePort").and_then(Value::as_i64) {
            Some(node) if node > 0 => format!("{}:{node}/{protocol}", port["port"]),
            _ => format!("{}/{protocol}", port["port"]),
        }
    };
    let ports = ports.map(port).collect::<Vec<_>>().join(",");
    vec![
        service.name().into(),
        kind.into(),
        or_none(service.text("spec.clusterIP")),
        external,
        or_none(&ports),
        age,
        pairs(service.get("spec.selector")),
    ]
}

fn node(node: &Object, age: String) -> Vec<String> {
    let conditions = node.get("status.conditions").and_then(Value::as_array);
    let ready = conditions.into_iter().flatten().find(|c| c["type"] == "Ready");
    let mut status = match ready.map(|c| c["status"] == "True") {
        Some(true) => "Ready",
        Some(false) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.get("spec.unschedulable") == Some(&Value::Bool(true)) {
        status.push_str(",SchedulingDisabled");
    }
    let role = "node-role.kubernetes.io/";
    let labels = node.labels();
    let roles: Vec<&str> = labels.keys().filter_map(|label| label.strip_prefix(role)).collect();
    let version = node.text("status.nodeInfo.kubeletVersion").to_owned();
    vec![node.name().into(), status, or_none(&roles.join(",")), age, version]
}

fn event(event: &Object, now: Timestamp) -> Vec<String> {
    let seen = ["lastTimestamp", "eventTime", "metadata.creationTimestamp"]
        .into_iter()
        .find_map(|path| event.text(path).parse::<Timestamp>().ok());
    let about = |field: &str| event.text(&format!("involvedObject.{field}")).to_owned();
    vec![
        age(seen, now),
        event.text("type").into(),
        event.text("reason").into(),
        format!("{}/{}", about("kind").to_lowercase(), about("name")),
        event.text("message").trim().into(),
    ]
}

fn claim(claim: &Object, age: String) -> Vec<String> {
    let modes = claim.get("status.accessModes").or_else(|| claim.get("spec.accessModes"));
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        _ => "RWOP",
    };
    let modes = modes.and_then(Value::as_array).into_iter().flatten().map(short);
    vec![
        claim.name().into(),
        claim.text("status.phase").into(),
        claim.text("spec.volumeName").into(),
        claim.text("status.capacity.storage").into(),
        modes.collect::<Vec<_>>().join(","),
        claim.text("spec.storageClassName").into(),
        age,
    ]
}

fn autoscaler(scaler: &Object, age: String) -> Vec<String> {
    let metrics = scaler.get("spec.metrics").and_then(Value::as_array).into_iter().flatten();
    let current = scaler.get("status.currentMetrics").and_then(Value::as_array);
    let target = |(i, metric): (usize, &Value)| {
        let name = metric.pointer("/resource/name").and_then(Value::as_str).unwrap_or("?");
        let now = current.and_then(|all| all.get(i));
        let share = "averageUtilization";
        let now = now.and_then(|m| m.pointer(&format!("/resource/current/{share}"))?.as_i64());
        let wanted = metric.pointer(&format!("/resource/target/{share}")).and_then(Value::as_i64);
        let text = |share: Option<i64>| share.map_or("<unknown>".into(), |s| format!("{s}%"));
        format!("{name}: {}/{}", text(now), text(wanted))
    };
    let targets: Vec<String> = metrics.enumerate().map(target).collect();
    let int = |path: &str| object_int(scaler, path);
    vec![
        scaler.name().into(),
        format!(
            "{}/{}",
            scaler.text("spec.scaleTargetRef.kind"),
            scaler.text("spec.scaleTargetRef.name")
        ),
        or_none(&targets.join(", ")),
        scaler.int("spec.minReplicas").unwrap_or(1).to_string(),
        int("spec.maxReplicas"),
        int("status.currentReplicas"),
        age,
    ]
}

fn object_int(object: &Object, path: &str) -> String {
    object.int(path).unwrap_or(0).to_string()
}

fn ingress(ingress: &Object, age: String) -> Vec<String> {
    let rules = ingress.get("spec.rules").and_then(Value::as_array).into_iter().flatten();
    let hosts: Vec<&str> = rules.filter_map(|rule| rule.get("host")?.as_str()).collect();
    let hosts = if hosts.is_empty() { "*".into() } else { hosts.join(",") };
    let ports = if ingress.get("spec.tls").is_some() { "80, 443" } else { "80" };
    vec![
        ingress.name().into(),
        or_none(ingress.text("spec.ingressClassName")),
        hosts,
        ingress.text("status.loadBalancer.ingress.0.ip").into(),
        ports.into(),
        age,
    ]
}

fn slice(slice: &Object, age: String) -> Vec<String> {
    let list = |path: &str| slice.get(path).and_then(Value::as_array).into_iter().flatten();
    let ports: Vec<String> = list("ports").map(|port| port["port"].to_string()).collect();
    let addresses: Vec<&str> = list("endpoints")
        .flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let shown = match addresses.len() {
        0..=3 => addresses.join(","),
        n => format!("{} + {} more...", addresses[..3].join(","), n - 3),
    };
    let unset = |text: String| if text.is_empty() { "<unset>".into() } else { text };
    vec![
        slice.name().into(),
        slice.text("addressType").into(),
        unset(ports.join(",")),
        unset(shown),
        age,
    ]
}

fn containers(object: &Object, field: &str) -> String {
    let containers = object.get("spec.template.spec.containers").and_then(Value::as_array);
    let texts = containers.into_iter().flatten().filter_map(|c| c.get(field)?.as_str());
    texts.collect::<Vec<_>>().join(",")
}

fn selector(object: &Object) -> String {
    pairs(object.get("spec.selector.matchLabels"))
}

/// `a=1,b=2`, or `<none>`.
pub(crate) fn pairs(map: Option<&Value>) -> String {
    let fields = map.and_then(Value::as_object).into_iter().flatten();
    let pairs = fields.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
    or_none(&pairs.collect::<Vec<_>>().join(","))
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn length(value: Option<&Value>) -> usize {
    match value {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(fields)) => fields.len(),
        _ => 0,
    }
}

fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or("<unknown>".into(), |since| human(now.since(since)))
}

/// A span as kubectl prints it (`k8s.io/apimachinery/pkg/util/duration`, `HumanDuration`).
pub(crate) fn human(span: Duration) -> String {
    let secs = span.as_secs();
    let (minutes, hours, days) = (secs / 60, secs / 3600, secs / 86_400);
    let two = |whole: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{small}"),
    };
    match secs {
        0..120 => format!("{secs}s"),
        120..600 => two(minutes, "m", secs % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_are_told_as_kubectl_tells_them() {
        let check = |secs: u64, expected: &str| {
            assert_eq!(human(Duration::from_secs(secs)), expected, "{secs}");
        };
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(125, "2m5s");
        check(601, "10m");
        check(3 * 3600, "3h");
        check(3 * 3600 + 120, "3h2m");
        check(9 * 3600, "9h");
        check(49 * 3600, "2d1h");
        check(9 * 86_400, "9d");
    }

    #[test]
    fn a_pod_is_what_its_containers_are() {
        let pod = |status: Value| {
            let mut pod = Object::new("v1", "Pod", "a", "b");
            pod.set("status", status);
            pod_status(&pod)
        };
        assert_eq!(pod(json!({"phase": "Pending"})), "Pending");
        let waiting = |reason: &str| json!({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": reason}}}]});
        assert_eq!(pod(waiting("ImagePullBackOff")), "ImagePullBackOff");
        let done = json!({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]});
        assert_eq!(pod(done), "Completed");
        let init = json!({"phase": "Pending", "initContainerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]});
        assert_eq!(pod(init), "Init:ErrImagePull");
        let mut leaving = Object::new("v1", "Pod", "a", "b");
        leaving.set("status.phase", "Running");
        leaving.set("metadata.deletionTimestamp", "2026-01-01T00:00:00Z");
        assert_eq!(pod_status(&leaving), "Terminating");
    }
}
