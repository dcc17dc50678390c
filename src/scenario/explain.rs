//! Who set this, and why: from a field back to a line, a commit and a person.

use std::fmt;

use serde_json::{Value, json};

use super::mistake::Mistake;
use super::names::{FieldPath, ObjectWords, object_words};
use super::origin::{Origin, Sources};
use super::run::Run;
use super::run::claim::managers;
use crate::object::{Object, ObjectRef};
use crate::report::clock;
use crate::time::{Duration, Timestamp};
use crate::trace::{Event, FieldChange, Role, What};

/// Why a field of an object is as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The object.
    pub object: ObjectRef,
    /// The field, dotted.
    pub field: String,
    /// Its value; `None` when it is not set.
    pub value: Option<Value>,
    /// The field managers that own it, from its managed fields.
    pub managers: Vec<String>,
    /// The writes that changed it, in order.
    pub writes: Vec<Write>,
    /// The Git revision that it goes back to, if it does.
    pub origin: Option<Origin>,
}

/// A write that changed a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// When, since the start of the run.
    pub at: Duration,
    /// Who.
    pub actor: String,
    /// What that is: a person, or a controller.
    pub role: Role,
    /// The field manager it was made as.
    pub manager: String,
    /// The verb of the request, such as `patch`.
    pub verb: String,
    /// The command that a person typed to make it; empty for controllers.
    pub command: String,
    /// The Git revision that it carried out; empty for none.
    pub revision: String,
    /// The leaf that changed, and how.
    pub change: FieldChange,
}

impl Run {
    /// Explains a field of an object, named as for kubectl: `deployment/hello -n hello`, `spec.replicas`.
    ///
    /// # Errors
    ///
    /// When the words name no object that is there, or the field's path cannot be read.
    pub fn explain(&self, object: &str, field: &str) -> Result<Explanation, Mistake> {
        let path = FieldPath::read(field).map_err(|message| Mistake::at("", message))?;
        let found = self.object(object)?;
        Ok(self.explained(found, &path, self.sources(found).as_ref()))
    }

    /// The object that words name.
    pub(super) fn object(&self, words: &str) -> Result<&Object, Mistake> {
        let mistake = |message: String| Mistake::at("", message);
        let words = object_words(words).map_err(|message| {
            mistake(message).hint("expected KIND/NAME -n NAMESPACE, as for kubectl")
        })?;
        let name = words.find(self.world.server()).ok_or_else(|| {
            mistake(format!("the server doesn't have a resource type {:?}", words.kind))
        })?;
        self.world.server().get(&name).ok_or_else(|| self.missing(&name, &words))
    }

    /// Why a field of an object is as it is, that comes from these files if from any.
    pub(super) fn explained(
        &self,
        object: &Object,
        path: &FieldPath,
        sources: Option<&Sources<'_>>,
    ) -> Explanation {
        Explanation {
            field: path.to_string(),
            value: path.get(object).cloned(),
            managers: managers(object, path),
            origin: sources.map(|sources| sources.origin(path)),
            writes: self.writes(&object.reference(), path),
            object: object.reference(),
        }
    }

    fn missing(&self, name: &ObjectRef, words: &ObjectWords) -> Mistake {
        let mistake = Mistake::at("", format!("{name} is not there at the end of the run"));
        let same = |object: &&Object| object.kind() == name.kind && object.name() == name.name;
        let elsewhere = self.world.server().objects().find(same);
        match elsewhere {
            Some(other) => mistake.hint(format!("it is in -n {}", other.namespace())),
            None => {
                let all = self.world.server().objects_of(&name.group, &name.kind);
                let names: Vec<&str> = all.map(Object::name).collect();
                mistake.did_you_mean(&words.name, names)
            }
        }
    }

    fn writes(&self, object: &ObjectRef, path: &FieldPath) -> Vec<Write> {
        let start = self.world.now() - self.world.elapsed();
        let events: Vec<&Event> = self.trace().events().collect();
        let write = |(i, event): (usize, &&Event)| {
            let What::Request { object: about, verb, manager, changed, .. } = &event.what else {
                return None;
            };
            if about != object || !event.is_stored_write() {
                return None;
            }
            let change = changed.iter().find(|change| path.covers(&change.path))?;
            Some(Write {
                at: event.at.since(start),
                actor: event.actor.clone(),
                role: event.role,
                manager: manager.clone(),
                verb: verb.clone(),
                command: command(&events[..i], event),
                revision: event.revision.clone(),
                change: change.clone(),
            })
        };
        events.iter().enumerate().filter_map(write).collect()
    }

    /// The files that an object comes from, if a Kustomization applied it.
    pub(super) fn sources<'a>(&'a self, object: &'a Object) -> Option<Sources<'a>> {
        let owner = |field: &str| {
            object.label(&format!("kustomize.toolkit.fluxcd.io/{field}")).map(str::to_owned)
        };
        let kustomization = ObjectRef::new(
            "kustomize.toolkit.fluxcd.io",
            "Kustomization",
            &owner("namespace")?,
            &owner("name")?,
        );
        Sources::of(&self.world, kustomization, object)
    }
}

/// The command that somebody was at when a request was made.
fn command(before: &[&Event], request: &Event) -> String {
    if request.role != Role::Person {
        return String::new();
    }
    let of_the_same = before.iter().rev().filter(|event| event.actor == request.actor);
    let told = of_the_same.filter_map(|event| match &event.what {
        What::Typed { line } => Some(Some(line)),
        What::Answered { .. } => Some(None),
        _ => None,
    });
    told.into_iter().next().flatten().cloned().unwrap_or_default()
}

