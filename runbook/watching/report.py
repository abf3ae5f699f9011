"""The report: one HTML file from the history, without outside resources. Pure, but for reading the history.

Plots are pygal's, as SVG in the page, without its scripts; their colours are the page's own, so that they
follow light and dark. Each plot has its numbers beside it as a table, for whoever does not see it.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

from runbook.settings import Settings
from runbook.terminal import counted
from runbook.watching.history import clean
from runbook.watching.past import Canary, Incident, Past, Points, by_hour

TITLE = "Snowpipe {target}"
ROWS = 40  # of a table beside a plot
HOUR = timedelta(hours=1)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # nothing is fetched, nothing runs
POINTS = 400  # of a line: more is no more to see

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --faint: #d4d9df; --paper: #ffffff; --card: #f5f7f9;
  --one: #0b62b8; --two: #b04a00; --good: #12692f; --bad: #b3141d; --soft: #4d5763; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebef; --faint: #3c444d; --paper: #14181c;
  --card: #1d2329; --one: #78b7f5; --two: #f0a868; --good: #6fd08c; --bad: #ff8f8a; --soft: #aab4be; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; }
.state { padding: .75rem 1rem; border-left: .4rem solid var(--soft); background: var(--card); }
.healthy { border-color: var(--good); } .broken { border-color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--faint); vertical-align: top; }
td.number, th.number, thead th { overflow-wrap: normal; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; background: var(--card); padding: .5rem; }
figcaption { font-weight: 600; } .plot { overflow-x: auto; }
.plot svg { width: 100%; min-width: 34rem; height: auto; display: block; }
details { margin-top: .25rem; } summary { cursor: pointer; color: var(--soft); }
code { font-family: ui-monospace, monospace; font-size: .9em; }
.key { color: var(--soft); font-weight: normal; }
.scroll th[scope=row] { min-width: 9rem; }
@media print { .plot svg, .scroll th[scope=row] { min-width: 0; } th, td { padding: .2rem .35rem; }
  td.number, th.number, thead th { white-space: normal; }
  body { max-width: none; font-size: 10pt; } details { display: none; }
  figure, tr { break-inside: avoid; } :root { --paper: #fff; --ink: #000; --card: #fff; --faint: #ccc; } }
"""


def page(past: Past, settings: Settings, now: datetime, canaries: Sequence[Canary] = ()) -> str:
    """The whole page. Raises ModuleNotFoundError where pygal is not installed."""
    title = TITLE.format(target=settings.target)
    parts = [
        f"<h1>{_text(title)}</h1>",
        _state(past, now),
        _causes(past, now),
        _numbers(past, settings),
        _plots(past, settings, now),
        _bad_rows(past, settings),
        _canaries(canaries),
        _foot(past, now),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>"
    )


def _text(value: object) -> str:
    return escape(str(clean(str(value))))


def _at(moment: datetime) -> str:
    return f'<time datetime="{moment.isoformat()}">{moment:%Y-%m-%d %H:%M} UTC</time>'


WORDS = {
    "healthy": "All is well.",
    "broken": "Something is broken.",
    "unknown": "Some checks could not tell.",
}


def _state(past: Past, now: datetime) -> str:
    last = past.last()
    if last is None:
        return '<p class="state">Nothing was watched yet: <code>invoke watch --once</code>.</p>'
    at, verdict, summary = last
    lasting = [each for each in past.incidents() if each.ended is None]
    said = WORDS.get(verdict, verdict)
    if lasting:
        said = f"{counted(len(lasting), 'cause')} not over."
    streams = "; ".join(f"{name}: {word}" for name, word in summary.get("words", {}).items())
    old = "" if now - at < timedelta(hours=1) else f" That is {_hours(now - at)} ago: is anybody watching?"
    return (
        f'<p class="state {_text(verdict)}" role="status"><strong>{_text(said)}</strong> '
        f"Last look {_at(at)}.{_text(old)}<br>{_text(streams)}</p>"
    )


def _hours(span: timedelta) -> str:
    if span < timedelta(hours=1):
        return counted(max(1, round(span / timedelta(minutes=1))), "minute")
    return counted(max(1, round(span / timedelta(hours=1))), "hour")


