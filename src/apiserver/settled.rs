//! Applies that are known to change nothing.
//!
//! What an apply comes to follows from the stored object, the configuration, the manager and whether
//! it is forced. Once such an apply has changed nothing it changes nothing until the object does, and
//! a reconcile loop repeats it for ever: so its outcome is kept with the object.

use std::hash::{Hash, Hasher};

use rpds::RedBlackTreeMapSync;
use serde_json::Value;

use super::names::mix;

/// Outcomes by table and key; those of an object go when it changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    objects: RedBlackTreeMapSync<String, Vec<Apply>>,
}

/// An apply, as far as its outcome depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Apply {
    manager: String,
    subresource: String,
    api_version: String,
    force: bool,
    configuration: [u64; 2],
}

impl Apply {
    pub(super) fn new(
        manager: &str,
        subresource: &str,
        api_version: String,
        force: bool,
        configuration: &Value,
    ) -> Self {
        Apply {
            manager: manager.into(),
            subresource: subresource.into(),
            api_version,
            force,
            configuration: Fingerprint::of(configuration),
        }
    }

    fn replaces(&self, other: &Apply) -> bool {
        self.manager == other.manager && self.subresource == other.subresource
    }
}

impl Settled {
    /// Whether the apply is known to change nothing.
    pub(super) fn knows(&self, object: &str, apply: &Apply) -> bool {
        self.objects.get(object).is_some_and(|known| known.contains(apply))
    }

    /// Notes that the apply changed nothing.
    pub(super) fn note(&mut self, object: String, apply: Apply) {
        let mut known = self.objects.get(&object).cloned().unwrap_or_default();
        known.retain(|other| !apply.replaces(other));
        known.push(apply);
        self.objects.insert_mut(object, known);
    }

    /// The object changed: nothing is known of it.
    pub(super) fn forget(&mut self, object: &str) {
        self.objects.remove_mut(object);
    }

    /// A schema changed: nothing is known.
    pub(super) fn clear(&mut self) {
        *self = Settled::default();
    }
}

/// 128 bits that stand for a value: two lanes over the same words, differently mixed.
struct Fingerprint([u64; 2]);

impl Fingerprint {
    fn of(value: &Value) -> [u64; 2] {
        let mut fingerprint = Fingerprint([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344]);
        value.hash(&mut fingerprint);
        fingerprint.0
    }

    fn word(&mut self, word: u64) {
        let [a, b] = self.0;
        self.0 = [mix(a ^ word), mix(b.rotate_left(23).wrapping_add(word))];
    }
}

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        self.0[0] ^ self.0[1]
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn write_isize(&mut self, value: isize) {
        self.word(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fingerprints_tell_values_apart() {
        let values = [
            json!({}),
            json!([]),
            json!(null),
            json!({"a": 1}),
            json!({"a": "1"}),
            json!({"a": 1.0}),
            json!({"a": {"b": 1}}),
            json!({"a": [], "b": 1}),
            json!({"ab": ""}),
            json!({"a": "b"}),
        ];
        for (i, one) in values.iter().enumerate() {
            for (j, other) in values.iter().enumerate() {
                assert_eq!(Fingerprint::of(one) == Fingerprint::of(other), i == j, "{one} {other}");
            }
        }
    }

    #[test]
    fn an_outcome_is_known_until_the_object_changes() {
        let apply = |force: bool, n: i64| Apply::new("m", "", "v1".into(), force, &json!({"n": n}));
        let mut settled = Settled::default();
        settled.note("a".into(), apply(true, 1));
        assert!(settled.knows("a", &apply(true, 1)));
        assert!(!settled.knows("a", &apply(false, 1)) && !settled.knows("a", &apply(true, 2)));
        assert!(!settled.knows("b", &apply(true, 1)));
        settled.forget("a");
        assert!(!settled.knows("a", &apply(true, 1)));
    }
}
