//! The commands that people type.

mod flags;
mod kubectl;
mod words;
