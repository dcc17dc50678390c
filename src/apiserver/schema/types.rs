//! The shape of objects: what a field holds, how its list merges, what it defaults to.

use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

use super::builtin;
use super::validate::Rule;
use crate::object::GroupVersionKind;

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Text; the name Go gives the type, such as `v1.PullPolicy`.
    String(Box<str>),
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Bytes, written in base64.
    Bytes,
    /// An instant in whole seconds.
    Time,
    /// An instant in millionths of a second.
    MicroTime,
    /// An amount such as `100m` or `1Gi`.
    Quantity,
    /// A whole number or text.
    IntOrString,
    /// Any JSON; maps in it merge, lists in it are replaced.
    Any,
    /// Any JSON, replaced as a whole.
    Raw,
    /// Named fields.
    Struct(StructRef),
    /// Keys of the author's choosing.
    Map(Box<MapType>),
    /// A sequence.
    List(Box<ListType>),
}

/// A map from text to values of one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MapType {
    /// What each key holds.
    pub element: Type,
    /// Whether the map is replaced and owned as a whole.
    pub atomic: bool,
}

/// A list of values of one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListType {
    /// What each item is.
    pub element: Type,
    /// How two versions of the list merge.
    pub merge: ListMerge,
    /// Whether items are Go pointers, so that a null item stays null.
    pub pointers: bool,
}

/// How two versions of a list merge under server-side apply (`x-kubernetes-list-type`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListMerge {
    /// The newer replaces the older.
    Atomic,
    /// Items are scalars, each there once.
    Set,
    /// Items are told apart by these fields.
    Map(Vec<Box<str>>),
}

/// How a strategic merge patch treats a field (`x-kubernetes-patch-strategy`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PatchStrategy {
    /// Items of the list merge instead of being replaced.
    pub merge: bool,
    /// Fields that the patch does not name are dropped.
    pub retain_keys: bool,
    /// The field that tells items apart; empty for lists of scalars.
    pub key: Box<str>,
}

/// Named fields, in the order of the Go type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Struct {
    /// The name of the table's type; empty for the schema of a custom resource.
    pub name: Box<str>,
    /// The Go type, such as `v1.DeploymentSpec`; empty for the schema of a custom resource.
    pub go: Box<str>,
    /// The fields in declared order.
    pub fields: Vec<Field>,
    /// Positions in `fields`, by name.
    pub by_name: Vec<u16>,
    /// Positions in `fields`, in the order they are checked.
    pub order: Vec<u16>,
    /// Whether it is replaced and owned as a whole.
    pub atomic: bool,
    /// Whether fields that are not declared are kept (`x-kubernetes-preserve-unknown-fields`).
    pub open: bool,
}

/// One field of a [`Struct`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its JSON name.
    pub name: Box<str>,
    /// What it holds.
    pub ty: Type,
    /// Whether Go holds a pointer: zero is then told from absent.
    pub pointer: bool,
    /// Whether it is written even when it is zero.
    pub always: bool,
    /// Whether the schema calls it required.
    pub required: bool,
    /// Whether null is a value of its own.
    pub nullable: bool,
    /// The values allowed; empty for all.
    pub allowed: Vec<Box<str>>,
    /// The rules of its value.
    pub rules: Vec<Rule>,
    /// What it is when unset.
    pub default: Option<Value>,
    /// How a strategic merge patch treats it.
    pub patch: PatchStrategy,
}

/// A [`Struct`]: of the built-in table, or a custom resource's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StructRef {
    /// By its position in the built-in table.
    Builtin(u16),
    /// Of a custom resource.
    Own(Arc<Struct>),
}

impl Deref for StructRef {
    type Target = Struct;

    fn deref(&self) -> &Struct {
        match self {
            StructRef::Builtin(position) => builtin::structure(*position),
            StructRef::Own(own) => own,
        }
    }
}

impl Struct {
    /// A structure of these fields.
    pub(super) fn new(name: &str, go: &str, fields: Vec<Field>) -> Self {
        let mut by_name: Vec<u16> = (0..fields.len() as u16).collect();
        by_name.sort_by(|a, b| fields[*a as usize].name.cmp(&fields[*b as usize].name));
        let order = (0..fields.len() as u16).collect();
        Struct {
            name: name.into(),
            go: go.into(),
            fields,
            by_name,
            order,
            atomic: false,
            open: false,
        }
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let fields = &self.fields;
        let found =
            self.by_name.binary_search_by(|i| (*fields[*i as usize].name).cmp(name)).ok()?;
        Some(&fields[self.by_name[found] as usize])
    }
}

