//! A document under way: operations with the schemas of what they read and write.

use std::collections::BTreeMap;

use hookbox_store::types::SEARCH_NAME_BYTES_MAX;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::operator::filter;
use crate::operator::query::{LIMIT, LIMIT_MAX};
use crate::problem::Problem;

const ABOUT: &str = "Everything that an operator sees and does. Errors are RFC 9457 problems whose `detail` names the \
                     cure. Lists are pages: give `next` back as `cursor`.";
/// Names of types end so; what they show is the thing itself.
const VIEW: &str = "View";

type Members = Map<String, Value>;

pub(super) struct Document {
    operations: BTreeMap<(&'static str, &'static str), Described>,
    schemas: Schemas,
}

/// Of what is written by the host, and of what it reads.
struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

#[derive(Default)]
struct Described {
    tag: &'static str,
    summary: &'static str,
    description: Option<&'static str>,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<&'static str, Value>,
}

pub(super) struct Operation<'a> {
    described: &'a mut Described,
    schemas: &'a mut Schemas,
}

impl Document {
    pub(super) fn new() -> Document {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        let schemas = Schemas {
            answers: settings().for_serialize().into_generator(),
            requests: settings().for_deserialize().into_generator(),
        };
        Document { operations: BTreeMap::new(), schemas }
    }

