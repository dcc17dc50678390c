//! The commands that people type: read before anything runs, then run on a world.

mod flags;
pub(crate) mod flux;
pub(crate) mod gh;
pub(crate) mod git;
pub(crate) mod kubectl;
mod terminal;
mod words;

pub(crate) use terminal::{Answer, Desk, Output, Terminal, Waiting};
pub(crate) use words::{Line, Word, lines};

use super::mistake::Mistake;

/// A command, as read.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Kubectl(kubectl::Kubectl),
    Git(git::Git),
    Flux(flux::Flux),
    Gh(gh::Gh),
}

/// A command, and the line it was typed as.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) line: String,
    pub(crate) command: Command,
}

const TOOLS: [&str; 4] = ["kubectl", "git", "flux", "gh"];

/// Reads the commands of a text; a mistake knows its line and column in it.
pub(crate) fn parse(text: &str) -> Result<Vec<Typed>, Mistake> {
    lines(text)?.iter().map(parse_line).collect()
}

fn parse_line(line: &Line) -> Result<Typed, Mistake> {
    let (tool, words) = line.words.split_first().expect("lines without words are left out");
    let command = match tool.text.as_str() {
        "kubectl" | "k" => Command::Kubectl(kubectl::parse(tool, words)?),
        "git" => Command::Git(git::parse(tool, words)?),
        "flux" => Command::Flux(flux::parse(tool, words)?),
        "gh" => Command::Gh(gh::parse(tool, words)?),
        other => {
            return Err(tool
                .mistake(format!("{other}: command not found"))
                .expected(format!("expected one of: {}", TOOLS.join(", ")))
                .did_you_mean(other, TOOLS));
        }
    };
    Ok(Typed { line: line.text.clone(), command })
}

/// Runs a command.
pub(crate) fn run(terminal: &mut Terminal<'_>, command: &Command) -> Answer {
    match command {
        Command::Kubectl(command) => kubectl::run(terminal, command),
        Command::Git(command) => git::run(terminal, command).into(),
        Command::Flux(command) => flux::run(terminal, command),
        Command::Gh(command) => gh::run(terminal, command).into(),
    }
}
