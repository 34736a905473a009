"""The backbone `part-pure`: one small temporal network for each part, blind to the other parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from starcli.contracts import Layout
from starcli.errors import UsageError
from starcli_plugins.backbones.settings import PartPureFacts

NEIGHBOURS: Mapping[str, Sequence[str]] = {
    "head": ("neck", "shoulder centre"),
    "hand": ("elbow", "wrist"),
    "arm": ("shoulder", "elbow", "wrist"),
    "hip": ("hip", "neck", "shoulder centre"),
    "leg": ("hip", "knee", "ankle"),
    "foot": ("ankle",),
}
"""Part -> joints of either side or the middle that its network reads beside the part's own."""
STANDING = frozenset({"leg", "foot", "lower body", "leg-foot"})
"""Parts whose networks read where the ankles are, too."""
HALVINGS = 4
"""Frames of a feature before pooling."""
PER_STEP = 30
"""Velocities are those per 1 / 30 of the clip, which 32 frames make about those per frame."""


class Part:
    """What the network of a part reads.

    Args:
        name: Name of the part.
        own: Its joints.
        layout: The skeleton.
    """

    def __init__(self, name: str, own: Sequence[int], layout: Layout) -> None:
        near = _joints(layout, NEIGHBOURS.get(name, ()))
        self.joints = tuple(sorted({*own, *near}))
        self.ankles = _joints(layout, ("ankle",)) if name in STANDING else ()
        self.reads = tuple(sorted({*self.joints, *self.ankles, *body_path(layout)}))
        self.channels = 2 * 3 * (len(self.joints) + 1 + len(self.ankles))

    def features(self, skeletons: Tensor, pelvis: Tensor) -> Tensor:
        """Places and velocities of its joints, of the body's path, and of the ankles.

        Args:
            skeletons: [N, 3, T, V].
            pelvis: [N, 3, T, 1].

        Returns:
            [N, channels, T].
        """
        path = pelvis - pelvis[:, :, :1]
        places = [skeletons[..., self.joints] - pelvis, path, skeletons[..., self.ankles]]
        x = torch.cat(places, dim=3)
        speed = functional.pad(x.diff(dim=2), (0, 0, 0, 1)) * (x.shape[2] / PER_STEP)
        return torch.cat([x, speed], dim=3).transpose(2, 3).flatten(1, 2)


def body_path(layout: Layout) -> tuple[int, ...]:
    """The joints whose middle is the pelvis, the way of which every part's network reads."""
    return _joints(layout, ("hip",)) or (layout.origin,)


def _joints(layout: Layout, names: Sequence[str]) -> tuple[int, ...]:
    wanted = {f"{side}{name}" for name in names for side in ("", "left ", "right ")}
    return tuple(n for n, joint in enumerate(layout.joints) if joint in wanted)


class Body(Part):
    """What the network of the whole body reads: all joints, the body's path, and the ankles."""

    def __init__(self, layout: Layout) -> None:
        super().__init__("lower body", range(len(layout.joints)), layout)


