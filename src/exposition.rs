//! The text writer: Prometheus text 0.0.4 and OpenMetrics 1.0, from values straight to bytes.

use std::borrow::Cow;
use std::ops::ControlFlow;

use ems_protocol::{Timestamp, Wall};

/// The two formats of a metrics page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Prometheus text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Style {
    /// The Content-Type of a page in this style.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Only goes up; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// The word in a `# TYPE` line.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// Everything about one metric in one place: what it is, where it comes from, and its samples,
/// read from a table of type `T`.
pub struct Metric<T: 'static> {
    /// The whole name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The text of its HELP line: its meaning, and the event that it comes from.
    pub help: &'static str,
    /// Its labels beside `server`.
    pub labels: &'static [&'static str],
    /// An example query in PromQL.
    pub query: &'static str,
    /// Writes the samples of one server.
    pub samples: fn(&T, &mut Samples<'_>),
}

/// The size of the pieces in which a page is passed on, in bytes.
pub const PIECE: usize = 128 << 10;

/// A page that is being written.
#[derive(Debug)]
pub struct Page {
    out: Vec<u8>,
    style: Style,
    wall: Wall,
    series: u64,
}

impl Page {
    /// An empty page, whose times are by this wall clock.
    pub const fn new(style: Style, wall: Wall) -> Self {
        Self { out: Vec::new(), style, wall, series: 0 }
    }

    /// How many samples have been written.
    pub const fn series(&self) -> u64 {
        self.series
    }

    /// Starts a metric: its HELP and TYPE lines.
    pub fn describe(&mut self, name: &str, kind: Kind, help: &str) {
        // OpenMetrics names a counter's family without the suffix of its samples.
        let family = match (self.style, kind) {
            (Style::OpenMetrics, Kind::Counter) => name.strip_suffix("_total").unwrap_or(name),
            (Style::Prometheus | Style::OpenMetrics, _) => name,
        };
        for part in ["# HELP ", family, " "] {
            self.out.extend_from_slice(part.as_bytes());
        }
        let quote_escaped = self.style == Style::OpenMetrics;
        escape(&mut self.out, help, quote_escaped);
        for part in ["\n# TYPE ", family, " ", kind.word(), "\n"] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    /// The samples of one metric that share the label `server`, or none.
    pub fn samples<'p>(&'p mut self, name: &'p str, server: Option<&str>, now: Timestamp) -> Samples<'p> {
        let mut labels = Vec::new();
        if let Some(server) = server {
            labels.extend_from_slice(b"{server=\"");
            escape(&mut labels, server, true);
            labels.push(b'"');
        }
        Samples { page: self, name, labels, now }
    }

    /// Passes on the bytes so far, if they are enough for a piece of their own.
    pub fn take_piece<B>(&mut self, into: &mut impl FnMut(&[u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        if self.out.len() < PIECE { ControlFlow::Continue(()) } else { self.take(into) }
    }

    /// Passes on the bytes so far, leaving the page empty and its capacity in place.
    pub fn take<B>(&mut self, into: &mut impl FnMut(&[u8]) -> ControlFlow<B>) -> ControlFlow<B> {
        let flow = into(&self.out);
        self.out.clear();
        flow
    }

    /// Ends the page.
    pub fn finish(&mut self) {
        if self.style == Style::OpenMetrics {
            self.out.extend_from_slice(b"# EOF\n");
        }
    }
}

/// A sample's value, written in the shortest form that reads back the same.
#[derive(Debug, Clone, Copy)]
pub enum SampleValue {
    /// A count.
    Whole(u64),
    /// Anything else.
    Real(f64),
    /// A time of the steady clock.
    Time(Timestamp),
}

impl From<u64> for SampleValue {
    fn from(whole: u64) -> Self {
        Self::Whole(whole)
    }
}

impl From<usize> for SampleValue {
    fn from(whole: usize) -> Self {
        Self::Whole(whole as u64)
    }
}

impl From<u32> for SampleValue {
    fn from(whole: u32) -> Self {
        Self::Whole(u64::from(whole))
    }
}

impl From<bool> for SampleValue {
    fn from(truth: bool) -> Self {
        Self::Whole(u64::from(truth))
    }
}

impl From<f64> for SampleValue {
    fn from(real: f64) -> Self {
        Self::Real(real)
    }
}

impl From<Timestamp> for SampleValue {
    fn from(moment: Timestamp) -> Self {
        Self::Time(moment)
    }
}

/// Labels of one sample: names and values in the order in which they are to stand.
pub type Labels<'l> = &'l [(&'l str, &'l str)];

/// Where the samples of one metric and one server go.
#[derive(Debug)]
pub struct Samples<'p> {
    page: &'p mut Page,
    name: &'p str,
    /// How the labels of each sample begin: with that of the server, if there is one.
    labels: Vec<u8>,
    now: Timestamp,
}

impl Samples<'_> {
    /// The moment of the scrape.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// One sample.
    pub fn add(&mut self, labels: Labels<'_>, value: impl Into<SampleValue>) {
        self.line("", labels, None, value.into());
    }

    /// One sample, unless the value is unknown.
    pub fn add_known(&mut self, labels: Labels<'_>, value: Option<impl Into<SampleValue>>) {
        if let Some(value) = value {
            self.add(labels, value);
        }
    }

    /// A whole histogram: its buckets, sum and count.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) {
        let mut below = 0;
        let canonical = self.page.style == Style::OpenMetrics;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            below += count;
            let mut le = bound.to_string();
            if canonical && bound.fract() == 0.0 {
                le.push_str(".0");
            }
            self.line("_bucket", labels, Some(&le), SampleValue::Whole(below));
        }
        self.line("_bucket", labels, Some("+Inf"), SampleValue::Whole(histogram.count));
        self.line("_sum", labels, None, SampleValue::Real(histogram.sum));
        self.line("_count", labels, None, SampleValue::Whole(histogram.count));
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, le: Option<&str>, value: SampleValue) {
        let out = &mut self.page.out;
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
        out.extend_from_slice(&self.labels);
        let mut separator = if self.labels.is_empty() { b'{' } else { b',' };
        let mut label = |name: &str, value: &str| {
            out.push(separator);
            separator = b',';
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"=\"");
            escape(out, value, true);
            out.push(b'"');
        };
        for (name, value) in labels {
            label(name, value);
        }
        if let Some(le) = le {
            label("le", le);
        }
        out.extend_from_slice(if separator == b',' { b"} " } else { b" " });
        match value {
            SampleValue::Whole(whole) => out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes()),
            SampleValue::Real(real) => write_real(out, real),
            SampleValue::Time(at) => write_real(out, self.page.wall.seconds(at)),
        }
        out.push(b'\n');
        self.page.series += 1;
    }
}

