"""A team does every piece once, gives what one thread gives, and leaves nothing behind."""

import threading
import time

import pytest
import torch

from folding.model import attention, denoising, team
from folding.model.diffusion import Trunk
from tests.folding.model.cases import REDUCED, random_features, random_network


def members() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("team-")]


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("n_pieces", [0, 1, 2, 40])
def test_every_piece_is_done_once(n_threads, n_pieces):
    done = []
    with team.leading(n_threads):
        team.share(range(n_pieces), lambda: done.append)
    assert sorted(done) == list(range(n_pieces))


def test_several_threads_take_part_each_with_its_own_scratch():
    taken = {}

    def start():
        mine = taken.setdefault(threading.get_ident(), [])
        return lambda piece: (mine.append(piece), time.sleep(0.005))

    with team.leading(3):
        assert team.size() == 3
        team.share(range(30), start)
    assert len(taken) == 3
    assert sorted(piece for mine in taken.values() for piece in mine) == list(range(30))


@pytest.mark.parametrize(("n_products", "n_threads"), [(team.WORTH_SHARING - 1, 1), (2**30, 2)])
def test_what_takes_less_time_than_waking_the_others_is_not_shared(n_products, n_threads):
    taken = set()

    def take(piece):
        taken.add(threading.get_ident())
        time.sleep(0.005)

    with team.leading(2):
        team.share(range(10), lambda: take, n_products=n_products)
    assert len(taken) == n_threads


def test_who_is_held_up_leaves_its_pieces_to_the_others():
    taken = {}

    def start():
        mine = taken.setdefault(threading.current_thread().name, [])
        is_slow = threading.current_thread() is threading.main_thread()
        return lambda piece: (mine.append(piece), time.sleep(0.1 if is_slow else 0.001))

    with team.leading(2):
        team.share(range(30), start)
    assert len(taken.pop("team-1")) > 20


@pytest.mark.parametrize("where", ["leader", "member"])
def test_a_fault_in_any_thread_is_the_callers_and_the_team_goes_on(where):
    def start():
        is_leader = threading.current_thread() is threading.main_thread()

        def do(piece):
            time.sleep(0.002)
            if is_leader == (where == "leader"):
                raise ArithmeticError(f"piece {piece}")

        return do

    done = []
    with team.leading(2):
        with pytest.raises(ArithmeticError, match="piece"):
            team.share(range(1000), start)
        team.share(range(9), lambda: done.append)
        assert team.size() == 2
    assert sorted(done) == list(range(9))


def test_after_a_fault_nobody_takes_further_pieces():
    taken = []

    def start():
        def do(piece):
            taken.append(piece)
            time.sleep(0.001)
            if piece == 3:
                raise ArithmeticError

        return do

    with team.leading(2), pytest.raises(ArithmeticError):
        team.share(range(1000), start)
    assert len(taken) < 20


def test_sharing_within_a_piece_is_done_by_who_has_the_piece():
    found = []

    def outer(piece):
        me = threading.get_ident()
        team.share(range(3), lambda: lambda inner: found.append((piece, inner, me)))

    with team.leading(2):
        team.share(range(6), lambda: outer)
    assert sorted(x[:2] for x in found) == [(i, j) for i in range(6) for j in range(3)]
    assert all(len({x[2] for x in found if x[0] == i}) == 1 for i in range(6))


def test_threads_of_a_team_are_in_the_leaders_state():
    seen = {}

    def start():
        time.sleep(0.01)
        seen[threading.current_thread().name] = (
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.get_num_threads(),
        )
        return lambda piece: time.sleep(0.005)

    with torch.inference_mode(), team.leading(2), torch.autocast("cpu", dtype=torch.bfloat16):
        team.share(range(8), start)
    assert set(seen.values()) == {(True, True, torch.bfloat16, 1)}
    assert len(seen) == 2


def test_a_team_ends_with_its_block_and_torch_has_its_threads_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), team.leading(4):
            assert torch.get_num_threads() == 1
            assert len(members()) == 3
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert members() == []
    assert team.size() == 1


def test_a_team_within_a_team_is_the_team():
    with team.leading(3):
        with team.leading(8):
            assert team.size() == 3
        assert team.size() == 3


def test_a_thread_beside_the_leader_has_no_team():
    seen = []
    with team.leading(3):
        beside = threading.Thread(target=lambda: seen.append(team.size()))
        beside.start()
        beside.join()
    assert seen == [1]


def forward() -> list[torch.Tensor]:
    """Every part of a network whose work is shared."""
    model, features = random_network(REDUCED, 5), random_features(5, n_tokens=30, n_rows=5)
    x = torch.randn(1, len(features.ref_pos), 3, generator=torch.Generator().manual_seed(2))
    trunk: Trunk = model.run_trunk(features, 2)
    context = model.diffusion.context(features, trunk)
    denoised = model.diffusion(x, torch.tensor([3.0]), context)
    return [*trunk, denoised, *model.confidence(x[0], features, trunk)]


@pytest.mark.parametrize("n_threads", [2, 3])
def test_a_network_gives_the_same_numbers_whoever_computes_them(n_threads, monkeypatch):
    monkeypatch.setattr(team, "WORTH_SHARING", 0)
    monkeypatch.setattr(attention, "FEWEST_WINDOWS", 1)
    monkeypatch.setattr(denoising, "FEWEST_COLUMNS", 4)
    with torch.inference_mode():
        alone = forward()
        with team.leading(n_threads):
            together = forward()
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(other, one, rtol=2e-5, atol=2e-5)
