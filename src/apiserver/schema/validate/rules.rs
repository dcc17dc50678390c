//! The rules that a field of the table may name.

use serde_json::Value;

use super::names;
use super::report::{Node, Report};
use super::{cron, selectors};

/// A rule of one field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// It must be set; with a sentence that says so.
    Required(Box<str>),
    /// It is one of these.
    OneOf(Vec<Box<str>>),
    /// The rules that follow are those of each item.
    Each,
    /// A number of at least this.
    AtLeast(i64),
    /// A number above zero.
    Positive,
    /// A number between two, both included.
    Range(i64, i64),
    /// A port number.
    Port,
    /// The name of a port.
    PortName,
    /// The number or the name of a port.
    PortOrNumber,
    /// An RFC 1123 label.
    Label,
    /// An RFC 1123 subdomain.
    Subdomain,
    /// A name that can stand in a path.
    Segment,
    /// Labels.
    Labels,
    /// The metadata of a template.
    Template,
    /// A label selector.
    Selector,
    /// The key of a label.
    LabelKey,
    /// The key of a label, in any case.
    LabelKeyAnyCase,
    /// The value of a label.
    LabelValue,
    /// The key of a ConfigMap or Secret.
    ConfigKey,
    /// The name of an environment variable.
    EnvName,
    /// The name of an HTTP header.
    Header,
    /// A number that is not negative, or a percentage.
    Percent,
    /// A percentage of at most 100.
    AtMostAll,
    /// A user or group id.
    Id,
    /// The mode of a file.
    Mode,
    /// An IP address.
    Ip,
    /// A range of IP addresses.
    Cidr,
    /// A path that stays below where it starts.
    LocalPath,
    /// A path from the root.
    AbsolutePath,
    /// A schedule of cron.
    Cron,
    /// A time zone.
    TimeZone,
    /// A domain, a slash and a path.
    DomainPath,
    /// A domain of three parts.
    FullyQualified,
}

impl Rule {
    /// The rules that an attribute of the table lists.
    pub(in crate::apiserver::schema) fn parse_all(text: &str) -> Vec<Rule> {
        text.split(',').map(Rule::parse).collect()
    }

    fn parse(text: &str) -> Rule {
        let (name, argument) = text.split_once(':').unwrap_or((text, ""));
        let number = |text: &str| text.parse().expect("a limit is a number");
        match name {
            "required" => Rule::Required(argument.replace('_', " ").replace(';', ",").into()),
            "enum" => Rule::OneOf(argument.split('|').map(Box::from).collect()),
            "each" => Rule::Each,
            "nonnegative" => Rule::AtLeast(0),
            "atleast" => Rule::AtLeast(number(argument)),
            "positive" => Rule::Positive,
            "range" => {
                let (low, high) = argument.split_once('-').expect("a range has two ends");
                Rule::Range(number(low), number(high))
            }
            "port" => Rule::Port,
            "portname" => Rule::PortName,
            "portornumber" => Rule::PortOrNumber,
            "label" => Rule::Label,
            "subdomain" => Rule::Subdomain,
            "segment" => Rule::Segment,
            "labels" => Rule::Labels,
            "template" => Rule::Template,
            "selector" => Rule::Selector,
            "labelkey" => Rule::LabelKey,
            "labelkeylower" => Rule::LabelKeyAnyCase,
            "labelvalue" => Rule::LabelValue,
            "configkey" => Rule::ConfigKey,
            "envname" => Rule::EnvName,
            "header" => Rule::Header,
            "percent" => Rule::Percent,
            "most" => Rule::AtMostAll,
            "id" => Rule::Id,
            "mode" => Rule::Mode,
            "ip" => Rule::Ip,
            "cidr" => Rule::Cidr,
            "localpath" => Rule::LocalPath,
            "absolute" => Rule::AbsolutePath,
            "cron" => Rule::Cron,
            "timezone" => Rule::TimeZone,
            "controllername" => Rule::DomainPath,
            "webhookname" => Rule::FullyQualified,
            _ => panic!("the table names an unknown rule {text}"),
        }
    }
}

/// Applies the rules of a field to what stands there.
pub(super) fn apply(rules: &[Rule], node: &Node, report: &mut Report) {
    let (first, rest) = match rules.split_first() {
        None => return,
        Some(split) => split,
    };
    match first {
        Rule::Required(detail) if node.is_zero() => report.required(node, detail),
        Rule::Required(_) => apply(rest, node, report),
        Rule::Each => node.items().for_each(|item| apply(rest, &item, report)),
        // What is not set breaks no other rule.
        _ if !node.is_set() => {}
        rule => {
            check(rule, node, report);
            apply(rest, node, report);
        }
    }
}

