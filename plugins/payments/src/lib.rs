//! Books what Stripe collected, once for each payment, and writes a receipt.

use std::time::Duration;

use hookbox_sdk::{Context, Error, Json, Outcome, Result, info, job, kv, on, queue};
use serde::{Deserialize, Serialize};

/// How long bookings and receipts are kept. Stripe repeats a delivery for three
/// days, an operator may replay one later; the store must not grow for ever.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

#[derive(Deserialize)]
struct StripeEvent {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: PaymentIntent,
}

#[derive(Deserialize)]
struct PaymentIntent {
    id: String,
    /// In the currency's smallest unit.
    amount_received: u64,
    currency: String,
    receipt_email: Option<String>,
}

/// Told to everyone who listens, so without the address.
#[derive(Debug, Serialize, Deserialize)]
struct Booking {
    payment: String,
    /// In the currency's smallest unit.
    amount: u64,
    currency: String,
}

/// What the job is given.
#[derive(Serialize, Deserialize)]
struct Order {
    #[serde(flatten)]
    booking: Booking,
    email: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Receipt {
    number: i64,
    payment: String,
    text: String,
    email: Option<String>,
}

/// Books a payment.
// The mark and the booking are committed together, and reading the mark joins the
// attempt's read set: of two runs with one key, the second sees what the first did.
#[on("stripe/payment_intent.succeeded", timeout = "10s", attempts = 8)]
fn book(Json(event): Json<StripeEvent>, context: &Context) -> Result<Outcome> {
    let mark = format!("booked/{}", context.idempotency_key);
    if kv::get(&mark)?.is_some() {
        return Ok(Outcome::skipped("already booked"));
    }
    kv::set_with_ttl(&mark, "", KEPT)?;

    let PaymentIntent { id: payment, amount_received: amount, currency, receipt_email: email } = event.data.object;
    let sum = i64::try_from(amount).map_err(Error::permanent)?;
    kv::add(&format!("total/{currency}"), sum)?;
    info!("booked {} for {payment}", money(amount, &currency));

    let booking = Booking { payment, amount, currency };
    queue::event("payment.booked").subject(&booking.payment).json(&booking)?.emit()?;
    let outcome = Outcome::json(&booking)?;
    let unique = booking.payment.clone();
    queue::job("receipt").json(&Order { booking, email })?.unique(unique).enqueue()?;
    Ok(outcome)
}

/// Writes the receipt for a payment.
// Numbers have no gaps and no doubles, so here `increment` is worth waiting for.
#[job(timeout = "10s")]
fn receipt(Json(Order { booking, email }): Json<Order>) -> Result<Json<Receipt>> {
    let key = format!("receipt/{}", booking.payment);
    if let Some(receipt) = kv::get_json(&key)? {
        return Ok(Json(receipt));
    }
    let number = kv::increment("receipts", 1)?;
    let text = format!("Receipt {number:06}: {} paid with thanks", money(booking.amount, &booking.currency));
    let receipt = Receipt { number, payment: booking.payment, text, email };
    kv::set_json_with_ttl(&key, &receipt, KEPT)?;
    Ok(Json(receipt))
}

/// `20.00 USD` for 2000 cents. ISK and UGX have no smaller unit either, but Stripe
/// counts them in hundredths.
fn money(amount: u64, currency: &str) -> String {
    let currency = currency.to_ascii_uppercase();
    let decimals = match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV" | "XAF"
        | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_u64.pow(decimals);
    let width = decimals as usize;
    match decimals {
        0 => format!("{amount} {currency}"),
        _ => format!("{}.{:0width$} {currency}", amount / unit, amount % unit),
    }
}

#[cfg(test)]
mod tests {
    use hookbox_sdk::{Event, json, testing};

    use super::*;

    fn payment(id: &str, amount: u64, currency: &str) -> Event {
        let mut body: hookbox_sdk::Value = include_str!("../fixtures/payment_intent.succeeded.json").parse().unwrap();
        let object = &mut body["data"]["object"];
        (object["id"], object["amount_received"], object["currency"]) = (json!(id), json!(amount), json!(currency));
        testing::event("stripe/payment_intent.succeeded", &body)
    }

