//! A tree of files to desired objects: multi-document YAML, kustomize build.
//!
//! [`objects`] reads one file as `kubectl apply -f` does. [`build`] builds a kustomization;
//! [`build_generated`] does as Flux does, which makes a kustomization where there is none and adds what
//! its own object says, an [`Overlay`].

mod kustomize;
mod read;
pub mod yaml;

pub(crate) use kustomize::generated_resources;
pub use kustomize::{Built, Overlay, build, build_from, build_generated};
pub use read::objects;

use yaml::YamlError;

/// A mistake in a file that somebody wrote: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}; {remedy}", place(.file, *.line))]
pub struct Mistake {
    /// The file, as its path from the top of the tree.
    pub file: String,
    /// The line, from 1; 0 when the mistake is about the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Mistake {
    /// A mistake on a line of a file; 0 stands for the file as a whole.
    pub fn new(
        file: impl Into<String>,
        line: usize,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Mistake { file: file.into(), line, message: message.into(), remedy: remedy.into() }
    }
}

impl From<YamlError> for Mistake {
    fn from(error: YamlError) -> Self {
        Mistake::new(error.file, error.line, error.message, error.remedy)
    }
}

fn place(file: &str, line: usize) -> String {
    if line == 0 { file.into() } else { format!("{file}:{line}") }
}
