//! `spec.verify` of a GitRepository: only what is signed is taken in.
//!
//! Conditions, reasons and words are source-controller's (`verifySignature`, and `git` of `fluxcd/pkg`);
//! what is verified is that a signature is there, that it names a key, and that the Secret has keys of its
//! form. Whether the signature is good, and whether its key is among those of the Secret, is not.

use crate::api::{ApiRequest, Artifact, Signed};
use crate::engine::conditions;
use crate::git::{SignatureFormat, named_key};
use crate::object::{GroupVersionKind, Object};
use crate::reconciler::Condition;
use crate::time::Timestamp;

pub(super) const SOURCE_VERIFIED: &str = "SourceVerified";

/// How a key of the Secret is called that holds keys for SSH signatures; all others are for OpenPGP.
const SSH_SUFFIX: &str = ".sshpub";

/// Why something is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Whether only a change to the GitRepository can help.
    pub(super) is_final: bool,
}

/// Whether something is to be verified.
pub(super) fn is_asked_for(object: &Object) -> bool {
    !mode(object).is_empty()
}

/// Whether even what is held already is to be verified: it never was in the mode that is asked for.
pub(super) fn is_due(object: &Object) -> bool {
    let verified = object.text("status.sourceVerificationMode");
    is_asked_for(object)
        && (verified.is_empty() || verified != mode(object) && verified != "TagAndHEAD")
}

/// `HEAD`, `Tag`, `TagAndHEAD`, or nothing; `head` is how `HEAD` was written once.
fn mode(object: &Object) -> &str {
    match object.text("spec.verify.mode") {
        "head" => "HEAD",
        mode => mode,
    }
}

/// Asks for the Secret with the public keys.
pub(super) fn keys_request(object: &Object) -> ApiRequest {
    let secret = object.text("spec.verify.secretRef.name");
    ApiRequest::get(&GroupVersionKind::new("v1", "Secret"), object.namespace(), secret)
}

/// The Secret cannot be read.
pub(super) fn no_keys(message: &str) -> Refusal {
    Refusal::new("VerificationError", format!("public keys secret error: {message}"))
}

/// Forgets what was verified once: nothing is to be.
pub(super) fn forget(object: &mut Object) {
    object.remove("status.sourceVerificationMode");
    conditions::delete(object, SOURCE_VERIFIED);
}

/// Forgets a failure, before it is looked at anew.
pub(super) fn forget_failure(object: &mut Object) {
    if conditions::is_false(object, SOURCE_VERIFIED) {
        conditions::delete(object, SOURCE_VERIFIED);
    }
}

/// Notes a refusal.
pub(super) fn mark_refused(object: &mut Object, refusal: &Refusal, now: Timestamp) {
    let (reason, message) = (refusal.reason, refusal.message.clone());
    conditions::mark(object, Condition::new(SOURCE_VERIFIED, "False", reason, message), now);
}

/// Verifies what was fetched, and notes it.
pub(super) fn verify(
    object: &mut Object,
    artifact: &Artifact,
    secret: &Object,
    now: Timestamp,
) -> Result<(), Refusal> {
    let mode = mode(object).to_owned();
    let mut verified = Vec::new();
    if mode != "HEAD" {
        verified.push(verify_tag(artifact.tag.as_ref(), secret)?);
    }
    if mode != "Tag" {
        verified.push(verify_commit(&artifact.commit, secret)?);
    }
    let message = format!("verified signature of\n\t- {}", verified.join("\n\t- "));
    object.set("status.sourceVerificationMode", mode);
    conditions::mark(object, Condition::new(SOURCE_VERIFIED, "True", "Succeeded", message), now);
    Ok(())
}

fn verify_tag(tag: Option<&Signed>, secret: &Object) -> Result<String, Refusal> {
    let Some(tag) = tag else {
        let message = "cannot verify tag object's signature if a tag reference is not specified";
        return Err(Refusal {
            is_final: true,
            ..Refusal::new("InvalidVerificationMode", message.into())
        });
    };
    let name = &tag.name;
    let Some(signature) = &tag.signature else {
        let message = format!("cannot verify signature of tag '{name}' since it is not signed");
        return Err(Refusal::new("InvalidGitObject", message));
    };
    let failed = |why| {
        let message = format!("signature verification of tag '{name}' failed: {why}");
        Refusal::new("InvalidTagSignature", message)
    };
    let key = key_of("tag", signature, secret).map_err(failed)?;
    Ok(format!("tag '{name}' with key '{key}'"))
}

fn verify_commit(commit: &Signed, secret: &Object) -> Result<String, Refusal> {
    let name = &commit.name;
    let failed = |why| {
        let message = format!("signature verification of commit '{name}' failed: {why}");
        Refusal::new("InvalidCommitSignature", message)
    };
    let none = || failed("unsupported signature type: empty".to_owned());
    let signature = commit.signature.as_ref().ok_or_else(none)?;
    let key = key_of("commit", signature, secret).map_err(failed)?;
    Ok(format!("commit '{name}' with key '{key}'"))
}

