//! Who asked what, and what the answer was.

use rpds::{QueueSync, RedBlackTreeMapSync};

use crate::api::{ApiRequest, ApiResponse, Caller, ResourceVersion, Status};
use crate::object::ObjectRef;
use crate::time::Timestamp;

/// A write that was asked for, done or refused; or a read that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuditEntry {
    /// When it was answered.
    pub at: Timestamp,
    /// The user.
    pub user: String,
    /// The User-Agent.
    pub agent: String,
    /// The verb as RBAC names it, but `apply` for a server-side apply.
    pub verb: &'static str,
    /// The object, nameless for collections.
    pub object: ObjectRef,
    /// The subresource; empty for the object itself.
    pub subresource: String,
    /// The field manager; empty for requests that have none.
    pub manager: String,
    /// Whether it was only tried.
    pub dry_run: bool,
    /// The HTTP status code of the answer.
    pub code: u16,
    /// Why it was refused; empty when it was not.
    pub message: String,
    /// The last version it wrote, if it wrote any: a write that changes nothing has none.
    pub version: Option<ResourceVersion>,
}

/// So many entries are kept: a server that runs for days does not grow by what it was asked.
const KEPT: usize = 10_000;

/// The audit log: the last [`KEPT`] entries. Reads that were answered are only counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    entries: QueueSync<AuditEntry>,
    /// How many there ever were.
    recorded: usize,
    reads: RedBlackTreeMapSync<(String, &'static str, String), u64>,
}

/// What the audit log says of a request before its answer is known.
pub(super) struct Asked {
    entry: AuditEntry,
    write: bool,
}

impl Asked {
    pub(super) fn of(
        now: Timestamp,
        caller: &Caller,
        request: &ApiRequest,
        manager: String,
    ) -> Self {
        let entry = AuditEntry {
            at: now,
            user: caller.user.clone(),
            agent: caller.agent.clone(),
            verb: super::server::verb_name(&request.verb),
            object: request.reference(),
            subresource: request.subresource.as_ref().map_or("", |s| s.name()).into(),
            manager,
            dry_run: request.is_dry_run(),
            code: 0,
            message: String::new(),
            version: None,
        };
        Asked { entry, write: request.is_write() || request.is_dry_run() }
    }
}

impl Audit {
    pub(super) fn record(
        &mut self,
        asked: Asked,
        answer: &Result<ApiResponse, Status>,
        written: Option<ResourceVersion>,
    ) {
        let Asked { mut entry, write } = asked;
        match answer {
            Ok(_) if !write => return self.count(entry),
            Ok(response) => entry.code = response.code,
            Err(status) => {
                entry.code = status.code;
                entry.message.clone_from(&status.message);
            }
        }
        entry.version = written;
        self.entries.enqueue_mut(entry);
        self.recorded += 1;
        if self.entries.len() > KEPT {
            self.entries.dequeue_mut();
        }
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &AuditEntry> {
        self.entries.iter()
    }

    /// How many entries there were, those that are no longer kept too.
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    pub(super) fn reads(&self) -> impl Iterator<Item = (&str, &'static str, &str, u64)> {
        self.reads.iter().map(|((user, verb, kind), n)| (user.as_str(), *verb, kind.as_str(), *n))
    }

    fn count(&mut self, read: AuditEntry) {
        let key = (read.user, read.verb, read.object.kind);
        let before = self.reads.get(&key).copied().unwrap_or(0);
        self.reads.insert_mut(key, before + 1);
    }
}
