//! What is done when something happens: rules decide, and what they decide is handed over.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::event::Kind;
use crate::model::state::State;
use crate::rules::{Call, Rules, Trigger};

/// Where calls go that rules have decided; it must not wait.
pub type Offer = Box<dyn Fn(Vec<Call>) + Send + Sync>;

/// Rules, and where their calls go.
pub(super) struct Reactions {
    rules: ArcSwap<Rules>,
    offer: Offer,
}

impl fmt::Debug for Reactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactions").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Reactions {
    pub(super) fn new(rules: Rules, offer: Offer) -> Self {
        Self { rules: ArcSwap::from_pointee(rules), offer }
    }

    /// From now on other rules decide.
    pub(super) fn change(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// Whether any rule may be triggered by events of this kind.
    pub(super) fn listens(&self, kind: Kind) -> bool {
        self.rules.load().listens(kind)
    }

    /// Hands over what rules decide on an trigger. It is called under the server's lock, so that
    /// calls come in the order of their events.
    pub(super) fn react(&self, trigger: &Trigger, state: &State) {
        let calls = self.rules.load().decide(trigger, state);
        if !calls.is_empty() {
            (self.offer)(calls);
        }
    }
}
