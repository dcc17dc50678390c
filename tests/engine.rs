//! The engine in a world: what Flux does that the recorded stories do not tell, and what the policies change.

use driftlab::api::{ApiRequest, Caller, DeleteOptions, Patch, WriteOptions};
use driftlab::engine::Policies;
use driftlab::engine::kustomize::{KustomizationController, Options};
use driftlab::git::{Repository, Tree};
use driftlab::object::{GroupVersionKind, Object, ObjectRef};
use driftlab::sim::{World, signature};
use driftlab::time::{Duration, Timestamp};
use serde_json::{Value, json};

const URL: &str = "https://git.example.com/config";

/// A world with one repository, its source and the Kustomization `apps`, whose spec a test may change.
struct Lab {
    world: World,
}

impl Lab {
    fn new(policies: Policies, spec: Value, files: &[(&str, &str)]) -> Self {
        Self::with(KustomizationController::new(policies), spec, files)
    }

    fn with(engine: KustomizationController, spec: Value, files: &[(&str, &str)]) -> Self {
        let mut repository = Repository::new();
        let ada = signature("ada", Timestamp::START);
        let tree = Tree::from_files(files.iter().copied()).unwrap();
        repository.commit(tree, "Begin", ada.clone(), ada);
        let world = World::builder().engine(engine).repository(URL, repository).build();
        let mut lab = Lab { world };
        lab.create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}));
        lab.create(json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "config", "namespace": "web"},
            "spec": {"interval": "1m", "url": URL, "ref": {"branch": "main"}}}));
        lab.kustomization("apps", spec);
        lab.run("45s");
        lab
    }

    fn kustomization(&mut self, name: &str, spec: Value) {
        let mut whole = json!({"interval": "10m", "prune": true, "path": "./", "sourceRef": {"kind": "GitRepository", "name": "config"}});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        self.create(
            json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": name, "namespace": "web"}, "spec": whole}),
        );
    }

    fn create(&mut self, object: Value) {
        let object = Object::from_value(object).unwrap();
        self.world.request(&admin(), ApiRequest::create(object, WriteOptions::default())).unwrap();
    }

    fn patch(&mut self, object: &ObjectRef, manager: &str, patch: Value) {
        let options = WriteOptions { field_manager: manager.into(), ..WriteOptions::default() };
        let (gvk, patch) = (gvk(object), Patch::Merge(patch));
        let request = ApiRequest::patch(&gvk, &object.namespace, &object.name, patch, options);
        self.world.request(&admin(), request).unwrap();
    }

    fn commit(&mut self, files: &[(&str, Option<&str>)]) {
        self.world.commit("ada", URL, "Change", files).unwrap();
        self.run("90s");
    }

    fn run(&mut self, span: &str) {
        self.world.run_for(span.parse().unwrap());
    }

    /// Asks for a reconciliation of the Kustomization now.
    fn reconcile(&mut self) {
        let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": self.world.now().to_micro_string()}}});
        self.patch(&apps(), "flux", asked);
        self.run("20s");
    }

    fn get(&self, object: &ObjectRef) -> Option<Object> {
        self.world.server().get(object).cloned()
    }

    fn data(&self, name: &str) -> Value {
        self.get(&config(name)).and_then(|o| o.get("data").cloned()).unwrap_or(Value::Null)
    }

    fn inventory(&self) -> Vec<String> {
        let entries = self.get(&apps()).and_then(|o| o.get("status.inventory.entries").cloned());
        let entries = entries.unwrap_or_default();
        let ids = entries.as_array().into_iter().flatten();
        ids.map(|e| e["id"].as_str().unwrap().split('_').nth(1).unwrap().to_owned()).collect()
    }

    /// `Ready`'s reason and message.
    fn ready(&self, name: &str) -> (String, String) {
        let object = self.get(&kustomization(name)).unwrap();
        let ready = driftlab::reconciler::conditions(&object)
            .into_iter()
            .find(|c| c.kind == "Ready")
            .unwrap();
        (ready.reason, ready.message)
    }

    fn generation_of_requests(&self) -> u64 {
        self.world.requests("kustomize-controller").writes
    }
}

fn admin() -> Caller {
    Caller::new("admin", "kubectl/v1.36.0")
}

fn kustomization(name: &str) -> ObjectRef {
    ObjectRef::new("kustomize.toolkit.fluxcd.io", "Kustomization", "web", name)
}

fn apps() -> ObjectRef {
    kustomization("apps")
}

fn source() -> ObjectRef {
    ObjectRef::new("source.toolkit.fluxcd.io", "GitRepository", "web", "config")
}

