//! Text that has to fit.

/// A text in at most so many columns.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { format!("{kept}…") }
}

/// A text in lines of at most so many columns, broken between words where that can be.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + rest.len() > width {
            lines.push(String::new());
            length = 0;
        }
        while !rest.is_empty() {
            let room = width.saturating_sub(length + usize::from(length > 0));
            if room == 0 {
                lines.push(String::new());
                length = 0;
                continue;
            }
            let part: Vec<_> = rest.drain(..rest.len().min(room)).collect();
            if let Some(line) = lines.last_mut() {
                if length > 0 {
                    line.push(' ');
                    length += 1;
                }
                line.extend(&part);
                length += part.len();
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(shortened("listener", 8), "listener");
        assert_eq!(shortened("listener", 7), "listen…");
        assert_eq!((shortened("ab", 1), shortened("ab", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn lines_are_broken_between_words_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("a b", 0), ["a", "b"]);
    }
}
