"""Shift-GCN against the published network, hand-computed shifts and its own promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from starcli.contracts import Layout
from starcli_plugins.backbones.shift_gcn import ShiftGcn, SpatialPart
from starcli_plugins.backbones.shifts import SpatialShift, TemporalShift
from starcli_plugins.layouts import KINECT_V1, KINECT_V2
from tests import reference

pytestmark = pytest.mark.numerical
BOTH = pytest.mark.parametrize("layout", [KINECT_V1, KINECT_V2], ids=lambda x: x.name)
SMALL: dict[str, Any] = {"widths": (4, 6, 6), "strides": (1, 2, 2)}
PAPER: dict[str, Any] = {
    "widths": (64,) * 4 + (128,) * 3 + (256,) * 3,
    "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
    "persons": 2,
}


def network(layout: Layout = KINECT_V1, seed: int = 0, **own: Any) -> ShiftGcn:
    """A small network in eval mode, its statistics and masks away from their start."""
    torch.manual_seed(seed)
    net = ShiftGcn(ShiftGcn.Settings(**{**SMALL, **own}), layout)
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if "running_var" in name:
            value.data.uniform_(0.5, 1.5)
        elif any(part in name for part in ("running_mean", "bias", "mask")):
            value.data.normal_(0, 0.2)
    return net.eval()


def clips(batch: int, persons: int, layout: Layout = KINECT_V1, frames: int = 16) -> Tensor:
    source = torch.Generator().manual_seed(7)
    return torch.randn(batch, 3, frames, len(layout.joints), persons, generator=source)


def shift(offsets: list[float], stride: int = 1) -> TemporalShift:
    module = TemporalShift(len(offsets), stride).double()
    module.offset.data = torch.tensor(offsets, dtype=torch.float64)
    return module


def test_spatial_shift_by_hand() -> None:
    # Three joints with four channels each, the number says joint and channel.
    x = torch.tensor([[0.0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]])
    there = torch.tensor([[0.0, 11, 22, 3], [10, 21, 2, 13], [20, 1, 12, 23]])
    back = torch.tensor([[0.0, 21, 12, 3], [10, 1, 22, 13], [20, 11, 2, 23]])

    assert torch.equal(SpatialShift(3, 4)(x), there)
    assert torch.equal(SpatialShift(3, 4, back=True)(x), back)


@pytest.mark.parametrize("joints", [17, 20, 25, 33])
@pytest.mark.parametrize("width", [3, 32, 40])
@pytest.mark.parametrize("back", [False, True])
def test_spatial_shift_equals_messages_over_the_graph(joints: int, width: int, back: bool) -> None:
    operator, x = SpatialShift(joints, width, back), torch.randn(2, 3, joints, width)
    assert torch.equal(operator(x), operator.reference(x))
    assert torch.equal(SpatialShift(joints, width, not back)(operator(x)), x)


def test_gradient_of_the_spatial_shift() -> None:
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    operator = SpatialShift(3, 4)
    assert torch.autograd.gradcheck(operator, (x,))
    assert torch.autograd.gradgradcheck(operator, (x,))


@pytest.mark.parametrize(
    ("offset", "stride", "want"),
    [
        (0.0, 1, [1, 2, 4, 8]),
        (0.25, 1, [1.25, 2.5, 5, 6]),  # the last frame: three quarters of 8 and zero
        (-1.5, 1, [0, 0.5, 1.5, 3]),
        (2.0, 1, [4, 8, 0, 0]),
        (-5.0, 1, [0, 0, 0, 0]),
        (9.5, 1, [0, 0, 0, 0]),
        (0.0, 2, [1.5, 6]),  # half a frame later
        (-0.75, 2, [0.75, 3.5]),
        (1.0, 2, [3, 4]),
    ],
)
def test_temporal_shift_by_hand(offset: float, stride: int, want: list[float]) -> None:
    x = torch.tensor([1.0, 2, 4, 8], dtype=torch.float64).view(1, 1, 4, 1)
    assert shift([offset], stride)(x).flatten().tolist() == want
    assert shift([offset], stride).reference(x).flatten().tolist() == want


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 4, 6])
def test_temporal_shift_equals_its_formula_with_gradients(stride: int, frames: int) -> None:
    offsets = [0.3, -0.7, 1.6, -2.2, 3.9, -12.4, 25.1]
    x = torch.randn(2, len(offsets), frames, 3, dtype=torch.float64, requires_grad=True)
    operator = shift(offsets, stride)
    got, want = operator(x), operator.reference(x)
    grad = torch.randn_like(got)
    inputs = (x, operator.offset)

    torch.testing.assert_close(got, want)
    torch.testing.assert_close(
        torch.autograd.grad(got, inputs, grad), torch.autograd.grad(want, inputs, grad)
    )


@pytest.mark.parametrize("stride", [1, 2])
def test_gradient_of_the_temporal_shift(stride: int) -> None:
    x = torch.randn(1, 5, 4, 2, dtype=torch.float64, requires_grad=True)
    offset = torch.tensor([0.3, -1.7, 2.6, -9.2, 7.9], dtype=torch.float64, requires_grad=True)
    operator = TemporalShift(5, stride).double()

    def shifted(x: Tensor, offset: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(operator, {"offset": offset}, (x,))
        return out

    assert torch.autograd.gradcheck(shifted, (x, offset))


@pytest.mark.parametrize("stride", [1, 2])
def test_temporal_shift_takes_the_norm_after_it_in(stride: int) -> None:
    operator, norm = shift([0.3, -1.7, 6.0], stride), nn.BatchNorm2d(3).double().eval()
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)  # type: ignore[arg-type]
    x = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(operator(x, norm), norm(operator(x)))


def test_offsets_start_within_a_frame_to_either_side() -> None:
    offset = TemporalShift(4000).offset
    assert offset.min() >= -1 and offset.max() <= 1
    assert abs(offset.mean()) < 0.05 and abs(offset.var() - 1 / 3) < 0.03


@pytest.mark.parametrize("width", [2, 3])
def test_spatial_part_equals_a_hand_written_sum(width: int) -> None:
    torch.manual_seed(3)
    joints, wide = 3, 2
    part = SpatialPart(wide, width, joints).eval()
    for value in (part.mask, part.norm.weight, part.norm.bias, part.norm.running_mean):
        nn.init.normal_(value)  # type: ignore[arg-type]
    nn.init.normal_(part.linear.bias)  # type: ignore[arg-type]
    x = torch.randn(1, wide, 1, joints)
    around = x if part.shortcut is None else part.shortcut(x)
    want = torch.zeros(width, joints)
    for i in range(joints):
        for d in range(width):
            source = (i - d) % joints  # of the shift back
            total = part.linear.bias[d].clone()  # type: ignore[index]
            for c in range(wide):
                read = x[0, c, 0, (source + c) % joints] * (part.mask[source, c].tanh() + 1)
                total += part.linear.weight[d, c, 0, 0] * read
            n = i * width + d
            norm: Any = part.norm
            spread = (norm.running_var[n] + norm.eps).sqrt()
            total = (total - norm.running_mean[n]) / spread * norm.weight[n] + norm.bias[n]
            want[d, i] = (total + around[0, d, 0, i]).relu()

    torch.testing.assert_close(part(x)[0, :, 0], want, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shift_gcn_ntu60_xsub", "shift_gcn_ntu60_xview"])
def test_published_weights_reproduce_the_published_outputs(shared: Path, name: str) -> None:
    named = ShiftGcn.published(reference.weights(shared, name))
    net, fc = ShiftGcn(ShiftGcn.Settings(**PAPER), KINECT_V2), nn.Linear(256, 60)
    fc.load_state_dict({k: named.pop(f"fc.{k}") for k in ("weight", "bias")})
    net.load_state_dict(named)

    reference.assert_published(shared, name, net, fc)


def test_published_names_leave_out_what_is_not_the_networks() -> None:
    known = {"l1.gcn1.Feature_Mask": torch.zeros(1, 25, 3), "fc.bias": torch.zeros(60)}
    others = ("l1.gcn1.shift_in", "l1.tcn1.shift_in.xpos", "head.fc.weight", "text.l1.gcn1.bn.bias")
    renamed = ShiftGcn.published({**known, **dict.fromkeys(others, torch.zeros(1))})

    assert set(renamed) == {"blocks.0.spatial.mask", "fc.bias"}
    assert ShiftGcn.published({"fc.bias": torch.zeros(60), "A": torch.zeros(3, 25, 25)}) == {}


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("coordinates", [2, 3])
@pytest.mark.parametrize("persons", [1, 2])
def test_tokens_of_the_default_network(layout: Layout, persons: int, coordinates: int) -> None:
    net = ShiftGcn(ShiftGcn.Settings(coordinates=coordinates, persons=persons), layout).eval()  # type: ignore[arg-type]
    tokens = net(clips(2, persons, layout, frames=32))

    assert (net.stride, net.dim) == (4, 128)
    assert tokens.shape == (2, 8, len(layout.joints), 128)
    assert torch.isfinite(tokens).all() and tokens.std() > 0


@pytest.mark.parametrize("frames", [4, 5, 6, 7, 8, 17])
def test_token_steps_are_frames_over_stride_rounded_down(frames: int) -> None:
    net = network()
    assert net(clips(1, 1, frames=frames)).shape[1] == frames // net.stride


def test_swapping_persons_changes_nothing() -> None:
    net, both = network(), clips(3, 2)
    torch.testing.assert_close(net(both), net(both.flip(4)), atol=1e-6, rtol=1e-5)


def test_eval_mode_leaves_its_state_and_a_clip_does_not_see_its_batch() -> None:
    net, batch = network(), clips(4, 2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    kept = batch.clone()
    tokens = net(batch)

    assert torch.equal(net(batch), tokens) and torch.equal(batch, kept)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    for i in range(4):
        torch.testing.assert_close(net(batch[i : i + 1])[0], tokens[i], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(tokens[0], tokens[1])


def test_training_calls_every_norm_once_and_eval_none_of_the_blocks() -> None:
    net, called = network(), []
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    for name, module in net.named_modules():
        if isinstance(module, norms):
            module.register_forward_hook(lambda *_, name=name: called.append(name))
    with torch.inference_mode():
        net(clips(2, 1))
    assert called == ["normalise"]
    called.clear()
    net.train()(clips(2, 1))
    assert sorted(called) == sorted(n for n, m in net.named_modules() if isinstance(m, norms))


def test_without_gradients_the_numbers_are_the_same() -> None:
    net, batch = network(), clips(2, 2)
    with torch.inference_mode():
        fast = net(batch)
    torch.testing.assert_close(fast, net(batch), atol=1e-6, rtol=1e-5)


@BOTH
@pytest.mark.parametrize("training", [False, True])
def test_gradient_reaches_every_parameter(layout: Layout, training: bool) -> None:
    net, batch = network(layout).train(training), clips(2, 2, layout)
    batch[0, ..., 1] = 0
    net(batch).square().sum().backward()

    dead = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize(
    "own",
    [
        {"widths": (4, 4)},
        {"strides": (1, 1, 1, 1)},
        {"widths": (), "strides": ()},
        {"widths": (4, 0, 4)},
        {"strides": (1, -2, 1)},
        {"coordinates": 4},
        {"persons": 0},
        {"kernel": 9},
    ],
)
def test_settings_that_make_no_network_are_refused(own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ShiftGcn.Settings(**{**SMALL, **own})


@pytest.mark.slow
def test_weights_survive_safetensors(tmp_path: Path) -> None:
    net, other, batch = network(seed=1), network(seed=2), clips(2, 2)
    assert not torch.allclose(net(batch), other(batch))
    save_file(net.state_dict(), tmp_path / "weights.safetensors")

    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))

    assert torch.equal(net(batch), other(batch))
