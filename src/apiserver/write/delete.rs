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
use crate::time::{Duration, Timestamp};

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
        match (self.resource.gvk.group.as_str(), self.resource.gvk.kind.as_str()) {
            ("", "Namespace") => self.delete_namespace(old),
            ("", "Pod") => self.delete_gracefully(old, options),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => self.terminate_definition(&old),
            _ => self.delete_or_mark(old, options),
        }
    }

    /// Without finalizers an object is gone at once; with them it is only marked.
    fn delete_or_mark(&mut self, old: Object, options: &DeleteOptions) -> Answer {
        self.admit_deletion(old.as_value())?;
        let mut new = old.as_value().clone();
        set_finalizers(&mut new, &self.gc_finalizers(&old, options.propagation));
        if new["metadata"].get("finalizers").is_none() {
            return Ok((200, self.remove(old)));
        }
        if !old.is_deleting() {
            self.mark(&old, &mut new, self.now, 0);
        }
        if new == *old.as_value() {
            return Ok((200, Body::Object(old)));
        }
        let marked = self.commit(&old, Some(object(new))).expect("it is only marked");
        Ok((200, Body::Object(marked)))
    }

    /// Pods are given time to end: they are marked first, and removed by whoever ended them, with a
    /// grace of zero. (`rest.BeforeDelete` and `podStrategy.CheckGracefulDelete`.)
    fn delete_gracefully(&mut self, old: Object, options: &DeleteOptions) -> Answer {
        let mut new = old.as_value().clone();
        let before = old.int("metadata.deletionGracePeriodSeconds").unwrap_or(0);
        let grace = match options.grace_period_seconds {
            Some(grace) if old.is_deleting() && grace < before => grace.max(0),
            _ if old.is_deleting() => return Ok((200, Body::Object(old))),
            given => grace_of(&old, given),
        };
        self.admit_deletion(old.as_value())?;
        let begun = match old.deletion_timestamp() {
            Some(end) => end - seconds(before),
            None => self.now,
        };
        self.mark(&old, &mut new, begun + seconds(grace), grace);
        set_finalizers(&mut new, &self.gc_finalizers(&old, options.propagation));
        let marked = self.commit(&old, Some(object(new))).expect("it is only marked");
        if grace > 0 || !marked.finalizers().is_empty() {
            return Ok((200, Body::Object(marked)));
        }
        Ok((200, self.remove(marked)))
    }

    /// Takes the object out of the store.
    fn remove(&mut self, last: Object) -> Body {
        self.commit(&last, None);
        let last = if self.dry_run { last } else { at_version(last, self.server.version()) };
        self.gone(last)
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
        self.warn_of_orphans(options);
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
        match asked.or(standing).filter(|_| !self.resource.is_event()) {
            Some(Propagation::Orphan) => finalizers.push(ORPHAN.into()),
            Some(Propagation::Foreground) => finalizers.push(FOREGROUND.into()),
            Some(Propagation::Background) | None => {}
        }
        finalizers
    }

    /// Sets the marks of deletion.
    fn mark(&self, old: &Object, new: &mut Value, end: Timestamp, grace: i64) {
        let metadata = metadata_mut(new);
        metadata.insert("deletionTimestamp".into(), json!(end.to_string()));
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
        if !old.is_deleting() && old.generation() > 0 {
            metadata.insert("generation".into(), json!(old.generation() + 1));
        }
    }

    /// A namespace terminates until its content is gone and its finalizers are taken off.
    fn delete_namespace(&mut self, old: Object) -> Answer {
        if !old.is_deleting() {
            return self.terminate_namespace(&old);
        }
        let held = old.at(&["spec", "finalizers"]).and_then(Value::as_array);
        if held.is_some_and(|finalizers| !finalizers.is_empty()) {
            return Ok((200, Body::Object(old)));
        }
        self.admit_deletion(old.as_value())?;
        Ok((200, self.remove(old)))
    }

    fn terminate_namespace(&mut self, old: &Object) -> Answer {
        self.admit_deletion(old.as_value())?;
        let mut new = old.clone();
        new.set("metadata.deletionTimestamp", self.now.to_string());
        new.set("status.phase", "Terminating");
        let marked = self.commit(old, Some(new)).expect("it is only marked");
        Ok((200, Body::Object(marked)))
    }

    /// A definition terminates until its objects are gone.
    fn terminate_definition(&mut self, old: &Object) -> Answer {
        if old.is_deleting() {
            return Ok((200, Body::Object(old.clone())));
        }
        self.admit_deletion(old.as_value())?;
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

/// Seconds that a pod may take to end: what is asked for, else its own; none for one that runs nowhere
/// or has ended.
fn grace_of(pod: &Object, asked: Option<i64>) -> i64 {
    let ended = matches!(pod.text("status.phase"), "Succeeded" | "Failed");
    if pod.text("spec.nodeName").is_empty() || ended {
        return 0;
    }
    let own = || pod.int("spec.terminationGracePeriodSeconds").unwrap_or(0);
    match asked.unwrap_or_else(own) {
        negative if negative < 0 => 1,
        grace => grace,
    }
}

fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
