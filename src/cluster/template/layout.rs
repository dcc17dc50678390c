//! The Go types that a pod template is made of, as data.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Named types by their Go names.
pub(super) struct Layout {
    structs: BTreeMap<&'static str, Vec<Field>>,
    /// Named types that are neither structs nor strings, with what they are.
    scalars: BTreeMap<&'static str, &'static str>,
}

/// A field of a struct.
pub(super) struct Field {
    /// The Go name.
    pub(super) name: &'static str,
    /// The name in JSON; `None` for a struct whose fields stand among those of its parent.
    pub(super) json: Option<&'static str>,
    /// The Go type.
    pub(super) go: &'static str,
}

/// The layout of a pod template.
pub(super) fn pod_template() -> &'static Layout {
    static LAYOUT: OnceLock<Layout> = OnceLock::new();
    LAYOUT.get_or_init(|| Layout::parse(include_str!("pod_template.layout")))
}

impl Layout {
    /// The fields of a type, if it is a struct.
    pub(super) fn fields(&self, go: &str) -> Option<&[Field]> {
        self.structs.get(go).map(Vec::as_slice)
    }

    /// What a type that is no struct is at bottom: `string`, `int64` and the like.
    pub(super) fn bottom<'a>(&self, go: &'a str) -> &'a str
    where
        'static: 'a,
    {
        match self.scalars.get(go) {
            Some(kind) => kind,
            None if go.contains('.') => "string",
            None => go,
        }
    }

    fn parse(text: &'static str) -> Self {
        let mut layout = Layout { structs: BTreeMap::new(), scalars: BTreeMap::new() };
        let mut current = "";
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["struct", name] => {
                    current = name;
                    layout.structs.insert(name, Vec::new());
                }
                ["scalar", name, kind] => drop(layout.scalars.insert(name, kind)),
                [name, json, go] => {
                    let json = Some(json).filter(|json| *json != ".");
                    let fields = layout.structs.get_mut(current).expect("fields follow a struct");
                    fields.push(Field { name, json, go });
                }
                _ => unreachable!("the table has a line {line:?}"),
            }
        }
        layout
    }
}
