//! What the built-in kinds and their most used fields are for, in a sentence each.

use std::collections::BTreeMap;
use std::sync::LazyLock;

static TEXT: &str = include_str!("builtin.descriptions");

/// Sentences by type, and by type and field.
static SENTENCES: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).collect()
});

/// What a type is for.
pub(in crate::apiserver) fn of_type(name: &str) -> Option<&'static str> {
    SENTENCES.get(name).copied()
}

/// What a field of a type is for.
pub(in crate::apiserver) fn of_field(name: &str, field: &str) -> Option<&'static str> {
    let own = SENTENCES.get(format!("{name}.{field}").as_str());
    own.or_else(|| SENTENCES.get(format!("*.{field}").as_str())).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apiserver::schema::builtin;

    #[test]
    fn every_sentence_is_about_a_type_or_field_that_there_is() {
        let names: Vec<&str> = builtin::type_names().collect();
        for name in SENTENCES.keys().filter(|name| !name.starts_with('*')) {
            if names.contains(name) {
                continue;
            }
            let (of, field) = name.rsplit_once('.').unwrap_or((name, ""));
            assert!(names.contains(&of), "{name}: no such type");
            let fields = &builtin::named(of);
            assert!(fields.fields.iter().any(|f| &*f.name == field), "{name}: no such field");
        }
        assert_eq!(
            SENTENCES.len(),
            TEXT.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).count()
        );
    }
}
