//! What a request costs over HTTP: one loopback connection, one request after another.
//!
//! A real kube-apiserver 1.36 with its etcd answers 1,065 gets and 238 applies without change a second on
//! a machine of two cores.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use driftlab::serve::{Model, Options, Serving};
use driftlab::sim::{Controllers, World};
use driftlab_benches::deployment;

/// A bare API server behind a port, until the process ends.
fn serve() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let world = World::builder().controllers(Controllers::None).build();
            let model = Model::new(world, Options::default());
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let serving = Serving::open(model, any).await.expect("a free port");
            sender.send(serving.addr().expect("an address")).expect("the bench waits");
            serving.run(|_, _| {}).await.expect("it goes on");
        });
    });
    receiver.recv().expect("it is served")
}

/// One connection that is kept, as a client's is.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    fn to(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("it listens");
        stream.set_nodelay(true).expect("a socket takes options");
        Connection { stream, answer: vec![0; 1 << 16] }
    }

    /// The status code of the answer, when all of it has been read.
    fn ask(&mut self, request: &[u8]) -> u16 {
        self.stream.write_all(request).expect("it reads");
        let mut read = 0;
        loop {
            read += self.stream.read(&mut self.answer[read..]).expect("it answers");
            if let Some(code) = whole(&self.answer[..read]) {
                return code;
            }
        }
    }
}

/// The status code of an answer that is there to its end.
fn whole(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).expect("a head is text");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("an answer has a length").parse().expect("a number");
    let code = head.split(' ').nth(1).expect("a status line").parse().expect("a number");
    (answer.len() == end + length).then_some(code)
}

fn request(method: &str, path: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn requests(c: &mut Criterion) {
    let mut connection = Connection::to(serve());
    let body = deployment("default", "hello").as_value().to_string();
    let path = "/apis/apps/v1/namespaces/default/deployments/hello";
    let target = format!("{path}?fieldManager=kustomize-controller&force=true");
    let apply = request("PATCH", &target, "application/apply-patch+yaml", &body);
    assert_eq!(connection.ask(&apply), 201);
    let get = request("GET", path, "", "");
    let mut group = c.benchmark_group("over HTTP");
    group.throughput(Throughput::Elements(1));
    group.bench_function("get a Deployment", |b| b.iter(|| assert_eq!(connection.ask(&get), 200)));
    group.bench_function("apply a Deployment, nothing changed", |b| {
        b.iter(|| assert_eq!(connection.ask(&apply), 200));
    });
    group.finish();
}

criterion_group!(benches, requests);
criterion_main!(benches);
