//! Volumes, claims and classes of storage.

use serde_json::json;

use super::pod::amount;
use super::report::{Node, Report};
use super::{immutable, print};

/// A volume has one source, and a name of its own.
pub(super) fn volume(volume: &Node, report: &mut Report) {
    let mut sources = volume.keys().filter(|field| *field != "name");
    if sources.next().is_none() {
        report.required(volume, "must specify a volume type");
    }
    for more in sources {
        report.forbidden(&volume.at(more), "may not specify more than 1 volume type");
    }
    let name = volume.at("name");
    let Some(list) = volume.above() else { return };
    let earlier = list.items().take(volume.index().unwrap_or(0));
    if earlier.map(|other| other.at("name").text()).any(|other| other == name.text()) {
        report.duplicate(&name);
    }
}

/// A mount names a volume of the pod, and a path of its own.
pub(super) fn mount(mount: &Node, report: &mut Report) {
    let name = mount.at("name");
    if name.is_zero() {
        report.required(&name, "");
    }
    let Some(list) = mount.above() else { return };
    let Some(container) = list.above() else { return };
    if !has_volume(container, name.text()) {
        report.not_found(&name);
    }
    let path = mount.at("mountPath");
    let earlier = list.items().take(mount.index().unwrap_or(0));
    if earlier.map(|other| other.at("mountPath").text()).any(|other| other == path.text()) {
        report.invalid(&path, "must be unique");
    }
    for field in ["subPath", "subPathExpr"] {
        let text = mount.at(field);
        let place = list.at(field);
        if text.text().starts_with('/') {
            report.invalid_value(&place, text.value, "must be a relative path");
        }
        if text.text().split('/').any(|part| part == "..") {
            report.invalid_value(&place, text.value, "must not contain '..'");
        }
    }
}

/// Whether the pod of a container has a volume of this name, its own or by a StatefulSet's claims.
fn has_volume(container: &Node, name: &str) -> bool {
    let Some(pod) = container.above().and_then(Node::above) else { return false };
    let volumes = pod.at("volumes");
    if volumes.items().any(|volume| volume.at("name").text() == name) {
        return true;
    }
    let Some(set) = pod.above().and_then(Node::above) else { return false };
    let claims = set.at("volumeClaimTemplates");
    claims.items().any(|claim| claim.at("metadata").at("name").text() == name)
}

/// A claim says how much it wants, and how it is used.
pub(super) fn claim(spec: &Node, report: &mut Report) {
    access_modes(&spec.at("accessModes"), report);
    let resources = spec.at("resources");
    let requests = resources.at("requests");
    let storage = requests.key("storage");
    let place = resources.key("storage");
    match amount(&storage) {
        None => report.required(&place, ""),
        Some(wanted) if wanted.milli_value() <= 0 => {
            report.invalid_value(&place, storage.value, "must be greater than zero")
        }
        Some(_) => {}
    }
}

/// How a volume may be mounted.
pub(super) fn access_modes(modes: &Node, report: &mut Report) {
    const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
    let all: Vec<&str> = modes.items().map(|mode| mode.text()).collect();
    for mode in modes.items().filter(|mode| !MODES.contains(&mode.text())) {
        report.unsupported_value(modes, mode.value, &MODES);
    }
    if all.contains(&"ReadWriteOncePod") && all.len() > 1 {
        report.forbidden(modes, "may not use ReadWriteOncePod with other access modes");
    }
}

/// A volume has a size, and nothing else is measured of it.
pub(super) fn capacity(capacity: &Node, report: &mut Report) {
    if !capacity.keys().eq(["storage"]) {
        report.unsupported(capacity, &["storage"]);
    }
    for name in capacity.keys() {
        let size = capacity.key(name);
        let Some(milli) = amount(&size).map(|size| size.milli_value()) else { continue };
        if milli < 0 {
            // As Go rounds: away from zero.
            let whole = i64::try_from((milli - 999) / 1000).unwrap_or(i64::MIN);
            report.invalid_value(&size, &json!(whole), "must be a valid resource quantity");
        }
        if milli <= 0 {
            report.invalid(&size, "must be greater than zero");
        }
    }
}

