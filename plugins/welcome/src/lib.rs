//! Greets everyone who signs up at the shop, and counts them.

use std::borrow::Cow;

use hookbox_sdk::{Json, Result, info, kv, on};
use serde::{Deserialize, Serialize};

/// What the shop sends. Borrowed from the payload: nothing is copied that is not used.
#[derive(Deserialize)]
struct Created<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
    #[serde(borrow, default)]
    data: User<'a>,
}

/// The shop may know more of its users; the rest is passed over.
#[derive(Deserialize, Default)]
struct User<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Greeting<'a> {
    event_id: Cow<'a, str>,
    greeting: String,
}

/// Greets a new user.
// `add`, not `increment`: users who sign up at the same time never wait for each other.
#[on("shop/user.created", timeout = "5s")]
fn welcome(Json(created): Json<Created<'_>>) -> Result<Json<Greeting<'_>>> {
    kv::add("greeted", 1)?;
    let name = created.data.name.as_deref().unwrap_or("stranger");
    let greeting = format!("Welcome, {name}!");
    info!("greeted a user for {}", created.event_id);
    Ok(Json(Greeting { event_id: created.event_id, greeting }))
}

#[cfg(test)]
mod tests {
    use hookbox_sdk::{Outcome, json, testing};

    #[test]
    fn a_user_is_greeted_by_name_and_counted() {
        let event = |id: &str| json!({ "event_id": id, "type": "user.created", "data": { "name": "Ada \"L\"" } });
        let outcome = testing::send("welcome", testing::event("shop/user.created", &event("e1"))).unwrap();
        assert_eq!(outcome, Outcome::json(&json!({ "event_id": "e1", "greeting": "Welcome, Ada \"L\"!" })).unwrap());
        testing::send("welcome", testing::event("shop/user.created", &event("e2"))).unwrap();
        assert_eq!(testing::kv_text("greeted").unwrap(), "2");
        assert_eq!(testing::logs().len(), 2);
    }

    #[test]
    fn a_user_without_a_name_is_greeted_too() {
        for data in [json!({ "n": 1, "pad": "xxx" }), json!({})] {
            let event = json!({ "event_id": "e1", "type": "user.created", "data": data });
            let outcome = testing::send("welcome", testing::event("shop/user.created", &event)).unwrap();
            let expected = json!({ "event_id": "e1", "greeting": "Welcome, stranger!" });
            assert_eq!(outcome, Outcome::json(&expected).unwrap());
        }
    }

    #[test]
    fn a_payload_that_is_no_event_of_the_shop_fails_for_good() {
        let error = testing::send("welcome", testing::event("shop/user.created", &json!({ "data": {} }))).unwrap_err();
        assert!(error.is_permanent() && error.message().contains("event_id"), "{error}");
        assert_eq!(testing::kv("greeted"), None);
    }

    #[test]
    fn it_runs_for_new_users_of_the_shop_only() {
        assert_eq!(testing::describe().name, "welcome");
        assert_eq!(testing::handlers_for(&testing::event("shop/user.created", &())), ["welcome"]);
        assert!(testing::handlers_for(&testing::event("shop/user.deleted", &())).is_empty());
    }
}
