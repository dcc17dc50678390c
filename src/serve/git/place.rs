//! What a URL asks for.

use http::{Method, StatusCode, Uri};

use super::Refused;

/// Where the repositories are.
pub(in crate::serve) const PREFIX: &str = "/git/";

/// Where a repository is, below the address of a server.
pub(in crate::serve) fn url(server: &str, name: &str) -> String {
    format!("{server}{PREFIX}{name}.git")
}

/// What is asked of which repository.
pub(super) struct Place<'u> {
    pub(super) name: &'u str,
    pub(super) step: Step,
}

/// One of the requests that a fetch or push is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    AdvertiseFetch,
    AdvertisePush,
    Fetch,
    Push,
}

impl<'u> Place<'u> {
    pub(super) fn of(method: &Method, uri: &'u Uri) -> Result<Self, Refused> {
        let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let steps = [
            ("/info/refs", None),
            ("/git-upload-pack", Some(Step::Fetch)),
            ("/git-receive-pack", Some(Step::Push)),
        ];
        let found = steps.into_iter().find_map(|(end, step)| Some((path.strip_suffix(end)?, step)));
        let Some((name, step)) = found else {
            let said = format!("nothing is here; try `git clone` with {PREFIX}NAME.git");
            return Err(Refused::new(StatusCode::NOT_FOUND, said));
        };
        let (step, wanted) = match step {
            Some(step) => (step, Method::POST),
            None => (Step::advertised(uri.query().unwrap_or_default())?, Method::GET),
        };
        if *method != wanted {
            let said = format!("this is asked for with {wanted}");
            return Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, said));
        }
        let name = name.strip_suffix(".git").unwrap_or(name);
        check(name)?;
        Ok(Place { name, step })
    }
}

impl Step {
    fn advertised(query: &str) -> Result<Self, Refused> {
        match query.split('&').find_map(|pair| pair.strip_prefix("service=")) {
            Some("git-upload-pack") => Ok(Step::AdvertiseFetch),
            Some("git-receive-pack") => Ok(Step::AdvertisePush),
            Some(other) => {
                let said =
                    format!("service {other:?} is none of git-upload-pack, git-receive-pack");
                Err(Refused::new(StatusCode::FORBIDDEN, said))
            }
            None => Err(Refused::new(StatusCode::FORBIDDEN, "Please upgrade your git client.")),
        }
    }

    pub(super) fn answer_type(self) -> &'static str {
        match self {
            Step::AdvertiseFetch => "application/x-git-upload-pack-advertisement",
            Step::AdvertisePush => "application/x-git-receive-pack-advertisement",
            Step::Fetch => "application/x-git-upload-pack-result",
            Step::Push => "application/x-git-receive-pack-result",
        }
    }

    /// What a request of that kind is declared to be; for those that have a body.
    pub(super) fn request_type(self) -> &'static str {
        match self {
            Step::Fetch | Step::AdvertiseFetch => "application/x-git-upload-pack-request",
            Step::Push | Step::AdvertisePush => "application/x-git-receive-pack-request",
        }
    }
}

/// Checks a name that may be that of a repository in folders: `acme/config`.
fn check(name: &str) -> Result<(), Refused> {
    const LONGEST: usize = 200;
    let is_part = |part: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(is_good)
    };
    match name.len() <= LONGEST && name.split('/').all(is_part) {
        true => Ok(()),
        false => {
            let said = format!(
                "{name:?} is no name of a repository: letters, digits, '-', '_' and '.', not first"
            );
            Err(Refused::new(StatusCode::BAD_REQUEST, said))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        let check = |path: &str, expected: Result<&str, u16>| {
            let uri = format!("/git/{path}/info/refs?service=git-upload-pack").parse().unwrap();
            let found = Place::of(&Method::GET, &uri);
            let found = found.map(|place| place.name.to_owned());
            let expected = expected.map(str::to_owned);
            assert_eq!(found.map_err(|refused| refused.status.as_u16()), expected, "{path}");
        };
        check("config.git", Ok("config"));
        check("config", Ok("config"));
        check("acme/config.git", Ok("acme/config"));
        for bad in ["../x.git", "a/../b.git", ".git", "", "a//b", "a%2fb", "a%00", ".hidden.git"] {
            check(bad, Err(400));
        }
    }
}
