//! Signatures of commits and tags: which form one has, which key it names, and stand-ins for keys.
//!
//! A signature is carried and never verified: what a key is worth is not modelled, only whether there is a
//! signature and of what form (gitformat-signature(5)). Who signs here signs with a [`SigningKey`], whose
//! signatures have the form of an SSH key's and convince nobody outside.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::base64;

/// The forms of a signature, told apart by their first line as Git does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureFormat {
    /// `gpg.format=openpgp`.
    OpenPgp,
    /// `gpg.format=ssh`.
    Ssh,
    /// `gpg.format=x509`.
    X509,
    /// Anything else.
    Unknown,
}

/// How a signature of each form begins.
const FIRST_LINES: [(&str, SignatureFormat); 4] = [
    ("-----BEGIN PGP SIGNATURE-----", SignatureFormat::OpenPgp),
    ("-----BEGIN PGP MESSAGE-----", SignatureFormat::OpenPgp),
    ("-----BEGIN SSH SIGNATURE-----", SignatureFormat::Ssh),
    ("-----BEGIN SIGNED MESSAGE-----", SignatureFormat::X509),
];

impl SignatureFormat {
    /// The form of a signature.
    ///
    /// ```
    /// use driftlab::git::SignatureFormat;
    /// let text = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----";
    /// assert_eq!(SignatureFormat::of(text), SignatureFormat::OpenPgp);
    /// ```
    pub fn of(signature: &str) -> Self {
        let text = signature.trim_start();
        let known = FIRST_LINES.iter().find(|(first, _)| text.starts_with(first));
        known.map_or(SignatureFormat::Unknown, |(_, format)| *format)
    }
}

/// As `gpg.format` names it.
impl fmt::Display for SignatureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SignatureFormat::OpenPgp => "openpgp",
            SignatureFormat::Ssh => "ssh",
            SignatureFormat::X509 => "x509",
            SignatureFormat::Unknown => "unknown",
        })
    }
}

/// Where the signature at the end of a tag's message begins: at the last line that begins one.
pub(super) fn start_in(message: &str) -> Option<usize> {
    let starts = message.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    });
    let begins = |line: &str| FIRST_LINES.iter().any(|(first, _)| line.starts_with(first));
    starts.filter(|(_, line)| begins(line)).map(|(at, _)| at).last()
}

/// The key that a signature says it was made with: the id of an OpenPGP key, the fingerprint of an SSH key.
/// That it was is not verified. `None` when it says none that can be read.
///
/// ```
/// use driftlab::git::{SigningKey, named_key};
/// let key = SigningKey::of("alice@example.com");
/// assert_eq!(named_key(&key.sign(b"text")), Some(key.fingerprint()));
/// ```
pub fn named_key(signature: &str) -> Option<String> {
    let bytes = unarmored(signature)?;
    match SignatureFormat::of(signature) {
        SignatureFormat::Ssh => {
            let mut rest = bytes.strip_prefix(SSH_MAGIC)?.get(4..)?;
            Some(fingerprint(take_string(&mut rest)?))
        }
        SignatureFormat::OpenPgp => issuer(&bytes),
        _ => None,
    }
}

/// The bytes between the first line and the last one. Before them there may be headers, a blank line after
/// them; behind them a checksum (RFC 4880, section 6.2).
fn unarmored(signature: &str) -> Option<Vec<u8>> {
    let lines: Vec<&str> = signature.trim().lines().map(str::trim_end).collect();
    let inside = lines.get(1..lines.len().checked_sub(1)?)?;
    let body = inside.iter().position(|line| line.is_empty()).map_or(0, |blank| blank + 1);
    let digits: String =
        inside[body..].iter().filter(|line| !line.starts_with('=')).copied().collect();
    base64::decode(&digits)
}

/// The key id in the first signature packet (RFC 4880, sections 4.2 and 5.2.3).
fn issuer(packet: &[u8]) -> Option<String> {
    let (first, rest) = packet.split_first()?;
    let is_new = first & 0x40 != 0;
    let header = match (is_new, first & 3, rest.first()?) {
        (true, _, 0..=191) | (false, 0, _) => 1,
        (true, _, 192..=223) | (false, 1, _) => 2,
        (true, _, 255) => 5,
        (false, 2, _) => 4,
        _ => return None,
    };
    let body = rest.get(header..).filter(|body| body.first() == Some(&4))?;
    let hashed = 6 + length(body.get(4..6)?);
    let unhashed = hashed + 2 + length(body.get(hashed..hashed + 2)?);
    let areas = [body.get(6..hashed)?, body.get(hashed + 2..unhashed)?];
    areas.into_iter().find_map(issuer_among)
}

fn issuer_among(mut subpackets: &[u8]) -> Option<String> {
    const ISSUER: u8 = 16;
    const ISSUER_FINGERPRINT: u8 = 33;
    while let Some((first, rest)) = subpackets.split_first() {
        let (size, rest) = match first {
            0..=191 => (usize::from(*first), rest),
            192..=254 => {
                let (second, rest) = rest.split_first()?;
                (((usize::from(*first) - 192) << 8) + usize::from(*second) + 192, rest)
            }
            255 => (length(rest.get(..4)?), &rest[4..]),
        };
        let (subpacket, after) = rest.split_at_checked(size)?;
        let (kind, data) = subpacket.split_first()?;
        if matches!(kind & 0x7f, ISSUER | ISSUER_FINGERPRINT) {
            let id = data.get(data.len().checked_sub(8)?..)?;
            return Some(id.iter().map(|byte| format!("{byte:02X}")).collect());
        }
        subpackets = after;
    }
    None
}

