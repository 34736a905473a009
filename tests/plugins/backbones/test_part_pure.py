"""The part-pure networks: what each part reads, features worked out by hand, slots of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from starcli.contracts import Layout
from starcli.errors import UsageError
from starcli_plugins.backbones.part_pure import Part, PartPure
from starcli_plugins.layouts import COCO_17, KINECT_V1, KINECT_V2, MEDIAPIPE_33

pytestmark = pytest.mark.numerical
SMALL: Mapping[str, Any] = {"width": 8, "dim": 6, "stride": 8}


def network(layout: Layout = KINECT_V1, **own: Any) -> PartPure:
    torch.manual_seed(0)
    return PartPure(PartPure.Settings(**{**SMALL, **own}), layout).eval()


def clips(batch: int = 2, frames: int = 16, layout: Layout = KINECT_V1) -> Tensor:
    source = torch.Generator().manual_seed(3)
    return torch.randn(batch, 3, frames, len(layout.joints), 1, generator=source)


def names(layout: Layout, joints: tuple[int, ...]) -> set[str]:
    return {layout.joints[joint] for joint in joints}


def both(*joints: str) -> set[str]:
    return {f"{side} {joint}" for joint in joints for side in ("left", "right")}


def test_what_each_part_of_a_kinect_reads() -> None:
    reads = {part: names(KINECT_V1, joints) for part, joints in network().reads.items()}
    pelvis = both("hip")
    assert reads == {
        "head": {"head", "shoulder centre"} | pelvis,
        "hand": both("hand", "wrist", "elbow") | pelvis,
        "arm": both("shoulder", "elbow", "wrist") | pelvis,
        "hip": {"hip centre", "spine", "shoulder centre"} | pelvis,
        "leg": both("hip", "knee", "ankle"),
        "foot": both("ankle", "foot") | pelvis,
    }


@pytest.mark.parametrize("layout", [KINECT_V1, KINECT_V2, COCO_17, MEDIAPIPE_33])
def test_hands_are_read_with_the_whole_forearm_and_no_part_reads_all(layout: Layout) -> None:
    net = network(layout)
    assert both("elbow", "wrist") <= names(layout, net.reads["hand"])
    assert not both("knee", "ankle") & names(layout, net.reads["arm"])
    assert not both("wrist", "elbow") & names(layout, net.reads["leg"])
    assert net(clips(layout=layout)).shape == (2, 2, len(layout.joints), 6)


def test_all_joints_of_a_part_carry_its_token() -> None:
    tokens = network()(clips())
    for joints in KINECT_V1.parts[6].values():
        assert all(torch.equal(tokens[:, :, j], tokens[:, :, joints[0]]) for j in joints)
    assert len(tokens[0, 0].unique(dim=0)) == 6


def test_the_last_token_is_of_the_whole_body_and_changes_no_other() -> None:
    plain, net, x = network(), network(body_width=4), clips()
    net.load_state_dict(plain.state_dict(), strict=False)
    tokens = net(x)
    assert tokens.shape[2] == 21
    torch.testing.assert_close(tokens[:, :, :20], plain(x))
    for joint in range(20):
        moved = x.clone()
        moved[:, :, 8:, joint] += 1.0
        assert not torch.allclose(net(moved)[:, 1, 20], tokens[:, 1, 20], atol=1e-4), joint


def test_features_by_hand() -> None:
    layout = Layout(
        "six",
        ("left hip", "right hip", "left ankle", "right ankle", "left foot", "right foot"),
        ((1, 0), (2, 0), (3, 1), (4, 2), (5, 3)),
        {1: {"foot": (0, 1, 2, 3, 4, 5)}},
        origin=0,
        centre=0,
        across=(0, 1),
    )
    part = Part("foot", (4, 5), layout)
    skeleton = torch.zeros(1, 3, 2, 6)
    skeleton[0, 1, :, :2] = 2.0  # hips at height 2, the middle at x = 1, then at x = 4
    skeleton[0, 0, :, 1] = 2.0
    skeleton[0, 0, 1, :2] += 3.0
    skeleton[0, 2, :, 4] = 5.0  # the left foot, in front
    pelvis = skeleton[..., :2].mean(3, keepdim=True)

    x = part.features(skeleton, pelvis)

    assert part.channels == 2 * 3 * (4 + 1 + 2) and x.shape == (1, part.channels, 2)
    places, speeds = x.view(3, 2, 7, 2).unbind(1)
    # Ankles and feet minus pelvis, the path, the ankles as they are.
    assert places[0].tolist() == [[-1, -4]] * 4 + [[0, 3]] + [[0, 0]] * 2
    assert places[1].tolist() == [[-2, -2]] * 4 + [[0, 0]] * 3
    assert places[2].tolist() == [[0, 0]] * 2 + [[5, 5]] + [[0, 0]] * 4
    # In two frames everything goes 15 times as fast as in thirty.
    torch.testing.assert_close(speeds[0, :, 0], torch.tensor([-0.2] * 4 + [0.2] + [0.0] * 2))
    assert not speeds[..., 1].any()


def test_where_a_clip_takes_place_does_not_matter_but_the_height_of_ankles_does() -> None:
    net, x = network(), clips()
    before = net(x)
    far = x.clone()
    far[:, 1] += 0.5
    after = net(far)
    leg, foot = (list(KINECT_V1.parts[6][part]) for part in ("leg", "foot"))
    same = [joint for joint in range(20) if joint not in (*leg, *foot)]
    torch.testing.assert_close(after[:, :, same], before[:, :, same], atol=1e-5, rtol=1e-4)
    for part in (leg, foot):
        assert not torch.allclose(after[:, :, part], before[:, :, part], atol=1e-3)


def test_the_way_of_the_body_reaches_every_part() -> None:
    net, x = network(), clips()
    walk = x.clone()
    walk[:, 2] += torch.linspace(0, 3, 16)[:, None, None]
    changed = (net(walk) - net(x)).abs().amax((0, 1, 3))
    assert (changed > 1e-3).all()


def test_persons_who_are_there_are_averaged() -> None:
    net, one, other = network(), clips(), clips().flip(2)
    nobody = torch.zeros_like(one)
    alone, both_there = net(one), net(torch.cat([one, other], 4))
    torch.testing.assert_close(net(torch.cat([one, nobody], 4)), alone)
    torch.testing.assert_close(both_there, (alone + net(other)) / 2)
    assert not net(nobody).any()


def test_nobody_has_no_part_in_the_statistics() -> None:
    counted = []
    for x in (clips(4), torch.cat([clips(4), torch.zeros_like(clips(4))], 4)):
        net = network().train()
        net(x)
        counted.append({k: v for k, v in net.state_dict().items() if "running" in k})
    for name, value in counted[0].items():
        torch.testing.assert_close(counted[1][name], value)


def test_a_slot_knows_its_time() -> None:
    """Half of the frames are a token: what changes at the end leaves the first as it was."""
    net, x = network(stride=32), clips(frames=64)
    late = x.clone()
    late[:, :, 63, KINECT_V1.joints.index("head")] += 1
    first, second = (net(late) - net(x)).detach().abs().amax((0, 2, 3))
    assert second > 0 and first == 0
    assert network(stride=64)(x).shape[1] == 1


def test_too_few_frames_are_named() -> None:
    with pytest.raises(UsageError, match="16 frames make no token of 32") as caught:
        network(stride=32)(clips())
    assert "pretrain.frames" in caught.value.fix
