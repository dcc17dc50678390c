//! How a run is drawn: width, glyphs, colours.

use anstyle::{AnsiColor, Effects, Style};

use crate::trace::Lane;

/// How a timeline is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Columns of the terminal; lines that are longer are wrapped. At least 60 are used.
    pub width: usize,
    /// Which characters the picture is made of.
    pub glyphs: Glyphs,
    /// Whether to write ANSI colours.
    pub colour: bool,
    /// Whether to show what is folded away otherwise: quiet cycles, reads, dry runs, status writes.
    pub everything: bool,
    /// Whether columns are as wide as they may ever need to be, not as what is shown needs: for a run that
    /// is drawn while it goes on.
    pub steady: bool,
}

/// Which characters a picture is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Boxes, dots and arrows that every font of a terminal has (WGL4).
    #[default]
    Unicode,
    /// ASCII alone.
    Ascii,
}

impl Default for Options {
    /// 100 columns, no colours, noise folded.
    fn default() -> Self {
        Options {
            width: 100,
            glyphs: Glyphs::Unicode,
            colour: false,
            everything: false,
            steady: false,
        }
    }
}

/// A piece of text in one tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// What a piece of text is, and so how it is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Faint,
    Strong,
    Good,
    Bad,
    Fault,
    Hash,
    Lane(Lane),
}

/// What stands on a rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Event,
    Quiet,
    Drift,
    Heal,
    Failed,
}

impl Span {
    pub(super) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Span { text: text.into(), tone }
    }

    pub(super) fn plain(text: impl Into<String>) -> Self {
        Span::new(Tone::Plain, text)
    }

    pub(super) fn faint(text: impl Into<String>) -> Self {
        Span::new(Tone::Faint, text)
    }

    /// Columns it takes: a character, a column.
    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl Options {
    /// A text in its tone, if there are colours.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let style = tone.style();
        if !self.colour || style == Style::new() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }

    /// The mark on a rail, in its colour.
    pub(super) fn mark(&self, mark: Mark, lane: Lane) -> String {
        let (unicode, ascii, tone) = match mark {
            Mark::Event => ("●", "*", Tone::Lane(lane)),
            Mark::Quiet => ("○", "o", Tone::Faint),
            Mark::Drift => ("◆", "#", Tone::Bad),
            Mark::Heal => ("◆", "#", Tone::Good),
            Mark::Failed => ("×", "x", Tone::Bad),
        };
        self.paint(tone, self.pick(unicode, ascii))
    }

    /// One of two drawings.
    pub(super) fn pick<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        match self.glyphs {
            Glyphs::Unicode => unicode,
            Glyphs::Ascii => ascii,
        }
    }

    /// A text with the characters of the picture, put into ASCII if asked.
    pub(super) fn spell(&self, text: &str) -> String {
        const ASCII: [(char, &str); 7] =
            [('→', "->"), ('←', "<-"), ('↑', "^"), ('…', "~"), ('×', "x"), ('·', "-"), ('—', "-")];
        match self.glyphs {
            Glyphs::Unicode => text.to_owned(),
            Glyphs::Ascii => ASCII
                .iter()
                .fold(text.to_owned(), |text, (unicode, ascii)| text.replace(*unicode, ascii)),
        }
    }

    pub(super) fn spelled(&self, spans: &[Span]) -> Vec<Span> {
        spans.iter().map(|span| Span::new(span.tone, self.spell(&span.text))).collect()
    }
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Tone::Plain => Style::new(),
            Tone::Faint => Style::new().effects(Effects::DIMMED),
            Tone::Strong => Style::new().bold(),
            Tone::Good => colour(AnsiColor::Green).bold(),
            Tone::Bad => colour(AnsiColor::Red).bold(),
            Tone::Fault => colour(AnsiColor::Red),
            Tone::Hash => colour(AnsiColor::Yellow),
            Tone::Lane(Lane::Git) => colour(AnsiColor::Yellow),
            Tone::Lane(Lane::Controller) => colour(AnsiColor::Cyan),
            Tone::Lane(Lane::Api) => colour(AnsiColor::Blue),
            Tone::Lane(Lane::Workloads) => colour(AnsiColor::Magenta),
        }
    }
}
