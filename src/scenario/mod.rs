//! The YAML a person writes: a world, a script, expectations.