fn length(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
}

/// Takes a text with its length before it (RFC 4251, section 5).
fn take_string<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let (size, rest) = bytes.split_at_checked(4)?;
    let (text, rest) = rest.split_at_checked(length(size))?;
    *bytes = rest;
    Some(text)
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text);
}

/// As `ssh-keygen -l` shows a public key.
fn fingerprint(public_key: &[u8]) -> String {
    let digest = base64::encode(&Sha256::digest(public_key));
    format!("SHA256:{}", digest.trim_end_matches('='))
}

const SSH_MAGIC: &[u8] = b"SSHSIG";
const SSH_ALGORITHM: &[u8] = b"ssh-ed25519";
const SSH_LINE: usize = 70;

/// A stand-in for somebody's key: what it signs has the form of an SSH signature and names a key, always
/// the same one for the same person. No key stands behind it: real Git finds such a signature bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// The key of a person, told by the mail address.
    pub fn of(email: &str) -> Self {
        SigningKey(Sha256::digest(email).into())
    }

    /// How the key is called in a signature.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.public_key())
    }

    /// A signature of a text, armored as Git stores it (`PROTOCOL.sshsig` of OpenSSH).
    pub fn sign(&self, payload: &[u8]) -> String {
        let mut blob = [SSH_MAGIC, &1u32.to_be_bytes()].concat();
        put_string(&mut blob, &self.public_key());
        for part in [&b"git"[..], b"", b"sha512"] {
            put_string(&mut blob, part);
        }
        let mut made = Vec::new();
        put_string(&mut made, SSH_ALGORITHM);
        put_string(&mut made, &[self.digest(payload, 0), self.digest(payload, 1)].concat());
        put_string(&mut blob, &made);
        armored(&blob)
    }

    /// Whether a signature is the one that this stand-in makes of a text.
    pub fn has_signed(&self, payload: &[u8], signature: &str) -> bool {
        self.sign(payload).trim_end() == signature.trim_end()
    }

    fn public_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        put_string(&mut key, SSH_ALGORITHM);
        put_string(&mut key, &self.0);
        key
    }

    fn digest(&self, payload: &[u8], half: u8) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.0)
            .chain_update([half])
            .chain_update(payload)
            .finalize()
            .into()
    }
}

fn armored(blob: &[u8]) -> String {
    let digits = base64::encode(blob);
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for line in digits.as_bytes().chunks(SSH_LINE) {
        text += std::str::from_utf8(line).expect("base64 is ASCII");
        text.push('\n');
    }
    text + "-----END SSH SIGNATURE-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen -Y sign` with a key of which `ssh-keygen -l` tells the fingerprint.
    const SSH: &str = "-----BEGIN SSH SIGNATURE-----\n\
        U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgRVRsbRlbnQpXNB5rIWbv/1AHxL\n\
        t4rXyJItJVhdATjyoAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5\n\
        AAAAQAooyKAdfxWHN9XEKhDtv9lbGCngyrmDYeDD2KkX3zx2DeH8UGydaasL5zj84DsfNq\n\
        EYAHGW76xzPhduNlRtVwY=\n\
        -----END SSH SIGNATURE-----";
    /// Made by `gpg --detach-sign --armor` with a key whose id `gpg -k` tells.
    const PGP: &str = "-----BEGIN PGP SIGNATURE-----\n\n\
        iHUEABYIAB0WIQSBhNYNhKYEwvE1KNE5d/VAPn+jFAUCawUYrwAKCRA5d/VAPn+j\n\
        FBDFAP4oURaUMqK/FSyQfip3ldkbwr3AexqGTrDhUCQoEe82gwD/ZEKpuy6FHC8S\n\
        JrDSPtXLJOTwkILadixaKUvWQyjBlgY=\n\
        =oyZd\n\
        -----END PGP SIGNATURE-----";

    #[test]
    fn a_signature_names_its_key() {
        let check = |signature: &str, key: Option<&str>| {
            assert_eq!(named_key(signature).as_deref(), key, "{signature}");
        };
        check(SSH, Some("SHA256:00On2xkJfEn/k6Tm9Mj7zS7sFHdaaA9mxCAc1IvAdkU"));
        check(PGP, Some("3977F5403E7FA314"));
        check("", None);
        check("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----", None);
        check("-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----", None);
        for cut in 0..PGP.len() {
            let (whole, _) = PGP.split_at(cut);
            named_key(&format!("{whole}\n-----END PGP SIGNATURE-----"));
        }
    }

    #[test]
    fn a_stand_in_knows_what_it_signed() {
        let (alice, bob) = (SigningKey::of("alice@example.com"), SigningKey::of("bob@example.com"));
        let signature = alice.sign(b"text");
        assert_eq!(SignatureFormat::of(&signature), SignatureFormat::Ssh);
        assert!(alice.has_signed(b"text", &signature));
        assert!(!alice.has_signed(b"another", &signature) && !bob.has_signed(b"text", &signature));
        assert_ne!(alice.fingerprint(), bob.fingerprint());
    }

    #[test]
    fn the_signature_of_a_tag_is_the_last_in_its_message() {
        let check = |message: &str, start: Option<usize>| assert_eq!(start_in(message), start);
        check("One\n", None);
        check("One\n-----BEGIN PGP SIGNATURE-----\nx\n", Some(4));
        check("-----BEGIN SSH SIGNATURE-----\n-----BEGIN SSH SIGNATURE-----\n", Some(30));
        check("see -----BEGIN SSH SIGNATURE-----\n", None);
    }
}