    #[test]
    fn a_payment_is_booked_in_its_currency_and_told() {
        testing::send("book", payment("pi_1", 2000, "usd")).unwrap();
        testing::send("book", payment("pi_2", 550, "usd")).unwrap();
        testing::send("book", payment("pi_3", 500, "jpy")).unwrap();
        assert_eq!(testing::kv_text("total/usd").unwrap(), "2550");
        assert_eq!(testing::kv_text("total/jpy").unwrap(), "500");
        let event = &testing::events()[2];
        assert_eq!((event.type_.as_str(), event.subject.as_deref()), ("payment.booked", Some("pi_3")));
        assert_eq!(testing::logs()[2].message, "booked 500 JPY for pi_3");
    }

    #[test]
    fn a_repetition_books_nothing() {
        let (context, event) = (testing::context("book"), payment("pi_1", 2000, "usd"));
        testing::send_with(&context, &event).unwrap();
        assert_eq!(testing::send_with(&context, &event), Ok(Outcome::skipped("already booked")));
        assert_eq!(testing::kv_text("total/usd").unwrap(), "2000");
        assert_eq!((testing::jobs().len(), testing::events().len()), (1, 1));
    }

    #[test]
    fn a_booking_is_forgotten_after_its_time() {
        testing::send("book", payment("pi_1", 2000, "usd")).unwrap();
        let marks = || testing::kv_keys().into_iter().filter(|key| key.starts_with("booked/")).count();
        assert_eq!(marks(), 1);
        testing::advance(KEPT);
        assert_eq!(marks(), 0);
    }

    #[test]
    fn a_payment_that_cannot_be_booked_leaves_no_mark() {
        testing::set_kv("total/usd", "no number");
        assert!(testing::send("book", payment("pi_1", 2000, "usd")).unwrap_err().is_permanent());
        assert_eq!(testing::kv_keys(), ["total/usd"]);
        assert!(testing::jobs().is_empty() && testing::events().is_empty());
    }

    #[test]
    fn each_payment_has_one_receipt_with_a_number_of_its_own() {
        testing::send("book", payment("pi_1", 2000, "usd")).unwrap();
        testing::send("book", payment("pi_2", 500, "jpy")).unwrap();
        let again = testing::job(&json!({ "payment": "pi_1", "amount": 2000, "currency": "usd", "email": null }));
        testing::run_next().unwrap().unwrap();
        testing::run_next().unwrap().unwrap();
        testing::run("receipt", again).unwrap();
        let receipt = |id: &str| kv::get_json::<Receipt>(&format!("receipt/{id}")).unwrap().unwrap();
        let text = "Receipt 000001: 20.00 USD paid with thanks".to_owned();
        let email = Some("jenny@example.com".to_owned());
        assert_eq!(receipt("pi_1"), Receipt { number: 1, payment: "pi_1".to_owned(), text, email });
        assert_eq!(receipt("pi_2").text, "Receipt 000002: 500 JPY paid with thanks");
        assert_eq!(testing::kv_text("receipts").unwrap(), "2");
    }

    #[test]
    fn money_has_the_decimals_of_its_currency() {
        for (amount, currency, text) in [
            (2000, "usd", "20.00 USD"),
            (5, "eur", "0.05 EUR"),
            (500, "jpy", "500 JPY"),
            (500, "isk", "5.00 ISK"),
            (5120, "kwd", "5.120 KWD"),
            (999_999_999_999, "idr", "9999999999.99 IDR"),
        ] {
            assert_eq!(money(amount, currency), text);
        }
    }

    #[test]
    fn it_is_described_with_its_policy() {
        let plugin = testing::describe();
        assert_eq!((plugin.name, plugin.handlers.len()), ("payments", 2));
        assert_eq!(plugin.handler("book").unwrap().option("attempts"), Some("8"));
        assert_eq!(plugin.handler("receipt").unwrap().trigger, testing::Trigger::Manual);
    }
}
