//! The server as a whole: versions, conflicts, finalizers, watches.

use serde_json::json;

use super::*;
use crate::api::{DeleteOptions, ListOptions, Propagation, WatchEventType};
use crate::object::LabelSelector;

fn caller() -> Caller {
    Caller::new("alice", "kubectl/v1.36")
}

fn ask(server: &mut Server, request: ApiRequest) -> Result<ApiResponse, Status> {
    server.handle(Timestamp::START, &caller(), request)
}

fn config(name: &str) -> Object {
    let mut object = Object::new("v1", "ConfigMap", "default", name);
    object.set("data", json!({"k": "1"}));
    object
}

#[test]
fn what_lives_in_no_namespace_is_applied_and_found_whatever_namespace_is_named() {
    let mut server = Server::new();
    let role = Object::new("rbac.authorization.k8s.io/v1", "ClusterRole", "web", "reader");
    for expected in [201, 200] {
        let options = WriteOptions { field_manager: "a".into(), ..WriteOptions::default() };
        let answer = ask(&mut server, ApiRequest::apply(&role, options)).unwrap();
        assert_eq!(answer.code, expected);
        assert_eq!(answer.into_object().unwrap().namespace(), "");
    }
    assert!(ask(&mut server, ApiRequest::get(&role.gvk(), "web", "reader")).is_ok());
}

#[test]
fn an_update_leaves_a_namespace_its_finalizer() {
    let mut server = Server::new();
    let mut web = create(&mut server, Object::new("v1", "Namespace", "", "web"));
    web.set("spec", json!({}));
    web.set("metadata.labels", json!({"team": "a"}));
    let request = ApiRequest::update(web, WriteOptions::default());
    let updated = ask(&mut server, request).unwrap().into_object().unwrap();
    assert_eq!(updated.get("spec.finalizers"), Some(&json!(["kubernetes"])));
}

fn create(server: &mut Server, object: Object) -> Object {
    let request = ApiRequest::create(object, WriteOptions::default());
    ask(server, request).unwrap().into_object().unwrap()
}

fn configs() -> GroupVersionKind {
    GroupVersionKind::new("v1", "ConfigMap")
}

fn names(answer: ApiResponse) -> Vec<String> {
    answer.into_list().unwrap().items.iter().map(|o| o.name().to_owned()).collect()
}

#[test]
fn the_resource_version_is_the_log_position() {
    let mut server = Server::new();
    let before = server.version();
    let made = create(&mut server, config("a"));
    assert_eq!(made.resource_version(), (before.0 + 1).to_string());
    let entry = server.log_since(before).unwrap().next().unwrap().clone();
    assert_eq!((entry.before, entry.after.unwrap()), (None, made));
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut server = Server::new();
    let made = create(&mut server, config("a"));
    let version = server.version();
    let again = ask(&mut server, ApiRequest::update(made.clone(), WriteOptions::default()));
    assert_eq!(again.unwrap().into_object().unwrap(), made);
    assert_eq!(server.version(), version);
    assert_eq!(server.audit().last().unwrap().version, None);
}

#[test]
fn an_update_of_an_older_version_conflicts() {
    let mut server = Server::new();
    let mut first = create(&mut server, config("a"));
    let mut second = first.clone();
    second.set("data.k", "2");
    ask(&mut server, ApiRequest::update(second, WriteOptions::default())).unwrap();
    first.set("data.k", "3");
    let refused = ask(&mut server, ApiRequest::update(first, WriteOptions::default()));
    assert!(refused.unwrap_err().is_conflict());
}

#[test]
fn a_dry_run_leaves_no_trace_but_in_the_audit_log() {
    let mut server = Server::new();
    let version = server.version();
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let answer = ask(&mut server, ApiRequest::create(config("a"), options)).unwrap();
    assert_eq!(answer.code, 201);
    assert_eq!((server.version(), server.get(&config("a").reference())), (version, None));
    assert!(server.audit().last().unwrap().dry_run);
}

