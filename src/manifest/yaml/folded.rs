//! Folded text, as kustomize reads it.
//!
//! kustomize writes an object out and reads it back, and its writer puts a line feed too many into folded
//! text (`>`) before lines that are indented more. The text that comes out is not the text that stands in
//! the file; Flux applies what comes out.

use super::write::may_be_block;

/// What a folded text has become after kustomize wrote it and read it back.
pub(super) fn written_back(text: &str) -> String {
    if !may_be_block(text) {
        return text.into();
    }
    let is_blank = |c: Option<char>| matches!(c, None | Some(' ' | '\t'));
    let adds = !is_blank(text.trim_start_matches('\n').chars().next());
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find('\n') {
        let (line, breaks) = rest.split_at(at);
        let run = breaks.len() - breaks.trim_start_matches('\n').len();
        rest = &breaks[run..];
        out.push_str(line);
        let kept = line.is_empty() || line.starts_with([' ', '\t']);
        let indented = rest.starts_with([' ', '\t']);
        let ends = rest.is_empty();
        let run = match (kept, adds) {
            (true, _) => run,
            (false, true) if indented || (ends && run > 1) => run + 1,
            (false, true) => run,
            (false, false) if indented || ends => run,
            (false, false) => run - 1,
        };
        out.extend(std::iter::repeat_n('\n', run));
        if run == 0 {
            out.push(' ');
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_feed_comes_in_before_lines_that_are_indented_more() {
        let check = |text: &str, back: &str| assert_eq!(written_back(text), back, "{text:?}");
        check("a b\nc", "a b\nc");
        check("a b\n  c\nd\ne\n\n  f\n\n\ng\n", "a b\n\n  c\nd\ne\n\n\n  f\n\n\ng\n");
        check("\na b\n  c\n  d", "\na b\n\n  c\n  d");
        check("a\n\tb\nc", "a\n\n\tb\nc");
        check("a\n", "a\n");
        check("a\n\n", "a\n\n\n");
        check("  a\nb c\nd\n", "  a\nb c d\n");
        check("a\n\nb\n \nc", "a\n\nb\n \nc");
    }
}
