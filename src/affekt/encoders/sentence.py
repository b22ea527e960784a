"""The small JSON files by which `SentenceTransformer(folder)` and `Model.embed` give the same vectors."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from affekt.encoders.pretrained import stated
from affekt.errors import ModelError

_MODULES = ("Transformer", "Pooling", "Normalize")  # what affekt's own `embed` does


def write_sentence_transformer(
    folder: Path, *, dimension: int, pooling: str, max_length: int, dense: list[nn.Linear] | None = None
) -> None:
    """Describe a transformer, its pooling, a projection (layers with a ReLU between) and unit length."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    _write(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    modes = {
        "word_embedding_dimension": dimension,
        "pooling_mode_cls_token": pooling == "cls",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    _write(folder / "1_Pooling" / "config.json", modes)
    for i, layer in enumerate(dense or []):
        name = f"{len(modules)}_Dense"
        _write_dense(folder / name, layer, last=i == len(dense or []) - 1)
        modules.append((name, "Dense"))
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listing = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    _write(folder / "modules.json", listing)


def _write_dense(folder: Path, layer: nn.Linear, *, last: bool) -> None:
    activation = "torch.nn.modules.linear.Identity" if last else "torch.nn.modules.activation.ReLU"
    config = {
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "bias": layer.bias is not None,
        "activation_function": activation,
    }
    _write(folder / "config.json", config)
    state = {
        f"linear.{name}": value.detach().to(torch.float32).contiguous()
        for name, value in layer.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def read_sentence_transformer(name: str, revision: str | None = None) -> dict[str, Any]:
    """Return `pooling` and `max_length` as far as a folder or Hub model states them; mean if it does not.

    Raises:
        ModelError: When it pools in another way than "cls" or "mean", has further modules, such as a Dense
            after the pooling, or its files cannot be read.
    """
    modules = stated(name, "modules.json", revision, [])
    types = [module.get("type") if isinstance(module, dict) else module for module in modules]
    kinds = dict.fromkeys(str(name).rpartition(".")[2] for name in types)
    others = ", ".join(kind for kind in kinds if kind not in _MODULES)
    if others:
        raise ModelError(
            f"{name}: its vectors pass through {others}, which affekt would leave out; embed with "
            "SentenceTransformer, or train: encoder.name takes the transformer alone."
        )
    pooling = stated(name, "1_Pooling/config.json", revision, {})
    modes = [mode for mode, on in pooling.items() if mode.startswith("pooling_mode_") and on is True]
    mode = str(pooling.get("pooling_mode") or (modes[0] if len(modes) == 1 else modes or "mean"))
    mode = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}.get(mode, mode)
    if mode not in {"cls", "mean"}:
        raise ModelError(f"{name}: its vectors are pooled by {mode}; affekt pools by cls or mean only.")
    longest = stated(name, "sentence_bert_config.json", revision, {}).get("max_seq_length")
    return {"pooling": mode} | ({"max_length": longest} if longest else {})


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
