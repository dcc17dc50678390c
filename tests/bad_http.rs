//! What comes over the wire and is no good: it is answered as a real server answers it, and does no harm.
//!
//! The statuses of the tables are those of kube-apiserver 1.36, but for those marked `ours`, where the
//! HTTP library draws a line elsewhere.
//!
//! Needs the feature `serve`.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{RwLock, mpsc};
use std::time::{Duration, Instant};

use driftlab::serve::{Model, Options, Serving};
use driftlab::sim::{Controllers, World};
use driftlab_tests::rounds;

/// What measures the memory of the process runs alone.
static MEASURING: RwLock<()> = RwLock::new(());

/// The bare API server, until the test ends.
fn serve() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let world = World::builder().controllers(Controllers::None).nodes(0).build();
            let model = Model::new(world, Options::default());
            let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
            let serving = Serving::open(model, addr).await.expect("a free port");
            sender.send(serving.addr().expect("an address")).expect("the test waits");
            serving.run(|_, _| {}).await.expect("it goes on");
        });
    });
    receiver.recv().expect("it is served")
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

/// The status of the answer to what is sent; 0 when the connection is closed without one.
fn status(addr: SocketAddr, sent: &[u8]) -> u16 {
    let mut stream = connect(addr);
    // Who refuses early may close before all is sent.
    let _cut = stream.write_all(sent);
    let mut head = [0; 12];
    let read = stream.read_exact(&mut head).map(|()| String::from_utf8_lossy(&head[9..]).parse());
    read.ok().and_then(Result::ok).unwrap_or(0)
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}\r\n"
    );
    [head.as_bytes(), body].concat()
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: &str = "Content-Type: application/json\r\n";
const GOOD: &[u8] = br#"{"metadata": {"generateName": "x-"}}"#;

