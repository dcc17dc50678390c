//! A tree of files to desired objects: multi-document YAML, kustomize build.
