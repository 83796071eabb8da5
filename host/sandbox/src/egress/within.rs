//! How long the parts of a request may take.

use std::pin::pin;
use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::CaptureConnection;
use tokio::time::{sleep, timeout_at};
use wasmtime_wasi_http::{Error, RequestOptions};

use super::Refusal;
use super::connect::CONNECT;
use super::record::Recorded;

/// From the last part of a request that was handed over to the head of its answer, where the guest does not say
/// otherwise.
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// Between two parts of an answer, where the guest does not say otherwise.
const BETWEEN_BYTES: Duration = Duration::from_secs(30);

/// The guest may ask for less or more time, but for a connection: the attempt's wall time is around all of it.
pub(super) struct Within {
    /// Nothing where the guest leaves it to the host, whose own bound is the connector's.
    connect: Option<Duration>,
    first_byte: Duration,
    pub(super) between_bytes: Duration,
}

impl Within {
    pub(super) fn of(options: RequestOptions) -> Within {
        Within {
            connect: options.connect_timeout.filter(|connect| *connect < CONNECT),
            first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE),
            between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES),
        }
    }

    /// The answer, if it comes in time. `connection` tells when the request has one, be it new or kept.
    pub(super) async fn answer(
        &self,
        answering: impl Future<Output = Result<Response<Incoming>, Refusal>>,
        mut connection: CaptureConnection,
        recorded: &Recorded,
    ) -> Result<Response<Incoming>, Refusal> {
        let mut answering = pin!(answering);
        let too_slow = async {
            match self.connect {
                Some(connect) => sleep(connect).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            answered = &mut answering => return answered,
            _ = connection.wait_for_connection_metadata() => {}
            () = too_slow => {
                let ms = self.connect.unwrap_or(CONNECT).as_millis();
                let reason = format!("no connection within the {ms} ms that the plugin allows");
                return Err(Refusal { error: Error::ConnectionTimeout, reason });
            }
        }
        recorded.went_on();
        loop {
            let until = recorded.last_went_on() + self.first_byte;
            match timeout_at(until, &mut answering).await {
                Ok(answered) => return answered,
                Err(_) if recorded.last_went_on() + self.first_byte > until => {}
                Err(_) => {
                    let ms = self.first_byte.as_millis();
                    let reason = format!("no answer within {ms} ms of the last part of the request");
                    return Err(Refusal { error: Error::HttpResponseTimeout, reason });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http::Request;
    use hyper_util::client::legacy::connect::capture_connection;
    use tokio::time::Instant;

    use super::super::record::Records;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn recorded() -> Recorded {
        Records::default().begin(&http::Method::POST, &"http://a.example/".parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_connection_ends_with_the_time_that_the_guest_allows() {
        // As long as the request is not sent it keeps the other end.
        let mut waiting = Request::new(());
        let connection = capture_connection(&mut waiting);
        let options = RequestOptions { connect_timeout: Some(2 * SECOND), ..RequestOptions::default() };
        let begun = Instant::now();
        let refusal = Within::of(options).answer(pending(), connection, &recorded()).await.err().unwrap();
        assert!(matches!(refusal.error, Error::ConnectionTimeout), "{:?}", refusal.error);
        assert_eq!(begun.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_is_waited_for_from_the_last_part_of_the_request_on() {
        // Sent, so it has a connection.
        let connection = capture_connection(&mut Request::new(()));
        let options = RequestOptions { first_byte_timeout: Some(3 * SECOND), ..RequestOptions::default() };
        let (begun, recorded) = (Instant::now(), recorded());
        let within = Within::of(options);
        let parts = async {
            for _ in 0..4 {
                sleep(2 * SECOND).await;
                recorded.sent(1);
                recorded.went_on();
            }
        };
        let (answered, ()) = tokio::join!(within.answer(pending(), connection, &recorded), parts);
        let refusal = answered.err().unwrap();
        assert!(matches!(refusal.error, Error::HttpResponseTimeout), "{:?}", refusal.error);
        assert_eq!(begun.elapsed().as_secs(), 4 * 2 + 3);
    }

    #[test]
    fn no_connection_is_waited_for_longer_than_the_host_does() {
        let of = |connect| Within::of(RequestOptions { connect_timeout: Some(connect), ..RequestOptions::default() });
        assert_eq!(of(CONNECT * 2).connect, None);
        assert_eq!(of(CONNECT / 2).connect, Some(CONNECT / 2));
    }
}
