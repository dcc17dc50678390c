//! What is between the command and whoever reads it.

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::{Command, Stdio};

use driftlab::report::{Glyphs, Options};

use super::Mistake;

/// Prints a text. Colours are taken out again where they are not wanted (no terminal, `NO_COLOR`,
/// `TERM=dumb`). A reader that has seen enough, as `head` does, is no mistake.
pub(super) fn print(text: &str) -> Result<(), Mistake> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Mistake(format!("cannot write the output: {error}")))
        }
        _ => Ok(()),
    }
}

/// How to draw on this terminal.
pub(super) fn drawing() -> Options {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let dumb = variable("TERM") == "dumb";
    Options {
        width: variable("COLUMNS").parse().ok().or_else(width).unwrap_or(100),
        glyphs: if dumb { Glyphs::Ascii } else { Glyphs::Unicode },
        colour: true,
        everything: false,
        steady: false,
    }
}

/// The columns of the terminal, if it is one and `stty` knows it.
fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let terminal = std::fs::File::open("/dev/tty").ok()?;
    let mut stty = Command::new("stty");
    let asked = stty.arg("size").stdin(terminal).stderr(Stdio::null()).output().ok()?;
    let columns = String::from_utf8(asked.stdout).ok()?;
    columns.split_whitespace().nth(1)?.parse().ok().filter(|columns| *columns > 0)
}
