//! What a command waits for, and what it says while it does: `wait`, `rollout status`, `delete`, and
//! flux's `reconcile`.

use super::Until;
use super::kinds::Kind;
use super::rollout::{Progress, progress};
use crate::apiserver::table::columns;
use crate::apiserver::table::jsonpath::Template;
use crate::object::{Object, ObjectRef};
use crate::reconciler::conditions;
use crate::scenario::commands::flux::{Resource, follow, reconciled};
use crate::scenario::commands::terminal::{Output, Waiting};
use crate::sim::World;

/// What a command waits for.
#[derive(Clone, Debug)]
pub(crate) enum Awaited {
    /// These objects are gone: another of the same name is not the same.
    Gone(Vec<(ObjectRef, String)>),
    /// These pods are gone, then the nodes are drained.
    Drained { pods: Vec<(ObjectRef, String)>, nodes: Vec<String> },
    /// A rollout is complete.
    Rollout { object: ObjectRef, said: String },
    /// Each object is as wanted.
    Each { objects: Vec<(Kind, ObjectRef)>, until: Until },
    /// A Flux object was reconciled at a request; `then` come others, asked by the same person.
    Reconciled {
        object: ObjectRef,
        requested_at: String,
        then: Vec<(Resource, String)>,
        who: String,
    },
}

impl Waiting {
    /// Looks whether it is over; `None` while it is not.
    pub(crate) fn poll(&mut self, world: &mut World) -> Option<Output> {
        let over = match &mut self.what {
            Awaited::Gone(gone) => all_gone(world, gone),
            Awaited::Drained { pods, nodes } => {
                let over = all_gone(world, pods);
                if over {
                    for (pod, _) in pods {
                        self.so_far.line(format!("pod/{} evicted", pod.name));
                    }
                    nodes.iter().for_each(|node| self.so_far.line(format!("node/{node} drained")));
                }
                over
            }
            Awaited::Rollout { object, said } => rollout(world, object, said, &mut self.so_far),
            Awaited::Each { objects, until } => {
                objects.retain(|(kind, object)| {
                    let met = is_met(world, object, until);
                    if met {
                        self.so_far.line(format!("{} condition met", kind.name(&object.name)));
                    }
                    !met
                });
                objects.is_empty()
            }
            Awaited::Reconciled { object, requested_at, then, who } => {
                if !reconciled(world, object, requested_at, &mut self.so_far) {
                    false
                } else if self.so_far.exit == 0 && !then.is_empty() {
                    let (what, name) = then.remove(0);
                    let namespace = object.namespace.clone();
                    let (who, then) = (std::mem::take(who), std::mem::take(then));
                    match follow(world, &who, &namespace, (what, &name), then, &mut self.so_far) {
                        Some(next) => {
                            self.what = next;
                            false
                        }
                        None => true,
                    }
                } else {
                    true
                }
            }
        };
        if over {
            return Some(std::mem::take(&mut self.so_far));
        }
        self.deadline.is_some_and(|deadline| world.now() >= deadline).then(|| self.give_up())
    }

    /// What is printed when time is up.
    pub(crate) fn give_up(&mut self) -> Output {
        let mut out = std::mem::take(&mut self.so_far);
        match &self.what {
            Awaited::Gone(gone) => {
                for (object, _) in gone {
                    let kind = object.kind.to_lowercase();
                    out.error(format!(
                        "error: timed out waiting for the condition on {kind}s/{}",
                        object.name
                    ));
                }
            }
            Awaited::Each { objects, .. } => {
                for (kind, object) in objects {
                    out.error(format!(
                        "error: timed out waiting for the condition on {}/{}",
                        kind.plural, object.name
                    ));
                }
            }
            Awaited::Reconciled { .. } => out.error("✗ context deadline exceeded"),
            _ => out.error("error: timed out waiting for the condition"),
        }
        out
    }
}

fn all_gone(world: &World, objects: &[(ObjectRef, String)]) -> bool {
    objects.iter().all(|(object, uid)| {
        world.server().get(object).is_none_or(|found| found.uid() != uid.as_str())
    })
}

fn rollout(world: &World, object: &ObjectRef, said: &mut String, out: &mut Output) -> bool {
    let Some(found) = world.server().get(object) else {
        out.error("error: object has been deleted");
        return true;
    };
    let (line, over) = match progress(found) {
        Progress::Waiting(line) => (line, false),
        Progress::Done(line) => (line, true),
        Progress::Failed(line) => {
            out.error(line);
            return true;
        }
    };
    if *said != line {
        out.line(&line);
        *said = line;
    }
    over
}

fn is_met(world: &World, object: &ObjectRef, until: &Until) -> bool {
    let found = world.server().get(object);
    match until {
        Until::Created => found.is_some(),
        Until::Deleted => found.is_none(),
        Until::Condition { name, status } => found.is_some_and(|found| {
            conditions(found).iter().any(|condition| {
                condition.kind.eq_ignore_ascii_case(name)
                    && condition.status.eq_ignore_ascii_case(status)
            })
        }),
        Until::Path { template, value } => {
            found.is_some_and(|found| path_is(template, found, value))
        }
    }
}

fn path_is(template: &Template, object: &Object, value: &str) -> bool {
    let found = template.render(object.as_value());
    if value.is_empty() { !found.is_empty() } else { found == value }
}

/// The state of a pod, in the word of `kubectl get pods`.
pub(crate) fn pod_state(pod: &Object) -> String {
    columns::pod_status(pod)
}
