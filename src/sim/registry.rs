//! A registry of container images: repositories, tags, digests.

use std::fmt;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use sha2::{Digest, Sha256};

use crate::api::PullError;
use crate::time::Timestamp;

/// Container images by repository and tag, as the OCI distribution specification names them.
///
/// A push moves a tag; what was pushed under a digest stays. Copying a registry is a few reference
/// counts.
///
/// ```
/// use driftlab::sim::Registry;
/// use driftlab::time::Timestamp;
/// let mut registry = Registry::default();
/// registry.push("ghcr.io/acme/hello:v1", "the first release", Timestamp::START).unwrap();
/// let digest = registry.resolve("ghcr.io/acme/hello:v1").unwrap();
/// assert_eq!(registry.resolve(&format!("ghcr.io/acme/hello@{digest}")).unwrap(), digest);
/// assert!(registry.resolve("ghcr.io/acme/hello:v2").is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    repositories: RedBlackTreeMapSync<Arc<str>, Repository>,
    open: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Repository {
    tags: RedBlackTreeMapSync<Arc<str>, Arc<str>>,
    images: RedBlackTreeMapSync<Arc<str>, Image>,
}

/// One image, whatever tags point to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// `sha256:` and 64 hexadecimal digits, from the content.
    pub digest: Arc<str>,
    /// What is in it, in a word: the source revision it was built from, as
    /// `org.opencontainers.image.revision` tells it.
    pub revision: Arc<str>,
    /// When it was pushed first.
    pub pushed: Timestamp,
}

/// The parts of an image's name: `[host[:port]/]path[:tag][@digest]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageName<'a> {
    /// Host and path.
    pub repository: &'a str,
    /// The tag; `latest` when neither tag nor digest is given, empty when only a digest is.
    pub tag: &'a str,
    /// The digest; empty when none is given.
    pub digest: &'a str,
}

/// A text that names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("couldn't parse image name {0:?}: invalid reference format")]
pub struct InvalidImageName(pub String);

impl Registry {
    /// A registry that has whatever image is asked for, and still keeps what is pushed: for worlds
    /// that are not about images.
    pub fn open() -> Self {
        Registry { open: true, ..Registry::default() }
    }

    /// Pushes an image built from a source revision and points the tag of `name` to it. The same
    /// revision under the same repository is the same image. Returns its digest.
    ///
    /// # Errors
    ///
    /// When the name is malformed, or names a digest instead of a tag.
    pub fn push(
        &mut self,
        name: &str,
        revision: &str,
        now: Timestamp,
    ) -> Result<String, InvalidImageName> {
        let parts: ImageName<'_> = name.try_into()?;
        if !parts.digest.is_empty() {
            return Err(InvalidImageName(name.into()));
        }
        let digest: Arc<str> = digest_of(parts.repository, revision).into();
        let mut repository = self.repositories.get(parts.repository).cloned().unwrap_or_default();
        if !repository.images.contains_key(&digest) {
            let image = Image { digest: digest.clone(), revision: revision.into(), pushed: now };
            repository.images.insert_mut(digest.clone(), image);
        }
        repository.tags.insert_mut(parts.tag.into(), digest.clone());
        self.repositories.insert_mut(parts.repository.into(), repository);
        Ok(digest.to_string())
    }

    /// The image that a name stands for.
    ///
    /// # Errors
    ///
    /// As a container runtime tells it: a malformed name, or an image that is not there.
    pub fn image(&self, name: &str) -> Result<Image, PullError> {
        let parts = ImageName::try_from(name).map_err(|e| PullError::InvalidName(e.to_string()))?;
        let found = self.repositories.get(parts.repository).and_then(|repository| {
            let digest = match parts.digest {
                "" => repository.tags.get(parts.tag)?,
                digest => digest,
            };
            repository.images.get(digest).cloned()
        });
        match found {
            Some(image) => Ok(image),
            None if self.open => Ok(Image {
                digest: digest_of(parts.repository, parts.tag).into(),
                revision: "".into(),
                pushed: Timestamp::default(),
            }),
            None => Err(PullError::NotFound(format!(
                "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": {name}: not found"
            ))),
        }
    }

