//! Pruning: deleting what is no longer wanted, in reverse order, if it is still ours.
//!
//! Source: `DeleteAll` of `fluxcd/pkg/ssa` and `deleteObjects` of kustomize-controller.

use super::apply::has;
use super::state::{Turn, answer};
use crate::api::{
    ApiRequest, ApiResponse, Body, DeleteOptions, Preconditions, Propagation, Response, Status,
};
use crate::engine::inventory::Entry;
use crate::engine::names::{GROUP, PRUNE, RECONCILE, SSA};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Change, ChangeAction};

/// How objects are pruned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PruneOptions {
    /// The Kustomization whose labels an object must carry.
    pub(super) owner: ObjectRef,
    /// Whether it must.
    pub(super) check_owner: bool,
    /// Whether the deletion names the uid that was read.
    pub(super) by_uid: bool,
}

/// What pruning did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pruned {
    /// What became of each object, in the order they were taken.
    pub(super) changes: Vec<Change>,
    /// Objects whose deletion was not confirmed.
    pub(super) survivors: Vec<Entry>,
    /// Objects that are on their way out and not gone yet.
    pub(super) terminating: Vec<Entry>,
    /// What went wrong; empty when nothing did.
    pub(super) errors: String,
}

/// A pruning under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prune {
    /// What is left to prune, the next one last.
    left: Vec<Entry>,
    options: PruneOptions,
    done: Pruned,
    awaiting: Await,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Await {
    /// The live object.
    LiveRead,
    /// Its deletion.
    Deleted,
}

type PruneTurn = Turn<Prune, Pruned, std::convert::Infallible>;

impl Prune {
    /// A pruning of objects given in apply order.
    pub(super) fn new(entries: Vec<Entry>, options: PruneOptions) -> Self {
        let done = Pruned::default();
        Prune { left: entries, options, done, awaiting: Await::LiveRead }
    }

    /// Begins with the last one.
    pub(super) fn start(mut self) -> PruneTurn {
        let Some(entry) = self.left.last() else { return Turn::Done(Ok(self.done)) };
        self.awaiting = Await::LiveRead;
        let (gvk, object) = (entry.gvk(), &entry.object);
        let request = ApiRequest::get(&gvk, &object.namespace, &object.name);
        Turn::Ask(self, Box::new(request))
    }

    /// Goes on with an answer.
    pub(super) fn step(self, response: Response) -> PruneTurn {
        match self.awaiting {
            Await::LiveRead => self.live_read(answer(response)),
            Await::Deleted => self.deleted(answer(response)),
        }
    }

    fn live_read(mut self, answer: Result<ApiResponse, Status>) -> PruneTurn {
        let live = match answer.map(ApiResponse::into_object) {
            Ok(Some(live)) => live,
            Ok(None) => return self.fail("query failed: the answer is no object".into()),
            Err(status) if status.is_not_found() => return self.settle(ChangeAction::Deleted),
            Err(status) => return self.fail(format!("query failed: {status}")),
        };
        if self.is_spared(&live) {
            return self.settle(ChangeAction::Skipped);
        }
        let request = self.deletion(&live);
        self.awaiting = Await::Deleted;
        Turn::Ask(self, Box::new(request))
    }

    fn deleted(mut self, answer: Result<ApiResponse, Status>) -> PruneTurn {
        match answer {
            Err(status) => self.fail(format!("delete failed: {status}")),
            Ok(answer) => {
                if matches!(&answer.body, Body::Object(object) if object.is_deleting()) {
                    self.done.terminating.extend(self.left.last().cloned());
                }
                self.settle(ChangeAction::Deleted)
            }
        }
    }

    fn is_spared(&self, live: &Object) -> bool {
        let owner = &self.options.owner;
        let carries = |key: &str, value: &str| live.label(&format!("{GROUP}/{key}")) == Some(value);
        let owned = carries("name", &owner.name) && carries("namespace", &owner.namespace);
        self.options.check_owner && !owned
            || has(live, PRUNE, "disabled")
            || has(live, RECONCILE, "disabled")
            || has(live, SSA, "Ignore")
    }

