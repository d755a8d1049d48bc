"""What a simulation is run on: recorded load, made-up load, and the models that serve it.

Readers turn a source into ``Bins`` or ``Requests`` and say in a sentence what is wrong with it; a
workload made of them is a pure function of time, so nothing that it says of now depends on later.
These modules import numpy: import them where they are used.
"""

from trimtab.simulation.inputs.bins import Bins, RecordedWorkload
from trimtab.simulation.inputs.columns import Columns, parse_columns
from trimtab.simulation.inputs.disturbances import DISTURBANCES, Disturbance, disturbance
from trimtab.simulation.inputs.filling import Filling
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.lengths import BorrowedLengths, Lengths, MeanLengths
from trimtab.simulation.inputs.preset_files import read_presets
from trimtab.simulation.inputs.presets import LEAD_SECONDS, PRESETS, Preset, start_times_of
from trimtab.simulation.inputs.prometheus_range import TokensAre
from trimtab.simulation.inputs.reading import (
    Input,
    Options,
    lengths_of,
    read_input,
    requests_beside,
)
from trimtab.simulation.inputs.requests import Requests
from trimtab.simulation.inputs.scaling import (
    ScaledWorkload,
    SmoothedWorkload,
    capacity_of,
    mean_need,
    scaled_to_mean,
)
from trimtab.simulation.inputs.splicing import part, spliced
from trimtab.simulation.inputs.synthetic import SYNTHETIC, Synthetic

__all__ = [
    "DISTURBANCES",
    "LEAD_SECONDS",
    "PRESETS",
    "SYNTHETIC",
    "Bins",
    "BorrowedLengths",
    "Columns",
    "Disturbance",
    "Filling",
    "Input",
    "InputError",
    "Lengths",
    "MeanLengths",
    "Options",
    "Preset",
    "RecordedWorkload",
    "Requests",
    "ScaledWorkload",
    "SmoothedWorkload",
    "Synthetic",
    "TokensAre",
    "capacity_of",
    "disturbance",
    "lengths_of",
    "mean_need",
    "parse_columns",
    "part",
    "read_input",
    "read_presets",
    "requests_beside",
    "scaled_to_mean",
    "spliced",
    "start_times_of",
]
