//! CustomResourceDefinitions.

use super::report::{Node, Report};
use super::{immutable, names};

/// The name is made of the names within; one version is stored.
pub(super) fn definition(definition: &Node, report: &mut Report) {
    let spec = definition.at("spec");
    let (group, names) = (spec.at("group"), spec.at("names"));
    let plural = names.at("plural");
    let metadata = definition.at("metadata");
    let name = metadata.at("name");
    let wanted = format!("{}.{}", plural.text(), group.text());
    if !name.is_zero() && name.text() != wanted {
        report.invalid(&name, "must be spec.names.plural+\".\"+spec.group");
    }
    check_names(&names, report);
    check_versions(&spec.at("versions"), report);
}

fn check_names(names: &Node, report: &mut Report) {
    for field in ["plural", "singular", "kind", "listKind"] {
        let name = names.at(field);
        if name.is_zero() {
            report.required(&name, "");
            continue;
        }
        // Kinds are compared in lower case: they make names of resources.
        for problem in self::names::dns_label(&name.text().to_ascii_lowercase()) {
            report.invalid(&name, problem);
        }
    }
}

fn check_versions(versions: &Node, report: &mut Report) {
    let stored = versions.items().filter(|version| version.at("storage").is_true()).count();
    if stored != 1 {
        report.invalid(versions, "must have exactly one version marked as storage version");
    }
    for version in versions.items() {
        let schema = version.at("schema");
        let root = schema.at("openAPIV3Schema");
        if !root.is_set() {
            report.required(&root, "schemas are required");
        } else if root.at("type").text() != "object" {
            let kind = root.at("type");
            match kind.is_zero() {
                true => report.required(&kind, "must not be empty at the root"),
                false => report.invalid(&kind, "must be object at the root"),
            }
        }
    }
}

pub(super) fn timeout(seconds: &Node, report: &mut Report) {
    if seconds.int().is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        report.invalid(seconds, "the timeout value must be between 1 and 30 seconds");
    }
}

/// The forms of reviews that a webhook reads: one at least is known.
pub(super) fn review_versions(versions: &Node, report: &mut Report) {
    let all: Vec<&str> = versions.items().map(|version| version.text()).collect();
    let mut sound = true;
    for (version, place) in all.iter().zip(versions.items()) {
        let problems = names::dns_1035_label(version);
        let twice = all[..place.index().unwrap_or(0)].contains(version);
        sound &= !twice && problems.is_empty();
        if twice {
            report.invalid(&place, "duplicate version");
        } else {
            report.invalid_each(&place, problems);
        }
    }
    let known = all.iter().any(|version| matches!(*version, "v1" | "v1beta1"));
    if sound && !known && !all.is_empty() {
        report.invalid(versions, "must include at least one of v1, v1beta1");
    }
}

/// What a webhook is called by: a URL, or a service.
pub(super) fn client(client: &Node, report: &mut Report) {
    let (url, service) = (client.at("url"), client.at("service"));
    if url.is_set() == service.is_set() {
        return report.required(client, "exactly one of url or service is required");
    }
    if url.is_set() {
        check_url(&url, report);
    }
}

fn check_url(url: &Node, report: &mut Report) {
    let text = url.text();
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let query = path.split_once('?').map_or("", |(_, query)| query);
    for (refused, part, sentence) in [
        (
            scheme != "https",
            scheme,
            "'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (host.is_empty(), host, "host must be specified; desired format: https://host[/path]"),
        (!user.is_empty(), user, "user information is not permitted in the URL"),
        (!fragment.is_empty(), fragment, "fragments are not permitted in the URL"),
        (!query.is_empty(), query, "query parameters are not permitted in the URL"),
    ] {
        if refused {
            report.invalid_value(url, &part.into(), sentence);
        }
    }
}

/// What names the stored objects stays.
pub(super) fn change(new: &Node, old: &Node, report: &mut Report) {
    let (spec, old) = (new.at("spec"), old.at("spec"));
    for field in ["group", "scope"] {
        immutable(&spec.at(field), &old.at(field), report);
    }
    for field in ["plural", "kind"] {
        immutable(&spec.at("names").at(field), &old.at("names").at(field), report);
    }
}
