"""The Lab's pages: who sees what, what forms refuse, what only the owner of the server may do."""

import json
import re
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client

from webapp.lab import chores, runs
from webapp.models import BackendReading, Execution, LabRun
from webapp.templatetags.lab import queue_state

pytestmark = pytest.mark.django_db
LISTS = ["", "runs/", "executions/", "backends/", "registry/", "settings/", "training/"]


@pytest.fixture
def guest(client: Client, user):
    client.force_login(user)
    return client


@pytest.fixture
def staff():
    client = Client()
    client.force_login(User.objects.create_user("root2", is_staff=True))
    return client


@pytest.fixture
def mirror(lab_folder):
    """A registry of one model with two versions, as the worker writes it down."""

    def version(number, stage, lineage=()):
        return {
            "version": number,
            "stage": stage,
            "metrics": {"validation_accuracy": 0.875, "validation_loss": 0.4},
            "parents": list(lineage[:1]),
            "lineage": list(lineage),
            "details": {"run": "0" * 32},
            "at": 1.7e9,
        }

    moves = [
        {"version": n, "was": "draft", "stage": "production", "reason": "by ada", "at": 1.7e9}
        for n in (2, 1)
    ]
    content = {
        "models": [
            {
                "name": "rings-4q",
                "versions": [version(2, "production", ["rings-4q:1"]), version(1, "archived")],
                "history": moves,
            }
        ],
        "spent": 2.5,
    }
    lab_folder.write_mirror(content)
    return content


def text(response) -> str:
    return response.content.decode()


def finished(run, **result) -> LabRun:
    found = {"summary": "It ended.", "winner": "tie", "numbers": {}, "series": {}, "seconds": 1.5}
    LabRun.objects.filter(pk=run.pk).update(status="succeeded", result={**found, **result})
    return LabRun.objects.get(pk=run.pk)


@pytest.mark.parametrize("path", LISTS)
def test_every_page_needs_somebody_who_signed_in_and_answers_them(client, user, path):
    assert client.get(f"/lab/{path}").status_code == 302
    client.force_login(user)
    page = client.get(f"/lab/{path}")
    assert page.status_code == 200
    assert 'aria-current="page"' in text(page)


# Forms ------------------------------------------------------------------------------------------


def test_every_application_has_a_card_and_a_form(guest):
    names = re.findall(r"/lab/applications/(\w+)/", text(guest.get("/lab/")))
    assert names == ["molecules", "portfolio", "recommender", "classifier"]
    for name in names:
        page = text(guest.get(f"/lab/applications/{name}/"))
        assert 'name="shots"' in page
        assert 'name="backend"' in page


def test_an_unknown_application_is_not_found(guest):
    assert guest.get("/lab/applications/alchemy/").status_code == 404
    assert guest.post("/lab/applications/alchemy/").status_code == 404


def test_an_application_is_queued_with_what_was_typed(guest, user, sent):
    answer = guest.post("/lab/applications/molecules/", {"molecule": "LiH", "steps": "7"})
    run = LabRun.objects.get()
    assert answer.headers["Location"] == f"/lab/runs/{run.pk}/"
    assert (run.owner, run.name, run.status) == (user, "molecules", "queued")
    assert (run.values["molecule"], run.values["steps"]) == ("LiH", 7)
    assert run.values["shots"] == 2000, "the default where nothing was typed"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("steps", "0", "Steps lies between 1 and 500, not at 0."),
        ("steps", "many", "Steps is a whole number, not &#x27;many&#x27;."),
        ("molecule", "C60", "Molecule is one of H2, LiH"),
        ("bond_length", "1e999", "lies between 0 and 3"),
        ("shots", "1.5", "Shots is a whole number"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(guest, field, value, words):
    page = guest.post("/lab/applications/molecules/", {field: value})
    assert page.status_code == 422
    errors = text(page).partition(f'id="id_{field}_error"')[2].partition("</ul>")[0]
    assert words in errors
    assert not LabRun.objects.exists()


def test_a_training_is_queued_from_an_example(guest, sent):
    page = text(guest.get("/lab/training/?example=strokes"))
    assert 'value="strokes-6q"' in page
    assert re.search(r'<option value="iqp" selected', page)
    guest.post("/lab/training/", {"model": "mine", "epochs": "2"})
    run = LabRun.objects.get()
    assert (run.kind, run.name, run.values["epochs"]) == ("training", "mine", 2)
    assert run.values["data"] == "rings"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "../etc"}, "A model&#x27;s name is up to 40"),
        ({"qubits": "11"}, "Qubits lies between 2 and 10"),
        ({"start_from": "gone:7"}, "gone:7 is not one of the available choices"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused(guest, given, words):
    page = guest.post("/lab/training/", given)
    assert page.status_code == 422
    assert words in text(page)
    assert not LabRun.objects.exists()


def test_a_training_can_begin_with_a_registered_version(guest, mirror):
    assert "rings-4q:2 (production)" in text(guest.get("/lab/training/"))
    guest.post("/lab/training/", {"start_from": "rings-4q:1"})
    assert LabRun.objects.get().values["start_from"] == "rings-4q:1"


@pytest.mark.parametrize(("backend", "title"), [("ionq", "IonQ"), ("quantum", "a quantum machine")])
@pytest.mark.parametrize("path", ["applications/molecules/", "training/"])
def test_only_the_owner_of_the_server_may_spend_its_money(guest, staff, path, backend, title):
    page = guest.post(f"/lab/{path}", {"backend": backend})
    assert page.status_code == 422
    assert f"Only whoever runs this server can use {title}" in text(page)
    assert staff.post(f"/lab/{path}", {"backend": backend}).status_code == 302
    run = LabRun.objects.get()
    run.owner = User.objects.get(username="ada")
    run.save()
    assert guest.post(f"/lab/runs/{run.pk}/again/").status_code == 403


# Runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "method"),
    [("", "get"), ("run.json", "get"), ("config.json", "get"), ("cancel/", "post"),
     ("resume/", "post"), ("again/", "post"), ("delete/", "post")],
)  # fmt: skip
def test_other_peoples_runs_are_not_found(guest, other_user, make_run, verb, method):
    run = make_run(owner=other_user)
    assert getattr(guest, method)(f"/lab/runs/{run.pk}/{verb}").status_code == 404
    assert getattr(guest, method)(f"/lab/runs/{uuid4()}/{verb}").status_code == 404
    assert LabRun.objects.get().status == "queued"


