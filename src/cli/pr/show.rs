//! Pull requests, for people.

use serde_json::Value;

/// A pull request as the server tells of it.
pub(super) struct Shown<'a>(pub(super) &'a Value);

impl Shown<'_> {
    /// It was opened just now.
    pub(super) fn opened(&self, name: &str) -> String {
        let (head, base) = (self.at(&["head", "ref"]), self.at(&["base", "ref"]));
        let title = self.title();
        format!("Opened pull request {title} in {name}: {head} into {base}\n{}", self.waits())
    }

    pub(super) fn reviewed(&self, event: &str) -> String {
        let done = match event {
            "APPROVE" => "Approved",
            "REQUEST_CHANGES" => "Requested changes to",
            _ => "Commented on",
        };
        format!("{done} pull request {}\n{}", self.title(), self.waits())
    }

    pub(super) fn merged(&self) -> String {
        let commit = self.at(&["merge_commit_sha"]);
        let commit: String = commit.chars().take(7).collect();
        let base = self.at(&["base", "ref"]);
        format!("Merged pull request {}: {base} is at {commit}\n", self.title())
    }

    pub(super) fn closed(&self) -> String {
        format!("Closed pull request {}\n", self.title())
    }

    /// All there is to say.
    pub(super) fn in_full(&self, reviews: &Value, checks: &Value) -> String {
        let (head, base) = (self.at(&["head", "ref"]), self.at(&["base", "ref"]));
        let author = self.at(&["user", "login"]);
        let mut told = format!(
            "{}\n{}: {author} asks to merge {head} into {base}\n",
            self.title(),
            self.state()
        );
        for review in reviews.as_array().into_iter().flatten() {
            told += &said(review);
        }
        for check in checks["statuses"].as_array().into_iter().flatten() {
            told += &checked(check);
        }
        told += &self.waits();
        let body = text(&self.0["body"], true);
        if !body.is_empty() {
            told += &format!("\n{}\n", body.trim_end());
        }
        told
    }

    /// `#1 Run five`.
    fn title(&self) -> String {
        format!("#{} {}", self.0["number"], text(&self.0["title"], false))
    }

    fn state(&self) -> String {
        match (self.0["merged"] == true, self.0["state"] == "open") {
            (true, _) => format!("Merged by {}", self.at(&["merged_by", "login"])),
            (_, true) => "Open".into(),
            _ => "Closed".into(),
        }
    }

    /// What an open one waits for.
    fn waits(&self) -> String {
        let texts = |field: &str| -> Vec<String> {
            self.0[field].as_array().into_iter().flatten().map(|item| text(item, false)).collect()
        };
        let (conflicts, objections) = (texts("conflicts"), texts("objections"));
        let mut told = String::new();
        if !conflicts.is_empty() {
            told += &format!(
                "In conflict with {}: {}\n",
                self.at(&["base", "ref"]),
                conflicts.join(", ")
            );
        }
        told.extend(objections.iter().map(|objection| format!("Waits: {objection}\n")));
        if self.0["mergeable_state"] == "clean" {
            told += "Can be merged\n";
        }
        told
    }

    fn at(&self, path: &[&str]) -> String {
        text(path.iter().fold(self.0, |value, key| &value[*key]), false)
    }
}

/// A table of pull requests.
pub(super) fn list(found: &Value, state: &str, name: &str) -> String {
    let rows: Vec<[String; 4]> = found.as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        let open = if state == "open" { " open" } else { "" };
        return format!("There are no{open} pull requests in {name}\n");
    }
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let cells = widths.iter().zip(row).map(|(width, cell)| format!("{cell:width$}  "));
        cells.collect::<String>() + &row[3] + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(pull: &Value) -> [String; 4] {
    let shown = Shown(pull);
    let branches = format!("{} -> {}", shown.at(&["head", "ref"]), shown.at(&["base", "ref"]));
    let number = format!("#{}", pull["number"]);
    let state = shown.state();
    let state = if state == "Open" { String::new() } else { format!("  {}", state.to_lowercase()) };
    let author = shown.at(&["user", "login"]) + &state;
    [number, text(&pull["title"], false), branches, author]
}

fn said(review: &Value) -> String {
    let author = text(&review["user"]["login"], false);
    let verdict = match review["state"].as_str() {
        Some("approved") => "approved",
        Some("changes_requested") => "requested changes",
        _ => "commented",
    };
    match text(&review["body"], false) {
        silent if silent.is_empty() => format!("{author} {verdict}\n"),
        body => format!("{author} {verdict}: {body}\n"),
    }
}

fn checked(check: &Value) -> String {
    let came_to = match check["state"].as_str() {
        Some("success") => "succeeded",
        Some("failure") => "failed",
        _ => "runs",
    };
    format!("check {} {came_to}\n", text(&check["context"], false))
}

/// A text without what would move a terminal's cursor.
fn text(value: &Value, lines: bool) -> String {
    let shown = |c: char| match c {
        '\n' if lines => '\n',
        c if c.is_control() => ' ',
        c => c,
    };
    value.as_str().unwrap_or_default().chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pull() -> Value {
        json!({
            "number": 1, "title": "Run \u{1b}[31mfive", "body": "Because.\r\nSo.\n", "state": "open",
            "merged": false, "user": {"login": "alice"},
            "head": {"ref": "five"}, "base": {"ref": "main"},
            "mergeable_state": "blocked", "conflicts": [], "objections": ["A review is required."],
        })
    }

    #[test]
    fn nothing_that_is_told_moves_the_cursor() {
        let reviews = json!([
            {"user": {"login": "bob"}, "state": "changes_requested", "body": "No,\nnot five."},
            {"user": {"login": "bob"}, "state": "approved", "body": ""},
        ]);
        let checks = json!({"statuses": [{"context": "test", "state": "success"}]});
        let told = Shown(&pull()).in_full(&reviews, &checks);
        let expected = "#1 Run  [31mfive\nOpen: alice asks to merge five into main\n\
                        bob requested changes: No, not five.\nbob approved\ncheck test succeeded\n\
                        Waits: A review is required.\n\nBecause. \nSo.\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_list_stands_in_columns() {
        let mut other = pull();
        other["number"] = 12.into();
        other["title"] = "Six".into();
        other["merged"] = true.into();
        other["merged_by"] = json!({"login": "bob"});
        let told = list(&json!([other, pull()]), "all", "config");
        let expected = "#12  Six            five -> main  alice  merged by bob\n\
                        #1   Run  [31mfive  five -> main  alice\n";
        assert_eq!(told, expected);
        assert_eq!(list(&json!([]), "open", "c"), "There are no open pull requests in c\n");
    }
}
