"""What the control plane describes, as frozen values: its words, our spelling, nothing left out.

Times are UTC seconds, ``None`` means never. Texts of enumerations are open (``vocabulary.py``).
``unknown_fields`` keeps what the API says beyond what is listed here: name to JSON text, cut short.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The detail of a resource's last operation; worth reading when its state is ``FAILED``.

    ``code`` is the *name* of a canonical code here, while an error body carries the integer.
    """

    code: str = "OK"
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStats:
    """How many replicas are how far: pending scheduling, downloading, initializing, ready.

    ``partial`` counts parts of replicas that span machines; ``effective`` is sent by the live API
    without being documented. At deployment level all are sums over regions.
    """

    pending_scheduling: int = 0
    downloading_model: int = 0
    initializing: int = 0
    ready: int = 0
    revocable: int = 0
    partial: float = 0.0
    effective: float = 0.0
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingSchedule:
    """A floor that the platform raises at the times of a five-field cron line in an IANA zone."""

    name: str
    min_replica_count: int = 0
    schedule: str = ""
    duration_seconds: float | None = None
    timezone: str = ""
    description: str = ""
    is_disabled: bool = False
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingPolicy:
    """How the platform itself scales while min < max. A window of ``None`` is the default's.

    Defaults: up 30 s, down 600 s, to zero 3,600 s; ``load_targets`` of nothing is
    ``{"default": 0.8}``. Of several load targets the one that asks for most replicas wins.
    """

    scale_up_window_seconds: float | None = None
    scale_down_window_seconds: float | None = None
    scale_to_zero_window_seconds: float | None = None
    load_targets: Mapping[str, float] = field(default_factory=dict, hash=False)
    scaling_schedules: tuple[ScalingSchedule, ...] = ()
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where replicas may run: exactly one of a region, a part of the world, a list of regions."""

    region: str | None = None
    multi_region: str | None = None
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentResource:
    """A dedicated deployment as the API describes it.

    Counts that the answer left out are 0, also ``max_replica_count``: 0 means that nobody wakes it.
    ``replica_count`` may exceed ``max_replica_count`` by revocable replicas. ``deployment_shape``
    is the name of a shape *version*. ``expire_time`` deleted the deployment once; now it only says so.
    """

    name: str
    display_name: str = ""
    description: str = ""
    base_model: str = ""
    create_time: float | None = None
    update_time: float | None = None
    expire_time: float | None = None
    delete_time: float | None = None
    purge_time: float | None = None
    state: str = "STATE_UNSPECIFIED"
    status: Status = Status()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    min_replica_count: int = 0
    max_replica_count: int = 0
    max_with_revocable_replica_count: int = 0
    desired_replica_count: int = 0
    replica_count: int = 0
    replica_stats: ReplicaStats = ReplicaStats()
    autoscaling_policy: AutoscalingPolicy | None = None
    max_concurrency_per_replica: int = 0
    deployment_shape: str = ""
    accelerator_type: str = "ACCELERATOR_TYPE_UNSPECIFIED"
    accelerator_count: int = 0
    precision: str = "PRECISION_UNSPECIFIED"
    placement: Placement | None = None
    region: str = "REGION_UNSPECIFIED"
    cluster: str = ""
    deployment_template: str = ""
    pricing_plan_id: str = ""
    max_context_length: int = 0
    enable_addons: bool = False
    num_peft_device_cached: int = 0
    draft_token_count: int = 0
    draft_model: str = ""
    ngram_speculation_length: int = 0
    enable_mtp: bool = False
    enable_session_affinity: bool = False
    auto_tune_long_prompt: bool = False
    disable_deployment_size_validation: bool = False
    direct_route_type: str = "DIRECT_ROUTE_TYPE_UNSPECIFIED"
    direct_route_api_keys: tuple[str, ...] = field(default=(), repr=False)
    direct_route_handle: str = ""
    active_model_version: str = ""
    target_model_version: str = ""
    enable_hot_load: bool = False
    hot_load_bucket_type: str = "BUCKET_TYPE_UNSPECIFIED"
    hot_load_bucket_url: str = ""
    enable_hot_reload_latest_addon: bool = False
    hot_load_trainer_job: str = ""
    hot_load_transition_type: str = ""
    for_training: bool = False
    preemptible: bool = False
    extra_args: tuple[str, ...] = ()
    extra_values: Mapping[str, str] = field(default_factory=dict, hash=False)
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeResource:
    """What one replica is made of. It carries no replica bounds: those are the deployment's."""

    name: str
    display_name: str = ""
    description: str = ""
    create_time: float | None = None
    update_time: float | None = None
    base_model: str = ""
    model_type: str = ""
    parameter_count: int = 0
    accelerator_count: int = 0
    accelerator_type: str = "ACCELERATOR_TYPE_UNSPECIFIED"
    precision: str = "PRECISION_UNSPECIFIED"
    preset_type: str = "PRESET_TYPE_UNSPECIFIED"
    max_context_length: int = 0
    enable_addons: bool = False
    num_lora_device_cached: int = 0
    draft_token_count: int = 0
    draft_model: str = ""
    ngram_speculation_length: int = 0
    disable_speculative_decoding: bool = False
    enable_session_affinity: bool = False
    disable_deployment_size_validation: bool = False
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeVersionResource:
    """An immutable snapshot of a shape; deployments refer to these, not to the shape."""

    name: str
    create_time: float | None = None
    snapshot: ShapeResource | None = None
    is_validated: bool = False
    is_public: bool = False
    is_latest_validated: bool = False
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaResource:
    """A limit of the account: ``value`` is enforced, ``max_value`` is how far a person may raise it.

    ``None`` where the answer left it out is not possible on this wire: absent means 0.
    """

    name: str
    value: int = 0
    max_value: int = 0
    usage: float = 0.0
    update_time: float | None = None
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResource:
    """One region's share of a deployment that spans several."""

    name: str
    create_time: float | None = None
    update_time: float | None = None
    state: str = "STATE_UNSPECIFIED"
    status: Status = Status()
    replica_stats: ReplicaStats = ReplicaStats()
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountResource:
    """The account that owns the deployments and pays for them."""

    name: str
    display_name: str = ""
    email: str = field(default="", repr=False)
    account_type: str = "ACCOUNT_TYPE_UNSPECIFIED"
    state: str = "STATE_UNSPECIFIED"
    status: Status = Status()
    suspend_state: str = "UNSUSPENDED"
    create_time: float | None = None
    update_time: float | None = None
    unknown_fields: Mapping[str, str] = field(default_factory=dict, hash=False)
