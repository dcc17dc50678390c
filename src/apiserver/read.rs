//! Reads: one object, a list, a watch; of the newest state or as of an earlier log position.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::history::{Entry, at_version};
use super::resource::Resource;
use super::server::Server;
use super::store::key;
use super::{paging, refusal, scale, schema, selectable};
use crate::api::{
    ApiRequest, ApiResponse, Body, ListOptions, ObjectList, ResourceVersion, Status, Subresource,
    WatchEvent, WatchEventType,
};
use crate::object::{GroupVersionKind, Object};

/// The state at a log position.
pub(super) struct View<'a> {
    server: &'a Server,
    at: ResourceVersion,
}

impl<'a> View<'a> {
    pub(super) fn newest(server: &'a Server) -> Self {
        View { server, at: server.version() }
    }

    pub(super) fn at(server: &'a Server, at: ResourceVersion) -> Result<Self, Status> {
        let view = View { server, at: at.min(server.version()) };
        server.log_since(view.at).map(|_| view)
    }

    pub(super) fn get(
        &self,
        resource: &Resource,
        request: &ApiRequest,
    ) -> Result<ApiResponse, Status> {
        let object = self
            .object(resource, &key(&request.namespace, &request.name))
            .ok_or_else(|| refusal::not_found(resource, &request.name))?;
        let shown = in_version(self.server, object, &resource.gvk);
        let part = match (&request.subresource, &resource.scale) {
            (Some(Subresource::Scale), Some(paths)) => scale::of(&shown, paths),
            _ => shown,
        };
        Ok(ApiResponse::ok(Body::Object(part)))
    }

    /// A list; `name` restricts it to one object, as `kubectl get NAME --watch` asks.
    pub(super) fn list(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &ListOptions,
    ) -> Result<ApiResponse, Status> {
        selectable::check(resource, &options.fields)?;
        if !options.continue_token.is_empty() {
            let start = paging::read(&options.continue_token)?;
            let view = View::at(self.server, start.version).map_err(|_| paging::expired())?;
            return Ok(view.page(resource, namespace, name, options, &start.after));
        }
        Ok(self.page(resource, namespace, name, options, ""))
    }

    fn page(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &ListOptions,
        after: &str,
    ) -> ApiResponse {
        let wanted = |object: &Object| {
            (name.is_empty() || object.name() == name)
                && options.labels.matches(object)
                && selectable::matches(resource, &options.fields, object)
        };
        let limit = if options.limit == 0 { usize::MAX } else { options.limit };
        let mut objects = self.objects(resource, namespace, after).into_iter();
        let items: Vec<Object> = objects
            .by_ref()
            .filter(|object| wanted(object))
            .take(limit)
            .map(|object| in_version(self.server, object, &resource.gvk))
            .collect();
        // Whether there is more is told without a look at the selectors.
        let left = objects.count() as u64;
        let mut list = ObjectList { items, resource_version: self.at, ..ObjectList::default() };
        if left > 0 {
            let last = list.items.last().expect("a limit leaves something in the page");
            list.continue_token = paging::write(self.at, &key(last.namespace(), last.name()));
            let selective = !options.labels.is_everything() || !options.fields.terms.is_empty();
            list.remaining = Some(left).filter(|_| !selective);
        }
        ApiResponse::ok(Body::List(list))
    }

    /// The object at a key, as it was at this view's position: before the first later write to it.
    pub(super) fn object(&self, resource: &Resource, key_: &str) -> Option<Object> {
        let later = self.later(resource).find(|e| key(&e.object.namespace, &e.object.name) == key_);
        match later {
            Some(entry) => entry.before.clone(),
            None => self.server.store.get(&resource.table, key_).cloned(),
        }
    }

    /// The objects of a kind in a namespace (empty: in all), in key order, after a key.
    fn objects(&self, resource: &Resource, namespace: &str, after: &str) -> Vec<Object> {
        let prefix = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let Some(table) = self.server.store.table(&resource.table) else { return Vec::new() };
        let start = if after.is_empty() {
            Bound::Included(prefix.clone())
        } else {
            Bound::Excluded(after.to_owned())
        };
        let newest =
            table.range((start, Bound::Unbounded)).take_while(|(k, _)| k.starts_with(&prefix));
        let overlay = self.overlay(resource);
        if overlay.is_empty() {
            return newest.map(|(_, object)| object.clone()).collect();
        }
        let mut all: BTreeMap<String, Option<Object>> =
            newest.map(|(k, object)| (k.clone(), Some(object.clone()))).collect();
        let in_reach = |k: &String| k.starts_with(&prefix) && k.as_str() > after;
        all.extend(overlay.into_iter().filter(|(k, _)| in_reach(k)));
        all.into_values().flatten().collect()
    }

