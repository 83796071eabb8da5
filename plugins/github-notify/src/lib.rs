//! Turns what GitHub sends into a line that people like to read.
//!
//! The line is emitted as `pushed` or `pull-request`, with the `channel` from
//! hooks.yaml, for any plugin that carries it on: `#[on("github-notify/pushed")]`.
//! GitHub's webhook may be set to either content type.

use std::borrow::Cow;

use hookbox_sdk::{Error, Event, Outcome, Result, config, info, kv, on, queue};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    commits: Vec<Commit>,
    /// None where a branch or tag was deleted.
    head_commit: Option<Commit>,
    compare: String,
    pusher: Pusher,
    repository: Repository,
}

#[derive(Deserialize)]
struct Commit {
    message: String,
}

#[derive(Deserialize)]
struct Pusher {
    name: String,
}

#[derive(Deserialize)]
struct Repository {
    /// Survives a rename.
    id: u64,
    full_name: String,
}

#[derive(Deserialize)]
struct PullRequestEvent {
    action: String,
    number: u64,
    pull_request: PullRequest,
    repository: Repository,
    sender: User,
}

#[derive(Deserialize)]
struct PullRequest {
    title: String,
    html_url: String,
    user: User,
    /// Only said of a pull request that is closed.
    #[serde(default)]
    merged: bool,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Serialize)]
struct Notice {
    repository: String,
    text: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

/// Tells about a push or a pull request.
#[on("github/push", "github/pull_request.*", timeout = "10s")]
fn notify(event: &Event) -> Result<Outcome> {
    let event = unwrapped(event)?;
    match event.type_.as_str() {
        "push" => push(event.json()?),
        _ => pull_request(event.json()?),
    }
}

fn push(push: Push) -> Result<Outcome> {
    kv::add(&format!("pushes/{}", push.repository.id), 1)?;
    let text = push_text(&push);
    announce("pushed", push.repository, text, push.compare)
}

fn pull_request(event: PullRequestEvent) -> Result<Outcome> {
    let Some(text) = pull_request_text(&event) else {
        return Ok(Outcome::skipped(format!("`{}` is no news", event.action)));
    };
    kv::add(&format!("pull-requests/{}", event.repository.id), 1)?;
    announce("pull-request", event.repository, text, event.pull_request.html_url)
}

fn announce(type_: &str, repository: Repository, text: String, url: String) -> Result<Outcome> {
    info!(repository = repository.full_name, "{type_} in {}", repository.full_name);
    let notice = Notice { repository: repository.full_name, text, url, channel: config::get("channel") };
    queue::event(type_).subject(&notice.repository).json(&notice)?.emit()?;
    Ok(Outcome::json(&notice)?)
}

/// With the content type `application/x-www-form-urlencoded`, GitHub sends the same
/// JSON as the field `payload`.
fn unwrapped(event: &Event) -> Result<Cow<'_, Event>> {
    if !event.content_type.starts_with("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(event));
    }
    let mut fields = form_urlencoded::parse(&event.data);
    let Some((_, payload)) = fields.find(|(name, _)| name == "payload") else {
        return Err(Error::permanent("the form has no field `payload`"));
    };
    let mut unwrapped = event.clone();
    unwrapped.data = payload.into_owned().into_bytes();
    Ok(Cow::Owned(unwrapped))
}

fn push_text(push: &Push) -> String {
    let (kind, name) = match push.reference.strip_prefix("refs/tags/") {
        Some(tag) => ("tag", tag),
        None => ("branch", push.reference.trim_start_matches("refs/heads/")),
    };
    let (who, place) = (&push.pusher.name, &push.repository.full_name);
    if push.deleted {
        return format!("{who} deleted the {kind} {name} of {place}");
    }
    let verb = if push.forced { "force-pushed" } else { "pushed" };
    let what = match (kind, push.commits.len()) {
        ("tag", _) => format!("the tag {name} to {place}"),
        (_, 0) => format!("the branch {name} to {place}"),
        (_, 1) => format!("a commit to {name} of {place}"),
        (_, count) => format!("{count} commits to {name} of {place}"),
    };
    match &push.head_commit {
        Some(commit) => format!("{who} {verb} {what}: {}", first_line(&commit.message)),
        None => format!("{who} {verb} {what}"),
    }
}

