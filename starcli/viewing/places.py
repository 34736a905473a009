"""Clips of a place to be viewed: files of poses, a data set, or the test clips of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from itertools import islice
from pathlib import Path

from starcli import registry
from starcli.contracts import BadClip, DatasetSource, Recording
from starcli.data import imported
from starcli.data.importing import checks, sources
from starcli.data.importing.conversion import Facts, Meaning
from starcli.data.importing.labels import Labelled, labelled
from starcli.data.importing.reading import agreed, by_file, clip_of, recordings
from starcli.errors import AbsentError, DataError, StarError, UsageError, suggest
from starcli.experiment import FINAL, Experiment, make_source
from starcli.settings.resolve import load, load_recorded, run_section
from starcli.store import runs
from starcli.store.artifacts import Artifact, Store
from starcli.viewing.skeletons import Shown, spread


@dataclass(frozen=True)
class Wanted:
    """A choice of the clips of a place.

    Args:
        clips: Names of clips; none for any.
        most: So many of any at most.
        raw: Recordings of a data set.
        reader: Format of files; None to find it.
        meaning: What the user says of files.
        pattern: A regular expression with groups `class`, `subject`, `view` for names of files.
        fps: Frames a second of files that do not say them.
    """

    clips: Sequence[str] = ()
    most: int = 20
    raw: Path | None = None
    reader: str | None = None
    meaning: Meaning = field(default_factory=Meaning)
    pattern: str | None = None
    fps: float | None = None

    @property
    def says_of_files(self) -> bool:
        """Whether anything is said of how files are to be read."""
        return (self.reader, self.pattern, self.fps, self.meaning) != (None, None, None, Meaning())


@dataclass
class Seen:
    """The chosen clips of a place.

    Args:
        title: What it is.
        clips: Clips, one or more.
        bad: Why others cannot be shown.
        more: Whether there are more than were wanted.
    """

    title: str
    clips: list[Shown] = field(default_factory=list)
    bad: list[StarError] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True)
class Unread:
    """A recording before it is read.

    Args:
        name: Its name, with which the names of its clips begin.
        read: Reads its clips; an error stands in the place of one that cannot be read.
    """

    name: str
    read: Callable[[], Iterator[Shown | StarError]]


def look(place: str, wanted: Wanted, store: Path | None = None, config: Path | None = None) -> Seen:
    """The clips of a place.

    Args:
        place: A file, folder, zip or index of poses, or the name of a data set or run; a folder
            that is called like one of these is `./NAME`.
        wanted: Which clips, and how files are read.
        store: Folder of all results.
        config: Settings file.

    Raises:
        UsageError: There is no such place or clip, or what is wanted does not fit the place.
        DataError: Nothing there can be shown.
    """
    given = {} if store is None else {"run.store": store}
    section = run_section(given, config)
    root = section.store
    if registry.matches("dataset", place) or place in imported.names(root):
        _require_plain(place, "data set", wanted)
        loaded = load({**given, "dataset.name": place}, config)
        raw = wanted.raw or loaded.settings.run.raw
        return _dataset(make_source(loaded), place, raw, Store(root), wanted)
    known = runs.names(root)
    if known and (place == "latest" or place in known):
        _require_plain(place, "run", wanted)
        name, recorded = runs.load_run(root, None if place == "latest" else place)
        experiment = Experiment(load_recorded(recorded["settings"], section), recorded)
        return look_at_run(experiment, name, recorded["steps"].get("prepare", ""), wanted)
    if os.path.lexists(place) or os.path.basename(place) != place or "." in place:
        return look_at_files(Path(place), wanted)
    names = [*(entry.name for entry in registry.entries("dataset")), *imported.names(root), *known]
    raise UsageError(f"no file, data set or run '{place}'", suggest(place, names))


def _require_plain(place: str, kind: str, wanted: Wanted) -> None:
    """Refuse options that say how files are to be read."""
    if wanted.says_of_files:
        raise UsageError(
            f"'{place}' is a {kind}; --reader, --layout, --class-pattern, --up, --unit, --fps, "
            "--people, --mirrored and --swap-sides are for files",
            f"leave them out; a folder of this name is ./{place}",
        )


def look_at_files(place: Path, wanted: Wanted) -> Seen:
    """The clips of a file, folder, zip or index of poses.

    Args:
        place: Where they are.
        wanted: Which clips, and how files are read.

    Raises:
        UsageError: There is no such clip, or what is wanted is not for files.
        DataError: Nothing there can be shown.
    """
    if wanted.raw is not None:
        raise UsageError("--raw names the recordings of a data set", "leave it out")
    with sources.unpacked(place) as folder:
        items, _ = labelled(folder, wanted.reader, wanted.pattern, wanted.meaning.layout, place)
        meaning = agreed([item.source for item in items], wanted.meaning)
        unread = [
            Unread(source.name, partial(_of_file, parts, meaning, wanted.fps))
            for source, parts in by_file(items).items()
        ]
        return _chosen(unread, wanted, os.path.basename(os.path.abspath(place)))


def _of_file(parts: Sequence[Labelled], meaning: Meaning, fps: float | None) -> Iterator[Shown]:
    """The recordings of a file that are meant, each as it is seen in its own layout."""
    for entry, poses in recordings(parts, fps):
        clip = clip_of(entry, poses, meaning, parts[0].source.format)
        facts = clip.facts
        lines = (
            f"format {clip.format}, layout {facts.layout}, unit {facts.unit}, "
            f"x y z from {' '.join(facts.axes)}",
            _size(clip.joints.shape, facts.fps),
            f"{facts.missing:.1%} of joints not seen; about {facts.body.height:.2f} m tall",
            *facts.notes,
            *(f"warning: {line}" for line in _warnings(entry.name, facts)),
        )
        yield Shown(entry.name, clip.joints, clip.layout, entry.action, facts.fps, lines)


def _size(shape: Sequence[int], fps: float | None) -> str:
    frames, people = shape[:2]
    rate = f"{fps:g} frames a second" if fps else "frames a second not known, played at 30"
    return f"{frames} frames, {people} {'person' if people == 1 else 'people'}, {rate}"


def _warnings(name: str, facts: Facts) -> list[str]:
    """What contradicts a body, also what an import would refuse: here it is to be seen."""
    layouts = [registry.layout(entry.name) for entry in registry.entries("layout")]
    try:
        lines = checks.contradictions([checks.Clip(name, facts)], layouts)
    except DataError as error:
        return [f"{error.message}: {error.fix}"]
    return [line.removeprefix(f"{name}: ") for line in lines]


def _dataset(
    source: DatasetSource, name: str, raw: Path | None, store: Store, wanted: Wanted
) -> Seen:
    """Clips as they are read; where the recordings are not at hand, as they were prepared."""
    if wanted.raw is not None and source.request is None:
        raise UsageError(f"{name} reads no recordings, but --raw names some", "leave it out")
    if raw is not None or source.request is None:
        unread = [
            Unread(each.name, partial(_of_recording, source, each))
            for each in source.recordings(raw)
        ]
        return _chosen(unread, wanted, name)
    short = name.rpartition(":")[2]
    prepared = [
        each
        for each in store.all("prepare")
        if str(each.meta["recipe"]["plugin"]).rpartition(":")[2] == short
    ]
    if not prepared:
        raise AbsentError(
            f"the recordings of {name} are needed", f"name them with --raw; {source.request}"
        )
    return _chosen(_prepared(prepared[0], source), wanted, f"{name}, as prepared")


def _of_recording(source: DatasetSource, recording: Recording) -> Iterator[Shown | StarError]:
    fps = source.fps if isinstance(source, imported.Imported) else None
    for clip in source.clips(recording):
        if isinstance(clip, BadClip):
            yield clip.error
            continue
        facts = (_size(clip.joints.shape, fps),)
        label = source.classes[clip.label]
        yield Shown(clip.name, clip.joints, source.layout, label, fps, facts)


def look_at_run(experiment: Experiment, name: str, key: str, wanted: Wanted) -> Seen:
    """The test clips of a run with their true classes.

    Args:
        experiment: Its settings and plugins.
        name: What the store knows it by.
        key: Key of its prepared clips.
        wanted: Which clips.

    Raises:
        UsageError: There is no such clip.
        DataError: They are gone.
    """
    artifact = experiment.store.get("prepare", key)
    if artifact is None:
        raise DataError(
            f"the prepared clips of run '{name}' are gone", "make them again with: starcli train"
        )
    unread = _prepared(artifact, experiment.source, experiment)
    return _chosen(unread, wanted, f"test clips of run {name}")


def _prepared(
    artifact: Artifact, source: DatasetSource, run: Experiment | None = None
) -> list[Unread]:
    """Clips that `prepare` made; of a run, those that it is judged on."""
    from starcli.data.clips import ClipSet

    clips = ClipSet.open(artifact)
    steps = ", ".join(artifact.meta["recipe"]["prepare"]["normalise"]) or "no normalisation"
    index = clips.index
    which = range(len(index.names)) if run is None else run.task(index, FINAL).test
    roles = (
        {}
        if run is None
        else {**dict.fromkeys(run.seen, " (seen)"), **dict.fromkeys(run.unseen, " (unseen)")}
    )

    def read(number: int) -> Iterator[Shown]:
        joints, label = clips.joints(number).numpy(), index.labels[number]
        facts = (_size(joints.shape, None), f"as prepared: {steps}")
        named = source.classes[label] + roles.get(label, "")
        yield Shown(index.names[number], joints, source.layout, named, facts=facts)

    return [Unread(index.names[number], partial(read, number)) for number in which]


def _chosen(unread: Sequence[Unread], wanted: Wanted, title: str) -> Seen:
    """The clips that are wanted, read one by one until there are enough."""
    seen = Seen(title)
    if wanted.clips:
        _choose_named(unread, wanted.clips, seen)
        return seen
    for number in spread(len(unread), wanted.most):
        room = wanted.most - len(seen.clips)
        clips = list(islice(_read(unread[number], seen.bad), room + 1))
        seen.more = seen.more or len(clips) > room
        seen.clips += clips[:room]
    seen.more = seen.more or len(unread) > wanted.most
    if not seen.clips:
        raise seen.bad[0] if seen.bad else DataError(f"{title} has no clips", "name another place")
    return seen


def _choose_named(unread: Sequence[Unread], names: Sequence[str], seen: Seen) -> None:
    """Add the clips of these names; recordings whose names they begin with are read first."""
    missing = dict.fromkeys(names)
    for each in sorted(unread, key=lambda each: not any(n.startswith(each.name) for n in missing)):
        for clip in _read(each, seen.bad):
            if clip.name in missing:
                seen.clips.append(clip)
                del missing[clip.name]
        if not missing:
            return
    if seen.bad:
        raise seen.bad[0]
    name, known = next(iter(missing)), [each.name for each in unread]
    near = get_close_matches(name, known, n=5, cutoff=0.3) or known[:5]
    raise UsageError(f"no clip '{name}' in {seen.title}", suggest(name, near))


def _read(unread: Unread, bad: list[StarError]) -> Iterator[Shown]:
    """The clips of a recording that can be read."""
    try:
        for clip in unread.read():
            if isinstance(clip, Shown):
                yield clip
            else:
                bad.append(clip)
    except DataError as error:
        bad.append(error)
