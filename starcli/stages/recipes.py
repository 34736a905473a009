"""What determines the result of each stage, known before anything is computed.

A result is named by its recipe: what `RECIPES` gives, the stage's number in `REVISIONS`, which is
raised when the same recipe gives another result, and the names of its inputs; `pipeline.plan` puts
them together and `store.recipe_key.key_of` hashes them. Stages import torch and recipes do not, so
that what is in the store is found without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starcli.contracts import VIEWS, facets_of, is_in_text_space, views_of
from starcli.errors import MissingError, UsageError
from starcli.experiment import FINAL, Experiment
from starcli.settings.schema import PretrainSection
from starcli.stages.describe import facets
from starcli.text.equivalences import fingerprint

REVISIONS: Mapping[str, int] = {
    "prepare": 3,
    "describe": 1,
    "embed": 1,
    "pretrain": 3,
    "extract": 3,
    "train": 4,
    "evaluate": 1,
    "calibrate": 6,
}
"""Stage -> number of its algorithm."""
LESSONS = 4
"""Number of how made-up clips are left out, read and mixed in, raised as those of stages."""
SHARD_MB = 64.0
FIELDS = PretrainSection.model_fields
NEWER = ("foreign", "balance")
"""Settings of pretraining without which there were results before."""


def prepare(experiment: Experiment, role: str) -> dict[str, object]:
    """The recordings, the data set's settings, and what is done to every clip."""
    return {
        **experiment.dataset_recipe(role),
        "prepare": experiment.settings.prepare.model_dump(mode="json"),
    }


def describe(experiment: Experiment, role: str) -> dict[str, object]:
    """The describer and the names it is asked about."""
    names = {"classes": list(experiment.actions), "parts": list(facets(experiment))}
    return {**experiment.plugin("describer"), **names}


def embed(experiment: Experiment, role: str) -> dict[str, object]:
    """The encoder, the templates, the number of parts, and whether mirrored texts are there too."""
    settings = experiment.settings
    text = settings.text.model_dump()
    mirrored = {"mirrored": True} if experiment.learns_texts and settings.pretrain.mirror else {}
    more = {**mirrored, **experiment.teacher_recipe()}
    if "teacher" in more and settings.dataset.leave_out:
        more["leave_out"] = list(settings.dataset.leave_out)
    return {**experiment.plugin("encoder"), **text, "parts": settings.parts, **more}


def pretrain(experiment: Experiment, role: str) -> dict[str, object]:
    """The backbone, its training or its weights, the task's classes and clips, and the seed."""
    settings = experiment.settings
    common = {
        **experiment.plugin("backbone"),
        "task": experiment.task_recipe(role),
        "modality": settings.extract.modality,
    }
    if experiment.weights_digest is not None:
        return {
            **common,
            "weights": experiment.weights_digest,
            "trained_on": settings.backbone.trained_on,
            "frames": settings.pretrain.frames,
        }
    training = settings.pretrain.model_dump(mode="json", exclude={"recipe", *_unused(experiment)})
    taught = experiment.teacher_recipe()
    if taught:
        taught["lessons"] = LESSONS
        if settings.dataset.leave_out:
            taught["leave_out"] = list(settings.dataset.leave_out)
        if not settings.pretrain.teacher_told:
            taught["equivalences"] = fingerprint()
    return {**common, "pretrain": training, "seed": settings.seed, **taught}


def _unused(experiment: Experiment) -> tuple[str, ...]:
    """The settings of what is not chosen, and newer ones at their defaults: they are in no key."""
    settings = experiment.settings
    taught = tuple(key for key in type(settings.pretrain).model_fields if key.startswith("teacher"))
    objective = ("objective", "mirror") if settings.pretrain.objective == "classes" else ()
    newer = [key for key in NEWER if getattr(settings.pretrain, key) == FIELDS[key].default]
    alone = () if experiment.joined and experiment.unseen else ("own_share",)
    return (*objective, *newer, *alone, *(() if settings.pretrain.teacher else taught))


