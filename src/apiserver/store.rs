//! The newest state: objects by kind, then by key, in maps that share structure between clones.

use rpds::RedBlackTreeMapSync;

use crate::object::{Object, ObjectRef};

/// Objects of one kind, by key.
pub(super) type Table = RedBlackTreeMapSync<String, Object>;

/// All objects.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    tables: RedBlackTreeMapSync<String, Table>,
    len: usize,
}

/// `namespace/name`, or `name` when cluster-scoped. Its order is the order of a real server's lists,
/// which is that of its etcd keys.
pub(super) fn key(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// Where the objects of a kind are kept, whatever version they are read at.
pub(super) fn table_key(group: &str, kind: &str) -> String {
    format!("{group}/{kind}")
}

impl Store {
    pub(super) fn get(&self, table: &str, key: &str) -> Option<&Object> {
        self.tables.get(table)?.get(key)
    }

    pub(super) fn get_ref(&self, object: &ObjectRef) -> Option<&Object> {
        self.get(&table_key(&object.group, &object.kind), &key(&object.namespace, &object.name))
    }

    /// The objects of one kind, in key order.
    pub(super) fn table(&self, table: &str) -> Option<&Table> {
        self.tables.get(table)
    }

    /// Every object, by group and kind, then by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Object> {
        self.tables.values().flat_map(|table| table.values())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn put(&mut self, table: &str, key: String, object: Object) {
        let mut objects = self.tables.get(table).cloned().unwrap_or_default();
        self.tables.insert_mut(table.to_owned(), Table::default());
        self.len += usize::from(!objects.contains_key(&key));
        objects.insert_mut(key, object);
        self.tables.insert_mut(table.to_owned(), objects);
    }

    /// Forgets a table that has become empty.
    pub(super) fn drop_table(&mut self, table: &str) {
        if self.tables.get(table).is_some_and(Table::is_empty) {
            self.tables.remove_mut(table);
        }
    }

    pub(super) fn remove(&mut self, table: &str, key: &str) {
        let Some(mut objects) = self.tables.get(table).cloned() else { return };
        self.tables.insert_mut(table.to_owned(), Table::default());
        self.len -= usize::from(objects.remove_mut(key));
        self.tables.insert_mut(table.to_owned(), objects);
    }
}