def _causes(past: Past, now: datetime) -> str:
    found = past.incidents()
    if not found:
        return "<h2>What was wrong</h2>\n<p>Nothing was found wrong in this time.</p>"
    rows = "\n".join(_incident(each, now) for each in found)
    return (
        '<h2>What was wrong</h2>\n<div class="scroll" tabindex="0" role="region" aria-label="What was wrong">'
        '<table><thead><tr><th scope="col">since</th><th scope="col">lasted</th>'
        '<th scope="col">cause</th><th scope="col">to do</th></tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _incident(each: Incident, now: datetime) -> str:
    lasted = _hours((each.ended or now) - each.since) + ("" if each.ended else ", and lasts")
    where = f" ({', '.join(each.cause.streams)})" if each.cause.streams else ""
    remedy = each.cause.remedy if each.ended is None else "over"
    return (
        f"<tr><td>{_at(each.since)}</td><td>{_text(lasted)}</td>"
        f'<td>{_text(each.cause.why)}<br><span class="key">{_text(each.cause.key + where)}</span></td>'
        f"<td>{_text(remedy)}</td></tr>"
    )


def _numbers(past: Past, settings: Settings) -> str:
    rows = [past.trend(stream.name).as_row() for stream in settings.streams]
    table = _section("In numbers", list(rows[0]), [[_grouped(each) for each in row.values()] for row in rows])
    first = [at for stream in settings.streams if (at := past.counted_from(stream.name))]
    if not first or min(first) < past.since + HOUR:
        return table
    return f"{table}\n<p>Rows are counted from the first look on, {_at(min(first))}.</p>"


NUMBER = ' class="number"'


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


Series = Sequence[tuple[str, Points]]


def _plots(past: Past, settings: Settings, now: datetime) -> str:
    names = [stream.name for stream in settings.streams]
    hours = 1 if now - past.since <= timedelta(days=4) else 6

    def each(read: Callable[[str], Points]) -> Series:
        return [(name, read(name)) for name in names]

    def arrived(name: str) -> Points:
        files = [(at, float(count)) for at, count, _ in past.arrivals(name)]
        return by_hour(files, past.since, now, hours)

    def rows(name: str) -> Points:
        grown, first = past.grown(name), past.counted_from(name)
        return by_hour(grown, max(past.since, first), now, hours) if grown and first else []

    def lag(name: str) -> Points:
        found = past.points(name, "newest_row_timestamp_seconds")
        return [(at, max(0.0, (at.timestamp() - value) / 3600)) for at, value in found]

    def minutes(name: str) -> Points:
        return [(at, value / 60) for at, value in past.points(name, "load_latency_seconds")]

    unit = "hour" if hours == 1 else f"{hours} hours"
    plots: list[tuple[str, Series]] = [
        (f"Files that arrived, by {unit}", each(arrived)),
        (f"Rows that were loaded, by {unit}", each(rows)),
        ("Hours since the last load", each(lag)),
        ("Minutes from a file's arrival to its rows", each(minutes)),
        ("Files that wait to be loaded", each(lambda name: past.points(name, "pending_files"))),
        ("Files that failed, and that no history knows", [*_failures(past, names)]),
    ]
    return "<h2>Over time</h2>\n" + "\n".join(_figure(title, series) for title, series in plots)


def _bad_rows(past: Past, settings: Settings) -> str:
    """Bad rows by kind and schema, as deep rounds counted them."""
    found = []
    for stream in settings.streams:
        for name, last, most in past.bad_rows(stream.name):
            found.append((f"{stream.name}: {name}", f"{last:,.0f}", f"{most:,.0f}"))
    if not found:
        return ""
    head = ("kind, and the schema named in it", "the last day", "the most of a day")
    return _section("Bad rows by kind and schema", head, found)


HOPS = ("put", "event", "forwarded", "loaded", "row-visible")


def _canaries(canaries: Sequence[Canary]) -> str:
    """The last canaries, by hop."""
    rows = []
    for each in canaries:
        sent = f"{each.stream}, {each.at:%Y-%m-%d %H:%M} UTC"
        reached = [f"{each.hops[hop]:.1f}" if hop in each.hops else "" for hop in HOPS]
        stopped = f"\nIt went no further: {each.problem}" if each.problem else ""
        rows.append((sent + stopped, *reached))
    head = ("sent", *HOPS)
    return _section("Canaries: seconds to each hop", head, rows) if rows else ""


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A heading and a table: words first (a second line is a remark), then numbers."""
    first, *others = head
    tops = f'<th scope="col">{_text(first)}</th>' + "".join(
        f'<th scope="col"{NUMBER}>{_text(each)}</th>' for each in others
    )
    lines = []
    for name, *values in rows:
        cells = "".join(f"<td{NUMBER}>{_text(value)}</td>" for value in values)
        said, _, remark = name.partition("\n")
        more = f'<br><span class="key">{_text(remark)}</span>' if remark else ""
        lines.append(f'<tr><th scope="row">{_text(said)}{more}</th>{cells}</tr>')
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(title)}">'
    return (
        f"<h2>{_text(title)}</h2>\n{region}"
        f"<table><thead><tr>{tops}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _failures(past: Past, names: Sequence[str]) -> Series:
    kinds = (("failed", "failed_files"), ("missing", "missing_files"))
    return [(f"{name} {word}", past.points(name, figure)) for name in names for word, figure in kinds]


def _figure(title: str, series: Series) -> str:
    full = [(name, points) for name, points in series if points]
    if not any(value for _, points in full for _, value in points):
        what = "zero all the time" if full else "not known yet"
        return f"<figure><figcaption>{_text(title)}</figcaption><p>{what}</p></figure>"
    return (
        f"<figure><figcaption>{_text(title)}</figcaption>"
        f'<div class="plot" tabindex="0" role="region" aria-label="{_text(title)}">{_svg(title, full)}</div>'
        f"<details><summary>The same in numbers</summary>{_table(title, full)}</details></figure>"
    )


def _pygal() -> Any:
    """The library, without the finder that it puts before everybody's imports, which warns of each."""
    before = list(sys.meta_path)
    import pygal
    import pygal.style

    sys.meta_path[:] = before
    return pygal


def _svg(title: str, series: Series) -> str:
    pygal = _pygal()
    style = pygal.style.Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--faint)",
        colors=("var(--one)", "var(--two)", "var(--good)", "var(--bad)"),
        font_family="inherit",
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=14,
        guide_stroke_color="var(--faint)",
        major_guide_stroke_color="var(--faint)",
        guide_stroke_dasharray="1,0",
        major_guide_stroke_dasharray="1,0",
    )
    chart = pygal.DateTimeLine(
        js=[],
        style=style,
        width=760,
        height=260,
        show_dots=False,
        fill=False,
        legend_at_bottom=True,
        truncate_legend=-1,
        range=(0, None),
        include_x_axis=True,
        max_scale=5,
        stroke_style={"width": 2},
        margin_bottom=0,
        x_value_formatter=lambda at: f"{at:%m-%d}" if not at.hour else f"{at:%H:%M}",
    )
    chart.x_labels = _days([at for _, points in series for at, _ in points])
    for name, points in series:
        chart.add(name, [(at.astimezone(UTC), value) for at, value in _thinned(points)])
    tree = chart.render_tree()
    _without_scripts(tree)
    tree.set("role", "img")
    tree.set("aria-label", f"{title}: {', '.join(name for name, _ in series)}")
    return ET.tostring(tree, encoding="unicode")


