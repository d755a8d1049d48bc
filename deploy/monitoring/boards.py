# ruff: noqa: INP001  a folder of scripts, no package
"""What all dashboards share: variables, links to each other, and how one is put together and written down."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from panels import DATASOURCE, Panel
from rules import expression

FLEET, DEPLOYMENT, DAEMON = "trimtab-fleet", "trimtab-deployment", "trimtab-daemon"
"""The uids. They are in people's bookmarks and in each other's links: never change them."""

TAG = "trimtab"
JOB = 'job=~"$job"'
ONE = f'{JOB}, deployment="$deployment"'
"""What the queries of the deployment's dashboard select."""

RATE = "[$__rate_interval]"

TO_DEPLOYMENT = (
    f"/d/{DEPLOYMENT}?var-deployment=${{__data.fields.deployment}}&var-datasource=${{datasource}}"
    "&${job:queryparam}&${__url_time_range}"
)


class Row(NamedTuple):
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


class Annotation(NamedTuple):
    """A mark on every panel of the board where ``expr`` has a value."""

    name: str
    expr: str
    color: str
    title: str
    text: str = ""
    is_shown: bool = True


def quantile(share: float, metric: str, by: str = "") -> str:
    """Return what that share of a histogram's observations is below, for each value of the label ``by``."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{JOB}}}{RATE})))"


def choice(name: str, label: str, query: str, *, is_multiple: bool = False) -> Any:
    """Return a variable whose values are asked for."""
    one = dashboard.QueryVariable(name).label(label).datasource(DATASOURCE)
    one = one.query({"query": query, "refId": name}).sort(model.VariableSort.ALPHABETICAL_ASC)
    one = one.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).multi(is_multiple)
    return one.include_all(True).all_value(".*") if is_multiple else one.include_all(False)


def board(
    uid: str,
    title: str,
    description: str,
    rows: tuple[Row, ...],
    *,
    variables: tuple[Any, ...] = (),
    annotations: tuple[Annotation, ...] = (),
) -> str:
    """Return the JSON of a dashboard."""
    one = dashboard.Dashboard(title).uid(uid).description(description).tags([TAG])
    one = one.timezone("browser").refresh("30s").time("now-6h", "now").readonly()
    one = one.tooltip(model.DashboardCursorSync.CROSSHAIR)
    links = dashboard.DashboardLink("trimtab").type(model.DashboardLinkType.DASHBOARDS)
    one = one.link(links.tags([TAG]).include_vars(True).keep_time(True).as_dropdown(False))
    one = one.with_variable(
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    )
    one = one.with_variable(
        choice("job", "Job", "label_values(trimtab_build_info, job)", is_multiple=True)
    )
    for variable in variables:
        one = one.with_variable(variable)
    for row in rows:
        one = one.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            one = one.with_panel(panel)
    content = json.loads(json.dumps(one.build(), cls=JSONEncoder))
    for number, panel in enumerate(content["panels"], start=1):
        panel["id"] = number  # else Grafana numbers them, and links to a panel break at each import
    content["annotations"] = {"list": [_annotation(mark) for mark in annotations]}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _annotation(mark: Annotation) -> dict[str, Any]:
    """Return what the library has no words for: the texts of a Prometheus annotation."""
    return {
        "name": mark.name,
        "datasource": {"type": DATASOURCE.type_val, "uid": DATASOURCE.uid},
        "enable": mark.is_shown,
        "hide": False,
        "iconColor": mark.color,
        "expr": expression(mark.expr),
        "step": "30s",
        "titleFormat": mark.title,
        "textFormat": mark.text,
        "useValueForTime": False,
    }
