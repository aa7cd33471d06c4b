#!/usr/bin/env python3
"""Writes the Grafana dashboards beside this file, or into the folder that is its only argument.

The first half builds JSON of dashboards in general, the second half holds the five dashboards. Every query is written
there as it is sent, except for the matchers of the variables.
"""

import json
import pathlib
import sys

# --- Building dashboards -------------------------------------------------------------------------------------------

TAG = "ems-exporter"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24

# The matchers of the variables: of an exporter, of a media server, of its streams.
EXPORTER = 'job=~"$job", instance=~"$instance"'
SERVER = EXPORTER + ', server=~"$server"'
STREAM = SERVER + ', stream=~"$stream"'
OUTPUT = STREAM + ', format=~"$format"'

GREEN, ORANGE, RED, BLUE = "green", "orange", "red", "blue"


def of(metric, scope, *more):
    """A selector: a metric with the matchers of a scope and perhaps more."""
    return metric + "{" + ", ".join((scope, *more)) + "}"


def rate(metric, scope, *more):
    return f"rate({of(metric, scope, *more)}[$__rate_interval])"


def increase(metric, scope, *more):
    return f"increase({of(metric, scope, *more)}[$__rate_interval])"


def gained(metric, scope, *more):
    """Increase of a counter over the whole time range shown; the panel's description must say so."""
    return f"increase({of(metric, scope, *more)}[$__range])"


def age(metric, scope, *more):
    """How old a timestamp was when it was scraped. With `time()` the age of the scrape would be added, and a threshold
    that is shorter than the scrape interval would be exceeded by healthy outputs."""
    selector = of(metric, scope, *more)
    return f"(timestamp({selector}) - {selector})"


def by(labels, expression, how="sum"):
    return f"{how} by ({labels}) ({expression})"


def total(expression, how="sum"):
    return f"{how}({expression})"


def steps(*steps):
    """Thresholds: the first colour, then pairs of a value and the colour from there on."""
    first, *rest = steps
    return [{"color": first, "value": None}] + [{"color": color, "value": value} for value, color in rest]


BAD_FROM_1 = steps(GREEN, (1, RED))
RATIO = steps(GREEN, (0.67, ORANGE), (1, RED))
PLAIN = steps(BLUE)


def field(matcher, options, **properties):
    """An override of some fields; underscores in names of properties stand for dots."""
    properties = [{"id": name.replace("_", "."), "value": value} for name, value in properties.items()]
    return {"matcher": {"id": matcher, "options": options}, "properties": properties}


def named(name, **properties):
    return field("byName", name, **properties)


def dashed(pattern, color):
    """A series that is a limit: a dashed line without filling."""
    style = {"fill": "dash", "dash": [8, 6]}
    look = {"mode": "fixed", "fixedColor": color}
    return field("byRegexp", pattern, custom_lineStyle=style, custom_fillOpacity=0, color=look)


def panel(kind, title, description, queries, unit, none, size, options, **more):
    """`none` is the text of a panel without data; queries are pairs of a query and its legend."""
    targets = []
    for number, (expression, legend) in enumerate(queries):
        target = {
            "refId": chr(ord("A") + number),
            "datasource": DATASOURCE,
            "expr": expression,
            "legendFormat": legend,
            "editorMode": "code",
        }
        instant = kind == "table" or options.get("graphMode") == "none"
        target |= {"instant": instant, "range": not instant}
        target |= {"format": {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series")}
        targets.append(target)
    defaults = {"unit": unit, "noValue": none}
    for key in ("decimals", "min", "max", "mappings", "color", "custom"):
        if key in more:
            defaults[key] = more[key]
    defaults["thresholds"] = {"mode": "absolute", "steps": more.get("thresholds", PLAIN)}
    panel = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "pluginVersion": "10.0.0",
        "gridPos": {"w": size[0], "h": size[1]},
        "fieldConfig": {"defaults": defaults, "overrides": more.get("overrides", [])},
        "options": options,
        "targets": targets,
    }
    if "transformations" in more:
        panel["transformations"] = more["transformations"]
    return panel


def stat(title, description, expression, unit="short", none="none", legend="", name=False, w=3, **more):
    options = {
        "graphMode": more.pop("graph", "area"),
        "colorMode": "value",
        "justifyMode": "auto",
        "textMode": "name" if name else "value",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    more.setdefault("color", {"mode": "thresholds"})
    return panel("stat", title, description, [(expression, legend)], unit, none, (w, 4), options, **more)


def timeseries(title, description, *queries, unit="short", none="no data", w=8, h=8, stack=False, bars=False, **more):
    custom = {
        "drawStyle": "bars" if bars else "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 60 if bars else 20 if stack else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stack else "none", "group": "A"},
        "thresholdsStyle": {"mode": more.pop("lines", "off")},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    more.setdefault("color", {"mode": "palette-classic"})
    more.setdefault("min", 0)
    return panel("timeseries", title, description, queries, unit, none, (w, h), options, custom=custom, **more)


def state_timeline(title, description, *queries, none, w=24, h=8, **more):
    options = {
        "showValue": "never",
        "rowHeight": 0.8,
        "mergeValues": True,
        "alignValue": "left",
        "perPage": 20,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0}
    more.setdefault("color", {"mode": "thresholds"})
    return panel("state-timeline", title, description, queries, "short", none, (w, h), options, custom=custom, **more)


def heatmap(title, description, expression, unit, none, w=12, h=9):
    options = {
        "calculate": False,
        "color": {
            "mode": "scheme",
            "scheme": "Oranges",
            "fill": "dark-orange",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
        },
        "cellGap": 1,
        "filterValues": {"le": 1e-9},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
    }
    custom = {"scaleDistribution": {"type": "linear"}}
    return panel("heatmap", title, description, [(expression, "{{le}}")], unit, none, (w, h), options, custom=custom)


def table(title, description, labels, columns, none, sort, w=24, h=9, **more):
    """`labels` are pairs of a label and its heading; `columns` are triples of a heading, a query that keeps some of these
    labels, and what is special about the column. The heading "" hides either."""
    ref = (lambda number: f"Value #{chr(ord('A') + number)}") if len(columns) > 1 else lambda number: "Value"
    names = {label: heading for label, heading in labels if heading}
    names |= {ref(number): heading for number, (heading, _, _) in enumerate(columns) if heading}
    hidden = ["Time"] + [label for label, heading in labels if not heading]
    hidden += [ref(number) for number, (heading, _, _) in enumerate(columns) if not heading]
    organize = {
        "excludeByName": {name: True for name in hidden},
        "indexByName": {name: number for number, name in enumerate(names)},
        "renameByName": names,
    }
    options = {
        "frameIndex": 0,
        "showHeader": True,
        "cellHeight": "sm",
        "footer": {"show": False, "reducer": ["sum"], "countRows": False},
        "sortBy": [{"displayName": sort, "desc": True}],
    }
    overrides = [named(heading, **special) for heading, _, special in columns if special]
    queries = [(expression, heading or "labels") for heading, expression, _ in columns]
    return panel(
        "table",
        title,
        description,
        queries,
        "short",
        none,
        (w, h),
        options,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False},
        overrides=overrides + more.pop("overrides", []),
        transformations=[{"id": "merge", "options": {}}, {"id": "organize", "options": organize}],
        **more,
    )


def link(uid, title, **fields):
    """Properties of a column that leads to a dashboard, with variables set from fields of the row."""
    chosen = "".join(f"&var-{name}=${{__data.fields.{field}:percentencode}}" for name, field in fields.items())
    kept = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"
    return {"links": [{"title": title, "url": f"/d/{uid}?{kept}{chosen}&${{__url_time_range}}", "targetBlank": False}]}


def up_or(down, up="up"):
    """Shows 1 and 0 as words."""
    words = {"0": {"text": down, "color": RED, "index": 0}, "1": {"text": up, "color": GREEN, "index": 1}}
    return [{"type": "value", "options": words}]


COLORED = {"type": "color-background", "mode": "basic"}


def variable(name, label, query, hide=False):
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "hide": 2 if hide else 0,
        "regex": "",
        "current": everything,
        "options": [],
    }


def variables(stream, form):
    """A dashboard without panels by stream keeps the selection of streams in a hidden variable, so that links do not lose it."""
    streams = "ems_stream_up|ems_chunks_opened_total|ems_pull_failures_total"
    all_of_them = [
        {
            "type": "datasource",
            "name": "datasource",
            "label": "Data source",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
            "multi": False,
            "includeAll": False,
            "regex": "",
            "current": {"text": "default", "value": "default"},
            "options": [],
        },
        variable("job", "Job", "label_values(ems_exporter_build_info, job)"),
        variable("instance", "Instance", 'label_values(ems_exporter_build_info{job=~"$job"}, instance)'),
        variable("server", "Server", f"label_values({of('ems_up', EXPORTER)}, server)"),
        variable("stream", "Stream", f'label_values({{__name__=~"{streams}", {SERVER}}}, stream)', hide=not stream),
    ]
    if form:
        all_of_them.append(variable("format", "Format", f"label_values({of('ems_outputs', SERVER)}, format)"))
    return all_of_them


def annotation(name, expression, color, text):
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": color,
        "expr": expression,
        "step": "60s",
        "titleFormat": name,
        "textFormat": text,
        "tagKeys": "server",
        "useValueForTime": False,
    }


