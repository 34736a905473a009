"""Skeletons as graphs: `torch_geometric.data.Data` with a partition of the edges.

A graph has `edge_index` [2, E] (source, target), `edge_weight` [E], `edge_group` [E], the group of
the partition that an edge falls into, and `num_nodes` V. An edge carries its source's features to
its target, as everywhere in PyTorch Geometric.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing

from starcli.contracts import Layout

Partition = Literal["distance", "distance-published", "direction"]


class Operator(MessagePassing):  # type: ignore[misc]
    """An operator of PyTorch Geometric that leaves no file behind.

    `MessagePassing` compiles `propagate` for every class, from a module that it writes into the
    system's temporary folder and never removes. Without, messages take its general path, which
    computes the same.
    """

    def _set_jittable_templates(self, raise_on_error: bool = False) -> None:
        """Compile nothing."""


def skeleton_graph(layout: Layout, partition: Partition) -> Data:
    """The graph of a layout's joints and bones.

    Args:
        layout: Joints and bones.
        partition: `distance`: the spatial configuration partition of ST-GCN (section 3.3), by
            whether a joint is the neighbour itself, nearer to the centre joint, or farther from it,
            normalised as A D^-1. `distance-published`: the same as ST-GCN's published code computes
            it, where all joints more than one bone from the centre are equally far, and bones
            between them count as leading to the centre. `direction`: self-loops,
            bones towards the centre, bones away from it, each group normalised by itself
            (CTR-GCN, section 3.1).
    """
    groups = _by_direction(layout) if partition == "direction" else _by_distance(layout, partition)
    return from_dense(groups)


def _by_direction(layout: Layout) -> Tensor:
    count = len(layout.joints)
    inward = torch.zeros(count, count)
    for child, parent in layout.bones:
        inward[child, parent] = 1
    return torch.stack([_normalised(g) for g in (torch.eye(count), inward, inward.T)])


def _by_distance(layout: Layout, partition: Partition) -> Tensor:
    linked = torch.eye(len(layout.joints))
    for child, parent in layout.bones:
        linked[child, parent] = linked[parent, child] = 1
    hops = _hops(linked, layout.centre)
    if partition == "distance-published":
        hops = hops.clamp(max=2)
    source, target = hops[:, None], hops[None, :]
    itself = torch.eye(len(hops), dtype=torch.bool)
    normal = _normalised(linked)
    # Joints of a bone are equally far only where the published code cuts distances short: it puts
    # such bones, both ways, with those towards the centre.
    inward, outward = (source >= target) & ~itself, source < target
    return torch.stack([normal * group for group in (itself, inward, outward)])


def _normalised(linked: Tensor) -> Tensor:
    """A D^-1: the weights that flow into a joint add up to one; joints without any keep zero."""
    return linked / linked.sum(0, keepdim=True).clamp_min(1)


def _hops(linked: Tensor, centre: int) -> Tensor:
    """Graph distance [V] of every joint from the centre."""
    hops = torch.full((len(linked),), -1)
    frontier, distance = {centre}, 0
    while frontier:
        hops[list(frontier)] = distance
        around = linked[list(frontier)].sum(0) > 0
        frontier = {int(v) for v in torch.nonzero(around & (hops < 0))}
        distance += 1
    return hops


def dense(graph: Data) -> Tensor:
    """A graph's adjacency [G, V, V]; entry [g, v, w] is the weight of the edge from v to w."""
    groups = int(graph.edge_group.max()) + 1
    out = torch.zeros(groups, graph.num_nodes, graph.num_nodes)
    source, target = graph.edge_index
    out[graph.edge_group, source, target] = graph.edge_weight
    return out


def from_dense(adjacency: Tensor) -> Data:
    """The graph of an adjacency [G, V, V]; the inverse of `dense`."""
    group, source, target = adjacency.nonzero(as_tuple=True)
    return Data(
        edge_index=torch.stack([source, target]),
        edge_weight=adjacency[group, source, target],
        edge_group=group,
        num_nodes=adjacency.shape[-1],
    )
