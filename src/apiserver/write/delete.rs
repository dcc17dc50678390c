//! Deletion: at once, or marked and held by finalizers.

use serde_json::{Value, json};

use super::{Answer, Write, metadata_mut, object};
use crate::api::{
    Body, DeleteOptions, ListOptions, ObjectList, Preconditions, Propagation, Status, StatusDetails,
};
use crate::apiserver::history::at_version;
use crate::apiserver::read::View;
use crate::apiserver::{custom, refusal};
use crate::object::Object;
use crate::time::Duration;

/// Holds an owner until its dependents are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// Holds an owner until its dependents have lost it.
const ORPHAN: &str = "orphan";

impl Write<'_> {
    pub(super) fn delete(&mut self, options: &DeleteOptions) -> Answer {
        if self.subresource.is_some() {
            return Err(refusal::method_not_allowed());
        }
        self.warn_of_orphans(options);
        let old = self.existing()?;
        self.expect_preconditions(&old, &options.preconditions)?;
        if self.resource.is("", "Namespace") {
            return self.terminate_namespace(&old);
        }
        if self.resource.is("apiextensions.k8s.io", "CustomResourceDefinition") {
            return self.terminate_definition(&old);
        }
        let grace = self.grace_seconds(&old, options);
        let mut new = old.as_value().clone();
        set_finalizers(&mut new, &self.gc_finalizers(&old, options.propagation));
        let held = new["metadata"].get("finalizers").is_some() || grace > 0;
        if !held {
            self.commit(&old, None);
            let last = if self.dry_run { old } else { at_version(&old, self.server.version()) };
            return Ok((200, self.gone(last)));
        }
        self.mark(&old, &mut new, grace);
        if new == *old.as_value() {
            return Ok((200, Body::Object(old)));
        }
        let marked = self.commit(&old, Some(object(new))).expect("it is only marked");
        Ok((200, Body::Object(marked)))
    }

    /// Deletes what a list would give; answers with the list.
    pub(super) fn delete_collection(
        &mut self,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Answer {
        if self.resource.is("", "Namespace") {
            return Err(refusal::method_not_allowed());
        }
        let answer = View::newest(self.server).list(&self.resource, &self.namespace, "", list)?;
        let items = answer.into_list().map_or_else(Vec::new, |list| list.items);
        let namespace = self.namespace.clone();
        for item in &items {
            self.namespace = item.namespace().to_owned();
            self.name = item.name().to_owned();
            match self.delete(options) {
                Err(status) if !status.is_not_found() => return Err(status),
                _ => {}
            }
        }
        self.namespace = namespace;
        let resource_version = self.server.version();
        Ok((200, Body::List(ObjectList { items, resource_version, ..ObjectList::default() })))
    }

    fn expect_preconditions(&self, old: &Object, wanted: &Preconditions) -> Result<(), Status> {
        let check = |what: &str, wanted: &str, stored: &str, hint: &str| {
            if wanted.is_empty() || wanted == stored {
                return Ok(());
            }
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({stored}). The object might have been {hint}"
            );
            Err(refusal::precondition(&self.resource, &self.name, &why))
        };
        check("UID", &wanted.uid, old.uid(), "deleted and then recreated")?;
        check("ResourceVersion", &wanted.resource_version, old.resource_version(), "modified")
    }

    /// The finalizers of the object with those that the propagation asks for.
    /// (`deletionFinalizersForGarbageCollection` of the generic registry.)
    fn gc_finalizers(&self, old: &Object, asked: Option<Propagation>) -> Vec<String> {
        let given = old.finalizers();
        let standing = if given.contains(&ORPHAN) {
            Some(Propagation::Orphan)
        } else if given.contains(&FOREGROUND) {
            Some(Propagation::Foreground)
        } else {
            self.resource.strategy.propagation
        };
        let kept = given.iter().filter(|f| **f != ORPHAN && **f != FOREGROUND);
        let mut finalizers: Vec<String> = kept.map(|f| (*f).to_owned()).collect();
        match asked.or(standing) {
            Some(Propagation::Orphan) => finalizers.push(ORPHAN.into()),
            Some(Propagation::Foreground) => finalizers.push(FOREGROUND.into()),
            Some(Propagation::Background) | None => {}
        }
        finalizers
    }

    /// Seconds that a pod may take to end; other kinds have no grace. A pod that runs nowhere, or has
    /// ended, has none either. (`podStrategy.CheckGracefulDelete`.)
    fn grace_seconds(&self, old: &Object, options: &DeleteOptions) -> i64 {
        if !self.resource.is("", "Pod") {
            return 0;
        }
        let ended = matches!(old.text("status.phase"), "Succeeded" | "Failed");
        if old.text("spec.nodeName").is_empty() || ended {
            return 0;
        }
        let own = old.int("spec.terminationGracePeriodSeconds").unwrap_or(30);
        options.grace_period_seconds.unwrap_or(own).max(0)
    }

    /// Sets the marks of deletion; those already set stay, but for a shorter grace.
    fn mark(&self, old: &Object, new: &mut Value, grace: i64) {
        let metadata = metadata_mut(new);
        if old.is_deleting() {
            let before = old.int("metadata.deletionGracePeriodSeconds").unwrap_or(0);
            if grace >= before {
                return;
            }
            let asked = old.deletion_timestamp().unwrap_or(self.now);
            let end = asked - seconds(before - grace);
            metadata.insert("deletionTimestamp".into(), json!(end.to_string()));
            metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
            return;
        }
        let end = self.now + seconds(grace);
        metadata.insert("deletionTimestamp".into(), json!(end.to_string()));
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
        if old.generation() > 0 {
            metadata.insert("generation".into(), json!(old.generation() + 1));
        }
    }

    /// A namespace terminates until its content is gone and its finalizers are taken off.
    fn terminate_namespace(&mut self, old: &Object) -> Answer {
        let mut new = old.clone();
        if !old.is_deleting() {
            new.set("metadata.deletionTimestamp", self.now.to_string());
            new.set("status.phase", "Terminating");
        }
        if new == *old {
            return Ok((200, Body::Object(new)));
        }
        let marked = self.commit(old, Some(new)).expect("it is only marked");
        Ok((200, Body::Object(marked)))
    }

    /// A definition terminates until its objects are gone.
    fn terminate_definition(&mut self, old: &Object) -> Answer {
        if old.is_deleting() {
            return Ok((200, Body::Object(old.clone())));
        }
        let mut new = old.clone();
        new.set("metadata.deletionTimestamp", self.now.to_string());
        let mut finalizers = old.finalizers();
        if !finalizers.contains(&custom::CLEANUP) {
            finalizers.push(custom::CLEANUP);
        }
        new.set("metadata.finalizers", finalizers);
        let terminating = json!({
            "type": "Terminating",
            "status": "True",
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        });
        custom::set_condition(&mut new, self.now, terminating);
        let marked = self.commit(old, Some(new)).expect("it is only marked");
        Ok((200, Body::Object(marked)))
    }

    fn warn_of_orphans(&mut self, options: &DeleteOptions) {
        if self.resource.is("batch", "Job") && options.propagation.is_none() {
            self.warn("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning");
        }
    }

    /// The answer to a deletion that is done: for some kinds the object, else a success.
    fn gone(&self, old: Object) -> Body {
        if self.resource.strategy.returns_deleted {
            return Body::Object(old);
        }
        let details = StatusDetails {
            name: self.name.clone(),
            group: self.resource.gvk.group.clone(),
            kind: self.resource.plural.clone(),
            uid: old.uid().to_owned(),
            ..StatusDetails::default()
        };
        Body::Status(Status { code: 200, details: Some(Box::new(details)), ..Status::default() })
    }
}

fn set_finalizers(value: &mut Value, finalizers: &[String]) {
    let metadata = metadata_mut(value);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), json!(finalizers));
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
