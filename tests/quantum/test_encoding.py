import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e-3, 1.0, 1e6, 1e25])
def test_amplitudes_do_not_depend_on_the_scale_of_the_features(scale):
    """Squares of such numbers leave the range of single precision."""
    features = scale * torch.tensor([[1.0, -2.0, 0.0, 4.0, 2.0]])
    states = encoded(amplitude_encoding(5), features)
    expected = torch.tensor([1.0, -2.0, 0.0, 4.0, 2.0, 0.0, 0.0, 0.0]) / 5
    assert torch.allclose(states[0], expected.to(states.dtype), atol=1e-6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_has_no_direction_either(wrong):
    with pytest.raises(InvalidValues, match="inf or nan"):
        amplitude_encoding(2).angles(torch.tensor([[1.0, 2.0], [wrong, 1.0]]))


@given(
    features=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    other=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_overlaps_of_encoded_features(features, other):
    """Of angles a product of cosines; of amplitudes the cosine between the two vectors."""
    pair = torch.tensor([features, other], dtype=torch.float64)
    for axis in "xyz":
        states = encoded(angle_encoding(3, axis=axis), pair)
        expected = ((pair[0] - pair[1]) / 2).cos().prod().abs()
        assert torch.allclose(torch.vdot(*states).abs(), expected, atol=1e-12)
    if (pair.norm(dim=1) > 1e-3).all():
        states = encoded(amplitude_encoding(3), pair)
        expected = torch.nn.functional.cosine_similarity(pair[:1], pair[1:])[0]
        assert torch.vdot(*states).real.item() == pytest.approx(expected.item(), abs=1e-9)


def test_a_row_is_encoded_alike_in_any_batch():
    features = torch.rand(5, 3, dtype=torch.float64)
    for encoder in (angle_encoding(3), iqp_encoding(3), amplitude_encoding(3)):
        together = encoded(encoder, features)
        apart = torch.cat([encoded(encoder, row[None]) for row in features])
        assert torch.allclose(together, apart, atol=1e-12)


@pytest.mark.parametrize("n_features", [2, 4, 7])
def test_gradients_of_amplitudes_are_those_of_normalising(n_features):
    features = torch.randn(2, n_features, dtype=torch.float64, requires_grad=True)
    encoder = amplitude_encoding(n_features)
    weight = torch.randn(2, 2**encoder.circuit.n_qubits, dtype=torch.float64)
    (found,) = torch.autograd.grad((encoded(encoder, features).real * weight).sum(), features)
    normal = torch.nn.functional.normalize(features)
    (expected,) = torch.autograd.grad((normal * weight[:, :n_features]).sum(), features)
    assert torch.allclose(found, expected, atol=1e-10)


def test_iqp_without_interactions_is_a_product_state():
    """One feature at zero takes its qubit out of all phases of two."""
    encoder = iqp_encoding(2, repetitions=1)
    state = encoded(encoder, torch.tensor([[0.8, 0.0]], dtype=torch.float64))[0].view(2, 2)
    assert torch.linalg.svdvals(state)[1].item() == pytest.approx(0, abs=1e-12)
    state = encoded(encoder, torch.tensor([[0.8, 0.7]], dtype=torch.float64))[0].view(2, 2)
    assert torch.linalg.svdvals(state)[1] > 0.1