fn config(name: &str) -> ObjectRef {
    ObjectRef::new("", "ConfigMap", "web", name)
}

fn gvk(object: &ObjectRef) -> GroupVersionKind {
    object.at_version("v1")
}

fn manifest(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: web\ndata:\n  v: '{value}'\n"
    )
}

#[test]
fn an_empty_build_prunes_everything_unless_a_policy_refuses() {
    let check = |refuse_empty_build: bool, left: Value| {
        let policies = Policies { refuse_empty_build, ..Policies::default() };
        let mut lab = Lab::new(policies, json!({}), &[("a.yaml", &manifest("a", "1"))]);
        lab.commit(&[("a.yaml", None), ("README.md", Some("nothing"))]);
        assert_eq!(lab.data("a"), left);
        let refused = "the build is empty and would prune everything: refused by policy\n";
        let failed =
            lab.ready("apps") == ("ReconciliationFailed".into(), refused.trim_end().into());
        assert_eq!(failed, refuse_empty_build);
    };
    check(false, Value::Null);
    check(true, json!({"v": "1"}));
}

/// A manifest that the API server refuses.
const BROKEN: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: z\n  namespace: web\nspec:\n  ports:\n  - port: 0\n";

#[test]
fn a_stage_that_fails_leaves_the_stages_before_and_forgets_them_unless_a_policy_tracks_them() {
    let check = |track_partial_apply: bool, tracked: &[&str]| {
        let policies = Policies { track_partial_apply, ..Policies::default() };
        let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: more\n";
        let mut lab = Lab::new(policies, json!({}), &[("n.yaml", namespace), ("z.yaml", BROKEN)]);
        assert_eq!(lab.ready("apps").0, "ReconciliationFailed");
        assert!(lab.get(&ObjectRef::new("", "Namespace", "", "more")).is_some());
        assert_eq!(lab.inventory(), tracked);
        lab.commit(&[("n.yaml", None), ("z.yaml", None), ("a.yaml", Some(&manifest("a", "1")))]);
        lab.run("1m");
        let more = ObjectRef::new("", "Namespace", "", "more");
        let gone = lab.get(&more).is_none_or(|namespace| namespace.is_deleting());
        assert_eq!(gone, track_partial_apply, "an object that was never tracked is an orphan");
    };
    check(false, &[]);
    check(true, &["more"]);
}

#[test]
fn stale_objects_are_forgotten_while_prune_is_off_unless_a_policy_tracks_them() {
    let check = |track_unpruned: bool| {
        let policies = Policies { track_unpruned, ..Policies::default() };
        let files = [("a.yaml", &*manifest("a", "1")), ("b.yaml", &*manifest("b", "1"))];
        let mut lab = Lab::new(policies, json!({"prune": false}), &files);
        lab.commit(&[("b.yaml", None)]);
        assert_eq!(lab.data("b"), json!({"v": "1"}));
        lab.patch(&apps(), "kubectl", json!({"spec": {"prune": true}}));
        lab.run("20s");
        assert_eq!(lab.data("b").is_null(), track_unpruned);
    };
    check(false);
    check(true);
}

#[test]
fn a_deleted_object_that_a_finalizer_holds_is_forgotten_unless_a_policy_tracks_it_until_it_is_gone()
{
    let check = |track_until_gone: bool, tracked: &[&str]| {
        let policies = Policies { track_until_gone, ..Policies::default() };
        let files = [("a.yaml", &*manifest("a", "1")), ("b.yaml", &*manifest("b", "1"))];
        let mut lab = Lab::new(policies, json!({}), &files);
        let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
        lab.patch(&config("b"), "holder", held);
        lab.commit(&[("b.yaml", None)]);
        assert_eq!(lab.inventory(), tracked);
        lab.patch(&config("b"), "holder", json!({"metadata": {"finalizers": null}}));
        lab.reconcile();
        assert_eq!(lab.inventory(), ["a"], "gone at last");
    };
    check(false, &["a"]);
    check(true, &["a", "b"]);
}

#[test]
fn fields_set_with_kubectl_go_and_those_of_others_stay_but_for_a_fault() {
    let check = |keep_foreign_managers: bool, expected: Value| {
        let policies = Policies { keep_foreign_managers, ..Policies::default() };
        let mut lab = Lab::new(policies, json!({}), &[("a.yaml", &manifest("a", "1"))]);
        lab.patch(&config("a"), "kubectl-edit", json!({"data": {"k": "kubectl"}}));
        lab.patch(&config("a"), "robot", json!({"data": {"r": "robot", "v": "robot"}}));
        lab.reconcile();
        assert_eq!(lab.data("a"), expected);
    };
    check(false, json!({"v": "1", "r": "robot"}));
    check(true, json!({"v": "1", "r": "robot", "k": "kubectl"}));
}

