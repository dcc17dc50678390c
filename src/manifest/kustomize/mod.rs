//! kustomize builds, as `kubectl kustomize` and Flux do them.
//!
//! A build goes through a tree of kustomization files. For each it reads the resources (files, and other
//! kustomizations), adds what generators make, lets components work on them, and runs the transformers
//! in a fixed order. At the end, and only there, generated objects get the hash of their content into
//! their names, and whoever refers to a renamed object follows. Objects are trees of YAML nodes on the
//! way: a scalar keeps its text, so that `"0644"` copied elsewhere stays what it was.

mod config;
mod decode;
mod fault;
mod fields;
mod file;
mod files;
mod generate;
mod generated;
mod merge;
mod order;
mod overlay;
mod patch;
mod path;
mod plugin;
mod references;
mod replace;
mod resource;
mod schema;
mod target;
mod transform;
mod twins;
mod vars;

pub(crate) use generated::resources as generated_resources;
pub use overlay::Overlay;

use self::file::Kustomization;
use self::files::{Files, of_tree};
use self::target::Target;
use super::Mistake;
use crate::git::{Entry, Tree};
use crate::object::Object;

/// What a build comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// The objects, in kustomize's order: by kind, unless `sortOptions` says otherwise.
    pub objects: Vec<Object>,
    /// What the files ask for and do not get, each with file and line.
    pub warnings: Vec<String>,
}

/// The objects of the kustomization in a folder of a tree. Files may be named anywhere in the tree.
///
/// ```
/// use driftlab::git::Tree;
/// let tree = Tree::from_files([
///     ("base/kustomization.yaml", "resources: [shop.yaml]\n"),
///     ("base/shop.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n"),
///     ("prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\nnamePrefix: big-\n"),
/// ])?;
/// let built = driftlab::manifest::build(&tree, "prod")?;
/// assert_eq!(built.objects[0].reference().to_string(), "Service/prod/big-shop");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// When a file is missing, is not what it should be, or asks for what is not done here.
pub fn build(tree: &Tree, path: &str) -> Result<Built, Mistake> {
    let read = of_tree(tree);
    run(Files::new(&read, false), path, |target, folder| target.load(folder))
}

/// The objects of a folder as Flux builds it: of its kustomization or, where there is none, of all
/// manifests in it and below; with what the `Kustomization` object adds. Flux rewrites the kustomization
/// of the folder, and so a field of it that there is not is left out, with a warning.
///
/// # Errors
///
/// As [`build`]; also when a file that ends in `.yaml` or `.yml` is no manifest.
pub fn build_generated(tree: &Tree, path: &str, overlay: &Overlay) -> Result<Built, Mistake> {
    let read = of_tree(tree);
    let files = Files::new(&read, false);
    run(files, path, |target, folder| {
        let mut kustomization = match generated::has_file(tree, folder) {
            true => target.load_rewritten(folder)?,
            false => generated::kustomization(tree, folder)?,
        };
        let exists =
            |component: &str| matches!(files.find(folder, component), Ok(files::Found::Folder(_)));
        overlay.apply(&mut kustomization, exists)?;
        Ok(kustomization)
    })
}

/// The objects of the kustomization in a folder of whatever `read` gives: what stands at a path from the
/// top, of folders only that they are there. Files must be in the folder of the kustomization that
/// names them, or below, as `kubectl kustomize` has it.
///
/// # Errors
///
/// As [`build`].
pub fn build_from(read: &dyn Fn(&str) -> Option<Entry>, path: &str) -> Result<Built, Mistake> {
    run(Files::new(read, true), path, |target, folder| target.load(folder))
}

fn run<'a>(
    files: Files<'a>,
    path: &str,
    top: impl FnOnce(&mut Target<'a>, &str) -> Result<Kustomization, Mistake>,
) -> Result<Built, Mistake> {
    let folder = files::join("", path).map_err(|fault| fault.at(path, 0))?;
    let folder = match files.find("", &folder).map_err(|fault| fault.at(path, 0))? {
        files::Found::Folder(folder) => folder,
        files::Found::File(file, _) => {
            return Err(Mistake::new(
                file,
                0,
                "this is a file",
                "name the folder of a kustomization",
            ));
        }
        files::Found::Nothing => return Err(files::missing("", &folder).at(path, 0)),
    };
    let mut target = Target::new(files);
    let kustomization = top(&mut target, &folder)?;
    let objects = target.build(&kustomization, &folder)?;
    Ok(Built { objects, warnings: target.warnings })
}