def extract(experiment: Experiment, role: str) -> dict[str, object]:
    """How clips are read, and which views the method asks for."""
    s, views = experiment.settings, list(wanted_views(experiment))
    recipe = {
        "frames": s.pretrain.frames,
        # The size of files changes no token; a constant in its place keeps the keys as they were.
        "extract": s.extract.model_dump(mode="json", exclude={"batch"}) | {"shard_mb": SHARD_MB},
        "task": experiment.task_recipe(role),
        "views": views,
    }
    if "augmented" in views:
        shape = s.pretrain.model_dump(
            mode="json", include={"crop", "crop_frames", "rotation", "scale"}
        )
        recipe |= {"augmentation": shape, "seed": s.seed}
    return recipe


def wanted_views(experiment: Experiment) -> tuple[str, ...]:
    """`plain`, then the further views that the method learns from.

    Raises:
        MissingError: It asks for one that does not exist.
    """
    loaded = experiment.loaded
    more = views_of(loaded.plugins["method"], loaded.plugin_settings["method"])
    for view in more:
        if view not in VIEWS:
            raise MissingError(
                f"method {experiment.settings.method.name} asks for view '{view}'",
                f"there are: {', '.join(VIEWS)}",
            )
    return ("plain", *more)


def train(experiment: Experiment, role: str) -> dict[str, object]:
    """The method, the task, the seed, and when a nested run stops."""
    _require_facets(experiment)
    _require_text_space(experiment)
    patience = experiment.settings.validation.patience
    return {
        **experiment.plugin("method"),
        "parts": experiment.settings.parts,
        "task": experiment.task_recipe(role),
        "seed": experiment.settings.seed,
        **({} if role == FINAL else {"patience": patience}),
    }


def _require_facets(experiment: Experiment) -> None:
    """Refuse a describer whose texts the method cannot read, before anything is computed."""
    plugins, settings = experiment.loaded.plugins, experiment.settings
    given, wanted = facets_of(plugins["describer"]) or (), facets_of(plugins["method"])
    # A method that names no facets reads those of the parts.
    readable = not given if wanted is None else set(wanted) <= {"name", *given}
    if not readable:
        reads = ", ".join(wanted or ("each part",))
        raise UsageError(
            f"method {settings.method.name} reads a text for {reads}, "
            f"describer {settings.describer.name} gives one for "
            f"{', '.join(given) or 'each part'}",
            "choose another with --describer or --method",
        )


def _require_text_space(experiment: Experiment) -> None:
    """Refuse tokens that nothing has made alike to texts, where the method takes them to be."""
    settings = experiment.settings
    learned = experiment.learns_texts or settings.backbone.weights is not None
    if is_in_text_space(experiment.loaded.plugins["method"]) and not learned:
        raise UsageError(
            f"method {settings.method.name} compares tokens with texts as they are, and "
            f"{settings.backbone.name} is pretrained on classes",
            "use --backbone part-pure, or --set pretrain.objective=texts",
        )


def evaluate(experiment: Experiment, role: str) -> dict[str, object]:
    """Everything that matters is in the inputs and the task.

    Raises:
        UsageError: No class is unseen.
    """
    if not experiment.unseen:
        raise UsageError(
            "no class is unseen, so that there is nothing to judge",
            "name recordings with starcli predict, measure with starcli benchmark transfer, or "
            "train with another --split",
        )
    return {"task": experiment.task_recipe(role)}


def calibrate(experiment: Experiment, role: str) -> dict[str, object]:
    """The settings of calibration; everything else that matters is in the inputs."""
    return experiment.settings.calibrate.model_dump()


RECIPES: Mapping[str, Callable[[Experiment, str], dict[str, object]]] = {
    "prepare": prepare,
    "describe": describe,
    "embed": embed,
    "pretrain": pretrain,
    "extract": extract,
    "train": train,
    "evaluate": evaluate,
    "calibrate": calibrate,
}
"""Stage -> what determines its result, from the experiment and the role of the step."""
