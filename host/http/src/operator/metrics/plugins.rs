//! Plugins: which of them were rolled back, and which have something refused.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Capped, Labels, NAMED_MAX};
use crate::operator::Operator;

pub(super) fn register(registry: &mut Registry, operator: &Operator) {
    let (rollbacks, refused) = (Family::<Labels, Counter>::default(), Family::<Labels, Gauge>::default());
    let mut names = Capped::to(NAMED_MAX);
    for row in operator.store.catalogue().plugins() {
        let name = names.label(row.name.as_str());
        let plugin = || ("plugin", name.clone());
        for (by, number) in [("operator", row.rollbacks.by_operator), ("host", row.rollbacks.by_host)] {
            rollbacks.get_or_create(&vec![plugin(), ("by", by.to_owned())]).inc_by(number);
        }
        refused.get_or_create(&vec![plugin()]).inc_by(i64::from(row.refused.is_some()));
    }
    let swaps = Family::<Labels, Counter>::default();
    for (plugin, number) in operator.changes.swaps() {
        swaps.get_or_create(&vec![("plugin", names.label(plugin.as_str()))]).inc_by(number);
    }
    registry.register("plugins_swapped", "Versions that began to serve since the start", swaps);
    registry.register("plugins_rolled_back", "Rollbacks, by an operator or by the host itself", rollbacks);
    registry.register("plugins_refused", "1 where the latest file or upload of a plugin does not serve", refused);
}
