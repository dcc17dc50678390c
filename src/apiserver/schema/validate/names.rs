//! The formats of names and the like, with the sentences that refuse what is none.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation`. Each function gives the sentences; none when the
//! text is well formed.

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";

fn with_regex(sentence: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{sentence} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn is_label_char(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Letters and digits at both ends, `-` allowed between.
fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| is_label_char(*first) && is_label_char(*last))
        && bytes.iter().all(|c| is_label_char(*c) || *c == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_dns_label)
}

/// RFC 1123 label.
pub(super) fn dns_label(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push(too_long(63));
    }
    if !is_dns_label(text) {
        problems.push(if is_subdomain(text) {
            "must not contain dots".into()
        } else {
            with_regex(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    problems
}

/// An RFC 1035 label: one that begins with a letter.
pub(super) fn dns_1035_label(text: &str) -> Vec<String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    let formed = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.ends_with(good)
        && text.chars().all(|c| good(c) || c == '-');
    if !formed {
        problems.push("a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".to_owned());
    }
    problems
}

/// RFC 1123 subdomain: labels with dots between.
pub(super) fn subdomain(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253));
    }
    if !is_subdomain(text) {
        problems.push(with_regex(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        ));
    }
    problems
}

/// `*.` and a subdomain.
pub(super) fn wildcard_subdomain(text: &str) -> Vec<String> {
    if text.strip_prefix("*.").is_some_and(is_subdomain) {
        return Vec::new();
    }
    vec![with_regex(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        &format!(r"\*\.{SUBDOMAIN}"),
        &["*.example.com"],
    )]
}

/// A name that can stand in a path.
pub(super) fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    let bad = ['/', '%'].into_iter().filter(|c| text.contains(*c));
    bad.map(|c| format!("may not contain '{c}'")).collect()
}

fn is_key_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
}

/// The key of a label or annotation: a name, perhaps with a domain before it.
pub(super) fn label_key(text: &str) -> Vec<String> {
    const SENTENCE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    const EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
    let parts: Vec<&str> = text.split('/').collect();
    let mut problems = Vec::new();
    let name = match *parts {
        [name] => name,
        ["", name] => {
            problems.push("prefix part must be non-empty".into());
            name
        }
        [prefix, name] => {
            problems.extend(subdomain(prefix).iter().map(|p| format!("prefix part {p}")));
            name
        }
        _ => {
            let sentence = with_regex(SENTENCE, LABEL_KEY, &EXAMPLES);
            return vec![format!(
                "a valid label key {sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".into());
    }
    if !is_key_name(name) {
        problems.push(format!("name part {}", with_regex(SENTENCE, LABEL_KEY, &EXAMPLES)));
    }
    problems
}

/// The value of a label.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 bytes".into());
    }
    if !text.is_empty() && !is_key_name(text) {
        problems.push(with_regex(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            LABEL_VALUE,
            &["MyValue", "my_value", "12345"],
        ));
    }
    problems
}

/// The key of a ConfigMap or Secret.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push(too_long(253));
    }
    let good = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(good) {
        problems.push(with_regex(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match text {
        "." | ".." => problems.push(format!("must not be '{text}'")),
        _ if text.starts_with("..") => problems.push("must not start with '..'".into()),
        _ => {}
    }
    problems
}

/// The name of an environment variable.
pub(super) fn env_name(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec!["environment variable name must be non-empty".into()];
    }
    if text.chars().all(|c| matches!(c, ' '..='~') && c != '=') {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".into()]
}

/// The name of a port.
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut refuse = |bad: bool, sentence: &str| {
        if bad {
            problems.push(sentence.to_string());
        }
    };
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    refuse(text.len() > 15, "must be no more than 15 characters");
    refuse(
        text.is_empty() || !text.bytes().all(good),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    refuse(!text.bytes().any(|c| c.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    refuse(text.contains("--"), "must not contain consecutive hyphens");
    refuse(text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen");
    problems
}

/// The name of an HTTP header.
pub(super) fn header_name(text: &str) -> Vec<String> {
    if !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
        return Vec::new();
    }
    vec![with_regex(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

/// A percentage, as the text `25%`.
pub(super) fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or("");
    if !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit()) {
        return Vec::new();
    }
    vec![with_regex(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

/// A domain, a slash, and a path.
pub(super) fn domain_prefixed_path(text: &str) -> Vec<String> {
    match text.split_once('/') {
        Some((domain, path)) if !domain.is_empty() && !path.is_empty() => subdomain(domain),
        _ => vec!["must be a domain-prefixed path (such as \"acme.io/foo\")".into()],
    }
}

/// A domain of at least three parts, as webhooks are named.
pub(super) fn fully_qualified(text: &str) -> Vec<String> {
    let problems = subdomain(text);
    if !problems.is_empty() {
        return vec![problems.join(",")];
    }
    if text.split('.').count() < 3 {
        return vec!["should be a domain with at least three segments separated by dots".into()];
    }
    Vec::new()
}

/// A domain that is no single label.
pub(super) fn domain(text: &str) -> Vec<String> {
    let problems = subdomain(text.strip_suffix('.').unwrap_or(text));
    if problems.is_empty() && !text.contains('.') {
        return vec!["should be a domain with at least two segments separated by dots".into()];
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_refused_with_the_servers_sentences() {
        let check = |format: fn(&str) -> Vec<String>, text: &str, expected: &[&str]| {
            let problems = format(text);
            assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
            for (problem, expected) in problems.iter().zip(expected) {
                assert!(problem.starts_with(expected), "{text}: {problem}");
            }
        };
        check(dns_label, "my-name", &[]);
        check(dns_label, "a.b", &["must not contain dots"]);
        check(dns_label, "Bad_Name", &["a lowercase RFC 1123 label"]);
        check(subdomain, "a.b-c.d", &[]);
        check(subdomain, "a..b", &["a lowercase RFC 1123 subdomain"]);
        check(label_key, "example.com/a_b", &[]);
        check(label_key, "/a", &["prefix part must be non-empty"]);
        check(label_key, "a/b/c", &["a valid label key"]);
        check(label_key, "-a", &["name part must consist"]);
        check(label_value, "", &[]);
        check(label_value, "has space", &["a valid label must be"]);
        check(config_key, "..x", &["must not start with '..'"]);
        check(
            port_name,
            "HTTP-",
            &["must contain only", "must contain at least", "must not begin"],
        );
        check(percent, "10", &["a valid percent string"]);
        check(wildcard_subdomain, "*.a.b", &[]);
        check(path_segment, "a/b%", &["may not contain '/'", "may not contain '%'"]);
    }
}
