"""The metrics of what each rule of a deployment's policy says; ``service/metric_names.py`` has the others."""

from __future__ import annotations

from trimtab.service.metric_names import DEPLOYMENT_LABELS, Metric

_OF_RULES = (*DEPLOYMENT_LABELS, "rule")

PROPOSED = Metric(
    "trimtab_rule_proposed_replicas",
    "Replicas the rule asks for, by its role; absent when it cannot tell.",
    (*_OF_RULES, "role"),
)
BLOCKS = Metric(
    "trimtab_rule_blocks",
    "Which direction a hold rule blocks; absent while it blocks none.",
    (*_OF_RULES, "blocks"),
)

# -- what strategies know (core/facts.py); absent where the rule's strategy has no such number ----
LOAD = Metric(
    "trimtab_strategy_load_replicas",
    "The offered load now, in replicas that it keeps busy at their SLO.",
    _OF_RULES,
)
FORECAST = Metric(
    "trimtab_strategy_forecast_replicas",
    "The load to come when a replica ordered now serves, in replicas at their SLO.",
    _OF_RULES,
)
SPARE = Metric(
    "trimtab_strategy_spare_replicas",
    "Replicas asked for beyond the forecast, against its error and against bursts.",
    _OF_RULES,
)
FORECAST_ERROR = Metric(
    "trimtab_strategy_forecast_error_replicas",
    "One standard deviation of the forecast's error lately.",
    _OF_RULES,
)
HORIZON = Metric(
    "trimtab_strategy_forecast_horizon_seconds",
    "How far ahead the forecast looks: the lead time and the age of the data.",
    _OF_RULES,
)
MISS_PRICE = Metric(
    "trimtab_strategy_miss_price_ratio",
    "What is paid now for a missed request less, in times of what serving it costs.",
    _OF_RULES,
)
MISSED = Metric(
    "trimtab_strategy_missed_ratio",
    "Share of the load of the last days that met too few replicas; 0 to 1.",
    _OF_RULES,
)
MISSED_MAX = Metric(
    "trimtab_strategy_missed_max_ratio",
    "The share that may be missed: 1 less the attainment asked for.",
    _OF_RULES,
)
CAPACITY = Metric(
    "trimtab_strategy_capacity_requests_per_second",
    "Requests a second that one replica is believed to carry within its SLO: given, corrected or learned.",
    _OF_RULES,
)
CAPACITY_FACTOR = Metric(
    "trimtab_strategy_capacity_factor_ratio",
    "What the capacity that the policy gives turned out to be, as a share of it; well below 1, it is wrong.",
    _OF_RULES,
)