def dashboard(uid, title, description, rows, scope=SERVER, stream=False, form=False, annotations=()):
    """`rows` are pairs of a heading and panels, which fill line by line the whole width."""
    panels, y = [], 0
    for heading, content in rows:
        place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
        panels.append({"type": "row", "title": heading, "collapsed": False, "gridPos": place, "panels": []})
        x, y = 0, y + 1
        for one in content:
            one["gridPos"] |= {"x": x, "y": y}
            panels.append(one)
            x += one["gridPos"]["w"]
            assert x <= COLUMNS, f"{title}: {one['title']} stands out"
            if x == COLUMNS:
                x, y = 0, y + one["gridPos"]["h"]
        assert x == 0, f"{title}: {heading} does not fill its last line"
    for number, one in enumerate(panels):
        one["id"] = number + 1
    stalls = by("server, stream, format, group, track", increase("ems_chunk_stalls_total", scope)) + " > 0"
    restarts = by("server, instance", increase("ems_server_restarts_total", SERVER)) + " > 0"
    actions = by("server, rule", increase("ems_exporter_actions_total", SERVER, 'outcome="done"')) + " > 0"
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 38,
        "version": 1,
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "weekStart": "",
        "links": [
            {
                "title": "EMS dashboards",
                "type": "dashboards",
                "icon": "external link",
                "tooltip": "The other dashboards of the exporter, with the same selection of servers and streams",
                "url": "",
                "tags": [TAG],
                "asDropdown": False,
                "targetBlank": False,
                "includeVars": True,
                "keepTime": True,
            }
        ],
        "annotations": {
            "list": [
                annotation(
                    "Stall", stalls, RED, "{{stream}} {{format}} {{group}} {{track}} on {{server}} stopped writing"
                ),
                annotation("Restart", restarts, "purple", "{{server}} came back as a new process"),
                annotation("Action", actions, "blue", "the rule {{rule}} acted on {{server}}"),
                *annotations,
            ]
        },
        "templating": {"list": variables(stream, form)},
        "panels": panels,
    }


# --- What the dashboards share -------------------------------------------------------------------------------------

LAST_CHUNK = "ems_chunk_last_closed_timestamp_seconds"
THRESHOLD = "ems_chunk_stall_threshold_seconds"
TARGET = "ems_chunk_target_seconds"
# The labels of one track of one output.
TRACK = "job, instance, server, stream, format, group, track"
TRACK_NAME = "{{server}} {{stream}} {{format}} {{group}} {{track}}"
STALL = "An output is stalled when its last chunk is older than the exporter's own threshold: stall.factor times the larger of target and usual interval, at least stall.minimum."


def chunk_age(scope):
    return age(LAST_CHUNK, scope)


def nearness(scope):
    """Age of the last chunk in thresholds: from 1 on the output is stalled."""
    return f"{chunk_age(scope)} / {of(THRESHOLD, scope)}"


def stalled(scope):
    """1 for each track that is stalled, 0 for each other that is being written."""
    return f"({chunk_age(scope)} > bool {of(THRESHOLD, scope)})"


def pace(scope):
    """Chunks closed, as a share of the target rate. Only outputs that are open have a target."""
    return f"{rate('ems_chunks_closed_total', scope)} * {of(TARGET, scope)}"


def outputs_table(title, description, scope, none, most=None, to_stream=True, h=9):
    """Tracks with the age of their last chunk; `most` limits them to those nearest to a stall."""
    # Each column is limited to the same tracks.
    limit = f" and topk({most}, {nearness(scope)})" if most else ""
    labels = [(label, label.capitalize()) for label in ("server", "stream", "format", "group", "track")]
    columns = [
        (
            "Age / threshold",
            by(TRACK, nearness(scope) + limit, "max"),
            {
                "unit": "percentunit",
                "decimals": 0,
                "thresholds": {"mode": "absolute", "steps": RATIO},
                "custom_cellOptions": COLORED,
            },
        ),
        ("Age", by(TRACK, chunk_age(scope) + limit, "max"), {"unit": "s", "decimals": 1}),
        ("Threshold", by(TRACK, of(THRESHOLD, scope) + limit, "max"), {"unit": "s"}),
        ("Target", by(TRACK, of(TARGET, scope) + limit, "max"), {"unit": "s"}),
        (
            "Stalls",
            by(TRACK, f"({gained('ems_chunk_stalls_total', scope)}){limit}", "max"),
            {
                "decimals": 0,
                "thresholds": {"mode": "absolute", "steps": BAD_FROM_1},
                "custom_cellOptions": {"type": "color-text"},
            },
        ),
    ]
    links = (
        [named("Stream", **link("ems-stream", "Show the stream", server="Server", stream="Stream"))]
        if to_stream
        else []
    )
    return table(
        title,
        description + " Stalls are those begun in the time range shown. " + STALL,
        [("job", ""), ("instance", "")] + labels,
        columns,
        none,
        "Age / threshold",
        h=h,
        overrides=links,
    )


# --- The dashboards ------------------------------------------------------------------------------------------------


