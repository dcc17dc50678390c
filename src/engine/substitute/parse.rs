//! Expressions within a text.

use std::iter::Peekable;
use std::str::Chars;

use super::{MAX_DEPTH, SubstituteError};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Stands as it is.
    Text(String),
    /// `${variable function arguments}`.
    Function {
        /// The variable's name.
        variable: String,
        /// The operator, such as `:-` or `//`; empty for none.
        function: &'static str,
        /// What the operator works with.
        arguments: Vec<Node>,
    },
}

/// Splits a text into what stands as it is and what is evaluated.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, SubstituteError> {
    let mut scanner = Scanner { chars: text.chars().peekable(), depth: 0 };
    let mut nodes = Vec::new();
    while scanner.chars.peek().is_some() {
        nodes.push(if scanner.opens() { scanner.expression()? } else { scanner.plain() });
    }
    Ok(nodes)
}

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
    depth: usize,
}

impl Scanner<'_> {
    /// Text up to the next expression; two dollar signs are one.
    fn plain(&mut self) -> Node {
        let mut text = String::new();
        while !self.opens()
            && let Some(c) = self.chars.next()
        {
            if c == '$' {
                self.chars.next_if_eq(&'$');
            }
            text.push(c);
        }
        Node::Text(text)
    }

    /// What stands after `${`, which is next.
    fn expression(&mut self) -> Result<Node, SubstituteError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SubstituteError::TooDeep);
        }
        self.chars.nth(1);
        let node = self.body();
        self.depth -= 1;
        node
    }

    fn body(&mut self) -> Result<Node, SubstituteError> {
        if self.chars.next_if_eq(&'#').is_some() {
            let variable = self.name().ok_or(SubstituteError::BadSubstitution)?;
            return self.close(variable, "#", Vec::new());
        }
        let variable = self.name().ok_or(SubstituteError::VariableName)?;
        match self.chars.peek() {
            Some(':') => self.default_or_part(variable),
            Some('=') => {
                self.chars.next();
                self.default(variable, "=")
            }
            Some(',' | '^') => self.casing(variable),
            Some('/') => self.replace(variable),
            Some('#') => self.remove(variable, '#', ["#", "##"]),
            Some('%') => self.remove(variable, '%', ["%", "%%"]),
            Some('}') => self.close(variable, "", Vec::new()),
            _ => Err(SubstituteError::MissingClosingBrace),
        }
    }

    fn default_or_part(&mut self, variable: String) -> Result<Node, SubstituteError> {
        self.chars.next();
        let operator = match self.chars.peek() {
            Some('-') => ":-",
            Some('=') => ":=",
            Some('+') => ":+",
            Some('?') => ":?",
            _ => return self.part(variable),
        };
        self.chars.next();
        self.default(variable, operator)
    }

    fn default(
        &mut self,
        variable: String,
        operator: &'static str,
    ) -> Result<Node, SubstituteError> {
        let mut arguments = Vec::new();
        while self.chars.peek() != Some(&'}') {
            arguments.push(self.argument(|c| c != '}', false)?);
        }
        self.close(variable, operator, arguments)
    }

    fn part(&mut self, variable: String) -> Result<Node, SubstituteError> {
        let mut arguments = vec![self.argument(|c| c != ':' && c != '}', false)?];
        if self.chars.peek() == Some(&':') {
            while self.chars.next_if_eq(&':').is_some() {}
            arguments.push(self.argument(|c| c != '}', false)?);
        }
        self.close(variable, ":", arguments)
    }

    fn casing(&mut self, variable: String) -> Result<Node, SubstituteError> {
        let mut operator = String::new();
        while operator.len() < 2
            && let Some(c) = self.chars.next_if(|c| matches!(c, ',' | '^'))
        {
            operator.push(c);
        }
        let known = [",", ",,", "^", "^^"].into_iter().find(|o| *o == operator);
        self.close(variable, known.unwrap_or(""), Vec::new())
    }

    fn remove(
        &mut self,
        variable: String,
        sign: char,
        operators: [&'static str; 2],
    ) -> Result<Node, SubstituteError> {
        self.chars.next();
        let longest = self.chars.next_if_eq(&sign).is_some();
        let argument = self.argument(|c| c != '}', false)?;
        self.close(variable, operators[usize::from(longest)], vec![argument])
    }

    fn replace(&mut self, variable: String) -> Result<Node, SubstituteError> {
        self.chars.next();
        let operator = match self.chars.peek() {
            Some('/') => "//",
            Some('#') => "/#",
            Some('%') => "/%",
            _ => "/",
        };
        if operator.len() == 2 {
            self.chars.next();
        }
        let mut arguments = vec![self.argument(|c| c != '/', true)?];
        if self.chars.next_if_eq(&'/').is_none() {
            return Err(SubstituteError::BadSubstitution);
        }
        while self.chars.next_if_eq(&'/').is_some() {}
        if self.chars.peek() != Some(&'}') {
            arguments.push(self.argument(|c| c != '}', true)?);
        }
        self.close(variable, operator, arguments)
    }

    /// One argument: an expression, or text of at least one character.
    fn argument(
        &mut self,
        accept: impl Fn(char) -> bool,
        escapes: bool,
    ) -> Result<Node, SubstituteError> {
        if self.opens() {
            return self.expression();
        }
        let mut text = String::new();
        while !self.opens()
            && let Some(c) = self.next_of_argument(&accept, escapes)
        {
            text.push(c);
        }
        if text.is_empty() { Err(SubstituteError::WithinFunction) } else { Ok(Node::Text(text)) }
    }

    fn next_of_argument(&mut self, accept: &impl Fn(char) -> bool, escapes: bool) -> Option<char> {
        if escapes {
            let mut ahead = self.chars.clone();
            let pair = (ahead.next()?, ahead.next());
            if let ('$', Some(c @ '$')) | ('\\', Some(c @ ('/' | '\\'))) = pair {
                self.chars.nth(1);
                return Some(c);
            }
        }
        self.chars.next_if(|c| accept(*c))
    }

    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
            name.push(c);
        }
        (!name.is_empty()).then_some(name)
    }

    fn close(
        &mut self,
        variable: String,
        function: &'static str,
        arguments: Vec<Node>,
    ) -> Result<Node, SubstituteError> {
        match self.chars.next() {
            Some('}') => Ok(Node::Function { variable, function, arguments }),
            _ => Err(SubstituteError::BadSubstitution),
        }
    }

    fn opens(&self) -> bool {
        let mut ahead = self.chars.clone();
        (ahead.next(), ahead.next()) == (Some('$'), Some('{'))
    }
}
