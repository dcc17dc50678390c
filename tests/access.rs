//! Who is asking and what they may: real kubectl as several people, over TLS, against a served model.
//!
//! Needs the feature `serve`; what needs `kubectl` says so where it is missing.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use driftlab::apiserver::{Authorization, Users};
use driftlab::scenario;
use driftlab::serve::{Model, Options, Pace, Serving, kubeconfig};
use driftlab::sim::{Controllers, World};
use driftlab::time::Timestamp;

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The admin, and two people of a team.
fn users() -> Users {
    let mut users: Users = "at,alice,u1,\"dev,ops\"\nbt,bob,u2,dev\n".parse().expect("well-formed");
    users.add_admin("admin-token");
    users
}

/// A served world, which knows [`users`], and where it is.
struct Served {
    addr: SocketAddr,
    authority: String,
}

impl Served {
    /// Serves a world until the test ends.
    fn of(world: World, pace: Pace) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let model =
                    Model::new(world, Options { users: users(), pace, ..Options::default() });
                let serving = Serving::open(model, LOOPBACK).await.expect("a free port");
                let addr = serving.addr().expect("an address");
                sender.send((addr, serving.authority().to_owned())).expect("the test waits");
                serving.run(|_, _| {}).await.expect("it goes on");
            });
        });
        let (addr, authority) = receiver.recv().expect("it is served");
        Served { addr, authority }
    }

    /// A cluster of its own, empty but for what every cluster has.
    fn empty() -> Self {
        let world = World::builder().controllers(Controllers::Cluster);
        Self::of(world.authorization(Authorization::Rbac).build(), Pace::default())
    }

    /// The answer to a request in the clear, as a text.
    fn http(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        let _closed = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str, headers: &str) -> String {
        self.http(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
    }

    /// The answer to a review, asked by the admin.
    fn review(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.http(&format!(
            "POST /apis/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer admin-token\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

/// kubectl with the kubeconfig that a served world is found by: over https.
struct Kubectl {
    program: PathBuf,
    folder: PathBuf,
}

impl Kubectl {
    fn to(served: &Served) -> Option<Self> {
        let program = driftlab_tests::tool("kubectl")?;
        let folder = format!("driftlab-access-{}", served.addr.port());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder of its own");
        let url = format!("https://{}", served.addr);
        let config = kubeconfig(&url, &served.authority, &users());
        std::fs::write(folder.join("config"), config).expect("writable");
        Some(Kubectl { program, folder })
    }

    /// What a command line comes to: the exit code, and all that is printed.
    fn run(&self, who: &str, line: &str) -> (i32, String) {
        let context = if who == "admin" { "driftlab".into() } else { format!("{who}@driftlab") };
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", self.folder.join("config"));
        command.arg("--cache-dir").arg(self.folder.join("cache"));
        command.args(["--request-timeout=20s", "--context", &context]);
        let output = command.args(line.split(' ')).output().expect("kubectl runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// Holds a command line against its exit code and what it prints in the end.
    fn check(&self, who: &str, line: &str, code: i32, answer: &str) {
        let (exit, text) = self.run(who, line);
        assert!(exit == code && text.contains(answer), "{who}: {line}: exit {exit}\n{text}");
    }

    /// Asks until the answer is as wanted.
    fn until(&self, who: &str, line: &str, wanted: impl Fn(&str) -> bool) {
        for _ in 0..200 {
            if wanted(&self.run(who, line).1) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{line} never came to what was wanted: {}", self.run(who, line).1);
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn who_may_view_one_namespace_views_that_and_nothing_else() {
    let Some(kubectl) = Kubectl::to(&Served::empty()) else { return };
    let check = |line: &str, code: i32, answer: &str| kubectl.check("alice", line, code, answer);
    check(
        "get pods",
        1,
        "Error from server (Forbidden): pods is forbidden: User \"alice\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
    );
    kubectl.check("admin", "create rolebinding team --clusterrole=view --group=ops", 0, "created");
    check("get pods", 0, "No resources found in default namespace.");
    check(
        "get pods -A",
        1,
        "User \"alice\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
    );
    check("get secrets", 1, "User \"alice\" cannot list resource \"secrets\"");
    check("get configmap kube-root-ca.crt -o name", 0, "configmap/kube-root-ca.crt");
    check(
        "delete configmap kube-root-ca.crt",
        1,
        "configmaps \"kube-root-ca.crt\" is forbidden: User \"alice\" cannot delete resource \"configmaps\"",
    );
    check("get nodes", 1, "nodes is forbidden: User \"alice\" cannot list resource \"nodes\"");
    check("get --raw /metrics", 1, "forbidden: User \"alice\" cannot get path \"/metrics\"");
    kubectl.check("bob", "get pods", 1, "User \"bob\" cannot list");
}

#[test]
fn kubectl_tells_who_i_am_and_what_i_can() {
    let Some(kubectl) = Kubectl::to(&Served::empty()) else { return };
    kubectl.check("admin", "create rolebinding team --clusterrole=view --user=alice", 0, "");
    let check = |line: &str, code: i32, answer: &str| kubectl.check("alice", line, code, answer);
    check(
        "auth whoami",
        0,
        "Username    alice\nUID         u1\nGroups      [dev ops system:authenticated]",
    );
    check("auth can-i get pods", 0, "yes\n");
    check("auth can-i delete pods", 1, "no\n");
    check("auth can-i get pods -A", 1, "no\n");
    check("auth can-i get /version", 0, "yes\n");
    check(
        "auth can-i --list",
        0,
        "configmaps                                      []                  []               [get list watch]\n",
    );
    kubectl.check("admin", "auth can-i get pods --as alice", 0, "yes\n");
    kubectl.check("admin", "auth can-i get pods --as bob", 1, "no\n");
    kubectl.check("admin", "auth can-i * *", 0, "yes\n");
    // A role that is bound and not there is told.
    kubectl.check("admin", "create rolebinding lost --role=nix --user=bob", 0, "");
    let lost = "no - RBAC: role.rbac.authorization.k8s.io \"nix\" not found";
    kubectl.check("bob", "auth can-i get pods", 1, lost);
}

#[test]
fn who_may_act_as_somebody_else_is_that_person_and_nobody_more() {
    let Some(kubectl) = Kubectl::to(&Served::empty()) else { return };
    let admin = |line: &str| kubectl.check("admin", line, 0, "");
    admin("create rolebinding bobs --clusterrole=view --user=bob");
    // What there is to ask for is asked in somebody's name too, and remembered.
    kubectl.check("alice", "get pods", 1, "User \"alice\" cannot list");
    let refused = "User \"alice\" cannot impersonate-on:user-info:list resource \"pods\"";
    kubectl.check("alice", "get pods --as bob", 1, refused);
    admin("create clusterrole be-bob --verb=impersonate --resource=users --resource-name=bob");
    admin("create clusterrolebinding be-bob --clusterrole=be-bob --user=alice");
    kubectl.check("alice", "get pods --as bob", 0, "No resources found");
    kubectl.check("alice", "get pods --as admin", 1, "cannot impersonate");
    kubectl.check("alice", "get pods --as bob --as-group system:masters", 1, "cannot impersonate");
    kubectl.check(
        "admin",
        "auth whoami --as eve --as-uid 7 --as-group x",
        0,
        "[x system:authenticated]",
    );
}

#[test]
fn nobody_grants_by_roles_what_they_may_not_do() {
    let Some(kubectl) = Kubectl::to(&Served::empty()) else { return };
    let admin = |line: &str| kubectl.check("admin", line, 0, "");
    admin("create role roles --verb=get,create,update --resource=roles,rolebindings");
    admin("create rolebinding roles --role=roles --user=alice");
    admin("create rolebinding views --clusterrole=view --user=alice");
    let check = |line: &str, code: i32, answer: &str| kubectl.check("alice", line, code, answer);
    check("create role reader --verb=get --resource=pods", 0, "created");
    check(
        "create role writer --verb=delete --resource=pods",
        1,
        "user \"alice\" (groups=[\"dev\" \"ops\" \"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}",
    );
    check("create rolebinding reader --role=reader --user=bob", 0, "created");
    check(
        "create rolebinding edits --clusterrole=edit --user=alice",
        1,
        "is attempting to grant RBAC permissions not currently held",
    );
}

#[test]
fn what_a_kubelet_would_answer_is_refused_as_by_a_node_that_is_gone() {
    let world = World::builder().authorization(Authorization::Rbac).nodes(1);
    let world = world.controllers(Controllers::Cluster).build();
    let Some(kubectl) = Kubectl::to(&Served::of(world, Pace::times(60))) else { return };
    kubectl.check("admin", "create deployment web --image=nginx", 0, "created");
    let running = "get pods -o jsonpath={.items[0].status.phase}";
    kubectl.until("admin", running, |text| text == "Running");
    let gone = ":10250: connect: connection refused";
    kubectl.check("admin", "logs deployment/web", 1, gone);
    kubectl.check("admin", "exec deployment/web -- ls", 1, gone);
    kubectl.check("admin", "logs web", 1, "pods \"web\" not found");
    kubectl.check("admin", "create rolebinding views --clusterrole=view --user=alice", 0, "");
    kubectl.check("alice", "logs deployment/web", 1, gone);
    kubectl.check("alice", "exec deployment/web -- ls", 1, "cannot");
    kubectl.check("admin", "get --raw /readyz?verbose", 0, "[+]etcd ok\nreadyz check passed");
}

/// The second day of somebody who may edit one namespace.
#[test]
fn an_editor_of_a_namespace_drifts_it_and_the_loop_heals() {
    let lab = scenario::load(&driftlab_tests::root().join("tutorials/day2.yaml"));
    let world = lab.expect("well-formed").world(Timestamp::START, Controllers::All);
    let Some(kubectl) = Kubectl::to(&Served::of(world, Pace::times(60))) else { return };
    let replicas = "get deployment hello -n hello -o jsonpath={.spec.replicas}";
    kubectl.until("admin", replicas, |text| text == "3");
    let scale = "scale deployment/hello -n hello --replicas=5";
    kubectl.check("alice", scale, 1, "User \"alice\" cannot get resource \"deployments\"");
    kubectl.check(
        "admin",
        "create rolebinding editors --clusterrole=edit --group=ops -n hello",
        0,
        "",
    );
    kubectl.check("alice", scale, 0, "deployment.apps/hello scaled");
    kubectl.until("alice", replicas, |text| text == "3");
    kubectl.check(
        "alice",
        "delete namespace hello",
        1,
        "User \"alice\" cannot delete resource \"namespaces\"",
    );
    kubectl.check("alice", "get kustomizations -A", 1, "cannot list resource \"kustomizations\"");
}

#[test]
fn a_service_account_comes_in_by_a_token_that_it_was_given() {
    let served = Served::empty();
    let Some(kubectl) = Kubectl::to(&served) else { return };
    kubectl.check("admin", "create serviceaccount robot", 0, "created");
    kubectl.check(
        "admin",
        "create rolebinding robot --clusterrole=view --serviceaccount=default:robot",
        0,
        "",
    );
    let (code, token) = kubectl.run("admin", "create token robot");
    assert_eq!(code, 0, "{token}");
    let bearer = format!("Authorization: Bearer {}\r\n", token.trim());
    let pods = |headers: &str| served.get("/api/v1/namespaces/default/pods", headers);
    assert!(pods(&bearer).starts_with("HTTP/1.1 200 "));
    assert!(served.get("/api/v1/namespaces/default/secrets", &bearer).starts_with("HTTP/1.1 403 "));
    kubectl.check("admin", "delete serviceaccount robot", 0, "deleted");
    assert!(pods(&bearer).starts_with("HTTP/1.1 401 "));
    kubectl.check("admin", "create token robot", 1, "serviceaccounts \"robot\" not found");
    kubectl.check(
        "admin",
        "create token default --duration=1m",
        1,
        "may not specify a duration less than 10 minutes",
    );
}

#[test]
fn who_brings_no_token_is_anonymous_and_a_wrong_one_is_refused() {
    let served = Served::empty();
    let check = |path: &str, headers: &str, answer: &str| {
        let told = served.get(path, headers);
        assert!(told.contains(answer), "{path} {headers}: {told}");
    };
    check("/version", "", "HTTP/1.1 200 ");
    check("/readyz", "", "HTTP/1.1 200 ");
    check("/api", "", "forbidden: User \\\"system:anonymous\\\" cannot get path \\\"/api\\\"");
    check(
        "/api/v1/pods",
        "",
        "pods is forbidden: User \\\"system:anonymous\\\" cannot list resource",
    );
    check("/api/v1/nothing", "", "nothing is forbidden: User \\\"system:anonymous\\\"");
    check("/version", "Authorization: Bearer wrong\r\n", "HTTP/1.1 401 ");
    check("/api", "Authorization: Bearer at\r\n", "HTTP/1.1 200 ");
    check("/api/v1/nothing", "Authorization: Bearer admin-token\r\n", "HTTP/1.1 404 ");
    check(
        "/api/v1/pods",
        "Authorization: Bearer at\r\nImpersonate-Group: x\r\n",
        "without impersonating a user name",
    );
}

#[test]
fn reviews_are_answered_with_their_reasons_and_never_stored() {
    let served = Served::empty();
    let check = |path: &str, body: &str, code: &str, answer: &str| {
        let told = served.review(path, body);
        assert!(told.starts_with(&format!("HTTP/1.1 {code} ")), "{path} {body}: {told}");
        assert!(told.contains(answer), "{path} {body}: {told}");
    };
    let access = "authorization.k8s.io/v1/subjectaccessreviews";
    check(
        access,
        r#"{"spec": {"user": "eve", "groups": ["system:authenticated"], "nonResourceAttributes": {"path": "/api", "verb": "get"}}}"#,
        "201",
        r#""status":{"allowed":true,"reason":"RBAC: allowed by ClusterRoleBinding \"system:discovery\" of ClusterRole \"system:discovery\" to Group \"system:authenticated\""}"#,
    );
    check(
        access,
        r#"{"spec": {"user": "eve", "resourceAttributes": {"verb": "get", "resource": "pods"}}}"#,
        "201",
        r#""status":{"allowed":false}"#,
    );
    check(
        access,
        r#"{"spec": {"resourceAttributes": {"verb": "get"}}}"#,
        "422",
        "at least one of user or group must be specified",
    );
    check(
        "authorization.k8s.io/v1/selfsubjectaccessreviews",
        "{}",
        "422",
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
    check(
        "authorization.k8s.io/v1/selfsubjectrulesreviews",
        "{}",
        "400",
        "no namespace on request",
    );
    let local = "authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews";
    check(
        local,
        r#"{"spec": {"user": "eve", "resourceAttributes": {"verb": "get", "namespace": "other"}}}"#,
        "422",
        "must match metadata.namespace",
    );
    let token = "authentication.k8s.io/v1/tokenreviews";
    check(
        token,
        r#"{"spec": {"token": "at"}}"#,
        "201",
        r#""groups":["dev","ops","system:authenticated"],"uid":"u1","username":"alice""#,
    );
    check(token, r#"{"spec": {"token": "nix"}}"#, "201", r#""error":"invalid bearer token""#);
    check(token, "{}", "400", "token is required for TokenReview in authentication");
    let admin = "Authorization: Bearer admin-token\r\n";
    assert!(
        served
            .get("/apis/authentication.k8s.io/v1/tokenreviews", admin)
            .starts_with("HTTP/1.1 405 ")
    );
}
