//! Variable substitution: `${var}` with the functions of a shell, as `fluxcd/pkg/envsubst` evaluates it.
//!
//! `$$` stands for a dollar sign. In strict mode, Flux's default since 1.9, a variable that is not set is
//! an error unless the expression gives a default.

mod function;
mod parse;

use std::collections::BTreeMap;

use function::apply;
use parse::{Node, parse};

/// Why a text could not be substituted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubstituteError {
    /// The text has an expression that is none.
    #[error("bad substitution")]
    BadSubstitution,
    /// The braces of an expression do not close.
    #[error("missing closing brace")]
    MissingClosingBrace,
    /// An expression does not begin with a variable's name.
    #[error("unable to parse variable name")]
    VariableName,
    /// An expression within an expression is none.
    #[error("unable to parse substitution within function")]
    WithinFunction,
    /// An expression begins like a default and is none.
    #[error("unable to parse default function")]
    DefaultFunction,
    /// Expressions are nested deeper than [`MAX_DEPTH`].
    #[error("substitutions are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// Strict mode: a variable is not set and the expression gives no default.
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
    /// A variable's name is not one of a shell variable.
    #[error("'{0}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'")]
    InvalidName(String),
}

/// How deep expressions may be nested.
pub const MAX_DEPTH: usize = 64;

/// Substitutes the variables of a text.
///
/// ```
/// use driftlab::engine::substitute::substitute;
/// let vars = [("who".to_owned(), "world".to_owned())].into_iter().collect();
/// assert_eq!(substitute("hello ${who} at ${where:=home}, $${who}", &vars, true).unwrap(), "hello world at home, ${who}");
/// assert!(substitute("${nobody}", &vars, true).is_err());
/// ```
///
/// # Errors
///
/// When an expression is malformed, a name in `variables` is none of a shell variable, or, in strict mode,
/// a variable is neither set nor given a default.
pub fn substitute(
    text: &str,
    variables: &BTreeMap<String, String>,
    strict: bool,
) -> Result<String, SubstituteError> {
    if let Some(bad) = variables.keys().find(|name| !is_name(name)) {
        return Err(SubstituteError::InvalidName(bad.clone()));
    }
    let mut out = String::with_capacity(text.len());
    for node in parse(text)? {
        evaluate(&node, variables, strict, &mut out)?;
    }
    Ok(out)
}

fn evaluate(
    node: &Node,
    variables: &BTreeMap<String, String>,
    strict: bool,
    out: &mut String,
) -> Result<(), SubstituteError> {
    let (name, function, arguments) = match node {
        Node::Text(text) => {
            out.push_str(text);
            return Ok(());
        }
        Node::Function { variable, function, arguments } => (variable, function, arguments),
    };
    let mut evaluated = Vec::with_capacity(arguments.len());
    for argument in arguments {
        let mut text = String::new();
        evaluate(argument, variables, strict, &mut text)?;
        evaluated.push(text);
    }
    let value = variables.get(name);
    if value.is_none() && strict && !gives_default(function) {
        return Err(SubstituteError::NotSet(name.clone()));
    }
    out.push_str(&apply(function, value.map_or("", String::as_str), &evaluated));
    Ok(())
}

fn gives_default(function: &str) -> bool {
    matches!(function, "-" | "+" | "=" | "?" | ":-" | ":+" | ":=" | ":?")
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && chars.all(|c| c == '_' || c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("a", "abc/def"), ("empty", ""), ("n", "3"), ("path", "file.tar.gz")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into()
    }

    #[test]
    fn expressions_are_evaluated_as_envsubst_does() {
        let check = |text: &str, expected: &str| {
            assert_eq!(substitute(text, &variables(), false).unwrap(), expected, "{text}")
        };
        check("", "");
        check("no variables, $ and $a", "no variables, $ and $a");
        check("${a}", "abc/def");
        check("x${a}y${n}z", "xabc/defy3z");
        check("$${a}", "${a}");
        check("$$", "$");
        check("$$$${a}", "$${a}");
        check("${none}", "");
        check("${none:-x}", "x");
        check("${none:=x y}", "x y");
        check("${none=x}", "x");
        check("${a:-x}", "abc/def");
        check("${empty:-x}", "x");
        check("${none:-${n}}", "3");
        check("${none:-a${n}b}", "a3b");
        check("${#a}", "7");
        check("${a^}", "Abc/def");
        check("${a^^}", "ABC/DEF");
        check("${a,,}", "abc/def");
        check("${a:1}", "bc/def");
        check("${a:1:2}", "bc");
        check("${a:-3}", "abc/def");
        check("${a/b/x}", "axc/def");
        check("${a//e/x}", "abc/dxf");
        check("${path%.*}", "file.tar");
        check("${path%%.*}", "file");
        check("${path#*.}", "tar.gz");
        check("${path##*.}", "gz");
    }

    #[test]
    fn a_variable_that_is_not_set_is_an_error_in_strict_mode_unless_there_is_a_default() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let found = substitute(text, &variables(), true).map_err(|e| e.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        };
        check("${none}", Err("variable not set (strict mode): \"none\""));
        check("${#none}", Err("variable not set (strict mode): \"none\""));
        check("${none:=x}", Ok("x"));
        check("${empty}", Ok(""));
    }

    #[test]
    fn malformed_expressions_are_refused() {
        for text in ["${", "${a", "${}", "${a b}", "${-}", "${a:=x"] {
            assert!(substitute(text, &variables(), false).is_err(), "{text}");
        }
        let deep = format!("{}x{}", "${a:-".repeat(100_000), "}".repeat(100_000));
        assert_eq!(substitute(&deep, &variables(), false), Err(SubstituteError::TooDeep));
    }

    #[test]
    fn names_that_no_shell_allows_are_refused() {
        let bad = [("a-b".to_owned(), String::new())].into();
        assert_eq!(substitute("x", &bad, false), Err(SubstituteError::InvalidName("a-b".into())));
    }
}
