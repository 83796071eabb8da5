//! Who is let in, and the log of what they did.

use hookbox_core::access::{
    AccessToken, AuditEntry, AuditOutcome, Holder, Role, SESSION_IDLE, SESSIONS_MAX, SecretHash, Session, TOKENS_MAX,
    TokenName, Via,
};
use hookbox_core::time::Timestamp;
use hookbox_store::StoreError;
use hookbox_store::types::{AccessChange, AuditFilter, Audited, PageRequest, Retention};

use crate::world::{NOW, World, later};

conformance! {
    a_token_survives_until_it_is_revoked,
    a_name_is_given_once_and_tokens_have_an_end,
    revoking_a_token_ends_its_sessions_alone,
    a_session_too_many_ends_the_one_that_was_used_longest_ago,
    sessions_that_are_over_make_room,
    when_something_was_used_only_grows,
    what_is_done_is_written_down_before_and_after,
    the_log_is_read_in_pages_and_by_filter,
    the_log_has_an_end,
}

fn name(text: &str) -> TokenName {
    TokenName::parse(text).unwrap()
}

fn token(text: &str) -> AccessToken {
    AccessToken {
        name: name(text),
        hash: SecretHash::of(text.as_bytes()),
        role: Role::Operator,
        created: NOW,
        by: "loopback".to_owned(),
        used: None,
        expires: None,
    }
}

fn session(id: &str, of: &str, at: Timestamp) -> Session {
    Session { hash: SecretHash::of(id.as_bytes()), holder: Holder::Token(name(of)), created: at, used: at }
}

fn ids(world: &World) -> Vec<SecretHash> {
    world.access().sessions.keys().copied().collect()
}

async fn change(world: &World, change: AccessChange) -> bool {
    world.change_access(change).await.unwrap()
}

async fn a_token_survives_until_it_is_revoked(world: &mut World) {
    assert!(change(world, AccessChange::NewToken(token("ci"))).await);
    world.pause();
    assert_eq!(world.access().tokens[&name("ci")], token("ci"));
    assert!(change(world, AccessChange::RevokeToken(name("ci"))).await);
    assert!(!change(world, AccessChange::RevokeToken(name("ci"))).await);
    world.pause();
    assert!(world.access().tokens.is_empty());
}

async fn a_name_is_given_once_and_tokens_have_an_end(world: &mut World) {
    assert!(change(world, AccessChange::NewToken(token("t0"))).await);
    let other = AccessToken { role: Role::Admin, ..token("t0") };
    assert!(!change(world, AccessChange::NewToken(other)).await);
    assert_eq!(world.access().tokens[&name("t0")].role, Role::Operator);
    for n in 1..TOKENS_MAX {
        assert!(change(world, AccessChange::NewToken(token(&format!("t{n}")))).await);
    }
    let full = world.change_access(AccessChange::NewToken(token("more"))).await;
    assert!(matches!(full, Err(StoreError::Conflict(_))), "{full:?}");
    world.pause();
    assert_eq!(world.access().tokens.len(), TOKENS_MAX);
}

async fn revoking_a_token_ends_its_sessions_alone(world: &mut World) {
    for of in ["ci", "me"] {
        assert!(change(world, AccessChange::NewToken(token(of))).await);
        for id in ["a", "b"] {
            assert!(change(world, AccessChange::NewSession(session(&format!("{of}{id}"), of, NOW))).await);
        }
    }
    assert!(change(world, AccessChange::RevokeToken(name("ci"))).await);
    world.pause();
    let mut left = [SecretHash::of(b"mea"), SecretHash::of(b"meb")];
    left.sort();
    assert_eq!(ids(world), left);
    // Another token of that name has none of them.
    assert!(change(world, AccessChange::NewToken(token("ci"))).await);
    assert_eq!(ids(world), left);
    assert!(change(world, AccessChange::EndSession(SecretHash::of(b"mea"))).await);
    assert!(!change(world, AccessChange::EndSession(SecretHash::of(b"mea"))).await);
    world.pause();
    assert_eq!(ids(world), [SecretHash::of(b"meb")]);
}

async fn a_session_too_many_ends_the_one_that_was_used_longest_ago(world: &mut World) {
    change(world, AccessChange::NewToken(token("ci"))).await;
    for n in 0..SESSIONS_MAX as u64 {
        change(world, AccessChange::NewSession(session(&format!("s{n}"), "ci", later(n)))).await;
    }
    assert!(change(world, AccessChange::SessionUsed(SecretHash::of(b"s0"), later(5000))).await);
    change(world, AccessChange::NewSession(session("more", "ci", later(5001)))).await;
    world.pause();
    let left = ids(world);
    assert_eq!(left.len(), SESSIONS_MAX);
    assert!(left.contains(&SecretHash::of(b"s0")) && left.contains(&SecretHash::of(b"more")));
    assert!(!left.contains(&SecretHash::of(b"s1")));
}

