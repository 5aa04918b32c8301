"""The networks without a memory in numpy, beside torch's; what a key costs is told from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autocomplete.inference.speed import key_seconds
from autocomplete.lab.windows import CausalConvolution, FeedForwardWindow, WindowNetwork
from autocomplete.models import convolution, window
from autocomplete.models.character_ngrams import CharacterNgrams
from autocomplete.models.protocol import gather
from autocomplete.models.recurrent import RecurrentNetwork
from autocomplete.storage.checkpoint import Configuration
from autocomplete.text.vocabulary import BOUNDARY
from autocomplete.training.networks.recurrent import CharRNN

SYMBOLS = 9

pytestmark = pytest.mark.usefixtures("one_thread")


def networks() -> list[tuple[WindowNetwork, window.FeedForwardWindow | convolution.CausalConvolution]]:
    torch.manual_seed(0)
    found = []
    for places, layers in ((1, 1), (4, 1), (3, 2)):
        network = FeedForwardWindow(SYMBOLS, places, 5, 12, layers)
        found.append((network, window.FeedForwardWindow(arrays(network))))
    for layers, kernel in ((1, 2), (3, 2), (3, 3)):
        network = CausalConvolution(SYMBOLS, 5, 12, layers, kernel)
        found.append((network, convolution.CausalConvolution(arrays(network))))
    return found


def arrays(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize(("network", "model"), networks())
def test_steps_give_the_answers_of_torch(network: WindowNetwork, model: window.FeedForwardWindow) -> None:
    texts = np.random.default_rng(0).integers(0, SYMBOLS, (3, 25))
    with torch.no_grad():
        expected = network(torch.from_numpy(texts)).log_softmax(dim=-1).numpy()  # (batch, time, vocabulary)
    states = gather(model.start(), [0, 0, 0])
    for time, symbols in enumerate(texts.T):
        states = model.step(states, symbols)
        np.testing.assert_allclose(model.log_probabilities(states), expected[:, time], atol=1e-5)


@pytest.mark.parametrize(("network", "model"), networks())
def test_before_the_first_symbol_there_are_boundaries(network: WindowNetwork, model: window.FeedForwardWindow) -> None:
    with torch.no_grad():
        expected = network(torch.full((1, network.seen + 1), BOUNDARY))[:, -1].log_softmax(dim=-1).numpy()
    np.testing.assert_allclose(model.log_probabilities(model.start()), expected, atol=1e-5)


def test_window_sees_what_stands_in_it_and_nothing_else() -> None:
    network, ids = FeedForwardWindow(SYMBOLS, 3, 5, 12), torch.tensor([[2, 3, 4, 5, 6]])
    with torch.no_grad():
        for place in range(5):
            changed = ids.clone()
            changed[0, place] = 8
            moved = (network(changed)[0] - network(ids)[0]).abs().sum(dim=1) > 0
            assert moved.tolist() == [place <= time < place + 3 for time in range(5)]


def test_a_key_takes_some_time_of_any_model() -> None:
    ids = np.array([0, 2, 3, 2, 0, 4, 2, 0])
    configuration = Configuration(SYMBOLS, "gru", 1, 12, 5)
    recurrent = RecurrentNetwork(configuration, arrays(CharRNN(configuration)))
    for model in (recurrent, CharacterNgrams(ids, SYMBOLS, 3), *(model for _, model in networks())):
        assert 0 < key_seconds(model, ids) < 1