def overview():
    who = "job, instance, server"
    servers_up = of("ems_up", SERVER)
    plays = of("ems_streams", SERVER, 'direction="out"', 'purpose="play"')
    # Either may be missing: there is no series for players before the first one.
    viewers = f"{plays} or {of('ems_sessions', SERVER)}"
    servers = table(
        "Media servers",
        "One line for each media server. Up is 0 after serverStopping; a crash sends no event and shows as a growing age of the last event. Restarts are those in the time range shown. The name leads to the server's packaging.",
        [("job", ""), ("server", "Server"), ("instance", "Instance"), ("version", "Version")],
        [
            (
                "State",
                by(who, servers_up, "max"),
                {"mappings": up_or("down"), "custom_cellOptions": {"type": "color-text"}},
            ),
            (
                "Last event",
                by(
                    who,
                    f"timestamp({of('ems_last_event_timestamp_seconds', SERVER)}) - ({of('ems_last_event_timestamp_seconds', SERVER)} > 0)",
                    "max",
                ),
                {
                    "unit": "s",
                    "decimals": 0,
                    "thresholds": {"mode": "absolute", "steps": steps(GREEN, (60, ORANGE), (300, RED))},
                    "custom_cellOptions": {"type": "color-text"},
                },
            ),
            (
                "Running for",
                by(who, f"time() - {of('ems_server_start_timestamp_seconds', SERVER)}", "max"),
                {"unit": "s", "decimals": 0},
            ),
            ("Inbound", by(who, of("ems_streams", SERVER, 'direction="in"')), {}),
            ("Viewers", by(who, viewers), {}),
            ("Outputs", by(who, of("ems_outputs", SERVER)), {}),
            (
                "Stalled",
                by(who, stalled(SERVER)),
                {"thresholds": {"mode": "absolute", "steps": BAD_FROM_1}, "custom_cellOptions": COLORED},
            ),
            ("Restarts", by(who, gained("ems_server_restarts_total", SERVER)), {"decimals": 0}),
            ("", by(who + ", version", of("ems_server_info", SERVER), "max"), {}),
        ],
        "no media server has sent events yet",
        "Stalled",
        h=7,
        overrides=[named("Server", **link("ems-packaging", "Show the server's packaging", server="Server"))],
    )
    return dashboard(
        "ems-overview",
        "EMS / Overview",
        "All media servers at a glance, and the outputs that are nearest to a stall.",
        [
            (
                "Now",
                [
                    stat(
                        "Servers up",
                        "Media servers that are up: see ems_up.",
                        total(servers_up),
                        none="no server",
                        thresholds=steps(RED, (1, GREEN)),
                    ),
                    stat(
                        "Servers down",
                        "Media servers that are down: configured but silent since the start, stopped, or not answering.",
                        total(f"1 - {servers_up}"),
                        none="no server",
                        thresholds=BAD_FROM_1,
                    ),
                    stat(
                        "Inbound streams",
                        "Open inbound streams: published, pulled, or read from files.",
                        total(of("ems_streams", SERVER, 'direction="in"')),
                        none="no stream yet",
                    ),
                    stat(
                        "Streams missing",
                        "Inbound streams that the configuration expects and that are not open.",
                        total(f"1 - {of('ems_stream_up', SERVER)}"),
                        none="no stream yet",
                        thresholds=BAD_FROM_1,
                    ),
                    stat(
                        "Viewers",
                        "Streams that are played, and HTTP sessions of the server's own web server. Viewers that another web server serves are not counted.",
                        total(viewers),
                        none="none yet",
                    ),
                    stat(
                        "Outputs",
                        "Outputs that write files: HLS, HDS, DASH, Smooth Streaming and recordings.",
                        total(of("ems_outputs", SERVER)),
                        none="no server",
                    ),
                    stat(
                        "Stalled tracks",
                        "Tracks of open outputs that are stalled now. " + STALL,
                        total(stalled(SERVER)),
                        none="no output yet",
                        thresholds=BAD_FROM_1,
                    ),
                    stat(
                        "Chunk errors",
                        "Chunks that could not be written, in the time range shown.",
                        total(gained("ems_chunk_errors_total", SERVER)),
                        none="no server",
                        decimals=0,
                        thresholds=BAD_FROM_1,
                        graph="none",
                    ),
                ],
            ),
            ("Servers", [servers]),
            (
                "Outputs",
                [
                    outputs_table(
                        "Outputs nearest to a stall",
                        "The 25 tracks whose last chunk is the oldest by their threshold; red ones are stalled. The stream's name leads to its page.",
                        SERVER,
                        "no output is being written",
                        most=25,
                    ),
                    timeseries(
                        "Stalled tracks by format",
                        "Tracks of open outputs that are stalled. " + STALL,
                        (by("server, format", stalled(SERVER)), "{{server}} {{format}}"),
                        none="no output yet",
                        decimals=0,
                    ),
                    timeseries(
                        "Chunks closed",
                        "Chunks that are complete on disk, by format.",
                        (by("format", rate("ems_chunks_closed_total", SERVER)), "{{format}}"),
                        unit="cps",
                        none="no chunk yet",
                        stack=True,
                    ),
                    timeseries(
                        "Chunk errors by format",
                        "Chunks that could not be written.",
                        (by("server, format", increase("ems_chunk_errors_total", SERVER)), "{{server}} {{format}}"),
                        none="no server",
                        bars=True,
                        stack=True,
                    ),
                ],
            ),
            (
                "Streams and viewers",
                [
                    timeseries(
                        "Inbound streams by purpose",
                        "Open inbound streams by server and purpose.",
                        (by("server, purpose", of("ems_streams", SERVER, 'direction="in"')), "{{server}} {{purpose}}"),
                        none="no stream yet",
                        stack=True,
                    ),
                    timeseries(
                        "Outputs by format",
                        "Outputs that write files.",
                        (by("format", of("ems_outputs", SERVER)), "{{format}}"),
                        none="no server",
                        stack=True,
                    ),
                    timeseries(
                        "Viewers by server",
                        "Streams that are played, and HTTP sessions of the server's own web server.",
                        (by("server", plays), "{{server}} played"),
                        (by("server", of("ems_sessions", SERVER)), "{{server}} HTTP"),
                        none="none yet",
                        stack=True,
                    ),
                    timeseries(
                        "Inbound streams opened and closed",
                        "A stream that opens and closes again and again flaps.",
                        (
                            by("server", increase("ems_streams_opened_total", SERVER, 'direction="in"')),
                            "{{server}} opened",
                        ),
                        (
                            by("server", increase("ems_streams_closed_total", SERVER, 'direction="in"')),
                            "{{server}} closed",
                        ),
                        none="no server",
                    ),
                    timeseries(
                        "Feeds stopped",
                        "Times that audio or video of an inbound stream stopped arriving.",
                        (
                            by("server, media", increase("ems_stream_feed_stopped_total", SERVER)),
                            "{{server}} {{media}}",
                        ),
                        none="no stream yet",
                        bars=True,
                    ),
                    timeseries(
                        "Failed pulls",
                        "Pulls that could not be established: one a second for as long as a kept-alive pull fails. A stream without a failed pull has no line.",
                        (by("server, stream", rate("ems_pull_failures_total", SERVER)), "{{server}} {{stream}}"),
                        unit="cps",
                        none="no pull has failed",
                    ),
                ],
            ),
            (
                "Servers' work",
                [
                    timeseries(
                        "Events",
                        "Events of known and unknown names that were applied.",
                        (by("server", rate("ems_events_total", SERVER)), "{{server}}"),
                        unit="cps",
                        none="no server",
                    ),
                    timeseries(
                        "Age of the last event",
                        "A server with open streams and no events has crashed, or its events get lost.",
                        (
                            by(
                                "server",
                                age("ems_last_event_timestamp_seconds", SERVER)
                                + f" and {of('ems_last_event_timestamp_seconds', SERVER)} > 0",
                                "max",
                            ),
                            "{{server}}",
                        ),
                        unit="s",
                        none="no event yet",
                    ),
                    timeseries(
                        "Runtime API and processes",
                        "Commands that the runtime API received, those that it answered with FAIL, and programs that the server has launched and that run.",
                        (by("server", increase("ems_api_requests_total", SERVER)), "{{server}} commands"),
                        (by("server", increase("ems_api_failures_total", SERVER)), "{{server}} failed"),
                        (by("server", of("ems_processes", SERVER)), "{{server}} processes running"),
                        none="no server",
                    ),
                ],
            ),
        ],
    )


