//! Predictions: the learner answers before looking, and is told by how much it was off.

use serde_json::Value;

use super::{Grade, Miss};
use crate::manifest::yaml;

/// One question, and the truth as a run showed it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The key in the learner's file.
    pub key: &'static str,
    /// The question, as a sentence.
    pub question: &'static str,
    /// What the run showed.
    pub truth: Value,
    /// What a learner who answers otherwise has probably missed.
    pub why: &'static str,
}

/// Grades a file of answers, a YAML map from key to answer.
///
/// Answers compare as data, texts without regard to case; a key that is missing, `null` or `?` is a
/// question not answered yet.
pub fn grade_answers(content: &str, answers: &[Answer]) -> Grade {
    let given = match read(content) {
        Ok(given) => given,
        Err(problem) => return Grade::unreadable(problem),
    };
    let mut grade = Grade::default();
    for answer in answers {
        let found = given.get(answer.key).unwrap_or(&Value::Null);
        let miss = (!agree(found, &answer.truth)).then(|| Miss {
            wanted: shown(&answer.truth),
            found: match is_open(found) {
                true => "no answer yet".into(),
                false => shown(found),
            },
            first: String::new(),
            why: answer.why.into(),
        });
        grade.goal(answer.question, miss.map(|miss| hide_truth(miss, found)));
    }
    grade
}

/// Who has not answered yet is not told.
fn hide_truth(miss: Miss, found: &Value) -> Miss {
    match is_open(found) {
        true => Miss { wanted: "your prediction".into(), why: String::new(), ..miss },
        false => miss,
    }
}

fn read(content: &str) -> Result<Value, String> {
    let documents = yaml::documents("exercise.yaml", content).map_err(|error| error.to_string())?;
    let document = documents.into_iter().next().map(|document| document.value);
    document.filter(Value::is_object).ok_or_else(|| "no map of answers".into())
}

fn is_open(value: &Value) -> bool {
    value.is_null() || value == "?"
}

fn agree(found: &Value, truth: &Value) -> bool {
    match (found, truth) {
        (Value::String(found), Value::String(truth)) => found.eq_ignore_ascii_case(truth),
        (Value::Array(found), Value::Array(truth)) => {
            found.len() == truth.len() && found.iter().zip(truth).all(|(f, t)| agree(f, t))
        }
        _ => found == truth,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grade(content: &str) -> Grade {
        let answers = [
            Answer { key: "who", question: "Who?", truth: json!("alice"), why: "look left" },
            Answer { key: "when", question: "When?", truth: json!([1, 2]), why: "look right" },
        ];
        grade_answers(content, &answers)
    }

    #[test]
    fn right_answers_meet_their_goals_whatever_their_case() {
        assert!(grade("who: Alice\nwhen: [1, 2]\n").is_met());
    }

    #[test]
    fn a_wrong_answer_is_shown_beside_the_truth() {
        let miss = grade("who: bob\nwhen: [1, 2]\n").goals[0].miss.clone().unwrap();
        assert_eq!((miss.wanted.as_str(), miss.found.as_str()), ("alice", "bob"));
        assert_eq!(miss.why, "look left");
    }

    #[test]
    fn who_has_not_answered_is_not_told_the_truth() {
        let reasons = grade("who: '?'\n").reasons();
        assert!(!reasons.contains("alice") && reasons.contains("no answer yet"), "{reasons}");
    }

    #[test]
    fn a_file_that_is_no_map_is_refused() {
        assert!(!grade("[1]").is_met() && !grade("a: [").is_met() && !grade("").is_met());
    }
}
