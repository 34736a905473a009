"""Seeds of their own for every purpose."""

from __future__ import annotations

from starcli.training.seeds import derive


def test_derived_seeds_differ_by_every_name() -> None:
    names: list[tuple[str | int, ...]] = [
        (),
        ("epoch",),
        ("epoch", 0),
        ("epoch", 1),
        ("dropout", 0),
        ("epoch", "0"),
        ("e", "poch"),
        ("train", "final"),
        ("train", "validation"),
        ("trainfinal",),
    ]
    seeds = [derive(seed, *name) for seed in (0, 1) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive(0, "train", "final") == derive(0, "train", "final") == 70445503460374445
