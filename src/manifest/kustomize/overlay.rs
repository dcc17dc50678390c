//! What a Flux `Kustomization` object adds to the kustomization it builds.

use serde_json::Value;

use super::file::{Image, Kustomization};
use crate::manifest::Mistake;
use crate::manifest::yaml::Node;

/// The fields of a Flux `Kustomization`'s spec that change what is built: `targetNamespace`,
/// `namePrefix`, `nameSuffix`, `patches`, `images`, `components` and `ignoreMissingComponents`.
///
/// They are written into the kustomization file before it is built, as kustomize-controller does
/// (<https://fluxcd.io/flux/components/kustomize/kustomizations/>). `commonMetadata` is not among them:
/// Flux applies it to the objects afterwards.
///
/// ```
/// use driftlab::manifest::Overlay;
/// let spec = serde_json::json!({"path": "./apps", "targetNamespace": "shop"});
/// assert_ne!(Overlay::from_spec(&spec)?, Overlay::default());
/// # Ok::<(), driftlab::manifest::Mistake>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// As a kustomization file would say it; empty when nothing is added.
    fields: serde_json::Map<String, Value>,
    ignores_missing_components: bool,
}

/// The fields of the spec, and what a kustomization file calls them.
const FIELDS: [(&str, &str); 6] = [
    ("targetNamespace", "namespace"),
    ("namePrefix", "namePrefix"),
    ("nameSuffix", "nameSuffix"),
    ("patches", "patches"),
    ("images", "images"),
    ("components", "components"),
];

impl Overlay {
    /// What the `spec` of a Flux `Kustomization` adds.
    ///
    /// # Errors
    ///
    /// When one of the fields is not of the shape that the custom resource definition gives it.
    pub fn from_spec(spec: &Value) -> Result<Self, Mistake> {
        let given = |(from, to): (&str, &str)| Some((to.to_owned(), spec.get(from)?.clone()));
        let overlay = Overlay {
            fields: FIELDS.into_iter().filter_map(given).collect(),
            ignores_missing_components: spec["ignoreMissingComponents"] == true,
        };
        overlay.kustomization()?;
        Ok(overlay)
    }

    /// Writes it into a kustomization; `exists` says whether there is anything at a component's path.
    pub(super) fn apply(
        &self,
        k: &mut Kustomization,
        exists: impl Fn(&str) -> bool,
    ) -> Result<(), Mistake> {
        let overlay = self.kustomization()?;
        let replace = |old: &mut super::file::Text, new: super::file::Text| {
            if !new.value.is_empty() {
                *old = new;
            }
        };
        replace(&mut k.namespace, overlay.namespace);
        replace(&mut k.name_prefix, overlay.name_prefix);
        replace(&mut k.name_suffix, overlay.name_suffix);
        k.patches.extend(overlay.patches);
        let kept = |path: &str| !self.ignores_missing_components || exists(path);
        k.components
            .extend(overlay.components.into_iter().filter(|component| kept(&component.value)));
        overlay.images.into_iter().for_each(|image| set_image(&mut k.images, image));
        Ok(())
    }

    fn kustomization(&self) -> Result<Kustomization, Mistake> {
        let node = Node::from_value(&Value::Object(self.fields.clone()));
        Kustomization::read("the Kustomization object", &node)
    }
}

/// An image that is there already is changed in the parts that are given; tag and digest are one part.
fn set_image(images: &mut Vec<Image>, image: Image) {
    match images.iter_mut().find(|old| old.name == image.name) {
        None => images.push(image),
        Some(old) => {
            if !image.new_name.is_empty() {
                old.new_name = image.new_name;
            }
            if !image.new_tag.is_empty() || !image.digest.is_empty() {
                (old.new_tag, old.digest) = (image.new_tag, image.digest);
            }
        }
    }
}