#[test]
fn a_read_of_the_past_shows_what_was() {
    let mut server = Server::new();
    let start = server.version();
    let mut made = create(&mut server, config("a"));
    let then = server.version();
    create(&mut server, config("b"));
    made.set("data.k", "2");
    made.remove("metadata.resourceVersion");
    ask(&mut server, ApiRequest::update(made, WriteOptions::default())).unwrap();
    ask(&mut server, ApiRequest::delete(&configs(), "default", "b", DeleteOptions::default()))
        .unwrap();
    let list = ApiRequest::list(&configs(), "default", LabelSelector::everything());
    let check = |at: ResourceVersion, expected: &[&str]| {
        assert_eq!(names(server.read_at(at, &list).unwrap()), expected)
    };
    check(start, &[]);
    check(then, &["a"]);
    check(ResourceVersion(then.0 + 1), &["a", "b"]);
    check(server.version(), &["a"]);
    let get = ApiRequest::get_cached(&configs(), "default", "a");
    let past = server.read_at(then, &get).unwrap().into_object().unwrap();
    assert_eq!(past.text("data.k"), "1");
    assert!(server.read_at(start, &get).unwrap_err().is_not_found());
}

#[test]
fn a_compacted_log_answers_gone() {
    let mut server = Server::new();
    let start = server.version();
    create(&mut server, config("a"));
    server.compact(server.version());
    assert!(server.log_since(start).err().unwrap().is_expired());
    assert_eq!(server.log_since(server.version()).unwrap().count(), 0);
    let list = ApiRequest::list(&configs(), "default", LabelSelector::everything());
    assert!(server.read_at(start, &list).unwrap_err().is_expired());
}

#[test]
fn finalizers_hold_an_object_until_they_are_gone() {
    let mut server = Server::new();
    let mut held = config("a");
    held.set("metadata.finalizers", json!(["example.com/hold"]));
    create(&mut server, held);
    let delete = ApiRequest::delete(&configs(), "default", "a", DeleteOptions::default());
    let mut marked = ask(&mut server, delete).unwrap().into_object().unwrap();
    assert!(marked.is_deleting());
    marked.remove("metadata.finalizers");
    ask(&mut server, ApiRequest::update(marked, WriteOptions::default())).unwrap();
    assert_eq!(server.get(&config("a").reference()), None);
}

#[test]
fn propagation_becomes_finalizers() {
    let check = |propagation: Propagation, finalizers: &[&str]| {
        let mut server = Server::new();
        create(&mut server, config("a"));
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        ask(&mut server, ApiRequest::delete(&configs(), "default", "a", options)).unwrap();
        let left = server.get(&config("a").reference()).map(Object::finalizers);
        assert_eq!(left.unwrap_or_default(), finalizers);
    };
    check(Propagation::Foreground, &["foregroundDeletion"]);
    check(Propagation::Orphan, &["orphan"]);
    check(Propagation::Background, &[]);
}

#[test]
fn nothing_enters_a_namespace_that_is_missing_or_terminating() {
    let mut server = Server::new();
    let mut lost = config("a");
    lost.set("metadata.namespace", "nowhere");
    let refused = ask(&mut server, ApiRequest::create(lost.clone(), WriteOptions::default()));
    assert_eq!(refused.unwrap_err().message, "namespaces \"nowhere\" not found");
    create(&mut server, Object::new("v1", "Namespace", "", "nowhere"));
    let namespaces = GroupVersionKind::new("v1", "Namespace");
    let delete = ApiRequest::delete(&namespaces, "", "nowhere", DeleteOptions::default());
    ask(&mut server, delete).unwrap();
    let refused = ask(&mut server, ApiRequest::create(lost, WriteOptions::default()));
    assert_eq!(refused.unwrap_err().code, 403);
}