/// The key that a signature names, when the Secret has keys of its form.
fn key_of(what: &str, signature: &str, secret: &Object) -> Result<String, String> {
    let data = secret.get("data").and_then(|data| data.as_object());
    let has_key = |is_ssh: bool| {
        data.is_some_and(|data| data.keys().any(|key| key.ends_with(SSH_SUFFIX) == is_ssh))
    };
    match SignatureFormat::of(signature) {
        SignatureFormat::OpenPgp if !has_key(false) => Err(
            "PGP signature detected but no PGP public keys found in secret (keys with .asc suffix)"
                .into(),
        ),
        SignatureFormat::Ssh if !has_key(true) => Err(
            "SSH signature detected but no SSH public keys found in secret (keys with .sshpub suffix)"
                .into(),
        ),
        SignatureFormat::OpenPgp => named_key(signature).ok_or_else(|| {
            format!("unable to verify Git {what}: unable to verify payload with any of the given key rings: no matching key")
        }),
        SignatureFormat::Ssh => named_key(signature).ok_or_else(|| {
            format!("unable to verify Git {what} SSH signature: unable to unarmor SSH signature: it cannot be read")
        }),
        other => Err(format!("unsupported signature type: {other}")),
    }
}

impl Refusal {
    fn new(reason: &'static str, message: String) -> Self {
        Refusal { reason, message, is_final: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::SigningKey;
    use serde_json::json;

    const NAME: &str = "0fb1f98";

    fn signed(signature: Option<&str>) -> Signed {
        Signed { name: NAME.into(), signature: signature.map(str::to_owned) }
    }

    fn object(mode: &str) -> Object {
        let mut object = Object::new("source.toolkit.fluxcd.io/v1", "GitRepository", "a", "b");
        object.set("spec.verify.mode", mode);
        object
    }

    fn verdict(mode: &str, artifact: &Artifact, keys: &[&str]) -> String {
        let mut secret = Object::new("v1", "Secret", "a", "keys");
        for key in keys {
            secret.set_at(&["data", key], json!("eA=="));
        }
        let mut object = object(mode);
        match verify(&mut object, artifact, &secret, Timestamp::START) {
            Err(refusal) => format!("{}: {}", refusal.reason, refusal.message),
            Ok(()) => {
                let verified = conditions::get(&object, SOURCE_VERIFIED).unwrap();
                assert!(!is_due(&object) && verified.is_true());
                verified.message
            }
        }
    }

    #[test]
    fn what_is_asked_for_must_be_signed_in_a_form_that_there_are_keys_for() {
        let key = SigningKey::of("ada@example.com");
        let ssh = key.sign(b"");
        let artifact = |commit: Option<&str>, tag: Option<Option<&str>>| Artifact {
            commit: signed(commit),
            tag: tag.map(signed),
            ..Artifact::default()
        };
        let check = |mode: &str, artifact: Artifact, keys: &[&str], expected: &str| {
            let expected = expected.replace("KEY", &key.fingerprint());
            assert_eq!(verdict(mode, &artifact, keys), expected);
        };
        let both = || artifact(Some(&ssh), Some(Some(&ssh)));
        let refused = "InvalidCommitSignature: signature verification of commit '0fb1f98' failed: ";
        check(
            "HEAD",
            both(),
            &["a.sshpub"],
            "verified signature of\n\t- commit '0fb1f98' with key 'KEY'",
        );
        check(
            "head",
            both(),
            &["a.sshpub"],
            "verified signature of\n\t- commit '0fb1f98' with key 'KEY'",
        );
        check(
            "Tag",
            both(),
            &["a.sshpub"],
            "verified signature of\n\t- tag '0fb1f98' with key 'KEY'",
        );
        check(
            "TagAndHEAD",
            both(),
            &["a.sshpub"],
            "verified signature of\n\t- tag '0fb1f98' with key 'KEY'\n\t- commit '0fb1f98' with key 'KEY'",
        );
        let none = || artifact(None, None);
        check(
            "HEAD",
            none(),
            &["a.sshpub"],
            &format!("{refused}unsupported signature type: empty"),
        );
        let smime = "-----BEGIN SIGNED MESSAGE-----\n";
        check(
            "HEAD",
            artifact(Some(smime), None),
            &[],
            &format!("{refused}unsupported signature type: x509"),
        );
        check(
            "HEAD",
            artifact(Some("?"), None),
            &[],
            &format!("{refused}unsupported signature type: unknown"),
        );
        check(
            "HEAD",
            both(),
            &["a.asc"],
            &format!(
                "{refused}SSH signature detected but no SSH public keys found in secret (keys with .sshpub suffix)"
            ),
        );
        check(
            "Tag",
            none(),
            &[],
            "InvalidVerificationMode: cannot verify tag object's signature if a tag reference is not specified",
        );
        check(
            "TagAndHEAD",
            artifact(Some(&ssh), Some(None)),
            &["a.sshpub"],
            "InvalidGitObject: cannot verify signature of tag '0fb1f98' since it is not signed",
        );
        let pgp = "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----";
        check(
            "Tag",
            artifact(None, Some(Some(pgp))),
            &["b.sshpub"],
            "InvalidTagSignature: signature verification of tag '0fb1f98' failed: PGP signature detected but no PGP public keys found in secret (keys with .asc suffix)",
        );
    }

    #[test]
    fn what_is_held_is_verified_again_when_the_mode_asks_for_more() {
        let check = |mode: &str, verified: &str, due: bool| {
            let mut object = object(mode);
            object.set("status.sourceVerificationMode", verified);
            assert_eq!(is_due(&object), due, "{mode} after {verified}");
        };
        check("", "", false);
        check("HEAD", "", true);
        check("head", "HEAD", false);
        check("Tag", "HEAD", true);
        check("TagAndHEAD", "Tag", true);
        check("Tag", "TagAndHEAD", false);
    }
}
