//! What is asked of the provider. Everything here blocks.

use std::error::Error;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthorizationCode, Client, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, IdTokenClaims, IdTokenFields, Nonce, PkceCodeChallenge, Scope, StandardErrorResponse,
    StandardTokenResponse,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::At;
use super::{Begun, NoPerson, Oidc, Person, UnderWay};

/// Every claim that is no standard one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Further {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Further {}

type Fields = IdTokenFields<
    Further,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type Provider = Client<
    Further,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<Fields, CoreTokenType>,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// With a key that the provider alone has: never with the client's secret.
const SIGNED_BY: [CoreJwsSigningAlgorithm; 10] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EcdsaP521Sha512,
    CoreJwsSigningAlgorithm::EdDsa,
];
/// Of what a provider calls somebody.
const NAME_CHARS_MAX: usize = 80;

type Claims = IdTokenClaims<Further, CoreGenderClaim>;

impl Oidc {
    fn provider(&self, at: At) -> Result<Provider, NoPerson> {
        let metadata = match self.known(at.monotonic) {
            Some(metadata) => metadata,
            None => {
                let fetch = |request: HttpRequest| Oidc::fetch(self, request);
                let metadata = CoreProviderMetadata::discover(&self.issuer, &fetch);
                let metadata = metadata.map_err(|error| NoPerson::Unreachable(told(&error)))?;
                self.learned(metadata.clone(), at.monotonic);
                metadata
            }
        };
        let client = Client::from_provider_metadata(metadata, self.client_id.clone(), self.client_secret.clone());
        Ok(client.set_redirect_uri(self.redirect.clone()))
    }

    /// Where the browser is sent, and what it comes back with.
    pub(super) fn authorize(
        &self,
        at: At,
        state: String,
        nonce: String,
        begun: Begun,
    ) -> Result<(String, UnderWay), NoPerson> {
        let provider = self.provider(at)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (state, nonce) = (CsrfToken::new(state), Nonce::new(nonce));
        let asked = provider.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce);
        let asked = asked.add_scopes(self.scopes.iter().cloned().map(Scope::new)).set_pkce_challenge(challenge);
        let (url, _, nonce) = asked.url();
        Ok((url.to_string(), UnderWay { since: at.monotonic, nonce, verifier, begun }))
    }

    /// Who it is, by the code that the browser came back with.
    pub(super) fn person(&self, at: At, code: String, login: UnderWay) -> Result<Person, NoPerson> {
        let fetch = |request: HttpRequest| Oidc::fetch(self, request);
        let provider = self.provider(at)?;
        let request = provider.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| NoPerson::Unreachable(told(&error)))?;
        let answer = request.set_pkce_verifier(login.verifier).request(&fetch);
        let answer = answer.map_err(|error| NoPerson::Refused(told(&error)))?;
        let token = answer.extra_fields().id_token();
        let token = token.ok_or_else(|| NoPerson::Invalid("it has no ID token".to_owned()))?;
        let verify = |provider: &Provider| {
            let verifier =
                provider.id_token_verifier().set_time_fn(move || at.now.to_utc()).set_allowed_algs(SIGNED_BY);
            token.claims(&verifier, &login.nonce).map_err(|error| NoPerson::Invalid(told(&error))).cloned()
        };
        // Its keys may have changed since it was asked for them: it is asked once more.
        let claims = verify(&provider).or_else(|_| {
            self.forget();
            verify(&self.provider(at)?)
        })?;
        self.judged(&claims)
    }

    fn judged(&self, claims: &Claims) -> Result<Person, NoPerson> {
        let name = name_of(claims);
        let said = match &self.roles.claim[..] {
            "sub" => vec![claims.subject().to_string()],
            // Anybody may say that they have an address.
            "email" if claims.email_verified() != Some(true) => Vec::new(),
            "email" => claims.email().map(|email| email.to_string()).into_iter().collect(),
            claim => said(&claims.additional_claims().all, claim),
        };
        match self.roles.role(&said) {
            Some(role) => Ok(Person { name, role }),
            None => Err(NoPerson::NoRole { name, claim: self.roles.claim.clone() }),
        }
    }
}

/// Nobody can choose to be called as somebody else is, or as a token: only a verified e-mail address stands alone.
fn name_of(claims: &Claims) -> String {
    let email = claims.email().map(|email| plain(email.as_str()));
    let subject = plain(claims.subject().as_str());
    match (email, claims.preferred_username().map(|name| plain(name.as_str()))) {
        (Some(email), _) if claims.email_verified() == Some(true) => format!("oidc:{email}"),
        (Some(name), _) | (None, Some(name)) => format!("oidc:{name} {subject}"),
        (None, None) => format!("oidc:{subject}"),
    }
}

/// Short, in one line, and without what nobody sees: so a name cannot look like another one.
fn plain(name: &str) -> String {
    let is_unseen = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let words = name.split_whitespace().map(|word| word.chars().filter(|c| !is_unseen(*c)).collect::<String>());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(NAME_CHARS_MAX).collect()
}

/// The texts of a claim: one, or a list of them. A dot leads into an object, as in `realm_access.roles`.
fn said(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    let found = claims.get(claim).or_else(|| {
        let (first, rest) = claim.split_once('.')?;
        rest.split('.').try_fold(claims.get(first)?, |value, part| value.get(part))
    });
    match found {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// With its causes, which have no secrets.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_look_like_another_one() {
        assert_eq!(plain("  ann\n@exa\u{200b}mple.com \u{202e}  x"), "ann @example.com x");
        assert_eq!(plain(&"a".repeat(500)).len(), NAME_CHARS_MAX);
        assert_eq!(plain("\u{feff} "), "");
    }

    #[test]
    fn a_claim_is_a_text_a_list_or_within_an_object() {
        let claims = serde_json::json!({
            "role": "ops",
            "groups": ["ops", 7, "dev"],
            "realm_access": { "roles": ["admin"] },
            "https://example.com/groups": ["far"],
        });
        let claims = claims.as_object().unwrap();
        assert_eq!(said(claims, "role"), ["ops"]);
        assert_eq!(said(claims, "groups"), ["ops", "dev"]);
        assert_eq!(said(claims, "realm_access.roles"), ["admin"]);
        assert_eq!(said(claims, "https://example.com/groups"), ["far"]);
        assert_eq!(said(claims, "none"), Vec::<String>::new());
    }
}
