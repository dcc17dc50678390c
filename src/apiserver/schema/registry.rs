//! Which kinds there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::builtin;
use super::structural::{MalformedDefinition, kinds_of};
use super::types::KindSchema;
use crate::object::{GroupVersionKind, Object};

/// The kinds a server knows: the built-in ones, and those that definitions added. Cloning is cheap.
///
/// ```
/// use driftlab::apiserver::schema::Registry;
/// use driftlab::object::GroupVersionKind;
/// let registry = Registry::builtin();
/// let deployment = registry.kind(&GroupVersionKind::new("apps/v1", "Deployment")).unwrap();
/// assert_eq!(deployment.resource(), "deployments.apps");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Registry {
    custom: Arc<BTreeMap<GroupVersionKind, Arc<KindSchema>>>,
}

impl Registry {
    /// The built-in kinds alone.
    pub fn builtin() -> Self {
        Registry::default()
    }

    /// The kind at this version.
    pub fn kind(&self, gvk: &GroupVersionKind) -> Option<&Arc<KindSchema>> {
        builtin::kinds().get(gvk).or_else(|| self.custom.get(gvk))
    }

    /// Every kind, the built-in ones first.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<KindSchema>> {
        builtin::kinds().values().chain(self.custom.values())
    }

    /// The kind served at `group`, `version` and the plural name `plural`.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<KindSchema>> {
        self.kinds().find(|kind| {
            kind.plural == plural && kind.gvk.group == group && kind.gvk.version == version
        })
    }

    /// Adds the kinds of a CustomResourceDefinition, one a served version; those of an earlier form
    /// of the same definition go.
    ///
    /// # Errors
    ///
    /// When the definition lacks a name or its schema is not structural.
    pub fn add_custom(&mut self, definition: &Object) -> Result<(), MalformedDefinition> {
        let kinds = kinds_of(definition)?;
        self.remove_custom(definition);
        let custom = Arc::make_mut(&mut self.custom);
        custom.extend(kinds.into_iter().map(|kind| (kind.gvk.clone(), Arc::new(kind))));
        Ok(())
    }

    /// Removes the kinds of a CustomResourceDefinition.
    pub fn remove_custom(&mut self, definition: &Object) {
        let (group, kind) = (definition.text("spec.group"), definition.text("spec.names.kind"));
        Arc::make_mut(&mut self.custom).retain(|gvk, _| gvk.group != group || gvk.kind != kind);
    }
}
