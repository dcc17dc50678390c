//! The GitOps engine: source, build, compare, apply, prune, health, inventory.
