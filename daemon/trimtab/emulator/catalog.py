"""The public models and shapes that every emulator starts with.

The gpt-oss-120b rows are as recorded from the live API; the Llama rows match the hardware of the
plant's measured serving models. All shapes belong to the account ``fireworks``.
"""

from __future__ import annotations

from dataclasses import dataclass

PUBLIC_ACCOUNT = "fireworks"


@dataclass(frozen=True, slots=True)
class Model:
    """A base model. Parameters in billions; ``active_billions`` are those one token touches."""

    id: str
    model_type: str
    billions: float
    active_billions: float
    context_tokens: int

    @property
    def name(self) -> str:
        """The resource name."""
        return f"accounts/{PUBLIC_ACCOUNT}/models/{self.id}"


@dataclass(frozen=True, slots=True)
class ShapeRow:
    """One shape with its first, validated and public version."""

    id: str
    version: str
    model: str
    accelerator_count: int
    accelerator_type: str
    precision: str
    preset: str
    enable_addons: bool = False


MODELS: tuple[Model, ...] = (
    Model("gpt-oss-120b", "gpt_oss", 117, 5.1, 131_072),
    Model("gpt-oss-20b", "gpt_oss", 21, 3.6, 131_072),
    Model("llama-v3p1-8b-instruct", "llama", 8, 8, 131_072),
    Model("llama-v3p3-70b-instruct", "llama", 70, 70, 131_072),
    Model("qwen3-8b", "qwen3", 8.2, 8.2, 40_960),
    Model("qwen3-235b-a22b", "qwen3_moe", 235, 22, 262_144),
    Model("deepseek-v3p1", "deepseek_v3", 671, 37, 163_840),
)

_GPT, _SMALL = "gpt-oss-120b", "llama-v3p1-8b-instruct"
_LARGE = "llama-v3p3-70b-instruct"
_H100, _H200, _A100 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_A100_80GB"
_B200, _B300 = "NVIDIA_B200_180GB", "NVIDIA_B300_288GB"

SHAPES: tuple[ShapeRow, ...] = (
    ShapeRow("gpt-oss-120b-minimal", "etmdyl20", _GPT, 1, _H200, "FP4", "MINIMAL"),
    ShapeRow("gpt-oss-120b-throughput", "wfnwyws6", _GPT, 4, _H100, "FP4", "THROUGHPUT"),
    ShapeRow("gpt-oss-120b-fast", "d26dwe4v", _GPT, 4, _H200, "FP4", "FAST"),
    ShapeRow("gpt-oss-120b-coding-throughput", "msm8pgeq", _GPT, 4, _B200, "FP4", "AGENTIC_CODING"),
    ShapeRow("rft-gpt-oss-120b", "ldpwuten", _GPT, 1, _B200, "FP4", "FULL_PRECISION"),
    ShapeRow("xu5j0oe4", "j8ks8bag", _GPT, 1, _B300, "FP4", "PRESET_TYPE_UNSPECIFIED"),
    ShapeRow(
        "llama-8b-minimal", "k3v9q2ma", _SMALL, 1, _H100, "BF16", "MINIMAL", enable_addons=True
    ),
    ShapeRow("llama-8b-economy", "p7x2w4nd", _SMALL, 1, _A100, "BF16", "PRESET_TYPE_UNSPECIFIED"),
    ShapeRow("llama-70b-throughput", "z5r8t1cb", _LARGE, 4, _H100, "BF16", "THROUGHPUT"),
    ShapeRow("llama-70b-economy", "h2f6y9ke", _LARGE, 4, _A100, "BF16", "PRESET_TYPE_UNSPECIFIED"),
    ShapeRow("qwen3-8b-fast", "b4n7u3gw", "qwen3-8b", 1, _H200, "FP8", "FAST"),
    ShapeRow("qwen3-235b-chat", "e9s1m6vx", "qwen3-235b-a22b", 8, _H200, "FP8", "CHAT"),
    ShapeRow(
        "deepseek-v3p1-throughput", "q8d3j5ly", "deepseek-v3p1", 8, _B200, "FP8", "THROUGHPUT"
    ),
)

_BY_NAME = {model.name: model for model in MODELS}


def find_model(name: str) -> Model | None:
    """Return the catalogue's model of this resource name."""
    return _BY_NAME.get(name)


def model_or_guess(name: str) -> Model:
    """Return the model, or a stand-in for one we do not know: 8B, so that anything can be tried."""
    known = _BY_NAME.get(name)
    return known or Model(name.rsplit("/", 1)[-1], "custom", 8.0, 8.0, 32_768)


REGIONS_BY_ACCELERATOR: dict[str, tuple[str, ...]] = {
    _H100: (
        *("US_ARIZONA_1", "US_ILLINOIS_1", "US_IOWA_1", "US_TEXAS_2", "US_VIRGINIA_1"),
        *("US_WASHINGTON_2", "EU_FRANKFURT_1", "AP_TOKYO_1"),
    ),
    _H200: (
        *("US_VIRGINIA_1", "US_CALIFORNIA_1", "US_GEORGIA_3", "EU_ICELAND_1", "EU_ICELAND_2"),
        "AP_TOKYO_2",
    ),
    _B200: (
        *("US_GEORGIA_2", "US_OHIO_1", "US_UTAH_1", "US_WASHINGTON_3", "US_WASHINGTON_4"),
        "EU_ICELAND_2",
    ),
    _A100: ("US_ILLINOIS_2",),
}
"""Where each accelerator exists; types that are not listed are everywhere in US_IOWA_1."""
_PREFIXES = {"US": ("US_", "NA_"), "EUROPE": ("EU_",), "APAC": ("AP_",)}


def regions_for(accelerator_type: str, multi_region: str) -> tuple[str, ...]:
    """Return the regions of a multi-region that have the accelerator."""
    regions = REGIONS_BY_ACCELERATOR.get(accelerator_type, ("US_IOWA_1",))
    prefixes = _PREFIXES.get(multi_region)
    return regions if prefixes is None else tuple(r for r in regions if r.startswith(prefixes))
