//! Who may do what: the one table of the operator's routes. A route that is not in it is refused to everybody, and a
//! test fails for each one that the router has and the table has not, or the other way round.

use hookbox_core::access::Role;

/// What somebody must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// A stranger may.
    Anyone,
    Role(Role),
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It reads.
    Look,
    /// It changes something, and is written down in the audit log under these words.
    Do(&'static str),
    /// As [`Act::Do`], and its handler writes it down: only it knows who it is.
    Own,
}

/// What a write's body must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Json,
    /// A form of a page.
    Form,
    Wasm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// `GET` stands for `HEAD`, too.
    pub method: &'static str,
    /// As the router has it.
    pub path: &'static str,
    pub least: Least,
    pub act: Act,
    pub takes: Takes,
}

const METRICS: Least = Least::Role(Role::Metrics);
const VIEWER: Least = Least::Role(Role::Viewer);
const OPERATOR: Least = Least::Role(Role::Operator);
const ADMIN: Least = Least::Role(Role::Admin);

const fn look(path: &'static str, least: Least) -> Rule {
    Rule { method: "GET", path, least, act: Act::Look, takes: Takes::Json }
}

/// A question that has a body, and changes nothing.
const fn ask(path: &'static str) -> Rule {
    Rule { method: "POST", path, least: VIEWER, act: Act::Look, takes: Takes::Json }
}

const fn change(method: &'static str, path: &'static str, least: Least, what: &'static str) -> Rule {
    Rule { method, path, least, act: Act::Do(what), takes: Takes::Json }
}

const fn form(path: &'static str, least: Least, act: Act) -> Rule {
    Rule { method: "POST", path, least, act, takes: Takes::Form }
}

pub const RULES: &[Rule] = &[
    // To come in.
    look("/login", Least::Anyone),
    form("/login", Least::Anyone, Act::Own),
    form("/logout", Least::Anyone, Act::Own),
    Rule { act: Act::Own, ..look("/login/oidc", Least::Anyone) },
    Rule { act: Act::Own, ..look("/login/callback", Least::Anyone) },
    look("/assets/{name}", Least::Anyone),
    // For machines.
    look("/metrics", METRICS),
    look("/api/v1/health", METRICS),
    // Pages.
    look("/", VIEWER),
    look("/runs", VIEWER),
    look("/runs/{id}", VIEWER),
    look("/events", VIEWER),
    look("/events/{id}", VIEWER),
    look("/suppressed", VIEWER),
    look("/suppressed/{id}", VIEWER),
    look("/schedules", VIEWER),
    look("/schedules/{name}", VIEWER),
    look("/new-schedule", OPERATOR),
    look("/plugins", VIEWER),
    look("/plugins/{name}", VIEWER),
    look("/providers", VIEWER),
    look("/providers/{name}", VIEWER),
    look("/alerts", VIEWER),
    look("/system", VIEWER),
    look("/live", VIEWER),
    look("/audit", ADMIN),
    look("/tokens", ADMIN),
    form("/tokens", ADMIN, Act::Do("create token")),
    form("/tokens/{name}/revoke", ADMIN, Act::Do("revoke token")),
    form("/sessions/{id}/end", ADMIN, Act::Do("end session")),
    // Looking.
    look("/api/v1/whoami", METRICS),
    look("/api/v1/events", VIEWER),
    look("/api/v1/events/{id}", VIEWER),
    look("/api/v1/suppressed", VIEWER),
    look("/api/v1/suppressed/{id}", VIEWER),
    look("/api/v1/routes", VIEWER),
    ask("/api/v1/routes/test"),
    look("/api/v1/runs", VIEWER),
    look("/api/v1/runs/{id}", VIEWER),
    look("/api/v1/runs/{id}/result", VIEWER),
    look("/api/v1/runs/stream", VIEWER),
    look("/api/v1/runs/{id}/logs/stream", VIEWER),
    look("/api/v1/searches", VIEWER),
    look("/api/v1/searches/{name}", VIEWER),
    look("/api/v1/holds", VIEWER),
    look("/api/v1/holds/{*target}", VIEWER),
    look("/api/v1/schedules", VIEWER),
    look("/api/v1/schedules/{name}", VIEWER),
    ask("/api/v1/schedules/{name}"),
    look("/api/v1/plugins", VIEWER),
    look("/api/v1/plugins/{name}", VIEWER),
    look("/api/v1/plugin-changes", VIEWER),
    look("/api/v1/providers", VIEWER),
    look("/api/v1/providers/{name}", VIEWER),
    look("/api/v1/providers/{name}/pairing", VIEWER),
    look("/api/v1/overview", VIEWER),
    look("/api/v1/system", VIEWER),
    look("/api/v1/alerts", VIEWER),
    look("/api/v1/openapi.json", VIEWER),
    // Steering.
    change("POST", "/api/v1/events/route", OPERATOR, "route unrouted events"),
    change("POST", "/api/v1/events/{id}/route", OPERATOR, "route event"),
    change("POST", "/api/v1/suppressed/{id}/release", OPERATOR, "release duplicate"),
    change("POST", "/api/v1/runs/cancel", OPERATOR, "cancel runs"),
    change("POST", "/api/v1/runs/replay", OPERATOR, "replay runs"),
    change("POST", "/api/v1/runs/{id}/cancel", OPERATOR, "cancel run"),
    change("POST", "/api/v1/runs/{id}/replay", OPERATOR, "replay run"),
    change("PUT", "/api/v1/searches/{name}", OPERATOR, "keep search"),
    change("DELETE", "/api/v1/searches/{name}", OPERATOR, "drop search"),
    change("POST", "/api/v1/handlers/{plugin}/{handler}/run", OPERATOR, "make job"),
    change("PUT", "/api/v1/holds/{*target}", OPERATOR, "hold"),
    change("DELETE", "/api/v1/holds/{*target}", OPERATOR, "release"),
    change("PUT", "/api/v1/schedules/{name}", OPERATOR, "put schedule"),
    change("DELETE", "/api/v1/schedules/{name}", OPERATOR, "remove schedule"),
    change("POST", "/api/v1/schedules/{name}/run", OPERATOR, "run schedule"),
    change("POST", "/api/v1/schedules/{name}/pause", OPERATOR, "pause schedule"),
    change("POST", "/api/v1/schedules/{name}/resume", OPERATOR, "resume schedule"),
    change("POST", "/api/v1/schedules/{name}/reset", OPERATOR, "reset schedule"),
    change("POST", "/api/v1/schedules/{name}/backfill", OPERATOR, "backfill schedule"),
    change("POST", "/api/v1/plugins/{name}/rollback", OPERATOR, "roll back plugin"),
    change("POST", "/api/v1/alerts/channels/{name}/test", OPERATOR, "test alerts"),
    // Code, secrets, and who may do all this.
    Rule { takes: Takes::Wasm, ..change("POST", "/api/v1/plugins", ADMIN, "push plugin") },
    change("POST", "/api/v1/providers/{name}/pairing", ADMIN, "open pairing"),
    change("POST", "/api/v1/providers/{name}/pairing/confirm", ADMIN, "confirm pairing"),
    change("POST", "/api/v1/providers/{name}/pairing/close", ADMIN, "close pairing"),
    look("/api/v1/tokens", ADMIN),
    change("POST", "/api/v1/tokens", ADMIN, "create token"),
    change("DELETE", "/api/v1/tokens/{name}", ADMIN, "revoke token"),
    look("/api/v1/sessions", ADMIN),
    change("DELETE", "/api/v1/sessions/{id}", ADMIN, "end session"),
    look("/api/v1/audit", ADMIN),
    // It has every payload.
    change("POST", "/api/v1/backup", ADMIN, "back up"),
];

