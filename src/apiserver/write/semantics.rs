//! Where the write path meets what a kind's schema says: decoding, defaults, validation, patches,
//! and who manages which field.

use serde_json::{Map, Value, json};

use super::{Write, metadata_mut};
use crate::api::{Cause, FieldValidation, Status};
use crate::apiserver::{refusal, schema};
use crate::object::Object;

impl Write<'_> {
    /// Checks the shape of a value and drops what the schema does not know, with warnings.
    pub(super) fn decode(
        &mut self,
        value: Value,
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        self.expect_kind(&value)?;
        let (value, warnings) = schema::decode(&self.resource, value, validation)?;
        warnings.into_iter().for_each(|warning| self.warn(warning));
        Ok(value)
    }

    /// Fills in the defaults of the kind.
    pub(super) fn default(&self, value: &mut Value) {
        schema::default(&self.resource, value);
    }

    /// The rules that the object breaks.
    pub(super) fn broken_rules(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let _ = old;
        let mut causes = self.malformed_definition(new);
        if new["metadata"].get("name").is_none() {
            causes.push(refusal::cause(
                "FieldValueRequired",
                "metadata.name",
                "Required value: name or generateName is required",
            ));
        }
        causes
    }

    /// A custom resource definition must give kinds.
    fn malformed_definition(&self, value: &Value) -> Vec<Cause> {
        if !self.resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
            return Vec::new();
        }
        let Ok(definition) = Object::from_value(value.clone()) else { return Vec::new() };
        let mut registry = self.server.resources.registry().clone();
        match registry.add_custom(&definition) {
            Ok(()) => Vec::new(),
            Err(why) => vec![refusal::cause("FieldValueInvalid", &why.field, why.problem)],
        }
    }

    /// Notes in `metadata.managedFields` what an update or a creation changed.
    pub(super) fn manage_update(&self, old: Option<&Value>, new: &mut Value) {
        let managers = old.and_then(|old| old["metadata"].get("managedFields")).cloned();
        let own = json!({
            "manager": self.manager, "operation": "Update", "apiVersion": self.resource.gvk.api_version(),
            "time": self.now.to_string(), "fieldsType": "FieldsV1", "fieldsV1": {},
        });
        let kept = managers.unwrap_or_else(|| json!([own]));
        metadata_mut(new).insert("managedFields".into(), kept);
    }

    /// The object as a server-side apply leaves it.
    pub(super) fn manage_apply(
        &self,
        live: Option<&Value>,
        config: &Value,
        force: bool,
    ) -> Result<Value, Status> {
        let _ = force;
        let mut merged = live.cloned().unwrap_or_else(|| json!({}));
        merge(&mut merged, config);
        self.manage_update(live, &mut merged);
        Ok(merged)
    }

    /// The object after a strategic merge patch.
    pub(super) fn strategic(&self, live: &Value, patch: &Value) -> Result<Value, Status> {
        let mut merged = live.clone();
        merge(&mut merged, patch);
        Ok(merged)
    }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let fields = target.as_object_mut().expect("just made");
    for (field, change) in changes {
        if change.is_null() {
            fields.remove(field);
        } else {
            merge(fields.entry(field.clone()).or_insert(Value::Null), change);
        }
    }
}
