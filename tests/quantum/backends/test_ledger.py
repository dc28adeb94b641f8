"""Money: no order of events, no damage and no crowd of writers lets more be spent than the cap."""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.ledger import Ledger
from quantum.errors import BudgetExceeded, Damaged

TAGS = st.sampled_from("abc")
COSTS = st.floats(0, 8, allow_nan=False)
STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "release"]), TAGS, COSTS), max_size=12
)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl", cap=10.0)


@settings(deadline=None, max_examples=40)
@given(steps=STEPS)
def test_it_counts_as_a_table_of_tags_would(tmp_path_factory, steps):
    ledger = Ledger(tmp_path_factory.mktemp("money") / "ledger.jsonl", cap=10.0)
    table: dict[str, float] = {}
    spent: dict[str, bool] = {}
    before = 0.0  # by tags that asked for more after they had been settled
    for verb, tag, cost in steps:
        others = sum(v for other, v in table.items() if other != tag or spent[tag]) + before
        if verb == "reserve" and others + cost > 10.0:
            with pytest.raises(BudgetExceeded):
                ledger.reserve(tag, cost)
            continue
        {"reserve": ledger.reserve, "settle": ledger.settle}.get(verb, _release(ledger))(tag, cost)
        before += table[tag] if verb == "reserve" and spent.get(tag) else 0.0
        table[tag], spent[tag] = 0.0 if verb == "release" else cost, verb == "settle"
        again = Ledger(ledger.file, cap=10.0)  # as another process sees it
        assert again.spent() == pytest.approx(before + sum(table.values()))
        assert again.left() == pytest.approx(max(0.0, 10.0 - before - sum(table.values())))
        assert all(again.cost(name) == value for name, value in table.items())


def _release(ledger):
    return lambda tag, cost: ledger.release(tag)


@settings(deadline=None, max_examples=30)
@given(costs=st.lists(st.floats(0.01, 6), min_size=1, max_size=15))
def test_reservations_alone_never_pass_the_cap(tmp_path_factory, costs):
    ledger = Ledger(tmp_path_factory.mktemp("money") / "ledger.jsonl", cap=10.0)
    taken = 0.0
    for number, cost in enumerate(costs):
        try:
            ledger.reserve(str(number), cost)
            taken += cost
        except BudgetExceeded:
            assert taken + cost > 10.0 - 1e-9
    assert ledger.spent() == pytest.approx(taken) and ledger.spent() <= 10.0


def test_what_was_spent_beyond_the_cap_stops_everything_after_it(ledger):
    ledger.reserve("a", 4.0)
    ledger.settle("a", 25.0)
    assert (ledger.spent(), ledger.left()) == (25.0, 0.0)
    for cost in (0.01, 5.0):
        with pytest.raises(BudgetExceeded, match=r"of the cap of 10\.00, 0\.00 is left"):
            ledger.reserve("b", cost)


def test_a_job_asks_with_what_it_has_set_aside_already(ledger):
    ledger.reserve("a", 9.0)
    assert ledger.left() == 1.0 and ledger.left(tag="a") == 10.0
    ledger.reserve("a", 10.0)
    assert ledger.left() == 0.0


def test_what_a_tag_spent_stays_when_it_asks_again(ledger):
    for n in range(3):
        assert ledger.left(tag="a") == 10.0 - 3.0 * n
        ledger.reserve("a", 4.0 if n < 2 else 1.0)
        ledger.settle("a", 3.0)
    assert ledger.spent() == 9.0 and ledger.cost("a") == 3.0
    with pytest.raises(BudgetExceeded, match=r"1\.00 is left"):
        ledger.reserve("a", 4.0)
    assert ledger.spent() == 9.0


def test_an_empty_ledger_has_spent_nothing_and_makes_no_file(ledger):
    assert (ledger.spent(), ledger.left(), ledger.cost("a")) == (0.0, 10.0, 0.0)
    assert not ledger.file.exists()


def test_every_entry_says_what_it_was_and_when(ledger):
    ledger.reserve("a", 3)
    ledger.settle("a", 2)
    ledger.release("b")
    entries = [json.loads(line) for line in ledger.file.read_text().splitlines()]
    assert [entry["what"] for entry in entries] == ["reserved", "settled", "released"]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert all(entry["time"].endswith("+00:00") for entry in entries)


@pytest.mark.parametrize("torn", [b"{", b'{"tag": "b", "co', '{"tag": "ü'.encode()[:-1]])
def test_a_line_whose_writer_died_does_not_count_and_is_in_nobodys_way(ledger, torn):
    ledger.reserve("a", 4.0)
    with ledger.file.open("ab") as file:
        file.write(torn)
    assert ledger.spent() == 4.0
    ledger.reserve("b", 5.0)
    assert Ledger(ledger.file, cap=10.0).spent() == 9.0


def test_a_ledger_that_begins_with_a_torn_line_begins_anew(ledger):
    ledger.file.parent.mkdir(exist_ok=True)
    ledger.file.write_bytes(b'{"tag": "a", "cost"')
    assert ledger.spent() == 0.0
    ledger.reserve("a", 1.0)
    assert ledger.spent() == 1.0


@pytest.mark.parametrize("line", ["no json", "{}", '{"tag": "a", "cost": "dear"}', "[1]"])
def test_a_damaged_ledger_lets_nothing_be_spent_and_says_where(ledger, line):
    ledger.reserve("a", 4.0)
    ledger.file.write_text(ledger.file.read_text() + line + "\n")
    ledger.file.write_text(ledger.file.read_text() + json.dumps({"tag": "b", "cost": 1.0}) + "\n")
    for ask in (ledger.spent, ledger.left, lambda: ledger.reserve("c", 0.5)):
        with pytest.raises(Damaged, match=r"line 2 of the ledger .*ledger\.jsonl"):
            ask()


def test_settling_and_reserving_at_once_loses_nothing(ledger):
    def work(number):
        for turn in range(5):
            ledger.reserve(f"{number}-{turn}", 0.5)
            ledger.settle(f"{number}-{turn}", 0.25)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.spent() == pytest.approx(6 * 5 * 0.25)
    assert len(ledger.file.read_text().splitlines()) == 60
