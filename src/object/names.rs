//! Names: which kind, and which object of it.

use std::fmt;

/// A kind at a version of its group, as `apiVersion` and `kind` name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionKind {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version within the group, such as `v1`.
    pub version: String,
    /// The kind in CamelCase, such as `Deployment`.
    pub kind: String,
}

impl GroupVersionKind {
    /// The kind `kind` at `api_version`, which is `group/version` or, in the core group, `version`.
    ///
    /// ```
    /// use driftlab::object::GroupVersionKind;
    /// let deployment = GroupVersionKind::new("apps/v1", "Deployment");
    /// assert_eq!((deployment.group.as_str(), deployment.version.as_str()), ("apps", "v1"));
    /// ```
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        GroupVersionKind { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// `group/version`, or `version` alone in the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The object of this kind with this name; `namespace` is empty for cluster-scoped kinds.
    pub fn named(&self, namespace: &str, name: &str) -> ObjectRef {
        ObjectRef {
            group: self.group.clone(),
            kind: self.kind.clone(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// As Go's `schema.GroupVersionKind` prints: `apps/v1, Kind=Deployment`, and of the core group
/// `/v1, Kind=Pod`.
impl fmt::Display for GroupVersionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

/// One object, whatever version it is read at: what queues hold and what events are about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind in CamelCase.
    pub kind: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name within kind and namespace.
    pub name: String,
}

impl ObjectRef {
    /// The object named `name` of this group and kind in `namespace` (empty: cluster-scoped).
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        ObjectRef {
            group: group.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The kind at a version of its group.
    pub fn at_version(&self, version: &str) -> GroupVersionKind {
        GroupVersionKind {
            group: self.group.clone(),
            version: version.into(),
            kind: self.kind.clone(),
        }
    }
}

/// `Kind/namespace/name`, or `Kind/name` when cluster-scoped, as Flux prints objects.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}
