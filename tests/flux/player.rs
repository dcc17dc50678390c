//! Plays a story: does what it says, asks for reconciliations, and writes down what is then to be seen.

use driftlab::sim::World;
use driftlab::time::{Duration, Timestamp};
use serde_json::{Value, json};

use super::repository::StoryRepository;
use super::see::See;
use super::wire;

pub(crate) const FLUX: &str = "/apis/kustomize.toolkit.fluxcd.io/v1";
const SOURCE: &str = "/apis/source.toolkit.fluxcd.io/v1";
const LOOK: Duration = Duration::from_millis(50);
/// How many moves a story may take: more is a cluster that runs away.
const MOVES: usize = 20_000;

pub(crate) struct Story<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) case: &'a Value,
    pub(crate) namespace: String,
    repository: StoryRepository,
    url: String,
    published: bool,
    tokens: u32,
    moves: usize,
}

impl<'a> Story<'a> {
    pub(crate) fn new(world: &'a mut World, case: &'a Value) -> Self {
        let namespace = case["namespace"].as_str().expect("a story has a namespace").to_owned();
        let url = format!("http://git.invalid/{namespace}.git");
        let repository = StoryRepository::new();
        Story { world, case, namespace, repository, url, published: false, tokens: 0, moves: 0 }
    }