    pub(super) fn get(&mut self, tag: &'static str, path: &'static str, summary: &'static str) -> Operation<'_> {
        self.operation("get", tag, path, summary)
    }

    /// Writes take a JSON body; without one of their own, an empty object.
    pub(super) fn post(&mut self, tag: &'static str, path: &'static str, summary: &'static str) -> Operation<'_> {
        self.write("post", tag, path, summary).body_of(json!({ "$ref": "#/components/schemas/Nothing" }))
    }

    pub(super) fn put(&mut self, tag: &'static str, path: &'static str, summary: &'static str) -> Operation<'_> {
        self.write("put", tag, path, summary).body_of(json!({ "$ref": "#/components/schemas/Nothing" }))
    }

    pub(super) fn delete(&mut self, tag: &'static str, path: &'static str, summary: &'static str) -> Operation<'_> {
        self.write("delete", tag, path, summary).body_of(json!({ "$ref": "#/components/schemas/Nothing" }))
    }

    fn write(
        &mut self,
        method: &'static str,
        tag: &'static str,
        path: &'static str,
        summary: &'static str,
    ) -> Operation<'_> {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 257 });
        self.operation(method, tag, path, summary).header(
            "Idempotency-Key",
            schema,
            "The same request with the same key is done once, and answered again, for a day",
        )
    }

    fn operation(
        &mut self,
        method: &'static str,
        tag: &'static str,
        path: &'static str,
        summary: &'static str,
    ) -> Operation<'_> {
        let described = self.operations.entry((path, method)).or_default();
        (described.tag, described.summary) = (tag, summary);
        described.parameters.extend(in_path(path));
        Operation { described, schemas: &mut self.schemas }
    }

    pub(super) fn whole(mut self) -> Value {
        let problem = self.schemas.answers.subschema_for::<Problem>();
        let mut paths = Members::new();
        for ((path, method), described) in self.operations {
            let operations = paths.entry(path).or_insert_with(|| json!({}));
            operations[method] = described.shown();
        }
        let mut schemas = self.schemas.requests.take_definitions(true);
        schemas.extend(self.schemas.answers.take_definitions(true));
        schemas.insert("Nothing".to_owned(), nothing());
        let problem = json!({
            "description": "What was wrong, and what to do about it",
            "content": { "application/problem+json": { "schema": problem } }
        });
        let mut whole = json!({
            "openapi": "3.1.0",
            "info": { "title": "hookbox", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
            "servers": [{ "url": "/" }],
            "security": [{}, { "token": [] }],
            "paths": paths,
            "components": {
                "schemas": schemas,
                "responses": { "Problem": problem },
                "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } }
            }
        });
        name_things_as_they_are(&mut whole);
        whole
    }
}

fn nothing() -> Value {
    json!({ "type": "object", "additionalProperties": false, "description": "No members are known here." })
}

/// `RunView` is the schema `Run`, where no other is.
fn name_things_as_they_are(whole: &mut Value) {
    let names = |whole: &Value| -> Vec<String> {
        whole["components"]["schemas"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
    };
    let all = names(whole);
    let taken = |name: &str| all.iter().any(|other| other == name);
    for name in &all {
        let Some(short) = name.strip_suffix(VIEW).filter(|short| !taken(short)) else { continue };
        if let Some(schema) = whole["components"]["schemas"].as_object_mut().and_then(|all| all.remove(name)) {
            whole["components"]["schemas"][short] = schema;
        }
        rename(whole, &reference(name), &reference(short));
    }
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(members) => members.values_mut().for_each(|member| rename(member, from, to)),
        _ => {}
    }
}

impl Described {
    fn shown(self) -> Value {
        let mut shown = json!({
            "tags": [self.tag],
            "summary": self.summary,
            "responses": self.answers,
        });
        // Whoever may not speak here, or asks wrongly, is told so in one shape.
        shown["responses"]["default"] = json!({ "$ref": "#/components/responses/Problem" });
        if let Some(description) = self.description {
            shown["description"] = description.into();
        }
        if !self.parameters.is_empty() {
            shown["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            shown["requestBody"] = body;
        }
        shown
    }
}

impl Operation<'_> {
    pub(super) fn says(self, description: &'static str) -> Self {
        self.described.description = Some(description);
        self
    }

    pub(super) fn query(self, name: &str, schema: Value, description: &str) -> Self {
        self.described.parameters.push(json!({
            "name": name, "in": "query", "schema": schema, "description": description
        }));
        self
    }

    pub(super) fn header(self, name: &str, schema: Value, description: &str) -> Self {
        self.described.parameters.push(json!({
            "name": name, "in": "header", "schema": schema, "description": description
        }));
        self
    }

    /// Of a thing whose answer has an `ETag`.
    pub(super) fn conditional(self) -> Self {
        let tag = json!({ "type": "string" });
        self.header("If-Match", tag, "The ETag of what is changed: 412 where it is another by now")
    }

    /// What changes nothing, or answers with a file, is not kept for a key.
    pub(super) fn without_key(self) -> Self {
        self.described.parameters.retain(|parameter| parameter["name"] != "Idempotency-Key");
        self
    }

    /// The answer is in this form, too, for whoever accepts it.
    pub(super) fn also_in(self, status: &'static str, content_type: &str, schema: Value) -> Self {
        if let Some(answer) = self.described.answers.get_mut(status) {
            answer["content"][content_type] = json!({ "schema": schema });
        }
        self
    }

    /// `cursor` looks like this.
    pub(super) fn paged(self, cursor: Value) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT });
        self.query("cursor", cursor, "`next` of the page before").query("limit", limit, "Rows of the page at most")
    }

    pub(super) fn filtered(self) -> Self {
        filter::NAMES.iter().fold(self, |operation, name| operation.filtered_by(name))
    }

    pub(super) fn filtered_by(self, name: &str) -> Self {
        let (schema, description) = of_filter(name);
        let once = ["since", "until", "made_by", "replayed"].contains(&name);
        let several = json!({ "type": "array", "items": schema, "minItems": 1, "maxItems": filter::VALUES_MAX });
        self.query(name, if once { schema } else { several }, description)
    }

    pub(super) fn says_nothing(self, status: &'static str, description: &str) -> Self {
        self.described.answers.insert(status, json!({ "description": description }));
        self
    }

    pub(super) fn body<T: JsonSchema>(self) -> Self {
        let schema = self.schemas.requests.subschema_for::<T>().to_value();
        self.body_of(schema)
    }

    pub(super) fn body_of(self, schema: Value) -> Self {
        self.body_in("application/json", schema)
    }