/// What a PersistentVolume may be, in the order in which a server looks.
const SOURCES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

/// Whether a volume is something else already.
pub(super) fn is_second_source(spec: &Node, field: &str) -> bool {
    let place = SOURCES.iter().position(|source| *source == field).unwrap_or(0);
    SOURCES[..place].iter().any(|source| spec.at(source).is_set())
}

/// A PersistentVolume is one thing; looked at when all it may be has been.
pub(super) fn one_source(claim: &Node, report: &mut Report) {
    let Some(spec) = claim.above() else { return };
    let mut given = SOURCES.iter().filter(|source| spec.at(source).is_set());
    if given.next().is_none() {
        report.required(spec, "must specify a volume type");
    }
    for more in given {
        report.forbidden(&spec.at(more), "may not specify more than 1 volume type");
    }
}

/// A claim stays as it was made; once bound it may ask for more.
pub(super) fn claim_change(new: &Node, old: &Node, report: &mut Report) {
    let (spec, old_spec) = (new.at("spec"), old.at("spec"));
    let bound = new.at("status").at("phase").text() == "Bound";
    let mut munged = spec.value.clone();
    let mut allowed = old_spec.value.clone();
    if old_spec.at("volumeName").is_zero() {
        match spec.value.get("volumeName") {
            Some(name) => allowed["volumeName"] = name.clone(),
            None => drop(allowed.as_object_mut().map(|fields| fields.remove("volumeName"))),
        }
    }
    // A class that was not known before may be given later, once.
    if let (None, Some(class)) =
        (allowed.get("storageClassName"), spec.value.get("storageClassName"))
    {
        allowed["storageClassName"] = class.clone();
    }
    if bound {
        if let Some(storage) = old_spec.value.pointer("/resources/requests/storage") {
            munged["resources"]["requests"]["storage"] = storage.clone();
        }
        match old_spec.value.get("volumeAttributesClassName") {
            Some(class) => munged["volumeAttributesClassName"] = class.clone(),
            None => drop(munged.as_object_mut().map(|f| f.remove("volumeAttributesClassName"))),
        }
    }
    if munged != allowed {
        let difference = print::difference("PersistentVolumeClaimSpec", &allowed, &munged);
        report.forbidden(&spec, format!("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n{difference}"));
    }
    check_not_smaller(&spec, &old_spec, old, report);
    if spec.value.get("volumeMode") != old_spec.value.get("volumeMode") {
        let place = new.at("volumeMode");
        let mode = spec.value.get("volumeMode").cloned().unwrap_or(json!(null));
        report.invalid_value(&place, &mode, "field is immutable");
    }
}

fn check_not_smaller(spec: &Node, old_spec: &Node, old: &Node, report: &mut Report) {
    let resources = spec.at("resources");
    let requests = resources.at("requests");
    let wanted = requests.at("storage");
    let (old_resources, status) = (old_spec.at("resources"), old.at("status"));
    let (old_requests, capacity) = (old_resources.at("requests"), status.at("capacity"));
    let held = capacity.at("storage");
    // What is not there has no size.
    let size = |node: &Node| amount(node).map_or(0, |size| size.milli_value());
    let new = size(&wanted);
    if new < size(&old_requests.at("storage")) && new <= size(&held) {
        report.forbidden(&wanted, "field can not be less than status.capacity");
    }
}

/// The source of a volume stays as it was made.
pub(super) fn volume_change(new: &Node, old: &Node, report: &mut Report) {
    const FREE: [&str; 9] = [
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    ];
    let (spec, old) = (new.at("spec"), old.at("spec"));
    let mut sources = spec.keys().chain(old.keys()).filter(|field| !FREE.contains(field));
    if sources.any(|field| spec.value.get(field) != old.value.get(field)) {
        report.forbidden(
            &spec.at("persistentvolumesource"),
            "spec.persistentvolumesource is immutable after creation",
        );
    }
    immutable(&spec.at("volumeMode"), &old.at("volumeMode"), report);
}

/// A class stays as it was made, but for whether volumes may grow.
pub(super) fn storage_class_change(new: &Node, old: &Node, report: &mut Report) {
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        immutable(&new.at(field), &old.at(field), report);
    }
}
