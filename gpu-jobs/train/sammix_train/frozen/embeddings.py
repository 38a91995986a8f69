"""Embeddings of a frozen image encoder, kept on disk under what they were computed from.

An embedding's name is the digest of the encoder's weights and of the slice's content, so another
checkpoint or another slice is never served a wrong one, and whatever was computed before a run was
killed is found by the next. They are stored as float16: an embedding leaves the encoder through
a layer norm, so its values are of order 1 and half the disk costs a relative 5e-4 at most; a slice
of LiteMedSAM takes 2 MiB.
"""

import copy
import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from ..config import SLICE_SIZE_PX, ModelConfig
from ..export.graphs import bundle_graphs, export_graph
from ..model.sam_mix import SamMix, SliceEncoder


class EmbeddingStore:
    """Computes embeddings once. What is missing is computed by ONNX Runtime, slice by slice: on a
    CPU faster than PyTorch.

    Args:
        folder: where embeddings are kept; made if it is not there. Several processes may share it.
        model: whose encoder is frozen; ValueError for the hybrid encoder, which has further outputs
            that are larger than its embedding.
        threads: of ONNX Runtime.
    """

    def __init__(self, folder: Path, model: SamMix, threads: int = 1) -> None:
        if model.config.encoder == "hybrid":
            raise ValueError("embeddings are kept of the encoders vit and tiny_vit, not of hybrid")
        self._encoder, self._config = copy.deepcopy(model.encoder).cpu().eval(), model.config
        self._encoder.kept = None  # this one computes
        self._threads = threads
        self._session: onnxruntime.InferenceSession | None = None
        self.folder = folder / encoder_sha256(model)[:16]
        self.folder.mkdir(parents=True, exist_ok=True)

    def __deepcopy__(self, memo: dict) -> "EmbeddingStore":
        """Itself: an averaged copy of a model shares what its frozen encoder computed."""
        return self

    def path(self, image: np.ndarray) -> Path:
        """The file of the embedding of uint8[256, 256]."""
        name = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
        return self.folder / f"{name}.npy"

    def embedding(self, image: np.ndarray) -> np.ndarray:
        """float16[c, e, e] of uint8[256, 256], from disk or computed now."""
        path = self.path(image)
        if path.exists():
            return np.load(path)
        found = self._computed(image)
        part = path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as handle:
            np.save(handle, found)
        os.replace(part, path)
        return found

    def encoded(self, image: Tensor) -> tuple[Tensor]:
        """As `SliceEncoder`, for float32[n, 1, 256, 256] that are whole numbers / 255."""
        grey = (image[:, 0].cpu() * 255).round().to(torch.uint8).numpy()
        stacked = torch.from_numpy(np.stack([self.embedding(g) for g in grey]))
        return (stacked.float().to(image.device),)

    def _computed(self, image: np.ndarray) -> np.ndarray:
        if self._session is None:
            self._session = _session(self._encoder, self._config, self._threads)
        unit = image.astype(np.float32)[None, None] / 255
        found = self._session.run(["embedding"], {"image": unit})[0][0]
        limit = np.finfo(np.float16).max
        if not np.abs(found).max() < limit:  # NaN too
            raise ValueError(f"expected embeddings below {limit}, found {np.abs(found).max()}")
        return found.astype(np.float16)


def keep_embeddings(model: SamMix, folder: Path, *copies: SamMix) -> EmbeddingStore:
    """Has a model, and copies of it, take their one frozen encoder's outputs from `folder`.

    Raises ValueError where the encoder learns: kept embeddings would be those of older weights.
    """
    learning = [n for n, p in model.encoder.named_parameters() if p.requires_grad]
    if learning:
        raise ValueError(
            'embeddings can be kept where the encoder does not learn: adapt "decoder" or'
            f' "decoder+classifier"; here {len(learning)} of its tensors do'
        )
    store = EmbeddingStore(folder, model)
    for one in (model, *copies):
        one.encoder.kept = store
    return store


def encoder_sha256(model: SamMix) -> str:
    """Digest of the encoder's shape and weights."""
    digest = hashlib.sha256(f"{model.config.encoder} {model.config.image_size}".encode())
    for name, value in sorted(model.encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _session(
    encoder: SliceEncoder, config: ModelConfig, threads: int
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    graph = bundle_graphs(config)["encoder"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / graph.file
        example = torch.rand(2, 1, SLICE_SIZE_PX, SLICE_SIZE_PX)
        export_graph(encoder, (example,), graph, path)
        return onnxruntime.InferenceSession(str(path), options)
