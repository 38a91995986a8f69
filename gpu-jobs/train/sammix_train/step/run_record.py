"""What a run was: configuration, stages, labelled slices, versions, machine."""

import json
import platform
from pathlib import Path

import torch

from .. import __version__
from ..config import config_sha256, config_to_dict
from ..data.sampling import StepSampler, slice_ids_sha256
from ..data.slices import licences
from .state import RunState, stage_to_dict


def write_run_record(
    path: Path, state: RunState, sampler: StepSampler, data_record: dict | None
) -> None:
    """Writes run.json; it names every slice whose mask the run may use."""
    pool = sampler.pool
    own = licences(pool)
    path.write_text(
        json.dumps(
            {
                "version": __version__,
                "config": config_to_dict(state.config),
                "configSha256": config_sha256(*(stage.config for stage in state.stages)),
                "earlierStages": [stage_to_dict(stage) for stage in state.earlier],
                "base": state.base,
                "labelledIds": sorted(pool.records[i].slice_id for i in sampler.labelled),
                "labelledIdsSha256": slice_ids_sha256(pool, sampler.labelled),
                "labelledSlices": len(sampler.labelled),
                "unlabelledSlices": len(sampler.unlabelled),
                **(data_record or {"split": {}, "dataNotes": []}),
                "licences": [*state.licences, *(e for e in own if e not in state.licences)],
                "torch": torch.__version__,
                "machine": device_description(),
            },
            indent=1,
        )
    )


def device_description() -> str:
    """Accelerator name, or CPU threads and architecture."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"
