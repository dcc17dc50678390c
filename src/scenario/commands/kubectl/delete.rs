//! `delete`.

use super::ask::Asking;
use super::kinds::Kind;
use super::wait::Awaited;
use super::{Deletion, DryRun, Victims};
use crate::api::{ApiRequest, DeleteOptions, Propagation, Status};
use crate::object::Object;

impl Asking<'_> {
    /// Deletes, and returns what is to be waited for.
    pub(super) fn delete(&mut self, what: &Victims, options: &Deletion) -> Option<Awaited> {
        let mut gone = Vec::new();
        for (kind, object) in self.victims(what, options) {
            match self.delete_one(&kind, &object, options) {
                Ok(()) => {
                    let from = match object.namespace() {
                        "" => String::new(),
                        namespace => format!(" from {namespace} namespace"),
                    };
                    let suffix = options.dry_run.suffix();
                    let name = kind.singular();
                    self.out.line(format!("{name} {:?} deleted{from}{suffix}", object.name()));
                    gone.push((object.reference(), object.uid().to_owned()));
                }
                Err(status) if status.is_not_found() && options.ignore_not_found => {}
                Err(status) => self.refused(&status),
            }
        }
        let waits = options.wait && options.dry_run == DryRun::No && !gone.is_empty();
        waits.then_some(Awaited::Gone(gone))
    }

    fn victims(&mut self, what: &Victims, options: &Deletion) -> Vec<(Kind, Object)> {
        match what {
            Victims::Targets(targets) => {
                let before = self.out.clone();
                let found = self.find(targets);
                if options.ignore_not_found {
                    self.out = before;
                }
                found.into_iter().map(|found| (found.kind, found.object)).collect()
            }
            Victims::Files(files) => {
                let mut victims = Vec::new();
                for read in self.read(files).unwrap_or_default() {
                    let request = ApiRequest::get(
                        &read.kind.gvk,
                        read.object.namespace(),
                        read.object.name(),
                    );
                    match self.ask_object(request) {
                        Ok(object) => victims.push((read.kind, object)),
                        Err(status) if status.is_not_found() && options.ignore_not_found => {}
                        Err(status) => self.refused(&status),
                    }
                }
                victims
            }
        }
    }

    fn delete_one(
        &mut self,
        kind: &Kind,
        object: &Object,
        options: &Deletion,
    ) -> Result<(), Status> {
        if options.dry_run == DryRun::Client {
            return Ok(());
        }
        let propagation = match options.cascade {
            "orphan" => Propagation::Orphan,
            "foreground" => Propagation::Foreground,
            _ => Propagation::Background,
        };
        let asked = DeleteOptions {
            dry_run: options.dry_run == DryRun::Server,
            propagation: Some(propagation),
            grace_period_seconds: options.grace_period,
            ..DeleteOptions::default()
        };
        let request = ApiRequest::delete(&kind.gvk, object.namespace(), object.name(), asked);
        self.ask(request).map(|_| ())
    }
}
