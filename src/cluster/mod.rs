//! The control plane's own controllers.
