//! What a grading says: of each goal whether it is met, and if not, by how much.

/// How an exercise was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grade {
    /// The goals in order.
    pub goals: Vec<Goal>,
}

/// One goal of an exercise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// What should hold, as a sentence.
    pub text: String,
    /// How it was missed; `None` when it was met.
    pub miss: Option<Miss>,
}

/// How a goal was missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Miss {
    /// What was wanted.
    pub wanted: String,
    /// What was found instead.
    pub found: String,
    /// The first moment at which they differed; empty when there is none.
    pub first: String,
    /// The mistake behind it, in words; empty when nothing is known of it.
    pub why: String,
}

impl Grade {
    /// The grade of a file that cannot be read at all.
    pub fn unreadable(text: impl Into<String>) -> Self {
        let miss = Miss {
            wanted: "a file that can be read".into(),
            found: text.into(),
            ..Miss::default()
        };
        Grade { goals: vec![Goal { text: "The file is well-formed.".into(), miss: Some(miss) }] }
    }

    /// Adds a goal: met when nothing is missed.
    pub fn goal(&mut self, text: &str, miss: Option<Miss>) -> &mut Self {
        self.goals.push(Goal { text: text.into(), miss });
        self
    }

    /// Adds a goal that two values agree; `why` names the mistake when they do not.
    pub fn equal<T: PartialEq + ToString>(
        &mut self,
        text: &str,
        wanted: T,
        found: T,
        why: &str,
    ) -> &mut Self {
        let miss = (wanted != found).then(|| Miss {
            wanted: wanted.to_string(),
            found: found.to_string(),
            first: String::new(),
            why: why.into(),
        });
        self.goal(text, miss)
    }

    /// Whether all goals are met.
    pub fn is_met(&self) -> bool {
        self.goals.iter().all(|goal| goal.miss.is_none())
    }

    /// The reasons of all goals missed, for tests that a wrong answer is told its mistake.
    pub fn reasons(&self) -> String {
        let misses = self.goals.iter().filter_map(|goal| goal.miss.as_ref());
        misses.map(|miss| format!("{} {} {}\n", miss.wanted, miss.found, miss.why)).collect()
    }
}
