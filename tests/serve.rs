//! The model behind a port: what real kubectl, and anybody who speaks HTTP, gets from it.
//!
//! Needs the feature `serve`; what needs `kubectl` says so where it is missing.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use driftlab::apiserver::Users;
use driftlab::scenario;
use driftlab::serve::{Model, Options, Pace, Serving, kubeconfig};
use driftlab::sim::{Controllers, World};
use driftlab::time::Timestamp;

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Serves a world until the test ends.
fn serve(world: World, options: Options) -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let model = Model::new(world, options);
            let serving = Serving::open(model, LOOPBACK).await.expect("a free port");
            sender.send(serving.addr().expect("an address")).expect("the test waits");
            serving.run(|_, _| {}).await.expect("it goes on");
        });
    });
    receiver.recv().expect("it is served")
}

/// The lab of the second day, a minute a second.
fn day_2() -> SocketAddr {
    let lab =
        scenario::load(&driftlab_tests::root().join("tutorials/day2.yaml")).expect("well-formed");
    let world = lab.world(Timestamp::START, Controllers::All);
    serve(world, Options { pace: Pace::times(60), ..Options::default() })
}

struct Kubectl {
    program: PathBuf,
    config: PathBuf,
}

impl Kubectl {
    fn at(addr: SocketAddr) -> Option<Self> {
        let program = driftlab_tests::tool("kubectl")?;
        let config = std::env::temp_dir().join(format!("driftlab-serve-{}.yaml", addr.port()));
        std::fs::write(&config, kubeconfig(&format!("http://{addr}"), "", &Users::default()))
            .expect("writable");
        Some(Kubectl { program, config })
    }

    /// What a command line comes to: the exit code, and all that is printed.
    fn run(&self, line: &str) -> (i32, String) {
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", &self.config).args(["--request-timeout=20s"]);
        let output = command.args(line.split(' ')).output().expect("kubectl runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// Asks until the answer is as wanted.
    fn until(&self, line: &str, wanted: impl Fn(&str) -> bool) -> String {
        for _ in 0..200 {
            let (_, text) = self.run(line);
            if wanted(&text) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{line} never came to what was wanted: {}", self.run(line).1);
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.config);
    }
}

#[test]
fn kubectl_scales_by_hand_and_the_loop_heals() {
    let Some(kubectl) = Kubectl::at(day_2()) else { return };
    let replicas = "get deployment hello -n hello -o jsonpath={.spec.replicas}";
    kubectl.until(replicas, |text| text == "3");
    let (code, text) = kubectl.run("scale deployment/hello -n hello --replicas=5");
    assert_eq!((code, text.as_str()), (0, "deployment.apps/hello scaled\n"));
    kubectl.until(replicas, |text| text == "3");
    let ready = kubectl.until("get kustomizations -A", |text| text.contains("True"));
    assert!(ready.contains("Applied revision: main@sha1:"), "{ready}");
}

#[test]
fn kubectl_deletes_a_namespace_and_the_loop_rebuilds_it() {
    let Some(kubectl) = Kubectl::at(day_2()) else { return };
    let uid = "get namespace hello -o jsonpath={.metadata.uid} --ignore-not-found";
    let before = kubectl.until(uid, |text| !text.is_empty());
    assert_eq!(kubectl.run("delete namespace hello").0, 0);
    kubectl.until(uid, |text| !text.is_empty() && text != before);
    kubectl.until("get pods -n hello", |text| text.matches("Running").count() == 3);
}

/// The commands of the chapter, in order, and what it says they print; ages and the random ends of pods'
/// names are left out.
#[test]
fn the_chapter_about_kubectl_tells_what_happens() {
    let Some(kubectl) = Kubectl::at(day_2()) else { return };
    kubectl.until("get pods -n hello", |text| text.matches("Running").count() == 3);
    let chapter = include_str!("../tutorials/09_kubectl/README.md");
    let blocks = chapter.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("a beginning"));
    let typed: Vec<(&str, &str)> = blocks
        .flat_map(|block| block.split("$ kubectl ").skip(1))
        .map(|typed| typed.split_once('\n').expect("a line"))
        .collect();
    assert!(typed.len() > 10, "the chapter has commands");
    for (line, expected) in typed {
        let line = line.replace('\'', "");
        if line.starts_with("get ") {
            kubectl.until(&line, |text| bare(text) == bare(expected));
            continue;
        }
        let (code, text) = kubectl.run(&line);
        assert_eq!(code, 0, "{line}: {text}");
        assert!(expected.is_empty() || bare(&text) == bare(expected), "{line}: {text}");
    }
}

/// What is the same each time, a word at a time.
fn bare(text: &str) -> Vec<Vec<String>> {
    let is_age = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word.chars().all(|c| c.is_ascii_digit() || "smh".contains(c))
    };
    let word = |word: &str| match word.rsplit_once('-') {
        _ if is_age(word) => "AGE".to_owned(),
        Some((owner, _)) if word.starts_with("pod/") => owner.to_owned(),
        _ => word.to_owned(),
    };
    // Older releases of kubectl do not say whence something was deleted.
    let told = |line: &str| line.split(" from ").next().unwrap_or(line).to_owned();
    let words = |line: &str| told(line).split_whitespace().map(word).collect();
    text.lines().map(words).collect()
}

