//! A run as a person, or a program, reads it.
