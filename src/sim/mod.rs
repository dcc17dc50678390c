//! The world: everything below, put together, in virtual time.
