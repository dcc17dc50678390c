//! `get`, `describe` and `diff`.

use serde_json::{Value, json};

use super::ask::{Asking, Read};
use super::kinds::Kind;
use super::{Files, Output as Format, ServerSide, Targets, View};
use crate::apiserver::table::Table;
use crate::apiserver::table::columns::{cells, pairs};
use crate::manifest::yaml;
use crate::object::Object;
use crate::reconciler::conditions;

impl Asking<'_> {
    pub(super) fn show(&mut self, targets: &Targets, view: &View) {
        let mut groups: Vec<(Kind, Vec<Object>)> = Vec::new();
        for (word, name) in &targets.kinds {
            for kind in self.kinds(word) {
                match self.find_of(&kind, name.as_deref(), targets) {
                    Ok(objects) => match groups.iter_mut().find(|(known, _)| *known == kind) {
                        Some((_, known)) => known.extend(objects),
                        None => groups.push((kind, objects)),
                    },
                    Err(status) if status.is_not_found() && view.ignore_not_found => {}
                    Err(status) => self.refused(&status),
                }
            }
        }
        let named = targets.kinds.iter().any(|(_, name)| name.is_some());
        if groups.iter().all(|(_, objects)| objects.is_empty()) {
            if !named && matches!(view.output, Format::Table { .. }) {
                self.out.line(self.nothing_found(targets, &groups));
            }
            return;
        }
        match &view.output {
            Format::Table { wide } => self.tables(&groups, targets, view, *wide),
            Format::Name => {
                for (kind, objects) in &groups {
                    objects.iter().for_each(|object| self.out.line(kind.name(object.name())));
                }
            }
            Format::Columns(columns) => {
                let head = columns.iter().map(|(title, _)| title.clone()).collect();
                let all = groups.iter().flat_map(|(_, objects)| objects);
                let row = |object: &Object| {
                    let cell = columns.iter().map(|(_, path)| path.render(object.as_value()));
                    cell.map(|text| if text.is_empty() { "<none>".into() } else { text }).collect()
                };
                let rows: Vec<Vec<String>> = all.map(row).collect();
                self.out.text.push_str(&table(Some(head).filter(|_| !view.no_headers), &rows));
            }
            format => {
                let all: Vec<&Object> = groups.iter().flat_map(|(_, objects)| objects).collect();
                let single = named && all.len() == 1;
                self.documents(&all, single, view.managed_fields, format);
            }
        }
    }

    fn nothing_found(&self, targets: &Targets, groups: &[(Kind, Vec<Object>)]) -> String {
        let namespaced = groups.iter().any(|(kind, _)| kind.namespaced);
        match namespaced && !targets.all_namespaces {
            true => format!("No resources found in {} namespace.", self.namespace),
            false => "No resources found".into(),
        }
    }

    /// One table a kind; with several, names carry their kind.
    fn tables(
        &mut self,
        groups: &[(Kind, Vec<Object>)],
        targets: &Targets,
        view: &View,
        wide: bool,
    ) {
        let shown: Vec<_> = groups.iter().filter(|(_, objects)| !objects.is_empty()).collect();
        for (i, (kind, objects)) in shown.iter().enumerate() {
            if i > 0 {
                self.out.line("");
            }
            let (head, mut rows) = self.rows(kind, objects, wide);
            let mut head: Vec<String> = head;
            if groups.len() > 1 {
                rows.iter_mut().for_each(|row| row[0] = kind.name(&row[0]));
            }
            if targets.all_namespaces && kind.namespaced {
                head.insert(0, "NAMESPACE".into());
                for (row, object) in rows.iter_mut().zip(objects) {
                    row.insert(0, object.namespace().into());
                }
            }
            if view.show_labels {
                head.push("LABELS".into());
                for (row, object) in rows.iter_mut().zip(objects) {
                    row.push(pairs(object.get("metadata.labels")));
                }
            }
            let head = Some(head).filter(|_| !view.no_headers);
            self.out.text.push_str(&table(head, &rows));
        }
    }

    fn rows(&self, kind: &Kind, objects: &[Object], wide: bool) -> (Vec<String>, Vec<Vec<String>>) {
        let schema = self.world.server().resources().find(|schema| schema.gvk == kind.gvk);
        let table = schema.map(|schema| Table::of(schema, objects, self.world.now()));
        let table = table.unwrap_or_default();
        let table = if wide { table } else { table.narrow() };
        (table.columns.into_iter().map(|column| column.title).collect(), table.rows)
    }

    fn documents(&mut self, all: &[&Object], single: bool, managed: bool, format: &Format) {
        let shown = |object: &&Object| if managed { (*object).clone() } else { bare(object) };
        let value = if single {
            shown(&all[0]).into_value()
        } else {
            let items: Vec<Value> = all.iter().map(|object| shown(object).into_value()).collect();
            json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})
        };
        match format {
            Format::Yaml => self.out.text.push_str(&yaml::to_string(&value)),
            Format::Json => {
                let text = serde_json::to_string_pretty(&value).unwrap_or_default();
                self.out.line(text.replace("  ", "    "));
            }
            Format::JsonPath(template) => self.out.text.push_str(&template.render(&value)),
            _ => unreachable!("tables and names are shown elsewhere"),
        }
    }

    pub(super) fn describe(&mut self, targets: &Targets) {
        for (i, found) in self.find(targets).iter().enumerate() {
            if i > 0 {
                self.out.line("\n");
            }
            let text = description(&found.object);
            self.out.text.push_str(&text);
            self.describe_events(&found.object);
        }
    }

    fn describe_events(&mut self, object: &Object) {
        let events: Vec<Object> = self
            .world
            .server()
            .objects_of("", "Event")
            .filter(|event| event.text("involvedObject.uid") == object.uid())
            .cloned()
            .collect();
        if events.is_empty() {
            return self.out.line("Events:  <none>");
        }
        self.out.line("Events:");
        let head = ["  Type", "Reason", "Age", "Message"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = events
            .iter()
            .map(|event| {
                let seen = cells(event, self.world.now()).remove(0);
                let text = |field: &str| event.text(field).to_owned();
                vec![format!("  {}", text("type")), text("reason"), seen, text("message")]
            })
            .collect();
        self.out.text.push_str(&table(Some(head), &rows));
    }

    pub(super) fn diff(&mut self, files: &Files, server_side: Option<&ServerSide>) {
        for read in self.read(files).unwrap_or_default() {
            match self.tried(&read, server_side) {
                Ok((live, merged)) => self.diff_one(&read, live.as_ref(), &merged),
                Err(status) => self.refused(&status),
            }
        }
    }

    fn diff_one(&mut self, read: &Read, live: Option<&Object>, merged: &Object) {
        let text = |object: &Object| yaml::to_string(&bare(object).into_value());
        let (before, after) = (live.map(text).unwrap_or_default(), text(merged));
        if before == after {
            return;
        }
        let gvk = &read.kind.gvk;
        let name = [&gvk.group, &gvk.version, &gvk.kind, merged.namespace(), merged.name()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<&str>>()
            .join(".");
        let (old, new) = (format!("/tmp/LIVE/{name}"), format!("/tmp/MERGED/{name}"));
        self.out.line(format!("diff -u -N {old} {new}"));
        let diff = similar::TextDiff::from_lines(&before, &after);
        let text = diff.unified_diff().context_radius(3).header(&old, &new).to_string();
        self.out.text.push_str(&text);
        self.out.exit = self.out.exit.max(1);
    }
}

/// The object without what only machines read.
fn bare(object: &Object) -> Object {
    let mut bare = object.clone();
    bare.remove("metadata.managedFields");
    bare
}

fn description(object: &Object) -> String {
    let lines = |map: Option<&Value>| match map.and_then(Value::as_object) {
        None => "<none>".to_owned(),
        Some(fields) => {
            let line = |(key, value): (&String, &Value)| match value.as_str() {
                Some(text) => format!("{key}={text}"),
                None => format!("{key}={value}"),
            };
            fields.iter().map(line).collect::<Vec<_>>().join("\n              ")
        }
    };
    let mut text = format!("Name:         {}\n", object.name());
    if !object.namespace().is_empty() {
        text += &format!("Namespace:    {}\n", object.namespace());
    }
    text += &format!("Labels:       {}\n", lines(object.get("metadata.labels")));
    text += &format!("Annotations:  {}\n", lines(object.get("metadata.annotations")));
    for part in ["spec", "data", "status"] {
        let mut value = object.get(part).cloned().unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("conditions");
        }
        if value.as_object().is_some_and(|fields| !fields.is_empty()) {
            let title = format!("{}{}", part[..1].to_uppercase(), &part[1..]);
            let body = yaml::to_string(&value).trim_end().replace('\n', "\n  ");
            text += &format!("{title}:\n  {body}\n");
        }
    }
    let conditions = conditions(object);
    if !conditions.is_empty() {
        let head = ["  Type", "Status", "Reason"].map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = conditions
            .into_iter()
            .map(|c| vec![format!("  {}", c.kind), c.status, c.reason])
            .collect();
        text += &format!("Conditions:\n{}", table(Some(head), &rows));
    }
    text
}

/// Columns padded to their widest cell and three blanks between them, as kubectl prints tables.
pub(in crate::scenario::commands) fn table(
    head: Option<Vec<String>>,
    rows: &[Vec<String>],
) -> String {
    let all: Vec<&Vec<String>> = head.iter().chain(rows).collect();
    let columns = all.iter().map(|row| row.len()).max().unwrap_or(0);
    let width = |column: usize| {
        all.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &&Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("   ").trim_end().to_owned() + "\n"
    };
    all.iter().map(line).collect()
}
