//! What may be wrong with a delivery that does not verify: guesses, each of which was tried.
//!
//! A guess never makes a delivery valid, and the server makes none: it only tells the operator where to look.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Larger bodies are not written anew for a guess.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What was signed, where this guess is right.
#[derive(Debug, Clone)]
pub(super) struct Guess<'a> {
    pub(super) says: &'static str,
    pub(super) body: Cow<'a, [u8]>,
    pub(super) secret: Cow<'a, [u8]>,
    pub(super) url: Cow<'a, str>,
}

/// What came. `url` is empty where none is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) body: &'a [u8],
    pub(super) secret: &'a [u8],
    pub(super) url: &'a str,
}

/// What the guesses that fit say, the likely ones first. `fits` tries one.
pub(super) fn hints(case: Case<'_>, fits: impl Fn(&Guess<'_>) -> bool) -> Vec<&'static str> {
    let mut tried = vec![case.as_it_is("")];
    let mut says = Vec::new();
    for guess in bodies(case).into_iter().chain(secrets(case)).chain(urls(case)) {
        if guess.secret.is_empty() || tried.iter().any(|known| known.is_as(&guess)) {
            continue;
        }
        if fits(&guess) && !says.contains(&guess.says) {
            says.push(guess.says);
        }
        tried.push(guess);
    }
    says
}

impl Guess<'_> {
    fn is_as(&self, other: &Guess<'_>) -> bool {
        (&self.body, &self.secret, &self.url) == (&other.body, &other.secret, &other.url)
    }
}

