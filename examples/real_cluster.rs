//! The same engine on a real cluster: installs a demo from a Git repository into a namespace of its own,
//! scales it by hand, heals it, and cleans up.
//!
//! ```text
//! cargo run --features kube --example real_cluster
//! ```
//!
//! It uses the cluster of the current kubeconfig, and touches nothing but the namespace
//! `driftlab-demo` and, where Flux's custom resource definitions are missing, those, which it takes away
//! again. Where a Flux is at work already it refuses: two controllers would reconcile the same objects.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use driftlab::api::{
    ApiRequest, Caller, DeleteOptions, Patch, Propagation, Status, Subresource, WriteOptions,
};
use driftlab::engine::kustomize::KustomizationController;
use driftlab::engine::source::GitRepositoryController;
use driftlab::engine::{crds, git_repository, kustomization};
use driftlab::live::{Cluster, Driver, Live, Sources};
use driftlab::object::{GroupVersionKind, LabelSelector, Object};
use driftlab::report::{Options, timeline};
use driftlab::trace::{Role, What};
use serde_json::{Value, json};

const NAMESPACE: &str = "driftlab-demo";
const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "driftlab");

/// No GitRepository can name a folder, so one on this disk stands in for a remote.
const REMOTE: &str = "https://git.example.com/config.git";

const MANIFEST: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
  namespace: driftlab-demo
spec:
  replicas: 3
  selector:
    matchLabels: {app: hello}
  template:
    metadata:
      labels: {app: hello}
    spec:
      containers:
        - name: hello
          image: nginx:1.27
";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("real_cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let scratch = std::env::temp_dir().join(format!("driftlab-demo-{}", std::process::id()));
    let client = kube::Client::try_default().await.map_err(|error| {
        format!("no cluster to connect to: {error}; set KUBECONFIG, or try `cargo run --example 03_heal`")
    })?;
    let mut demo = Demo::new(client, &scratch)?;
    demo.refuse_beside_flux().await?;
    let installed = demo.install_definitions().await?;
    let shown = demo.show().await;
    let cleaned = demo.clean_up(installed).await;
    anstream::println!("{}", timeline(demo.live.trace(), &Options::default()));
    fs::remove_dir_all(&scratch)?;
    shown?;
    cleaned?;
    anstream::println!("3 → 5 → 3 on a real cluster, and nothing is left behind.");
    Ok(())
}

struct Demo {
    live: Live,
    source: Driver<GitRepositoryController>,
    kustomize: Driver<KustomizationController>,
    admin: Caller,
}

impl Demo {
    fn new(client: kube::Client, scratch: &Path) -> Outcome<Self> {
        let repository = scratch.join("config");
        commit_manifest(&repository)?;
        let sources = Sources::new(&scratch.join("clones"))
            .with_instead(REMOTE, &repository.display().to_string());
        Ok(Demo {
            live: Live::new(Cluster::new(client), sources, NAMESPACE),
            source: Driver::new(GitRepositoryController::default()),
            kustomize: Driver::new(KustomizationController::default()),
            admin: Caller::new("driftlab", "driftlab"),
        })
    }

