"""ST-GCN against the published network, hand-written sums and its own promises."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli_plugins.backbones.graph import from_dense, skeleton_graph
from starcli_plugins.backbones.st_gcn import Block, PartitionConv, StGcn
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33
from tests import reference

pytestmark = pytest.mark.numerical
LAYOUTS = [KINECT_V1, KINECT_V2, COCO_17, MEDIAPIPE_33]
EVERY = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
SMALL: dict[str, Any] = {"widths": (4, 6, 6), "strides": (1, 2, 2), "kernel": 3}
PAPER: dict[str, Any] = {
    "widths": (64,) * 4 + (128,) * 3 + (256,) * 3,
    "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
    "kernel": 9,
    "partition": "distance-published",
}


def network(layout: Layout = KINECT_V1, seed: int = 0, **own: Any) -> StGcn:
    """A small network in eval mode, its statistics and importances away from their start."""
    torch.manual_seed(seed)
    net = StGcn(StGcn.Settings(**{**SMALL, **own}), layout)
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if "running_var" in name or "importance" in name:
            value.data.uniform_(0.5, 1.5)
        elif "running_mean" in name or "bias" in name:
            value.data.normal_(0, 0.2)
    return net.eval()


def clips(batch: int, persons: int, layout: Layout = KINECT_V1, frames: int = 16) -> Tensor:
    source = torch.Generator().manual_seed(7)
    return torch.randn(batch, 3, frames, len(layout.joints), persons, generator=source)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("width", [2, 3])
def test_block_equals_a_hand_written_sum(stride: int, residual: bool, width: int) -> None:
    torch.manual_seed(3)
    frames, wide = 5, 2
    graph = torch.randn(3, 3, 3)
    block = Block(wide, width, stride, 3, 0.5, from_dense(graph), residual).eval()
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.running_mean, module.weight, module.bias):
                nn.init.normal_(value)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    nn.init.normal_(block.spatial.importance)
    x = torch.randn(1, wide, frames, 3)

    def normal(norm: Any, channel: int, value: Tensor) -> Tensor:
        scale = norm.weight[channel] / (norm.running_var[channel] + norm.eps).sqrt()
        return (value - norm.running_mean[channel]) * scale + norm.bias[channel]  # type: ignore[no-any-return]

    before, mix, after = block.before, block.temporal, block.after
    lift, importance = block.spatial.lift, block.spatial.importance
    assert mix.bias is not None and lift.bias is not None
    spatial = torch.zeros(width, frames, 3)
    for c in range(width):
        for t in range(frames):
            for w in range(3):
                for g in range(3):
                    row = g * width + c
                    for v in range(3):
                        said = lift.bias[row] + sum(
                            lift.weight[row, i, 0, 0] * x[0, i, t, v] for i in range(wide)
                        )
                        spatial[c, t, w] += said * graph[g, v, w] * importance[g, v, w]
                spatial[c, t, w] = normal(before, c, spatial[c, t, w]).relu()
    want = torch.zeros(1, width, (frames - 1) // stride + 1, 3)
    for c in range(width):
        for step in range(want.shape[2]):
            for w in range(3):
                total = mix.bias[c].clone()
                for tap in range(3):
                    t = step * stride + tap - 1
                    if 0 <= t < frames:
                        total += mix.weight[c, :, tap, 0] @ spatial[:, t, w]
                total = normal(after, c, total)
                if residual and width == wide and stride == 1:
                    total += x[0, c, step, w]
                elif residual:
                    assert block.shortcut is not None
                    conv, norm = block.shortcut
                    assert isinstance(conv, nn.Conv2d) and conv.bias is not None
                    short = conv.weight[c, :, 0, 0] @ x[0, :, step * stride, w] + conv.bias[c]
                    total += normal(norm, c, short)
                want[0, c, step, w] = total.relu()

    torch.testing.assert_close(block(x), want, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_published_weights_give_the_reference_outputs(shared: Path) -> None:
    weights = reference.weights(shared, "st_gcn")
    net, fc = StGcn(StGcn.Settings(**PAPER), KINECT_V2), nn.Linear(256, 60)
    # The adjacency of the file is the one the settings name.
    torch.testing.assert_close(net.get_buffer("blocks.0.spatial.adjacency"), weights["A"])
    named = StGcn.published(weights)
    fc.load_state_dict({k: named.pop(f"fc.{k}") for k in ("weight", "bias")})
    net.load_state_dict(named)

    reference.assert_published(shared, "st_gcn", net, fc)


def test_names_of_pyskl_mean_the_same() -> None:
    net = network(KINECT_V1)
    theirs = {}
    for name, value in net.state_dict().items():
        for ours, other in (
            (r"normalise\.", "backbone.data_bn."),
            (r"blocks\.(\d+)\.spatial\.adjacency", r"backbone.gcn.\1.gcn.A"),
            (r"blocks\.(\d+)\.spatial\.importance", r"backbone.gcn.\1.gcn.PA"),
            (r"blocks\.(\d+)\.spatial\.lift\.", r"backbone.gcn.\1.gcn.conv."),
            (r"blocks\.(\d+)\.before\.", r"backbone.gcn.\1.gcn.bn."),
            (r"blocks\.(\d+)\.temporal\.", r"backbone.gcn.\1.tcn.conv."),
            (r"blocks\.(\d+)\.after\.", r"backbone.gcn.\1.tcn.bn."),
            (r"blocks\.(\d+)\.shortcut\.0\.", r"backbone.gcn.\1.residual.conv."),
            (r"blocks\.(\d+)\.shortcut\.1\.", r"backbone.gcn.\1.residual.bn."),
        ):
            name = re.sub(f"^{ours}", other, name)
        theirs[name] = value
    head = {"cls_head.fc_cls.weight": torch.ones(5, 6), "cls_head.fc_cls.bias": torch.ones(5)}
    named = StGcn.published(theirs | head)
    assert named.pop("fc.weight").shape == (5, 6) and len(named.pop("fc.bias")) == 5
    assert {n: id(v) for n, v in named.items()} == {
        n: id(v) for n, v in zip(net.state_dict(), theirs.values(), strict=True)
    }


def test_published_names_of_other_networks_are_nobody() -> None:
    assert StGcn.published({"l1.gcn1.PA": torch.ones(3, 2, 2), "fc.bias": torch.ones(2)}) == {}


@EVERY
@pytest.mark.parametrize("partition", ["distance", "distance-published"])
def test_messages_along_the_edges_give_the_same(layout: Layout, partition: Any) -> None:
    torch.manual_seed(4)
    conv = PartitionConv(5, 7, skeleton_graph(layout, partition))
    nn.init.normal_(conv.importance)
    x = torch.randn(2, 5, 3, len(layout.joints))
    torch.testing.assert_close(conv(x), conv.propagated(x), atol=1e-5, rtol=1e-4)


def test_norms_are_called_in_training() -> None:
    # Only so can they be exchanged for synchronised ones.
    net, called = network().train(), set()
    norms = {n: m for n, m in net.named_modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)}
    for name, module in norms.items():
        module.register_forward_hook(lambda *_, name=name: called.add(name))
    net(clips(2, 1))
    assert called == set(norms)


@EVERY
@pytest.mark.parametrize("persons", [1, 2])
def test_tokens_of_the_default_network(layout: Layout, persons: int) -> None:
    net = StGcn(StGcn.Settings(), layout).eval()
    tokens = net(clips(2, persons, layout, frames=32))

    assert (net.stride, net.dim) == (4, 128)
    assert tokens.shape == (2, 8, len(layout.joints), 128)
    assert torch.isfinite(tokens).all() and tokens.std() > 0


@pytest.mark.parametrize("frames", [4, 5, 6, 7, 8, 17])
def test_token_steps_are_frames_over_stride_rounded_down(frames: int) -> None:
    net = network()
    assert net(clips(1, 1, frames=frames)).shape[1] == frames // net.stride


@pytest.mark.parametrize(
    "joint", [0, 3, 7, 19], ids=["hip centre", "head", "left hand", "right foot"]
)
def test_token_stands_under_the_joint_it_was_computed_from(joint: int) -> None:
    # With one block a change reaches the joint and its neighbours, and no other token.
    net = network(widths=(4,), strides=(1,))
    one = clips(1, 1)
    other = one.clone()
    other[:, :, :, joint] += 1
    reached = (net(one) - net(other)).abs().sum((0, 1, 3)) > 1e-6

    near = {b for bone in KINECT_V1.bones if joint in bone for b in bone}
    assert set(reached.nonzero().flatten().tolist()) <= near
    assert reached[joint]


def test_swapping_persons_changes_nothing() -> None:
    net, both = network(), clips(3, 2)
    torch.testing.assert_close(net(both), net(both.flip(4)), atol=1e-6, rtol=1e-5)
    alone = (net(both[..., :1]) + net(both[..., 1:])) / 2
    torch.testing.assert_close(net(both), alone, atol=1e-6, rtol=1e-5)


def test_eval_mode_repeats_and_a_clip_does_not_see_its_batch() -> None:
    net, batch = network(), clips(4, 2)
    tokens = net(batch)

    assert torch.equal(net(batch), tokens)
    for i in range(4):
        torch.testing.assert_close(net(batch[i : i + 1])[0], tokens[i], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(tokens[0], tokens[1])


def test_dropout_acts_in_training_only() -> None:
    net, batch = network(dropout=0.5).train(), clips(2, 1)
    assert not torch.equal(net(batch), net(batch))


@pytest.mark.parametrize("training", [False, True])
def test_absent_person_leaves_tokens_and_gradients_finite(training: bool) -> None:
    net, batch = network().train(training), clips(2, 2)
    batch[..., 1] = 0
    tokens = net(batch)
    tokens.sum().backward()

    assert torch.isfinite(tokens).all()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@EVERY
def test_gradient_reaches_every_parameter(layout: Layout) -> None:
    net = network(layout)
    net(clips(2, 1, layout)).square().sum().backward()

    dead = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@pytest.mark.parametrize(
    "own",
    [
        {"widths": (4, 4)},
        {"strides": (1, 1, 1, 1)},
        {"widths": (), "strides": ()},
        {"widths": (4, 0, 4)},
        {"strides": (1, -2, 1)},
        {"kernel": 4},
        {"kernel": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"width": 4},
        {"persons": 0},
        {"coordinates": 4},
        {"partition": "direction"},
    ],
)
def test_settings_that_make_no_network_are_refused(own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StGcn.Settings(**{**SMALL, **own})


def test_weights_survive_safetensors(tmp_path: Path) -> None:
    net, other, batch = network(seed=1), network(seed=2), clips(2, 2)
    assert not torch.allclose(net(batch), other(batch))
    save_file(net.state_dict(), tmp_path / "weights.safetensors")

    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(net(batch), other(batch))