    /// Plays every step; gives back what each did and showed. A story whose cluster runs away ends there:
    /// `None`.
    pub(crate) fn play(mut self) -> Option<Vec<Value>> {
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        self.call("POST", "/api/v1/namespaces", Some(&namespace), "json", "flux-story");
        let mut see = See::default();
        let case = self.case;
        let steps = case["steps"].as_array().expect("a story has steps");
        let mut played = Vec::new();
        for step in steps {
            let did = self.step(&step["step"]);
            played.push(json!({"did": did, "see": see.look(&mut self)}));
            if self.moves >= MOVES {
                return None;
            }
        }
        self.clean();
        Some(played)
    }

    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        media: &str,
        agent: &str,
    ) -> (u16, Value) {
        let request = wire::request(method, path, body, media);
        wire::answer(self.world.request(&wire::admin(agent), request))
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, None, "", "flux-story").1
    }

    pub(crate) fn wait_for(&mut self, span: Duration) {
        let end = self.world.now() + span;
        while self.moves < MOVES && self.world.next_at().is_some_and(|next| next <= end) {
            self.world.step();
            self.moves += 1;
        }
        if self.moves < MOVES {
            self.world.run_until(end);
        }
    }

    fn step(&mut self, step: &Value) -> Vec<Value> {
        let mut did = Vec::new();
        for action in step["do"].as_array().into_iter().flatten() {
            did.push(self.act(action));
            let path = action["path"].as_str().unwrap_or_default();
            if action.get("body").is_none() || path.contains("kustomizations") {
                self.settle();
            }
        }
        for name in step["reconcile"].as_array().into_iter().flatten() {
            self.reconcile(name.as_str().expect("a name"));
        }
        did
    }

    fn act(&mut self, action: &Value) -> Value {
        if let Some(files) = action["commit"].as_object() {
            self.repository.commit(files, action["message"].as_str().unwrap_or("a change"));
            return self.publish();
        }
        if action.get("revert").is_some() {
            self.repository.revert_head();
            return self.publish();
        }
        if let Some(path) = action["gone"].as_str() {
            let seconds = action["within"].as_u64().unwrap_or(20);
            return self
                .wait(seconds, |story| story.call("GET", path, None, "", "flux-story").0 == 404)
                .into();
        }
        let text = |field: &str, default: &'static str| {
            action[field].as_str().unwrap_or(default).to_owned()
        };
        let (method, path) = (text("method", ""), text("path", ""));
        let (media, agent) = (text("type", "json"), text("agent", "kubectl"));
        self.call(&method, &path, action.get("body"), &media, &agent).0.into()
    }

    fn publish(&mut self) -> Value {
        let url = self.url.clone();
        self.world.add_repository(&url, self.repository.repository.clone());
        if !self.published {
            let source = json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": {"name": "repo", "namespace": self.namespace},
                "spec": {"interval": "1h", "url": url, "ref": {"branch": "main"}}});
            let path = format!("{SOURCE}/namespaces/{}/gitrepositories", self.namespace);
            self.call("POST", &path, Some(&source), "json", "flux-story");
            self.published = true;
        }
        self.fetch();
        self.repository.revision().into()
    }

    fn fetch(&mut self) {
        self.repository.revision();
        self.repository.command(); // git archive
        let path = format!("{SOURCE}/namespaces/{}/gitrepositories/repo", self.namespace);
        let token = self.ask(&path);
        self.wait(20, |story| story.get(&path)["status"]["lastHandledReconcileAt"] == *token);
    }

    fn ask(&mut self, path: &str) -> String {
        self.tokens += 1;
        // A namespace may be that of an earlier story: its tokens were others.
        let token = format!("{}-{}", self.case["case"], self.tokens);
        let patch =
            json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
        self.call("PATCH", path, Some(&patch), "merge", "flux-story");
        token
    }

    fn reconcile(&mut self, name: &str) {
        let path = format!("{FLUX}/namespaces/{}/kustomizations/{name}", self.namespace);
        self.quiet(&path);
        let token = self.ask(&path);
        self.wait(40, |story| story.get(&path)["status"]["lastHandledReconcileAt"] == *token);
        self.quiet(&path);
    }

    fn settle(&mut self) {
        let path = format!("{FLUX}/namespaces/{}/kustomizations", self.namespace);
        let listed = self.get(&path);
        for item in listed["items"].as_array().into_iter().flatten() {
            let name = item["metadata"]["name"].as_str().expect("objects have names");
            self.quiet(&format!("{path}/{name}"));
        }
    }

    /// Waits until nothing has been written to an object for a while and nobody says they are at work on it.
    fn quiet(&mut self, path: &str) {
        let mut last: Option<(u16, Value)> = None;
        let mut since = Timestamp::default();
        for _ in 0..400 {
            if self.moves >= MOVES {
                return;
            }
            let (status, object) = self.call("GET", path, None, "", "flux-story");
            let seen = Some((status, object["metadata"]["resourceVersion"].clone()));
            if seen != last {
                (last, since) = (seen, self.world.now());
            }
            let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
            let busy =
                conditions.into_iter().any(|c| c["type"] == "Ready" && c["status"] == "Unknown");
            let enough = Duration::from_millis(if busy { 20_000 } else { 300 });
            if self.world.now().since(since) > enough {
                return;
            }
            self.wait_for(LOOK);
        }
    }

    fn wait(&mut self, seconds: u64, holds: impl Fn(&mut Self) -> bool) -> bool {
        let end = self.world.now() + Duration::from_secs(seconds);
        while self.world.now() < end && self.moves < MOVES {
            if holds(self) {
                return true;
            }
            self.wait_for(LOOK);
        }
        false
    }

    /// Lets go of what would otherwise go on reconciling, and of what outlives the namespace.
    fn clean(&mut self) {
        let path = format!("{FLUX}/namespaces/{}/kustomizations", self.namespace);
        let listed = self.get(&path);
        for item in listed["items"].as_array().into_iter().flatten() {
            let path = format!(
                "{path}/{}",
                item["metadata"]["name"].as_str().expect("objects have names")
            );
            let patch = json!({"spec": {"suspend": true}, "metadata": {"finalizers": null}});
            self.call("PATCH", &path, Some(&patch), "merge", "flux-story");
            self.call("DELETE", &path, None, "", "flux-story");
        }
        for path in self.case["remove"].as_array().into_iter().flatten() {
            self.call("DELETE", path.as_str().expect("a path"), None, "", "flux-story");
        }
    }
}