/// What a person types, and how it begins to answer.
#[test]
fn kubectl_finds_what_it_expects_of_a_server() {
    let world = World::builder().controllers(Controllers::Cluster).build();
    let Some(kubectl) = Kubectl::at(serve(world, Options::default())) else { return };
    let file = std::env::temp_dir().join(format!("driftlab-serve-{}.json", std::process::id()));
    let settings = |value: &str| {
        let text = format!(
            r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "settings"}}, "data": {{"a": "{value}"}}}}"#
        );
        std::fs::write(&file, text).expect("writable");
        file.display().to_string()
    };
    let check = |line: &str, code: i32, answer: &str| {
        let (exit, text) = kubectl.run(line);
        assert!(exit == code && text.contains(answer), "{line}: exit {exit}\n{text}");
    };
    let one = settings("1");
    check(&format!("apply -f {one}"), 0, "configmap/settings created");
    check(&format!("apply -f {one}"), 0, "configmap/settings unchanged");
    let two = settings("2");
    check(&format!("diff -f {two}"), 1, "+  a: \"2\"");
    check(&format!("apply -f {two}"), 0, "configmap/settings configured");
    check("get configmaps", 0, "settings           1      ");
    check("get cm settings -o jsonpath={.data.a}", 0, "2");
    check("label cm settings tier=web", 0, "configmap/settings labeled");
    check("get cm -l tier=web -o name", 0, "configmap/settings");
    check("explain deployment.spec.replicas", 0, "FIELD: replicas <integer>");
    check("explain deployment.spec.replicas", 0, "How many pods are wanted. Unset it is 1.");
    check("api-resources --api-group=apps", 0, "deployments");
    check(
        "get deployment web",
        1,
        "Error from server (NotFound): deployments.apps \"web\" not found",
    );
    check("get widgets", 1, "the server doesn't have a resource type \"widgets\"");
    check("delete cm settings", 0, "configmap \"settings\" deleted");
    let _gone = std::fs::remove_file(&file);
}

/// `kubectl create` sends protobuf, `kubectl create -f` JSON: the objects are the same.
#[test]
fn what_is_sent_as_protobuf_is_what_is_sent_as_json() {
    let world = World::builder().controllers(Controllers::None).build();
    let Some(kubectl) = Kubectl::at(serve(world, Options::default())) else { return };
    let file = std::env::temp_dir().join(format!("driftlab-serve-pb-{}.yaml", std::process::id()));
    for (kind, args) in [
        ("deployment", " --image=nginx:1 --replicas=2 --port=80"),
        ("service nodeport", " --tcp=80:http --node-port=30080"),
        ("secret generic", " --from-literal=a=b"),
        ("configmap", " --from-literal=a=b"),
        ("job", " --image=busybox"),
        ("cronjob", " --image=busybox --schedule=0_0_*_*_*"),
        ("role", " --verb=get --resource=pods"),
        ("ingress", " --rule=shop.com/buy=svc1:8080"),
        ("quota", " --hard=pods=3,cpu=500m"),
        ("priorityclass", " --value=1000"),
        ("poddisruptionbudget", " --selector=app=web --min-available=50%"),
    ] {
        let noun = kind.split(' ').next().unwrap_or_default();
        let noun = if noun == "quota" { "resourcequota" } else { noun };
        let line = format!("create {kind} web{args}").replace('_', "\u{a0}");
        let words: Vec<String> = line.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
        let run = |more: &[&str]| {
            let mut command = Command::new(&kubectl.program);
            command.env("KUBECONFIG", &kubectl.config).args(&words).args(more);
            let output = command.output().expect("kubectl runs");
            let told =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{line}: {told}");
            told
        };
        let shown = || {
            let (code, text) =
                kubectl.run(&format!("get {noun} web -o yaml --show-managed-fields"));
            assert_eq!(code, 0, "{text}");
            let differs = [
                "uid:",
                "ime:",
                "stamp:",
                "resourceVersion:",
                "time:",
                "clusterIP",
                "- 10.",
                "manager:",
            ];
            let same = |line: &&str| !differs.iter().any(|word| line.contains(word));
            text.lines().filter(same).collect::<Vec<_>>().join("\n")
        };
        std::fs::write(&file, run(&["--dry-run=client", "-o", "yaml"])).expect("writable");
        run(&[]);
        let by_protobuf = shown();
        assert_eq!(kubectl.run(&format!("delete {noun} web --timeout=10s")).0, 0);
        let (code, text) = kubectl.run(&format!("create -f {}", file.display()));
        assert_eq!(code, 0, "{text}");
        assert_eq!(by_protobuf, shown(), "{line}");
    }
    let _gone = std::fs::remove_file(&file);
}

