"""The words that the API uses for its enumerations, as far as they are known.

All of them are open: the API grows values faster than its own SDK does (``NVIDIA_B300_288GB`` is in
its OpenAPI document only). A word that is not listed is kept as the text it is and never raises;
these classes exist to write the known ones without misspelling them.
"""

from __future__ import annotations

from enum import StrEnum


class DeploymentState(StrEnum):
    """Where a deployment is in its life."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    CREATING = "CREATING"
    READY = "READY"
    DELETING = "DELETING"
    FAILED = "FAILED"
    UPDATING = "UPDATING"
    DELETED = "DELETED"


class ShardState(StrEnum):
    """Where one region's share of a deployment is in its life."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    CREATING = "CREATING"
    READY = "READY"
    DELETING = "DELETING"
    FAILED = "FAILED"
    UPDATING = "UPDATING"


class AccountState(StrEnum):
    """Where an account is in its life."""

    STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
    CREATING = "CREATING"
    READY = "READY"
    UPDATING = "UPDATING"
    DELETING = "DELETING"


class AccountType(StrEnum):
    """What kind of account it is."""

    ACCOUNT_TYPE_UNSPECIFIED = "ACCOUNT_TYPE_UNSPECIFIED"
    ENTERPRISE = "ENTERPRISE"


class SuspendState(StrEnum):
    """Why an account serves nothing at the moment, if it does not."""

    UNSUSPENDED = "UNSUSPENDED"
    FAILED_PAYMENTS = "FAILED_PAYMENTS"
    CREDIT_DEPLETED = "CREDIT_DEPLETED"
    MONTHLY_SPEND_LIMIT_EXCEEDED = "MONTHLY_SPEND_LIMIT_EXCEEDED"
    BLOCKED_BY_ABUSE_RULE = "BLOCKED_BY_ABUSE_RULE"


class AcceleratorType(StrEnum):
    """What a replica runs on; the number is the memory of one accelerator."""

    ACCELERATOR_TYPE_UNSPECIFIED = "ACCELERATOR_TYPE_UNSPECIFIED"
    NVIDIA_A10G_24GB = "NVIDIA_A10G_24GB"
    NVIDIA_L4_24GB = "NVIDIA_L4_24GB"
    NVIDIA_A100_40GB = "NVIDIA_A100_40GB"
    NVIDIA_A100_80GB = "NVIDIA_A100_80GB"
    NVIDIA_H100_80GB = "NVIDIA_H100_80GB"
    NVIDIA_H200_141GB = "NVIDIA_H200_141GB"
    NVIDIA_B200_180GB = "NVIDIA_B200_180GB"
    NVIDIA_B300_288GB = "NVIDIA_B300_288GB"
    AMD_MI300X_192GB = "AMD_MI300X_192GB"
    AMD_MI325X_256GB = "AMD_MI325X_256GB"
    AMD_MI350X_288GB = "AMD_MI350X_288GB"


class Precision(StrEnum):
    """The number format that a model's weights are served in."""

    PRECISION_UNSPECIFIED = "PRECISION_UNSPECIFIED"
    FP16 = "FP16"
    BF16 = "BF16"
    FP8 = "FP8"
    FP8_MM = "FP8_MM"
    FP8_AR = "FP8_AR"
    FP8_MM_KV_ATTN = "FP8_MM_KV_ATTN"
    FP8_KV = "FP8_KV"
    FP8_MM_V2 = "FP8_MM_V2"
    FP8_V2 = "FP8_V2"
    FP8_MM_KV_ATTN_V2 = "FP8_MM_KV_ATTN_V2"
    NF4 = "NF4"
    FP4 = "FP4"
    FP4_BLOCKSCALED_MM = "FP4_BLOCKSCALED_MM"
    FP4_MX_MOE = "FP4_MX_MOE"


class PresetType(StrEnum):
    """What a shape was made to be good at."""

    PRESET_TYPE_UNSPECIFIED = "PRESET_TYPE_UNSPECIFIED"
    MINIMAL = "MINIMAL"
    FAST = "FAST"
    THROUGHPUT = "THROUGHPUT"
    FULL_PRECISION = "FULL_PRECISION"
    AGENTIC_CODING = "AGENTIC_CODING"
    CHAT = "CHAT"
    SUMMARIZATION = "SUMMARIZATION"