@pytest.mark.parametrize("verb", ["cancel", "resume", "again", "delete"])
def test_a_link_changes_nothing(guest, make_run, verb):
    assert guest.get(f"/lab/runs/{make_run().pk}/{verb}/").status_code == 405


def test_other_peoples_runs_are_in_no_list(guest, other_user, make_run):
    theirs = make_run("molecules", owner=other_user)
    Execution.objects.create(id="x", run=theirs, wanted="ionq", backend="ionq")
    assert "Nothing has run yet" in text(guest.get("/lab/runs/"))
    assert "Nothing was handed to a backend" in text(guest.get("/lab/executions/"))


def test_a_run_shows_its_result_in_plain_words(guest, make_run):
    run = finished(
        make_run("molecules", molecule="H2"),
        summary="VQE gives <b>-1.1</b> Ha.",
        winner="classical",
        numbers={"gap_hartree": 1.5e-9, "qubits": 4, "vqe_seconds": 0.25},
        series={"step": [0, 1], "energy_hartree": [-1.0, -1.1], "exact_hartree": [-1.1, -1.1]},
    )
    page = text(guest.get(f"/lab/runs/{run.pk}/"))
    assert "Classical wins" in page
    assert "VQE gives &lt;b&gt;-1.1&lt;/b&gt; Ha." in page
    assert "<dt>Gap (Ha)</dt><dd>1.50e-09</dd>" in page
    assert "<dt>Qubits</dt><dd>4</dd>" in page
    (figure,) = json.loads(page.split('id="figure-data" type="application/json">')[1].split("<")[0])
    assert figure["title"] == "Energy by step (Ha)"
    assert [(line["label"], line["dashed"]) for line in figure["lines"]] == [
        ("VQE", False),
        ("Exact", True),
    ]


def test_a_failed_run_says_why_and_a_stopped_training_can_go_on(guest, make_run, sent):
    run = make_run()
    LabRun.objects.update(status="failed", error="The loss is <i>no</i> number.")
    page = text(guest.get(f"/lab/runs/{run.pk}/"))
    assert "The loss is &lt;i&gt;no&lt;/i&gt; number." in page
    assert f"/lab/runs/{run.pk}/resume/" in page
    guest.post(f"/lab/runs/{run.pk}/resume/")
    assert LabRun.objects.get().status == "queued"
    assert "can go on" in text(guest.post(f"/lab/runs/{run.pk}/resume/", follow=True))


