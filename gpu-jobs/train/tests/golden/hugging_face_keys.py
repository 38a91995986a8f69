"""Writes hugging_face_sam_vit_base.json: key names and shapes of Hugging Face's SAM ViT-B.

Run with transformers 5.24.0 and PyTorch 2.15.0; no weights are involved.
"""

from pathlib import Path

import torch
from transformers import SamConfig, SamModel

with torch.device("meta"):
    state = SamModel(SamConfig()).state_dict()
lines = [f'"{key}": {list(value.shape)}' for key, value in sorted(state.items())]
out = Path(__file__).with_name("hugging_face_sam_vit_base.json")
out.write_text("{\n" + ",\n".join(lines) + "\n}\n")
