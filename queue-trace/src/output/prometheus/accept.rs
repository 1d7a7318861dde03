//! What a reader accepts.

use super::Format;

/// The format of the highest quality; OpenMetrics where both are as good, because only who can read it
/// names it.
pub(super) fn choose(accept: &str) -> Format {
    let (mut open, mut text) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0_f32, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if matches!(version, None | Some("1.0.0")) => {
                open = quality.max(open);
            }
            "text/plain" | "text/*" | "*/*" => text = quality.max(text),
            _ => {}
        }
    }
    if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_of_what_is_accepted() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;\
                          version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        let cases = [
            (prometheus, Format::OpenMetrics),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.4", Format::Text),
            ("text/html,*/*;q=0.8", Format::Text),
            ("application/openmetrics-text; version=2.0.0", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=0.3, text/plain", Format::Text),
            ("Application/OpenMetrics-Text", Format::OpenMetrics),
            ("", Format::Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::negotiate(Some(accept)), expected, "{accept}");
        }
        assert_eq!(Format::negotiate(None), Format::Text);
    }
}
