"""The tables of the API's messages: field, type, read-only, enum values.

Values and fields are the union of every official source, so that a client of any age is
understood. Unknown ones are refused, as the live API does.
"""

from __future__ import annotations

from trimtab.emulator.fields import Field, Kind
from trimtab.emulator.messages import Message

STATES = ("STATE_UNSPECIFIED", "CREATING", "READY", "DELETING", "FAILED", "UPDATING", "DELETED")
ACCOUNT_STATES = ("STATE_UNSPECIFIED", "CREATING", "READY", "UPDATING", "DELETING")
SHARD_STATES = STATES[:-1]
STATUS_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)
SUSPEND_STATES = (
    *("UNSUSPENDED", "FAILED_PAYMENTS", "CREDIT_DEPLETED", "MONTHLY_SPEND_LIMIT_EXCEEDED"),
    "BLOCKED_BY_ABUSE_RULE",
)
ACCELERATORS = (
    *("ACCELERATOR_TYPE_UNSPECIFIED", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB", "AMD_MI300X_192GB"),
    *("NVIDIA_A10G_24GB", "NVIDIA_A100_40GB", "NVIDIA_L4_24GB", "NVIDIA_H200_141GB"),
    *("NVIDIA_B200_180GB", "AMD_MI325X_256GB", "AMD_MI350X_288GB", "NVIDIA_B300_288GB"),
)
PRECISIONS = (
    *("PRECISION_UNSPECIFIED", "FP16", "FP8", "FP8_MM", "FP8_AR", "FP8_MM_KV_ATTN", "FP8_KV"),
    *("FP8_MM_V2", "FP8_V2", "FP8_MM_KV_ATTN_V2", "NF4", "FP4", "BF16", "FP4_BLOCKSCALED_MM"),
    "FP4_MX_MOE",
)
PRESETS = (
    *("PRESET_TYPE_UNSPECIFIED", "MINIMAL", "FAST", "THROUGHPUT", "FULL_PRECISION"),
    *("AGENTIC_CODING", "CHAT", "SUMMARIZATION"),
)
REGIONS = (
    *("REGION_UNSPECIFIED", "US_IOWA_1", "US_VIRGINIA_1", "US_VIRGINIA_2", "US_ILLINOIS_1"),
    *("AP_TOKYO_1", "EU_LONDON_1", "US_ARIZONA_1", "US_TEXAS_1", "US_ILLINOIS_2"),
    *("EU_FRANKFURT_1", "US_TEXAS_2", "EU_PARIS_1", "EU_HELSINKI_1", "US_NEVADA_1"),
    *("EU_ICELAND_1", "EU_ICELAND_2", "US_WASHINGTON_1", "US_WASHINGTON_2", "US_WASHINGTON_3"),
    *("AP_TOKYO_2", "US_CALIFORNIA_1", "US_UTAH_1", "EU_ICELAND_DEV_1", "US_ARIZONA_2"),
    *("US_MISSOURI_1", "US_TEXAS_3", "US_ARIZONA_3", "US_GEORGIA_1", "US_GEORGIA_2"),
    *("US_WASHINGTON_4", "US_GEORGIA_3", "NA_BRITISHCOLUMBIA_1", "US_GEORGIA_4"),
    *("EU_ICELAND_3", "US_OHIO_1", "US_NEWYORK_1", "EU_NETHERLANDS_1", "US_WASHINGTON_5"),
    *("US_MINNESOTA_1", "US_CALIFORNIA_2", "AP_MALAYSIA_1", "US_OHIO_2"),
)
MULTI_REGIONS = ("MULTI_REGION_UNSPECIFIED", "GLOBAL", "US", "EUROPE", "APAC")
DIRECT_ROUTES = (
    *("DIRECT_ROUTE_TYPE_UNSPECIFIED", "INTERNET", "GCP_PRIVATE_SERVICE_CONNECT"),
    "AWS_PRIVATELINK",
)
BUCKETS = ("BUCKET_TYPE_UNSPECIFIED", "MINIO", "S3", "NEBIUS", "FW_HOSTED")


def _many(kind: Kind, names: str, *, is_read_only: bool = False) -> list[Field]:
    return [Field(name, kind, is_read_only=is_read_only) for name in names.split()]


def _output(kind: Kind, names: str) -> list[Field]:
    return _many(kind, names, is_read_only=True)


def _enum(name: str, values: tuple[str, ...], *, is_read_only: bool = False) -> Field:
    return Field(name, Kind.ENUM, values=values, is_read_only=is_read_only)


def _part(name: str, message: Message, *, is_read_only: bool = False) -> Field:
    return Field(name, Kind.MESSAGE, message=message, is_read_only=is_read_only)


def _list(name: str, kind: Kind = Kind.STRING, values: tuple[str, ...] = ()) -> Field:
    return Field(name, kind, is_repeated=True, values=values)


STATUS = Message("Status", [_enum("code", STATUS_CODES), Field("message", Kind.STRING)])
REPLICA_STATS = Message(
    "ReplicaStats",
    [
        *_output(Kind.INT32, "pendingSchedulingReplicaCount downloadingModelReplicaCount"),
        *_output(Kind.INT32, "initializingReplicaCount readyReplicaCount revocableReplicaCount"),
        *_output(Kind.FLOAT, "partialReplicaCount"),
        *_output(Kind.INT32, "effectiveReplicaCount"),
    ],
)
SCHEDULE = Message(
    "ScalingSchedule",
    [
        Field("minReplicaCount", Kind.INT32, is_required=True),
        *_many(Kind.STRING, "schedule"),
        *_many(Kind.DURATION, "duration"),
        *_many(Kind.STRING, "timezone description"),
        *_many(Kind.BOOL, "disabled"),
    ],
)
POLICY = Message(
    "AutoscalingPolicy",
    [
        *_many(Kind.DURATION, "scaleUpWindow scaleDownWindow scaleToZeroWindow"),
        Field("loadTargets", Kind.FLOAT, is_map=True),
        Field("scalingSchedules", Kind.MESSAGE, is_map=True, message=SCHEDULE),
    ],
)
PLACEMENT = Message(
    "Placement",
    [
        _enum("region", REGIONS),
        _enum("multiRegion", MULTI_REGIONS),
        _list("regions", Kind.ENUM, REGIONS),
    ],
)
DEPLOYMENT = Message(
    "Deployment",
    [
        *_output(Kind.STRING, "name"),
        *_many(Kind.STRING, "displayName description"),
        *_output(Kind.TIMESTAMP, "createTime"),
        *_many(Kind.TIMESTAMP, "expireTime"),
        *_output(Kind.TIMESTAMP, "purgeTime deleteTime"),
        _enum("state", STATES, is_read_only=True),
        _part("status", STATUS, is_read_only=True),
        Field("annotations", Kind.STRING, is_map=True),
        *_many(Kind.INT32, "minReplicaCount maxReplicaCount maxWithRevocableReplicaCount"),
        *_output(Kind.INT32, "desiredReplicaCount replicaCount"),
        _part("autoscalingPolicy", POLICY),
        *_many(Kind.STRING, "baseModel"),
        *_many(Kind.INT32, "acceleratorCount"),
        _enum("acceleratorType", ACCELERATORS),
        _enum("precision", PRECISIONS),
        *_output(Kind.STRING, "cluster"),
        *_many(Kind.BOOL, "enableAddons"),
        *_many(Kind.INT32, "draftTokenCount"),
        *_many(Kind.STRING, "draftModel"),
        *_many(Kind.INT32, "ngramSpeculationLength"),
        *_many(Kind.BOOL, "enableMtp enableSessionAffinity"),
        _list("directRouteApiKeys"),
        *_many(Kind.INT32, "numPeftDeviceCached"),
        _enum("directRouteType", DIRECT_ROUTES),
        *_output(Kind.STRING, "directRouteHandle"),
        *_many(Kind.STRING, "deploymentTemplate"),
        _part("autoTune", Message("AutoTune", _many(Kind.BOOL, "longPrompt"))),
        _part("placement", PLACEMENT),
        _enum("region", REGIONS, is_read_only=True),
        *_many(Kind.INT32, "maxContextLength"),
        *_output(Kind.TIMESTAMP, "updateTime"),
        *_many(Kind.BOOL, "disableDeploymentSizeValidation enableHotLoad"),
        _enum("hotLoadBucketType", BUCKETS),
        *_many(Kind.BOOL, "enableHotReloadLatestAddon"),
        _enum("hotLoadTransitionType", ("TRANSITION_TYPE_UNSPECIFIED", "ASYNC", "SYNC")),
        *_many(Kind.STRING, "deploymentShape activeModelVersion targetModelVersion"),
        _part("replicaStats", REPLICA_STATS, is_read_only=True),
        *_many(Kind.STRING, "hotLoadBucketUrl pricingPlanId hotLoadTrainerJob"),
        *_many(Kind.BOOL, "forTraining preemptible"),
        _list("extraArgs"),
        Field("extraValues", Kind.STRING, is_map=True),
        *_many(Kind.INT32, "maxConcurrencyPerReplica"),
    ],
)
SHAPE = Message(
    "DeploymentShape",
    [
        *_output(Kind.STRING, "name"),
        *_many(Kind.STRING, "displayName description"),
        *_output(Kind.TIMESTAMP, "createTime updateTime"),
        *_many(Kind.STRING, "baseModel"),
        *_output(Kind.STRING, "modelType"),
        *_output(Kind.INT64, "parameterCount"),
        *_many(Kind.INT32, "acceleratorCount"),
        _enum("acceleratorType", ACCELERATORS),
        _enum("precision", PRECISIONS),
        *_many(Kind.BOOL, "disableDeploymentSizeValidation enableAddons"),
        *_many(Kind.INT32, "draftTokenCount"),
        *_many(Kind.STRING, "draftModel"),
        *_many(Kind.INT32, "ngramSpeculationLength"),
        *_many(Kind.BOOL, "disableSpeculativeDecoding enableSessionAffinity"),
        *_many(Kind.INT32, "numLoraDeviceCached maxContextLength"),
        _enum("presetType", PRESETS),
    ],
)
SHAPE_VERSION = Message(
    "DeploymentShapeVersion",
    [
        *_output(Kind.STRING, "name"),
        *_output(Kind.TIMESTAMP, "createTime"),
        _part("snapshot", SHAPE, is_read_only=True),
        *_many(Kind.BOOL, "validated public"),
        *_output(Kind.BOOL, "latestValidated"),
    ],
)
QUOTA = Message(
    "Quota",
    [
        *_output(Kind.STRING, "name"),
        *_many(Kind.INT64, "value maxValue"),
        *_output(Kind.DOUBLE, "usage"),
        *_output(Kind.TIMESTAMP, "updateTime"),
    ],
)
MONEY = Message(
    "Money",
    [
        *_many(Kind.STRING, "currencyCode"),
        *_many(Kind.INT64, "units"),
        *_many(Kind.INT32, "nanos"),
    ],
)
NOTIFICATIONS = Message(
    "NotificationSettings",
    [Field("monthlySpendThresholds", Kind.MESSAGE, is_repeated=True, message=MONEY)],
)
ACCOUNT = Message(
    "Account",
    [
        *_output(Kind.STRING, "name"),
        *_many(Kind.STRING, "displayName"),
        *_output(Kind.TIMESTAMP, "createTime"),
        _enum("accountType", ("ACCOUNT_TYPE_UNSPECIFIED", "ENTERPRISE")),
        *_many(Kind.STRING, "email"),
        _enum("state", ACCOUNT_STATES, is_read_only=True),
        _part("status", STATUS, is_read_only=True),
        _enum("suspendState", SUSPEND_STATES, is_read_only=True),
        *_output(Kind.TIMESTAMP, "updateTime"),
        _part("notificationSettings", NOTIFICATIONS),
    ],
)
SHARD = Message(
    "DeploymentShard",
    [
        *_output(Kind.STRING, "name"),
        *_output(Kind.TIMESTAMP, "createTime updateTime"),
        _enum("state", SHARD_STATES, is_read_only=True),
        _part("status", STATUS, is_read_only=True),
        _part("replicaStats", REPLICA_STATS, is_read_only=True),
    ],
)
ROUTER = Message(
    "Router",
    [
        *_output(Kind.STRING, "name"),
        *_many(Kind.STRING, "displayName"),
        *_output(Kind.TIMESTAMP, "createTime"),
        *_output(Kind.STRING, "createdBy"),
        _enum("state", ACCOUNT_STATES, is_read_only=True),
        _part("status", STATUS, is_read_only=True),
        _list("deployments"),
        *_many(Kind.STRING, "model"),
        _part("weightedRandom", Message("WeightedRandomStrategy", [])),
        _part("evenLoad", Message("EvenLoadStrategy", [])),
        Field("aliases", Kind.STRING, is_repeated=True, is_read_only=True),
        *_output(Kind.BOOL, "autoGenerated"),
        *_many(Kind.BOOL, "public"),
    ],
)
SCALE_BODY = Message("ScaleDeploymentBody", _many(Kind.INT32, "replicaCount"))
EMPTY = Message("Empty", [])
CREATE_REQUEST = Message(
    "CreateDeploymentRequest",
    [
        *_many(Kind.STRING, "parent deploymentId"),
        _part("deployment", DEPLOYMENT),
        *_many(Kind.BOOL, "disableAutoDeploy disableSpeculativeDecoding validateOnly"),
        *_many(Kind.BOOL, "skipShapeValidation skipImageTagValidation acceptShapelessRisk"),
    ],
)
MATCH_BODY = Message(
    "MatchDeploymentShapeVersionsBody",
    [
        _part("createDeploymentRequest", CREATE_REQUEST),
        *_many(Kind.INT32, "pageSize"),
        *_many(Kind.STRING, "pageToken filter orderBy readMask"),
    ],
)
