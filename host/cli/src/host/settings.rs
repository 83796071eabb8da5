//! What the parts of the host are told of the configuration.

use std::collections::HashMap;

use anyhow::Result;
use hookbox_core::name::HandlerRef;
use hookbox_core::plugin::PolicyPatch;
use hookbox_engine::Settings;
use hookbox_http::ingress::IngressLimits;

use crate::project::Project;

pub(super) fn ingress_limits(project: &Project) -> Result<IngressLimits> {
    Ok(IngressLimits {
        body_bytes_max: usize::try_from(project.config.server.body_bytes_max)?,
        bodies_bytes_max: usize::try_from(project.config.server.bodies_bytes_max)?,
        in_flight_max: project.config.server.in_flight_max as usize,
        queue_max: project.config.server.queue_max,
        per_source: project.config.server.per_source,
        ..IngressLimits::default()
    })
}

pub(super) fn engine_settings(project: &Project) -> Settings {
    let mut settings = Settings {
        schedules: project.config.schedules.clone(),
        retention: project.config.retention,
        rollbacks: project.config.rollbacks(),
        ..Settings::default()
    };
    for (name, plugin) in &project.config.plugins {
        settings.plugins.insert(name.clone(), PolicyPatch { timeout: plugin.timeout, ..PolicyPatch::default() });
        settings.kv_bytes.insert(name.clone(), plugin.kv_bytes);
        let filters = plugin.filters.iter();
        settings.filters.extend(
            filters.map(|(handler, filter)| {
                (HandlerRef { plugin: name.clone(), handler: handler.clone() }, filter.clone())
            }),
        );
        let handlers = plugin
            .handlers
            .iter()
            .map(|(handler, patch)| (HandlerRef { plugin: name.clone(), handler: handler.clone() }, patch.clone()));
        settings.handlers.extend(handlers.collect::<HashMap<_, _>>());
    }
    settings
}
