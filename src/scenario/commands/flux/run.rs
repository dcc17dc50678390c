//! flux at work.

use serde_json::{Value, json};

use super::{Flux, Resource, Verb};
use crate::api::{ApiRequest, Caller, DeleteOptions, Patch, Status, WriteOptions};
use crate::engine::{KUSTOMIZE_API, REQUESTED_AT, SOURCE_API};
use crate::object::{GroupVersionKind, Object, ObjectRef};
use crate::reconciler::conditions;
use crate::scenario::commands::kubectl::{Awaited, table};
use crate::scenario::commands::terminal::{Answer, Output, Terminal, Waiting};
use crate::sim::World;
use crate::time::Duration;

/// Runs a command.
pub(crate) fn run(terminal: &mut Terminal<'_>, command: &Flux) -> Answer {
    let mut at = At {
        world: terminal.world,
        who: terminal.who,
        namespace: &command.namespace,
        out: Output::default(),
    };
    match at.carry_out(&command.verb) {
        Err(status) => {
            at.out.error(format!("✗ {}", status.message));
            at.out.into()
        }
        Ok(None) => at.out.into(),
        Ok(Some((what, timeout))) => {
            let (deadline, so_far) = (Some(at.world.now() + timeout), at.out);
            Answer::Wait(Waiting { what, deadline, so_far })
        }
    }
}

impl Resource {
    pub(crate) fn kind(self) -> GroupVersionKind {
        match self {
            Resource::Kustomization => GroupVersionKind::new(KUSTOMIZE_API, "Kustomization"),
            Resource::GitRepository => GroupVersionKind::new(SOURCE_API, "GitRepository"),
        }
    }

    /// As flux prints the kind when it suspends, resumes or deletes.
    fn human(self) -> &'static str {
        match self {
            Resource::Kustomization => "kustomization",
            Resource::GitRepository => "source git",
        }
    }
}

/// Somebody with flux.
struct At<'a> {
    world: &'a mut World,
    who: &'a str,
    namespace: &'a str,
    out: Output,
}

