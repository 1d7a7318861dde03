//! What is wrong with a configuration, in one line, with the nearest right name.

use std::ops::Range;

/// Not further from a name than this many letters in ten is taken for a slip.
const SLIP: usize = 4;

/// What the decoder said, in our words.
pub(super) fn explain(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    for (begin, what) in [("unknown field `", "key"), ("unknown variant `", "value")] {
        if let Some(rest) = message.strip_prefix(begin)
            && let Some((wrong, rest)) = rest.split_once('`')
        {
            // What is right stands in the rest, each name between two of these.
            let names: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
            return unknown(what, wrong, &names);
        }
    }
    message
}

fn unknown(what: &str, wrong: &str, names: &[&str]) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(wrong, name);
    let nearest = names.iter().min_by_key(|name| distance(name));
    match nearest.filter(|name| 10 * distance(name) <= SLIP * name.len()) {
        Some(name) => format!("there is no {what} `{wrong}`: did you mean `{name}`?"),
        None => format!("there is no {what} `{wrong}`: there are {}", names.join(", ")),
    }
}

/// The number of the line in which a range of a text begins.
pub(super) fn line(text: &str, range: Option<Range<usize>>) -> usize {
    let start = range.map_or(0, |range| range.start.min(text.len()));
    1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_inventions() {
        assert_eq!(
            explain("unknown field `intervall`, expected one of `interval`, `poll`"),
            "there is no key `intervall`: did you mean `interval`?"
        );
        assert_eq!(
            explain("unknown variant `ftrace`, expected `fentry` or `kprobe`"),
            "there is no value `ftrace`: there are fentry, kprobe"
        );
        assert_eq!(explain("invalid\n  type"), "invalid type");
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(line("a\nb\nc", Some(4..5)), 3);
        assert_eq!(line("a\nb", Some(0..1)), 1);
        assert_eq!(line("", None), 1);
    }
}
