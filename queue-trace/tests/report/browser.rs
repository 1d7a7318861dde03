//! What a browser makes of a report, on a phone and on a desk, light and dark, and on paper.

use std::path::Path;
use std::process::Command;

use super::page as report;

/// Widths of phones, of a tablet and of a desk.
const WIDTHS: [u32; 4] = [320, 390, 720, 1280];
/// What Blink calls dark and light.
const SCHEMES: [u32; 2] = [DARK, LIGHT];
const DARK: u32 = 0;
const LIGHT: u32 = 1;
/// Paper between its margins, 19 cm at 96 dots to the inch.
const PAPER: u32 = 718;
/// More time than this a page does not get, milliseconds.
const TIMEOUT: &str = "--timeout=5000";

/// Says how wide the page is, what is wider than it, and what is hard to tell from what is behind it: text below
/// 4.5 and marks of charts below 3, as WCAG 2 counts contrast. Marks that are meant to be faint must not vanish, and
/// the grid may be fainter. A script of ours, which the page itself would not let run.
const MEASURE: &str = "<script>
const style = (element) => getComputedStyle(element);
const width = document.documentElement.clientWidth;
const inside = (element) => element.parentElement && (
  style(element.parentElement).overflowX == 'auto' || inside(element.parentElement));
const all = [...document.querySelectorAll('body *')].filter((element) => element.tagName != 'SCRIPT');
const out = all.filter((element) =>
  element.getBoundingClientRect().right > width + 0.5 && !inside(element) && !element.closest('svg'));
const shown = [...document.querySelectorAll('svg')].filter((svg) => svg.getBoundingClientRect().width > 0);

const colour = (text) => text.match(/[0-9.]+/g).map(Number);
const behind = (element) => {
  const own = colour(style(element).backgroundColor);
  return own[3] === 0 ? behind(element.parentElement) : own;
};
const linear = (part) => part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
const contrast = (a, b) => Math.max(light(a) / light(b), light(b) / light(a));
const faint = [];
const demand = (least, element, front, back) => {
  const found = contrast(front, back);
  if (!(found >= least)) faint.push(`${found.toFixed(2)} ${element.outerHTML.slice(0, 80)}`);
};
const words = (element) => [...element.childNodes].some((node) => node.nodeType == 3 && node.data.trim());
for (const element of all.filter((element) => !element.closest('svg') && words(element))) {
  demand(4.5, element, colour(style(element).color), behind(element));
}
const marks = shown.map((svg) => [...svg.querySelectorAll('polyline, polygon, rect, circle, text')]
  .filter((mark) => !mark.outerHTML.includes('var(--line)')));
for (const mark of marks.flat()) {
  const { fill, stroke, opacity } = style(mark);
  const front = colour(fill == 'none' ? stroke : fill);
  const back = behind(mark.closest('figure'));
  const mixed = back.map((part, n) => part + (front[n] - part) * opacity);
  demand(mark.tagName == 'text' ? 4.5 : opacity < 1 ? 1.3 : 3, mark, mixed, back);
}
const plain = shown.every((svg) => svg.getBoundingClientRect().width > 0.8 * width || width > 1000);
document.body.textContent = `measured ${width} ${document.documentElement.scrollWidth} ${shown.length} ${plain} ` +
  `${marks.every((marks) => marks.length > 3)} ${colour(style(document.body).backgroundColor)[0] > 127} ` +
  `[${out.map((element) => element.outerHTML.slice(0, 80))}] [${faint}]`;
</script>";

struct Browser<'a> {
    program: &'a Path,
    folder: tempfile::TempDir,
}

impl<'a> Browser<'a> {
    fn new(program: &'a Path) -> Self {
        Self { program, folder: tempfile::tempdir().unwrap() }
    }

    /// Opens a page; what it says on its outputs.
    fn open(&self, page: &str, width: u32, scheme: u32, more: &[&str]) -> (String, String) {
        let file = self.folder.path().join("page.html");
        std::fs::write(&file, page).unwrap();
        let output = Command::new(self.program)
            .args(["--no-sandbox", "--disable-gpu", "--disable-background-networking", TIMEOUT])
            .args(["--dump-dom", "--hide-scrollbars", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", self.folder.path().join("profile").display()))
            .arg(format!("--window-size={width},1000"))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .args(more)
            .arg(format!("file://{}", file.display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let [out, err] = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (out, err)
    }
}

pub(crate) fn everything_is_to_be_seen(program: &Path) {
    let browser = Browser::new(program);
    let page = report(&[]);
    let (before, after) = page.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let (_, after) = after.split_once('>').unwrap();
    let page = format!("{before}{}", after.replace("</body>", &format!("{MEASURE}</body>")));
    let charts = page.matches("<svg").count() / 2;
    let measure = |page: &str, width: u32, scheme: u32, light: bool| {
        let (dom, _) = browser.open(page, width, scheme, &[]);
        let expected = format!("measured {width} {width} {charts} true true {light} [] []");
        let (_, measured) = dom.split_once("<body>").unwrap();
        assert!(measured.starts_with(&expected), "{scheme}: {expected}, but {measured}");
    };
    // What holds for paper, shown on a screen.
    let printed =
        page.replace("@media screen", "@media speech").replace("@media print", "@media all");
    assert!(printed.contains("@media speech") && printed.contains("@media all"));
    for scheme in SCHEMES {
        for width in WIDTHS {
            measure(&page, width, scheme, scheme == LIGHT);
        }
        measure(&printed, PAPER, scheme, true);
    }
}

pub(crate) fn loads_nothing(program: &Path) {
    let browser = Browser::new(program);
    let page = report(&[]);
    let log = browser.folder.path().join("net.json");
    let logged = format!("--log-net-log={}", log.display());
    for (width, scheme) in WIDTHS.iter().flat_map(|width| SCHEMES.map(|scheme| (*width, scheme))) {
        let (dom, errors) = browser.open(&page, width, scheme, &[&logged]);
        assert!(dom.contains("What happened"), "{dom}");
        assert!(!errors.contains("CONSOLE"), "{errors}");
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("constants"), "not a log of the network");
        for (place, _) in log.match_indices("\"url\":\"") {
            let url: String = log[place + 7..].chars().take(60).collect();
            assert!(["file:", "data:", "about:"].iter().any(|own| url.starts_with(own)), "{url}");
        }
    }
}