impl At<'_> {
    /// Does what is asked; what must then be waited for is returned, and for how long at most.
    fn carry_out(&mut self, verb: &Verb) -> Result<Option<(Awaited, Duration)>, Status> {
        match verb {
            Verb::Reconcile { what, name, with_source, timeout } => {
                let awaited = self.reconcile(*what, &name.text, *with_source)?;
                return Ok(Some((awaited, *timeout)));
            }
            Verb::Suspend { what, name } => self.suspend(*what, &name.text)?,
            Verb::Resume { what, name, timeout } => {
                return Ok(Some((self.resume(*what, &name.text)?, *timeout)));
            }
            Verb::Get { what } => self.get(*what),
            Verb::CreateSource { name, url, branch, interval } => {
                let spec = json!({
                    "interval": interval.to_string(), "url": url, "ref": {"branch": branch},
                });
                self.create(Resource::GitRepository, name, spec)?;
            }
            Verb::CreateKustomization { .. } => self.create_kustomization(verb)?,
            Verb::Delete { what, name } => self.delete(*what, &name.text)?,
        }
        Ok(None)
    }

    fn ask(&mut self, request: ApiRequest) -> Result<Object, Status> {
        let own = super::super::kubectl::caller(self.world, self.who);
        let caller = Caller { agent: "flux/v2.9.0".into(), ..own };
        let answer = self.world.request(&caller, request)?;
        Ok(answer.into_object().unwrap_or_else(|| Object::new("v1", "Status", "", "")))
    }

    fn find(&mut self, what: Resource, name: &str) -> Result<Object, Status> {
        self.ask(ApiRequest::get(&what.kind(), self.namespace, name))
    }

    fn reconcile(
        &mut self,
        what: Resource,
        name: &str,
        with_source: bool,
    ) -> Result<Awaited, Status> {
        let object = self.find(what, name)?;
        if object.get("spec.suspend") == Some(&Value::Bool(true)) {
            return Err(Status::unreachable("resource is suspended"));
        }
        let mut then = Vec::new();
        let mut first = (what, name.to_owned());
        if with_source && what == Resource::Kustomization {
            then.push(first.clone());
            first = (Resource::GitRepository, object.text("spec.sourceRef.name").to_owned());
        }
        self.annotate(first.0, &first.1)?;
        Ok(self.awaited(first.0, &first.1, then))
    }

    fn awaited(&self, what: Resource, name: &str, then: Vec<(Resource, String)>) -> Awaited {
        Awaited::Reconciled {
            object: what.kind().named(self.namespace, name),
            requested_at: self.world.now().to_micro_string(),
            then,
            who: self.who.to_owned(),
        }
    }

    fn annotate(&mut self, what: Resource, name: &str) -> Result<(), Status> {
        let kind = what.kind().kind;
        self.out.line(format!("► annotating {kind} {name} in {} namespace", self.namespace));
        let at = self.world.now().to_micro_string();
        let note = json!({"metadata": {"annotations": {(REQUESTED_AT): at}}});
        self.patch(what, name, note)?;
        self.out.line(format!("✔ {kind} annotated"));
        self.out.line(format!("◎ waiting for {kind} reconciliation"));
        Ok(())
    }

    fn patch(&mut self, what: Resource, name: &str, body: Value) -> Result<Object, Status> {
        let options = WriteOptions { field_manager: "flux".into(), ..WriteOptions::default() };
        self.ask(ApiRequest::patch(&what.kind(), self.namespace, name, Patch::Merge(body), options))
    }

    fn suspend(&mut self, what: Resource, name: &str) -> Result<(), Status> {
        self.find(what, name)?;
        let human = what.human();
        self.out.line(format!("► suspending {human} {name} in {} namespace", self.namespace));
        self.patch(what, name, json!({"spec": {"suspend": true}}))?;
        self.out.line(format!("✔ {human} suspended"));
        Ok(())
    }

    fn resume(&mut self, what: Resource, name: &str) -> Result<Awaited, Status> {
        self.find(what, name)?;
        let human = what.human();
        self.out.line(format!("► resuming {human} {name} in {} namespace", self.namespace));
        let at = self.world.now().to_micro_string();
        let note = json!({(REQUESTED_AT): at});
        self.patch(
            what,
            name,
            json!({"metadata": {"annotations": note}, "spec": {"suspend": null}}),
        )?;
        self.out.line(format!("✔ {human} resumed"));
        self.out.line(format!("◎ waiting for {} reconciliation", what.kind().kind));
        Ok(self.awaited(what, name, Vec::new()))
    }

    fn get(&mut self, what: Option<Resource>) {
        let kinds = match what {
            Some(what) => vec![what],
            None => vec![Resource::GitRepository, Resource::Kustomization],
        };
        for (i, what) in kinds.iter().enumerate() {
            let kind = what.kind();
            let objects: Vec<&Object> = self
                .world
                .server()
                .objects_of(&kind.group, &kind.kind)
                .filter(|object| object.namespace() == self.namespace)
                .collect();
            let rows: Vec<Vec<String>> = objects.into_iter().map(|o| row(o, *what)).collect();
            if rows.is_empty() {
                let namespace = self.namespace;
                self.out
                    .error(format!("✗ no {} objects found in {namespace:?} namespace", kind.kind));
                continue;
            }
            let head = ["NAME", "REVISION", "SUSPENDED", "READY", "MESSAGE"];
            let gap = if i > 0 { "\n" } else { "" };
            self.out.text +=
                &format!("{gap}{}", table(Some(head.map(str::to_owned).to_vec()), &rows));
        }
    }

    fn create_kustomization(&mut self, verb: &Verb) -> Result<(), Status> {
        let Verb::CreateKustomization {
            name,
            source,
            path,
            prune,
            wait,
            interval,
            depends_on,
            target_namespace,
        } = verb
        else {
            return Ok(());
        };
        let mut spec = json!({
            "interval": interval.to_string(), "path": path, "prune": prune,
            "sourceRef": {"kind": "GitRepository", "name": source},
        });
        if *wait {
            spec["wait"] = true.into();
        }
        if !depends_on.is_empty() {
            spec["dependsOn"] = depends_on.iter().map(|name| json!({"name": name})).collect();
        }
        if let Some(namespace) = target_namespace {
            spec["targetNamespace"] = json!(namespace);
        }
        self.create(Resource::Kustomization, name, spec)
    }

    fn create(&mut self, what: Resource, name: &str, spec: Value) -> Result<(), Status> {
        let kind = what.kind();
        self.out.line(format!("✚ generating {}", kind.kind));
        self.out.line(format!("► applying {}", kind.kind));
        let mut object = Object::new(&kind.api_version(), &kind.kind, self.namespace, name);
        object.set("spec", spec.clone());
        let options = WriteOptions { field_manager: "flux".into(), ..WriteOptions::default() };
        match self.ask(ApiRequest::create(object, options)) {
            Ok(_) => self.out.line(format!("✔ {} created", kind.kind)),
            Err(status) if status.is_already_exists() => {
                self.patch(what, name, json!({"spec": spec}))?;
                self.out.line(format!("✔ {} updated", kind.kind));
            }
            Err(status) => return Err(status),
        }
        Ok(())
    }

    fn delete(&mut self, what: Resource, name: &str) -> Result<(), Status> {
        self.find(what, name)?;
        let human = what.human();
        self.out.line(format!("► deleting {human} {name} in {} namespace", self.namespace));
        let request =
            ApiRequest::delete(&what.kind(), self.namespace, name, DeleteOptions::default());
        self.ask(request)?;
        self.out.line(format!("✔ {human} deleted"));
        Ok(())
    }
}