impl Field {
    /// A field of this type: optional, without a default.
    pub(super) fn new(name: &str, ty: Type) -> Self {
        Field {
            name: name.into(),
            ty,
            pointer: false,
            always: false,
            required: false,
            nullable: false,
            allowed: Vec::new(),
            rules: Vec::new(),
            default: None,
            patch: PatchStrategy::default(),
        }
    }
}

impl Type {
    /// The structure, if it is one.
    pub fn as_struct(&self) -> Option<&Struct> {
        match self {
            Type::Struct(structure) => Some(structure),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&ListType> {
        match self {
            Type::List(list) => Some(list),
            _ => None,
        }
    }

    /// The type as Go prints it in its decoding errors.
    pub(super) fn go(&self) -> String {
        match self {
            Type::String(go) => go.to_string(),
            Type::Int32 => "int32".into(),
            Type::Int64 => "int64".into(),
            Type::Number => "float64".into(),
            Type::Bool => "bool".into(),
            Type::Bytes => "[]uint8".into(),
            Type::Time => "v1.Time".into(),
            Type::MicroTime => "v1.MicroTime".into(),
            Type::Quantity => "resource.Quantity".into(),
            Type::IntOrString => "intstr.IntOrString".into(),
            Type::Any | Type::Raw => "interface {}".into(),
            Type::Struct(structure) => structure.go.to_string(),
            Type::Map(map) => format!("map[string]{}", map.element.go()),
            Type::List(list) => format!("[]{}", list.element.go()),
        }
    }
}

/// A kind: how it is served, and the shape of its objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KindSchema {
    /// The kind and version.
    pub gvk: GroupVersionKind,
    /// The plural, lower-case name in paths; empty for kinds without a path of their own.
    pub plural: String,
    /// The singular, lower-case name.
    pub singular: String,
    /// The kind of a list of these.
    pub list_kind: String,
    /// Names that kubectl also accepts.
    pub short_names: Vec<String>,
    /// Groups of kinds that kubectl accepts, such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether objects are stored: reviews and the like are answered only.
    pub stored: bool,
    /// Whether there is a `status` subresource.
    pub status: bool,
    /// The `scale` subresource.
    pub scale: Option<Scale>,
    /// What counts `metadata.generation` up.
    pub generation: Generation,
    /// The kind and version in which objects are stored; the same for all versions of a kind.
    pub storage: GroupVersionKind,
    /// The shape of its objects.
    pub root: StructRef,
    /// What only a custom resource has.
    pub custom: Option<Arc<Custom>>,
}

/// Where the `scale` subresource finds its numbers, as dotted paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scale {
    /// The wanted number.
    pub spec: String,
    /// The observed number.
    pub status: String,
    /// The label selector, as text; empty for none.
    pub selector: String,
}

/// What counts `metadata.generation` up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Generation {
    /// The kind has no generation.
    #[default]
    None,
    /// A change to one of these fields (dotted paths); none at all: it stays at 1.
    Fields(Vec<String>),
    /// A change to anything but metadata, and status where that is a subresource.
    Custom,
}

/// What only a custom resource has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Custom {
    /// `openAPIV3Schema` as the definition gives it; null for none.
    pub schema: Value,
    /// Where rules are that nobody evaluates (`x-kubernetes-validations`), as paths into the schema.
    pub unevaluated: Vec<String>,
    /// `additionalPrinterColumns` of the version.
    pub columns: Vec<Value>,
    /// `selectableFields` of the version, as JSON paths.
    pub selectable_fields: Vec<String>,
    /// Whether this version is deprecated, and the warning to give; empty for the standard one.
    pub deprecated: Option<String>,
}

impl KindSchema {
    /// Whether it is the kind of a custom resource.
    pub fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// Which fields a write through this way cannot reach (dotted paths): the server puts back what
    /// was stored. `subresource` is empty for the object itself.
    ///
    /// Source: `GetResetFields` of the strategies of Kubernetes.
    pub fn reset_fields(&self, subresource: &str) -> &'static [&'static str] {
        match (subresource, &*self.gvk.kind) {
            ("", _) if self.status => &["status"],
            ("status", _) if self.is_custom() => &["metadata", "spec"],
            ("status", "Deployment") => &["spec", "metadata.labels"],
            ("status", "Pod") => {
                &["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"]
            }
            ("status", _) => &["spec"],
            ("finalize", _) => &["status"],
            _ => &[],
        }
    }

    /// `plural.group`, or `plural` alone in the core group: how refusals name the resource.
    pub fn resource(&self) -> String {
        join_group(&self.plural, &self.gvk.group)
    }

    /// `Kind.group`, or `Kind` alone in the core group: how refusals of content name the kind.
    pub fn group_kind(&self) -> String {
        join_group(&self.gvk.kind, &self.gvk.group)
    }
}

fn join_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.into() } else { format!("{name}.{group}") }
}