/// A request as a text, the answer as a text: the connection is closed after it.
fn http(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(addr: SocketAddr, path: &str, headers: &str) -> String {
    http(addr, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn whatever_comes_over_the_wire_is_answered_and_does_no_harm() {
    let world = World::builder().controllers(Controllers::None).build();
    let addr = serve(world, Options::default());
    let post = |body: &str| {
        let length = body.len();
        http(
            addr,
            &format!(
                "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        )
    };
    let check = |answer: &str, code: &str| {
        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "wanted {code}: {answer:.300}");
    };
    check(&get(addr, "/version", ""), "200");
    check(&get(addr, "/nowhere", ""), "404");
    check(&get(addr, "/api/v1/namespaces/../../secrets", ""), "404");
    check(&get(addr, "/api/v1/%ff%fe", ""), "404");
    check(&post("{"), "400");
    check(&post(&"[".repeat(100_000)), "400");
    check(&post(&" ".repeat(4 * 1024 * 1024)), "413");
    check(&http(addr, "NONSENSE\r\n\r\n"), "400");
    let brew = "BREW /api/v1/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    check(&http(addr, brew), "405");
    check(&get(addr, "/api/v1/namespaces/default/configmaps", ""), "200");
}

#[test]
fn a_watch_tells_what_there_is_and_ends_when_it_is_told_to() {
    let world = World::builder().controllers(Controllers::None).build();
    let addr = serve(world, Options::default());
    let path = "/api/v1/namespaces?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1";
    let answer = get(addr, path, "");
    assert_eq!(answer.matches("\"type\":\"ADDED\"").count(), 4, "{answer}");
    assert!(answer.contains("k8s.io/initial-events-end"), "{answer}");
}

#[test]
fn who_has_no_token_is_nobody() {
    let world = World::builder().controllers(Controllers::None).build();
    let options = Options { users: Users::admin("s3cret"), ..Options::default() };
    let addr = serve(world, options);
    assert!(get(addr, "/api/v1/pods", "").starts_with("HTTP/1.1 401 "));
    assert!(
        get(addr, "/api/v1/pods", "Authorization: Bearer wrong\r\n").starts_with("HTTP/1.1 401 ")
    );
    let with_token = get(addr, "/api/v1/pods", "Authorization: Bearer s3cret\r\n");
    assert!(with_token.starts_with("HTTP/1.1 200 "), "{with_token}");
}

#[test]
fn nobody_is_served_beyond_the_loopback_without_a_token() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let model = Model::new(World::builder().build(), Options::default());
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let opened = runtime.expect("a runtime").block_on(Serving::open(model, anywhere));
    let refused = opened.expect_err("it is refused").to_string();
    assert!(refused.contains("give a token, or listen on 127.0.0.1"), "{refused}");
}

#[test]
fn time_passes_by_hand_over_http_and_not_otherwise() {
    let world = World::builder().controllers(Controllers::Cluster).nodes(1).build();
    let addr = serve(world, Options { pace: Pace::MANUAL, ..Options::default() });
    let post = |query: &str, headers: &str| {
        http(
            addr,
            &format!(
                "POST /driftlab/time{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"
            ),
        )
    };
    let check = |answer: String, code: u16, text: &str| {
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {code} ")) && answer.contains(text),
            "{answer}"
        );
    };
    check(
        get(addr, "/driftlab/time", ""),
        200,
        r#"{"now":"2026-01-01T00:00:00Z","pace":"manual"}"#,
    );
    check(post("?pass=90s", ""), 200, r#""now":"2026-01-01T00:01:30Z""#);
    check(get(addr, "/driftlab/time", ""), 200, r#""now":"2026-01-01T00:01:30Z""#);
    check(post("", ""), 400, "how long?");
    check(post("?pass=soon", ""), 400, "is not a duration such as 30s");
    check(post("?pass=99999999h", ""), 400, "at most 24h0m0s at once");
    check(post("?pass=1s", "Impersonate-User: alice\r\n"), 403, "alice may not let time pass");
    check(get(addr, "/apis/driftlab/time", ""), 404, "");
}
