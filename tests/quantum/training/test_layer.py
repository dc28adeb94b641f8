import copy
import pickle

import pytest
import torch

from quantum.ansatz import hardware_efficient, strongly_entangling
from quantum.circuit import Circuit
from quantum.encoding import amplitude_encoding, angle_encoding, iqp_encoding
from quantum.errors import InvalidCircuit, InvalidValues
from quantum.observable import X, Z
from quantum.simulator import expectation, sample
from quantum.training.layer import QuantumLayer, interleave

ENCODER, ANSATZ = angle_encoding(3), hardware_efficient(3, 2)


def simulate(circuit, observables, values):
    with torch.no_grad():
        return expectation(circuit, observables, weights=values)


class Device:
    """Any function from circuits to values may stand for a backend; this one keeps count."""

    def __init__(self):
        self.runs = []

    def __call__(self, circuit, observables, values):
        self.runs.append(len(values))
        return simulate(circuit, observables, values)


def features(*shape: int, dtype=torch.float64) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def test_outputs_are_the_circuit_s_expectation_values():
    layer = QuantumLayer(ENCODER, ANSATZ, [Z(0), X(1) @ Z(2)], dtype=torch.float64)
    rows = features(5, 3)
    direct = expectation(
        ENCODER.circuit + ANSATZ, [Z(0), X(1) @ Z(2)], weights=layer.weights, inputs=rows
    )
    assert torch.equal(layer(rows), direct)


def test_z_on_every_qubit_is_read_unless_said_otherwise():
    layer = QuantumLayer(ENCODER, ANSATZ)
    assert layer.observables == (Z(0), Z(1), Z(2)) and layer.n_outputs == 3


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 3), (2, 5, 3), (0, 3)])
def test_any_leading_shape_goes_through(shape):
    layer = QuantumLayer(ENCODER, ANSATZ, dtype=torch.float64)
    rows = features(*shape)
    found = layer(rows)
    assert found.shape == (*shape[:-1], 3)
    alone = [layer(row) for row in rows.reshape(-1, 3)]
    for one, row in zip(alone, found.reshape(-1, 3), strict=True):
        assert torch.allclose(one, row, atol=1e-12)


def test_weights_set_the_precision():
    for dtype in (torch.float32, torch.float64):
        layer = QuantumLayer(ENCODER, ANSATZ, dtype=dtype)
        assert layer(features(2, 3)).dtype == dtype
    assert layer.float()(features(2, 3)).dtype == torch.float32


@pytest.mark.parametrize("encoder", [ENCODER, iqp_encoding(3), amplitude_encoding(8)])
def test_gradients_of_weights_and_features_match_finite_differences(encoder):
    layer = QuantumLayer(encoder, hardware_efficient(3, 1), [X(0), Z(2)], dtype=torch.float64)
    rows = (features(1, encoder.n_features) + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(layer, rows, atol=1e-6)

    def of_weights(weights):
        return torch.func.functional_call(layer, {"weights": weights}, (rows.detach(),))

    assert torch.autograd.gradcheck(of_weights, layer.weights.detach().requires_grad_(), atol=1e-6)


@pytest.mark.parametrize("uploads", [1, 2])
def test_a_backend_gives_the_simulator_s_gradients(uploads):
    local = QuantumLayer(ENCODER, ANSATZ, uploads=uploads, dtype=torch.float64)
    device = Device()
    remote = QuantumLayer(ENCODER, ANSATZ, uploads=uploads, evaluate=device, dtype=torch.float64)
    upstream = features(4, 3)
    found = []
    for layer in (local, remote):
        rows = features(4, 3).requires_grad_()
        values = layer(rows)
        values.backward(upstream)
        found.append((values, rows.grad, layer.weights.grad))
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-10)
    assert len(device.runs) == 2  # one batch forward, one for all derivatives


def test_only_what_needs_a_gradient_is_run():
    n_weights = len(ANSATZ.weights)
    device = Device()
    layer = QuantumLayer(ENCODER, ANSATZ, evaluate=device)
    layer(features(4, 3)).sum().backward()
    assert device.runs == [4, 4 * 2 * n_weights]
    layer.weights.requires_grad_(False)
    rows = features(4, 3).requires_grad_()
    layer(rows).sum().backward()
    assert device.runs[2:] == [4, 4 * 2 * 3]
    with torch.no_grad():
        layer(rows)
    assert device.runs[4:] == [4]


def gradients_on_a_device(gradient):
    device = Device()
    layer = QuantumLayer(ENCODER, ANSATZ, evaluate=device, gradient=gradient, dtype=torch.float64)
    exact = QuantumLayer(ENCODER, ANSATZ, dtype=torch.float64)
    for each in (layer, exact):
        each(features(1, 3)).sum().backward()
    return layer.weights.grad, exact.weights.grad, device.runs


