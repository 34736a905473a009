"""Skeleton graphs, and what the graph backbones share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli.errors import DataError
from starcli_plugins.backbones.base import (
    SkeletonBackbone,
    conv_norm,
    fuse_batch_norm,
    renamed,
    scaled_conv,
)
from starcli_plugins.backbones.graph import Partition, dense, from_dense, skeleton_graph
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33

pytestmark = pytest.mark.numerical
LAYOUTS = [KINECT_V1, KINECT_V2, COCO_17, MEDIAPIPE_33]
EVERY = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
PARTITIONS: list[Partition] = ["distance", "distance-published", "direction"]
CHAIN = Layout(
    name="chain",
    joints=("a", "b", "c", "d"),
    bones=((1, 0), (2, 1), (3, 2)),
    parts={1: {"all": (0, 1, 2, 3)}},
    origin=0,
    centre=0,
    across=(0, 2),
)


OPERATORS = """
import torch
from starcli import registry

layout = registry.layout("kinect-v1")
for name in ("st-gcn", "ctr-gcn", "shift-gcn"):
    net = registry.load("backbone", name)
    made = net(net.Settings(widths=(8,), strides=(1,)), layout)
    made(torch.zeros(1, 3, 8, len(layout.joints), 2))
"""


@pytest.mark.slow
def test_no_process_leaves_a_file_behind(tmp_path: Path) -> None:
    """PyTorch Geometric would leave a module for each class of operators."""
    done = subprocess.run(
        [sys.executable, "-c", OPERATORS],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_distances_of_a_chain_by_hand() -> None:
    # Links with self-loops, each column divided by its sum: a and d have two, b and c three.
    half, third = 1 / 2, 1 / 3
    same = [[half, 0, 0, 0], [0, third, 0, 0], [0, 0, third, 0], [0, 0, 0, half]]
    outward = [[0, third, 0, 0], [0, 0, third, 0], [0, 0, 0, half], [0, 0, 0, 0]]
    inward = [[0, 0, 0, 0], [half, 0, 0, 0], [0, third, 0, 0], [0, 0, third, 0]]
    groups = dense(skeleton_graph(CHAIN, "distance"))
    torch.testing.assert_close(groups, torch.tensor([same, inward, outward]))


def test_published_distances_end_after_one_bone() -> None:
    # c and d count as equally far from a: their bone is in the second group, both ways.
    groups = dense(skeleton_graph(CHAIN, "distance-published"))
    third = 1 / 3
    assert groups[:, 2, 3].tolist() == pytest.approx([0, 1 / 2, 0])
    assert groups[:, 3, 2].tolist() == pytest.approx([0, third, 0])
    assert groups[:, 1, 2].tolist() == pytest.approx([0, 0, third])
    torch.testing.assert_close(groups.sum(0), dense(skeleton_graph(CHAIN, "distance")).sum(0))


def test_directions_of_a_fork_by_hand() -> None:
    fork = Layout("fork", ("a", "b", "c"), ((1, 0), (2, 0)), CHAIN.parts, 0, 0, (1, 2))
    groups = dense(skeleton_graph(fork, "direction"))
    inward = torch.tensor([[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]])  # both children reach a
    outward = torch.tensor([[0.0, 1, 1], [0, 0, 0], [0, 0, 0]])
    torch.testing.assert_close(groups, torch.stack([torch.eye(3), inward, outward]))


@EVERY
@pytest.mark.parametrize("partition", ["distance", "distance-published"])
def test_distance_splits_the_bones_and_normalises_columns(
    layout: Layout, partition: Partition
) -> None:
    groups = dense(skeleton_graph(layout, partition))
    count = len(layout.joints)

    torch.testing.assert_close(groups.sum((0, 1)), torch.ones(count))
    assert ((groups > 0).sum(0) <= 1).all(), "an edge is in one group only"
    linked = {(v, w) for v, w in (groups.sum(0) > 0).nonzero().tolist() if v != w}
    assert linked == {edge for a, b in layout.bones for edge in ((a, b), (b, a))}
    assert torch.equal(groups[0] > 0, torch.eye(count) > 0)
    if partition == "distance":
        # Of a bone's two directions one leads towards the centre and the other away from it.
        assert torch.equal(groups[1] > 0, groups[2].T > 0)


def test_published_distances_are_those_of_the_reference_weights(shared: Path) -> None:
    theirs = load_file(shared / "reference" / "st_gcn.weights.safetensors")["A"]
    torch.testing.assert_close(dense(skeleton_graph(KINECT_V2, "distance-published")), theirs)


@EVERY
@pytest.mark.parametrize("partition", PARTITIONS)
def test_from_dense_undoes_dense(layout: Layout, partition: Partition) -> None:
    groups = dense(skeleton_graph(layout, partition))
    again = from_dense(groups)
    assert torch.equal(dense(again), groups)
    assert again.num_nodes == len(layout.joints)
    source, target = again.edge_index
    assert torch.equal(groups[again.edge_group, source, target], again.edge_weight)


class Raw(SkeletonBackbone):
    """Tokens that are the normalised input, every second frame."""

    def __init__(self, layout: Layout, coordinates: int = 3, persons: int = 1) -> None:
        super().__init__(
            layout, coordinates=coordinates, persons=persons, dim=coordinates, stride=2
        )

    def encode(self, x: Tensor) -> Tensor:
        published = torch.is_grad_enabled() and not self.training
        kind = torch.contiguous_format if published else torch.channels_last
        assert x.is_contiguous(memory_format=kind)
        self.seen = [*getattr(self, "seen", []), len(x)]
        return x[:, :, ::2]


def clips(persons: int, frames: int = 5) -> Tensor:
    return torch.randn(3, 3, frames, 4, persons, generator=torch.Generator().manual_seed(1))


def test_tokens_stand_where_their_joint_and_frame_were() -> None:
    net, x = Raw(CHAIN).eval(), clips(2)
    want = x[:, :, [0, 2]].permute(0, 4, 1, 2, 3)  # the fifth frame makes no whole token
    maps = net.features(x)
    torch.testing.assert_close(maps.view(3, 2, *maps.shape[1:]), want, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(net(x), want.mean(1).permute(0, 2, 3, 1), rtol=1e-4, atol=1e-5)


def test_a_cpu_encodes_a_few_skeletons_at_a_time_where_no_gradient_is_asked_for() -> None:
    net, x = Raw(CHAIN).eval(), clips(3)
    want = net(x)
    with torch.inference_mode():
        torch.testing.assert_close(net(x), want)
    assert net.seen == [9, 8, 1]
    net.train()(x)
    assert net.seen[3:] == [9]


def test_the_backward_pass_of_a_strided_map_keeps_within_its_memory() -> None:
    # oneDNN's own, of odd batches in channels-last memory, wrote beyond it (torch 2.13).
    conv, norm = nn.Conv2d(8, 8, 1, (2, 1)), nn.BatchNorm2d(8)
    for seed in range(20):
        x = torch.randn(13, 8, 25, 8, generator=torch.Generator().manual_seed(seed))
        x = x.permute(0, 3, 1, 2).requires_grad_()
        got = torch.autograd.grad(conv_norm(x, conv, norm).sin().sum(), [x, conv.weight])
        plain = x.detach().contiguous().requires_grad_()
        want = torch.autograd.grad(norm(conv(plain)).sin().sum(), [plain, conv.weight])
        for mine, theirs in zip(got, want, strict=True):
            torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


def test_two_coordinates_ignore_the_third() -> None:
    net, x = Raw(CHAIN, coordinates=2).eval(), clips(1)
    other = x.clone()
    other[:, 2] += 1
    assert net(x).shape == (3, 2, 4, 2)
    assert torch.equal(net(x), net(other))


def test_one_normalisation_serves_every_person() -> None:
    net, x = Raw(CHAIN).eval(), clips(3)
    nn.init.normal_(net.normalise.weight)
    alone = torch.stack([net(x[..., m : m + 1]) for m in range(3)]).mean(0)
    torch.testing.assert_close(net(x), alone)


def test_each_person_has_a_normalisation_if_asked() -> None:
    net, x = Raw(CHAIN, persons=2).eval(), clips(2)
    weight = torch.randn(2, 4, 3)  # person, joint, coordinate: the order of published networks
    net.normalise.weight.data.copy_(weight.flatten())
    want = x.permute(0, 4, 1, 2, 3)[:, :, :, [0, 2]] * weight.permute(0, 2, 1)[:, :, None]
    torch.testing.assert_close(net.features(x), want.flatten(0, 1), rtol=1e-4, atol=1e-5)


def test_missing_persons_are_absent_ones_and_more_are_refused() -> None:
    net, x = Raw(CHAIN, persons=3).eval(), clips(2)
    filled = torch.cat((x, torch.zeros_like(x[..., :1])), 4)
    assert torch.equal(net(x), net(filled))
    with pytest.raises(DataError, match="4 persons"):
        net(clips(4))


def spread(norm: nn.BatchNorm2d | nn.BatchNorm1d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    for value in (norm.weight.data, norm.bias.data, norm.running_mean):
        value.normal_()
    norm.running_var.uniform_(0.5, 2)


@pytest.mark.parametrize("bias", [True, False])
def test_folded_norm_is_the_norm_in_eval_mode(bias: bool) -> None:
    torch.manual_seed(2)
    conv = nn.Conv2d(3, 5, (3, 1), (2, 1), (2, 0), (2, 1), bias=bias)
    norm, x = nn.BatchNorm2d(5).eval(), torch.randn(2, 3, 9, 4)
    spread(norm)
    scale, offset = fuse_batch_norm(norm)
    y = torch.randn(2, 5, 3, 4)
    torch.testing.assert_close(y * scale[:, None, None] + offset[:, None, None], norm(y))
    torch.testing.assert_close(conv_norm(x, conv, norm), norm(conv(x)), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        scaled_conv(x, conv, scale, offset), norm(conv(x)), atol=1e-5, rtol=1e-4
    )


def test_training_norm_uses_and_keeps_the_batch() -> None:
    conv, norm, x = nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5).train(), torch.randn(4, 3, 6, 4)
    out = conv_norm(x, conv, norm)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(5), atol=1e-5, rtol=0)
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, 0.1 * conv(x).mean((0, 2, 3)))


def test_renamed_takes_whole_names_only() -> None:
    one, two = torch.ones(1), torch.zeros(1)
    rules = [(r"a\.(\d)\.w", r"b.\1.v")]
    assert renamed({"a.3.w": one, "x.a.3.w": two, "a.3.ww": two}, rules) == {"b.3.v": one}