    /// What the objects written later were at this view's position.
    fn overlay(&self, resource: &Resource) -> BTreeMap<String, Option<Object>> {
        let mut overlay = BTreeMap::new();
        for entry in self.later(resource) {
            let k = key(&entry.object.namespace, &entry.object.name);
            overlay.entry(k).or_insert_with(|| entry.before.clone());
        }
        overlay
    }

    /// The writes to objects of a kind after this view's position.
    fn later(&self, resource: &Resource) -> impl Iterator<Item = &'a Entry> {
        let (group, kind) = (resource.storage.group.clone(), resource.storage.kind.clone());
        let entries = self.server.log_since(self.at).ok();
        entries
            .into_iter()
            .flatten()
            .filter(move |e| e.object.group == group && e.object.kind == kind)
    }
}

impl Server {
    /// Every change after `from` to the objects that a list would give; from version 0, the objects
    /// there are now, as additions.
    pub(super) fn watch(
        &self,
        resource: &Resource,
        namespace: &str,
        options: &ListOptions,
        from: ResourceVersion,
    ) -> Result<ApiResponse, Status> {
        selectable::check(resource, &options.fields)?;
        if from.0 == 0 {
            return self.watch_from_now(resource, namespace, options);
        }
        let selected = |object: &Option<Object>| {
            object.as_ref().is_some_and(|object| {
                options.labels.matches(object)
                    && selectable::matches(resource, &options.fields, object)
            })
        };
        let events = self
            .log_since(from)?
            .filter(|entry| entry.concerns(resource, namespace))
            .filter_map(|entry| event(entry, selected(&entry.before), selected(&entry.after)))
            .map(|event| WatchEvent {
                object: in_version(self, event.object, &resource.gvk),
                ..event
            })
            .collect();
        Ok(ApiResponse::ok(Body::Events(events)))
    }

    fn watch_from_now(
        &self,
        resource: &Resource,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<ApiResponse, Status> {
        let all = ListOptions { limit: 0, continue_token: String::new(), ..options.clone() };
        let answer = View::newest(self).list(resource, namespace, "", &all)?;
        let items = answer.into_list().map_or_else(Vec::new, |list| list.items);
        let added = |object| WatchEvent { kind: WatchEventType::Added, object };
        Ok(ApiResponse::ok(Body::Events(items.into_iter().map(added).collect())))
    }
}

impl Entry {
    /// Whether it is about an object of the resource in the namespace (empty: in any).
    fn concerns(&self, resource: &Resource, namespace: &str) -> bool {
        self.object.group == resource.storage.group
            && self.object.kind == resource.storage.kind
            && (namespace.is_empty() || self.object.namespace == namespace)
    }
}

/// What a watch tells of an entry, given whether its selector selects the object before and after.
fn event(entry: &Entry, before: bool, after: bool) -> Option<WatchEvent> {
    let kind = match (before, after) {
        (false, false) => return None,
        (false, true) => WatchEventType::Added,
        (true, true) => WatchEventType::Modified,
        (true, false) => WatchEventType::Deleted,
    };
    let object = match (&entry.before, &entry.after) {
        (_, Some(now)) if after => now.clone(),
        (Some(last), _) => at_version(last.clone(), entry.version),
        _ => unreachable!("a selected object is there"),
    };
    Some(WatchEvent { kind, object })
}

/// The object at another version of its kind.
pub(super) fn in_version(server: &Server, object: Object, kind: &GroupVersionKind) -> Object {
    let registry = server.resources.registry();
    let there = object.gvk();
    if there == *kind {
        return object;
    }
    match (registry.kind(&there), registry.kind(kind)) {
        (Some(from), Some(to)) => {
            let converted = schema::convert(from, to, object.as_value());
            Object::from_value(converted).expect("a conversion keeps what an object has")
        }
        // The version that it was stored at is served no longer.
        _ => {
            let mut shown = object;
            shown.set("apiVersion", kind.api_version());
            shown
        }
    }
}