def stream():
    who = "job, instance, server, stream"
    started = of("ems_stream_start_timestamp_seconds", STREAM)
    info = ["type", "video_codec", "audio_codec", "width", "height"]
    inputs = table(
        "Inbound streams",
        "What the media server reports about each selected open inbound stream.",
        [
            ("job", ""),
            ("server", "Server"),
            ("instance", "Instance"),
            ("stream", "Stream"),
            ("type", "Type"),
            ("video_codec", "Video"),
            ("audio_codec", "Audio"),
            ("width", "Width"),
            ("height", "Height"),
        ],
        [
            ("Open for", by(who, f"time() - {started}", "max"), {"unit": "s", "decimals": 0}),
            ("", by(", ".join([who, *info]), of("ems_stream_info", STREAM), "max"), {}),
        ],
        "no inbound stream is open",
        "Open for",
        h=6,
    )
    traffic = "{{server}} {{stream}} {{direction}} {{media}}"
    moves = (
        " Only events report it: the line is constant while a stream is open and jumps when it closes."
    )
    return dashboard(
        "ems-stream",
        "EMS / Stream",
        "One stream, or a few: its input, its outputs, and whether they keep writing. Choose it above, or follow a stream's name from the overview.",
        [
            (
                "Now",
                [
                    stat(
                        "Inbound",
                        "Whether the inbound stream is open. With several chosen, whether all that are known are.",
                        total(of("ems_stream_up", STREAM), "min"),
                        none="not open",
                        w=4,
                        mappings=up_or("missing", "open"),
                        thresholds=steps(RED, (1, GREEN)),
                        graph="none",
                    ),
                    stat(
                        "Open for",
                        "How long the inbound stream has been open; the one opened last, if several are chosen.",
                        total(f"time() - {started}", "min"),
                        unit="s",
                        none="not open",
                        w=4,
                        decimals=0,
                        graph="none",
                    ),
                    stat(
                        "Tracks written",
                        "Tracks of open outputs; DASH and Smooth Streaming write audio and video apart.",
                        total(of(THRESHOLD, STREAM), "count"),
                        none="no output",
                        w=4,
                    ),
                    stat(
                        "Stalled tracks",
                        "Tracks that are stalled now. " + STALL,
                        total(stalled(STREAM)),
                        none="no output",
                        w=4,
                        thresholds=BAD_FROM_1,
                    ),
                    stat(
                        "Stalls",
                        "Stalls begun in the time range shown.",
                        total(gained("ems_chunk_stalls_total", STREAM)),
                        none="no output",
                        w=4,
                        decimals=0,
                        thresholds=BAD_FROM_1,
                        graph="none",
                    ),
                    stat(
                        "Feed stops",
                        "Times that audio or video stopped arriving, in the time range shown.",
                        total(gained("ems_stream_feed_stopped_total", STREAM)),
                        none="no input",
                        w=4,
                        decimals=0,
                        thresholds=steps(GREEN, (1, ORANGE)),
                        graph="none",
                    ),
                ],
            ),
            (
                "Input",
                [
                    inputs,
                    timeseries(
                        "Feeds stopped",
                        "Times that a medium of the inbound stream stopped arriving.",
                        (
                            by("server, stream, media", increase("ems_stream_feed_stopped_total", STREAM)),
                            "{{server}} {{stream}} {{media}}",
                        ),
                        none="no input",
                        bars=True,
                    ),
                    timeseries(
                        "Since a feed was last reported as stopped",
                        "The server repeats the report every 10 s while the medium is missing: below that it is missing now. Streams whose feeds never stopped have no line.",
                        (
                            by(
                                "server, stream, media",
                                age("ems_stream_feed_last_stopped_timestamp_seconds", STREAM),
                                "min",
                            ),
                            "{{server}} {{stream}} {{media}}",
                        ),
                        unit="s",
                        none="no feed has stopped",
                        thresholds=steps(RED, (10, GREEN)),
                        lines="dashed",
                    ),
                    timeseries(
                        "Failed pulls",
                        "Pulls that could not be established: one a second for as long as a kept-alive pull fails.",
                        (by("server, stream", rate("ems_pull_failures_total", STREAM)), "{{server}} {{stream}}"),
                        unit="cps",
                        none="no pull has failed",
                    ),
                ],
            ),
            (
                "Outputs",
                [
                    outputs_table(
                        "Outputs",
                        "Every track of the chosen streams' open outputs.",
                        STREAM,
                        "no output is being written",
                        to_stream=False,
                        h=8,
                    ),
                    state_timeline(
                        "Stalled",
                        "Each track: green while it keeps writing, red while it is stalled. " + STALL,
                        (stalled(STREAM), TRACK_NAME),
                        none="no output",
                        mappings=[
                            {
                                "type": "value",
                                "options": {
                                    "0": {"text": "writing", "color": GREEN, "index": 0},
                                    "1": {"text": "stalled", "color": RED, "index": 1},
                                },
                            }
                        ],
                        thresholds=BAD_FROM_1,
                    ),
                    timeseries(
                        "Age of the last chunk",
                        "At the last scrape, with the smallest stall threshold of each format (dashed).",
                        (by("server, stream, format, group, track", chunk_age(STREAM), "max"), TRACK_NAME),
                        (by("format", of(THRESHOLD, STREAM), "min"), "threshold of {{format}}"),
                        unit="s",
                        none="no output",
                        w=12,
                        h=9,
                        overrides=[dashed("/^threshold/", RED)],
                    ),
                    timeseries(
                        "Pace",
                        "Chunks closed, as a share of the rate by target length: 100 % is on time. It moves in steps where chunks are longer than the scrape interval.",
                        (pace(STREAM), TRACK_NAME),
                        unit="percentunit",
                        none="no output",
                        w=12,
                        h=9,
                    ),
                    timeseries(
                        "Chunks closed",
                        "Chunks that are complete on disk.",
                        (
                            by("server, stream, format, group, track", rate("ems_chunks_closed_total", STREAM)),
                            TRACK_NAME,
                        ),
                        unit="cps",
                        none="no output",
                    ),
                    timeseries(
                        "Playlists updated",
                        "Playlists of the stream itself. Only HLS writes them again and again; HDS does once for each start, and those of DASH and Smooth Streaming are their group's.",
                        (
                            by("server, stream, format, kind", rate("ems_playlist_updates_total", STREAM)),
                            "{{server}} {{stream}} {{format}} {{kind}}",
                        ),
                        unit="cps",
                        none="no playlist",
                    ),
                    timeseries(
                        "Age of the HLS playlist",
                        "An HLS playlist is written with every chunk; players stop when it stands still.",
                        (
                            by(
                                "server, stream, group",
                                age(
                                    "ems_playlist_last_updated_timestamp_seconds",
                                    STREAM,
                                    'format="hls"',
                                    'kind="child"',
                                ),
                                "max",
                            ),
                            "{{server}} {{stream}} {{group}}",
                        ),
                        unit="s",
                        none="no HLS output",
                    ),
                ],
            ),
            (
                "Traffic",
                [
                    timeseries(
                        "Bits",
                        "Bit rate of the streams with this name, viewers included." + moves,
                        (
                            by("server, stream, direction, media", rate("ems_stream_bytes_total", STREAM)) + " * 8",
                            traffic,
                        ),
                        unit="bps",
                        none="not reported yet",
                    ),
                    timeseries(
                        "Packets",
                        "Packets of the streams with this name." + moves,
                        (by("server, stream, direction, media", rate("ems_stream_packets_total", STREAM)), traffic),
                        unit="pps",
                        none="not reported yet",
                    ),
                    timeseries(
                        "Dropped packets",
                        "Packets that the streams of this name dropped, such as for slow viewers." + moves,
                        (
                            by("server, stream, direction, media", rate("ems_stream_dropped_packets_total", STREAM)),
                            traffic,
                        ),
                        unit="pps",
                        none="not reported yet",
                    ),
                ],
            ),
        ],
        scope=STREAM,
        stream=True,
        annotations=[
            annotation(
                "Feed stopped",
                by("server, stream, media", increase("ems_stream_feed_stopped_total", STREAM)) + " > 0",
                ORANGE,
                "{{media}} of {{stream}} on {{server}} stopped arriving",
            )
        ],
    )


