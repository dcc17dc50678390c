//! Tokens of service accounts: JSON Web Tokens (RFC 7519), signed by HMAC-SHA256 (RFC 2104).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::Caller;
use crate::apiserver::base64;
use crate::apiserver::server::Server;
use crate::object::ObjectRef;
use crate::time::Timestamp;

/// Who issues the tokens, and for whom they are when nobody says.
pub(in crate::apiserver) const AUDIENCE: &str = "https://kubernetes.default.svc";

/// What tokens are signed with. Cloning is cheap.
#[derive(Clone, Debug)]
pub(in crate::apiserver) struct SigningKey(Arc<[u8]>);

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::apiserver) struct Claims {
    pub audiences: Vec<String>,
    /// Seconds since 1970.
    pub issued: u64,
    pub expires: u64,
    /// What tells this token from others.
    pub id: String,
    pub namespace: String,
    pub account: Named,
    /// The object with which the token ends, by its kind: `pod`, `secret` or `node`.
    pub bound: Option<(String, Named)>,
}

/// An object by name, and which of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::apiserver) struct Named {
    pub name: String,
    pub uid: String,
}

impl Default for SigningKey {
    fn default() -> Self {
        SigningKey::new(b"driftlab")
    }
}

impl SigningKey {
    pub(super) fn new(key: &[u8]) -> Self {
        SigningKey(key.into())
    }

    /// The token that says this.
    pub(in crate::apiserver) fn sign(&self, claims: &Claims) -> String {
        let header = json!({"alg": "HS256", "kid": "driftlab"}).to_string();
        let payload = claims.to_value().to_string();
        let encoded = |text: &str| base64::encode_url(text.as_bytes());
        let said = format!("{}.{}", encoded(&header), encoded(&payload));
        let signature = base64::encode_url(&self.hmac(said.as_bytes()));
        format!("{said}.{signature}")
    }

    /// What a token says, if it was signed with this key.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        let (said, signature) = token.rsplit_once('.')?;
        let (_, payload) = said.split_once('.')?;
        let signature = base64::decode_url(signature).ok()?;
        if !same(&signature, &self.hmac(said.as_bytes())) {
            return None;
        }
        let payload = base64::decode_url(payload).ok()?;
        Claims::from_value(&serde_json::from_slice(&payload).ok()?)
    }

    fn hmac(&self, message: &[u8]) -> [u8; 32] {
        const BLOCK: usize = 64;
        let mut key =
            if self.0.len() > BLOCK { Sha256::digest(&self.0).to_vec() } else { self.0.to_vec() };
        key.resize(BLOCK, 0);
        let padded = |with: u8| -> Vec<u8> { key.iter().map(|byte| byte ^ with).collect() };
        let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
        Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
    }
}

/// Whether two texts are the same, in a time that does not tell where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differs = |sum: u8, (a, b): (&u8, &u8)| sum | (a ^ b);
    one.len() == other.len() && one.iter().zip(other).fold(0, differs) == 0
}

impl Claims {
    fn to_value(&self) -> Value {
        let named = |named: &Named| json!({"name": named.name, "uid": named.uid});
        let mut own = json!({
            "namespace": self.namespace,
            "serviceaccount": named(&self.account),
        });
        if let Some((kind, object)) = &self.bound {
            own[kind] = named(object);
        }
        json!({
            "aud": self.audiences, "exp": self.expires, "iat": self.issued, "iss": AUDIENCE,
            "jti": self.id, "kubernetes.io": own, "nbf": self.issued,
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.account.name),
        })
    }

    fn from_value(value: &Value) -> Option<Self> {
        let own = &value["kubernetes.io"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let named =
            |value: &Value| Some(Named { name: text(&value["name"])?, uid: text(&value["uid"])? });
        let bound = |kind: &&str| own[kind].is_object();
        let bound = ["pod", "secret", "node"].into_iter().find(bound);
        Some(Claims {
            audiences: value["aud"].as_array()?.iter().filter_map(text).collect(),
            issued: value["iat"].as_u64()?,
            expires: value["exp"].as_u64()?,
            id: text(&value["jti"])?,
            namespace: text(&own["namespace"])?,
            account: named(&own["serviceaccount"])?,
            bound: bound.and_then(|kind| Some((kind.to_owned(), named(&own[kind])?))),
        })
    }

    /// Refuses a token whose time is over, or whose account, or object, is not the same any more.
    pub(super) fn expect_valid(&self, server: &Server, now: Timestamp) -> Result<(), &'static str> {
        if now.as_secs() >= self.expires {
            return Err("service account token has expired");
        }
        let there = |kind: &str, namespace: &str, named: &Named| {
            let object = server.get(&ObjectRef::new("", kind, namespace, &named.name));
            object.is_some_and(|object| object.uid() == named.uid)
        };
        let account = there("ServiceAccount", &self.namespace, &self.account);
        let bound = self.bound.as_ref().is_none_or(|(kind, object)| match kind.as_str() {
            "pod" => there("Pod", &self.namespace, object),
            "secret" => there("Secret", &self.namespace, object),
            _ => there("Node", "", object),
        });
        if account && bound { Ok(()) } else { Err("service account token has been invalidated") }
    }

    pub(super) fn caller(&self) -> Caller {
        let mut extra = BTreeMap::new();
        let mut tell = |what: &str, value: String| {
            extra.insert(format!("authentication.kubernetes.io/{what}"), vec![value]);
        };
        tell("credential-id", format!("JTI={}", self.id));
        if let Some((kind, object)) = self.bound.as_ref().filter(|(kind, _)| kind != "secret") {
            tell(&format!("{kind}-name"), object.name.clone());
            tell(&format!("{kind}-uid"), object.uid.clone());
        }
        Caller {
            uid: self.account.uid.clone(),
            extra,
            ..Caller::service_account(&self.namespace, &self.account.name, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            audiences: vec![AUDIENCE.into()],
            issued: 1_000,
            expires: 4_600,
            id: "j".into(),
            namespace: "web".into(),
            account: Named { name: "robot".into(), uid: "u".into() },
            bound: Some(("pod".into(), Named { name: "p".into(), uid: "q".into() })),
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of_to_who_has_the_key() {
        let key = SigningKey::default();
        let token = key.sign(&claims());
        assert_eq!(key.read(&token), Some(claims()));
        assert_eq!(SigningKey::new(b"another").read(&token), None);
        let (said, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(key.read(&format!("{said}x.{signature}")), None);
        for nonsense in ["", ".", "..", "a.b.c", "é.é.é"] {
            assert_eq!(key.read(nonsense), None);
        }
    }

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let code = SigningKey::new(b"Jefe").hmac(b"what do ya want for nothing?");
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