class PartNetwork(nn.Module):
    """Three temporal convolutions, mean and maximum over a stretch of time, and a map.

    Shapes: [N, channels, T] -> [N, L, dim].

    Args:
        channels: Channels in.
        width: Channels of its layers.
        settings: Dropout, stride and width of a token.
    """

    def __init__(self, channels: int, width: int, settings: PartPureFacts.Settings) -> None:
        super().__init__()
        self.stride = settings.stride
        self.layers = nn.Sequential(
            nn.Conv1d(channels, width, 5, 2, 2, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, 2, 2, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout1d(settings.dropout),
            nn.Conv1d(width, 2 * width, 3, 1, 1),
        )
        self.out = nn.Linear(4 * width, settings.dim)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, T] -> [N, T // stride, dim]."""
        slots, maps = x.shape[2] // self.stride, self.layers(x)
        pools = (functional.adaptive_avg_pool1d, functional.adaptive_max_pool1d)
        tokens: Tensor = self.out(torch.cat([pool(maps, slots) for pool in pools], 1).mT)
        return tokens


class PartPure(PartPureFacts, nn.Module):
    """A network for each part of the layout's finest partition, which reads no other part.

    The token of a part, which all its joints carry, depends on that part's joints, a few next to
    them (`reads`) and the way of the pelvis only. So a part can be compared with what a text says
    of it, and a text that says something else of another part changes nothing. Features are joints
    minus pelvis, the pelvis minus its first place, of legs and feet the ankles as they are, and
    velocities of all that; clips are best prepared in the body's own frame.

    Of a clip's length in seconds nothing is known here: velocities are per share of the clip.

    With a `body_width` one more network reads all joints: its token, the last one, can be compared
    with what is said of the whole clip.

    Shapes: [B, 3, T, V, M] -> [B, T // stride, V or V + 1, dim], the mean over persons who are
    present.

    Args:
        settings: Size of the networks.
        layout: The skeleton.
    """

    def __init__(self, settings: PartPureFacts.Settings, layout: Layout) -> None:
        super().__init__()
        self.dim, self.stride = settings.dim, settings.stride
        self.whole_body = settings.body_width > 0
        finest = layout.parts[max(layout.parts)]
        self.parts = [Part(name, own, layout) for name, own in finest.items()]
        self.reads = {name: p.reads for name, p in zip(finest, self.parts, strict=True)}
        self.path = body_path(layout)
        widths = [settings.width] * len(finest)
        of = {joint: n for n, own in enumerate(finest.values()) for joint in own}
        self.network_of = [of[joint] for joint in range(len(layout.joints))]
        if self.whole_body:
            self.network_of.append(len(self.parts))
            self.parts.append(Body(layout))
            widths.append(settings.body_width)
        self.networks = nn.ModuleList(
            PartNetwork(part.channels, width, settings)
            for part, width in zip(self.parts, widths, strict=True)
        )

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> tokens [B, T // stride, V or V + 1, dim].

        Raises:
            UsageError: The clips have fewer frames than a token stands for.
        """
        slots = clips.shape[2] // self.stride
        if not slots:
            raise UsageError(
                f"backbone.stride: {clips.shape[2]} frames make no token of {self.stride}",
                "lower it, or raise pretrain.frames",
            )
        skeletons = clips[:, :, : slots * self.stride].permute(0, 4, 1, 2, 3)  # [B, M, 3, T, V]
        present = (skeletons != 0).flatten(2).any(2)
        each = self._of_everybody if torch.compiler.is_exporting() else self._of_present
        tokens = each(skeletons, present).sum(1) / present.sum(1).clamp_min(1)[:, None, None, None]
        return tokens[:, :, self.network_of]

    def _of_present(self, skeletons: Tensor, present: Tensor) -> Tensor:
        """Tokens [B, M, L, K, dim] of skeletons [B, M, 3, T, V], zeros where nobody is."""
        slots = skeletons.shape[3] // self.stride
        out = skeletons.new_zeros(*present.shape, slots, len(self.parts), self.dim)
        if present.any():
            out[present] = self.encode(skeletons[present]).to(out)
        return out

    def _of_everybody(self, skeletons: Tensor, present: Tensor) -> Tensor:
        """The same without a choice of skeletons, which an exported program cannot make."""
        every = self.encode(skeletons.flatten(0, 1))
        tokens = every.view(-1, present.shape[1], *every.shape[1:])
        return tokens * present[:, :, None, None, None]

    def encode(self, skeletons: Tensor) -> Tensor:
        """Skeletons [N, 3, T, V] -> tokens of their parts [N, L, K, dim]."""
        pelvis = skeletons[..., self.path].mean(3, keepdim=True)
        pairs = zip(self.networks, self.parts, strict=True)
        return torch.stack([net(part.features(skeletons, pelvis)) for net, part in pairs], 2)
