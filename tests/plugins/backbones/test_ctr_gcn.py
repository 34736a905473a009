"""CTR-GCN against the published network, hand-written sums and its own promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Layout
from starcli_plugins.backbones.ctr_gcn import CtrGcn, MultiScaleConv, peak_of_three
from starcli_plugins.backbones.graph import dense, skeleton_graph
from starcli_plugins.backbones.refined_conv import RefinedConv
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33
from tests import reference

pytestmark = pytest.mark.numerical
LAYOUTS = [KINECT_V1, KINECT_V2, COCO_17, MEDIAPIPE_33]
EVERY = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda x: x.name)
SMALL: dict[str, Any] = {"widths": (8, 16, 16), "strides": (1, 2, 2)}
PAPER: dict[str, Any] = {
    "widths": (64,) * 4 + (128,) * 3 + (256,) * 3,
    "strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
    "persons": 2,
}


def spread(net: nn.Module) -> None:
    """Statistics, norms and alphas away from their start."""
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if "running_var" in name or ("norm" in name and name.endswith("weight")):
            value.data.uniform_(0.5, 1.5)
        elif name.endswith(("running_mean", "bias", "alpha")):
            value.data.normal_(0, 0.5)


def network(layout: Layout = KINECT_V1, seed: int = 0, **own: Any) -> CtrGcn:
    torch.manual_seed(seed)
    net = CtrGcn(CtrGcn.Settings(**{**SMALL, **own}), layout)
    spread(net)
    return net.eval()


def clips(batch: int, persons: int, layout: Layout = KINECT_V1, frames: int = 16) -> Tensor:
    source = torch.Generator().manual_seed(7)
    return torch.randn(batch, 3, frames, len(layout.joints), persons, generator=source)


@pytest.mark.slow
def test_published_weights_give_the_reference_outputs(shared: Path) -> None:
    named = CtrGcn.published(reference.weights(shared, "ctr_gcn"))
    net, fc = CtrGcn(CtrGcn.Settings(**PAPER), KINECT_V2), nn.Linear(256, 60)
    fc.load_state_dict({k: named.pop(f"fc.{k}") for k in ("weight", "bias")})
    net.load_state_dict(named)

    reference.assert_published(shared, "ctr_gcn", net, fc)


def test_names_of_pyskl_mean_the_same(shared: Path) -> None:
    # pyskl relates source to target, and topologies go from source to target: the same network
    # has psi and phi exchanged, xi turned round and topologies transposed.
    theirs = reference.weights(shared, "ctr_gcn")
    want = CtrGcn.published(theirs)
    other = {}
    for name, value in theirs.items():
        head, _, rest = name.partition(".")
        if head == "fc":
            name = f"cls_head.fc_cls.{rest}"
        elif head == "data_bn":
            name = f"backbone.{name}"
        else:
            name = f"backbone.net.{int(head[1:]) - 1}.{rest}"
        if name.endswith(".PA"):
            name, value = name.replace(".PA", ".A"), value.transpose(1, 2)
        elif ".conv1." in name:
            name = name.replace(".conv1.", ".conv2.")
        elif ".conv2." in name:
            name = name.replace(".conv2.", ".conv1.")
        elif name.endswith(".conv4.weight"):
            value = -value
        other[name] = value
    found = CtrGcn.published(other)
    assert set(found) == set(want)
    assert all(torch.equal(found[n], want[n]) for n in want)


def test_published_names_of_other_networks_are_nobody() -> None:
    assert (
        CtrGcn.published({"edge_importance.0": torch.ones(3), "data_bn.bias": torch.ones(3)}) == {}
    )


@pytest.mark.parametrize("width_in", [3, 16])
def test_refined_convolution_equals_a_hand_written_sum(width_in: int) -> None:
    torch.manual_seed(1)
    conv = RefinedConv(width_in, 4, skeleton_graph(KINECT_V1, "direction"))
    spread(conv)
    few = 8 if width_in == 3 else 2
    x = torch.randn(2, width_in, 3, 20)
    mean = x.mean(2)
    want = torch.zeros(2, 4, 3, 20)
    for g in range(3):
        rows, out = slice(g * few, g * few + few), slice(g * 4, g * 4 + 4)
        psi = torch.einsum("ri,niv->nrv", conv.psi.weight[rows, :, 0], mean)
        phi = torch.einsum("ri,niv->nrv", conv.phi.weight[rows, :, 0], mean)
        psi, phi = psi + conv.psi.bias[rows, None], phi + conv.phi.bias[rows, None]  # type: ignore[index]
        related = (psi[:, :, None, :] - phi[:, :, :, None]).tanh()  # source, target
        refined = torch.einsum("cr,nrvu->ncvu", conv.xi.weight[out, :, 0, 0], related)
        refined = refined + conv.xi.bias[out, None, None]  # type: ignore[index]
        topology = conv.topology[g] + conv.alpha * refined
        value = torch.einsum("ci,nitv->nctv", conv.theta.weight[out, :, 0, 0], x)
        value = value + conv.theta.bias[out, None, None]  # type: ignore[index]
        want = want + torch.einsum("nctv,ncvu->nctu", value, topology)

    torch.testing.assert_close(conv(x), want, atol=1e-5, rtol=1e-4)
    scale = torch.randn(4)
    torch.testing.assert_close(conv(x, scale), want * scale[:, None, None], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(conv.published_order(x), want, atol=1e-5, rtol=1e-4)


@EVERY
def test_messages_along_the_edges_give_the_same(layout: Layout) -> None:
    torch.manual_seed(4)
    conv = RefinedConv(16, 8, skeleton_graph(layout, "direction"))
    spread(conv)
    x = torch.randn(2, 16, 3, len(layout.joints))
    torch.testing.assert_close(conv(x), conv.propagated(x), atol=1e-5, rtol=1e-4)


def test_unrefined_convolution_reaches_the_neighbours_only() -> None:
    conv = RefinedConv(3, 4, skeleton_graph(KINECT_V1, "direction"))
    graph = dense(skeleton_graph(KINECT_V1, "direction"))
    assert torch.equal(conv.topology, graph) and not conv.alpha.any()
    x = torch.randn(1, 3, 2, 20)
    other = x.clone()
    other[..., 7] += 1
    reached = (conv(x) - conv(other)).abs().sum((0, 1, 2)) > 1e-6
    assert torch.equal(reached, graph[:, 7].sum(0) > 0)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_peak_is_max_pooling_with_its_gradient(stride: int, frames: int) -> None:
    # Equal frames are the rule where a person is absent.
    x = torch.randint(0, 3, (2, 3, frames, 4)).float().requires_grad_()
    y = x.detach().clone().requires_grad_()
    ours, want = peak_of_three(x, stride), functional.max_pool2d(y, (3, 1), (stride, 1), (1, 0))
    assert torch.equal(ours, want)
    weight = torch.randn_like(want)
    for out in (ours, want):
        torch.autograd.backward((out * weight).sum())
    # At zero the ReLU before lets no gradient through, whatever arrives.
    torch.testing.assert_close(x.grad * (x > 0), y.grad * (y > 0))  # type: ignore[operator]


@pytest.mark.parametrize("stride", [1, 2])
def test_four_branches_in_eval_mode_by_their_modules(stride: int) -> None:
    conv = MultiScaleConv(8, stride).eval()
    spread(conv)
    x = torch.randn(2, 8, 9, 5)
    near, far, peak = conv.entry_norm(conv.entry(x)).relu().chunk(3, 1)
    peak = functional.max_pool2d(peak, (3, 1), (stride, 1), (1, 0))
    want = conv.norm(torch.cat([conv.near(near), conv.far(far), peak, conv.point(x)], 1))
    torch.testing.assert_close(conv(x), want, atol=1e-5, rtol=1e-4)


@EVERY
@pytest.mark.parametrize(("persons", "coordinates"), [(1, 3), (2, 2)])
def test_tokens_of_the_default_network(layout: Layout, persons: int, coordinates: int) -> None:
    net = CtrGcn(CtrGcn.Settings(persons=persons, coordinates=coordinates), layout).eval()  # type: ignore[arg-type]
    tokens = net(clips(2, persons, layout, frames=18))
    assert (net.stride, net.dim) == (4, 128)
    assert tokens.shape == (2, 4, len(layout.joints), 128)
    assert torch.isfinite(tokens).all() and tokens.std() > 0


@pytest.mark.parametrize("frames", [4, 5, 7, 8, 17])
def test_token_steps_are_frames_over_stride_rounded_down(frames: int) -> None:
    assert network()(clips(1, 1, frames=frames)).shape[1] == frames // 4


def test_a_clip_does_not_see_its_batch() -> None:
    net, batch = network(), clips(4, 1)
    tokens = net(batch)
    for i in range(4):
        reference.close(net(batch[i : i + 1])[0], tokens[i], reference.SINGLE)
    assert not torch.allclose(tokens[0], tokens[1])


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
    assert [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_norms_are_called_in_training() -> None:
    # Only so can they be exchanged for synchronised ones.
    net, called = network().train(), set()
    norms = {n: m for n, m in net.named_modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)}
    for name, module in norms.items():
        module.register_forward_hook(lambda *_, name=name: called.add(name))
    net(clips(2, 1))
    assert called == set(norms)


@pytest.mark.parametrize(
    "own",
    [
        {"widths": (8, 8)},
        {"widths": (), "strides": ()},
        {"widths": (8, 6, 8)},
        {"widths": (8, 0, 8)},
        {"strides": (1, -2, 1)},
        {"persons": 0},
        {"kernel": 5},
    ],
)
def test_settings_that_make_no_network_are_refused(own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CtrGcn.Settings(**{**SMALL, **own})
