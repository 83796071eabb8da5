//! One trace leads from a webhook to the requests of its handler, and every line about a run says which run it is.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::receiver::Receiver;
use crate::harness::{Host, Project, shop, until};

const TOLD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TOLD_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TOLD_SPAN: &str = "00f067aa0ba902b7";

/// All that has come, in any order.
fn spans(collector: &Receiver) -> Vec<Span> {
    let requests = collector.seen();
    assert!(requests.iter().all(|request| request.path == "/v1/traces"), "{requests:?}");
    let all = requests.iter().map(|request| ExportTraceServiceRequest::decode(&request.body[..]).unwrap());
    let of_resources = all.flat_map(|request| request.resource_spans);
    of_resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
}

fn named(spans: &[Span], name: &str) -> Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    found[0].clone()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn project(server: &Receiver, more: &str) -> Project {
    let project = Project::with(&["steps"]);
    let grants = format!("grants: {{ networks: [ 127.0.0.0/8 ], http: [ 'GET http://{}' ] }}", server.at);
    project.write("hooks.yaml", format!("plugins: {{ steps: {{ {grants} }} }}\n{more}"));
    project
}

fn hold(host: &Host<'_>, method: &str, target: &str) {
    let request = Request::builder().method(method).uri(host.api(&format!("holds/{target}")));
    let request = request.header("Content-Type", "application/json").body(b"{}".to_vec()).unwrap();
    assert_eq!(host.request(request).status, 200);
}

#[test]
fn one_trace_leads_from_a_webhook_over_a_restart_to_the_request_of_its_handler() {
    let (collector, server) = (Receiver::start(), Receiver::start());
    let project = project(&server, "").env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url(""));
    let host = project.serve();
    hold(&host, "PUT", "steps");
    let asked = json!({ "method": "GET", "url": server.url("/api?key=hidden"), "headers": [], "body": null });
    let event = host.accept(&shop("ask", "1", asked).header("traceparent", TOLD));
    until("the webhook's span is there", || spans(&collector).iter().any(|s| s.name == "webhook shop").then_some(()));
    host.kill();
    let host = project.serve();
    hold(&host, "DELETE", "steps");
    let run = host.run_of(&event);
    assert_eq!(run["state"], "succeeded", "{run:#}");
    host.stop();

    let spans = spans(&collector);
    let webhook = named(&spans, "webhook shop");
    let chain =
        [webhook.clone(), named(&spans, "run steps/ask"), named(&spans, "attempt steps/ask"), named(&spans, "GET")];
    for pair in chain.windows(2) {
        assert_eq!(pair[1].trace_id, webhook.trace_id, "{}", pair[1].name);
        assert_eq!(pair[1].parent_span_id, pair[0].span_id, "{} is below {}", pair[1].name, pair[0].name);
    }
    for part in ["verify", "accept"] {
        let part = named(&spans, part);
        assert_eq!((&part.trace_id, &part.parent_span_id), (&webhook.trace_id, &webhook.span_id));
    }
    // What a sender tells is linked, and no more.
    assert!(webhook.parent_span_id.is_empty() && hex(&webhook.trace_id) != TOLD_TRACE);
    let [link] = &webhook.links[..] else { panic!("{webhook:?}") };
    assert_eq!((hex(&link.trace_id), hex(&link.span_id)), (TOLD_TRACE.to_owned(), TOLD_SPAN.to_owned()));
    assert_eq!(attribute(&webhook, "hookbox.event.id"), Some(event));
    let request = &chain[3];
    let url = Some(server.url("/api"));
    assert_eq!(
        (attribute(request, "url.full"), attribute(request, "http.response.status_code")),
        (url, Some("200".into()))
    );
    let seen = server.seen();
    let told = format!("00-{}-{}-01", hex(&request.trace_id), hex(&request.span_id));
    assert_eq!(seen[0].header("traceparent"), Some(told.as_str()));
}