/// None for the many actions that change little: labels, reviewers, more commits.
fn pull_request_text(event: &PullRequestEvent) -> Option<String> {
    let PullRequest { title, user, merged, .. } = &event.pull_request;
    let verb = match (event.action.as_str(), merged) {
        ("opened", _) => "opened",
        ("reopened", _) => "reopened",
        ("ready_for_review", _) => "asks for a review of",
        ("closed", true) => "merged",
        ("closed", false) => "closed",
        _ => return None,
    };
    let (who, number, place) = (&event.sender.login, event.number, &event.repository.full_name);
    let author = if user.login == *who { String::new() } else { format!(" by {}", user.login) };
    Some(format!("{who} {verb} {place}#{number}{author}: {title}"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hookbox_sdk::{Value, json, testing};

    use super::*;

    const PUSH: &str = include_str!("../fixtures/push.json");
    const PULL_REQUEST: &str = include_str!("../fixtures/pull_request.closed.json");

    fn send(name: &str, body: impl ToString) -> Result<Outcome> {
        testing::send("notify", testing::event_with_body(name, "application/json", body.to_string()))
    }

    fn fixture(text: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut value = text.parse().unwrap();
        change(&mut value);
        value
    }

    fn emitted() -> (String, Value) {
        let event = testing::events().pop().unwrap();
        (event.type_.clone(), event.json().unwrap())
    }

    #[test]
    fn a_push_is_told_counted_and_emitted() {
        testing::set_config("channel", "#dev");
        send("github/push", PUSH).unwrap();
        let expected = json!({
            "repository": "octo-org/hello-world",
            "text": "mona pushed 2 commits to main of octo-org/hello-world: Fix the greeting",
            "url": "https://github.com/octo-org/hello-world/compare/6113728f27ae...0d1a26e67d8f",
            "channel": "#dev",
        });
        assert_eq!(emitted(), ("pushed".to_owned(), expected));
        assert_eq!(testing::events()[0].subject.as_deref(), Some("octo-org/hello-world"));
        send("github/push", PUSH).unwrap();
        assert_eq!(testing::kv_text("pushes/186853002").unwrap(), "2");
    }

    #[test]
    fn a_push_reads_the_same_from_a_form() {
        send("github/push", PUSH).unwrap();
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", PUSH).finish();
        let event = testing::event_with_body("github/push", "application/x-www-form-urlencoded", form);
        testing::send("notify", event).unwrap();
        assert_eq!(testing::events()[0].data, testing::events()[1].data);
    }

    #[test]
    fn a_form_without_a_payload_fails_for_good() {
        let event = testing::event_with_body("github/push", "application/x-www-form-urlencoded", "a=1");
        assert_eq!(testing::send("notify", event), Err(Error::permanent("the form has no field `payload`")));
    }

    #[test]
    fn a_deleted_branch_has_no_commit_and_is_told() {
        let body = fixture(PUSH, |push| {
            push["deleted"] = json!(true);
            push["head_commit"] = json!(null);
            push["commits"] = json!([]);
        });
        send("github/push", body).unwrap();
        assert_eq!(emitted().1["text"], "mona deleted the branch main of octo-org/hello-world");
    }

    #[test]
    fn a_forced_push_and_a_tag_are_named_as_such() {
        send("github/push", fixture(PUSH, |push| push["forced"] = json!(true))).unwrap();
        assert!(emitted().1["text"].as_str().unwrap().starts_with("mona force-pushed 2 commits"));
        send("github/push", fixture(PUSH, |push| push["ref"] = json!("refs/tags/v1.0"))).unwrap();
        assert!(emitted().1["text"].as_str().unwrap().starts_with("mona pushed the tag v1.0 to"));
    }

    #[test]
    fn a_merged_pull_request_is_told() {
        send("github/pull_request.closed", PULL_REQUEST).unwrap();
        let (type_, notice) = emitted();
        assert_eq!(type_, "pull-request");
        assert_eq!(notice["text"], "mona merged octo-org/hello-world#42 by hubot: Greet in every language");
        assert_eq!(notice["url"], "https://github.com/octo-org/hello-world/pull/42");
        assert_eq!(testing::kv_text("pull-requests/186853002").unwrap(), "1");
    }

    #[test]
    fn a_pull_request_that_was_given_up_is_not_called_merged() {
        let body = fixture(PULL_REQUEST, |event| event["pull_request"]["merged"] = json!(false));
        send("github/pull_request.closed", body).unwrap();
        assert!(emitted().1["text"].as_str().unwrap().starts_with("mona closed "));
    }

    #[test]
    fn a_label_is_no_news() {
        let body = fixture(PULL_REQUEST, |event| event["action"] = json!("labeled"));
        assert_eq!(send("github/pull_request.labeled", body), Ok(Outcome::skipped("`labeled` is no news")));
        assert!(testing::events().is_empty() && testing::kv_keys().is_empty());
    }

    #[test]
    fn a_payload_of_another_shape_fails_for_good_and_names_the_field() {
        let error = send("github/push", fixture(PUSH, |push| push["repository"]["id"] = json!("x"))).unwrap_err();
        assert!(error.is_permanent() && error.message().contains("`repository.id`"), "{error}");
    }

    #[test]
    fn it_runs_for_pushes_and_every_action_on_a_pull_request() {
        for (name, handlers) in [
            ("github/push", &["notify"][..]),
            ("github/pull_request.opened", &["notify"]),
            ("github/issues.opened", &[]),
            ("gitlab/push", &[]),
        ] {
            assert_eq!(testing::handlers_for(&testing::event(name, &())), handlers, "{name}");
        }
    }
}
