//! Names of other objects: where one was renamed, those who refer to it follow.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Config;
use super::fault::{Fault, Outcome};
use super::fields::{FieldSpec, Make, is_selected, set_text, text_at};
use super::resource::{Id, NO_NAMESPACE, Resource, Resources};
use crate::manifest::yaml::Node;
use crate::object::GroupVersionKind;

/// Gives every reference the name that its object has now.
pub(super) fn fix(resources: &mut Resources, config: &Config) -> Outcome {
    let candidates = Candidates::of(resources);
    let originals: Vec<GroupVersionKind> =
        resources.0.iter().map(|r| r.original_id().kind).collect();
    for (at, resource) in resources.0.iter_mut().enumerate() {
        let referrer = Referrer::of(resource, at, &candidates);
        for reference in &config.name_reference {
            let specs = &reference.referrers;
            for spec in specs.iter().filter(|spec| is_selected(&originals[at], &spec.kind)) {
                let fixing = Fixing { referrer: &referrer, target: &reference.target, spec };
                let anywhere =
                    FieldSpec { kind: GroupVersionKind::default(), create: false, ..spec.clone() };
                anywhere.apply(&mut resource.node, Make::Nothing, &mut |node| fixing.set(node))?;
            }
        }
    }
    Ok(())
}

/// What is known of each object that may be referred to. Fixing references changes none of it.
struct Candidates {
    all: Vec<Candidate>,
    by_previous_name: BTreeMap<String, Vec<usize>>,
}

struct Candidate {
    id: Id,
    previous: Vec<Id>,
    namespace: String,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

impl Candidates {
    fn of(resources: &Resources) -> Self {
        let all: Vec<Candidate> = resources.0.iter().map(Candidate::of).collect();
        let mut by_previous_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, candidate) in all.iter().enumerate() {
            let names: BTreeSet<&String> = candidate.previous.iter().map(|id| &id.name).collect();
            names
                .into_iter()
                .for_each(|name| by_previous_name.entry(name.clone()).or_default().push(at));
        }
        Candidates { all, by_previous_name }
    }
}

impl Candidate {
    fn of(resource: &Resource) -> Self {
        Candidate {
            id: resource.id(),
            previous: resource.previous_ids(),
            namespace: resource.namespace(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        }
    }

    fn original_namespace(&self) -> &str {
        &self.previous.first().unwrap_or(&self.id).namespace
    }
}

/// The object whose references are fixed.
struct Referrer<'a> {
    id: Id,
    candidates: &'a Candidates,
    own: &'a Candidate,
    /// Namespaces of its subjects, when it is a role binding.
    subjects: Vec<String>,
    /// The kind its `roleRef` names.
    role: Option<GroupVersionKind>,
}

impl<'a> Referrer<'a> {
    fn of(resource: &Resource, at: usize, candidates: &'a Candidates) -> Self {
        Referrer {
            id: resource.id(),
            candidates,
            own: &candidates.all[at],
            subjects: subject_namespaces(resource),
            role: role(&resource.node),
        }
    }

    /// Whether it may refer to an object: of its own namespace, of none, or of a subject's.
    fn reaches(&self, candidate: &Candidate) -> bool {
        self.id.namespace == NO_NAMESPACE
            || candidate.id.namespace == NO_NAMESPACE
            || candidate.id.namespace == self.id.namespace
            || self.subjects.contains(&candidate.namespace)
    }

    /// Whether they are now in one namespace, or need not be.
    fn shares_namespace(&self, candidate: &Candidate) -> bool {
        self.id.namespace == NO_NAMESPACE
            || candidate.id.namespace == NO_NAMESPACE
            || candidate.id.kind.kind == "ServiceAccount"
            || candidate.id.namespace == self.id.namespace
    }

    /// Whether both went through the same prefixes and suffixes last; with `or_none`, having gone
    /// through none agrees with any.
    fn shares_affixes(&self, candidate: &Candidate, or_none: bool) -> bool {
        let agree = |a: &[String], b: &[String]| {
            (or_none && (a.is_empty() || b.is_empty())) || same_ending(a, b)
        };
        agree(&self.own.prefixes, &candidate.prefixes)
            && agree(&self.own.suffixes, &candidate.suffixes)
    }
}

/// One sort of reference in one object.
struct Fixing<'a> {
    referrer: &'a Referrer<'a>,
    target: &'a GroupVersionKind,
    spec: &'a FieldSpec,
}