def packaging():
    formats = SERVER + ', format=~"$format"'
    interval = "ems_chunk_interval_seconds_bucket"
    duration = "ems_chunk_duration_seconds_bucket"
    children = ('format=~"hls"', 'kind="child"')

    def quantiles(metric):
        return [
            (f"histogram_quantile({share}, {by('format, le', rate(metric, formats))})", "{{format}} " + name)
            for share, name in ((0.5, "median"), (0.99, "99 %"))
        ]

    return dashboard(
        "ems-packaging",
        "EMS / Packaging",
        "Whether HLS, HDS, DASH, Smooth Streaming and recordings keep writing, and how regularly.",
        [
            (
                "Now",
                [
                    stat(
                        "Outputs",
                        "Outputs of the chosen formats that write files; the choice of streams does not matter here.",
                        total(of("ems_outputs", formats)),
                        none="no server",
                    ),
                    stat(
                        "Tracks written",
                        "Tracks of open outputs that have a stall threshold.",
                        total(of(THRESHOLD, OUTPUT), "count"),
                        none="no output",
                    ),
                    stat(
                        "Stalled tracks",
                        "Tracks that are stalled now. " + STALL,
                        total(stalled(OUTPUT)),
                        none="no output",
                        thresholds=BAD_FROM_1,
                    ),
                    stat(
                        "Oldest by threshold",
                        "The largest age of a last chunk, as a share of its stall threshold.",
                        total(nearness(OUTPUT), "max"),
                        unit="percentunit",
                        none="no output",
                        decimals=0,
                        thresholds=RATIO,
                    ),
                    stat(
                        "Slowest pace",
                        "The smallest share of chunks closed, by the target length.",
                        total(pace(OUTPUT), "min"),
                        unit="percentunit",
                        none="no output",
                        decimals=0,
                        thresholds=steps(RED, (0.5, ORANGE), (0.8, GREEN)),
                    ),
                    stat(
                        "Stalls",
                        "Stalls begun in the time range shown.",
                        total(gained("ems_chunk_stalls_total", OUTPUT)),
                        none="no output",
                        decimals=0,
                        thresholds=BAD_FROM_1,
                        graph="none",
                    ),
                    stat(
                        "Chunk errors",
                        "Chunks that could not be written, in the time range shown. These events name no stream.",
                        total(gained("ems_chunk_errors_total", formats)),
                        none="no server",
                        decimals=0,
                        thresholds=BAD_FROM_1,
                        graph="none",
                    ),
                    stat(
                        "Playlist updates",
                        "Playlists and manifests written per second, masters included.",
                        total(rate("ems_playlist_updates_total", formats)),
                        unit="cps",
                        none="no playlist",
                    ),
                ],
            ),
            (
                "Rate and age",
                [
                    outputs_table(
                        "Outputs nearest to a stall",
                        "The 50 tracks whose last chunk is the oldest by their threshold; red ones are stalled. The stream's name leads to its page.",
                        OUTPUT,
                        "no output is being written",
                        most=50,
                    ),
                    timeseries(
                        "Chunks closed by format",
                        "Chunks that are complete on disk.",
                        (by("server, format", rate("ems_chunks_closed_total", OUTPUT)), "{{server}} {{format}}"),
                        unit="cps",
                        none="no output",
                        stack=True,
                    ),
                    timeseries(
                        "Pace by format",
                        "Chunks closed, as a share of the rate by target length: mean and slowest track. 100 % is on time.",
                        (by("format", pace(OUTPUT), "avg"), "{{format}} mean"),
                        (by("format", pace(OUTPUT), "min"), "{{format}} slowest"),
                        unit="percentunit",
                        none="no output",
                        overrides=[dashed("/slowest$/", ORANGE)],
                    ),
                    timeseries(
                        "Age against target",
                        "The oldest last chunk of each format at the last scrape, with target and threshold (dashed).",
                        (by("format", chunk_age(OUTPUT), "max"), "{{format}} oldest"),
                        (by("format", of(TARGET, OUTPUT), "min"), "target of {{format}}"),
                        (by("format", of(THRESHOLD, OUTPUT), "min"), "threshold of {{format}}"),
                        unit="s",
                        none="no output",
                        overrides=[dashed("/^target/", GREEN), dashed("/^threshold/", RED)],
                    ),
                    timeseries(
                        "Oldest tracks by threshold",
                        "The ten tracks whose last chunk is the oldest by their threshold at each moment. From 100 % on a track is stalled.",
                        (f"topk(10, {nearness(OUTPUT)})", TRACK_NAME),
                        unit="percentunit",
                        none="no output",
                        w=12,
                        h=9,
                        thresholds=steps(GREEN, (1, RED)),
                        lines="dashed",
                    ),
                    timeseries(
                        "Slowest tracks",
                        "The ten tracks with the smallest share of chunks closed, by the target length.",
                        (f"bottomk(10, {pace(OUTPUT)})", TRACK_NAME),
                        unit="percentunit",
                        none="no output",
                        w=12,
                        h=9,
                    ),
                ],
            ),
            (
                "Regularity",
                [
                    heatmap(
                        "Intervals between chunks",
                        "Time between the closes of two chunks of one track. A regular packager draws one narrow band; a second one above it are chunks that came late.",
                        by("le", increase(interval, formats)),
                        "s",
                        "no chunk yet",
                    ),
                    heatmap(
                        "Durations of chunks",
                        "Media duration of chunks, as the server reports it; all formats but HLS report whole seconds.",
                        by("le", increase(duration, formats)),
                        "s",
                        "no chunk yet",
                    ),
                    timeseries(
                        "Interval by format",
                        "Median and 99th percentile, as fine as the histogram's buckets.",
                        *quantiles(interval),
                        unit="s",
                        none="no chunk yet",
                        w=12,
                    ),
                    timeseries(
                        "Duration by format",
                        "Median and 99th percentile, as fine as the histogram's buckets. A recording in a single file reports its duration when it ends.",
                        *quantiles(duration),
                        unit="s",
                        none="no chunk yet",
                        w=12,
                    ),
                ],
            ),
            (
                "Stalls and errors",
                [
                    timeseries(
                        "Stalled tracks by format",
                        "Tracks that are stalled. " + STALL,
                        (by("server, format", stalled(OUTPUT)), "{{server}} {{format}}"),
                        none="no output",
                        decimals=0,
                    ),
                    timeseries(
                        "Stalls begun",
                        "Times that a track's last chunk grew older than its threshold.",
                        (by("server, format", increase("ems_chunk_stalls_total", OUTPUT)), "{{server}} {{format}}"),
                        none="no output",
                        bars=True,
                        stack=True,
                    ),
                    timeseries(
                        "Errors by format",
                        "Chunks that could not be written, such as for a full disk. These events name no stream.",
                        (by("server, format", increase("ems_chunk_errors_total", formats)), "{{server}} {{format}}"),
                        none="no server",
                        bars=True,
                        stack=True,
                    ),
                ],
            ),
            (
                "Playlists and files",
                [
                    timeseries(
                        "Playlists updated by format",
                        "Playlists and manifests. Only HLS children have a cadence; masters and manifests are written once for each start.",
                        (by("format, kind", rate("ems_playlist_updates_total", formats)), "{{format}} {{kind}}"),
                        unit="cps",
                        none="no playlist",
                    ),
                    timeseries(
                        "Oldest HLS playlists",
                        "The ten HLS playlists that were written the longest time ago; one that stands still stops the players.",
                        (
                            f"topk(10, {age('ems_playlist_last_updated_timestamp_seconds', STREAM, *children)})",
                            "{{server}} {{stream}} {{group}}",
                        ),
                        unit="s",
                        none="no HLS output",
                    ),
                    timeseries(
                        "Chunks opened, closed and deleted",
                        "Chunks opened without being closed are lost; only EMS 2.x reports deletions.",
                        (total(rate("ems_chunks_opened_total", OUTPUT)), "opened"),
                        (total(rate("ems_chunks_closed_total", OUTPUT)), "closed"),
                        (total(rate("ems_chunks_deleted_total", formats)), "deleted"),
                        unit="cps",
                        none="no output",
                    ),
                ],
            ),
        ],
        scope=OUTPUT,
        stream=True,
        form=True,
    )


