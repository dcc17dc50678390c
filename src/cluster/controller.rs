//! All controllers as one type.

use super::{
    ClaimProtection, CronJobs, DaemonSets, Deployments, EndpointSlices, Endpoints,
    GarbageCollector, HorizontalPodAutoscalers, Jobs, Namespaces, NodeLifecycle,
    PodDisruptionBudgets, ReplicaSets, ResourceQuotas, RootCertificates, Scheduler,
    ServiceAccounts, StatefulSets, VolumeProtection,
};
use crate::api::{Caller, Response, WatchEvent};
use crate::object::{Object, ObjectRef};
use crate::reconciler::{Activity, Next, Reconciler, Watch};
use crate::time::{Duration, Timestamp};

macro_rules! controllers {
    ($($name:ident: $about:literal,)*) => {
        /// Any controller of the control plane.
        #[derive(Clone, Debug)]
        pub enum Controller {
            $(#[doc = $about] $name($name),)*
        }

        /// Where a reconciliation of any of them stands.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum ControllerState {
            $(#[doc = $about] $name(<$name as Reconciler>::State),)*
        }

        $(impl From<$name> for Controller {
            fn from(controller: $name) -> Self {
                Controller::$name(controller)
            }
        })*

        impl Reconciler for Controller {
            type State = ControllerState;

            fn name(&self) -> &str {
                match self { $(Controller::$name(c) => c.name(),)* }
            }

            fn caller(&self) -> Caller {
                match self { $(Controller::$name(c) => c.caller(),)* }
            }

            fn watches(&self) -> Vec<Watch> {
                match self { $(Controller::$name(c) => c.watches(),)* }
            }

            fn workers(&self) -> usize {
                match self { $(Controller::$name(c) => c.workers(),)* }
            }

            fn backoff(&self) -> (Duration, Duration) {
                match self { $(Controller::$name(c) => c.backoff(),)* }
            }

            fn handle_event(&self, event: &WatchEvent, previous: Option<&Object>) -> Vec<ObjectRef> {
                match self { $(Controller::$name(c) => c.handle_event(event, previous),)* }
            }

            fn start(&self, target: &ObjectRef, now: Timestamp) -> Next<ControllerState> {
                match self {
                    $(Controller::$name(c) => c.start(target, now).map(ControllerState::$name),)*
                }
            }

            fn step(
                &self,
                state: ControllerState,
                response: Response,
                now: Timestamp,
            ) -> Next<ControllerState> {
                match (self, state) {
                    $((Controller::$name(c), ControllerState::$name(state)) => {
                        c.step(state, response, now).map(ControllerState::$name)
                    })*
                    (controller, state) => {
                        unreachable!("{} was handed a state of another: {state:?}", controller.name())
                    }
                }
            }

            fn describe(&self, state: &ControllerState) -> Activity {
                match (self, state) {
                    $((Controller::$name(c), ControllerState::$name(state)) => c.describe(state),)*
                    _ => Activity::default(),
                }
            }
        }
    };
}

controllers! {
    Namespaces: "Namespaces being deleted.",
    GarbageCollector: "Objects without owners.",
    ServiceAccounts: "Default service accounts.",
    RootCertificates: "Root certificates.",
    NodeLifecycle: "Nodes that fall silent.",
    EndpointSlices: "Slices of endpoints.",
    Endpoints: "Endpoints.",
    Jobs: "Jobs.",
    CronJobs: "CronJobs.",
    StatefulSets: "StatefulSets.",
    DaemonSets: "DaemonSets.",
    HorizontalPodAutoscalers: "HorizontalPodAutoscalers.",
    PodDisruptionBudgets: "PodDisruptionBudgets.",
    ResourceQuotas: "ResourceQuotas.",
    ClaimProtection: "Claims being deleted.",
    VolumeProtection: "Volumes being deleted.",
    Deployments: "Deployments.",
    ReplicaSets: "ReplicaSets.",
    Scheduler: "The scheduler.",
}