    /// The digest that a name stands for.
    ///
    /// # Errors
    ///
    /// As [`Registry::image`].
    pub fn resolve(&self, name: &str) -> Result<String, PullError> {
        self.image(name).map(|image| image.digest.to_string())
    }

    /// The tags of a repository with their digests, by name; none for an unknown repository.
    pub fn tags(&self, repository: &str) -> Vec<(&str, &str)> {
        self.repositories
            .get(repository)
            .into_iter()
            .flat_map(|repository| repository.tags.iter())
            .map(|(tag, digest)| (tag.as_ref(), digest.as_ref()))
            .collect()
    }
}

impl<'a> TryFrom<&'a str> for ImageName<'a> {
    type Error = InvalidImageName;

    fn try_from(name: &'a str) -> Result<Self, InvalidImageName> {
        let wrong = || InvalidImageName(name.into());
        let (rest, digest) = name.split_once('@').unwrap_or((name, ""));
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match rest[last_slash..].split_once(':') {
            Some((_, tag)) => (&rest[..rest.len() - tag.len() - 1], tag),
            None if digest.is_empty() => (rest, "latest"),
            None => (rest, ""),
        };
        let has_tag = rest.len() > repository.len();
        let ok = is_repository(repository)
            && (!has_tag || is_tag(tag))
            && (!name.contains('@') || is_digest(digest));
        ok.then_some(ImageName { repository, tag, digest }).ok_or_else(wrong)
    }
}

impl fmt::Display for ImageName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository)?;
        if !self.tag.is_empty() {
            write!(f, ":{}", self.tag)?;
        }
        if !self.digest.is_empty() {
            write!(f, "@{}", self.digest)?;
        }
        Ok(())
    }
}

fn digest_of(repository: &str, revision: &str) -> String {
    let hash = Sha256::digest(format!("{repository}\n{revision}").as_bytes());
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// Host (with an optional port) and path: the path's parts are lower case.
fn is_repository(text: &str) -> bool {
    let (host, path) = match text.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => ("", text),
    };
    let host_ok = host.chars().all(|c| c.is_ascii_alphanumeric() || ".:-".contains(c));
    let part_ok = |part: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || "._-".contains(c))
    };
    host_ok && path.split('/').all(part_ok)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || ".-".contains(c))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_container_runtimes_read_them() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let check = |name: &str, expected: Option<(&str, &str)>| {
            let found = ImageName::try_from(name).ok();
            assert_eq!(found.map(|n| (n.repository, n.tag)), expected, "{name}");
        };
        check("nginx", Some(("nginx", "latest")));
        check("nginx:1.27", Some(("nginx", "1.27")));
        check("localhost:5000/a/b", Some(("localhost:5000/a/b", "latest")));
        check("ghcr.io/acme/hello:v1-rc.2", Some(("ghcr.io/acme/hello", "v1-rc.2")));
        check(&format!("nginx@{digest}"), Some(("nginx", "")));
        check(&format!("nginx:1@{digest}"), Some(("nginx", "1")));
        for bad in
            ["", ":v1", "Nginx", "a//b", "nginx:", "nginx:a b", "nginx@sha256:12", "n@", "/a"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn a_tag_moves_and_a_digest_stays() {
        let mut registry = Registry::default();
        let first = registry.push("a/app:v1", "one", Timestamp::START).unwrap();
        let second = registry.push("a/app:v1", "two", Timestamp::START).unwrap();
        assert_ne!(first, second);
        assert_eq!(registry.resolve("a/app:v1").unwrap(), second);
        assert_eq!(registry.resolve(&format!("a/app@{first}")).unwrap(), first);
        assert_eq!(registry.image("a/app:v1").unwrap().revision.as_ref(), "two");
        assert_eq!(registry.tags("a/app"), [("v1", second.as_str())]);
        assert!(matches!(registry.resolve("a/other"), Err(PullError::NotFound(_))));
        assert!(matches!(registry.resolve("A"), Err(PullError::InvalidName(_))));
        assert!(Registry::open().resolve("a/other").is_ok());
    }
}
