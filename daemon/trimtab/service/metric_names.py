"""Every metric's name, help, labels and closed label values, once.

Names follow the Prometheus practices: base units, ``_total`` on counters only, points in time as
timestamps rather than ages. No label is called ``namespace``, ``pod``, ``job`` or ``instance``:
those belong to whoever scrapes.
"""

from __future__ import annotations

from typing import NamedTuple

from trimtab.core.decision import Reason, WriteStatus
from trimtab.core.overrides import OverrideKind
from trimtab.errors import ErrorKind
from trimtab.journal.port import JournalMode
from trimtab.service.breaker import CircuitState
from trimtab.service.reload import ReloadResult
from trimtab.service.withholding import Withheld
from trimtab.sources.push.points import Fate, Refusal
from trimtab.web.push import TurnedAway


class Metric(NamedTuple):
    """Name, one sentence of help, and the names of its labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


DEPLOYMENT_LABELS = ("deployment", "policy")

# -- the daemon ----------------------------------------------------------------------------------
BUILD_INFO = Metric(
    "trimtab_build_info", "The version that runs; always 1.", ("version", "python_version")
)
START_TIME = Metric("trimtab_start_timestamp_seconds", "When the daemon started.")
TICK_DURATION = Metric(
    "trimtab_evaluation_duration_seconds", "How long one evaluation of what was due took."
)
EVALUATION_LAG = Metric(
    "trimtab_evaluation_lag_seconds",
    "How late an evaluation began, counted from when the first of its deployments was due.",
)
EVALUATIONS_WAITING = Metric(
    "trimtab_evaluations_waiting", "Deployments that something happened to and that wait for it."
)
SAMPLES_WAITING = Metric(
    "trimtab_samples_waiting", "Samples that wait for the next evaluation of their deployments."
)
LEADER = Metric(
    "trimtab_leader",
    "Whether this process decides; 0 while it waits for a journal that another one holds.",
)
TICK_INTERVAL = Metric(
    "trimtab_tick_interval_seconds",
    "How often there is an evaluation at least, even if nothing is due (setting `tick_interval`).",
)
LAST_EVALUATION = Metric(
    "trimtab_last_successful_evaluation_timestamp_seconds",
    "When an evaluation last succeeded; absent before the first.",
)
DECISIONS = Metric("trimtab_decisions_total", "Decisions by outcome.", ("verdict", "reason"))
EVENTS = Metric("trimtab_events_total", "What was noticed about deployments.", ("kind",))
WRITES = Metric("trimtab_writes_total", "Orders by how they ended.", ("outcome", "direction"))
WITHHELD = Metric("trimtab_orders_withheld_total", "Orders not even begun, by why.", ("reason",))
TASK_RESTARTS = Metric(
    "trimtab_task_restarts_total", "Tasks that should run for ever and ended.", ("task",)
)
CLOCK_JUMPS = Metric(
    "trimtab_clock_jumps_total", "Jumps of the system clock that were noticed.", ("direction",)
)

JOURNAL_MODE = Metric(
    "trimtab_journal_mode", "How well things are kept; 1 for the mode it is in.", ("mode",)
)
JOURNAL_CHANGES = Metric(
    "trimtab_journal_mode_changes_total",
    "Changes of the journal's mode, by the new one.",
    ("mode",),
)
JOURNAL_SINCE = Metric(
    "trimtab_journal_mode_since_timestamp_seconds", "Since when the journal is in its mode."
)
JOURNAL_DROPPED = Metric(
    "trimtab_journal_entries_dropped_total",
    "Entries lost because they could not be kept in time; intentions are never among them.",
)
JOURNAL_LOG_UP = Metric(
    "trimtab_journal_intention_log_up",
    "1 while intentions have a log of their own; 0: each write waits for the journal's file.",
)
JOURNAL_WAITING = Metric(
    "trimtab_journal_entries_waiting", "Entries that are noted and not durable yet."
)
JOURNAL_SIZE = Metric(
    "trimtab_journal_size_bytes", "What the journal takes; absent while it cannot be told."
)
INTENTIONS = Metric(
    "trimtab_journal_intentions_total", "Orders noted as about to be sent, since the start."
)
ENDS = Metric("trimtab_journal_ends_total", "Ends of orders noted, void ones too, since the start.")
INTERRUPTED_PENDING = Metric(
    "trimtab_interrupted_writes_pending",
    "Writes of an earlier run of which it is not known yet how they ended; their deployments are held.",
)
INTERRUPTED = Metric(
    "trimtab_interrupted_writes_total",
    "Writes of an earlier run by how they were found to have ended.",
    ("outcome",),
)
WAITING = Metric("trimtab_orders_waiting", "Orders that wait for a turn to be written.")

# -- what it depends on --------------------------------------------------------------------------
TARGET_REQUESTS = Metric(
    "trimtab_target_requests_total",
    "Requests to targets by outcome (ok, or how they failed).",
    ("target", "verb", "outcome"),
)
TARGET_LAST_READ = Metric(
    "trimtab_target_last_read_timestamp_seconds",
    "When all deployments of the target were last read; absent before the first time.",
    ("target",),
)
TARGET_READABLE = Metric(
    "trimtab_target_readable", "Whether the last reading of the target worked.", ("target",)
)
TARGET_DEPLOYMENTS = Metric(
    "trimtab_target_deployments", "Deployments known, under a policy or not.", ("target",)
)
CIRCUIT = Metric(
    "trimtab_circuit_state",
    "The circuit breaker of a target or a source; 1 for the state it is in.",
    ("dependency", "state"),
)
CIRCUIT_CHANGES = Metric(
    "trimtab_circuit_changes_total",
    "Changes of a circuit breaker by the state it went into.",
    ("dependency", "state"),
)
SOURCE_POLLS = Metric(
    "trimtab_source_polls_total",
    "Polls of sources by outcome (ok, or how they failed).",
    ("source", "endpoint", "outcome"),
)
SOURCE_DURATION = Metric(
    "trimtab_source_poll_duration_seconds", "How long polls took.", ("source", "endpoint")
)
SOURCE_SAMPLES = Metric(
    "trimtab_source_samples_total", "Samples that sources gave.", ("source", "endpoint")
)
SOURCE_DROPPED = Metric(
    "trimtab_source_samples_dropped_total",
    "Samples that sources gave and for which there was no room: the daemon does not keep up.",
    ("source", "endpoint"),
)
SOURCE_LAST_SUCCESS = Metric(
    "trimtab_source_last_success_timestamp_seconds",
    "When the source last answered; absent before the first time.",
    ("source", "endpoint"),
)

PUSH_REQUESTS = Metric(
    "trimtab_push_requests_total",
    "Requests to push sources by outcome (ok, or why they were refused).",
    ("source", "outcome"),
)
PUSH_SAMPLES = Metric(
    "trimtab_push_samples_total",
    "Samples of the push requests that were taken, by what became of them.",
    ("source", "outcome"),
)
PUSH_QUIET = Metric(
    "trimtab_push_quiet_signals_total",
    "Changes of signals that could change no rule's wish: they waited for the next regular decision.",
    ("source",),
)
PUSH_SERIES = Metric(
    "trimtab_push_series", "Series that signals are made of and that are remembered.", ("source",)
)
PUSH_LAST_ACCEPTED = Metric(
    "trimtab_push_last_accepted_timestamp_seconds",
    "When a push last changed a signal; absent before the first time.",
    ("source",),
)

# -- policies and deployments --------------------------------------------------------------------
POLICY_INFO = Metric(
    "trimtab_policy_info",
    "A policy in force; always 1.",
    ("policy", "owner", "mode", "actuation"),
)
POLICY_DEPLOYMENTS = Metric(
    "trimtab_policy_deployments", "Deployments that the policy decides for.", ("policy",)
)
POLICY_RELOADS = Metric(
    "trimtab_policy_reloads_total",
    "Readings of the policy files because of a change, a signal or a request, by how they ended.",
    ("result",),
)
POLICY_RELOAD_SUCCESSFUL = Metric(
    "trimtab_policy_reload_successful",
    "Whether everything that the policy files say is in force; 0 while a bad one keeps its last "
    "good version.",
)
POLICY_LAST_RELOAD = Metric(
    "trimtab_policy_last_reload_timestamp_seconds",
    "When the policy files were last read because of a change, a signal or a request.",
)
POLICY_BAD_FILES = Metric(
    "trimtab_policy_bad_files", "Policy files that are not in force as they are written."
)
HELD = Metric(
    "trimtab_deployments_held", "Deployments whose latest decision is to hold, by why.", ("reason",)
)
OVERRIDE_END = Metric(
    "trimtab_override_end_timestamp_seconds",
    "When an override in force ends by itself; `*` is every deployment, `blocks` the direction of a "
    "block.",
    ("deployment", "kind", "blocks"),
)
PRIMINGS = Metric(
    "trimtab_history_rules_total",
    "Rules that began with no memory and asked a source for the past, by what became of that.",
    ("source", "outcome"),
)
OVERRIDES = Metric(
    "trimtab_overrides_total",
    "Overrides that people gave, and how they ended.",
    ("kind", "change"),
)
STATE = Metric(
    "trimtab_deployment_state",
    "The deployment's state; 1 for the one it is in.",
    (*DEPLOYMENT_LABELS, "state"),
)
HOLD = Metric(
    "trimtab_deployment_hold",
    "Why the latest decision is to hold; absent when it is not.",
    (*DEPLOYMENT_LABELS, "reason"),
)
CURRENT = Metric(
    "trimtab_deployment_current_replicas",
    "Replicas really asked for before the latest decision, whatever the policy's mode.",
    DEPLOYMENT_LABELS,
)
DESIRED = Metric(
    "trimtab_deployment_desired_replicas",
    "Replicas asked for by the latest decision; where the policy only advises, what it would ask for.",
    DEPLOYMENT_LABELS,
)
SHADOW = Metric(
    "trimtab_deployment_shadow_replicas",
    "Replicas that the deployment would have by now, had the advice been followed; absent where the "
    "policy enforces.",
    DEPLOYMENT_LABELS,
)
WANTED = Metric(
    "trimtab_deployment_wanted_replicas",
    "Replicas the rules want before anything limits them; absent when they cannot tell.",
    DEPLOYMENT_LABELS,
)
MIN = Metric(
    "trimtab_deployment_min_replicas",
    "The lower end of the effective bounds; absent when no rule was applied.",
    DEPLOYMENT_LABELS,
)
MAX = Metric(
    "trimtab_deployment_max_replicas",
    "The upper end of the effective bounds; absent when no rule was applied.",
    DEPLOYMENT_LABELS,
)
ALLOWED = Metric(
    "trimtab_deployment_allowed_replicas",
    "The replicas wanted, as far as the effective bounds allow; `bound` is what set the end that cut "
    "them. Absent when nothing is wanted, or the bounds contradict each other.",
    (*DEPLOYMENT_LABELS, "bound"),
)
READY = Metric(
    "trimtab_deployment_ready_replicas", "Replicas that serve, as last read.", DEPLOYMENT_LABELS
)
ON_THEIR_WAY = Metric(
    "trimtab_deployment_on_their_way_replicas",
    "Replicas that exist and do not serve yet, as last read.",
    DEPLOYMENT_LABELS,
)
ACCELERATORS = Metric(
    "trimtab_deployment_accelerators",
    "Accelerators of the replicas that exist; absent while the shape is unknown.",
    (*DEPLOYMENT_LABELS, "accelerator_type"),
)
STUCK_SINCE = Metric(
    "trimtab_deployment_stuck_since_timestamp_seconds",
    "Since when replicas asked for take longer to serve than nearly all starts did; absent when none do.",
    DEPLOYMENT_LABELS,
)
EXPIRY = Metric(
    "trimtab_deployment_expiry_timestamp_seconds",
    "When the deployment expires; absent when it never does.",
    DEPLOYMENT_LABELS,
)
SPEND_RATE = Metric(
    "trimtab_deployment_spend_rate_usd_per_hour",
    "What the replicas that serve cost an hour; absent without a price or a known shape.",
    DEPLOYMENT_LABELS,
)
LEAD_TIME = Metric(
    "trimtab_deployment_lead_time_seconds",
    "How long a replica takes from being asked for until it serves: that share of starts is faster.",
    (*DEPLOYMENT_LABELS, "share"),
)
LEAD_TIME_SAMPLES = Metric(
    "trimtab_deployment_lead_time_samples",
    "Starts that the estimate of the lead time rests on; 0 while it is a start value.",
    DEPLOYMENT_LABELS,
)
DECIDED_AT = Metric(
    "trimtab_deployment_last_decision_timestamp_seconds",
    "When the deployment was last decided on.",
    DEPLOYMENT_LABELS,
)
IN_FLIGHT = Metric(
    "trimtab_deployment_write_in_flight", "Whether a write has not ended yet.", DEPLOYMENT_LABELS
)
ORDER_WITHHELD = Metric(
    "trimtab_deployment_order_withheld",
    "Why the latest order could not be begun; absent when it could.",
    (*DEPLOYMENT_LABELS, "reason"),
)
WRITE_FAILURES = Metric(
    "trimtab_deployment_write_failures",
    "Writes in a row that came to nothing, by what the last one ran into; absent since one worked.",
    (*DEPLOYMENT_LABELS, "error_kind"),
)
SIGNAL_VALUE = Metric(
    "trimtab_signal_value",
    "The value the latest decision rests on; absent when stale or missing.",
    (*DEPLOYMENT_LABELS, "signal"),
)
SIGNAL_AGE = Metric(
    "trimtab_signal_age_seconds",
    "How old the latest sample was at the latest decision; absent when there never was one.",
    (*DEPLOYMENT_LABELS, "signal"),
)
SIGNAL_USABLE = Metric(
    "trimtab_signal_usable",
    "Whether the signal could be used at the latest decision.",
    (*DEPLOYMENT_LABELS, "signal"),
)
SIGNAL_BLOCKS = Metric(
    "trimtab_signal_blocks",
    "Which direction the signal blocks as it is stale or missing and its contract says so; absent while none.",
    (*DEPLOYMENT_LABELS, "signal", "blocks"),
)

# -- closed label values -------------------------------------------------------------------------
SCALE_UP, SCALE_DOWN, HOLD_VERDICT = "scale_up", "scale_down", "hold"
REASONS = tuple(reason.value for reason in Reason)
MOVING_REASONS = tuple(
    reason.value
    for reason in (
        Reason.DEMAND,
        Reason.FLOOR,
        Reason.CEILING,
        Reason.BOUNDS,
        Reason.RELIEF,
        Reason.EXPIRY_DRAIN,
        Reason.PINNED,
    )
)
DIRECTION_UP, DIRECTION_DOWN = "up", "down"
DIRECTIONS = (DIRECTION_UP, DIRECTION_DOWN)
WRITE_OUTCOMES = tuple(status.value for status in WriteStatus)
JOURNAL_MODES = tuple(mode.value for mode in JournalMode)
CIRCUIT_STATES = tuple(state.value for state in CircuitState)
OVERTAKEN = "overtaken"
"""In place of an error kind: nothing failed, but the world kept moving on."""

WITHHELD_REASONS = tuple(reason.value for reason in Withheld)
OVERRIDE_KINDS = tuple(kind.value for kind in OverrideKind)
GIVEN, REPLACED, LIFTED, EXPIRED = "given", "replaced", "lifted", "expired"
OVERRIDE_CHANGES = (GIVEN, REPLACED, LIFTED, EXPIRED)
RELOAD_RESULTS = tuple(result.value for result in ReloadResult)
OK = "ok"
OUTCOMES = (OK, *(kind.value for kind in ErrorKind))
PUSH_OUTCOMES = tuple(
    dict.fromkeys((OK, *(one.value for one in Refusal), *(one.value for one in TurnedAway)))
)
PUSH_FATES = tuple(fate.value for fate in Fate)
VERBS = ("list", "read", "write", "quotas")
JUMP_DIRECTIONS = ("forward", "backward")

SECONDS_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