async fn sessions_that_are_over_make_room(world: &mut World) {
    // Its token was revoked meanwhile.
    assert!(!change(world, AccessChange::NewSession(session("late", "ci", NOW))).await);
    change(world, AccessChange::NewToken(token("ci"))).await;
    change(world, AccessChange::NewSession(session("old", "ci", NOW))).await;
    change(world, AccessChange::NewSession(session("new", "ci", NOW.plus(SESSION_IDLE)))).await;
    world.pause();
    assert_eq!(ids(world), [SecretHash::of(b"new")]);
}

async fn when_something_was_used_only_grows(world: &mut World) {
    change(world, AccessChange::NewToken(token("ci"))).await;
    change(world, AccessChange::NewSession(session("a", "ci", NOW))).await;
    let hash = SecretHash::of(b"a");
    for (at, changes) in [(later(9), true), (later(9), false), (later(3), false)] {
        assert_eq!(change(world, AccessChange::TokenUsed(name("ci"), at)).await, changes);
        assert_eq!(change(world, AccessChange::SessionUsed(hash, at)).await, changes);
    }
    assert!(!change(world, AccessChange::TokenUsed(name("no"), later(9))).await);
    assert!(!change(world, AccessChange::SessionUsed(SecretHash::of(b"no"), later(9))).await);
    world.pause();
    let rows = world.access();
    assert_eq!((rows.tokens[&name("ci")].used, rows.sessions[&hash].used), (Some(later(9)), later(9)));
}

fn entry(n: u64) -> AuditEntry {
    AuditEntry {
        at: later(n),
        who: if n.is_multiple_of(2) { "ann" } else { "ci" }.to_owned(),
        via: Via::Token,
        role: Some(Role::Operator),
        address: "192.0.2.1".to_owned(),
        what: "cancel run".to_owned(),
        object: format!("run {n}."),
    }
}

fn done(detail: &str) -> AuditOutcome {
    AuditOutcome { result: "done".to_owned(), detail: detail.to_owned() }
}

async fn all(world: &World) -> Vec<Audited> {
    world.audited(PageRequest { before: None, limit: 500 }, AuditFilter::default()).await.unwrap().items
}

async fn what_is_done_is_written_down_before_and_after(world: &mut World) {
    let number = world.audit(entry(0)).await.unwrap();
    world.pause();
    assert_eq!(all(world).await, [Audited { number, entry: entry(0), outcome: None }]);
    world.audit_outcome(number, done("two runs")).await.unwrap();
    world.audit_outcome(number, done("another word")).await.unwrap();
    world.audit_outcome(number + 7, done("")).await.unwrap();
    world.pause();
    assert_eq!(all(world).await, [Audited { number, entry: entry(0), outcome: Some(done("two runs")) }]);
    assert_eq!(world.audit(entry(1)).await.unwrap(), number + 1);
}

async fn the_log_is_read_in_pages_and_by_filter(world: &mut World) {
    for n in 0..7 {
        let number = world.audit(entry(n)).await.unwrap();
        world.audit_outcome(number, done(&format!("detail {n}"))).await.unwrap();
    }
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = world.audited(PageRequest { before, limit: 3 }, AuditFilter::default()).await.unwrap();
        seen.extend(page.items.iter().map(|one| one.entry.at));
        assert_eq!((page.total.count, page.total.exact), (7, true), "of all pages");
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..7).rev().map(later).collect::<Vec<_>>());
    let fits = async |filter: AuditFilter| {
        let page = world.audited(PageRequest { before: None, limit: 2 }, filter.clone()).await.unwrap();
        let all = world.audited(PageRequest { before: None, limit: 100 }, filter).await.unwrap();
        assert_eq!((page.total.count, page.total.exact), (all.items.len() as u64, true));
        page.items.iter().map(|one| one.entry.at.since(NOW).0).collect::<Vec<_>>()
    };
    assert_eq!(fits(AuditFilter { who: Some("ann".to_owned()), ..AuditFilter::default() }).await, [6, 4]);
    for text in ["run 3.", "detail 3"] {
        assert_eq!(fits(AuditFilter { text: Some(text.to_owned()), ..AuditFilter::default() }).await, [3]);
    }
    let between = AuditFilter { since: Some(later(1)), until: Some(later(3)), ..AuditFilter::default() };
    assert_eq!(fits(between).await, [2, 1]);
}

async fn the_log_has_an_end(world: &mut World) {
    for n in 0..600 {
        world.audit(entry(n)).await.unwrap();
    }
    let prune = async |now, retention: Retention| {
        let mut removed = 0;
        loop {
            let pruned = world.prune(now, retention).await.unwrap();
            removed += pruned.audited;
            if !pruned.more {
                return removed;
            }
        }
    };
    let usual = Retention::default();
    assert_eq!(prune(later(600), usual).await, 0);
    assert_eq!(prune(later(600), Retention { audit_max: 100, ..usual }).await, 500);
    assert_eq!(all(world).await.len(), 100);
    assert_eq!(prune(later(550).plus(usual.audit_for), usual).await, 50, "those before 550 are too old");
    // The last one stays, so that the next number follows from it.
    assert_eq!(prune(later(9999).plus(usual.audit_for), usual).await, 49);
    world.pause();
    let last = all(world).await;
    assert_eq!(last.len(), 1);
    assert_eq!(world.audit(entry(0)).await.unwrap(), last[0].number + 1);
}