#[test]
fn a_finalized_namespace_is_gone() {
    let mut server = Server::new();
    let mut namespace = create(&mut server, Object::new("v1", "Namespace", "", "a"));
    let kind = namespace.gvk();
    ask(&mut server, ApiRequest::delete(&kind, "", "a", DeleteOptions::default())).unwrap();
    namespace.remove("metadata.resourceVersion");
    namespace.set("spec.finalizers", json!([]));
    let finalize = ApiRequest::update(namespace.clone(), WriteOptions::default())
        .to(crate::api::Subresource::Other("finalize".into()));
    ask(&mut server, finalize).unwrap();
    assert_eq!(server.get(&namespace.reference()), None);
}

#[test]
fn a_list_is_cut_by_its_limit_and_goes_on_where_it_stopped() {
    let mut server = Server::new();
    for name in ["a", "b", "c", "d", "e"] {
        create(&mut server, config(name));
    }
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let mut request = ApiRequest::list(&configs(), "default", LabelSelector::everything());
        request.verb = Verb::List(ListOptions {
            limit: 2,
            continue_token: token,
            read: ReadFrom::Latest,
            ..ListOptions::default()
        });
        let page = ask(&mut server, request).unwrap().into_list().unwrap();
        pages.push((page.items.len(), page.remaining));
        token = page.continue_token;
        if token.is_empty() {
            break;
        }
        create(&mut server, config(&format!("later{}", pages.len())));
    }
    assert_eq!(pages, [(2, Some(3)), (2, Some(1)), (1, None)]);
}

#[test]
fn a_watch_tells_changes_as_its_selector_sees_them() {
    let mut server = Server::new();
    let start = server.version();
    let mut object = config("a");
    create(&mut server, object.clone());
    for on in ["yes", "yes", "no"] {
        object.set_label("on", on);
        object.set("data.k", format!("{on}{}", server.version()));
        ask(&mut server, ApiRequest::update(object.clone(), WriteOptions::default())).unwrap();
    }
    let options = ListOptions { labels: "on=yes".parse().unwrap(), ..ListOptions::default() };
    let mut request = ApiRequest::list(&configs(), "", LabelSelector::everything());
    request.verb = Verb::Watch(options, start);
    let Body::Events(events) = ask(&mut server, request).unwrap().body else { panic!() };
    let kinds: Vec<WatchEventType> = events.iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [WatchEventType::Added, WatchEventType::Modified, WatchEventType::Deleted]);
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut server = Server::new();
    let copy = server.clone();
    create(&mut server, config("a"));
    assert_eq!(copy.get(&config("a").reference()), None);
    assert_ne!(copy.version(), server.version());
}

#[test]
fn reads_are_counted_and_refusals_kept() {
    let mut server = Server::new();
    let get = ApiRequest::get(&configs(), "default", "a");
    assert!(ask(&mut server, get.clone()).is_err());
    create(&mut server, config("a"));
    ask(&mut server, get.clone()).unwrap();
    ask(&mut server, get).unwrap();
    let counted: Vec<_> = server.reads().collect();
    assert_eq!(counted, [("alice", "get", "ConfigMap", 2)]);
    let kept: Vec<_> = server.audit().map(|e| (e.verb, e.code)).collect();
    assert_eq!(kept, [("get", 404), ("create", 201)]);
}

#[test]
fn an_apply_is_answered_alike_before_and_after_its_outcome_is_known() {
    let mut server = Server::new();
    let options = WriteOptions { field_manager: "flux".into(), ..WriteOptions::default() };
    let apply = ApiRequest::apply(&config("a"), options);
    let made = ask(&mut server, apply.clone()).unwrap().into_object();
    let answers: Vec<_> =
        (0..3).map(|_| ask(&mut server, apply.clone()).unwrap().into_object()).collect();
    assert_eq!(answers, vec![made; 3]);
    let patch = Patch::Merge(json!({"data": {"k": "drift"}}));
    let drift = ApiRequest::patch(&configs(), "default", "a", patch, WriteOptions::default());
    ask(&mut server, drift).unwrap();
    assert!(ask(&mut server, apply).unwrap_err().is_conflict());
}