    pub(super) fn body_in(self, content_type: &str, schema: Value) -> Self {
        self.described.body = Some(json!({ "required": true, "content": { content_type: { "schema": schema } } }));
        self
    }

    pub(super) fn answers<T: JsonSchema>(self, status: &'static str, description: &str) -> Self {
        let schema = self.schemas.answers.subschema_for::<T>().to_value();
        self.answers_in(status, description, "application/json", schema)
    }

    /// With the place of what was made.
    pub(super) fn makes<T: JsonSchema>(self, description: &str) -> Self {
        let made = self.answers::<T>("201", description);
        let place = json!({ "schema": { "type": "string" }, "description": "Where it is", "required": true });
        if let Some(answer) = made.described.answers.get_mut("201") {
            answer["headers"] = json!({ "Location": place });
        }
        made
    }

    /// The last one has a tag that an edit can name.
    pub(super) fn tagged(self) -> Self {
        let tag = json!({ "schema": { "type": "string" }, "description": "For If-Match of an edit" });
        for answer in self.described.answers.values_mut() {
            answer["headers"]["ETag"] = tag.clone();
        }
        self
    }

    pub(super) fn answers_in(self, status: &'static str, description: &str, content_type: &str, schema: Value) -> Self {
        let content = json!({ content_type: { "schema": schema } });
        self.described.answers.insert(status, json!({ "description": description, "content": content }));
        self
    }
}

fn in_path(path: &str) -> Vec<Value> {
    let mut before = "";
    let mut found = Vec::new();
    for segment in path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let schema = match before {
                "runs" => id("run"),
                "events" | "suppressed" => id("evt"),
                "sessions" => json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" }),
                "schedules" => name_of("._-"),
                "searches" => json!({ "type": "string", "minLength": 1, "maxLength": SEARCH_NAME_BYTES_MAX }),
                "holds" => {
                    json!({ "type": "string", "pattern": r"^(\*|[a-z0-9][a-z0-9_-]{0,62}(/[a-z0-9][a-z0-9_-]{0,62})?)$" })
                }
                _ => name_of("_-"),
            };
            found.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
        before = segment;
    }
    found
}

/// An id of ours: what it begins with, and a ULID.
pub(super) fn id(prefix: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{prefix}_[0-7][0-9A-HJKMNP-TV-Z]{{25}}$") })
}

/// A name that people choose; `more` is allowed after its first letter.
pub(super) fn name_of(more: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^[a-z0-9][a-z0-9{more}]{{0,62}}$") })
}

pub(super) fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn of_filter(name: &str) -> (Value, &'static str) {
    if let Some(name) = name.strip_prefix("not_") {
        let (schema, _) = of_filter(name);
        return (schema, "Leaves out what the same parameter without `not_` would find");
    }
    let text = || json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let states = hookbox_core::run::RunStatus::ALL.map(hookbox_core::run::RunStatus::code);
    match name {
        "state" => (json!({ "type": "string", "enum": states }), "Of this state"),
        "plugin" => (name_of("_-"), "Of this plugin"),
        "handler" => (name_of("_-"), "Of handlers with this name"),
        "event" => (id("evt"), "On this event"),
        "schedule" => (name_of("._-"), "Of this schedule"),
        "made_by" => (id("run"), "Asked for by an attempt of this run: its jobs, and runs of its events"),
        "replayed" => (json!({ "type": "boolean" }), "An operator has replayed it, or not"),
        "since" => (time(), "Made at this time or later"),
        "until" => (time(), "Made before this time"),
        "error" => (text(), "The last attempt failed with a message that contains this, in any case"),
        "provider" => (name_of("_-"), "Of events that this provider sent"),
        "version" => (text(), "An attempt ran on a version whose digest begins so"),
        "result" => (text(), "What the handler returned contains this, in any case"),
        "payload" => (text(), "What it works on contains this, in any case"),
        _ => (json!({ "type": "string" }), ""),
    }
}
