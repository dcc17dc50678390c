//! The commands of kubectl, and the flags of each.

use crate::scenario::commands::flags::{Flag, Takes};

use Takes::{Nothing, Perhaps, Value as Given};

/// Flags that every command knows.
pub(super) const GLOBAL: &[Flag] = &[
    ("namespace", Some('n'), Given),
    ("context", None, Given),
    ("request-timeout", None, Given),
    ("v", Some('v'), Given),
];

const FILES: &[Flag] = &[
    ("filename", Some('f'), Given),
    ("kustomize", Some('k'), Given),
    ("recursive", Some('R'), Nothing),
];
const SELECTION: &[Flag] = &[
    ("selector", Some('l'), Given),
    ("field-selector", None, Given),
    ("all", None, Nothing),
    ("all-namespaces", Some('A'), Nothing),
];
const OUTPUT: &[Flag] = &[("output", Some('o'), Given)];
const WRITE: &[Flag] = &[
    ("dry-run", None, Perhaps("unchanged")),
    ("field-manager", None, Given),
    ("validate", None, Perhaps("strict")),
];
const TIMEOUT: &[Flag] = &[("timeout", None, Given)];
const SERVER_SIDE: &[Flag] = &[("server-side", None, Nothing), ("force-conflicts", None, Nothing)];
const OVERWRITE: &[Flag] = &[("overwrite", None, Nothing)];

/// The commands, each with the flags that it knows beside the global ones.
pub(super) const COMMANDS: &[(&str, &[&[Flag]])] = &[
    ("apply", &[FILES, OUTPUT, WRITE, SERVER_SIDE, OVERWRITE]),
    ("create", &[FILES, OUTPUT, WRITE, CREATE]),
    ("replace", &[FILES, OUTPUT, WRITE]),
    ("get", &[SELECTION, OUTPUT, GET]),
    ("describe", &[SELECTION]),
    ("delete", &[FILES, SELECTION, OUTPUT, TIMEOUT, DELETE]),
    ("scale", &[SELECTION, OUTPUT, WRITE, SCALE]),
    ("patch", &[OUTPUT, WRITE, PATCH]),
    ("set", &[SELECTION, OUTPUT, WRITE, &[("containers", Some('c'), Given)]]),
    ("label", &[SELECTION, OUTPUT, WRITE, OVERWRITE]),
    ("annotate", &[SELECTION, OUTPUT, WRITE, OVERWRITE]),
    ("rollout", &[SELECTION, OUTPUT, TIMEOUT, ROLLOUT]),
    ("wait", &[SELECTION, TIMEOUT, &[("for", None, Given)]]),
    ("diff", &[FILES, SERVER_SIDE, &[("field-manager", None, Given)]]),
    ("cordon", &[SELECTION]),
    ("uncordon", &[SELECTION]),
    ("drain", &[SELECTION, TIMEOUT, DRAIN]),
    ("autoscale", &[WRITE, AUTOSCALE]),
];

const CREATE: &[Flag] = &[
    ("image", None, Given),
    ("replicas", Some('r'), Given),
    ("from-literal", None, Given),
    ("save-config", None, Nothing),
];
const GET: &[Flag] = &[
    ("show-labels", None, Nothing),
    ("no-headers", None, Nothing),
    ("ignore-not-found", None, Nothing),
    ("show-managed-fields", None, Nothing),
];
const DELETE: &[Flag] = &[
    ("wait", None, Nothing),
    ("ignore-not-found", None, Nothing),
    ("now", None, Nothing),
    ("force", None, Nothing),
    ("grace-period", None, Given),
    ("cascade", None, Perhaps("background")),
    ("dry-run", None, Perhaps("unchanged")),
];
const SCALE: &[Flag] = &[("replicas", None, Given), ("current-replicas", None, Given)];
const PATCH: &[Flag] =
    &[("patch", Some('p'), Given), ("type", None, Given), ("subresource", None, Given)];
const ROLLOUT: &[Flag] =
    &[("watch", Some('w'), Nothing), ("to-revision", None, Given), ("revision", None, Given)];
const DRAIN: &[Flag] = &[
    ("ignore-daemonsets", None, Nothing),
    ("delete-emptydir-data", None, Nothing),
    ("force", None, Nothing),
];
const AUTOSCALE: &[Flag] = &[
    ("min", None, Given),
    ("max", None, Given),
    ("cpu-percent", None, Given),
    ("cpu", None, Given),
    ("name", None, Given),
];

/// What needs a terminal, a running container, or an editor, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("edit", "there is no editor here: use 'kubectl patch', 'kubectl set' or 'kubectl apply'"),
    ("exec", "containers are modelled, not run: there is nothing to execute in"),
    ("logs", "containers are modelled, not run: they write no logs"),
    ("port-forward", "containers are modelled, not run: nobody listens"),
    ("cp", "containers are modelled, not run: they have no files"),
    ("attach", "containers are modelled, not run"),
    ("debug", "containers are modelled, not run"),
];
