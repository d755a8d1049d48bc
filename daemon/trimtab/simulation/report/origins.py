"""Where recorded loads come from, by the name of their files, so that a page can cite them.

Recordings are not part of the project. A file that is not listed here is cited as the reader's own.
"""

from __future__ import annotations

SPLITWISE = (
    "Azure LLM inference trace 2023 (Splitwise, ISCA 2024), CC-BY 4.0, github.com/Azure/"
    "AzurePublicDataset"
)
SERVEGEN = "ServeGen (arXiv 2505.09999), Apache 2.0, github.com/alibaba/ServeGen"
SERVEGEN_CLIENT = f"one client of m-large in {SERVEGEN}"
NAB = "Numenta Anomaly Benchmark, MIT, github.com/numenta/NAB"
NASA = "NASA-HTTP 1995, Internet Traffic Archive; counts from reconfigurable-ml-pipeline"

ORIGINS = {
    "azure_code_2023": SPLITWISE,
    "azure_conv_2023": SPLITWISE,
    "azure_code_2024_fig": (
        "Azure LLM inference dataset 2024 (DynamoLLM, HPCA 2025), CC-BY 4.0, read off its figures"
    ),
    "mooncake_synthetic": "Mooncake (FAST 2025), Apache 2.0, github.com/kvcache-ai/Mooncake",
    "alibaba_genai_lora": "Alibaba cluster-trace-v2026-GenAI, github.com/alibaba/clusterdata",
    "servegen_m_large": f"m-large of {SERVEGEN}",
    "servegen_deepseek_r1": f"deepseek-r1 of {SERVEGEN}",
    "worldcup98": (
        "1998 World Cup access logs, HP and the Internet Traffic Archive; counts from "
        "github.com/nimamahmoudi/worldcup98-dataset"
    ),
    "nasa_jul95": NASA,
    "nasa_aug95": NASA,
    "nab_nyc_taxi": NAB,
    "nab_elb_requests": NAB,
    "nab_tweets_amzn": NAB,
}
"""Exact names; those that begin with ``tenant_`` or ``servegen_m_`` are of ServeGen as well."""

OWN = "made up by this project"
UNKNOWN = "not recorded"


def origin_of(load: str, *, is_made_up: bool) -> str:
    """Return what to cite for a load."""
    if is_made_up:
        return OWN
    if load.startswith(("tenant_", "servegen_m_")) and load not in ORIGINS:
        return SERVEGEN_CLIENT
    return ORIGINS.get(load, UNKNOWN)