def viewers_timers():
    plays = of("ems_streams", SERVER, 'direction="out"', 'purpose="play"')
    last = "ems_timer_last_triggered_timestamp_seconds"
    period = of("ems_timer_period_seconds", SERVER)
    overdue = f"{age(last, SERVER)} / {period}"
    who = "job, instance, server, timer"
    return dashboard(
        "ems-viewers-timers",
        "EMS / Viewers and timers",
        "Viewers by protocol and duration, and whether the server's timers expire on time.",
        [
            (
                "Now",
                [
                    stat(
                        "Players",
                        "Streams that are played over RTMP, RTSP and the like.",
                        total(plays),
                        none="none yet",
                        w=4,
                    ),
                    stat(
                        "HTTP sessions",
                        "Viewers over HTTP, of the server's own web server only.",
                        total(of("ems_sessions", SERVER)),
                        none="no server",
                        w=4,
                    ),
                    stat(
                        "Connections",
                        "Open connections of all protocols; only if the server's application sends these events.",
                        total(of("ems_connections", SERVER)),
                        none="not reported",
                        w=4,
                    ),
                    stat(
                        "Downloads",
                        "Files that the server's web server transferred, in the time range shown.",
                        total(gained("ems_downloads_total", SERVER)),
                        none="no server",
                        w=4,
                        decimals=0,
                        graph="none",
                    ),
                    stat("Timers", "Timers that are set.", total(of("ems_timers", SERVER)), none="no server", w=4),
                    stat(
                        "Most overdue timer",
                        "The largest time since a repeating timer expired, as a share of its period. From 150 % on the timer is overdue.",
                        total(overdue, "max"),
                        unit="percentunit",
                        none="no repeating timer",
                        w=4,
                        decimals=0,
                        thresholds=steps(GREEN, (1.2, ORANGE), (1.5, RED)),
                    ),
                ],
            ),
            (
                "Viewers",
                [
                    timeseries(
                        "Players by type",
                        "Streams that are played, by the server's type of stream.",
                        (by("server, type", plays), "{{server}} {{type}}"),
                        none="none yet",
                        stack=True,
                    ),
                    timeseries(
                        "HTTP sessions by server",
                        "Viewers over HTTP, of the server's own web server only.",
                        (by("server", of("ems_sessions", SERVER)), "{{server}}"),
                        none="no server",
                        stack=True,
                    ),
                    timeseries(
                        "HTTP sessions started and ended",
                        "The difference is the growth of the audience.",
                        (by("server", rate("ems_sessions_started_total", SERVER)), "{{server}} started"),
                        (by("server", rate("ems_sessions_ended_total", SERVER)), "{{server}} ended"),
                        unit="cps",
                        none="no server",
                    ),
                    heatmap(
                        "How long HTTP sessions lasted",
                        "From streamingSessionEnded: a session shows when it ends.",
                        by("le", increase("ems_session_duration_seconds_bucket", SERVER)),
                        "s",
                        "no session has ended yet",
                    ),
                    timeseries(
                        "How long streams lasted",
                        "Median and 90th percentile of the streams that closed, as fine as the histogram's buckets; outbound ones are viewers and outputs.",
                        *[
                            (
                                f"histogram_quantile({share}, {by('direction, le', rate('ems_stream_duration_seconds_bucket', SERVER))})",
                                "{{direction}} " + name,
                            )
                            for share, name in ((0.5, "median"), (0.9, "90 %"))
                        ],
                        unit="s",
                        none="no stream has closed yet",
                        w=12,
                        h=9,
                    ),
                    timeseries(
                        "Outbound streams opened and closed",
                        "Viewers, pushes and outputs, by type.",
                        (
                            by("type", rate("ems_streams_opened_total", SERVER, 'direction="out"')) + " > 0",
                            "{{type}} opened",
                        ),
                        (
                            by("type", rate("ems_streams_closed_total", SERVER, 'direction="out"')) + " > 0",
                            "{{type}} closed",
                        ),
                        unit="cps",
                        none="nothing opened or closed",
                    ),
                    timeseries(
                        "Downloads and playlist items",
                        "Files that the web server transferred, and items of server-side playlists; every ordinary RTMP player starts one item.",
                        (by("server", rate("ems_downloads_total", SERVER)), "{{server}} downloads"),
                        (by("server", rate("ems_playlist_items_total", SERVER)), "{{server}} playlist items"),
                        unit="cps",
                        none="no server",
                    ),
                    timeseries(
                        "Outbound streams by purpose",
                        "All open outbound streams; those for internal use are the server's own.",
                        (by("purpose", of("ems_streams", SERVER, 'direction="out"')), "{{purpose}}"),
                        none="none yet",
                        stack=True,
                    ),
                ],
            ),
            (
                "Connections",
                [
                    timeseries(
                        "Connections by protocol",
                        "Open connections by the server's tag of the protocol; only if the server's application sends these events.",
                        (by("protocol", of("ems_connections", SERVER)), "{{protocol}}"),
                        none="not reported",
                        w=12,
                        stack=True,
                    ),
                    timeseries(
                        "Connections opened and closed",
                        "By the server's tag of the protocol.",
                        (by("protocol", rate("ems_connections_opened_total", SERVER)), "{{protocol}} opened"),
                        (by("protocol", rate("ems_connections_closed_total", SERVER)), "{{protocol}} closed"),
                        unit="cps",
                        none="not reported",
                        w=12,
                    ),
                ],
            ),
            (
                "Timers",
                [
                    table(
                        "Repeating timers",
                        "Each timer with its period and the time since it last expired, or since it was set.",
                        [("job", ""), ("instance", ""), ("server", "Server"), ("timer", "Timer")],
                        [
                            (
                                "Since / period",
                                by(who, overdue, "max"),
                                {
                                    "unit": "percentunit",
                                    "decimals": 0,
                                    "thresholds": {
                                        "mode": "absolute",
                                        "steps": steps(GREEN, (1.2, ORANGE), (1.5, RED)),
                                    },
                                    "custom_cellOptions": COLORED,
                                },
                            ),
                            (
                                "Since",
                                by(who, age(last, SERVER) + f" and {period}", "max"),
                                {"unit": "s", "decimals": 1},
                            ),
                            ("Period", by(who, period, "max"), {"unit": "s"}),
                        ],
                        "no repeating timer is set",
                        "Since / period",
                        w=12,
                        h=9,
                    ),
                    timeseries(
                        "Time since expiry by period",
                        "A healthy timer draws a saw below 100 %; the line goes on rising when it stops. The ten most overdue at each moment.",
                        (f"topk(10, {overdue})", "{{server}} timer {{timer}}"),
                        unit="percentunit",
                        none="no repeating timer",
                        w=12,
                        h=9,
                        thresholds=steps(GREEN, (1.5, RED)),
                        lines="dashed",
                    ),
                    timeseries(
                        "Timers set",
                        "Timers that are set, repeating or not.",
                        (by("server", of("ems_timers", SERVER)), "{{server}}"),
                        none="no server",
                    ),
                    timeseries(
                        "Timers expired",
                        "Expiries of all timers.",
                        (by("server", rate("ems_timers_triggered_total", SERVER)), "{{server}}"),
                        unit="cps",
                        none="no server",
                    ),
                    timeseries(
                        "Timers created and closed",
                        "A timer that does not repeat closes by itself.",
                        (by("server", increase("ems_timers_created_total", SERVER)), "{{server}} created"),
                        (by("server", increase("ems_timers_closed_total", SERVER)), "{{server}} closed"),
                        none="no server",
                    ),
                ],
            ),
        ],
    )


