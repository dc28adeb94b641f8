import pytest
import torch

from quantum.encoding import amplitude_encoding, angle_encoding, basis_encoding, iqp_encoding
from quantum.errors import InvalidValues
from quantum.observable import X, Y, Z
from quantum.simulator import expectation, run
from quantum.simulator.gate_by_gate import unitary

ALL = [angle_encoding(3), basis_encoding(3), iqp_encoding(3), amplitude_encoding(3)]


def encoded(encoder, features):
    return run(encoder.circuit, inputs=encoder.angles(features))


@pytest.mark.parametrize("encoder", ALL)
def test_all_parameters_are_inputs(encoder):
    assert encoder.circuit.weights == ()
    features = torch.tensor([[1.0, 0.0, 1.0]])
    assert encoder.angles(features).shape == (1, len(encoder.circuit.inputs))
    with pytest.raises(InvalidValues, match="3 features, not 4"):
        encoder.angles(torch.ones(1, 4))


@pytest.mark.parametrize(("axis", "seen"), [("x", Y), ("y", X), ("z", X)])
def test_angles_turn_each_qubit_by_its_feature(axis, seen):
    encoder = angle_encoding(2, axis=axis)
    features = torch.tensor([[0.3, -1.1]], dtype=torch.float64)
    values = expectation(encoder.circuit, [seen(0), seen(1)], inputs=encoder.angles(features))
    expected = {"x": -features.sin(), "y": features.sin(), "z": features.cos()}[axis]
    assert torch.allclose(values, expected)


def test_bits_become_the_basis_state_that_spells_them():
    bits = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    states = encoded(basis_encoding(3), bits)
    assert states.abs().argmax(1).tolist() == [0b101, 0b011]
    assert torch.allclose(states.abs().amax(1), torch.ones(2))
    with pytest.raises(InvalidValues, match="0 or 1"):
        encoded(basis_encoding(3), bits / 2)


@pytest.mark.parametrize("n_features", [1, 2, 3, 5, 8, 13])
def test_amplitudes_are_the_normalised_features(n_features):
    encoder = amplitude_encoding(n_features)
    features = torch.randn(6, n_features, dtype=torch.float64)
    features[0, : n_features // 2] = 0
    states = encoded(encoder, features)
    padded = torch.nn.functional.pad(features, (0, states.shape[1] - n_features))
    expected = torch.nn.functional.normalize(padded).to(torch.complex128)
    assert torch.allclose(states, expected, atol=1e-12)


def test_amplitudes_take_one_turn_and_one_cnot_each():
    counts = amplitude_encoding(16).circuit.count_gates()
    assert counts["ry"] == 15
    assert counts["cx"] == 14


def test_amplitudes_are_differentiable_even_at_zeros():
    features = torch.tensor([[0.0, 0.0, 3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    encoder = amplitude_encoding(4)
    state = encoded(encoder, features)
    state[0, 2].real.backward()
    # d/dx of x / |(x, y)| at (3, 4)
    assert torch.allclose(features.grad[0, 2:], torch.tensor([0.128, -0.096], dtype=torch.float64))
    assert torch.isfinite(features.grad).all()


def test_a_row_of_zeros_has_no_direction():
    with pytest.raises(InvalidValues, match="zeros"):
        amplitude_encoding(2).angles(torch.zeros(1, 2))


def test_iqp_repeats_hadamards_and_products():
    encoder = iqp_encoding(2, repetitions=2)
    x, y = 0.4, -0.9
    block = unitary(encoder.circuit.__class__(2).h(0).h(1).rz(2 * x, 0).rz(2 * y, 1)
                    .rzz(2 * x * y, 0, 1))  # fmt: skip
    state = encoded(encoder, torch.tensor([[x, y]], dtype=torch.float64))[0]
    assert torch.allclose(state, (block @ block)[:, 0], atol=1e-12)


def test_iqp_angles_are_differentiable():
    encoder = iqp_encoding(3)
    features = torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64, requires_grad=True)

    def value(x):
        return expectation(encoder.circuit, [Z(0) @ X(2)], inputs=encoder.angles(x))

    assert torch.autograd.gradcheck(value, (features,))