fn write_real(out: &mut Vec<u8>, real: f64) {
    if real.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if real.is_infinite() {
        out.extend_from_slice(if real > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(real);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    }
}

/// Escapes a label value, or a HELP text where only OpenMetrics escapes quotes.
fn escape(out: &mut Vec<u8>, text: &str, quote: bool) {
    let mut rest = text.as_bytes();
    while let Some(found) = memchr::memchr3(b'\\', b'\n', b'"', rest) {
        out.extend_from_slice(&rest[..found]);
        match rest[found] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if !quote => out.push(b'"'),
            other => out.extend_from_slice(&[b'\\', other]),
        }
        rest = &rest[found + 1..];
    }
    out.extend_from_slice(rest);
}

/// Observations counted by upper bound.
#[derive(Debug, Clone)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Box<[u64]>,
    count: u64,
    sum: f64,
}

impl Histogram {
    /// No observation yet; `bounds` ascend and leave out `+Inf`.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()].into_boxed_slice(), count: 0, sum: 0.0 }
    }

    /// Counts `value`.
    pub fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum += value;
    }

    /// How many observations there were.
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// The longest label value, in bytes.
pub const LABEL_BYTES: usize = 128;

/// `text` as a label value of bounded length.
pub fn bounded(text: Cow<'_, str>) -> Cow<'_, str> {
    ems_protocol::shortened(text, LABEL_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(style, Wall::ahead(60));
        write(&mut page);
        page.finish();
        String::from_utf8(page.out).unwrap()
    }

    #[test]
    fn escapes_label_values_and_help() {
        let page = written(Style::Prometheus, |page| {
            page.describe("a", Kind::Gauge, "a \"b\"\\\nc");
            page.samples("a", Some("s"), Timestamp::default()).add(&[("stream", "x\"y\\z\n")], 1u64);
        });
        assert_eq!(
            page,
            "# HELP a a \"b\"\\\\\\nc\n# TYPE a gauge\na{server=\"s\",stream=\"x\\\"y\\\\z\\n\"} 1\n"
        );
    }

    #[test]
    fn openmetrics_names_counters_without_their_suffix_and_ends_with_eof() {
        let page = written(Style::OpenMetrics, |page| {
            page.describe("a_total", Kind::Counter, "help");
            page.samples("a_total", None, Timestamp::default()).add(&[], 2u64);
        });
        assert_eq!(page, "# HELP a help\n# TYPE a counter\na_total 2\n# EOF\n");
    }

    #[test]
    fn histograms_cumulate_and_have_canonical_bounds() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for value in [0.2, 0.5, 0.7, 5.0] {
            histogram.observe(value);
        }
        let page = written(Style::OpenMetrics, |page| {
            page.samples("h", None, Timestamp::default()).histogram(&[], &histogram);
        });
        assert_eq!(
            page,
            "h_bucket{le=\"0.5\"} 2\nh_bucket{le=\"1.0\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 6.4\nh_count 4\n# EOF\n"
        );
    }

    #[test]
    fn writes_values_in_their_shortest_form_and_times_by_the_wall_clock() {
        let page = written(Style::Prometheus, |page| {
            let mut samples = page.samples("a", None, Timestamp::from_millis(1_795_364_039_250));
            let now = samples.now();
            samples.add(&[], now);
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3.0, 0.1] {
                samples.add(&[], value);
            }
        });
        assert_eq!(page, "a 1795364099.25\na NaN\na +Inf\na -Inf\na 3\na 0.1\n");
    }

    #[test]
    fn long_names_stay_apart() {
        let (one, two) = ("é".repeat(90) + "1", "é".repeat(90) + "2");
        let (one, two) = (bounded(Cow::Owned(one)), bounded(Cow::Owned(two)));
        assert!(one.len() <= LABEL_BYTES && two.len() <= LABEL_BYTES);
        assert_ne!(one, two);
        assert_eq!(bounded(Cow::Borrowed("cam1")), "cam1");
    }
}