    fn deletion(&self, live: &Object) -> ApiRequest {
        let uid = if self.options.by_uid { live.uid().to_owned() } else { String::new() };
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            preconditions: Preconditions { uid, ..Preconditions::default() },
            ..DeleteOptions::default()
        };
        ApiRequest::delete(&live.gvk(), live.namespace(), live.name(), options)
    }

    fn settle(mut self, action: ChangeAction) -> PruneTurn {
        if let Some(entry) = self.left.pop() {
            self.done.changes.push(Change { object: entry.object, action, fields: Vec::new() });
        }
        self.start()
    }

    fn fail(mut self, error: String) -> PruneTurn {
        if let Some(entry) = self.left.pop() {
            self.done.errors.push_str(&format!("{} {error};", entry.object));
            self.done.survivors.push(entry);
        }
        self.start()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    fn entry(name: &str) -> Entry {
        Entry { object: ObjectRef::new("", "ConfigMap", "a", name), version: "v1".into() }
    }

    fn options() -> PruneOptions {
        let owner = ObjectRef::new(GROUP, "Kustomization", "a", "apps");
        PruneOptions { owner, check_owner: true, by_uid: false }
    }

    fn live(name: &str, owner: &str) -> Object {
        let mut object = Object::new("v1", "ConfigMap", "a", name);
        object.set_label(&format!("{GROUP}/name"), owner);
        object.set_label(&format!("{GROUP}/namespace"), "a");
        object
    }

    /// Prunes `names`, answering reads with `live` and deletions with `deletion`.
    fn run(
        names: &[&str],
        options: PruneOptions,
        live: impl Fn(&str) -> Result<Object, Status>,
        deletion: Result<(), Status>,
    ) -> (Pruned, Vec<ApiRequest>) {
        let mut asked = Vec::new();
        let entries = names.iter().map(|name| entry(name)).collect();
        let mut turn = Prune::new(entries, options).start();
        loop {
            let (prune, request) = match turn {
                Turn::Ask(prune, request) => (prune, *request),
                Turn::Wait(..) => unreachable!("pruning does not pause"),
                Turn::Done(Ok(pruned)) => return (pruned, asked),
            };
            let answer = match request.is_write() {
                true => deletion.clone().map(|()| Status::default()).map(Body::Status),
                false => live(&request.name).map(Body::Object),
            };
            asked.push(request);
            turn = prune.step(Response::Api(answer.map(ApiResponse::ok)));
        }
    }

    fn lines(pruned: &Pruned) -> Vec<String> {
        pruned.changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn objects_are_deleted_in_reverse_order_and_those_already_gone_count_as_deleted() {
        let gone = || Status::failure(Reason::NotFound, "gone");
        let found = |name: &str| if name == "b" { Err(gone()) } else { Ok(live(name, "apps")) };
        let (pruned, asked) = run(&["a", "b", "c"], options(), found, Ok(()));
        assert_eq!(
            lines(&pruned),
            ["ConfigMap/a/c deleted", "ConfigMap/a/b deleted", "ConfigMap/a/a deleted"]
        );
        assert_eq!(asked.iter().filter(|request| request.is_write()).count(), 2);
    }

    #[test]
    fn what_another_owns_or_asks_to_be_kept_is_skipped() {
        let (pruned, _) = run(&["a"], options(), |name| Ok(live(name, "other")), Ok(()));
        assert_eq!(lines(&pruned), ["ConfigMap/a/a skipped"]);
        let kept = |name: &str| {
            let mut object = live(name, "apps");
            object.set_annotation(&format!("{GROUP}/prune"), "Disabled");
            Ok(object)
        };
        assert_eq!(lines(&run(&["a"], options(), kept, Ok(())).0), ["ConfigMap/a/a skipped"]);
        let careless = PruneOptions { check_owner: false, ..options() };
        let (pruned, _) = run(&["a"], careless, |name| Ok(live(name, "other")), Ok(()));
        assert_eq!(lines(&pruned), ["ConfigMap/a/a deleted"]);
    }

    #[test]
    fn a_refused_deletion_survives_and_does_not_stop_the_others() {
        let refused = Err(Status::failure(Reason::Forbidden, "denied"));
        let (pruned, _) = run(&["a", "b"], options(), |name| Ok(live(name, "apps")), refused);
        assert_eq!(pruned.survivors, [entry("b"), entry("a")]);
        let errors = "ConfigMap/a/b delete failed: denied;ConfigMap/a/a delete failed: denied;";
        assert_eq!((pruned.errors.as_str(), pruned.changes.len()), (errors, 0));
    }
}
