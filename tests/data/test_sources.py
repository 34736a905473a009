"""Files by the thousand: what is known of them stays in memory, what they hold does not."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from starcli.data.importing import reading, sources
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.labels import labelled
from starcli.poses import PoseFile
from tests.bodies import body

CACHES = {name for name, what in vars(PoseFile).items() if isinstance(what, cached_property)}


def held(file: PoseFile) -> set[str]:
    return CACHES & vars(file).keys()


def test_of_many_files_nothing_is_held(tmp_path: Path) -> None:
    for number in range(sources.FEW + 1):
        np.savetxt(tmp_path / f"{number}.txt", np.zeros((1, 1)))  # a format of text, but no poses
        np.save(tmp_path / f"{number}.npy", body())
    found = sources.find(tmp_path, sources.readers())
    assert len(found.sources) == sources.FEW + 1
    assert not any(held(file) for source in found.sources for file in source.files)


def test_a_recording_that_has_been_read_is_not_held(tmp_path: Path) -> None:
    from starcli_plugins.datasets.ntu import sample

    name = "S001C001P001R001A001"
    (tmp_path / f"{name}.skeleton").write_bytes(sample.text(name, 4))
    items, _ = labelled(tmp_path, None, None)
    (file,) = items[0].source.files
    assert held(file)
    (clip,) = reading.clips(items, Meaning())
    assert clip.joints.shape[0] == 4
    assert not held(file)
