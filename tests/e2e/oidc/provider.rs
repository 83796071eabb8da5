//! A small identity provider: discovery, keys, authorization with PKCE, and tokens that are signed with ES256. Everybody
//! who comes is logged in as the one it was told of.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::harness::now;

pub(crate) const CLIENT: &str = "hookbox";
pub(crate) const SECRET: &str = "hush-provider-30";

pub(crate) struct Provider {
    pub(crate) issuer: String,
    state: Arc<Mutex<State>>,
}

struct State {
    issuer: String,
    key: SigningKey,
    /// What its keys are said to be, where that is something else.
    published: SigningKey,
    /// Of whoever logs in, over what a token needs.
    claims: Map<String, Value>,
    codes: HashMap<String, Code>,
    asked: Vec<String>,
}

struct Code {
    nonce: String,
    challenge: String,
    redirect: String,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

impl Provider {
    /// Serves until the test ends.
    pub(crate) fn start() -> Provider {
        Provider::start_as("127.0.0.1")
    }

    /// By another name of this machine, which is another site for a browser.
    pub(crate) fn start_as(name: &str) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{name}:{}", listener.local_addr().unwrap().port());
        let state = State {
            issuer: issuer.clone(),
            key: key(7),
            published: key(7),
            claims: Map::new(),
            codes: HashMap::new(),
            asked: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || answer(stream, &shared));
            }
        });
        Provider { issuer, state }
    }

    /// Whoever logs in from now on.
    pub(crate) fn knows(&self, claims: Value) {
        self.state.lock().unwrap().claims = claims.as_object().unwrap().clone();
    }

    pub(crate) fn signs_with(&self, seed: u8) {
        self.state.lock().unwrap().key = key(seed);
    }

    pub(crate) fn publishes(&self, seed: u8) {
        self.state.lock().unwrap().published = key(seed);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut headers) = (String::new(), HashMap::new());
    // Browsers open connections beforehand, too, and say nothing.
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let target = line.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut state = state.lock().unwrap();
    state.asked.push(path.to_owned());
    let (status, location, told) = match path {
        "/.well-known/openid-configuration" => (200, String::new(), state.configuration()),
        "/jwks" => (200, String::new(), state.keys()),
        "/authorize" => (302, state.authorize(&form(query)), Value::Null),
        "/token" => match state.token(&form(&String::from_utf8(body).unwrap()), headers.get("authorization")) {
            Ok(token) => (200, String::new(), token),
            Err(why) => (400, String::new(), json!({ "error": "invalid_grant", "error_description": why })),
        },
        _ => (404, String::new(), Value::Null),
    };
    let told = told.to_string();
    let location = if location.is_empty() { location } else { format!("Location: {location}\r\n") };
    let head = format!(
        "HTTP/1.1 {status} So\r\n{location}Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        told.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(told.as_bytes()));
}

impl State {
    fn configuration(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    fn keys(&self) -> Value {
        let point = self.published.verifying_key().to_sec1_point(false);
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point.as_bytes()[range]);
        let key = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": part(1..33), "y": part(33..65) });
        json!({ "keys": [key] })
    }

    /// Where the browser is sent.
    fn authorize(&mut self, asked: &HashMap<String, String>) -> String {
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{asked:?}");
        let code = format!("code-{}", self.asked.len());
        let (nonce, challenge) = (asked["nonce"].clone(), asked["code_challenge"].clone());
        let redirect = asked["redirect_uri"].clone();
        let back = format!("{redirect}?code={code}&state={}", asked["state"]);
        self.codes.insert(code, Code { nonce, challenge, redirect });
        back
    }

    fn token(
        &mut self,
        asked: &HashMap<String, String>,
        authorization: Option<&String>,
    ) -> Result<Value, &'static str> {
        let client = STANDARD.encode(format!("{CLIENT}:{SECRET}"));
        if authorization != Some(&format!("Basic {client}")) {
            return Err("another client");
        }
        let code = self.codes.remove(&asked["code"]).ok_or("no such code")?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&asked["code_verifier"]));
        if challenge != code.challenge || asked["redirect_uri"] != code.redirect {
            return Err("another browser");
        }
        let seconds = now() / 1000;
        let mut claims = json!({
            "iss": self.issuer, "sub": "u-1", "aud": CLIENT, "iat": seconds, "exp": seconds + 300, "nonce": code.nonce,
        });
        claims.as_object_mut().unwrap().extend(self.claims.clone());
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "alg": "ES256", "kid": "one" })), part(&claims));
        let signature: Signature = self.key.sign(signed.as_bytes());
        let id_token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        Ok(json!({ "access_token": "none", "token_type": "Bearer", "expires_in": 300, "id_token": id_token }))
    }
}

fn form(text: &str) -> HashMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}
