//! The colours of charts, each a variable of the style sheet.

use plotters::style::RGBColor;

/// Text.
pub(super) const INK: RGBColor = RGBColor(1, 1, 1);
/// Axes and grid.
pub(super) const LINE: RGBColor = RGBColor(1, 1, 2);
/// The depth of the accept queue.
pub(super) const DEPTH: RGBColor = RGBColor(1, 1, 3);
/// Its limit.
pub(super) const LIMIT: RGBColor = RGBColor(1, 1, 4);
/// What was refused.
pub(super) const REFUSED: RGBColor = RGBColor(1, 1, 5);
/// What came.
pub(super) const CAME: RGBColor = RGBColor(1, 1, 6);
/// What was accepted.
pub(super) const ACCEPTED: RGBColor = RGBColor(1, 1, 7);
/// Waits.
pub(super) const WAIT: RGBColor = RGBColor(1, 1, 8);

/// Colours as the library writes them, and the names of their variables.
const VARIABLES: [(&str, &str); 8] = [
    ("\"#010101\"", "\"var(--ink)\""),
    ("\"#010102\"", "\"var(--line)\""),
    ("\"#010103\"", "\"var(--depth)\""),
    ("\"#010104\"", "\"var(--limit)\""),
    ("\"#010105\"", "\"var(--refused)\""),
    ("\"#010106\"", "\"var(--came)\""),
    ("\"#010107\"", "\"var(--accepted)\""),
    ("\"#010108\"", "\"var(--wait)\""),
];

/// The same drawing with variables for colours, and without what goes without saying.
pub(super) fn with_variables(drawing: &str) -> String {
    let bare = drawing.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    VARIABLES.iter().fold(bare, |drawing, (colour, variable)| drawing.replace(colour, variable))
}