impl<'a> Case<'a> {
    pub(super) fn as_it_is(self, says: &'static str) -> Guess<'a> {
        let (body, secret) = (Cow::Borrowed(self.body), Cow::Borrowed(self.secret));
        Guess { says, body, secret, url: Cow::Borrowed(self.url) }
    }
}

fn bodies(case: Case<'_>) -> Vec<Guess<'_>> {
    let body = case.body;
    if body.len() > BODY_BYTES_MAX {
        return Vec::new();
    }
    let trimmed = body.trim_ascii_end();
    let with = |end: &[u8]| [trimmed, end].concat();
    let mut others: Vec<(&'static str, Vec<u8>)> = vec![
        (
            "it fits without the white space at the end of the body: an editor or `echo` has added a line break; verify the bytes as they came",
            trimmed.to_vec(),
        ),
        (
            "it fits with a line break (LF) at the end of the body: it was trimmed on its way; verify the bytes as they came",
            with(b"\n"),
        ),
        (
            "it fits with a line break (CR LF) at the end of the body: it was trimmed on its way; verify the bytes as they came",
            with(b"\r\n"),
        ),
        (
            "it fits with LF for CR LF in the body: its line breaks were changed on the way",
            replaced(body, b"\r\n", b"\n"),
        ),
        (
            "it fits with CR LF for LF in the body: its line breaks were changed on the way",
            replaced(&replaced(body, b"\r\n", b"\n"), b"\n", b"\r\n"),
        ),
    ];
    if let Some(after) = body.strip_prefix(b"\xef\xbb\xbf") {
        others.push(("it fits without the byte order mark that the body begins with", after.to_vec()));
    }
    if let Ok(text) = std::str::from_utf8(body)
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    {
        let anew = "it fits with the JSON written anew: the body was parsed and serialised on its way (a framework's body parser does that); verify the raw bytes";
        let (compact, spaced) = (layout(text, Spaces::None), layout(text, Spaces::One));
        others.extend([(anew, escaped(&compact)), (anew, escaped(&spaced))]);
        others.extend([(anew, compact.into_bytes()), (anew, spaced.into_bytes()), (anew, escaped(text))]);
    }
    others.into_iter().map(|(says, body)| Guess { body: Cow::Owned(body), ..case.as_it_is(says) }).collect()
}

fn secrets(case: Case<'_>) -> Vec<Guess<'_>> {
    let secret = case.secret;
    let bare = secret.trim_ascii();
    let unquoted = [b"\"", b"'"].into_iter().find_map(|quote| bare.strip_prefix(quote)?.strip_suffix(quote));
    let unprefixed = bare.strip_prefix(b"whsec_");
    let mut others: Vec<(&'static str, Vec<u8>)> =
        vec![("it fits with the secret without the white space around it: set the secret without it", bare.to_vec())];
    if let Some(unquoted) = unquoted {
        others.push((
            "it fits with the secret without the quotes around it: set the secret without them",
            unquoted.to_vec(),
        ));
    }
    if let Some(unprefixed) = unprefixed {
        let says = "it fits with what follows whsec_: this sender's secret is not what the preset takes it for";
        others.push((says, unprefixed.to_vec()));
    } else {
        let says = "it fits with whsec_ before the secret: set the secret as the sender shows it, whsec_ included";
        others.push((says, [b"whsec_", bare].concat()));
    }
    let encoded = unprefixed.unwrap_or(bare);
    for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
        let says = "it fits with the secret decoded from base64: this preset takes a secret literally, so another one is meant";
        others.extend(engine.decode(encoded).ok().map(|decoded| (says, decoded)));
    }
    let says =
        "it fits with the secret decoded from hex: this preset takes a secret literally, so another one is meant";
    others.extend(hex::decode(encoded).ok().map(|decoded| (says, decoded)));
    let says = "it fits with the secret's own bytes: this preset decodes a secret, and the sender does not";
    others.push((says, [b"whsec_".as_slice(), STANDARD.encode(secret).as_bytes()].concat()));
    others.push((says, STANDARD.encode(secret).into_bytes()));
    others.push((says, hex::encode(secret).into_bytes()));
    others.into_iter().map(|(says, secret)| Guess { secret: Cow::Owned(secret), ..case.as_it_is(says) }).collect()
}

fn urls(case: Case<'_>) -> Vec<Guess<'_>> {
    let Some((scheme, rest)) = case.url.split_once("://") else {
        return Vec::new();
    };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let other = if scheme == "https" { "http" } else { "https" };
    let (host, path) = place.split_once('/').map_or((place, String::new()), |(host, path)| (host, format!("/{path}")));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let port = if scheme == "https" { 443 } else { 80 };
    let slashed = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    [
        (
            "it fits with the URL's other scheme (http or https): set public_url as the sender knows it",
            format!("{other}://{rest}"),
        ),
        (
            "it fits with the URL without its port: set public_url as the sender knows it",
            format!("{scheme}://{name}{path}{query}"),
        ),
        (
            "it fits with the port in the URL: set public_url as the sender knows it",
            format!("{scheme}://{name}:{port}{path}{query}"),
        ),
        (
            "it fits with the URL's last slash left out or added: set public_url as the sender knows it",
            format!("{scheme}://{host}{slashed}{query}"),
        ),
        (
            "it fits with the URL without its query: set public_url as the sender knows it",
            format!("{scheme}://{host}{path}"),
        ),
    ]
    .into_iter()
    .map(|(says, url)| Guess { url: Cow::Owned(url), ..case.as_it_is(says) })
    .collect()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        match rest.strip_prefix(from) {
            Some(after) => {
                written.extend_from_slice(to);
                rest = after;
            }
            None => {
                written.push(*first);
                rest = tail;
            }
        }
    }
    written
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spaces {
    /// As JavaScript's `JSON.stringify` writes JSON.
    None,
    /// As Python's `json.dumps` does: one after each comma and colon.
    One,
}

/// JSON with other white space between its parts; strings and numbers stay as they are.
fn layout(json: &str, spaces: Spaces) -> String {
    let mut written = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            written.push(c);
        } else if !c.is_ascii_whitespace() {
            in_string = c == '"';
            written.push(c);
            if spaces == Spaces::One && [',', ':'].contains(&c) {
                written.push(' ');
            }
        }
    }
    written
}

/// With what is not ASCII as `\u00e9`, which only strings have.
fn escaped(json: &str) -> Vec<u8> {
    let mut written = Vec::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            written.push(c as u8);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                written.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Case<'_> =
        Case { body: b"{\"a\": 1.0}", secret: b"whsec_aHVzaA==", url: "https://hooks.example.com/in?x=1" };

    /// What is told where this came and that was signed.
    #[track_caller]
    fn told(came: Case<'_>, signed: Case<'_>) -> String {
        let says = hints(came, |guess| {
            (&*guess.body, &*guess.secret, &*guess.url) == (signed.body, signed.secret, signed.url)
        });
        assert_eq!(says.len(), 1, "{says:?}");
        says.concat()
    }

    #[test]
    fn a_body_that_was_changed_on_its_way_is_told() {
        for (came, signed, part) in [
            (&b"{\"a\": 1.0}\n"[..], &b"{\"a\": 1.0}"[..], "without the white space"),
            (b"{\"a\": 1.0}", b"{\"a\": 1.0}\n", "with a line break (LF)"),
            (b"{\"a\": 1.0}", b"{\"a\": 1.0}\r\n", "with a line break (CR LF)"),
            (b"{\n\"a\": 1.0}", b"{\r\n\"a\": 1.0}", "with CR LF for LF"),
            (b"a\r\nb", b"a\nb", "with LF for CR LF"),
            (b"\xef\xbb\xbf{}", b"{}", "byte order mark"),
            (b"{ \"a\" : \"b, \\\" c\" }", b"{\"a\":\"b, \\\" c\"}", "written anew"),
            (b"{\"a\":[1,2]}", b"{\"a\": [1, 2]}", "written anew"),
            ("{\"a\": \"\u{e9}\u{1f600}\"}".as_bytes(), b"{\"a\":\"\\u00e9\\ud83d\\ude00\"}", "written anew"),
        ] {
            let told = told(Case { body: came, ..SIGNED }, Case { body: signed, ..SIGNED });
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_secret_that_is_written_in_another_way_is_told() {
        for (came, signed, part) in [
            (&b" hush\n"[..], &b"hush"[..], "white space around it"),
            (b"\"hush\"", b"hush", "quotes around it"),
            (b"whsec_aHVzaA==", b"hush", "decoded from base64"),
            (b"whsec_aHVzaA==", b"aHVzaA==", "what follows whsec_"),
            (b"aHVzaA==", b"whsec_aHVzaA==", "with whsec_ before"),
            (b"6875", b"hu", "decoded from hex"),
            (b"hush", b"68757368", "own bytes"),
        ] {
            let told = told(Case { secret: came, ..SIGNED }, Case { secret: signed, ..SIGNED });
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_url_that_the_sender_knows_otherwise_is_told() {
        for (came, signed, part) in [
            ("http://a.example/in", "https://a.example/in", "other scheme"),
            ("https://a.example:8443/in?x=1", "https://a.example/in?x=1", "without its port"),
            ("https://a.example/in", "https://a.example:443/in", "with the port"),
            ("https://a.example/in", "https://a.example/in/", "last slash"),
            ("https://a.example", "https://a.example/", "last slash"),
            ("https://a.example/in?x=1", "https://a.example/in", "without its query"),
        ] {
            let told = told(Case { url: came, ..SIGNED }, Case { url: signed, ..SIGNED });
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn nothing_is_told_where_no_guess_fits() {
        assert_eq!(hints(SIGNED, |_| false), [""; 0]);
        // What came is no guess, and an empty secret fits nothing.
        let itself = |guess: &Guess<'_>| *guess.body == *SIGNED.body && *guess.secret == *SIGNED.secret;
        assert_eq!(hints(Case { url: "", ..SIGNED }, itself), [""; 0]);
        assert_eq!(hints(Case { secret: b"", ..SIGNED }, |guess| guess.secret.is_empty()), [""; 0]);
    }
}
