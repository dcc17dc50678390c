//! One object at the several versions of its kind that managers write at.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::entries::Entries;
use crate::apiserver::schema::{KindSchema, Registry, Type, convert};
use crate::object::GroupVersionKind;

/// The kind that a request is about, and its other versions.
pub(super) struct Versions<'a> {
    registry: &'a Registry,
    pub(super) kind: &'a Arc<KindSchema>,
    root: Type,
}

impl<'a> Versions<'a> {
    pub(super) fn new(registry: &'a Registry, kind: &'a Arc<KindSchema>) -> Self {
        Versions { registry, kind, root: Type::Struct(kind.root.clone()) }
    }

    /// The type of objects at the request's own version.
    pub(super) fn root(&self) -> &Type {
        &self.root
    }

    /// The type of objects at a version; `None` when it is not served any more.
    pub(super) fn root_at(&self, api_version: &str) -> Option<Cow<'_, Type>> {
        if self.is_own(api_version) {
            return Some(Cow::Borrowed(&self.root));
        }
        Some(Cow::Owned(Type::Struct(self.kind_at(api_version)?.root.clone())))
    }

    /// An object of the request's own version, at another one.
    pub(super) fn to<'v>(&self, api_version: &str, value: &'v Value) -> Option<Cow<'v, Value>> {
        if self.is_own(api_version) {
            return Some(Cow::Borrowed(value));
        }
        Some(Cow::Owned(convert(self.kind, self.kind_at(api_version)?, value)))
    }

    /// An object of some version, back at the request's own.
    pub(super) fn back(&self, api_version: &str, value: Value) -> Value {
        match self.kind_at(api_version) {
            Some(kind) if !self.is_own(api_version) => convert(kind, self.kind, &value),
            _ => value,
        }
    }

    /// Forgets what was managed at versions that are not served any more.
    pub(super) fn forget_unserved(&self, entries: &mut Entries) {
        entries.0.retain(|entry| self.root_at(&entry.api_version).is_some());
    }

    fn is_own(&self, api_version: &str) -> bool {
        let own = &self.kind.gvk;
        match api_version.split_once('/') {
            Some((group, version)) => own.group == group && own.version == version,
            None => own.group.is_empty() && own.version == api_version,
        }
    }

    fn kind_at(&self, api_version: &str) -> Option<&Arc<KindSchema>> {
        self.registry.kind(&GroupVersionKind::new(api_version, &self.kind.gvk.kind))
    }
}