fn row(object: &Object, what: Resource) -> Vec<String> {
    let ready = conditions(object).into_iter().find(|condition| condition.kind == "Ready");
    let path = match what {
        Resource::Kustomization => "status.lastAppliedRevision",
        Resource::GitRepository => "status.artifact.revision",
    };
    let suspended = object.get("spec.suspend") == Some(&Value::Bool(true));
    let (status, message) = ready.map_or_else(Default::default, |c| (c.status, c.message));
    vec![
        object.name().into(),
        short(object.text(path)),
        if suspended { "True" } else { "False" }.into(),
        status,
        short(&message),
    ]
}

/// A text with its commit ids cut to eight digits, as flux prints them.
fn short(text: &str) -> String {
    text.split(' ')
        .map(|word| match word.split_once("sha1:") {
            Some((before, id)) if id.len() > 8 => format!("{before}sha1:{}", &id[..8]),
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Asks for the next of several reconciliations; `None` when that fails, which is printed.
pub(crate) fn follow(
    world: &mut World,
    who: &str,
    namespace: &str,
    (what, name): (Resource, &str),
    then: Vec<(Resource, String)>,
    out: &mut Output,
) -> Option<Awaited> {
    let mut at = At { world, who, namespace, out: std::mem::take(out) };
    let asked = at.annotate(what, name);
    let awaited = at.awaited(what, name, then);
    *out = at.out;
    match asked {
        Ok(()) => Some(awaited),
        Err(status) => {
            out.error(format!("✗ {}", status.message));
            None
        }
    }
}

/// Whether an object was reconciled at a request; prints how it ended.
pub(crate) fn reconciled(
    world: &World,
    object: &ObjectRef,
    requested_at: &str,
    out: &mut Output,
) -> bool {
    let Some(found) = world.server().get(object) else {
        out.error(format!("✗ {object} not found"));
        return true;
    };
    let handled = found.text("status.lastHandledReconcileAt") == requested_at;
    let ready = conditions(found).into_iter().find(|condition| condition.kind == "Ready");
    let Some(ready) = ready.filter(|ready| handled && ready.status != "Unknown") else {
        return false;
    };
    if !ready.is_true() {
        out.error(format!("✗ {} reconciliation failed: '{}'", object.kind, ready.message));
        return true;
    }
    match object.kind.as_str() {
        "GitRepository" => {
            out.line(format!("✔ fetched revision {}", found.text("status.artifact.revision")));
        }
        _ => out.line(format!("✔ applied revision {}", found.text("status.lastAppliedRevision"))),
    }
    true
}