/// The rows that are answered otherwise.
fn check(addr: SocketAddr, rows: &[(&str, Vec<u8>, u16)]) {
    let wrong = rows.iter().filter_map(|(what, sent, wanted)| {
        let got = status(addr, sent);
        (got != *wanted).then(|| format!("{what}: wanted {wanted}, got {got}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(status(addr, &request("GET", MAPS, "", b"")), 200, "it goes on");
}

#[test]
fn a_path_leads_where_it_leads_on_a_real_server_or_nowhere() {
    let _beside = MEASURING.read();
    let get = |path: &str| request("GET", path, "", b"");
    let rows = [
        ("/nowhere", 404),
        ("/API/v1", 404),
        ("/", 200),
        ("/api/", 200),
        ("/healthz/", 404),
        ("/api/v9/pods", 404),
        ("/apis/none.example.com/v1/foos", 404),
        ("/apis/apps/v1/nones", 404),
        ("/api/v1/namespaces/../../secrets", 404),
        ("/api/v1/namespaces/default/../kube-system/configmaps", 404),
        ("/api/v1/namespaces/default/configmaps/..", 400),
        ("/api/v1/namespaces/default/configmaps/.", 400),
        ("/api/v1/namespaces/default/configmaps/%2e%2e", 400),
        ("/api/v1/namespaces/..", 400),
        ("/api/v1/namespaces/%2e%2e/configmaps", 500),
        ("/api/v1/namespaces/default/configmaps/a%2fb", 404),
        ("/api/v1/namespaces/default/configmaps/a%25b", 400),
        ("/api/v1/namespaces/default/configmaps/a%20b", 404),
        ("/api/v1/namespaces/default/configmaps/%00", 404),
        ("/api/v1/namespaces/default/configmaps/%ff%fe", 404),
        ("/api/v1/namespaces/default/configmaps/%zz", 400),
        ("/api/v1/namespaces/default/configmaps/%", 400),
        ("/api/v1//namespaces/default", 404),
        ("//api/v1/namespaces/default", 404),
        ("/api//v1", 404),
        ("/apis//apps", 404),
        ("/api/v1/namespaces//default/configmaps", 404),
        ("/api/v1/namespaces/default//configmaps", 404),
        ("/api/v1/namespaces/default/configmaps/", 200),
        ("/api/v1/namespaces/default/", 200),
        ("/api/v1/namespaces/default/configmaps?labelSelector=%zz", 200),
        ("/api/v1/namespaces/default/configmaps?limit=%", 200),
        ("/api/v1/namespaces/default/configmaps?limit=x", 400),
        ("/api/v1/namespaces/default/configmaps?a=b;limit=x", 200),
        ("/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=x", 400),
        ("/api/v1/namespaces/default/configmaps?watch=1&resourceVersion=x", 500),
    ];
    check(serve(), &rows.map(|(path, wanted)| (path, get(path), wanted)));
}

#[test]
fn a_method_that_is_not_taken_is_refused() {
    let _beside = MEASURING.read();
    let rows = [
        ("BREW", MAPS, 405),
        ("BREW", "/api/v1/namespaces/default/configmaps/a", 405),
        ("get", MAPS, 405),
        ("HEAD", "/api/v1/namespaces/default", 405),
        ("HEAD", "/version", 405),
        ("HEAD", "/healthz", 200),
        ("OPTIONS", MAPS, 405),
        ("TRACE", MAPS, 405),
        ("POST", "/version", 405),
        ("POST", "/api", 405),
        ("POST", "/api/v1", 405),
        ("POST", "/apis/apps", 200),
        ("DELETE", "/healthz", 200),
        ("PUT", MAPS, 405),
        ("PATCH", MAPS, 405),
        ("POST", "/api/v1/namespaces/default/configmaps/a", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("DELETE", "/api/v1/configmaps", 405),
    ];
    let row = |(method, path, wanted)| (path, request(method, path, JSON, GOOD), wanted);
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    check(serve(), &rows);
}

#[test]
fn a_media_type_that_is_not_known_is_refused() {
    let _beside = MEASURING.read();
    let (path, one) =
        ("/api/v1/namespaces/default/configmaps?dryRun=All", MAPS.to_owned() + "/none");
    let body = |method: &str, path: &str, kind: &str, body: &[u8]| {
        request(method, path, &format!("Content-Type: {kind}\r\n"), body)
    };
    let rows = [
        ("none", request("POST", path, "", GOOD), 201),
        ("upper case", body("POST", path, "Application/JSON", GOOD), 201),
        ("a parameter", body("POST", path, "application/json; charset=utf-8", GOOD), 201),
        ("YAML", body("POST", path, "application/yaml", b"metadata:\n  generateName: x-\n"), 201),
        ("bad YAML", body("POST", path, "application/yaml", b"a: [\n"), 400),
        ("XML", body("POST", path, "text/xml", GOOD), 415),
        ("a text", body("POST", path, "text/plain", GOOD), 415),
        ("a form", body("POST", path, "application/x-www-form-urlencoded", GOOD), 415),
        ("no media type", body("POST", path, "///;;;", GOOD), 415),
        ("junk protobuf", body("POST", path, "application/vnd.kubernetes.protobuf", b"junk"), 400),
        ("XML to replace", body("PUT", &one, "text/xml", b"{}"), 415),
        ("XML to delete", body("DELETE", &one, "text/xml", b"{}"), 415),
        ("a patch of no type", request("PATCH", &one, "", b"{}"), 415),
        ("JSON as a patch", body("PATCH", &one, "application/json", b"{}"), 415),
        ("XML wanted", request("GET", MAPS, "Accept: text/xml\r\n", b""), 406),
    ];
    check(serve(), &rows);
}

#[test]
fn a_body_that_is_no_object_is_refused_however_deep_or_long() {
    let _beside = MEASURING.read();
    let post = |body: &[u8]| request("POST", MAPS, JSON, body);
    let patch = |path: &str, kind: &str, body: &[u8]| {
        let headers = format!("Content-Type: application/{kind}\r\n");
        request("PATCH", &format!("{MAPS}/{path}"), &headers, body)
    };
    let deep = [br#"{"a":"#.repeat(20_000), b"1".to_vec(), b"}".repeat(20_000)].concat();
    let mapped = |length: usize| {
        let data = "b".repeat(length);
        format!(r#"{{"metadata": {{"generateName": "x-"}}, "data": {{"a": "{data}"}}}}"#)
            .into_bytes()
    };
    let addr = serve();
    let named = br#"{"metadata": {"name": "there"}}"#;
    assert_eq!(status(addr, &post(named)), 201);
    let rows = [
        ("cut off", post(b"{"), 400),
        ("a list", post(b"[]"), 400),
        ("NULs", post(b"\0\0\0"), 400),
        ("two", post(&[GOOD, GOOD].concat()), 400),
        ("more after it", post(&[GOOD, b"x"].concat()), 400),
        ("a mark before it", post(&[b"\xef\xbb\xbf", GOOD].concat()), 400),
        (
            "no UTF-8",
            post(b"{\"metadata\": {\"generateName\": \"x-\"}, \"data\": {\"a\": \"\xff\"}}"),
            201,
        ),
        ("open lists", post(&b"[".repeat(100_000)), 400),
        ("deep objects", post(&deep), 400),
        ("a deep patch", patch("there", "merge-patch+json", &deep), 400),
        ("a deep patch of nothing", patch("none", "merge-patch+json", &deep), 404),
        ("a patch cut off", patch("there", "merge-patch+json", b"{\"a\":"), 400),
        ("a deep apply", patch("none?fieldManager=a", "apply-patch+yaml", &deep), 400),
        ("too much for an object", post(&mapped(1_100_000)), 422),
        ("4 MB", post(&b" ".repeat(4 << 20)), 413),
        ("100 MB", post(&b" ".repeat(100 << 20)), 413),
    ];
    check(addr, &rows);
}

#[test]
fn what_is_no_http_is_refused() {
    let _beside = MEASURING.read();
    let head = |headers: &str, body: &[u8]| {
        let head =
            format!("POST {MAPS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{JSON}{headers}\r\n");
        [head.as_bytes(), body].concat()
    };
    let many: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
    let rows = [
        ("nonsense", b"NONSENSE\r\n\r\n".to_vec(), 400),
        ("no host", format!("GET {MAPS} HTTP/1.1\r\n\r\n").into_bytes(), 400),
        ("HTTP/1.0", format!("GET {MAPS} HTTP/1.0\r\n\r\n").into_bytes(), 200),
        ("no path", request("GET", "api/v1", "", b""), 400),
        ("a length that is none", head("Content-Length: x\r\n", b""), 400),
        ("a negative length", head("Content-Length: -1\r\n", b""), 400),
        ("two lengths", head("Content-Length: 3\r\nContent-Length: 4\r\n", b"{}"), 400),
        ("a bad chunk", head("Transfer-Encoding: chunked\r\n", b"zz\r\n{}\r\n0\r\n\r\n"), 500),
        ("a header without a colon", request("GET", MAPS, "Bad\r\n", b""), 400),
        ("a header with a space", request("GET", MAPS, "Bad Header: x\r\n", b""), 400),
        (
            "a header of 1.5 MB",
            request("GET", MAPS, &format!("X: {}\r\n", "a".repeat(1_500_000)), b""),
            431,
        ),
        ("ours: 500 headers", request("GET", MAPS, &many, b""), 431),
        (
            "ours: a URL of 100 kB",
            request("GET", &format!("{MAPS}?a={}", "a".repeat(100_000)), "", b""),
            414,
        ),
        (
            "a URL of 2 MB",
            request("GET", &format!("{MAPS}?a={}", "a".repeat(2_000_000)), "", b""),
            431,
        ),
    ];
    check(serve(), &rows);
}

#[test]
fn a_body_that_breaks_off_changes_nothing() {
    let _beside = MEASURING.read();
    let addr = serve();
    let mut stream = connect(addr);
    let whole = request("POST", MAPS, JSON, br#"{"metadata": {"name": "half"}}"#);
    stream.write_all(&whole[..whole.len() - 5]).expect("it listens");
    drop(stream);
    assert_eq!(status(addr, &request("GET", &format!("{MAPS}/half"), "", b"")), 404);
}

/// Bytes of this process in memory, where the system tells.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// How many connections there are to be, if as many files may be open: both ends are here.
/// `DRIFTLAB_IDLE=10000` tries as many.
fn connections() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let open = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let open = open.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    (open.unwrap_or(1000).saturating_sub(300) / 2).min(rounds("DRIFTLAB_IDLE", 2_000))
}

#[test]
fn idle_connections_cost_little_and_keep_nobody_out() {
    let _alone = MEASURING.write();
    let addr = serve();
    let (before, count) = (memory(), connections());
    let mut idle: Vec<TcpStream> = (0..count).map(|_| connect(addr)).collect();
    let began = Instant::now();
    assert_eq!(status(addr, &request("GET", MAPS, "", b"")), 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{count} others keep it waiting");
    let silent = memory().saturating_sub(before) / count;
    assert!(silent < 8_000, "{silent} bytes for each of {count} that said nothing");
    // Each asks once, and stays.
    for stream in &mut idle {
        let ask = format!("GET {MAPS}/none HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(ask.as_bytes()).expect("it listens");
    }
    for stream in &mut idle {
        assert!(stream.read(&mut [0; 1000]).expect("it answers") > 0);
    }
    let each = memory().saturating_sub(before) / count;
    println!(
        "{count} idle connections: {silent} bytes for one that is silent, {each} after a request"
    );
    assert!(each < 40_000, "{each} bytes for each of {count} that asked once");
}

#[test]
fn a_watch_that_is_never_read_costs_no_more_than_its_place_in_the_log() {
    let _alone = MEASURING.write();
    let addr = serve();
    let data = "b".repeat(100_000);
    let put = |n: usize| {
        let body =
            format!(r#"{{"metadata": {{"name": "big"}}, "data": {{"n": "{n}", "a": "{data}"}}}}"#);
        let path = format!("{MAPS}/big");
        let sent = request(
            if n == 0 { "POST" } else { "PUT" },
            if n == 0 { MAPS } else { &path },
            JSON,
            body.as_bytes(),
        );
        assert!(status(addr, &sent) < 300);
    };
    put(0);
    let before = memory();
    let watches: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = connect(addr);
            let ask = format!("GET {MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(ask.as_bytes()).expect("it listens");
            stream
        })
        .collect();
    (1..100).for_each(put);
    // A hundred writes of 100 kB are in the log; 50 watches of all of them would be 500 MB.
    let more = memory().saturating_sub(before) / 1_000_000;
    assert!(more < 120, "{more} MB for {} watches that nobody reads", watches.len());
    let mut newest = connect(addr);
    let ask = format!(
        "GET {MAPS}?watch=1&timeoutSeconds=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    newest.write_all(ask.as_bytes()).expect("it listens");
    let mut told = String::new();
    newest.read_to_string(&mut told).expect("it is told, and ends");
    assert!(told.contains(r#""n":"99""#), "others are told");
}
