//! What people write into pull requests and reviews, and how much of it.
//!
//! The limits are GitHub's: 256 characters for a title, 65,536 for a body.

use super::{NewPull, PullError, Verdict};

const LONGEST_TITLE: usize = 256;
const LONGEST_BODY: usize = 65_536;

/// Checks what a pull request is opened with. Its title becomes the subject of a commit.
pub(super) fn check(new: &NewPull) -> Result<(), PullError> {
    if new.title.trim().is_empty() {
        return Err(wrong("title can't be blank"));
    }
    if new.title.contains(char::is_control) {
        return Err(wrong("title must be one line without control characters"));
    }
    no_longer_than("title", &new.title, LONGEST_TITLE)?;
    no_longer_than("body", &new.body, LONGEST_BODY)
}

/// Checks what a review says: an approval may go without words.
pub(super) fn check_review(verdict: Verdict, body: &str) -> Result<(), PullError> {
    let blank = match verdict {
        Verdict::Approve => None,
        Verdict::RequestChanges => Some("body can't be blank where changes are requested"),
        Verdict::Comment => Some("body can't be blank in a comment"),
    };
    match blank.filter(|_| body.trim().is_empty()) {
        Some(why) => Err(wrong(why)),
        None => no_longer_than("body", body, LONGEST_BODY),
    }
}

fn no_longer_than(what: &str, text: &str, longest: usize) -> Result<(), PullError> {
    match text.chars().nth(longest) {
        Some(_) => Err(wrong(&format!("{what} is too long (maximum is {longest} characters)"))),
        None => Ok(()),
    }
}

fn wrong(why: &str) -> PullError {
    PullError::Text(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_some_length() {
        let check = |title: &str, expected: &str| {
            let new = NewPull { title: title.into(), ..NewPull::default() };
            let found = check(&new).err().map_or(String::new(), |error| error.to_string());
            assert_eq!(found, expected, "{title:?}");
        };
        let one_line = "title must be one line without control characters";
        check("Run five", "");
        check(&"ü".repeat(256), "");
        check(" ", "title can't be blank");
        check("a\r\nb", one_line);
        check("a\u{1b}[31mb", one_line);
        check(&"ü".repeat(257), "title is too long (maximum is 256 characters)");
    }

    #[test]
    fn who_does_not_approve_says_why() {
        let check = |verdict: Verdict, body: &str, expected: bool| {
            assert_eq!(check_review(verdict, body).is_ok(), expected, "{verdict:?} {body:.9?}");
        };
        check(Verdict::Approve, "", true);
        check(Verdict::Comment, "\n", false);
        check(Verdict::RequestChanges, "", false);
        check(Verdict::RequestChanges, "Too many.", true);
        check(Verdict::Approve, &"x".repeat(65_537), false);
    }
}