def exporter():
    def of_us(metric):
        return of(metric, EXPORTER)

    def process(expression):
        """Other programs have metrics of these names as well, and All is all of them."""
        return f"{expression} and on (job, instance) {of_us('ems_exporter_build_info')}"

    instance = "{{instance}}"
    return dashboard(
        "ems-exporter",
        "EMS / Exporter",
        "The exporter itself: the outcome of every event, the number of series, and resource usage.",
        [
            (
                "Now",
                [
                    stat(
                        "Exporters up",
                        "Exporters that Prometheus could scrape. One that was never scraped is not among them.",
                        f"count({of_us('ems_exporter_build_info')})",
                        none="none",
                        thresholds=steps(RED, (1, GREEN)),
                    ),
                    stat(
                        "Version",
                        "The exporter's version.",
                        by("version", of_us("ems_exporter_build_info"), "count"),
                        none="unknown",
                        legend="{{version}}",
                        name=True,
                        graph="none",
                    ),
                    stat(
                        "Running for",
                        "Since the process started; the one started last, if there are several.",
                        total(process(f"time() - {of_us('process_start_time_seconds')}"), "min"),
                        unit="s",
                        none="unknown",
                        decimals=0,
                        graph="none",
                    ),
                    stat(
                        "Configuration age",
                        "Since the configuration in force was read; the newest, if there are several.",
                        total(f"time() - {of_us('ems_exporter_config_last_load_success_timestamp_seconds')}", "min"),
                        unit="s",
                        none="unknown",
                        decimals=0,
                        graph="none",
                    ),
                    stat(
                        "Events received",
                        "Per second, over all transports.",
                        total(rate("ems_exporter_events_received_total", EXPORTER)),
                        unit="cps",
                        none="none yet",
                    ),
                    stat(
                        "Events rejected",
                        "Rejected events in the time range shown.",
                        total(gained("ems_exporter_events_rejected_total", EXPORTER)),
                        none="none yet",
                        decimals=0,
                        thresholds=BAD_FROM_1,
                        graph="none",
                    ),
                    stat(
                        "Stream names tracked",
                        "The fullest server's stream names with series of their own, as a share of limits.streams.",
                        f"max({of('ems_exporter_series', SERVER)} / {of('ems_exporter_series_limit', SERVER)})",
                        unit="percentunit",
                        none="no server",
                        thresholds=steps(GREEN, (0.8, ORANGE), (1, RED)),
                    ),
                    stat(
                        "Memory",
                        "Resident memory of all chosen exporters.",
                        total(process(of_us("process_resident_memory_bytes"))),
                        unit="bytes",
                        none="unknown",
                    ),
                ],
            ),
            (
                "Events",
                [
                    timeseries(
                        "Events by outcome",
                        "Every received event is applied, a duplicate, rejected or dropped; the four add up to all received events.",
                        *[
                            (total(rate(f"ems_exporter_events_{fate}_total", EXPORTER)), fate)
                            for fate in ("applied", "duplicate", "rejected", "dropped")
                        ],
                        unit="cps",
                        none="none yet",
                        stack=True,
                    ),
                    timeseries(
                        "Events by transport and format",
                        "Received events by transport and format.",
                        (
                            by("transport, format", rate("ems_exporter_events_received_total", EXPORTER)),
                            "{{transport}} {{format}}",
                        ),
                        unit="cps",
                        none="none yet",
                        stack=True,
                    ),
                    timeseries(
                        "Rejected and dropped by reason",
                        "Rejected: the input is invalid. Dropped: it may be valid but a limit was reached, such as limits.servers.",
                        (
                            by("reason", increase("ems_exporter_events_rejected_total", EXPORTER)),
                            "rejected: {{reason}}",
                        ),
                        (by("reason", increase("ems_exporter_events_dropped_total", EXPORTER)), "dropped: {{reason}}"),
                        none="none yet",
                        bars=True,
                        stack=True,
                    ),
                    timeseries(
                        "Events by name",
                        "The ten most frequent names.",
                        (f"topk(10, {by('event', rate('ems_events_total', SERVER))})", "{{event}}"),
                        unit="cps",
                        none="no server",
                    ),
                    timeseries(
                        "Corrections",
                        "Corrections of state made because events were lost, late or repeated. Many closed_unseen mean that events get lost.",
                        (by("server, kind", increase("ems_exporter_corrections_total", SERVER)), "{{server}} {{kind}}"),
                        none="no server",
                    ),
                    timeseries(
                        "Events of unknown names",
                        "Events whose name this version does not know; they are counted and otherwise ignored.",
                        (by("server", increase("ems_events_total", SERVER, 'event="other"')), "{{server}}"),
                        none="no server",
                    ),
                ],
            ),
            (
                "Reconciliation",
                [
                    timeseries(
                        "Corrections by reconciliation",
                        "Entries that were opened, closed or changed to match the server's own lists. After a start they are expected; later each one is a lost event.",
                        (
                            by(
                                "server, kind, direction",
                                increase("ems_exporter_reconcile_corrections_total", SERVER),
                            ),
                            "{{server}} {{kind}} {{direction}}",
                        ),
                        none="no runtime API is configured",
                        bars=True,
                        stack=True,
                    ),
                    timeseries(
                        "Polls by outcome",
                        "Polls of the server's own lists through its runtime API.",
                        (
                            by("server, outcome", increase("ems_exporter_reconcile_runs_total", SERVER)),
                            "{{server}} {{outcome}}",
                        ),
                        none="no runtime API is configured",
                    ),
                    timeseries(
                        "Duration and age of the last poll",
                        "Duration of the last successful poll, and its age.",
                        (by("server", of("ems_exporter_reconcile_duration_seconds", SERVER), "max"), "{{server}} took"),
                        (
                            by(
                                "server",
                                age("ems_exporter_reconcile_last_success_timestamp_seconds", SERVER),
                                "max",
                            ),
                            "{{server}} ago",
                        ),
                        unit="s",
                        none="no runtime API is configured",
                    ),
                ],
            ),
            (
                "Actions",
                [
                    timeseries(
                        "Actions by rule and outcome",
                        "Outcomes of the calls that rules decided on. Failed, rejected, too_old and queue_full are trouble; already, gone, condition and cooldown are not.",
                        (
                            by(
                                "server, rule, outcome",
                                increase("ems_exporter_actions_total", SERVER),
                            )
                            + " > 0",
                            "{{server}} {{rule}}: {{outcome}}",
                        ),
                        none="no rules are configured",
                        bars=True,
                        stack=True,
                    ),
                    timeseries(
                        "Actions waiting",
                        "Calls that are queued or in flight, the age of the oldest of their events, and whether the circuit breaker of the API is open.",
                        (by("server", of("ems_exporter_actions_queued", SERVER)), "{{server}} waiting"),
                        (by("server", of("ems_exporter_actions_oldest_age_seconds", SERVER), "max"), "{{server}} oldest, seconds"),
                        (by("server", of("ems_exporter_actions_circuit_open", SERVER), "max"), "{{server}} left alone"),
                        none="no rules are configured",
                    ),
                    timeseries(
                        "Time to act",
                        "From an event to the outcome of the call that it triggered: median and 95th percentile.",
                        *[
                            (
                                f"histogram_quantile({quantile}, {by('server, le', rate('ems_exporter_action_duration_seconds_bucket', SERVER))})",
                                "{{server}} " + name,
                            )
                            for quantile, name in (("0.5", "median"), ("0.95", "95 %"))
                        ],
                        unit="s",
                        none="no rules are configured",
                    ),
                ],
            ),
            (
                "Series and scrapes",
                [
                    timeseries(
                        "Series tracked by server",
                        "Names of streams, outputs and playlists that have series of their own, with the smallest limit of any server (dashed).",
                        (by("server, kind", of("ems_exporter_series", SERVER)), "{{server}}, {{kind}}"),
                        (by("kind", of("ems_exporter_series_limit", SERVER), "min"), "limit, {{kind}}"),
                        none="no server",
                        overrides=[dashed("/^limit/", RED)],
                    ),
                    timeseries(
                        "Folded into __overflow__",
                        'Names beyond a limit, which share the series of stream="__overflow__" or have none: raise limits.streams, or find the source of the names.',
                        (by("server", increase("ems_exporter_series_folded_total", SERVER)), "{{server}}"),
                        none="no server",
                        bars=True,
                    ),
                    timeseries(
                        "Samples on a page",
                        "Samples on the last metrics page.",
                        (by("instance", of_us("ems_exporter_scrape_samples"), "max"), instance),
                        none="not scraped yet",
                    ),
                    timeseries(
                        "Time to render a page",
                        "Time to render the last metrics page, compression included.",
                        (by("instance", of_us("ems_exporter_scrape_duration_seconds"), "max"), instance),
                        unit="s",
                        none="not scraped yet",
                    ),
                    timeseries(
                        "HTTP answers by status",
                        "400 is an event that could not be understood, 404 a wrong path, 413 a body beyond limits.body.",
                        (by("code", rate("ems_exporter_http_responses_total", EXPORTER)), "{{code}}"),
                        unit="reqps",
                        none="none yet",
                        stack=True,
                    ),
                    timeseries(
                        "HTTP connections",
                        "Open connections, accepted connections per second, and failed accepts. The media server opens one for each event.",
                        (by("instance", of_us("ems_exporter_http_connections")), instance + " open"),
                        (
                            by("instance", rate("ems_exporter_http_connections_accepted_total", EXPORTER)),
                            instance + " accepted per second",
                        ),
                        (
                            by("instance", increase("ems_exporter_http_accept_failures_total", EXPORTER)),
                            instance + " failures",
                        ),
                        none="none yet",
                    ),
                ],
            ),
            (
                "Process",
                [
                    timeseries(
                        "Processor",
                        "Processor time; 100 % is one core.",
                        (by("instance", process(rate("process_cpu_seconds_total", EXPORTER))), instance),
                        unit="percentunit",
                        none="unknown",
                    ),
                    timeseries(
                        "Memory by exporter",
                        "Resident memory.",
                        (by("instance", process(of_us("process_resident_memory_bytes"))), instance),
                        unit="bytes",
                        none="unknown",
                    ),
                    timeseries(
                        "File descriptors and threads",
                        "Open file descriptors with their limit (dashed), and threads.",
                        (by("instance", process(of_us("process_open_fds"))), instance + " open"),
                        (by("instance", process(of_us("process_threads"))), instance + " threads"),
                        (total(process(of_us("process_max_fds")), "min"), "most open"),
                        none="unknown",
                        overrides=[dashed("/^most open$/", RED)],
                    ),
                ],
            ),
        ],
    )


DASHBOARDS = (overview, stream, packaging, viewers_timers, exporter)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for one in DASHBOARDS:
        content = one()
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{content['uid']}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
