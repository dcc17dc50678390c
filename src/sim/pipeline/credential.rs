//! Who may do what: the credentials in a world, and who holds them.

use std::fmt;

use crate::api::Caller;
use crate::git::forge;
use crate::sim::forge::name_in;
use crate::sim::world::World;
use crate::trace::Role;

/// A credential, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Credential {
    /// Who holds it.
    pub holder: String,
    /// Whether the holder is outside the cluster: then it can be stolen there, and the cluster's API
    /// must be reachable from there.
    pub outside: bool,
    /// What it opens.
    pub grant: Grant,
}

/// What a credential opens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// The Kubernetes API, as this caller.
    Cluster(Caller),
    /// Pushing to the repository at a URL.
    Repository(String),
    /// Pushing images to a repository of the registry.
    Images(String),
}

/// `the cluster as ci`, `pushing to https://…`, `images of ghcr.io/…`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::Cluster(caller) => write!(f, "the cluster as {}", caller.user),
            Grant::Repository(url) => write!(f, "pushing to {url}"),
            Grant::Images(image) => write!(f, "images of {image}"),
        }
    }
}

impl World {
    /// Who holds which credential: what was granted; people's rights to push; and the service accounts
    /// of the GitOps engine and of guest controllers, inside the cluster.
    pub fn credentials(&self) -> Vec<Credential> {
        let pushes = self.inner.people.iter().flat_map(|login| {
            self.inner.forge.repositories().map(|name| Credential {
                holder: login.clone(),
                outside: true,
                grant: Grant::Repository(self.inner.forge.url(name)),
            })
        });
        let inside = self.inner.actors.iter().filter(|actor| actor.role != Role::ControlPlane);
        let inside = inside.map(|actor| Credential {
            holder: actor.name.to_string(),
            outside: false,
            grant: Grant::Cluster(actor.caller.clone()),
        });
        self.inner.credentials.iter().cloned().chain(pushes).chain(inside).collect()
    }

    /// Gives somebody outside the cluster a credential.
    pub fn grant(&mut self, holder: &str, grant: Grant) {
        let inner = self.inner_mut();
        if let Grant::Repository(url) = &grant {
            inner.forge.grant(name_in(url), holder, forge::Role::Write);
        }
        let credential = Credential { holder: holder.into(), outside: true, grant };
        if !inner.credentials.contains(&credential) {
            inner.credentials.push(credential);
        }
    }

    /// Takes from somebody every credential that opens this.
    pub fn revoke(&mut self, holder: &str, grant: &Grant) {
        let inner = self.inner_mut();
        if let Grant::Repository(url) = grant {
            inner.forge.revoke(name_in(url), holder);
        }
        inner.credentials.retain(|c| c.holder != holder || c.grant != *grant);
    }
}
