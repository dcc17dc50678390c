//! As whom the parts of the control plane make their requests.

use crate::api::Caller;

/// The release that the control plane is a model of.
pub(super) const VERSION: &str = "v1.36.3";

/// A controller of kube-controller-manager, which gives each a service account of its own
/// (`--use-service-account-credentials`) and the same field manager.
pub(super) fn controller(name: &str) -> Caller {
    let agent = format!("kube-controller-manager/{VERSION}");
    trusted(Caller::service_account("kube-system", name, &agent))
}

/// The scheduler.
pub(super) fn scheduler() -> Caller {
    trusted(Caller {
        groups: vec!["system:authenticated".into()],
        ..Caller::new("system:kube-scheduler", &format!("kube-scheduler/{VERSION}"))
    })
}

/// The kubelet of a node.
pub(super) fn kubelet(node: &str) -> Caller {
    trusted(Caller {
        groups: vec!["system:nodes".into(), "system:authenticated".into()],
        ..Caller::new(&format!("system:node:{node}"), &format!("kubelet/{VERSION}"))
    })
}

/// One of those who may do everything: the parts of the model's control plane ask for a little else than the
/// real ones, for whom the roles of a cluster are cut.
fn trusted(mut caller: Caller) -> Caller {
    caller.groups.push("system:masters".into());
    caller
}
