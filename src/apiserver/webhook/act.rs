//! What webhooks do, as data, and the answer it comes to.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::field;
use crate::object::apply_json_patch;
use crate::time::Timestamp;

/// One thing that a webhook does, always or under a condition.
///
/// It is written as the effect, with `when` beside it: `{when: {field: spec.replicas, above: 3}, deny:
/// {message: too many}}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Act {
    /// When it does so; what is unset demands nothing.
    pub when: Condition,
    /// What it does.
    pub effect: Effect,
}

/// When a webhook does something. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Condition {
    /// `CREATE`, `UPDATE` or `DELETE`; empty: any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// Who asks; empty: anybody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The field that the tests below are about, of the object or, on its deletion, of what goes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The field has this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Value>,
    /// The field has another value, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_not: Option<Value>,
    /// The field is there, or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The field is a number above this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<i64>,
}

/// What a webhook does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Effect {
    /// Adds a container to a pod or a pod template, unless one of its name is there.
    Inject {
        /// The container.
        container: Value,
        /// Whether it is an init container.
        #[serde(default, skip_serializing_if = "is_false")]
        init: bool,
    },
    /// Sets a field.
    Set {
        /// Its path: `metadata.labels[app.kubernetes.io/name]`, `spec.containers[web].image`.
        field: String,
        /// The value.
        to: Value,
    },
    /// Sets a field to the time of the call: what never comes to rest.
    Stamp {
        /// Its path.
        field: String,
    },
    /// Removes a field.
    Remove {
        /// Its path.
        field: String,
    },
    /// Answers with this JSON patch (RFC 6902).
    Patch(Vec<Value>),
    /// Lets it pass with a warning to whoever asks.
    Warn(String),
    /// Denies the request.
    Deny {
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
        /// A reason for machines.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        /// The HTTP status code; 0, or anything below 400: 400.
        #[serde(default, skip_serializing_if = "is_zero")]
        code: u16,
    },
    /// Does not answer in time.
    Hang {},
    /// Answers with an HTTP error instead of a review.
    Fail {
        /// The HTTP status code.
        code: u16,
    },
}

/// What a webhook is asked: the `request` of an AdmissionReview, as far as actors look at it.
#[derive(Clone, Copy, Debug)]
pub(in crate::apiserver) struct Review<'a> {
    pub operation: &'static str,
    pub user: &'a str,
    /// The object as it is to become; none on a deletion.
    pub object: Option<&'a Value>,
    /// The object as it is; none on a creation.
    pub old: Option<&'a Value>,
    pub now: Timestamp,
}

/// What comes of asking.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::apiserver) enum Answer {
    /// It may pass, changed perhaps.
    Allowed { changed: Changed, warnings: Vec<String> },
    /// It may not.
    Denied { message: String, reason: String, code: u16, warnings: Vec<String> },
    /// There is no answer in time.
    Hangs,
    /// The answer is an HTTP error.
    Failed(u16),
}

/// What an answer's patch does to the object.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::apiserver) enum Changed {
    /// There is none.
    Not,
    /// It leaves this.
    To(Value),
    /// It cannot be done, as Go's library words it.
    Never(String),
    /// There is no object to patch.
    Nothing,
}

impl Act {
    /// The webhook's answer to a review: its acts one after the other.
    pub(super) fn answer(acts: &[Act], review: &Review<'_>) -> Answer {
        let mut object = review.object.cloned();
        let mut warnings = Vec::new();
        let mut failed = None;
        let mut patched = false;
        for act in acts {
            if !act.when.holds(review, object.as_ref().or(review.old)) {
                continue;
            }
            match &act.effect {
                Effect::Warn(warning) => warnings.push(warning.clone()),
                Effect::Hang {} => return Answer::Hangs,
                Effect::Fail { code } => return Answer::Failed(*code),
                Effect::Deny { message, reason, code } => {
                    let (message, reason) = (message.clone(), reason.clone());
                    return Answer::Denied { message, reason, code: *code, warnings };
                }
                effect => {
                    patched |=
                        matches!(effect, Effect::Patch(operations) if !operations.is_empty());
                    if let (Some(object), None) = (&mut object, &failed) {
                        failed = effect.change(object, review.now).err();
                    }
                }
            }
        }
        let changed = match (object, failed) {
            (_, Some(why)) => Changed::Never(why),
            (Some(object), None) if patched || Some(&object) != review.object => {
                Changed::To(object)
            }
            (None, None) if patched => Changed::Nothing,
            _ => Changed::Not,
        };
        Answer::Allowed { changed, warnings }
    }
}

