"""The three ONNX graphs of a bundle, their export and their parity with PyTorch."""

import copy
import dataclasses
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from ..config import SLICE_SIZE_PX, ModelConfig
from ..model.sam.lora import merge_lora
from ..model.sam_mix import PromptedDecoder, SamMix

OPSET = 17
MAX_PARITY_ERROR = 5e-4


class DecoderGraph(nn.Module):
    """`PromptedDecoder` with a flat signature: encoder outputs, then cam_mask, then box."""

    def __init__(self, decoder: PromptedDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        *encoded, cam_mask, box = inputs
        return self.decoder(tuple(encoded), cam_mask, box)


@dataclass(frozen=True)
class Graph:
    """One graph with its tensors' names and shapes; the leading "n" is the batch."""

    file: str
    inputs: dict[str, list]
    outputs: dict[str, list]

    def describe(self) -> dict:
        """The GRAPH object of bundle.json."""

        def tensors(shapes: dict[str, list]) -> list[dict]:
            return [{"name": n, "dtype": "float32", "shape": s} for n, s in shapes.items()]

        return {
            "file": self.file,
            "inputs": tensors(self.inputs),
            "outputs": tensors(self.outputs),
        }


def bundle_graphs(config: ModelConfig) -> dict[str, Graph]:
    """The graphs of a model configuration."""
    size, grid, c = SLICE_SIZE_PX, config.embedding_grid, config.channels
    image = {"image": ["n", 1, size, size]}
    encoded = {"embedding": ["n", c, grid, grid]}
    if config.encoder == "hybrid":
        encoded["high_res_s4"] = ["n", c // 4, 2 * grid, 2 * grid]
        encoded["high_res_s2"] = ["n", c // 8, 4 * grid, 4 * grid]
    cam = ["n", 1, config.cam_grid, config.cam_grid]
    prompts = {"cam_mask": ["n", 1, size, size], "box": ["n", 4]}
    masks = {"mask_logits": ["n", 3, size, size], "scores": ["n", 3]}
    return {
        "classifier": Graph("classifier.onnx", image, {"logit": ["n", 1], "cam": cam}),
        "encoder": Graph("encoder.onnx", image, encoded),
        "decoder": Graph("decoder.onnx", {**encoded, **prompts}, masks),
    }


def merged_model(model: SamMix) -> SamMix:
    """A copy on the CPU in eval mode with LoRA merged into the layers that it adapts."""
    model = copy.deepcopy(model).cpu().eval()
    if model.config.lora_rank:
        merge_lora(model.encoder.image_encoder)
        model.config = dataclasses.replace(model.config, lora_rank=0)
    return model


def export_modules(model: SamMix) -> dict[str, nn.Module]:
    """Modules to trace, of `merged_model`."""
    model = merged_model(model)
    modules = {
        "classifier": model.classifier,
        "encoder": model.encoder,
        "decoder": DecoderGraph(model.decoder),
    }
    # torch.onnx.export restores the wrapper's own train flag on its children: eval() each wrapper
    return {name: module.eval() for name, module in modules.items()}


def example_inputs(model: SamMix, n: int, seed: int = 0) -> dict[str, tuple[Tensor, ...]]:
    """Inputs for each graph: noise, an all-zero slice, boxes at the border, an empty mask."""
    generator = torch.Generator().manual_seed(seed)
    size = SLICE_SIZE_PX
    image = torch.rand(n, 1, size, size, generator=generator)
    cam_mask = (torch.rand(n, 1, size, size, generator=generator) > 0.5).float()
    image[-1], cam_mask[-1] = 0, 0
    box = torch.tensor([[0.0, 0.0, size - 1, size - 1], [64.0, 64, 191, 191]])[torch.arange(n) % 2]
    with torch.no_grad():
        encoded = copy.deepcopy(model).cpu().eval().encoder(image)
    return {
        "classifier": (image,),
        "encoder": (image,),
        "decoder": (*encoded, cam_mask, box),
    }


def export_graphs(model: SamMix, folder: Path) -> dict[str, float]:
    """Writes the three files and returns each graph's largest difference to PyTorch.

    Raises ValueError when a graph differs from PyTorch by more than `MAX_PARITY_ERROR`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    modules = export_modules(model)
    inputs = example_inputs(model, 2)
    errors = {}
    for name, graph in bundle_graphs(model.config).items():
        path = folder / graph.file
        export_graph(modules[name], inputs[name], graph, path)
        onnx.checker.check_model(str(path), full_check=True)
        errors[name] = max(
            parity_error(modules[name], path, graph, example_inputs(model, n, seed=n)[name])
            for n in (1, 3)
        )
        if errors[name] > MAX_PARITY_ERROR:
            raise ValueError(f"{graph.file} differs from PyTorch by {errors[name]:.1e}")
    return errors


def export_graph(module: nn.Module, inputs: tuple[Tensor, ...], graph: Graph, path: Path) -> None:
    """Writes one graph, with its initialisers by name and the declared shapes."""
    names = [*graph.inputs, *graph.outputs]
    with warnings.catch_warnings(), torch.no_grad():
        # the tracing exporter is deprecated, but the newer one starts at opset 18
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            inputs,
            str(path),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={name: {0: "n"} for name in names},
            opset_version=OPSET,
            dynamo=False,
            # Weights stay as they are and keep their names, so that a bundle can be trained
            # further; onnxruntime folds batch norms and transposes when it opens the graph.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
        )
    fix_output_shapes(path, graph)


def fix_output_shapes(path: Path, graph: Graph) -> None:
    """Writes the declared output shapes into the file; tracing leaves some of them symbolic."""
    model = onnx.load(path)
    for value in model.graph.output:
        shape = value.type.tensor_type.shape
        for dim, wanted in zip(shape.dim, graph.outputs[value.name], strict=True):
            if isinstance(wanted, int):
                dim.dim_value = wanted
            else:
                dim.dim_param = wanted
    onnx.save(model, path)


def parity_error(module: nn.Module, path: Path, graph: Graph, inputs: tuple[Tensor, ...]) -> float:
    """Largest difference between PyTorch and onnxruntime, relative to outputs above 1."""
    with torch.no_grad():
        expected = module(*inputs)
    session = onnx_session(path)
    feeds = {name: t.numpy() for name, t in zip(graph.inputs, inputs, strict=True)}
    found = session.run(list(graph.outputs), feeds)
    return max(
        float(np.max(np.abs(f - e.numpy()) / np.maximum(1, np.abs(e.numpy()))))
        for f, e in zip(found, expected, strict=True)
    )


def onnx_session(path: Path, threads: int = 2) -> onnxruntime.InferenceSession:
    """A CPU session; short spinning, because the cores may be shared."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(path), sess_options=options, providers=["CPUExecutionProvider"]
    )
