//! kubectl at work.

use super::ask::Asking;
use super::wait::Awaited;
use super::{Kubectl, Rollout, Verb};
use crate::scenario::commands::terminal::{Answer, Output, Terminal, Waiting};
use crate::time::Duration;

/// Runs a command.
pub(crate) fn run(terminal: &mut Terminal<'_>, command: &Kubectl) -> Answer {
    let files = terminal.files();
    let mut asking = Asking {
        who: terminal.who,
        namespace: command.namespace.as_ref().map_or("default", |word| &word.text).to_owned(),
        namespace_given: command.namespace.is_some(),
        files,
        out: Output::default(),
        world: terminal.world,
    };
    let awaited = asking.carry_out(&command.verb);
    let (so_far, now) = (std::mem::take(&mut asking.out), asking.world.now());
    let Some((what, timeout)) = awaited else { return Answer::Done(so_far) };
    let mut waiting = Waiting { what, deadline: timeout.map(|span| now + span), so_far };
    match waiting.poll(terminal.world) {
        Some(output) => Answer::Done(output),
        None => Answer::Wait(waiting),
    }
}

impl Asking<'_> {
    /// Does what is asked; what must then be waited for is returned, and for how long at most.
    fn carry_out(&mut self, verb: &Verb) -> Option<(Awaited, Option<Duration>)> {
        match verb {
            Verb::Apply { files, server_side, dry_run } => {
                self.apply(files, server_side.as_ref(), *dry_run);
            }
            Verb::Create { files, dry_run } => self.create_files(files, *dry_run),
            Verb::CreateObject { object, dry_run } => self.create_object(object, *dry_run),
            Verb::Replace { files, dry_run } => self.replace(files, *dry_run),
            Verb::Get { targets, view } => self.show(targets, view),
            Verb::Describe { targets } => self.describe(targets),
            Verb::Delete { what, options } => {
                return self.delete(what, options).map(|gone| (gone, options.timeout));
            }
            Verb::Scale { targets, replicas, current } => {
                self.scale(targets, *replicas, *current);
            }
            Verb::Patch { targets, body, kind, subresource, dry_run } => {
                self.patch(targets, body, *kind, subresource.as_deref(), *dry_run);
            }
            Verb::SetImage { targets, images } => self.set_image(targets, images),
            Verb::SetEnv { targets, container, variables } => {
                self.set_env(targets, container.as_deref(), variables);
            }
            Verb::Metadata { targets, field, changes, overwrite } => {
                self.metadata(targets, *field, changes, *overwrite);
            }
            Verb::Rollout { targets, what } => {
                let timeout = match what {
                    Rollout::Status { timeout, .. } => *timeout,
                    _ => None,
                };
                return self.rollout(targets, what).map(|awaited| (awaited, timeout));
            }
            Verb::Wait { targets, until, timeout } => {
                return self.await_each(targets, until).map(|awaited| (awaited, Some(*timeout)));
            }
            Verb::Diff { files, server_side } => self.diff(files, server_side.as_ref()),
            Verb::Cordon { nodes, unschedulable } => self.cordon(nodes, *unschedulable),
            Verb::Drain { nodes, ignore_daemonsets, force, timeout } => {
                let pods = self.drain(nodes, *ignore_daemonsets, *force);
                if self.out.exit == 0 {
                    let pods = pods.iter().map(|pod| (pod.reference(), pod.uid().to_owned()));
                    let (pods, nodes) = (pods.collect(), nodes.clone());
                    return Some((Awaited::Drained { pods, nodes }, *timeout));
                }
            }
            Verb::Autoscale { targets, min, max, cpu, name } => {
                self.autoscale(targets, (*min, *max), *cpu, name.as_deref());
            }
        }
        None
    }

    fn await_each(&mut self, targets: &super::Targets, until: &super::Until) -> Option<Awaited> {
        let mut objects = Vec::new();
        for (word, name) in &targets.kinds {
            for kind in self.kinds(word) {
                let namespace = self.namespace_for(&kind);
                match name {
                    Some(name) => {
                        let object = kind.gvk.named(&namespace, name);
                        objects.push((kind, object));
                    }
                    None => match self.find_of(&kind, None, targets) {
                        Ok(found) => {
                            objects.extend(found.iter().map(|o| (kind.clone(), o.reference())));
                        }
                        Err(status) => self.refused(&status),
                    },
                }
            }
        }
        let missing = |(_, object): &&(super::kinds::Kind, crate::object::ObjectRef)| {
            self.world.server().get(object).is_none()
        };
        let waits_for_them = matches!(until, super::Until::Created | super::Until::Deleted);
        if let Some((kind, object)) = objects.iter().find(missing).filter(|_| !waits_for_them) {
            let (resource, name) = (kind.resource(), object.name.clone());
            self.out.error(format!("Error from server (NotFound): {resource} {name:?} not found"));
            return None;
        }
        (self.out.exit == 0).then(|| Awaited::Each { objects, until: until.clone() })
    }
}
