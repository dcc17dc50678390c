//! Where the write path meets what a kind's schema says: decoding, defaults, validation, and who
//! manages which field.

use serde_json::{Map, Value, json};

use super::identity::{changed_identity, repeated};
use super::{Write, strategy};
use crate::api::{Cause, FieldValidation, Patch, Status};
use crate::apiserver::managed::{self, Applied, Writer};
use crate::apiserver::schema::Registry;
use crate::apiserver::{base64, patch, refusal, schema};
use crate::object::Object;

impl Write<'_> {
    /// Checks the shape of a value and drops what the schema does not know, with warnings.
    pub(super) fn decode(
        &mut self,
        value: Value,
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        self.expect_kind(&value)?;
        let reset = managed::is_reset(&value);
        let (mut value, warnings) = schema::decode(&self.resource, value, validation)?;
        if reset {
            // An empty list would be left out, as if nothing was said of it.
            value["metadata"]["managedFields"] = json!([{}]);
        }
        warnings.into_iter().for_each(|warning| self.warn(warning));
        self.fold(&mut value);
        Ok(value)
    }

    /// What is written in one field and kept in another: `stringData` of Secrets, the annotation that
    /// a DaemonSet shows a field of long ago in, and a pod's addresses.
    pub(super) fn fold(&self, value: &mut Value) {
        if self.resource.is("apps", "DaemonSet") {
            strategy::show_template_generation(value);
        }
        if self.resource.is("", "Pod") {
            strategy::show_all_addresses(value);
        }
        if !self.resource.is("", "Secret") {
            return;
        }
        let Some(fields) = value.as_object_mut() else { return };
        let Some(Value::Object(texts)) = fields.remove("stringData") else { return };
        let data = fields.entry("data").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(data) = data {
            let encoded =
                |text: Value| base64::encode(text.as_str().unwrap_or_default().as_bytes());
            data.extend(texts.into_iter().map(|(key, text)| (key, encoded(text).into())));
        }
    }

    /// Fills in the defaults of the kind.
    pub(super) fn default(&self, value: &mut Value) {
        schema::default(&self.resource, value);
    }

    /// The rules that the object breaks.
    pub(super) fn broken_rules(&self, new: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = schema::validate(&self.resource, self.subresource_name(), new, old);
        causes.extend(self.malformed_definition(new));
        if let Some(old) = old {
            causes.splice(0..0, changed_identity(old, new));
        }
        repeated(&self.resource, old.is_some(), causes)
    }

    /// A custom resource definition must give kinds.
    fn malformed_definition(&self, value: &Value) -> Vec<Cause> {
        if !self.resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
            return Vec::new();
        }
        let Ok(definition) = Object::from_value(value.clone()) else { return Vec::new() };
        let mut registry = self.registry().clone();
        match registry.add_custom(&definition) {
            Ok(()) => Vec::new(),
            Err(why) => vec![refusal::cause("FieldValueInvalid", &why.field, why.problem)],
        }
    }

    /// Notes in `metadata.managedFields` what an update or a creation changed.
    pub(super) fn manage_update(&self, old: Option<&Value>, new: &mut Value) {
        managed::update(self.registry(), &self.resource.schema, old, new, &self.writer(false));
    }

    /// The object as a server-side apply leaves it.
    pub(super) fn manage_apply(
        &self,
        live: Option<&Value>,
        config: &Value,
        force: bool,
    ) -> Result<Applied, Status> {
        managed::apply(self.registry(), &self.resource.schema, live, config, &self.writer(force))
    }

    /// The object after a patch that is no apply.
    pub(super) fn patched(&self, live: &Value, patch: &Patch) -> Result<Value, Status> {
        match patch {
            Patch::Json(operations) => patch::json(live, operations),
            Patch::Merge(changes) => patch::merge(live, changes),
            Patch::Strategic(changes) => patch::strategic(&self.resource, live, changes),
            Patch::Apply(_) => unreachable!("an apply goes its own way"),
        }
    }

    /// Who writes, for the record of managers.
    pub(super) fn writer(&self, force: bool) -> Writer {
        Writer {
            manager: self.manager.clone(),
            api_version: self.resource.gvk.api_version(),
            subresource: self.subresource_name().to_owned(),
            force,
            now: self.now,
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        self.server.resources.registry()
    }
}