impl Condition {
    fn holds(&self, review: &Review<'_>, object: Option<&Value>) -> bool {
        let is = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        is(&self.operation, review.operation)
            && is(&self.user, review.user)
            && (self.field.is_empty() || self.field_holds(object))
    }

    fn field_holds(&self, object: Option<&Value>) -> bool {
        let found = object.and_then(|object| field::get(object, &self.field));
        let number = found.and_then(Value::as_i64);
        self.is.as_ref().is_none_or(|wanted| found == Some(wanted))
            && self.is_not.as_ref().is_none_or(|unwanted| found != Some(unwanted))
            && self.exists.is_none_or(|exists| exists == found.is_some())
            && self.above.is_none_or(|bound| number.is_some_and(|number| number > bound))
    }
}

impl Effect {
    /// Changes the object; an effect that is no change leaves it.
    fn change(&self, object: &mut Value, now: Timestamp) -> Result<(), String> {
        match self {
            Effect::Inject { container, init } => inject(object, container, *init),
            Effect::Set { field, to } => field::set(object, field, to.clone()),
            Effect::Stamp { field } => field::set(object, field, json!(now.to_string())),
            Effect::Remove { field } => field::remove(object, field),
            Effect::Patch(operations) => {
                return operations.iter().try_for_each(|operation| patch(object, operation));
            }
            Effect::Warn(_) | Effect::Deny { .. } | Effect::Hang {} | Effect::Fail { .. } => {}
        }
        Ok(())
    }
}

fn inject(object: &mut Value, container: &Value, init: bool) {
    let place = match object["kind"].as_str() {
        Some("Pod") => "/spec",
        Some("CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    let Some(Value::Object(spec)) = object.pointer_mut(place) else { return };
    let list = if init { "initContainers" } else { "containers" };
    if let Value::Array(containers) = spec.entry(list).or_insert_with(|| json!([]))
        && !containers.iter().any(|other| other["name"] == container["name"])
    {
        containers.push(container.clone());
    }
}

/// Does one operation of a patch.
///
/// # Errors
///
/// In the words of the library that the API server patches with.
fn patch(object: &mut Value, operation: &Value) -> Result<(), String> {
    let before = object.clone();
    apply_json_patch(object, operation).ok_or_else(|| {
        let text = |field: &str| operation.get(field).and_then(Value::as_str).unwrap_or_default();
        let (op, path) = (text("op"), text("path"));
        let (above, key) = path.rsplit_once('/').unwrap_or_default();
        let reached = before.pointer(above).is_some_and(|v| v.is_object() || v.is_array());
        match op {
            "test" => format!("testing value {path} failed: test failed"),
            "remove" if reached => format!(
                "error in remove for path: '{path}': Unable to remove nonexistent key: {key}: missing value"
            ),
            "add" | "remove" | "replace" | "move" | "copy" if !reached => {
                format!("{op} operation does not apply: doc is missing path: {path:?}: missing value")
            }
            "add" | "remove" | "replace" | "move" | "copy" => {
                format!("{op} operation does not apply: doc is missing key: {path}: missing value")
            }
            other => format!("Unexpected kind: {other}"),
        }
    })
}

impl TryFrom<Map<String, Value>> for Act {
    type Error = String;

    fn try_from(mut written: Map<String, Value>) -> Result<Self, String> {
        let when = written.remove("when").map(serde_json::from_value).transpose();
        let when = when.map_err(|why| format!("when: {why}"))?.unwrap_or_default();
        if written.len() != 1 {
            return Err(format!(
                "{} effects, expected one effect of inject, set, stamp, remove, patch, warn, deny, hang, fail",
                written.len()
            ));
        }
        let effect = serde_json::from_value(Value::Object(written));
        Ok(Act { when, effect: effect.map_err(|why| why.to_string())? })
    }
}

impl Serialize for Act {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = Map::new();
        let value = |part: Result<Value, _>| part.map_err(serde::ser::Error::custom);
        if self.when != Condition::default() {
            written.insert("when".into(), value(serde_json::to_value(&self.when))?);
        }
        if let Value::Object(effect) = value(serde_json::to_value(&self.effect))? {
            written.extend(effect);
        }
        written.serialize(serializer)
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(code: &u16) -> bool {
    *code == 0
}
