//! Plugins: which of them were rolled back, and which have something refused.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Labels;
use crate::operator::Operator;

pub(super) fn register(registry: &mut Registry, operator: &Operator) {
    let (rollbacks, refused) = (Family::<Labels, Counter>::default(), Family::<Labels, Gauge>::default());
    for row in operator.store.catalogue().plugins() {
        let plugin = || ("plugin", row.name.to_string());
        for (by, number) in [("operator", row.rollbacks.by_operator), ("host", row.rollbacks.by_host)] {
            rollbacks.get_or_create(&vec![plugin(), ("by", by.to_owned())]).inc_by(number);
        }
        refused.get_or_create(&vec![plugin()]).set(i64::from(row.refused.is_some()));
    }
    registry.register("plugins_rolled_back", "Rollbacks, by an operator or by the host itself", rollbacks);
    registry.register("plugins_refused", "1 where the latest file or upload of a plugin does not serve", refused);
}