    /// What a learner sees: commit, apply, drift, heal.
    async fn show(&mut self) -> Outcome<()> {
        self.make_namespace().await?;
        self.create(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "config", "namespace": NAMESPACE},
            "spec": {"interval": "10s", "url": REMOTE, "ref": {"branch": "main"}},
        }))
        .await?;
        self.create(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "hello", "namespace": NAMESPACE},
            "spec": {
                "interval": "10s", "path": "./", "prune": true,
                "sourceRef": {"kind": "GitRepository", "name": "config"},
            },
        }))
        .await?;
        self.until_replicas(3).await?;
        self.scale_by_hand(5).await?;
        self.until_replicas(3).await
    }

    async fn make_namespace(&mut self) -> Outcome<()> {
        let kind = GroupVersionKind::new("v1", "Namespace");
        match self.ask(ApiRequest::get(&kind, "", NAMESPACE)).await {
            Ok(found) if found.label(OURS.0) != Some(OURS.1) => {
                Err(format!("the namespace {NAMESPACE} is somebody else's; nothing was touched")
                    .into())
            }
            Ok(_) => {
                // An earlier run was cut off.
                self.remove_objects().await?;
                self.create(namespace()).await
            }
            Err(status) if status.is_not_found() => self.create(namespace()).await,
            Err(status) => Err(status.into()),
        }
    }

    async fn scale_by_hand(&mut self, replicas: u32) -> Outcome<()> {
        let line = format!("kubectl scale deployment/hello -n {NAMESPACE} --replicas={replicas}");
        self.live.record("alice", Role::Person, What::Typed { line });
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let request =
            ApiRequest::patch(&deployment(), NAMESPACE, "hello", patch, WriteOptions::default());
        let alice = Caller::new("alice", "kubectl");
        self.live.request(&alice, request.to(Subresource::Scale)).await?;
        let found = self.replicas().await?;
        if found != Some(i64::from(replicas)) {
            return Err(format!("scaled to {replicas}, but found {found:?} replicas").into());
        }
        Ok(())
    }

    async fn until_replicas(&mut self, wanted: i64) -> Outcome<()> {
        for _ in 0..240 {
            self.turn().await?;
            if self.replicas().await? == Some(wanted) {
                return Ok(());
            }
        }
        Err(format!("deployment/hello did not get to {wanted} replicas within a minute").into())
    }

    async fn turn(&mut self) -> Outcome<()> {
        self.source.turn(&mut self.live).await?;
        self.kustomize.turn(&mut self.live).await?;
        tokio::time::sleep(Duration::from_millis(250)).await;
        Ok(())
    }

    async fn replicas(&mut self) -> Outcome<Option<i64>> {
        match self.ask(ApiRequest::get(&deployment(), NAMESPACE, "hello")).await {
            Ok(object) => Ok(object.int("spec.replicas")),
            Err(status) if status.is_not_found() => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    async fn refuse_beside_flux(&mut self) -> Outcome<()> {
        let flux = LabelSelector::from_labels([("app", "kustomize-controller")]);
        let listed = self.live.request(&self.admin, ApiRequest::list(&deployment(), "", flux));
        let found = listed.await?.into_list().unwrap_or_default();
        match found.items.first() {
            Some(other) => Err(format!(
                "Flux is at work here ({}); both would reconcile the demo. Use another cluster.",
                other.reference()
            )
            .into()),
            None => Ok(()),
        }
    }

    /// Makes the definitions of Flux's objects that are missing, and says which those were.
    async fn install_definitions(&mut self) -> Outcome<Vec<Object>> {
        let mut installed = Vec::new();
        for crd in crds() {
            match self.live.request(&self.admin, ApiRequest::create(crd.clone(), options())).await {
                Ok(_) => installed.push(crd),
                Err(status) if status.is_already_exists() => {}
                Err(status) => return Err(status.into()),
            }
        }
        for kind in [git_repository(), kustomization()] {
            self.until_served(&kind).await?;
        }
        Ok(installed)
    }

    async fn until_served(&mut self, kind: &GroupVersionKind) -> Outcome<()> {
        let list = ApiRequest::list(kind, NAMESPACE, LabelSelector::everything());
        for _ in 0..120 {
            if self.live.request(&self.admin, list.clone()).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(format!("{kind} is not served after half a minute").into())
    }

    async fn clean_up(&mut self, installed: Vec<Object>) -> Outcome<()> {
        self.remove_objects().await?;
        for crd in installed {
            self.remove(&crd.gvk(), "", crd.name()).await?;
        }
        Ok(())
    }

    /// The Kustomization first, so that the engine takes away what it made.
    async fn remove_objects(&mut self) -> Outcome<()> {
        self.remove(&kustomization(), NAMESPACE, "hello").await?;
        self.remove(&git_repository(), NAMESPACE, "config").await?;
        self.remove(&GroupVersionKind::new("v1", "Namespace"), "", NAMESPACE).await
    }

    /// Deletes an object and waits until it is gone, with the controllers at work on its finalizer.
    async fn remove(
        &mut self,
        kind: &GroupVersionKind,
        namespace: &str,
        name: &str,
    ) -> Outcome<()> {
        let background = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        let request = ApiRequest::delete(kind, namespace, name, background);
        match self.live.request(&self.admin, request).await {
            Ok(_) => {}
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status.into()),
        }
        for _ in 0..480 {
            match self.ask(ApiRequest::get(kind, namespace, name)).await {
                Err(status) if status.is_not_found() => return Ok(()),
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
            if kind.group.ends_with("fluxcd.io") {
                self.turn().await?;
            }
        }
        Err(format!("{} {name} is still there after two minutes", kind.kind).into())
    }

    async fn create(&mut self, object: Value) -> Outcome<()> {
        let object = Object::from_value(object)?;
        self.live.request(&self.admin, ApiRequest::create(object, options())).await?;
        Ok(())
    }

    async fn ask(&mut self, request: ApiRequest) -> Result<Object, Status> {
        let response = self.live.request(&self.admin, request).await?;
        Ok(response.into_object().expect("a read of one object is answered with one"))
    }
}

fn commit_manifest(repository: &Path) -> Outcome<()> {
    fs::create_dir_all(repository)?;
    fs::write(repository.join("hello.yaml"), MANIFEST)?;
    for args in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=alice",
            "-c",
            "user.email=alice@example.com",
            "commit",
            "--quiet",
            "-m",
            "Run hello, three of it",
        ],
    ] {
        let status = Command::new("git").current_dir(repository).args(args).status()?;
        if !status.success() {
            return Err(format!("git {} failed", args[0]).into());
        }
    }
    Ok(())
}

fn namespace() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {OURS.0: OURS.1}},
    })
}

fn deployment() -> GroupVersionKind {
    GroupVersionKind::new("apps/v1", "Deployment")
}

fn options() -> WriteOptions {
    WriteOptions { field_manager: "driftlab-demo".into(), ..WriteOptions::default() }
}
