"""Batches are the same whether they are made ahead or not; none is made long before it is used."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor

from starcli.errors import DataError
from starcli.training.device import ahead, batches


def test_batches_made_ahead_are_those_in_order() -> None:
    made = [int(batch) for batch in ahead(torch.tensor, range(5))]
    assert made == [int(batch) for batch in batches(torch.tensor, range(5), torch.device("cpu"))]
    assert made == list(range(5))


def test_one_batch_is_made_while_another_is_used() -> None:
    second = threading.Event()

    def make(item: int) -> Tensor:
        if item == 1:
            second.set()
        return torch.tensor(item)

    first = next(ahead(make, range(9)))
    assert (int(first), second.wait(20)) == (0, True)


def test_on_the_cpu_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []

    def make(item: int) -> Tensor:
        made.append(item)
        return torch.tensor(item)

    every = batches(make, range(9), torch.device("cpu"))
    next(every)
    assert made == [0]


def test_an_error_comes_where_its_batch_would() -> None:
    def make(item: int) -> Tensor:
        if item == 1:
            raise DataError("is damaged")
        return torch.tensor(item)

    every = ahead(make, range(3))
    assert int(next(every)) == 0
    with pytest.raises(DataError, match="is damaged"):
        next(every)


def test_another_device_gets_the_batches() -> None:
    every = list(batches(torch.tensor, [1, 2], torch.device("meta")))
    assert [batch.device.type for batch in every] == ["meta", "meta"]
