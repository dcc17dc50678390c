//! Images that cannot be pulled.

use super::{Awaiting, container, plan};
use crate::api::PullError;
use crate::cluster::report::Report;
use crate::cluster::writes::{Act, Progress, Writes};
use crate::object::Object;
use crate::reconciler::Next;
use crate::time::Timestamp;

/// A pull that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PullFailure {
    pub(super) pod: Object,
    /// The position of the container.
    pub(super) container: usize,
    pub(super) error: PullError,
}

impl PullFailure {
    pub(super) fn image(&self) -> &str {
        plan::images(&self.pod)[self.container]
    }

    pub(super) fn reason(&self) -> &'static str {
        match self.error {
            PullError::InvalidName(_) => "InvalidImageName",
            _ => "ErrImagePull",
        }
    }

    pub(super) fn back_off_reason(&self) -> &'static str {
        match self.error {
            PullError::InvalidName(_) => "InvalidImageName",
            _ => "ImagePullBackOff",
        }
    }

    pub(super) fn told(&self) -> String {
        format!("Failed to pull image {:?}: {}", self.image(), self.error)
    }

    /// Whether the pod tells of this failure already.
    pub(super) fn is_backing_off(&self) -> bool {
        container::waiting_reason(&self.pod, self.container) == Some(self.back_off_reason())
    }

    /// The pod with the reason why its container waits, and the events.
    pub(super) fn tell(
        &self,
        reason: &str,
        message: String,
        reports: [Report; 2],
        now: Timestamp,
    ) -> Progress {
        let status = container::waiting(&self.pod, self.container, reason, &message);
        let mut writes = Writes::of([Act::needed(container::patch(&self.pod, status))]);
        reports.into_iter().for_each(|report| writes.push(Act::tell(report, now)));
        writes.begin()
    }

    /// The key comes back after the backoff.
    pub(super) fn wait(&self) -> Next<Awaiting> {
        Next::failed(self.told())
    }
}
