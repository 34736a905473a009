"""starcli from Python: train, judge and calibrate a run, then name recordings with it.

    python examples/walkthrough.py

It runs on the embedded data set with a tiny network, so that it is soon over; the numbers only
show that things work. Results go to a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import starcli
from starcli.contracts import Progress

TINY = {
    "dataset.subjects": 4,
    "backbone.widths": [16, 32],
    "backbone.strides": [2, 2],
    "pretrain.frames": 32,
    "pretrain.epochs": 8,
    "method.epochs": 8,
}
"""Any settings, by the names that `starcli train --show-settings` lists."""


class Shown(Progress):
    """Progress; without such an object the calls are silent."""

    def done(self, what: str, seconds: float | None = None) -> None:
        """Print what has been done."""
        print(f"  {what}", file=sys.stderr)


def main(folder: Path) -> None:
    """Everything once, with all files in a folder."""
    store = folder / "store"

    print("Train: whatever is missing runs first, and nothing runs twice.")
    run = starcli.train(parts=6, seed=0, store=store, settings=TINY, progress=Shown())
    assert starcli.open_run(store=store).name == run.name

    print("Judge on test clips, with gamma chosen on classes held out of the seen ones.")
    found = starcli.evaluate(run)
    print(f"  ZSL {found['zsl']['accuracy']:.0%}, chance {found['zsl']['chance']:.0%}")
    print(f"  H {found['gzsl']['harmonic_mean']:.0%} at gamma {found['gzsl']['gamma']:.3f}")
    print(f"  the picture: {Path(starcli.calibrate(run)['files'][1]).name}")

    print("Name a recording: an array [frames, joints, 3], here a clip of a test subject.")
    file = folder / "clip.npy"
    np.save(file, recorded(run))
    for action in starcli.predict(run, file)["predictions"][0]["actions"]:
        print(f"  {action['score']:.3f}  {action['name']} ({action['role']})")

    print("Or choose among actions that the run was never told of.")
    actions = ["wave at somebody", "do a squat", "kick a ball"]
    named = starcli.predict(run, file, actions=actions, describer="names")
    for action in named["predictions"][0]["actions"]:
        print(f"  {action['score']:.3f}  {action['name']} ({action['role']})")

    print("Errors say what to do.")
    try:
        starcli.train(split="fold9", store=store)
    except starcli.StarError as error:
        print(f"  {error}; {error.fix}")


def recorded(run: starcli.Run) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The joints of one clip that the run was tested on."""
    source = run.experiment.source
    clips = (clip for recording in source.recordings(None) for clip in source.clips(recording))
    wanted = "wave to a crowd while dancing sideways"
    chosen = (c for c in clips if c.subsets["xsub"] == "test" and source.classes[c.label] == wanted)
    return next(chosen).joints


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
