//! Objects as a table: what `kubectl get` shows, which a real server works out too.
//!
//! Source: `k8s.io/kubernetes/pkg/printers/internalversion` for built-in kinds, and
//! `additionalPrinterColumns` for custom resources.

pub(crate) mod columns;
pub(crate) mod jsonpath;

use serde_json::Value;

use super::schema::KindSchema;
use crate::object::Object;
use crate::time::Timestamp;

/// The columns of a kind, and a row for each object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its title, in upper case.
    pub(crate) title: String,
    /// Whether only `-o wide` shows it.
    pub(crate) wide: bool,
}

impl Table {
    /// The table of objects of one kind.
    pub(crate) fn of(kind: &KindSchema, objects: &[Object], now: Timestamp) -> Self {
        match Own::columns(kind) {
            own if own.is_empty() => Self::builtin(kind, objects, now),
            own => Self::custom(&own, objects, now),
        }
    }

    /// The same without the columns that only `-o wide` shows.
    pub(crate) fn narrow(mut self) -> Self {
        let shown: Vec<bool> = self.columns.iter().map(|column| !column.wide).collect();
        let keep = |cells: Vec<String>| -> Vec<String> {
            cells.into_iter().zip(&shown).filter(|(_, shown)| **shown).map(|(c, _)| c).collect()
        };
        self.rows = self.rows.into_iter().map(keep).collect();
        self.columns.retain(|column| !column.wide);
        self
    }

    fn builtin(kind: &KindSchema, objects: &[Object], now: Timestamp) -> Self {
        let titles = columns::titles(&kind.gvk.group, &kind.gvk.kind);
        let (narrow, wide) = titles.split_once('/').unwrap_or((titles, ""));
        let of = |titles: &str, wide: bool| -> Vec<Column> {
            let titles = titles.split('|').filter(|title| !title.is_empty());
            titles.map(|title| Column { title: title.into(), wide }).collect()
        };
        let columns = [of(narrow, false), of(wide, true)].concat();
        Table { columns, rows: objects.iter().map(|o| columns::cells(o, now)).collect() }
    }

    fn custom(own: &[Own<'_>], objects: &[Object], now: Timestamp) -> Self {
        let name = Column { title: "NAME".into(), wide: false };
        let titles = own.iter().map(|c| Column { title: c.name.to_uppercase(), wide: c.wide });
        let row = |object: &Object| {
            let cells = own.iter().map(|column| column.cell(object, now));
            std::iter::once(object.name().to_owned()).chain(cells).collect()
        };
        let columns = std::iter::once(name).chain(titles).collect();
        Table { columns, rows: objects.iter().map(row).collect() }
    }
}

/// A column that a custom resource's definition asks for.
struct Own<'a> {
    name: &'a str,
    path: &'a str,
    is_date: bool,
    wide: bool,
}

impl<'a> Own<'a> {
    fn columns(kind: &'a KindSchema) -> Vec<Self> {
        let columns = kind.custom.iter().flat_map(|custom| &custom.columns);
        let read = |column: &'a Value| {
            Some(Own {
                name: column["name"].as_str()?,
                path: column["jsonPath"].as_str()?,
                is_date: column["type"].as_str()? == "date",
                wide: column["priority"].as_i64().unwrap_or(0) > 0,
            })
        };
        columns.filter_map(read).collect()
    }

    fn cell(&self, object: &Object, now: Timestamp) -> String {
        let template = jsonpath::parse(&format!("{{{}}}", self.path));
        let text = template.map(|t| t.render(object.as_value())).unwrap_or_default();
        match text.parse::<Timestamp>() {
            Ok(since) if self.is_date => columns::human(now.since(since)),
            _ => text,
        }
    }
}