impl Fixing<'_> {
    fn set(&self, node: &mut Node) -> Outcome {
        if node.is_null() {
            return Ok(());
        }
        if let Some(items) = node.items_mut() {
            return items
                .iter_mut()
                .filter(|item| !item.is_null())
                .try_for_each(|item| self.set_one(item));
        }
        self.set_one(node)
    }

    fn set_one(&self, node: &mut Node) -> Outcome {
        if node.is_mapping() {
            return self.set_mapping(node);
        }
        let everyone = |_: &Candidate| true;
        let same_name = |a: &Candidate, b: &Candidate| a.id.name == b.id.name;
        match self.referral(node.raw(), everyone, same_name)? {
            Some(referral) if referral.id.name != node.raw() => set_text(node, &referral.id.name),
            _ => Ok(()),
        }
    }

    /// A reference with `name` and perhaps `namespace`.
    fn set_mapping(&self, node: &mut Node) -> Outcome {
        let Some(name) = node.get("name").map(|name| name.raw().to_owned()) else {
            return Err(Fault::new("a reference without a name", "write its name"));
        };
        let namespace = node.get("namespace").map(|namespace| namespace.raw().to_owned());
        let meant = |candidate: &Candidate| match &namespace {
            None => true,
            Some(namespace) => self.is_of_namespace(candidate, namespace),
        };
        let same =
            |a: &Candidate, b: &Candidate| a.id.name == b.id.name && a.namespace == b.namespace;
        let Some(referral) = self.referral(&name, meant, same)? else { return Ok(()) };
        if let Some(field) = node.get_mut("name").filter(|_| referral.id.name != name) {
            set_text(field, &referral.id.name)?;
        }
        if !referral.namespace.is_empty() {
            node.set("namespace", Node::string(&referral.namespace));
        }
        Ok(())
    }

    /// By the namespace it had at first when any had that one, else by the one of now.
    fn is_of_namespace(&self, candidate: &Candidate, namespace: &str) -> bool {
        let all = &self.referrer.candidates.all;
        let reached = |candidate: &&Candidate| self.referrer.reaches(candidate);
        let at_first = all.iter().filter(reached).any(|c| c.original_namespace() == namespace);
        let of = if at_first { candidate.original_namespace() } else { &candidate.id.namespace };
        of == namespace && of != NO_NAMESPACE
    }

    /// The object that `name` refers to, if it is one of the build.
    fn referral(
        &self,
        name: &str,
        meant: impl Fn(&Candidate) -> bool,
        same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Outcome<Option<&Candidate>> {
        let candidates = self.referrer.candidates;
        let named = candidates.by_previous_name.get(name).into_iter().flatten();
        let was = |candidate: &Candidate, kind: &GroupVersionKind| {
            candidate.previous.iter().any(|id| is_selected(&id.kind, kind))
        };
        let role = self.referrer.role.as_ref().filter(|_| self.spec.path.ends_with("roleRef/name"));
        let mut left: Vec<&Candidate> = named
            .map(|at| &candidates.all[*at])
            .filter(|candidate| self.referrer.reaches(candidate) && meant(candidate))
            .filter(|candidate| {
                was(candidate, self.target) && role.is_none_or(|role| was(candidate, role))
            })
            .filter(|candidate| self.referrer.shares_namespace(candidate))
            .collect();
        if left.len() > 1 {
            left.retain(|candidate| self.referrer.shares_affixes(candidate, true));
        }
        if left.len() > 1 {
            left.retain(|candidate| self.referrer.shares_affixes(candidate, false));
        }
        match left.as_slice() {
            [] => Ok(None),
            [first, rest @ ..] if rest.iter().all(|other| same(first, other)) => Ok(Some(first)),
            _ => {
                let ids: Vec<String> =
                    left.iter().map(|candidate| candidate.id.to_string()).collect();
                let message =
                    format!("{} may refer to each of {}", self.referrer.id, ids.join(", "));
                Err(Fault::new(message, "give them names of their own"))
            }
        }
    }
}

fn same_ending(a: &[String], b: &[String]) -> bool {
    let shorter = a.len().min(b.len());
    if shorter == 0 {
        return a.len() == b.len();
    }
    a[a.len() - shorter..] == b[b.len() - shorter..]
}

fn subject_namespaces(resource: &Resource) -> Vec<String> {
    if resource.kind() != "RoleBinding" {
        return Vec::new();
    }
    let subjects = resource.node.get("subjects").map(Node::items).unwrap_or_default();
    let accounts = subjects.iter().filter(|subject| text_at(subject, "kind") == "ServiceAccount");
    accounts.filter_map(|subject| Some(subject.get("namespace")?.raw().to_owned())).collect()
}

fn role(node: &Node) -> Option<GroupVersionKind> {
    let role = node.get("roleRef")?;
    let (group, kind) = (role.get("apiGroup")?.raw(), role.get("kind")?.raw());
    Some(GroupVersionKind { group: group.into(), version: String::new(), kind: kind.into() })
}