class MultiRegion(StrEnum):
    """The parts of the world that replicas may be spread over."""

    MULTI_REGION_UNSPECIFIED = "MULTI_REGION_UNSPECIFIED"
    GLOBAL = "GLOBAL"
    US = "US"
    EUROPE = "EUROPE"
    APAC = "APAC"


class DirectRouteType(StrEnum):
    """How traffic may go around the gateway."""

    DIRECT_ROUTE_TYPE_UNSPECIFIED = "DIRECT_ROUTE_TYPE_UNSPECIFIED"
    INTERNET = "INTERNET"
    GCP_PRIVATE_SERVICE_CONNECT = "GCP_PRIVATE_SERVICE_CONNECT"
    AWS_PRIVATELINK = "AWS_PRIVATELINK"


class HotLoadBucketType(StrEnum):
    """Where weights that are swapped in while serving come from."""

    BUCKET_TYPE_UNSPECIFIED = "BUCKET_TYPE_UNSPECIFIED"
    MINIO = "MINIO"
    S3 = "S3"
    NEBIUS = "NEBIUS"
    FW_HOSTED = "FW_HOSTED"


class HotLoadTransitionType(StrEnum):
    """Whether replicas change weights together or one by one."""

    ASYNC = "ASYNC"
    SYNC = "SYNC"


class Region(StrEnum):
    """The data centres that have been named so far."""

    REGION_UNSPECIFIED = "REGION_UNSPECIFIED"
    AP_MALAYSIA_1 = "AP_MALAYSIA_1"
    AP_TOKYO_1 = "AP_TOKYO_1"
    AP_TOKYO_2 = "AP_TOKYO_2"
    EU_FRANKFURT_1 = "EU_FRANKFURT_1"
    EU_HELSINKI_1 = "EU_HELSINKI_1"
    EU_ICELAND_1 = "EU_ICELAND_1"
    EU_ICELAND_2 = "EU_ICELAND_2"
    EU_ICELAND_3 = "EU_ICELAND_3"
    EU_ICELAND_DEV_1 = "EU_ICELAND_DEV_1"
    EU_LONDON_1 = "EU_LONDON_1"
    EU_NETHERLANDS_1 = "EU_NETHERLANDS_1"
    EU_PARIS_1 = "EU_PARIS_1"
    NA_BRITISHCOLUMBIA_1 = "NA_BRITISHCOLUMBIA_1"
    US_ARIZONA_1 = "US_ARIZONA_1"
    US_ARIZONA_2 = "US_ARIZONA_2"
    US_ARIZONA_3 = "US_ARIZONA_3"
    US_CALIFORNIA_1 = "US_CALIFORNIA_1"
    US_CALIFORNIA_2 = "US_CALIFORNIA_2"
    US_GEORGIA_1 = "US_GEORGIA_1"
    US_GEORGIA_2 = "US_GEORGIA_2"
    US_GEORGIA_3 = "US_GEORGIA_3"
    US_GEORGIA_4 = "US_GEORGIA_4"
    US_ILLINOIS_1 = "US_ILLINOIS_1"
    US_ILLINOIS_2 = "US_ILLINOIS_2"
    US_IOWA_1 = "US_IOWA_1"
    US_MINNESOTA_1 = "US_MINNESOTA_1"
    US_MISSOURI_1 = "US_MISSOURI_1"
    US_NEVADA_1 = "US_NEVADA_1"
    US_NEWYORK_1 = "US_NEWYORK_1"
    US_OHIO_1 = "US_OHIO_1"
    US_OHIO_2 = "US_OHIO_2"
    US_TEXAS_1 = "US_TEXAS_1"
    US_TEXAS_2 = "US_TEXAS_2"
    US_TEXAS_3 = "US_TEXAS_3"
    US_UTAH_1 = "US_UTAH_1"
    US_VIRGINIA_1 = "US_VIRGINIA_1"
    US_VIRGINIA_2 = "US_VIRGINIA_2"
    US_WASHINGTON_1 = "US_WASHINGTON_1"
    US_WASHINGTON_2 = "US_WASHINGTON_2"
    US_WASHINGTON_3 = "US_WASHINGTON_3"
    US_WASHINGTON_4 = "US_WASHINGTON_4"
    US_WASHINGTON_5 = "US_WASHINGTON_5"
