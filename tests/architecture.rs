//! The house keeps its floors: what a module may use is checked, not agreed on.
