# ruff: noqa: INP001  a folder of scripts, no package
"""The kinds of panels that the dashboards are made of, each with a unit, a legend and a sentence that explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from rules import expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grafana_foundation_sdk.cog.builder import Builder

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
RUNBOOKS_AT = "https://trimtab.dev/runbooks"
"""Where deploy/runbooks is published; ``generate.py --runbooks-at`` writes another address."""

GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"
WIDE, HALF, THIRD, QUARTER = 24, 12, 8, 6
HIGH, LOW = 8, 4

Panel: TypeAlias = "Builder[model.Panel]"
Limits: TypeAlias = "tuple[tuple[float | None, str], ...]"
"""From which value on which colour; the first from ``None``, which is below everything."""

FINE: Limits = ((None, GREEN),)
NONE_IS_FINE: Limits = ((None, GREEN), (1, RED))
ONE_IS_FINE: Limits = ((None, RED), (1, GREEN))


class Query(NamedTuple):
    """A PromQL expression and what its series are called."""

    expr: str
    legend: str = ""


def query(one: Query, ref: str) -> prometheus.Dataquery:
    """Return a query over the time range."""
    built = prometheus.Dataquery().expr(expression(one.expr)).ref_id(ref).range()
    return built.datasource(DATASOURCE).legend_format(one.legend or "__auto")


def _limits(limits: Limits) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(value=value, color=color) for value, color in limits]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def runbook(alert: str) -> dashboard.DashboardLink:
    """Return a panel's link to the page of an alert."""
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(model.DashboardLinkType.LINK)
    return link.url(f"{RUNBOOKS_AT}/{alert}.md").target_blank(True)


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    limits: Limits | None = None,
    alert: str | None = None,
    width: int = HALF,
    is_stacked: bool = False,
    is_stepped: bool = False,
    least: float | None = 0,
    most: float | None = None,
) -> Panel:
    """Return lines over time. ``limits`` are drawn as dashed lines; ``alert`` links to its page."""
    panel = timeseries.Panel().title(title).description(description).unit(unit)
    panel = (
        panel.datasource(DATASOURCE).height(HIGH).span(width).fill_opacity(25 if is_stacked else 5)
    )
    legend = common.VizLegendOptions().display_mode(common_model.LegendDisplayMode.TABLE)
    legend = legend.placement(common_model.LegendPlacement.BOTTOM).show_legend(True)
    panel = panel.legend(legend.calcs(["lastNotNull", "max"]))
    panel = panel.tooltip(
        common.VizTooltipOptions()
        .mode(common_model.TooltipDisplayMode.MULTI)
        .sort(common_model.SortOrder.DESCENDING)
    )
    panel = panel.show_points(common_model.VisibilityMode.NEVER).thresholds(_limits(limits or FINE))
    if limits is not None:
        panel = panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_model.GraphTresholdsStyleMode.DASHED)
        )
    if is_stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    if is_stepped:  # counts are what they are until they change
        panel = panel.line_interpolation(common_model.LineInterpolation.STEP_AFTER)
    panel = panel if least is None else panel.min(least)
    panel = panel if most is None else panel.max(most)
    panel = panel if alert is None else panel.links([runbook(alert)])
    for ref, one in zip("ABCDEFGHIJ", queries, strict=False):
        panel = panel.with_target(query(one, ref))
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    one: Query,
    *,
    limits: Limits = FINE,
    alert: str | None = None,
    width: int = 4,
    words: Mapping[str, tuple[str, str]] | None = None,
    is_name: bool = False,
) -> Panel:
    """Return the latest value, large. ``words`` are what a value is called and its colour.

    ``is_name``: not the value is shown but what the series is called.
    """
    panel = stat.Panel().title(title).description(description).unit(unit).datasource(DATASOURCE)
    panel = panel.height(LOW).span(width).with_target(query(one, "A")).thresholds(_limits(limits))
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel = panel.color_mode(common_model.BigValueColorMode.VALUE)
    panel = panel.graph_mode(common_model.BigValueGraphMode.AREA)
    if is_name:
        panel = panel.text_mode(common_model.BigValueTextMode.NAME)
        panel = panel.graph_mode(common_model.BigValueGraphMode.NONE)
    if words:
        options = {
            value: model.ValueMappingResult(text=text, color=color)
            for value, (text, color) in words.items()
        }
        panel = panel.mappings([model.ValueMap(options=options)])
    return panel if alert is None else panel.links([runbook(alert)])


def states(
    title: str,
    description: str,
    one: Query,
    *,
    limits: Limits = FINE,
    alert: str | None = None,
    width: int = HALF,
) -> Panel:
    """Return a bar for each series, there while the series is, coloured by its value."""
    panel = statetimeline.Panel().title(title).description(description).unit("none")
    panel = panel.datasource(DATASOURCE).height(HIGH).span(width).with_target(query(one, "A"))
    panel = panel.show_value(common_model.VisibilityMode.NEVER).thresholds(_limits(limits))
    panel = panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    legend = common.VizLegendOptions().display_mode(common_model.LegendDisplayMode.LIST)
    legend = legend.placement(common_model.LegendPlacement.BOTTOM).show_legend(False)
    panel = panel.legend(legend.calcs([]))
    return panel if alert is None else panel.links([runbook(alert)])


def rows_of(
    title: str,
    description: str,
    unit: str,
    one: Query,
    *,
    columns: Mapping[str, str],
    alert: str | None = None,
    width: int = HALF,
    limits: Limits = FINE,
    link: str | None = None,
) -> Panel:
    """Return a table of the series that there are now: ``columns`` are labels and their headings.

    Without a legend the value is left out. ``link`` is where a row's deployment leads.
    """
    target = prometheus.Dataquery().expr(expression(one.expr)).ref_id("A").instant()
    target = target.datasource(DATASOURCE).format(PromQueryFormat.TABLE)
    target = target.legend_format("__auto")
    panel = table.Panel().title(title).description(description).unit(unit).datasource(DATASOURCE)
    panel = panel.height(HIGH).span(width).with_target(target).thresholds(_limits(limits))
    kept = [*columns, *(["Value"] if one.legend else [])]
    organize: dict[str, Any] = {
        "includeByName": dict.fromkeys(kept, True),
        "indexByName": {name: index for index, name in enumerate(kept)},
        "renameByName": {**columns, "Value": one.legend},
    }
    panel = panel.with_transformation(
        model.DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": kept}}
        )
    )
    panel = panel.with_transformation(
        model.DataTransformerConfig(id_val="organize", options=organize)
    )
    sorted_by = one.legend or next(iter(columns.values()))
    panel = panel.sort_by(
        [common.TableSortByFieldState().display_name(sorted_by).desc(bool(one.legend))]
    )
    if link is not None:
        links = [{"title": "Open the deployment", "url": link}]
        panel = panel.override_by_name(
            columns["deployment"], [model.DynamicConfigValue(id_val="links", value=links)]
        )
    return panel if alert is None else panel.links([runbook(alert)])
