//! Admission by webhooks, in the two phases of a write: first they may change what is written, later
//! they see it as it will be stored. (`MutatingAdmissionWebhook` and `ValidatingAdmissionWebhook`.)

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Write, metadata_mut};
use crate::api::{FieldValidation, Status};
use crate::apiserver::resource::Resource;
use crate::apiserver::webhook::{Answer, Asked, Changed, Review, Webhooks, reach};
use crate::apiserver::{managed, refusal, schema};
use crate::object::GroupVersionKind;

/// What a write is about, to a webhook.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// `CREATE`, `UPDATE`, `DELETE`.
    pub operation: &'static str,
    /// The kind that the object is of: of a subresource, often another than the resource's.
    pub kind: &'a Resource,
    /// The object as it is.
    pub old: Option<&'a Value>,
}

/// Which webhooks were asked in the first round, and which are to be asked again.
#[derive(Default)]
struct Rounds {
    asked: BTreeSet<usize>,
    again: BTreeSet<usize>,
    changed: bool,
}

/// How one call ended.
enum Outcome {
    Passed,
    Changed(Value),
}

impl Write<'_> {
    /// Whether there is any webhook configuration: then what is known of an apply proves nothing.
    pub(super) fn asks_webhooks(&self) -> bool {
        Webhooks::Mutating.any(self.server) || Webhooks::Validating.any(self.server)
    }

    /// Lets the mutating webhooks at a value, and the plugins that come before them: `plugins` runs
    /// once, and once more when a webhook changed something.
    pub(super) fn mutate(
        &mut self,
        subject: Subject<'_>,
        value: &mut Value,
        plugins: impl Fn(&Self, &mut Value) -> Result<(), Status>,
    ) -> Result<(), Status> {
        plugins(self, value)?;
        if !Webhooks::Mutating.any(self.server) {
            return Ok(());
        }
        let managers = value["metadata"].get("managedFields").cloned();
        let mut rounds = Rounds::default();
        self.round(subject, value, &mut rounds, false)?;
        if rounds.changed {
            let before = value.clone();
            plugins(self, value)?;
            if *value != before {
                rounds.require_again();
            }
            self.round(subject, value, &mut rounds, true)?;
            self.tidy_metadata(value, managers);
            self.expect_place(value)?;
        }
        Ok(())
    }

    /// Asks the mutating webhooks one after the other. In the second round only those that ask for it,
    /// and after which something changed.
    fn round(
        &mut self,
        subject: Subject<'_>,
        value: &mut Value,
        rounds: &mut Rounds,
        again: bool,
    ) -> Result<(), Status> {
        for position in 0..Webhooks::Mutating.of(self.server).len() {
            let hook = Webhooks::Mutating.of(self.server)[position];
            let asked = self.asked(&subject, Some(value));
            let Some(seen_as) = hook.wants(self.server, &asked) else { continue };
            if again && !rounds.again.remove(&position) {
                continue;
            }
            let reinvocable = hook.is_reinvocable();
            if let Outcome::Changed(new) =
                self.ask(Webhooks::Mutating, position, &subject, Some(value), &seen_as)?
            {
                let new = self.read_back(&subject, new)?;
                if new != *value {
                    rounds.changed = true;
                    rounds.require_again();
                }
                *value = new;
            }
            if reinvocable {
                rounds.asked.insert(position);
            }
        }
        Ok(())
    }

    /// Has the validating webhooks look at a value, `None` for a deletion.
    pub(super) fn validate_by_webhooks(
        &mut self,
        subject: Subject<'_>,
        value: Option<&Value>,
    ) -> Result<(), Status> {
        if !Webhooks::Validating.any(self.server) {
            return Ok(());
        }
        let mut refused = None;
        for position in 0..Webhooks::Validating.of(self.server).len() {
            let hook = Webhooks::Validating.of(self.server)[position];
            let asked = self.asked(&subject, value);
            let Some(seen_as) = hook.wants(self.server, &asked) else { continue };
            // All are asked at once; of several refusals one is told.
            let asked = self.ask(Webhooks::Validating, position, &subject, value, &seen_as);
            refused = refused.or(asked.err());
        }
        refused.map_or(Ok(()), Err)
    }

    /// A deletion, which both kinds of webhooks see, and neither can change.
    pub(super) fn admit_deletion(&mut self, old: &Value) -> Result<(), Status> {
        // An eviction, which is a creation, was asked about as such.
        if self.verb == "create" {
            return Ok(());
        }
        let kind = self.resource.clone();
        let subject = Subject { operation: "DELETE", kind: &kind, old: Some(old) };
        for position in 0..Webhooks::Mutating.of(self.server).len() {
            let hook = Webhooks::Mutating.of(self.server)[position];
            let asked = self.asked(&subject, None);
            if let Some(seen_as) = hook.wants(self.server, &asked) {
                self.ask(Webhooks::Mutating, position, &subject, None, &seen_as)?;
            }
        }
        self.validate_by_webhooks(subject, None)
    }

    fn asked<'a>(&'a self, subject: &Subject<'a>, object: Option<&'a Value>) -> Asked<'a> {
        Asked {
            operation: subject.operation,
            resource: &self.resource,
            subresource: self.subresource_name(),
            namespace: if self.resource.namespaced { &self.namespace } else { "" },
            object,
            old: subject.old,
        }
    }

    /// Asks one webhook, and minds its failure policy.
    fn ask(
        &mut self,
        phase: Webhooks,
        position: usize,
        subject: &Subject<'_>,
        value: Option<&Value>,
        seen_as: &GroupVersionKind,
    ) -> Result<Outcome, Status> {
        let shown = |value: &Value| self.at_version(subject, value, seen_as);
        let (object, old) = (value.map(shown), subject.old.map(shown));
        let review = Review {
            operation: subject.operation,
            user: &self.caller.user,
            object: object.as_ref(),
            old: old.as_ref(),
            now: self.now,
        };
        let hook = phase.of(self.server)[position];
        let (name, open) = (hook.name().to_owned(), hook.fails_open());
        match answered(phase, reach(self.server, &hook, &review)) {
            Err(_) if open => Ok(Outcome::Passed),
            Err(why) => {
                let why = format!("failed calling webhook {name:?}: {why}");
                Err(refusal::internal_error(&why))
            }
            Ok(Answer::Denied { message, reason, code, warnings }) => {
                warnings.into_iter().for_each(|warning| self.warn(warning));
                Err(refusal::denied_by_webhook(&name, &message, &reason, code))
            }
            Ok(Answer::Allowed { changed, warnings }) => {
                warnings.into_iter().for_each(|warning| self.warn(warning));
                match changed {
                    Changed::Not => Ok(Outcome::Passed),
                    Changed::To(new) => Ok(Outcome::Changed(new)),
                    Changed::Never(why) => Err(refusal::internal_error(&why)),
                    Changed::Nothing => Err(refusal::internal_error(&format!(
                        "admission webhook {name:?} attempted to modify the object, which is not supported for this operation"
                    ))),
                }
            }
            Ok(Answer::Hangs | Answer::Failed(_)) => unreachable!("these are failed calls"),
        }
    }

    /// A value at the version that a webhook asks for.
    fn at_version(
        &self,
        subject: &Subject<'_>,
        value: &Value,
        seen_as: &GroupVersionKind,
    ) -> Value {
        let is_whole = subject.kind.gvk == self.resource.gvk;
        match self.registry().kind(seen_as) {
            Some(to) if is_whole && *seen_as != subject.kind.gvk => {
                schema::convert(&subject.kind.schema, to, value)
            }
            _ => value.clone(),
        }
    }

    /// What a webhook made of a value, decoded and defaulted as a request's body is.
    fn read_back(&self, subject: &Subject<'_>, mut value: Value) -> Result<Value, Status> {
        let kind = subject.kind;
        let given = GroupVersionKind::new(
            value["apiVersion"].as_str().unwrap_or_default(),
            value["kind"].as_str().unwrap_or_default(),
        );
        if given.group != kind.gvk.group || given.kind != kind.gvk.kind {
            let why = refusal::wrong_kind(kind, &given, true);
            return Err(refusal::internal_error(&why.message));
        }
        if given.version != kind.gvk.version
            && let Some(from) = self.registry().kind(&given)
        {
            value = schema::convert(from, &kind.schema, &value);
        }
        let decoded = schema::decode(kind, value, FieldValidation::Ignore);
        let (mut value, _) = decoded.map_err(|why| {
            let reason = why.message.split_once(" cannot be handled as a ");
            let reason = reason.and_then(|(_, rest)| rest.split_once(": "));
            refusal::internal_error(reason.map_or(&why.message, |(_, reason)| reason))
        })?;
        schema::default(kind, &mut value);
        Ok(value)
    }

    /// Puts right what webhooks must not spoil: the record of managers, and owners named twice.
    fn tidy_metadata(&mut self, value: &mut Value, managers: Option<Value>) {
        if let Err(why) = managed::check_entries(value) {
            metadata_mut(value).remove("managedFields");
            if let Some(managers) = managers {
                metadata_mut(value).insert("managedFields".into(), managers);
            }
            self.warn(format!(".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: {why}"));
        }
        let Some(owners) = metadata_mut(value).get_mut("ownerReferences") else { return };
        let Some(owners) = owners.as_array_mut() else { return };
        let (mut seen, mut twice) = (BTreeSet::new(), Vec::new());
        owners.retain(|owner| {
            let uid = owner["uid"].as_str().unwrap_or_default().to_owned();
            let new = seen.insert(uid.clone());
            if !new {
                twice.push(uid);
            }
            new
        });
        if !twice.is_empty() {
            self.warn(format!(".metadata.ownerReferences contains duplicate entries after mutating admission happens; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}", twice.join(", ")));
        }
    }
}

impl Rounds {
    fn require_again(&mut self) {
        let asked = std::mem::take(&mut self.asked);
        self.again.extend(asked);
    }
}

/// A validating webhook has nothing to change.
fn answered(phase: Webhooks, answer: Result<Answer, String>) -> Result<Answer, String> {
    let why = match answer {
        Ok(Answer::Allowed { changed, .. })
            if phase == Webhooks::Validating && changed != Changed::Not =>
        {
            "received invalid webhook response: validating webhook may not return response.patch"
                .to_owned()
        }
        Ok(answer) => return Ok(answer),
        Err(why) => format!("failed to call webhook: {why}"),
    };
    Err(why)
}
