"""A trained model as one ONNX program: clips and texts in, scores out."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from starcli.contracts import TextScoringMethod
from starcli.errors import MissingError, NumericalError, UsageError
from starcli.prediction.model import TrainedModel

TOOLS = ("onnx", "onnxruntime", "onnxscript")
CLIPS, TEXTS, SCORES = "clips", "texts", "scores"
CLOSE = 1e-4
"""How far scores may be from those of torch."""


class Scorer(nn.Module):
    """Copies of a backbone and a method in one.

    Shapes: clips [N, 3, T, V, M] and texts [C, F, E] -> scores [N, C].

    Args:
        model: Whose they are.

    Raises:
        UsageError: The method does not take texts.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        if not isinstance(model.method, TextScoringMethod):
            raise UsageError(
                f"method {model.method_name} cannot be written as ONNX: texts are no input of it",
                "leave out --onnx, or train another, such as --method star",
            )
        self.backbone = deepcopy(model.backbone)
        self.method: TextScoringMethod = deepcopy(model.method)

    def forward(self, clips: Tensor, texts: Tensor) -> Tensor:
        """Clips [N, 3, T, V, M] and texts [C, F, E] -> scores [N, C]."""
        scores: Tensor = self.method.score_texts(self.backbone(clips), texts)
        return scores


def require_tools() -> None:
    """Refuse to begin where the ONNX tools are not installed.

    Raises:
        MissingError: One is not.
    """
    absent = [name for name in TOOLS if find_spec(name) is None]
    if absent:
        raise MissingError(
            f"--onnx needs {', '.join(absent)}, which the extra `onnx` has (125 MB)",
            "pip install 'starcli[onnx]'",
        )


def save_onnx(model: TrainedModel, path: Path) -> None:
    """Write a model as ONNX, and run it beside torch with texts and a batch that are new to it.

    Args:
        model: The model.
        path: The file.

    Raises:
        UsageError: The method does not take texts, or the backbone cannot be exported.
        NumericalError: ONNX Runtime scores otherwise.
    """
    scorer = Scorer(model).cpu().eval()
    free = {0: torch.export.Dim("clips")}, {0: torch.export.Dim("actions")}
    with torch.no_grad(), _quiet():
        try:
            program = torch.onnx.export(
                scorer,
                _examples(model, clips=3, actions=5),
                input_names=[CLIPS, TEXTS],
                output_names=[SCORES],
                dynamic_shapes=free,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise UsageError(
                f"the backbone or method cannot be written as ONNX: {_reason(error)}",
                "leave out --onnx, or train with a backbone and method of starcli's own",
            ) from error
        assert program is not None
        program.save(path)
    _require_equal(scorer, model, path)


def _examples(model: TrainedModel, *, clips: int, actions: int) -> tuple[Tensor, Tensor]:
    """Clips and texts of noise, one clip with a person fewer where there are several."""
    source = torch.Generator().manual_seed(clips)
    joints, facets, width = len(model.source.layout.joints), *model.bank.vectors.shape[1:]
    noise = torch.randn(clips, 3, model.frames, joints, model.persons, generator=source)
    noise[0, ..., 1:] = 0
    return noise, torch.randn(actions, facets, width, generator=source)


def _require_equal(scorer: Scorer, model: TrainedModel, path: Path) -> None:
    clips, texts = _examples(model, clips=2, actions=9)
    with torch.no_grad():
        want = scorer(clips, texts).numpy()
    difference = float(np.abs(run_onnx(path, clips, texts) - want).max())
    if not difference <= CLOSE * max(1.0, float(np.abs(want).max())):
        raise NumericalError(
            f"ONNX Runtime scores differ by {difference:.2g} from torch's",
            "leave out --onnx, and report it with the backbone and method",
            file=path.name,
        )


def run_onnx(
    path: Path, clips: Tensor, texts: Tensor
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Scores [N, C] of a file by ONNX Runtime.

    Args:
        path: The file.
        clips: [N, 3, T, V, M].
        texts: [C, F, E].
    """
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {CLIPS: clips.numpy(), TEXTS: texts.numpy()})
    return np.asarray(scores, np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own work and of libraries that are not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), open(os.devnull, "w") as nowhere:
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                yield
    finally:
        logging.disable(before)


def _reason(error: BaseException) -> str:
    """The first line of the error that the exporter's was raised for."""
    cause = error.__cause__ or error
    return next(iter(str(cause).splitlines()), type(cause).__name__)