def test_a_run_is_stopped_repeated_and_deleted(guest, make_run):
    run = make_run("portfolio", assets=4)
    assert f"/lab/runs/{run.pk}/cancel/" in text(guest.get(f"/lab/runs/{run.pk}/"))
    assert "Stop the run before" in text(guest.post(f"/lab/runs/{run.pk}/delete/", follow=True))
    guest.post(f"/lab/runs/{run.pk}/cancel/")
    page = text(guest.post(f"/lab/runs/{run.pk}/cancel/", follow=True))
    assert "had already ended" in page
    assert "resume" not in page, "an application begins anew"
    again = guest.post(f"/lab/runs/{run.pk}/again/").headers["Location"]
    guest.post(f"/lab/runs/{run.pk}/delete/")
    left = LabRun.objects.get()
    assert again == f"/lab/runs/{left.pk}/"
    assert left.values == {"assets": 4}


def test_the_form_remembers_a_run(guest, make_run):
    run = make_run("molecules", molecule="LiH", steps=7)
    page = text(guest.get(f"/lab/applications/molecules/?run={run.pk}"))
    assert '<option value="LiH" selected>' in page
    assert 'name="steps" value="7"' in page
    other = text(guest.get(f"/lab/applications/portfolio/?run={run.pk}"))
    assert 'name="steps" value="7"' not in other
    assert guest.get("/lab/applications/molecules/?run=nonsense").status_code == 200


def test_a_training_is_handed_out_as_the_file_that_the_command_reads(guest, make_run):
    run = make_run(epochs=4)
    answer = guest.get(f"/lab/runs/{run.pk}/config.json")
    assert 'filename="tiny.json"' in answer.headers["Content-Disposition"]
    assert answer.json() == run.values
    assert guest.get(f"/lab/runs/{make_run('molecules').pk}/config.json").status_code == 404


def test_a_run_is_handed_out_as_json(guest, make_run):
    run = finished(make_run("molecules"), winner="tie")
    Execution.objects.create(id="x", run=run, wanted="ionq", backend="simulator")
    found = guest.get(f"/lab/runs/{run.pk}/run.json").json()
    assert (found["name"], found["result"]["winner"]) == ("molecules", "tie")
    assert found["executions"][0]["wanted"] == "ionq"


def test_runs_are_compared_side_by_side(guest, other_user, make_run):
    line = {"metric": "loss", "of": "", "turn": 1, "x": [0, 1], "y": [1.0, 0.5]}
    chosen = [make_run(epochs=n) for n in (2, 3)]
    theirs = make_run(owner=other_user)
    LabRun.objects.update(series=[line])
    for run in chosen:
        finished(run, numbers={"steps": 6})
    query = "&".join(f"run={run.pk}" for run in [*chosen, theirs])
    page = text(guest.get(f"/lab/runs/compare/?{query}&run=nonsense"))
    (figure,) = json.loads(page.split('id="figure-data" type="application/json">')[1].split("<")[0])
    assert len(figure["lines"]) == 2, "others' runs are not among them"
    assert re.search(r'class="differs"><th scope="row">Epochs</th>', page)
    assert '<tr><th scope="row">Steps</th>' in page
    lonely = guest.get(f"/lab/runs/compare/?run={theirs.pk}&run={chosen[0].pk}", follow=True)
    assert "Choose two or more" in text(lonely)


# Executions, backends, registry, settings -------------------------------------------------------


def test_executions_say_why_each_hop_was_made_and_what_was_spent(guest, make_run, mirror, settings):
    settings.QUANTUM_BUDGET = 10.0
    run = make_run("molecules")
    hop = {"backend": "ibm", "reason": "IBM does not answer", "seconds": 3.0}
    Execution.objects.create(
        id="a", run=run, wanted="ibm", backend="ionq", status="succeeded", cost=1.25, hops=[hop]
    )
    page = text(guest.get("/lab/executions/"))
    assert "<strong>IBM Quantum</strong> did not take it: IBM does not answer" in page
    assert "instead of IBM Quantum" in page
    assert "1.25 USD" in page
    assert "2.50 USD" in page
    assert "The cap is 10.00 USD" in page
    part = text(guest.get("/lab/executions/?part=list"))
    assert part.lstrip().startswith('<div id="lab-list"')
    assert "site-header" not in part


def test_a_machine_that_was_chosen_is_no_stand_in(guest, make_run):
    run = make_run("molecules")
    for name, backend in (("a", "ionq"), ("b", "simulator")):
        Execution.objects.create(
            id=name, run=run, wanted="quantum", backend=backend, status="succeeded"
        )
    page = text(guest.get("/lab/executions/"))
    assert 'IonQ <span class="muted small">chosen among the machines' in page
    assert page.count("instead of a quantum machine") == 1


