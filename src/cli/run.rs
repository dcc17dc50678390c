//! `driftlab run`: plays a scenario, or reconciles a folder or repository of manifests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

use super::{Exit, Mistake, terminal};
use crate::terminal_options;
