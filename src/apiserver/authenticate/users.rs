//! Users by token.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::api::Caller;

/// Users and their tokens: kube-apiserver's `--token-auth-file`.
///
/// One user a line: token, name, uid and, if wanted, groups, separated by commas; several groups in
/// quotes.
///
/// ```
/// let users: driftlab::apiserver::Users = "s3cret,alice,u1,\"dev,ops\"".parse().unwrap();
/// let (token, alice) = users.iter().next().unwrap();
/// assert_eq!((token, alice.user.as_str()), ("s3cret", "alice"));
/// assert_eq!(alice.groups, ["dev", "ops", "system:authenticated"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users(BTreeMap<String, Caller>);

impl Users {
    /// One user alone: `admin` of `system:masters`, who may do everything.
    pub fn admin(token: &str) -> Self {
        let mut users = Users::default();
        users.add_admin(token);
        users
    }

    /// Adds `admin` of `system:masters`, who may do everything.
    pub fn add_admin(&mut self, token: &str) {
        let groups = vec!["system:masters".into()];
        self.add(token, Caller { uid: "admin".into(), groups, ..Caller::new("admin", "") });
    }

    /// Adds a user, who is `system:authenticated` besides.
    pub fn add(&mut self, token: &str, mut user: Caller) {
        let all = "system:authenticated".to_owned();
        if !user.groups.contains(&all) {
            user.groups.push(all);
        }
        self.0.insert(token.into(), user);
    }

    /// Whose token it is.
    pub fn find(&self, token: &str) -> Option<&Caller> {
        self.0.get(token)
    }

    /// Every token and its user, ordered by token.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Caller)> {
        self.0.iter().map(|(token, user)| (token.as_str(), user))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Users {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut users = Users::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |why: &str| {
                format!("line {}: {why}; expected token,user,uid[,\"group,group\"]", number + 1)
            };
            let values = values(line).map_err(wrong)?;
            let [token, user, uid, groups @ ..] = values.as_slice() else {
                return Err(wrong("less than three values"));
            };
            if token.is_empty() || user.is_empty() {
                return Err(wrong("an empty token or user"));
            }
            if users.find(token).is_some() {
                return Err(wrong("a token that somebody has already"));
            }
            let groups = groups.iter().flat_map(|groups| groups.split(','));
            let groups = groups.map(|g| g.trim().to_owned()).filter(|group| !group.is_empty());
            let caller =
                Caller { uid: uid.clone(), groups: groups.collect(), ..Caller::new(user, "") };
            users.add(token, caller);
        }
        Ok(users)
    }
}

/// The values of a line, separated by commas; quotes hold a value with commas, a doubled one is a quote.
/// (RFC 4180.)
fn values(line: &str) -> Result<Vec<String>, &'static str> {
    let (mut values, mut rest) = (Vec::new(), line.trim());
    loop {
        let (value, next) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        values.push(value);
        match next.trim_start().strip_prefix(',') {
            Some(more) => rest = more,
            None if next.trim().is_empty() => return Ok(values),
            None => return Err("something behind a quoted value"),
        }
    }
}

/// The value up to the closing quote, and what follows that.
fn quoted_value(text: &str) -> Result<(String, &str), &'static str> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let end = rest.find('"').ok_or("a quote that is not closed")?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Ok((value, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_user_with_groups_in_quotes() {
        let check = |text: &str, user: &str, uid: &str, groups: &[&str]| {
            let users: Users = text.parse().unwrap();
            let found = users.find("t").unwrap();
            assert_eq!((found.user.as_str(), found.uid.as_str()), (user, uid), "{text}");
            assert_eq!(found.groups, groups, "{text}");
        };
        check("t,bob,1", "bob", "1", &["system:authenticated"]);
        check("\n t , bob , 1 ,ops\n\n", "bob", "1", &["ops", "system:authenticated"]);
        check("t,bob,,\"a, b\"", "bob", "", &["a", "b", "system:authenticated"]);
        check("t,\"b\"\"o,b\",1,", "b\"o,b", "1", &["system:authenticated"]);
    }

    #[test]
    fn a_line_that_is_no_user_is_named() {
        let check = |text: &str, why: &str| {
            let told = text.parse::<Users>().unwrap_err();
            assert!(told.starts_with(why), "{told}");
        };
        check("t,bob,1\nt,bob", "line 2: less than three values");
        check(",bob,1", "line 1: an empty token or user");
        check("t,bob,1,\"a", "line 1: a quote that is not closed");
        check("t,bob,1,\"a\"b", "line 1: something behind a quoted value");
        check("t,bob,1\nt,eve,2", "line 2: a token that somebody has already");
    }
}