impl Explanation {
    /// Whether somebody set it past Git: the last write carried out no revision, and Git has another
    /// value, or none.
    pub fn is_past_git(&self) -> bool {
        let in_git = self.origin.as_ref().and_then(|origin| origin.value.as_ref());
        let agrees = in_git.is_some() && in_git == self.value.as_ref();
        self.writes.last().is_some_and(|write| write.revision.is_empty()) && !agrees
    }

    /// As JSON, for programs.
    ///
    /// `object`, `field` and `value`; `answer`: `git`, `past-git`, `default` or `nobody`; `managers`;
    /// `writes`, each with `ms` since the start, `actor`, `manager`, `verb`, `command`, `revision`, `path`,
    /// `before` and `after`; `origin`, or null: `kustomization`, `source`, `url`, `revision`, `value` and
    /// `line`, or null: `path`, `number`, `text`, `commit`, `subject`, `author`, `when`, `pull`. What is
    /// empty is null. Fields are only ever added.
    pub fn to_json(&self) -> Value {
        json!({
            "object": reference(&self.object), "field": self.field, "value": self.value,
            "answer": self.kind(), "managers": self.managers,
            "writes": self.writes.iter().map(Write::to_json).collect::<Vec<_>>(),
            "origin": self.origin.as_ref().map(Origin::to_json),
        })
    }

    fn kind(&self) -> &'static str {
        match self.writes.last() {
            _ if self.is_default() => "default",
            None => "nobody",
            Some(_) if self.is_past_git() => "past-git",
            Some(_) => "git",
        }
    }

    /// Whether the API server filled it in: nobody manages it, and no file has it.
    pub(super) fn is_default(&self) -> bool {
        let in_file = self.origin.as_ref().is_some_and(|origin| origin.line.is_some());
        self.value.is_some() && self.managers.is_empty() && !in_file
    }

    fn head(&self) -> String {
        let value = self.value.as_ref().map_or("not set".to_owned(), |value| format!("= {value}"));
        format!("{} {} {value}", self.object, self.field)
    }

    /// The answer in a line, and what leads to it below.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![self.answer()];
        if !self.managers.is_empty() {
            lines.push(("managed by", self.managers.join(", ")));
        }
        if let Some(origin) =
            self.origin.as_ref().filter(|_| !self.is_default() && self.value.is_some())
        {
            let title = if self.is_past_git() { "but in Git" } else { "because" };
            lines.extend(origin.lines(title));
        }
        if self.writes.len() > 1 {
            let history = self.writes.iter().enumerate();
            lines.extend(history.map(|(i, write)| {
                let title = if i == 0 { "history" } else { "" };
                (title, format!("+{:<7} {} {}", clock(write.at), write.actor, values(write)))
            }));
        }
        lines
    }

    fn answer(&self) -> (&'static str, String) {
        match self.writes.last() {
            Some(write) if self.is_default() => {
                let when = format!("when {} wrote it at +{}", write.actor, clock(write.at));
                ("default", format!("filled in by the API server {when}"))
            }
            Some(write) if self.is_past_git() => ("not from Git", by_hand(write)),
            Some(write) => ("set by", told(write)),
            None if self.value.is_none() => ("nobody", "set it: no write of this run did".into()),
            None => ("nobody", "set it in this run: it was there from the start".into()),
        }
    }
}

impl Write {
    /// Whether it was a person's, or a pipeline's from outside.
    pub(super) fn is_by_hand(&self) -> bool {
        matches!(self.role, Role::Person | Role::Pipeline)
    }

    /// What it was made with: the first word of the command that was typed, or the field manager.
    pub(super) fn tool(&self) -> &str {
        self.command.split_whitespace().next().unwrap_or(&self.manager)
    }

    fn to_json(&self) -> Value {
        json!({
            "ms": self.at.as_millis(), "actor": self.actor, "manager": text(&self.manager),
            "verb": self.verb, "command": text(&self.command), "revision": text(&self.revision),
            "path": self.change.path, "before": self.change.before, "after": self.change.after,
        })
    }
}

/// An object's name, as the JSON lines of a run have it.
pub(super) fn reference(object: &ObjectRef) -> Value {
    let ObjectRef { group, kind, namespace, name } = object;
    json!({"group": group, "kind": kind, "namespace": namespace, "name": name})
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Who set what, as people say it: `kustomize-controller at +2m34s, 5 → 3`.
fn told(write: &Write) -> String {
    format!("{} at +{} ({})", write.actor, clock(write.at), values(write))
}

/// `set by alice with kubectl at +2m00s: kubectl scale …`.
fn by_hand(write: &Write) -> String {
    let tool = write.tool();
    let command = match write.command.as_str() {
        "" => String::new(),
        line => format!(": {line}"),
    };
    format!(
        "set by {} with {tool} at +{} ({}){command}",
        write.actor,
        clock(write.at),
        values(write)
    )
}

fn values(write: &Write) -> String {
    let show = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_string);
    format!("{} → {}", show(&write.change.before), show(&write.change.after))
}

/// The value, then a line for each link of the chain.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head())?;
        for (title, text) in self.lines() {
            writeln!(f, "  {title:<12}  {text}")?;
        }
        Ok(())
    }
}

/// When something happened, for people.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}