def test_finite_differences_take_two_runs_per_weight():
    found, exact, runs = gradients_on_a_device("finite_difference")
    assert torch.allclose(found, exact, atol=1e-6) and runs == [1, 2 * len(exact)]


def test_spsa_takes_two_runs_and_points_uphill():
    found, exact, runs = gradients_on_a_device("spsa")
    assert runs == [1, 2]
    assert torch.allclose(found.abs(), found.abs()[0].expand_as(found))  # one slope, random signs
    assert found @ exact > 0


def test_random_numbers_continue_where_a_saved_layer_stopped():
    def shots(circuit, observables, values):
        raise AssertionError("replaced below")

    layer = QuantumLayer(ENCODER, ANSATZ, evaluate=shots, gradient="spsa")
    seeds = [layer._next_seed() for _ in range(3)]
    again = QuantumLayer(ENCODER, ANSATZ, evaluate=shots, gradient="spsa")
    again.load_state_dict(copy.deepcopy(layer.state_dict()))
    assert layer._next_seed() == again._next_seed()
    assert len(set(seeds)) == 3


def test_a_layer_can_be_saved_pickled_and_moved_between_networks():
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 3), QuantumLayer(ENCODER, ANSATZ, seed=4), torch.nn.Linear(3, 2)
    )
    copied = pickle.loads(pickle.dumps(network))
    rows = features(3, 5, dtype=torch.float32)
    assert torch.equal(network(rows), copied(rows))
    fresh = torch.nn.Sequential(
        torch.nn.Linear(5, 3), QuantumLayer(ENCODER, ANSATZ, seed=9), torch.nn.Linear(3, 2)
    )
    assert not torch.equal(fresh[1].weights, network[1].weights)
    fresh.load_state_dict(network.state_dict())
    assert torch.equal(network(rows), fresh(rows))


def test_a_network_with_a_layer_learns():
    """Both sides of the layer get their gradients through it."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), QuantumLayer(ENCODER, ANSATZ))
    rows = torch.rand(64, 2) * 2 - 1
    wanted = torch.stack([rows[:, 0] * rows[:, 1], rows[:, 0], -rows[:, 1]], 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = (network(rows) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_uploads_have_weights_of_their_own_and_share_the_data():
    circuit = interleave(ENCODER.circuit, ANSATZ, 3)
    assert len(circuit.weights) == 3 * len(ANSATZ.weights)
    assert circuit.inputs == ENCODER.circuit.inputs
    assert circuit.weights[len(ANSATZ.weights)] == "u1_" + ANSATZ.weights[0]


def test_a_circuit_without_inputs_gives_the_same_row_for_all():
    empty = ENCODER.__class__(2, Circuit(3), lambda rows: rows[:, :0])
    layer = QuantumLayer(empty, ANSATZ)
    found = layer(features(4, 2))
    assert found.shape == (4, 3) and torch.equal(found[0], found[3])
    found.sum().backward()
    assert layer.weights.grad.abs().max() > 0


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidCircuit, match="3 qubits, the ansatz 4"):
        QuantumLayer(ENCODER, strongly_entangling(4, 1))
    with pytest.raises(InvalidCircuit, match="inputs belong"):
        QuantumLayer(ENCODER, ENCODER.circuit)
    layer = QuantumLayer(ENCODER, ANSATZ)
    with pytest.raises(InvalidValues, match="3 features, not 4"):
        layer(features(2, 4))


def test_shots_come_close_to_the_exact_values():
    def measured(circuit, observables, values):
        index = sample(circuit, shots=4000, seed=1, weights=values)
        shifts = torch.tensor([circuit.n_qubits - 1 - q for q in range(3)])
        return (1.0 - 2.0 * (index[..., None] >> shifts & 1)).mean(1)

    exact, noisy = QuantumLayer(ENCODER, ANSATZ), QuantumLayer(ENCODER, ANSATZ, evaluate=measured)
    assert (exact(features(4, 3)) - noisy(features(4, 3))).abs().max() < 0.08
    assert "on simulator" in repr(exact) and "on given" in repr(noisy)


def test_a_penalty_on_measured_slopes_is_refused_rather_than_left_out():
    layer = QuantumLayer(ENCODER, ANSATZ, evaluate=Device(), dtype=torch.float64)
    rows = features(2, 3).requires_grad_()
    value = layer(rows).sum()
    slopes = torch.autograd.grad(value, (layer.weights, rows), create_graph=True)
    for slope in slopes:
        with pytest.raises(InvalidValues, match="first derivatives only"):
            (value + slope.square().sum()).backward(retain_graph=True)
    value.backward()
    assert torch.equal(layer.weights.grad, slopes[0]) and torch.equal(rows.grad, slopes[1])