def test_the_backends_are_asked_when_what_is_known_is_old(guest, sent):
    page = text(guest.get("/lab/backends/"))
    assert sent == [("read",)]
    assert page.count("Being asked") == len(chores.NAMES)
    for name in chores.NAMES:
        BackendReading.objects.create(
            name=name, configured=name != "ibm", reason="set QISKIT" if name == "ibm" else "",
            online=name != "ibm", n_qubits=16, errors={"two_qubit": 0.0106}, read_at=chores.now(),
            queue_jobs=3, note="Free.",
        )  # fmt: skip
    sent.clear()
    page = text(guest.get("/lab/backends/"))
    assert sent == []
    assert "1.06 %" in page
    assert "3 jobs wait" in page
    assert "Not configured" in page
    assert "set QISKIT" in page


@pytest.mark.parametrize(
    ("name", "jobs", "seconds", "words"),
    [
        ("simulator", None, None, "none"),
        ("ibm", 0, None, "none"),
        ("ionq", None, 0.0, "none"),
        ("ionq", None, None, "not told"),
        ("ibm", None, None, "not told"),
        ("ibm", 1, None, "1 job wait"),
        ("ionq", None, 720.0, "about 12 min"),
    ],
)
def test_a_queue_of_unknown_length_is_not_said_to_be_empty(name, jobs, seconds, words):
    assert queue_state(BackendReading(name=name, queue_jobs=jobs, queue_seconds=seconds)) == words


def test_a_connection_is_tested_by_the_owner_of_the_server_alone(guest, staff, sent):
    assert guest.post("/lab/backends/ionq/test/").status_code == 403
    assert staff.post("/lab/backends/mainframe/test/").status_code == 404
    assert staff.get("/lab/backends/ionq/test/").status_code == 405
    assert sent == []
    assert staff.post("/lab/backends/ionq/test/").status_code == 302
    assert ("test", "ionq") in sent
    page = text(staff.get("/lab/backends/"))
    assert "Testing" in page
    assert "data-may-manage" in page
    assert "data-may-manage" not in text(guest.get("/lab/backends/"))


def test_the_registry_shows_versions_stages_and_lineage(guest, mirror):
    page = text(guest.get("/lab/registry/"))
    assert "rings-4q" in page
    assert '<span class="stage production">Production</span>' in page
    assert "rings-4q:1" in page
    assert "87.5 %" in page
    assert "by ada" in page
    assert "Roll back" in page


def test_versions_are_moved_by_the_owner_of_the_server_alone(guest, staff, mirror, sent):
    path = "/lab/registry/rings-4q"
    assert guest.post(f"{path}/1/production/").status_code == 403
    assert guest.post(f"{path}/rollback/").status_code == 403
    for wrong in (f"{path}/7/production/", f"{path}/1/throne/", "/lab/registry/x/1/production/"):
        assert staff.post(wrong).status_code == 404
    assert staff.post("/lab/registry/x/rollback/").status_code == 404
    assert sent == []
    staff.post(f"{path}/1/production/")
    staff.post(f"{path}/rollback/")
    assert sent == [
        ("promote", "rings-4q", 1, "production", "root2"),
        ("roll_back", "rings-4q", "root2"),
    ]


def test_settings_say_what_is_set_and_never_what_it_holds(guest, staff, settings, monkeypatch):
    secret = "ionq-very-secret-key"
    monkeypatch.setenv("IONQ_API_KEY", secret)
    settings.QUANTUM_CREDENTIALS = {
        "ibm": {"QISKIT_IBM_TOKEN": False},
        "ionq": {"IONQ_API_KEY": True},
    }
    page = text(staff.get("/lab/settings/"))
    assert re.search(r"IONQ_API_KEY</code> <span class=\"status succeeded\">Set", page)
    assert re.search(r"QISKIT_IBM_TOKEN</code> <span class=\"status cancelled\">Not set", page)
    assert secret not in page
    assert str(runs.folder().root) in page
    assert str(runs.folder().root) not in text(guest.get("/lab/settings/"))


def test_each_provider_s_connection_is_tested_from_the_settings(guest, staff, settings, sent):
    settings.QUANTUM_CREDENTIALS = {"ibm": {"QISKIT_IBM_TOKEN": True}, "ionq": {}}
    page = text(staff.get("/lab/settings/"))
    for name in ("ibm", "ionq"):
        assert f'formaction="/lab/backends/{name}/test/" id="test-{name}">Test' in page
    assert 'data-lab="settings" data-socket="/ws/lab/" data-may-manage' in page
    assert "data-may-manage" not in text(guest.get("/lab/settings/"))
    staff.post("/lab/backends/ionq/test/")
    page = text(staff.get("/lab/settings/"))
    assert 'id="test-ionq" disabled>' in page
    chores.note_test("ionq", passed=True, message="Answers in 0.4 s.")
    page = text(staff.get("/lab/settings/"))
    assert re.search(r"succeeded\">Passed</span> Answers in 0.4 s.", page)