#[test]
fn an_engine_that_only_acts_on_new_revisions_does_not_heal() {
    let check = |only_new_revisions: bool, expected: &str| {
        let policies = Policies { only_new_revisions, ..Policies::default() };
        let mut lab =
            Lab::new(policies, json!({"interval": "1m"}), &[("a.yaml", &manifest("a", "1"))]);
        lab.patch(&config("a"), "kubectl-edit", json!({"data": {"v": "9"}}));
        lab.run("3m");
        assert_eq!(lab.data("a"), json!({"v": expected}));
    };
    check(false, "1");
    check(true, "9");
}

#[test]
fn a_custom_resource_that_reports_nothing_passes_for_healthy_unless_a_policy_doubts_it() {
    const CRD: &str = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: widgets.example.com\nspec:\n  group: example.com\n  scope: Namespaced\n  names: {plural: widgets, singular: widget, kind: Widget}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    subresources: {status: {}}\n    schema:\n      openAPIV3Schema:\n        type: object\n        x-kubernetes-preserve-unknown-fields: true\n";
    const WIDGET: &str =
        "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\n  namespace: web\n";
    let check = |unobserved_is_in_progress: bool, reason: &str| {
        let policies = Policies { unobserved_is_in_progress, ..Policies::default() };
        let spec = json!({"wait": true, "timeout": "30s"});
        let mut lab = Lab::new(policies, spec, &[("crd.yaml", CRD), ("w.yaml", WIDGET)]);
        lab.run("1m");
        assert_eq!(lab.ready("apps").0, reason);
    };
    check(false, "ReconciliationSucceeded");
    check(true, "HealthCheckFailed");
}

#[test]
fn a_dependency_is_believed_unless_a_policy_looks_at_what_it_applied() {
    let check = |check_dependency_health: bool, expected: &str| {
        let policies = Policies { check_dependency_health, ..Policies::default() };
        let files = [("infra/a.yaml", &*manifest("a", "1")), ("apps/b.yaml", &*manifest("b", "1"))];
        let mut lab = Lab::new(policies, json!({"path": "./infra", "interval": "1h"}), &files);
        let request = ApiRequest::delete(&gvk(&config("a")), "web", "a", DeleteOptions::default());
        lab.world.request(&admin(), request).unwrap();
        lab.kustomization("late", json!({"path": "./apps", "dependsOn": [{"name": "apps"}]}));
        lab.run("20s");
        assert_eq!(lab.ready("late").1.split('@').next().unwrap(), expected);
    };
    check(false, "Applied revision: main");
    check(true, "dependency 'web/apps' is not healthy: ConfigMap/web/a status: 'NotFound'");
}

#[test]
fn a_suspended_kustomization_rests_and_leaves_its_objects_when_it_is_deleted() {
    let mut lab = Lab::new(Policies::default(), json!({}), &[("a.yaml", &manifest("a", "1"))]);
    lab.patch(&apps(), "kubectl", json!({"spec": {"suspend": true}}));
    lab.commit(&[("a.yaml", Some(&manifest("a", "2")))]);
    assert_eq!(lab.data("a"), json!({"v": "1"}));
    let request = ApiRequest::delete(&gvk(&apps()), "web", "apps", DeleteOptions::default());
    lab.world.request(&admin(), request).unwrap();
    lab.run("20s");
    assert_eq!((lab.get(&apps()), lab.data("a")), (None, json!({"v": "1"})));
}

#[test]
fn values_of_secrets_are_substituted_and_never_told() {
    let invalid = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  namespace: web\n";
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vars", "namespace": "web"}, "stringData": {"name": "Not A Name"}});
    let mut lab = Lab::new(Policies::default(), json!({"suspend": true}), &[("a.yaml", invalid)]);
    lab.create(secret);
    let from = json!([{"kind": "Secret", "name": "vars"}]);
    lab.patch(
        &apps(),
        "kubectl",
        json!({"spec": {"suspend": false, "postBuild": {"substituteFrom": from}}}),
    );
    lab.run("20s");
    let (reason, message) = lab.ready("apps");
    assert_eq!(reason, "ReconciliationFailed");
    assert!(message.contains("*****") && !message.contains("Not A Name"), "{message}");
}