fn check(rule: &Rule, node: &Node, report: &mut Report) {
    match rule {
        Rule::OneOf(allowed) => {
            if !allowed.iter().any(|allowed| **allowed == *node.text()) {
                report.unsupported(node, allowed);
            }
        }
        Rule::AtLeast(_)
        | Rule::Positive
        | Rule::Range(..)
        | Rule::Port
        | Rule::Id
        | Rule::Mode => check_number(rule, node, report),
        Rule::PortOrNumber if node.int().is_some() => check_number(&Rule::Port, node, report),
        Rule::Percent | Rule::AtMostAll => check_percent(rule, node, report),
        Rule::Labels => selectors::check_labels(node, report),
        Rule::Selector => selectors::check_selector(node, report),
        Rule::Template => {
            selectors::check_labels(&node.at("labels"), report);
            selectors::check_annotations(&node.at("annotations"), report);
        }
        text => report.invalid_each(node, problems(text, node.text())),
    }
}

fn check_number(rule: &Rule, node: &Node, report: &mut Report) {
    let Some(number) = node.int() else { return };
    let between = |low: i64, high: i64| {
        let out = !(low..=high).contains(&number);
        out.then(|| format!("must be between {low} and {high}, inclusive"))
    };
    let problem = match *rule {
        Rule::AtLeast(least) => {
            (number < least).then(|| format!("must be greater than or equal to {least}"))
        }
        Rule::Positive => (number <= 0).then(|| "must be greater than 0".into()),
        Rule::Range(low, high) => between(low, high),
        Rule::Port => between(1, 65535),
        Rule::Id => between(0, 2_147_483_647),
        _ => (!(0..=0o777).contains(&number))
            .then(|| "must be a number between 0 and 0777 (octal), both inclusive".into()),
    };
    report.invalid_each(node, problem.into_iter().collect());
}

fn check_percent(rule: &Rule, node: &Node, report: &mut Report) {
    match (rule, node.value) {
        (Rule::Percent, Value::String(text)) => report.invalid_each(node, names::percent(text)),
        (Rule::Percent, _) => check_number(&Rule::AtLeast(0), node, report),
        (_, Value::String(text))
            if names::percent(text).is_empty() && int_or_percent(node.value) > 100 =>
        {
            report.invalid(node, "must not be greater than 100%");
        }
        _ => {}
    }
}

/// The number, or that before the `%`.
pub(super) fn int_or_percent(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.trim_end_matches('%').parse().unwrap_or(0),
        other => other.as_i64().unwrap_or(0),
    }
}

fn problems(rule: &Rule, text: &str) -> Vec<String> {
    let unless = |good: bool, sentence: &str| {
        if good { Vec::new() } else { vec![sentence.to_string()] }
    };
    // An empty name is no name.
    let named = |format: fn(&str) -> Vec<String>| {
        if text.is_empty() { Vec::new() } else { format(text) }
    };
    match rule {
        Rule::PortName | Rule::PortOrNumber => names::port_name(text),
        Rule::Label => named(names::dns_label),
        Rule::Subdomain => named(names::subdomain),
        Rule::Segment => names::path_segment(text),
        Rule::LabelKey => named(names::label_key),
        Rule::LabelKeyAnyCase => names::label_key(&text.to_ascii_lowercase()),
        Rule::LabelValue => names::label_value(text),
        Rule::ConfigKey => names::config_key(text),
        Rule::EnvName => named(names::env_name),
        Rule::Header => names::header_name(text),
        Rule::Ip => {
            unless(is_ip(text), "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        }
        Rule::Cidr => {
            unless(is_cidr(text), "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")
        }
        Rule::LocalPath if text.starts_with('/') => vec!["must be a relative path".into()],
        Rule::LocalPath => {
            let back = text.split('/').any(|part| part == "..");
            unless(!back, "must not contain '..'")
        }
        Rule::AbsolutePath => unless(text.starts_with('/'), "must be an absolute path"),
        Rule::Cron => cron::problem(text).into_iter().collect(),
        Rule::TimeZone => cron::zone_problem(text).into_iter().collect(),
        Rule::DomainPath => names::domain_prefixed_path(text),
        Rule::FullyQualified => names::fully_qualified(text),
        _ => unreachable!("{rule:?} is no rule of texts"),
    }
}

/// An address of either family.
pub(super) fn is_ip(text: &str) -> bool {
    text.parse::<core::net::IpAddr>().is_ok()
}

/// A range of addresses of either family.
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(core::net::IpAddr::V4(_)) => 32,
        Ok(core::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}
