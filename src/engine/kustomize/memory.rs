//! What a controller remembers of earlier work.
//!
//! A build is a function of the files, the path and the spec: a cycle that finds them as they were need
//! not build again. Remembering changes no answer, so it is no part of a controller's value: two that
//! differ in it alone are equal, and clones share it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many results are kept: those used last.
const KEPT: usize = 128;

/// Results by what they were made of.
#[derive(Debug)]
pub(super) struct Memory<K, V>(Arc<Mutex<VecDeque<(K, V)>>>);

impl<K: PartialEq, V: Clone> Memory<K, V> {
    /// The result for a key: as it was made before, or made now and remembered. Failures are not.
    ///
    /// # Errors
    ///
    /// Those of `make`.
    pub(super) fn recall<E>(&self, key: K, make: impl FnOnce(&K) -> Result<V, E>) -> Result<V, E> {
        if let Some(known) = self.find(&key) {
            return Ok(known);
        }
        let made = make(&key)?;
        self.with(|results| {
            results.push_front((key, made.clone()));
            results.truncate(KEPT);
        });
        Ok(made)
    }

    fn find(&self, key: &K) -> Option<V> {
        self.with(|results| {
            let at = results.iter().position(|(known, _)| known == key)?;
            let found = results.remove(at)?;
            results.push_front(found);
            results.front().map(|(_, value)| value.clone())
        })
    }

    fn with<T>(&self, use_results: impl FnOnce(&mut VecDeque<(K, V)>) -> T) -> T {
        use_results(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, V> Clone for Memory<K, V> {
    fn clone(&self) -> Self {
        Memory(Arc::clone(&self.0))
    }
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Memory(Arc::default())
    }
}

impl<K, V> PartialEq for Memory<K, V> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<K, V> Eq for Memory<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_not_made_again_until_it_is_crowded_out() {
        let memory: Memory<usize, usize> = Memory::default();
        let mut made = Vec::new();
        let mut ask = |key: usize| {
            memory.recall(key, |key| {
                made.push(*key);
                Ok::<_, ()>(key * 2)
            })
        };
        assert_eq!((ask(0), ask(0), ask(1), ask(0)), (Ok(0), Ok(0), Ok(2), Ok(0)));
        (2..=KEPT).for_each(|key| assert_eq!(ask(key), Ok(key * 2)));
        assert_eq!((ask(0), ask(1)), (Ok(0), Ok(2)));
        let expected: Vec<usize> = (0..=KEPT).chain([1]).collect();
        assert_eq!(made, expected, "0 was used while 1 was not");
    }

    #[test]
    fn a_failure_is_tried_again() {
        let memory: Memory<u8, u8> = Memory::default();
        assert_eq!(memory.recall(1, |_| Err("no")), Err("no"));
        assert_eq!(memory.recall(1, |_| Ok::<_, &str>(2)), Ok(2));
    }
}