#[test]
fn a_watched_config_map_reconciles_who_substitutes_from_it() {
    let mut lab = Lab::new(
        Policies::default(),
        json!({"suspend": true}),
        &[("a.yaml", &manifest("a", "${v}"))],
    );
    let labels = json!({"reconcile.fluxcd.io/watch": "Enabled"});
    lab.create(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vars", "namespace": "web", "labels": labels}, "data": {"v": "one"}}));
    let from = json!([{"kind": "ConfigMap", "name": "vars"}]);
    lab.patch(
        &apps(),
        "kubectl",
        json!({"spec": {"suspend": false, "postBuild": {"substituteFrom": from}}}),
    );
    lab.run("20s");
    assert_eq!(lab.data("a"), json!({"v": "one"}));
    lab.patch(&config("vars"), "kubectl", json!({"data": {"v": "two"}}));
    lab.run("5s");
    assert_eq!(lab.data("a"), json!({"v": "two"}));
}

#[test]
fn an_ignored_field_is_left_to_whoever_changes_it() {
    let spec = json!({"interval": "1m", "ignore": [{"paths": ["/data/v"], "target": {"kind": "ConfigMap"}}]});
    let mut lab = Lab::new(Policies::default(), spec, &[("a.yaml", &manifest("a", "1"))]);
    lab.patch(&config("a"), "robot", json!({"data": {"v": "9"}}));
    let version = lab.get(&config("a")).unwrap().resource_version().to_owned();
    lab.run("5m");
    assert_eq!(lab.data("a"), json!({"v": "9"}));
    assert_eq!(
        lab.get(&config("a")).unwrap().resource_version(),
        version,
        "and nothing is written"
    );
}

#[test]
fn what_cannot_be_done_is_refused_in_so_many_words() {
    let check = |spec: Value, reason: &str, words: &str| {
        let lab = Lab::new(Policies::default(), spec, &[("a.yaml", &manifest("a", "1"))]);
        let (found, message) = lab.ready("apps");
        assert_eq!(found, reason, "{message}");
        assert!(message.contains(words), "{message}");
    };
    check(
        json!({"decryption": {"provider": "sops"}}),
        "BuildFailed",
        "spec.decryption is not supported",
    );
    let kubeconfig = json!({"kubeConfig": {"secretRef": {"name": "x"}}});
    check(kubeconfig, "ReconciliationFailed", "spec.kubeConfig leads to another cluster");
    let exprs =
        json!({"healthCheckExprs": [{"apiVersion": "v1", "kind": "ConfigMap", "current": "true"}]});
    check(exprs, "InvalidCELExpression", "healthCheckExprs are not evaluated here");
    let bucket = json!({"sourceRef": {"kind": "Bucket", "name": "x"}});
    check(bucket, "ArtifactFailed", "source `x` kind 'Bucket' not supported");
}

#[test]
fn kustomizations_that_wait_for_each_other_say_so_and_rest() {
    let check = |names: &[&str], waits_for: &str, lack: &str| {
        let needs = |name: &str| json!({"dependsOn": [{"name": name}]});
        let files = [("a.yaml", &*manifest("a", "1"))];
        let mut lab = Lab::new(Policies::default(), needs(waits_for), &files);
        for (i, name) in names.iter().enumerate() {
            lab.kustomization(name, needs(names.get(i + 1).unwrap_or(&"apps")));
        }
        lab.run("2m");
        let message = format!("dependency 'web/{waits_for}' {lack}");
        assert_eq!(lab.ready("apps"), ("DependencyNotReady".into(), message));
        assert_eq!(lab.get(&config("a")), None);
        let writes = lab.generation_of_requests();
        lab.run("10m");
        let rounds = 20 * (names.len() as u64 + 1);
        let more = lab.generation_of_requests() - writes;
        assert!(more <= 2 * rounds, "{more} writes: one reconciliation each half minute");
    };
    check(&[], "apps", "is not ready");
    check(&["b"], "b", "is not ready");
    check(&["b", "c"], "b", "is not ready");
    let not_found = "not found: kustomizations.kustomize.toolkit.fluxcd.io \"gone\" not found";
    check(&[], "gone", not_found);
}

#[test]
fn sources_of_other_namespaces_can_be_blocked() {
    let options = Options { no_cross_namespace_refs: true, ..Options::default() };
    let engine = KustomizationController::new(Policies::default()).with_options(options);
    let spec =
        json!({"sourceRef": {"kind": "GitRepository", "name": "config", "namespace": "other"}});
    let lab = Lab::with(engine, spec, &[("a.yaml", &manifest("a", "1"))]);
    let message =
        "can't access 'GitRepository/other/config', cross-namespace references have been blocked";
    assert_eq!(lab.ready("apps"), ("AccessDenied".into(), message.into()));
}

#[test]
fn a_source_tells_of_a_missing_branch_and_of_its_recovery() {
    let mut lab = Lab::new(Policies::default(), json!({}), &[("a.yaml", &manifest("a", "1"))]);
    let ready = |lab: &Lab| {
        let source = lab.get(&source()).unwrap();
        let ready = driftlab::reconciler::conditions(&source)
            .into_iter()
            .find(|c| c.kind == "Ready")
            .unwrap();
        (ready.status, ready.reason, ready.message)
    };
    assert_eq!(ready(&lab).1, "Succeeded");
    lab.patch(&source(), "kubectl", json!({"spec": {"ref": {"branch": "nowhere"}}}));
    lab.run("5s");
    let (status, reason, message) = ready(&lab);
    assert_eq!((status.as_str(), reason.as_str()), ("False", "GitOperationFailed"));
    assert!(message.contains("couldn't find remote ref"), "{message}");
    lab.patch(&source(), "kubectl", json!({"spec": {"ref": {"branch": "main"}}}));
    lab.run("5s");
    let (status, _, message) = ready(&lab);
    assert_eq!(status, "True");
    assert!(message.starts_with("stored artifact for revision 'main@sha1:"), "{message}");
}

#[test]
fn a_change_of_what_a_source_ignores_makes_a_new_artifact_of_the_same_revision() {
    let check = |trigger_on_digest: bool, expected: Value| {
        let policies = Policies { trigger_on_digest, ..Policies::default() };
        let files = [("a.yaml", &*manifest("a", "1")), ("b.yaml", &*manifest("b", "1"))];
        let mut lab = Lab::new(policies, json!({}), &files);
        let digest =
            |lab: &Lab| lab.get(&source()).unwrap().text("status.artifact.digest").to_owned();
        let before = digest(&lab);
        lab.patch(&source(), "kubectl", json!({"spec": {"ignore": "b.yaml"}}));
        lab.run("20s");
        assert_ne!(digest(&lab), before);
        assert_eq!(lab.data("b"), expected);
    };
    check(false, json!({"v": "1"}));
    check(true, Value::Null);
}

#[test]
fn a_reconciliation_without_drift_writes_nothing_to_what_it_manages() {
    let files: Vec<(String, String)> =
        (0..50).map(|i| (format!("{i}.yaml"), manifest(&format!("c{i}"), "1"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let options = Options { disable_commit_status_event: true, ..Options::default() };
    let engine = KustomizationController::new(Policies::default()).with_options(options);
    let mut lab = Lab::with(engine, json!({"interval": "1m"}), &files);
    let versions = |lab: &Lab| -> Vec<String> {
        (0..50)
            .map(|i| lab.get(&config(&format!("c{i}"))).unwrap().resource_version().to_owned())
            .collect()
    };
    let before = (versions(&lab), lab.generation_of_requests());
    lab.run("10m");
    assert_eq!(versions(&lab), before.0);
    assert!(lab.generation_of_requests() - before.1 <= 12 * 10, "only its own status");
}

#[test]
fn a_kustomization_that_awaits_termination_gives_up_after_its_timeout() {
    let spec = json!({"deletionPolicy": "WaitForTermination", "timeout": "1m"});
    let mut lab = Lab::new(Policies::default(), spec, &[("a.yaml", &manifest("a", "1"))]);
    lab.patch(&config("a"), "holder", json!({"metadata": {"finalizers": ["example.com/hold"]}}));
    let request = ApiRequest::delete(&gvk(&apps()), "web", "apps", DeleteOptions::default());
    lab.world.request(&admin(), request).unwrap();
    lab.run("50s");
    assert!(lab.get(&apps()).is_some(), "it waits");
    lab.run("20s");
    assert!(lab.get(&apps()).is_none(), "and lets go");
}

#[test]
fn a_status_that_somebody_writes_in_between_is_written_anew() {
    let mut lab = Lab::new(Policies::default(), json!({}), &[("a.yaml", &manifest("a", "1"))]);
    let asked = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}});
    lab.patch(&apps(), "flux", asked);
    for n in 0..40 {
        lab.world.run_for(Duration::from_millis(7));
        lab.patch(&apps(), "somebody", json!({"metadata": {"annotations": {"n": n.to_string()}}}));
    }
    lab.run("5m");
    let status = lab.get(&apps()).unwrap();
    assert_eq!(status.text("status.lastHandledReconcileAt"), "now");
    assert_eq!(lab.ready("apps").0, "ReconciliationSucceeded");
}
