//! A delivery in the making: names, times and signatures are put where its scheme has them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::delivery::{Delivery, Document};
use super::super::scheme::{BodyForm, Method, Naming, Piece, Place, Scheme};
use super::Outgoing;

/// A delivery in the making.
pub(super) struct Draft<'a> {
    pub(super) scheme: &'a Scheme,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(scheme: &'a Scheme, out: &Outgoing<'_>, timestamp: &str) -> Draft<'a> {
        let mut draft = Draft { scheme, headers: Vec::new(), body: out.body.to_vec() };
        if scheme.body == BodyForm::CloudEvents {
            draft.as_cloud_event(out);
        }
        let in_json = draft.headers.iter().any(|(_, value)| value.starts_with("application/cloudevents"));
        let first = |naming: &Naming| naming.first().and_then(|places| places.first()).cloned();
        let names = [(first(&scheme.delivery_id), Some(out.id)), (first(&scheme.event_type), out.event_type)];
        for (place, value) in names {
            if let (Some(Place::Header(name)), Some(value), false) = (place, value, in_json) {
                draft.header(&name, value);
            }
        }
        let form = scheme.pieces().any(|piece| *piece == Piece::SortedForm) && !out.body.starts_with(b"{");
        if form || matches!(scheme.body, BodyForm::FormField { .. }) && !out.body.starts_with(b"{") {
            draft.header("Content-Type", "application/x-www-form-urlencoded");
        }
        let form_places = scheme.pieces().any(|piece| matches!(piece, Piece::Form(_)));
        if form_places {
            draft.header("Content-Type", "application/x-www-form-urlencoded");
        }
        if matches!(scheme.body, BodyForm::FormField { .. }) {
            draft.wrap();
        }
        match scheme.timestamp.as_ref().map(|rule| &rule.at) {
            Some(Place::Header(name)) => draft.header(name, timestamp),
            Some(Place::Json(path)) => {
                let number = timestamp.parse().map(Value::Number).ok();
                let text = path.contains('.');
                let value = number.filter(|_| !text).unwrap_or_else(|| Value::String(timestamp.to_owned()));
                draft.set_json(path, value);
            }
            Some(Place::Form(name)) => draft.set_field(name, timestamp),
            _ => {}
        }
        for piece in scheme.pieces() {
            match piece {
                Piece::Json(path) if scheme.each.is_none() && draft.document().scalar(path).is_none() => {
                    draft.set_json(path, Value::String(out.id.to_owned()));
                }
                Piece::Form(name) if draft.delivery("POST", "").get().field(name).is_none() => {
                    draft.set_field(name, out.id)
                }
                _ => {}
            }
        }
        draft
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        if !self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// A body that is events already is sent as such, any other as the data of one.
    fn as_cloud_event(&mut self, out: &Outgoing<'_>) {
        let document = self.document();
        if document.scalar("specversion").is_some() {
            return self.header("Content-Type", "application/cloudevents+json");
        }
        if document.scalar("[].specversion").is_some() {
            return self.header("Content-Type", "application/cloudevents-batch+json");
        }
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-source", "/hookbox/send"),
            ("ce-id", out.id),
            ("ce-type", out.event_type.unwrap_or("test")),
        ] {
            self.header(name, value);
        }
    }

    pub(super) fn is_form(&self) -> bool {
        self.delivery("POST", "").get().is_form()
    }

    pub(super) fn delivery<'d>(&'d self, method: &'d str, url: &'d str) -> OwnedDelivery<'d> {
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        OwnedDelivery { method, url, headers, body: &self.body }
    }

    pub(super) fn document(&self) -> Document<'static> {
        Document(Cow::Owned(self.delivery("POST", "").get().document(&self.scheme.body).into_owned()))
    }

    /// The entries of the signature header before the signature.
    pub(super) fn other_entries(&self, method: &Method, timestamp: &str) -> Vec<String> {
        let mut list = Vec::new();
        if let Some(Place::Entry(tag)) = self.scheme.timestamp.as_ref().map(|rule| &rule.at) {
            list.push(format!("{tag}{timestamp}"));
        }
        for piece in method.content.iter() {
            if let Piece::HeadersOf { entry, .. } = piece {
                let names: Vec<String> = self.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
                list.push(format!("{entry}{}", names.join(" ")));
            }
        }
        list
    }

    fn wrap(&mut self) {
        if let BodyForm::FormField { field } = &self.scheme.body
            && self.body.starts_with(b"{")
        {
            let json = std::mem::take(&mut self.body);
            self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            self.header("Content-Type", "application/x-www-form-urlencoded");
            self.set_field(&field.clone(), &String::from_utf8_lossy(&json));
        }
    }

    pub(super) fn set_field(&mut self, name: &str, value: &str) {
        let pairs = form_urlencoded::parse(&self.body).filter(|(other, _)| other != name);
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (other, text) in pairs {
            form.append_pair(&other, &text);
        }
        form.append_pair(name, value);
        self.body = form.finish().into_bytes();
    }

    pub(super) fn set_json(&mut self, path: &str, value: Value) {
        let mut json: Value = serde_json::from_slice(&self.document().0).unwrap_or_else(|_| Value::Object(Map::new()));
        set(&mut json, path, value);
        self.put_document(&json);
    }

    fn put_document(&mut self, json: &Value) {
        let text = json.to_string();
        match &self.scheme.body {
            BodyForm::FormField { field } => self.set_field(&field.clone(), &text),
            BodyForm::Json | BodyForm::JsonOrForm { .. } | BodyForm::CloudEvents => self.body = text.into_bytes(),
        }
    }

    /// Puts its signature into each part of the body; `None` where there is no such part.
    pub(super) fn sign_each(
        &mut self,
        each: &str,
        path: &str,
        signature: impl Fn(&Document<'_>, &Draft<'_>) -> Option<String>,
    ) -> Option<()> {
        let mut json: Value = serde_json::from_slice(&self.document().0).ok()?;
        let (list, member) = each.split_once("[]")?;
        let items = json.pointer_mut(&format!("/{}", list.replace('.', "/")))?.as_array_mut()?;
        if items.is_empty() {
            return None;
        }
        for item in items {
            let item = match member.trim_start_matches('.') {
                "" => item,
                name => item.pointer_mut(&format!("/{}", name.replace('.', "/")))?,
            };
            let document = Document(Cow::Owned(item.to_string().into_bytes()));
            let signature = signature(&document, self)?;
            set(item, path, Value::String(signature));
        }
        self.put_document(&json);
        Some(())
    }
}

/// A delivery and the list of its headers.
pub(super) struct OwnedDelivery<'d> {
    method: &'d str,
    url: &'d str,
    headers: Vec<(&'d str, &'d [u8])>,
    body: &'d [u8],
}

impl OwnedDelivery<'_> {
    pub(super) fn get(&self) -> Delivery<'_> {
        Delivery { method: self.method, url: self.url, query: "", headers: &self.headers, body: self.body }
    }
}

fn set(json: &mut Value, path: &str, value: Value) {
    let mut at = json;
    for name in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(name.to_owned()).or_insert(Value::Null);
    }
    *at = value;
}
