//! What a component imports, beside what hooks.yaml grants it.

use hookbox_core::limits::PluginSettings;
use hookbox_core::name::PluginName;

/// Grants that are for nothing, and imports that can do nothing. Neither stops a start.
pub(super) fn compare(name: &PluginName, imports: &[String], settings: &PluginSettings) -> Vec<String> {
    let imports = |interfaces: &[&str]| {
        let interface = |import: &String| import.split('@').next().is_some_and(|known| interfaces.contains(&known));
        imports.iter().any(interface)
    };
    let requests = imports(&["wasi:http/outgoing-handler"]);
    let reads = imports(&["hookbox:plugin/config"]);
    let queues = imports(&["hookbox:plugin/queue"]);
    let keeps = imports(&["hookbox:plugin/kv", "wasi:keyvalue/store", "wasi:keyvalue/atomics", "wasi:keyvalue/batch"]);
    let (granted, plugin) = (!settings.egress.grants.is_empty(), format!("plugins.{name}"));
    let rules = [
        (
            requests && !granted,
            format!(
                "{plugin}: {name}.wasm may send requests (it imports wasi:http), and none is granted: each will be \
                 refused; grant those that it needs in {plugin}.grants.http"
            ),
        ),
        (!requests && granted, format!("{plugin}.grants.http: {name}.wasm sends no requests; leave it out")),
        (
            !requests && !settings.egress.networks.is_empty(),
            format!("{plugin}.grants.networks: {name}.wasm sends no requests; leave it out"),
        ),
        (
            !reads && !settings.secrets.is_empty(),
            format!("{plugin}.grants.secrets: {name}.wasm reads no secrets; leave it out"),
        ),
        (
            !queues && !settings.emit.is_empty(),
            format!("{plugin}.grants.emit: {name}.wasm emits nothing; leave it out"),
        ),
        (
            !queues && !settings.enqueue.is_empty(),
            format!("{plugin}.grants.enqueue: {name}.wasm makes no jobs; leave it out"),
        ),
        (
            keeps && settings.kv_bytes == 0,
            format!("{plugin}.grants.kv: {name}.wasm keeps keys, and may keep none: each will be refused"),
        ),
    ];
    rules.into_iter().filter_map(|(is_so, warning)| is_so.then_some(warning)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookbox_core::egress::{Egress, Grant};
    use hookbox_core::route::Pattern;
    use hookbox_core::secret::Secret;

    use super::*;

    fn warnings(imports: &[&str], settings: &PluginSettings) -> Vec<String> {
        let imports: Vec<String> = imports.iter().map(|import| (*import).to_owned()).collect();
        compare(&PluginName::parse("a").unwrap(), &imports, settings)
    }

    fn all() -> PluginSettings {
        let grants = vec![Grant::parse("https://a.example").unwrap()];
        let networks = vec!["10.0.0.0/8".parse().unwrap()];
        PluginSettings {
            egress: Arc::new(Egress { grants, networks, ..Egress::default() }),
            secrets: [("k".to_owned(), Arc::new(Secret::new("s").unwrap()))].into(),
            emit: vec![Pattern::parse("b/*").unwrap()],
            ..PluginSettings::default()
        }
    }

    #[test]
    fn what_fits_is_not_told() {
        let imports =
            ["wasi:http/outgoing-handler@0.2.12", "hookbox:plugin/config@0.1.0", "hookbox:plugin/queue@0.1.0"];
        assert_eq!(warnings(&imports, &all()), [""; 0]);
        assert_eq!(warnings(&["wasi:cli/environment@0.2.0"], &PluginSettings::default()), [""; 0]);
    }

    #[test]
    fn grants_for_nothing_are_told() {
        let told = warnings(&["wasi:http/types@0.2.12"], &all());
        let places: Vec<&str> = told.iter().map(|warning| warning.split(": ").next().unwrap()).collect();
        let expected = ["http", "networks", "secrets", "emit"].map(|grant| format!("plugins.a.grants.{grant}"));
        assert_eq!(places, expected);
    }

    #[test]
    fn imports_that_can_do_nothing_are_told() {
        let none = PluginSettings { kv_bytes: 0, ..PluginSettings::default() };
        let told = warnings(&["wasi:http/outgoing-handler@0.2.0", "wasi:keyvalue/store@0.2.0-draft"], &none);
        assert!(told.len() == 2 && told[0].contains("plugins.a.grants.http") && told[1].contains("kv"), "{told:?}");
    }
}