def _days(times: Sequence[datetime]) -> list[datetime]:
    """Some midnights for the axis, eight at most; of a shorter time some hours."""
    begin, end = min(times), max(times)
    hours = next(
        each
        for each in (1, 3, 6, 24, 48, 96, 24 * 7, 24 * 28)
        if end - begin <= each * 8 * HOUR or each == 672
    )
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    every = [midnight + number * hours * HOUR for number in range(24 * 28)]
    return [at for at in every if begin <= at <= end] or [begin]


def _thinned(points: Points) -> Points:
    """Of many points the highest of each few: what stands out stays."""
    few = max(1, -(-len(points) // POINTS))
    groups = [points[at : at + few] for at in range(0, len(points), few)]
    return [max(group, key=lambda point: point[1]) for group in groups]


def _without_scripts(tree: ET.Element) -> None:
    for parent in tree.iter():
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                parent.remove(child)


def _table(title: str, series: Series) -> str:
    head = "".join(f'<th scope="col" class="number">{_text(name)}</th>' for name, _ in series)
    times = sorted({at for _, points in series for at, _ in points})[-ROWS:]
    known = [dict(points) for _, points in series]
    lines = []
    for at in times:
        cells = "".join(f"<td{NUMBER}>{f'{row[at]:,.1f}' if at in row else ''}</td>" for row in known)
        lines.append(f'<tr><th scope="row">{at:%Y-%m-%d %H:%M}</th>{cells}</tr>')
    caption = f"<caption>{_text(title)}, the last {len(times)} values</caption>"
    top = f'<thead><tr><th scope="col">UTC</th>{head}</tr></thead>'
    return f"<table>{caption}{top}<tbody>{''.join(lines)}</tbody></table>"


def _foot(past: Past, now: datetime) -> str:
    rounds = past.rounds()
    told = ", ".join(f"{count} {word}" for word, count in sorted(rounds.items())) or "none"
    return (
        f"<h2>Of what</h2>\n<p>Made {_at(now)} from the history of <code>invoke watch</code> since "
        f"{_at(past.since)}; rounds: {_text(told)}. Nothing was asked for it.</p>"
    )
