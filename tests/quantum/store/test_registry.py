import multiprocessing

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.errors import Damaged, InvalidValues, NotFound
from quantum.store.registry import ModelRegistry, Stage


@pytest.fixture
def registry(tmp_path) -> ModelRegistry:
    return ModelRegistry(tmp_path)


def add(registry, count, name="net"):
    return [registry.register(name, {"w": torch.full((2,), float(i))}) for i in range(count)]


def test_versions_count_up_and_keep_what_they_were_given(registry):
    first = registry.register(
        "net", {"w": torch.ones(2)}, metrics={"loss": 0.5}, details={"seed": 3, "data": "table"}
    )
    second = registry.register("net", {"w": torch.zeros(2)}, parents=["net:1"])
    assert (first.label, second.label) == ("net:1", "net:2")
    assert (first.stage, first.metrics) == (Stage.DRAFT, {"loss": 0.5})
    assert first.details == {"seed": 3, "data": "table"} and second.parents == ("net:1",)
    assert registry.load("net", 1)["w"].tolist() == [1, 1]
    assert registry.load("net")["w"].tolist() == [0, 0]
    assert registry.names() == ["net"] and registry.get("net") == second


def test_one_version_is_in_production(registry):
    add(registry, 3)
    registry.promote("net", 1)
    registry.promote("net", 2, Stage.STAGING, reason="better on the test set")
    registry.promote("net", 3)
    assert [v.stage for v in registry.versions("net")] == ["archived", "staging", "production"]
    assert registry.in_stage("net", "production").version == 3
    moves = [(m.version, str(m.was), str(m.stage), m.reason) for m in registry.history("net")]
    assert moves == [
        (1, "draft", "production", ""),
        (2, "draft", "staging", "better on the test set"),
        (1, "production", "archived", "replaced by 3"),
        (3, "draft", "production", ""),
    ]


def test_rolling_back_goes_back_step_by_step(registry):
    add(registry, 3)
    for version in (1, 2, 3):
        registry.promote("net", version)
    assert registry.rollback("net", reason="it drifts").version == 2
    assert registry.in_stage("net", Stage.PRODUCTION).version == 2
    assert registry.get("net", 3).stage is Stage.ARCHIVED
    assert registry.rollback("net").version == 1
    with pytest.raises(NotFound, match="no earlier version"):
        registry.rollback("net")
    registry.promote("net", 3)
    assert registry.rollback("net").version == 1


def test_rolling_back_needs_something_to_go_back_to(registry):
    add(registry, 1)
    registry.promote("net", 1)
    registry.promote("net", 1)  # again changes nothing
    with pytest.raises(NotFound):
        registry.rollback("net")


def test_lineage_follows_parents_to_the_roots(registry):
    registry.register("trunk", {})
    registry.register("data", {})
    registry.register("net", {}, parents=["trunk:1", "data:1"])
    registry.register("net", {}, parents=["net:1", "trunk:1"])
    labels = [v.label for v in registry.lineage("net", 2)]
    assert labels == ["net:2", "net:1", "trunk:1", "data:1"]


def test_unknown_names_are_refused_in_words(registry):
    add(registry, 1)
    with pytest.raises(NotFound, match="no model net:7; known: net"):
        registry.get("net", 7)
    with pytest.raises(NotFound, match="no model other"):
        registry.promote("other", 1)
    with pytest.raises(NotFound):
        registry.register("net", {}, parents=["net:5"])
    with pytest.raises(InvalidValues, match="name:number"):
        registry.register("net", {}, parents=["net"])
    with pytest.raises(ValueError, match="holiday"):
        registry.promote("net", 1, "holiday")
    assert [v.stage for v in registry.versions("net")] == [Stage.DRAFT]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_names_are_plain_words(registry, name):
    with pytest.raises(InvalidValues, match="name"):
        registry.register(name, {})


def test_a_registration_that_dies_takes_no_version(registry, tmp_path):
    add(registry, 1)
    with pytest.raises(TypeError):
        registry.register("net", {"bad": object()})
    (tmp_path / "net" / "v2").mkdir()  # files of a process that died before its row
    assert add(registry, 1)[0].version == 2
    assert registry.load("net", 2)["w"].tolist() == [0, 0]


def test_damaged_files_are_found_out(registry, tmp_path):
    add(registry, 1)
    (tmp_path / "net" / "v1" / "tensors.safetensors").write_bytes(b"nonsense")
    with pytest.raises(Damaged):
        registry.load("net", 1)


