"""Variational autoencoders and the classifier on their codes."""

import math

import pytest
import torch
from torch import nn

from starcli_plugins.methods.vae import Gaussian, Vae, fit_softmax, layers, wasserstein

pytestmark = pytest.mark.numerical


def gaussian(means: list[list[float]], deviations: list[list[float]]) -> Gaussian:
    return Gaussian(torch.tensor(means), 2 * torch.tensor(deviations).log())


def test_the_divergence_by_hand() -> None:
    """KL(N(m, s^2) || N(0, 1)) = (s^2 + m^2 - 1) / 2 - ln s, added up over coordinates."""
    found = gaussian([[1.0, 0.0], [0.0, 2.0]], [[1.0, 2.0], [1.0, 1.0]]).divergence()
    first = 0.5 + (4 - 1) / 2 - math.log(2)
    assert found.item() == pytest.approx((first + 2.0) / 2)


def test_the_divergence_agrees_with_torch_distributions() -> None:
    torch.manual_seed(0)
    ours = Gaussian(torch.randn(3, 4), torch.randn(3, 4))
    theirs = torch.distributions.Normal(ours.mean, (0.5 * ours.log_variance).exp())
    standard = torch.distributions.Normal(torch.zeros(3, 4), torch.ones(3, 4))
    expected = torch.distributions.kl_divergence(theirs, standard).sum(1).mean()
    torch.testing.assert_close(ours.divergence(), expected)


def test_the_wasserstein_distance_by_hand() -> None:
    a = gaussian([[0.0, 0.0], [1.0, 1.0]], [[1.0, 1.0], [2.0, 2.0]])
    b = gaussian([[3.0, 0.0], [1.0, 1.0]], [[1.0, 5.0], [2.0, 2.0]])
    # First: sqrt(3^2 + (1 - 5)^2) = 5. Second: equal, 0.
    assert wasserstein(a, b).item() == pytest.approx(2.5, abs=1e-5)


def test_equal_distributions_have_a_finite_gradient() -> None:
    mean = torch.zeros(2, 3, requires_grad=True)
    wasserstein(Gaussian(mean, mean), Gaussian(mean, mean)).backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None
    assert mean.grad.isfinite().all()


def test_samples_have_mean_and_deviation() -> None:
    many = gaussian([[1.0, -2.0]] * 20000, [[0.5, 3.0]] * 20000)
    drawn = many.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), torch.tensor([1.0, -2.0]), atol=0.06, rtol=0)
    torch.testing.assert_close(drawn.std(0), torch.tensor([0.5, 3.0]), atol=0.06, rtol=0)
    assert torch.equal(drawn, many.sample(torch.Generator().manual_seed(0)))


def test_layers_end_without_relu_and_begin_with_small_weights() -> None:
    net = layers((4, 3, 2))
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU, nn.Linear]
    assert all(not layer.bias.any() for layer in net if isinstance(layer, nn.Linear))
    bound = 0.5 * math.sqrt(6 / (4 + 3))
    first = net[0]
    assert isinstance(first, nn.Linear)
    assert 0.5 * bound < first.weight.abs().max() <= bound


def test_the_code_is_split_into_mean_and_log_variance() -> None:
    vae = Vae(3, 2, (), ())
    with torch.no_grad():
        vae.encoder[0].weight.copy_(torch.arange(12.0).reshape(4, 3))  # type: ignore[operator]
    found = vae.encode(torch.tensor([[1.0, 0.0, 0.0]]))
    assert found.mean.tolist() == [[0, 3]]
    assert found.log_variance.tolist() == [[6, 9]]
    assert vae.decode(found.mean).shape == (1, 3)


def test_the_classifier_starts_anew_and_separates() -> None:
    codes = torch.cat([torch.randn(30, 2) + 4, torch.randn(30, 2) - 4])
    labels = torch.tensor([3] * 30 + [1] * 30)
    classifier = nn.Linear(2, 5)
    for _ in range(2):
        generator = torch.Generator().manual_seed(0)
        fit_softmax(classifier, codes, labels, epochs=30, batch=10, lr=0.05, generator=generator)
        weight = classifier.weight.detach().clone()
        assert (classifier(codes).argmax(1) == labels).all()
    fit_softmax(
        classifier,
        codes,
        labels,
        epochs=30,
        batch=10,
        lr=0.05,
        generator=torch.Generator().manual_seed(0),
    )
    assert torch.equal(classifier.weight, weight)


def test_the_classifier_learns_by_the_gradient_of_the_cross_entropy() -> None:
    source = torch.Generator().manual_seed(2)
    codes = torch.randn(6, 3, generator=source, dtype=torch.float64)
    labels = torch.tensor([0, 1, 3, 3, 0, 1])
    ours, theirs = (nn.Linear(3, 4, dtype=torch.float64) for _ in range(2))
    fit_softmax(ours, codes, labels, epochs=4, batch=6, lr=0.1, generator=torch.Generator())
    for parameter in theirs.parameters():
        nn.init.zeros_(parameter)
    adam = torch.optim.Adam(theirs.parameters(), 0.1)
    for _ in range(4):
        adam.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(theirs(codes), labels))
        adam.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_one_step_of_the_classifier_by_hand() -> None:
    """From zero, Adam's first step is the learning rate against the sign of the gradient."""
    classifier = nn.Linear(1, 2)
    fit_softmax(
        classifier,
        torch.tensor([[2.0]]),
        torch.tensor([1]),
        epochs=1,
        batch=8,
        lr=0.1,
        generator=torch.Generator(),
    )
    assert classifier.weight.flatten().tolist() == pytest.approx([-0.1, 0.1])
    assert classifier.bias.tolist() == pytest.approx([-0.1, 0.1])
