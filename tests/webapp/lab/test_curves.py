"""Curves stay short, keep their newest point, and know their turns."""

import json

from webapp.lab.curves import MOST_POINTS, MOST_POINTS_OF_MANY, MOST_TURNS, Curves


def metric(step: int, loss: float, **more) -> dict:
    return {"kind": "metric", "step": step, "epoch": 0, "loss": loss, **more}


def line(curves: Curves, name: str = "loss", of: str = "", turn: int = 1) -> dict:
    found = [
        one
        for one in curves.to_json()
        if (one["metric"], one["of"], one["turn"]) == (name, of, turn)
    ]
    (one,) = found
    return one


def test_every_number_of_an_event_is_a_line_of_its_own():
    curves = Curves(goes_on=True)
    curves.add(metric(0, 1.25, gradient_norm=0.5, learning_rate=0.01, note="text"))
    assert {one["metric"] for one in curves.to_json()} == {"loss", "gradient_norm", "learning_rate"}
    assert line(curves) == {"metric": "loss", "of": "", "turn": 1, "x": [0], "y": [1.25]}


def test_a_long_line_is_thinned_and_ends_at_its_newest_point():
    curves = Curves(goes_on=True)
    for step in range(12_345):
        curves.add(metric(step, step / 10))
    found = line(curves)
    assert MOST_POINTS / 2 <= len(found["x"]) <= MOST_POINTS + 1
    assert (found["x"][0], found["x"][-1], found["y"][-1]) == (0, 12_344, 1234.4)
    gaps = {b - a for a, b in zip(found["x"][:-1], found["x"][1:-1], strict=False)}
    assert len(gaps) == 1, "evenly thinned"
    assert found["x"] == sorted(set(found["x"]))


def test_a_training_that_goes_on_replaces_what_came_after_its_checkpoint():
    first = Curves(goes_on=True)
    for step in range(30):
        first.add(metric(step, 100.0 + step))
    saved = json.loads(json.dumps(first.to_json()))
    second = Curves(goes_on=True, saved=saved)
    for step in range(20, 25):
        second.add(metric(step, float(step)))
    found = line(second)
    assert found["x"] == list(range(25))
    assert found["y"][19:] == [119.0, 20.0, 21.0, 22.0, 23.0, 24.0]


def test_an_application_that_starts_again_begins_the_next_turn():
    curves = Curves(goes_on=False)
    for turn in range(MOST_TURNS + 3):
        for step in range(3):
            curves.add(metric(step, float(turn)))
    turns = [one["turn"] for one in curves.to_json()]
    assert turns == list(range(4, MOST_TURNS + 4)), "the oldest turns go"
    assert line(curves, turn=MOST_TURNS + 3)["y"] == [MOST_TURNS + 2.0] * 3


def test_models_and_repeats_have_lines_of_their_own():
    curves = Curves(goes_on=False)
    for repeat in range(2):
        for model in ("quantum", "classical"):
            for step in range(2):
                curves.add(metric(step, float(repeat), model=model, repeat=repeat))
    keys = [(one["of"], one["turn"]) for one in curves.to_json()]
    assert sorted(keys) == [("classical", 1), ("classical", 2), ("quantum", 1), ("quantum", 2)]
    assert line(curves, of="quantum", turn=2) == {
        "metric": "loss", "of": "quantum", "turn": 2, "x": [0, 1], "y": [1.0, 1.0],
    }  # fmt: skip


def test_what_is_no_number_is_left_out():
    curves = Curves(goes_on=False)
    curves.add(metric(0, float("nan"), gradient_norm=float("inf")))
    assert curves.to_json() == []


def test_many_lines_are_thinner():
    curves = Curves(goes_on=False)
    for step in range(5000):
        curves.add(metric(step, 0.123456789))
    assert len(line(curves)["x"]) <= MOST_POINTS_OF_MANY + 1
    assert line(curves)["y"][0] == 0.123457