def _register(folder, who):
    registry = ModelRegistry(folder)
    for i in range(5):
        version = registry.register("net", {"who": who, "i": i}).version
        registry.promote("net", version)


def test_several_processes_register_and_promote_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_register, args=(tmp_path, i)) for i in range(2)]
    for process in others:
        process.start()
    _register(tmp_path, 2)
    for process in others:
        process.join(60)
        assert process.exitcode == 0
    registry = ModelRegistry(tmp_path)
    versions = registry.versions("net")
    assert [v.version for v in versions] == list(range(1, 16))
    assert sum(v.stage is Stage.PRODUCTION for v in versions) == 1
    contents = {
        (tree["who"], tree["i"]) for tree in (registry.load("net", n) for n in range(1, 16))
    }
    assert len(contents) == 15


def test_a_model_is_not_named_after_the_registry_s_own_file(registry):
    with pytest.raises(InvalidValues, match="choose another name"):
        registry.register("registry.sqlite3", {"w": torch.zeros(1)})


def test_a_reason_that_reads_like_a_rollback_cannot_confuse_one(registry):
    """What was in production is read from the moves: a person's words must not look like one."""
    for value in range(3):
        registry.register("model", {"w": float(value)})
        registry.promote("model", value + 1, reason="better")
    with pytest.raises(InvalidValues, match="call rollback"):
        registry.promote("model", 1, reason="rollback from 3: it was wrong")
    assert registry.rollback("model", reason="rollback from 2, again").version == 2
    assert registry.rollback("model").version == 1
    with pytest.raises(NotFound, match="no earlier version"):
        registry.rollback("model")


def test_a_version_promoted_again_after_a_rollback_can_be_rolled_back_again(registry):
    for value in range(2):
        registry.register("model", {"w": float(value)})
        registry.promote("model", value + 1)
    registry.rollback("model")
    registry.promote("model", 2, reason="it was right after all")
    assert registry.rollback("model").version == 1
    stages = [version.stage.value for version in registry.versions("model")]
    assert stages == ["production", "archived"]


def test_every_move_is_in_the_history_with_its_reason(registry):
    for value in range(2):
        registry.register("model", {"w": float(value)})
    registry.promote("model", 1, "staging", reason="to try")
    registry.promote("model", 1, reason="it works")
    registry.promote("model", 2, reason="it works better")
    moves = [(move.version, move.was.value, move.stage.value) for move in registry.history("model")]
    assert moves == [
        (1, "draft", "staging"),
        (1, "staging", "production"),
        (1, "production", "archived"),
        (2, "draft", "production"),
    ]
    assert registry.history("model")[2].reason == "replaced by 2"
    assert registry.history("nobody") == []


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(["staging", "production", "archived"])),
    max_size=8,
)


@settings(deadline=None, max_examples=15)
@given(steps=STEPS)
def test_one_version_at_most_is_ever_in_production(tmp_path_factory, steps):
    registry = ModelRegistry(tmp_path_factory.mktemp("registry"))
    for value in range(3):
        registry.register("model", {"w": float(value)})
    for version, stage in steps:
        registry.promote("model", version, stage)
        assert registry.get("model", version).stage.value == stage
        inside = [v for v in registry.versions("model") if v.stage.value == "production"]
        assert len(inside) <= 1
        assert registry.in_stage("model", "production") == (inside[0] if inside else None)


def test_lineage_with_two_ways_to_one_ancestor_names_it_once(registry):
    root = registry.register("root", {"w": 0.0})
    left = registry.register("left", {"w": 1.0}, parents=[root.label])
    right = registry.register("right", {"w": 2.0}, parents=[root.label])
    child = registry.register("child", {"w": 3.0}, parents=[left.label, right.label])
    found = [each.label for each in registry.lineage("child", child.version)]
    assert found == ["child:1", "left:1", "right:1", "root:1"]


@pytest.mark.parametrize("label", ["root", "root:", ":1", "root:one", "root:1.0", "root:-1"])
def test_a_parent_is_written_name_and_number(registry, label):
    registry.register("root", {"w": 0.0})
    with pytest.raises((InvalidValues, NotFound)):
        registry.register("child", {"w": 1.0}, parents=[label])
    assert registry.names() == ["root"]
