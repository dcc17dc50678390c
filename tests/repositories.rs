//! `driftlab run` on configuration repositories, as they are.
//!
//! `repositories/fleet` has the shape that Flux's guides give to such a repository: a folder a cluster,
//! infrastructure before applications, bases and overlays, Helm releases, encrypted secrets. One cluster
//! is bootstrapped, the other is not yet.
//!
//! These public repositories were run by hand, folder by folder, with the build of each kustomization
//! held against `kubectl kustomize` 1.37.1. Times are of an unoptimised build on two cores.
//!
//! | Repository at commit | kustomizations built alike | What `driftlab run` came to |
//! |---|---|---|
//! | stefanprodan/podinfo eec06d1 | 8 of 8 | `kustomize`, `deploy/bases/*`, `deploy/overlays/*`: in sync, every pod Running (0.2 to 0.5 s). `deploy/secure/backend`: the namespace is missing, as it would be. `charts/podinfo`: refused, a Helm chart |
//! | fluxcd/flux2-kustomize-helm-example a484a05 | 7 of 7 | `clusters/production`: 4 of 4 Kustomizations in sync, each after those it depends on; 3 Helm releases stored (0.2 s) |
//! | fluxcd/flux2-kustomize-helm-example 4f1a5b1 | 7 of 7 | the sources became ExternalArtifacts, which are not modelled: 1 of 4 in sync, said so |
//! | onedr0p/home-ops d9078e4 | 104 of 104 | `kubernetes/flux/cluster`: 54 of 79 Kustomizations in sync, 360 objects; of the others 14 ask for an HPA that scales to zero, which needs a feature gate, the rest for CEL health checks, a secret from outside, an API of a newer Kubernetes, or what Helm would have made (1.7 s, 31,703 commits) |
//! | argoproj/argocd-example-apps 0d521c6 | 3 of 3, and one that neither builds | `guestbook`, `kustomize-guestbook`, `pre-post-sync`, `sock-shop`: in sync, every pod Running (0.1 to 0.6 s). Helm charts and generated names: refused |
//! | kubernetes-sigs/kustomize 12f9e63 | 20 of 20, and 9 that neither builds | `examples/helloWorld`: in sync, 3 pods Running (0.4 s) |
//! | fluxcd/flux2-multi-tenancy 192da05 | 7 of 7 | `clusters/production`: everything waits for a chart from an OCIRepository, which is not modelled: 1 of 5 in sync, said so (0.3 s) |
//! | billimek/k8s-gitops ff56e25 | there are none | `setup/flux/cluster`: 2 of 3 in sync; the third names a namespace that something else makes, told with file and line (0.7 s) |
//! | kubeflow/manifests 009c880 | 195 of 195, and 38 that neither builds | `common/cert-manager/base`: in sync, 49 objects with their definitions, 3 pods Running (1 s). `example`: refused, a remote base |
//! | kubernetes/examples 279e8e4 | there are none | 71 folders in 0.1 to 0.4 s each: 30 in sync; 16 fail as on a real server (versions that are served no more, port protocols in lower case, no selector, no namespace), with the remedy; 25 refused with file and line (one object in two files, keys that stand twice, files that are no manifests) |

use std::path::{Path, PathBuf};
use std::process::Command;

use driftlab_tests::{root, run, told, tool};

fn fleet() -> PathBuf {
    root().join("tests/repositories")
}

#[test]
fn a_bootstrapped_cluster_is_reconciled_and_what_is_not_modelled_is_said_by_name() {
    insta::assert_snapshot!(
        "production",
        told(&run(&fleet(), &["run", "fleet", "--path", "clusters/production"]))
    );
}

#[test]
fn a_cluster_that_is_not_bootstrapped_yet_is_reconciled_as_if_it_were() {
    let text = told(&run(&fleet(), &["run", "fleet", "--path", "clusters/staging/"]));
    assert!(text.starts_with("exit 0\n"), "{text}");
    for line in [
        "GitRepository/flux-system created",
        "Synced   4 of 4 Kustomizations in sync, 11 objects applied",
        "1 of 1 pods Running or done",
        "HelmRelease ×1 (Helm is not modelled)",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
}

#[test]
fn objects_without_a_namespace_go_where_kubectl_puts_them() {
    let text = told(&run(&fleet(), &["run", "fleet", "--path", "apps/base/search"]));
    assert!(text.contains("Kustomization/fleet failed"), "{text}");
    let text = told(&run(&fleet(), &["run", "fleet", "--path", "infrastructure/configs"]));
    assert!(text.starts_with("exit 0\n") && text.contains("go to \"default\""), "{text}");
}

#[test]
fn what_is_not_committed_is_left_out_and_that_is_said() {
    let Some(git) = tool("git") else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("uncommitted");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let git = |args: &[&str]| {
        let who = ["-c", "user.name=Ada", "-c", "user.email=a@b.c"];
        let done = Command::new(&git).current_dir(&folder).args(who).args(args).output().unwrap();
        assert!(done.status.success(), "git {args:?}");
    };
    let write = |name: &str| {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
        std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
    };
    git(&["init", "-q", "-b", "main"]);
    write("first");
    git(&["add", "."]);
    git(&["commit", "-qm", "First"]);
    assert!(!told(&run(&folder, &["run", "."])).contains("Left out"));
    write("second");
    let text = told(&run(&folder, &["run", "."]));
    assert!(text.contains("Left out: a file that is not committed."), "{text}");
    assert!(text.contains("ConfigMap/first created") && !text.contains("second"), "{text}");
}

#[test]
fn every_kustomization_is_built_as_kubectl_builds_it() {
    let Some(kubectl) = tool("kubectl") else { return };
    for folder in ["apps/base/shop", "apps/production", "apps/staging", "infrastructure/configs"] {
        let folder = fleet().join("fleet").join(folder);
        let real = Command::new(&kubectl).arg("kustomize").arg(&folder).output().unwrap();
        let ours = run(&folder, &["build", "."]);
        assert_eq!(
            String::from_utf8_lossy(&ours.stdout),
            String::from_utf8_lossy(&real.stdout),
            "{}",
            folder.display()
        );
    }
}
