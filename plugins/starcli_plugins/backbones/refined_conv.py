"""The graph convolution of CTR-GCN, whose topologies are refined (Chen et al., ICCV 2021)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from starcli_plugins.backbones.base import convs
from starcli_plugins.backbones.graph import Operator, dense


def relation_channels(width_in: int) -> int:
    """Channels in which joints are related: an eighth of those in, 8 for raw coordinates."""
    return 8 if width_in <= 9 else width_in // 8


class RefinedConv(Operator):
    """Graph convolution whose topologies are refined per clip and channel (CTR-GC).

    out[c, u] = sum_g sum_v R_g[c, v, u] (theta_g x)[c, v] with
    R_g = A_g + alpha * xi_g(tanh(psi_g(x)_u - phi_g(x)_v)), psi and phi of the mean over frames:
    eqs. 2 to 5 of CTR-GCN, summed over the three subsets of the graph as in its section 3.3.

    Shapes: [N, in, T, V] -> [N, out, T, V].

    Args:
        width_in: Channels in.
        width: Channels out.
        graph: The skeleton and its partition, where the topologies A start.
    """

    def __init__(self, width_in: int, width: int, graph: Data) -> None:
        super().__init__(aggr="add", node_dim=-1)
        topology = dense(graph)
        groups, relations = len(topology), relation_channels(width_in)
        self.groups = groups
        self.topology = nn.Parameter(topology)
        self.alpha = nn.Parameter(torch.zeros(1))
        self.psi = nn.Conv1d(width_in, groups * relations, 1)
        self.phi = nn.Conv1d(width_in, groups * relations, 1)
        self.xi = nn.Conv2d(groups * relations, groups * width, 1, groups=groups)
        self.theta = nn.Conv2d(width_in, groups * width, 1)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Topologies start unrefined; maps as in the published code (Kaiming, fan out)."""
        nn.init.zeros_(self.alpha)
        for conv in self._maps():
            # Of one group alone: each is a map of its own.
            for weight, bias in self._of_groups(conv):
                nn.init.kaiming_normal_(weight, mode="fan_out")
                nn.init.zeros_(bias)

    def relations(self, x: Tensor) -> Tensor:
        """tanh(psi(x)_u - phi(x)_v): [N, in, T, V] -> [N, G * R, V, V].

        Means over frames come before the maps: the maps are linear, and T times fewer.
        """
        # The mean over frames as pooling, which is several times faster in channels-last memory.
        pooled = functional.avg_pool2d(x, (x.shape[2], 1)).squeeze(2)
        weight = torch.cat((self.psi.weight, self.phi.weight)).squeeze(2)
        # Only the difference is needed, and so only the difference of the biases.
        target, source = (weight @ pooled).chunk(2, 1)
        assert self.psi.bias is not None and self.phi.bias is not None
        target = target + (self.psi.bias - self.phi.bias)[:, None]
        return (target[:, :, None, :] - source[:, :, :, None]).tanh_()

    def topologies(self, x: Tensor) -> list[Tensor]:
        """The refined topologies R_g of every group: [N, in, T, V] -> G x [N, out, V, V].

        The shared topology and a constant are two more relations, weighted by one and by the bias:
        one product gives everything.
        """
        assert self.xi.bias is not None
        n, _, _, joints = x.shape
        related = self.relations(x).view(n, self.groups, -1, joints**2)
        shared = self.topology.view(self.groups, 1, -1).expand(n, -1, -1, -1)
        related = torch.cat((related, shared, torch.ones_like(shared)), 2)
        own = (self.xi.weight * self.alpha).view(self.groups, -1, related.shape[2] - 2)
        bias = (self.xi.bias * self.alpha).view(self.groups, -1, 1)
        weight = torch.cat((own, torch.ones_like(bias), bias), 2)
        maps = zip(weight, related.unbind(1), strict=True)
        products = (torch.bmm(w.expand(n, -1, -1), r) for w, r in maps)
        return [product.view(n, -1, joints, joints) for product in products]

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        """[N, in, T, V] -> [N, out, T, V], times a scale [out] if one is given.

        Products are of [T, V] by [V, V] matrices, one per clip and channel, which must lie in
        plain memory, and are added up where they are computed; maps run channels-last, where they
        are faster by more than the copies between the two cost.
        """
        if torch.is_grad_enabled() and not self.training:
            return self.published_order(x)
        assert self.theta.bias is not None
        weight, bias = self.theta.weight, self.theta.bias
        if scale is not None:
            repeated = scale.repeat(self.groups)
            weight, bias = weight * repeated[:, None, None, None], bias * repeated
        values = convs(x, weight.chunk(self.groups), bias.chunk(self.groups))
        n, _, frames, joints = x.shape
        out: Tensor | None = None
        for topology, channels in zip(self.topologies(x), values, strict=True):
            value = channels.contiguous().view(-1, frames, joints)
            mixing = topology.view(-1, joints, joints)
            out = torch.bmm(value, mixing) if out is None else out.baddbmm_(value, mixing)
        assert out is not None
        plain = out.view(n, -1, frames, joints)
        return plain.contiguous(memory_format=torch.channels_last)

    def published_order(self, x: Tensor) -> Tensor:
        """The same operation by operation as the authors write it, rounding included.

        Shapes: [N, in, T, V] -> [N, out, T, V].
        """
        x = x.contiguous()
        groups = ([*maps] for maps in zip(*map(self._of_groups, self._maps()), strict=True))
        out: Tensor | None = None
        for (psi, phi, xi, theta), shared in zip(groups, self.topology, strict=True):
            target, source = (functional.conv2d(x, w[..., None], b).mean(2) for w, b in (psi, phi))
            related = (target[:, :, :, None] - source[:, :, None, :]).tanh()
            refined = functional.conv2d(related, *xi) * self.alpha + shared.T
            value = functional.conv2d(x, *theta)
            mixed = torch.einsum("ncuv,nctv->nctu", refined, value)
            out = mixed if out is None else mixed + out
        assert out is not None
        return out

    def _maps(self) -> tuple[nn.Conv1d | nn.Conv2d, ...]:
        return self.psi, self.phi, self.xi, self.theta

    def _of_groups(self, conv: nn.Conv1d | nn.Conv2d) -> Iterator[tuple[Tensor, Tensor]]:
        """Weight and bias of each group's own map."""
        assert conv.bias is not None
        return zip(conv.weight.chunk(self.groups), conv.bias.chunk(self.groups), strict=True)

    def propagated(self, x: Tensor) -> Tensor:
        """The same by messages along all pairs of joints, as PyTorch Geometric has them: slower.

        Shapes: [N, in, T, V] -> [N, out, T, V].
        """
        joints = x.shape[3]
        edges = torch.cartesian_prod(*[torch.arange(joints, device=x.device)] * 2).T
        refined = self.xi(self.relations(x)).chunk(self.groups, 1)
        values = self.theta(x).chunk(self.groups, 1)
        out = torch.zeros_like(values[0])
        for value, own, shared in zip(values, refined, self.topology, strict=True):
            weight = (shared + self.alpha * own)[:, :, edges[0], edges[1]]
            out = out + self.propagate(edges, x=value, weight=weight)
        return out

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        """The source's features, weighted per clip and channel: [N, C, T, E] by [N, C, E]."""
        return x_j * weight[:, :, None]