/// What the table says of a request to a path that the router has.
pub(super) enum Found {
    Rule(&'static Rule),
    /// The path is there, by these methods.
    Methods(Vec<&'static str>),
    /// Nothing is said of it: nobody may.
    Nothing,
}

pub(super) fn rule(method: &str, path: &str) -> Found {
    let method = if method == "HEAD" { "GET" } else { method };
    let of_path = || RULES.iter().filter(|rule| rule.path == path);
    match of_path().find(|rule| rule.method == method) {
        Some(rule) => Found::Rule(rule),
        None if of_path().next().is_none() => Found::Nothing,
        None => {
            let with_head = |rule: &Rule| if rule.method == "GET" { vec!["GET", "HEAD"] } else { vec![rule.method] };
            Found::Methods(of_path().flat_map(with_head).collect())
        }
    }
}

/// Whether somebody of this role may do what the audit log has under these words.
pub(super) fn lets(role: Role, act: &str) -> bool {
    RULES.iter().any(|rule| {
        matches!(rule.act, Act::Do(what) if what == act) && matches!(rule.least, Least::Role(least) if role >= least)
    })
}

/// What stands in `path` where the pattern has names.
pub(super) fn object(pattern: &str, path: &str) -> String {
    let (mut parts, mut rest) = (Vec::new(), path.split('/'));
    for wanted in pattern.split('/') {
        if wanted.starts_with("{*") {
            parts.extend(rest.by_ref());
        } else if let Some(given) = rest.next().filter(|_| wanted.starts_with('{')) {
            parts.push(given);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_has_two_rules_and_every_write_is_named() {
        for (at, rule) in RULES.iter().enumerate() {
            let twice = |other: &Rule| (other.method, other.path) == (rule.method, rule.path);
            assert!(!RULES[at + 1..].iter().any(twice), "{rule:?}");
            let asks = rule.act == Act::Look && rule.method == "POST";
            assert!(rule.method == "GET" || rule.act != Act::Look || asks, "{rule:?}");
            assert!(rule.method != "GET" || !matches!(rule.act, Act::Do(_)), "{rule:?}");
        }
    }

    #[test]
    fn a_role_is_let_do_what_the_table_says_and_nothing_that_it_does_not_know() {
        for (act, least) in
            [("cancel run", Role::Operator), ("replay runs", Role::Operator), ("push plugin", Role::Admin)]
        {
            for role in [Role::Metrics, Role::Viewer, Role::Operator, Role::Admin] {
                assert_eq!(lets(role, act), role >= least, "{role} {act}");
            }
        }
        assert!(!lets(Role::Admin, "cancel"));
    }

    #[test]
    fn an_object_is_what_the_path_names() {
        for (pattern, path, named) in [
            ("/api/v1/runs/{id}/cancel", "/api/v1/runs/run_1/cancel", "run_1"),
            ("/api/v1/handlers/{plugin}/{handler}/run", "/api/v1/handlers/a/b/run", "a/b"),
            ("/api/v1/holds/{*target}", "/api/v1/holds/a/b", "a/b"),
            ("/api/v1/runs/cancel", "/api/v1/runs/cancel", ""),
        ] {
            assert_eq!(object(pattern, path), named);
        }
    }
}