#[test]
fn a_trace_goes_on_where_the_operator_believes_the_sender_and_a_plugin_has_its_own_word() {
    let (collector, server) = (Receiver::start(), Receiver::start());
    let more = format!("tracing: {{ endpoint: {}, continue: [shop] }}\n", collector.url(""));
    let project = project(&server, &more).env("HOOKBOX_LOG", "debug,sled=off");
    let mut arguments = Host::arguments("serve").to_vec();
    arguments.push("--log-json");
    let host = Host::start_by(&project, project.command(&arguments));
    let own = "00-11111111111111111111111111111111-2222222222222222-01";
    let asked = json!({ "method": "GET", "url": server.url("/"), "headers": [["traceparent", own]], "body": null });
    let run = host.follow(&shop("ask", "1", asked).header("traceparent", TOLD));
    assert_eq!(run["state"], "succeeded", "{run:#}");
    let failed = host.follow(&shop("doomed", "2", json!({})).header("traceparent", TOLD));
    host.stop();

    let spans = spans(&collector);
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TOLD_TRACE), "{spans:?}");
    let webhooks: Vec<&Span> = spans.iter().filter(|span| span.name == "webhook shop").collect();
    assert!(webhooks.len() == 2 && webhooks.iter().all(|span| hex(&span.parent_span_id) == TOLD_SPAN));
    assert_eq!(spans.iter().filter(|span| span.name == "attempt steps/doomed").count(), 2);
    let dead = named(&spans, "run steps/doomed");
    assert_eq!((attribute(&dead, "hookbox.state").as_deref(), dead.status.unwrap().code), (Some("dead"), 2));
    assert_eq!(server.seen()[0].header("traceparent"), Some(own), "a plugin's own word stands");

    // Lines about runs.
    let lines: Vec<Value> = project.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for run in [&run, &failed] {
        let id = run["id"].as_str().unwrap();
        let about =
            lines.iter().filter(|line| line["fields"]["message"].as_str().is_some_and(|text| text.contains(id)));
        let about: Vec<&Value> = about.collect();
        assert!(!about.is_empty(), "{id}");
        for line in about {
            assert_eq!(line["fields"]["run.id"].as_str().or(line["span"]["run.id"].as_str()), Some(id), "{line}");
        }
    }
    let in_runs: Vec<&Value> = lines.iter().filter(|line| line["span"]["name"] == "run").collect();
    assert!(in_runs.len() >= 3, "{lines:?}");
    for line in in_runs {
        assert!(line["span"]["run.id"].is_string(), "{line}");
        assert_eq!(line["span"]["trace.id"], TOLD_TRACE, "{line}");
    }
}

#[test]
fn what_an_attempt_makes_is_in_its_trace() {
    let collector = Receiver::start();
    let project = Project::with(&["steps"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url(""));
    let host = project.serve();
    host.follow(&shop("chain", "1", json!({})));
    host.idle();
    host.stop();
    let spans = spans(&collector);
    let attempt = named(&spans, "attempt steps/chain");
    for made in ["run steps/chained", "run steps/link"] {
        let made = named(&spans, made);
        assert_eq!((&made.trace_id, &made.parent_span_id), (&attempt.trace_id, &attempt.span_id), "{}", made.name);
    }
}

#[test]
fn a_collector_that_does_not_answer_keeps_nobody_waiting() {
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let project = Project::with(&["steps"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    let host = project.serve();
    for number in 0..200 {
        host.accept(&shop("total", &number.to_string(), json!({})));
    }
    assert_eq!(host.idle()["counts"]["succeeded"], 200);
    assert_eq!(host.stop(), crate::harness::Ended::Code(0));
}

#[test]
fn without_an_endpoint_nothing_is_sent_and_no_request_tells_a_trace() {
    let server = Receiver::start();
    let project = project(&server, "");
    let host = project.serve();
    let asked = json!({ "method": "GET", "url": server.url("/"), "headers": [], "body": null });
    let event = host.accept(&shop("ask", "1", asked));
    assert_eq!(host.run_of(&event)["state"], "succeeded");
    assert_eq!(server.seen()[0].header("traceparent"), None);
    assert!(host.get(&format!("events/{event}"))["attributes"].get("traceparent").is_none());
}
