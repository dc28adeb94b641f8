"""What people get wrong, sent as a browser sends it: a sentence, nothing lost, nothing stored."""

import html
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webapp import folded
from webapp import downloads, storage
from webapp.models import Job

ROOT = Path(__file__).resolve().parents[2]
SEQUENCE = folded.TRP_CAGE
pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.fixture
def ada(client, user):
    client.force_login(user)
    return client


def form_data(**changes) -> dict[str, str]:
    data = {"mode": "chains", "name": "My job", "seeds": "1, 2"}
    data |= {"n_samples": "2", "n_recycles": "1", "n_steps": "4"}
    data |= {"chains-TOTAL_FORMS": "1", "chains-INITIAL_FORMS": "0"}
    return data | {"chains-0-sequence": SEQUENCE, "chains-0-copies": "1"} | changes


def two_chains(first, second, **changes):
    return form_data(
        **{
            "chains-TOTAL_FORMS": "2",
            "chains-0-sequence": first,
            "chains-1-sequence": second,
            "chains-1-copies": "1",
            **changes,
        }
    )


BAD = {
    "empty": form_data(**{"chains-0-sequence": ""}),
    "digits": form_data(**{"chains-0-sequence": "MQIF1VKT"}),
    "a stop": form_data(**{"chains-0-sequence": "MQIFVKT*"}),
    "an unknown letter": form_data(**{"chains-0-sequence": "MQIFJVKT"}),
    "one residue": form_data(**{"chains-0-sequence": "M"}),
    "too many tokens": form_data(**{"chains-0-sequence": "A" * 30_000}),
    "too many copies": form_data(**{"chains-0-copies": "9000"}),
    "a broken FASTA": form_data(**{"chains-0-sequence": ">one\n>two\nMQIFVK"}),
    "one id for two chains": two_chains(
        SEQUENCE, SEQUENCE, **{"chains-0-ids": "A", "chains-1-ids": "A"}
    ),
    "a NUL byte": form_data(**{"chains-0-sequence": "MQIF\0VKT"}),
    "an alignment of something else": form_data(
        **{"chains-0-msa": ">q\nWWWWWWWWWW\n>h\nWWWW------\n"}
    ),
    "JSON that is no job": form_data(mode="json", json='{"hello": "world"}'),
    "JSON that is none": form_data(mode="json", json='{"name": '),
    "no seeds": form_data(seeds=""),
    "seeds that are words": form_data(seeds="one"),
    "a negative seed": form_data(seeds="-1"),
    "no samples": form_data(n_samples="0"),
    "steps in words": form_data(n_steps="many"),
    "a model that is not here": form_data(model="gpt"),
    "a modification beyond the end": form_data(**{"chains-0-modifications": "SEP 99"}),
    "a bond to nothing": form_data(bonds="A 1 SG - B 1 SG"),
    "a ligand that is none": form_data(
        **{"chains-0-kind": "ligand", "chains-0-ligand_as": "smiles", "chains-0-ligand": "C1CC("}
    ),
}


def shown_in(page: str, value: str) -> bool:
    """Whether a page shows the text again, as far as a page can."""
    plain = html.unescape(page)
    return value.replace("\0", "\ufffd").strip() in plain or value.strip() in plain


@pytest.mark.parametrize("typed", BAD.values(), ids=BAD)
def test_bad_input_gets_a_sentence_loses_nothing_and_stores_nothing(ada, typed):
    answer = ada.post(reverse("submit"), typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'class="errors' in page or "aria-invalid" in page or "error" in page
    assert not Job.objects.exists()
    for name, value in typed.items():
        is_text = name.endswith(("sequence", "msa", "json", "seeds", "name", "ligand", "bonds"))
        if is_text and value.strip() and "\0" not in value:
            assert shown_in(page, value), f"{name} was lost"


@pytest.mark.parametrize("typed", BAD.values(), ids=BAD)
def test_what_the_form_says_while_one_types_is_what_it_says_in_the_end(ada, typed):
    said = ada.post(reverse("validate"), typed).json()
    assert said["ok"] is False
    page = html.unescape(ada.post(reverse("submit"), typed).content.decode())
    sentences = [sentence for found in said["errors"].values() for sentence in found]
    assert sentences
    for sentence in sentences:
        assert sentence in page
        assert len(sentence) > 15
        assert "Traceback" not in sentence
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "typed",
    [SEQUENCE.lower(), f"  {SEQUENCE[:5]} \n\t{SEQUENCE[5:]}\r\n", f">header\r\n{SEQUENCE}\r\n"],
    ids=["lower case", "white space", "FASTA of Windows"],
)
def test_harmless_differences_are_cleaned(ada, typed):
    answer = ada.post(reverse("submit"), form_data(**{"chains-0-sequence": typed}))
    assert answer.status_code == 302
    (protein,) = Job.objects.get().fold_input["sequences"]
    assert protein["protein"]["sequence"] == SEQUENCE


def test_thirty_megabytes_are_answered_in_a_sentence(ada):
    answer = ada.post(reverse("submit"), form_data(**{"chains-0-sequence": "A" * 30_000_000}))
    assert answer.status_code in (413, 422)
    assert len(answer.content) < 2_000_000, "what no page could carry is not sent back"
    assert not Job.objects.exists()


@pytest.mark.parametrize("field", ["chains-0-msa_file", "chains-0-templates_file", "json_file"])
def test_an_uploaded_picture_is_refused_in_a_sentence(ada, field):
    picture = SimpleUploadedFile("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    typed = form_data(mode="json") if field == "json_file" else form_data()
    answer = ada.post(reverse("submit"), typed | {field: picture})
    assert answer.status_code == 422
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["chains-TOTAL_FORMS", "chains-INITIAL_FORMS", "chains-0-copies"])
@pytest.mark.parametrize("value", ["", "x", "0", "-1", "99999999999", "\0"])
def test_numbers_that_only_a_script_sends_break_nothing(ada, name, value):
    for url in (reverse("submit"), reverse("validate")):
        answer = ada.post(url, form_data(**{name: value}))
        assert answer.status_code in (200, 302, 422)


# Files ------------------------------------------------------------------------------------------

NAMES = st.text("abcXYZ_-. äß", min_size=1, max_size=12).filter(
    lambda name: name.strip(". ") == name and name
)


@given(st.dictionaries(NAMES, st.binary(max_size=3000), max_size=5))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_zip_is_the_files_byte_for_byte(files):
    job_id = uuid4()
    folder = storage.draft(job_id, attempt=1)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    storage.install(job_id, attempt=1)
    archive = zipfile.ZipFile(io.BytesIO(b"".join(storage.zip_chunks(job_id))))
    assert archive.testzip() is None
    assert {name: archive.read(name) for name in archive.namelist()} == files
    assert archive.namelist() == storage.names(job_id)


def test_links_are_no_artifacts(tmp_path):
    job_id = uuid4()
    folder = storage.draft(job_id, attempt=1)
    (folder / "model.cif").write_text("atoms")
    (tmp_path / "secret").write_text("of the server")
    (folder / "link.cif").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    storage.install(job_id, attempt=1)
    assert storage.names(job_id) == ["model.cif"]
    with pytest.raises(FileNotFoundError):
        storage.find(job_id, "link.cif")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(storage.zip_chunks(job_id))))
    assert archive.namelist() == ["model.cif"]


def test_sweeps_at_once_do_not_stumble_over_each_other():
    ids = [uuid4() for _ in range(150)]
    deleted = {str(job_id) for job_id in ids}
    for job_id in ids:
        for folder in (storage.draft(job_id, attempt=1), storage.folder(job_id)):
            folder.mkdir(exist_ok=True)
            (folder / "file").write_text("x")
            os.utime(folder, (time.time() - 3600,) * 2)
    stumbled = []

    def sweep():
        try:
            storage.sweep(keep_drafts=(), known=(), deleted=deleted)
        except OSError as error:
            stumbled.append(error)

    threads = [threading.Thread(target=sweep) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert stumbled == []
    drafts = storage.draft(uuid4(), attempt=1).parent
    assert len(list(drafts.iterdir())) == 1
    assert [path.name for path in drafts.parent.iterdir()] == [".drafts"]


# Commands ---------------------------------------------------------------------------------------


def fold(*words):
    quick = ("--samples", "1", "--recycles", "0", "--steps", "2")
    call_command("fold", *map(str, words), *quick)


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "in.fasta").write_text("GAGAG")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(CommandError, match=r"out cannot be made: .*Give another with --out"):
        fold(tmp_path / "in.fasta", "--out", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("words", [("--model", "gpt"), ("--seeds", "1,,2"), ("--seeds", "-3")])
def test_what_cannot_be_asked_for_leaves_no_folder(tmp_path, words):
    (tmp_path / "in.fasta").write_text("GAGAG")
    with pytest.raises(CommandError):
        fold(tmp_path / "in.fasta", "--out", tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_a_model_whose_note_is_damaged_is_reported_by_verify(settings, tmp_path):
    settings.WEIGHTS_DIR = tmp_path / "weights"
    store = downloads.store()
    store.folder.mkdir()
    (store.folder / "mine.safetensors").write_bytes(b"tensors")
    (store.folder / "mine.json").write_text("{")
    assert "mine" not in store.names()
    with pytest.raises(CommandError, match=r"mine"):
        call_command("weights", "verify")


def test_one_damaged_note_does_not_close_the_pages(ada, settings, tmp_path):
    settings.WEIGHTS_DIR = tmp_path / "weights"
    store = downloads.store()
    store.folder.mkdir()
    for name in ("mine", "protenix_mini_default_v0.5.0"):
        (store.folder / f"{name}.safetensors").write_bytes(b"tensors")
        (store.folder / f"{name}.json").write_text("{")
    for path in ("/models/", "/jobs/new/", "/models/protenix_mini_default_v0.5.0/"):
        assert ada.get(path).status_code == 200


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (("fold", "nowhere.fasta"), "nowhere.fasta cannot be read", 1),
        (("fold",), "the following arguments are required: input", 2),
    ],
    ids=["what is not there", "nothing"],
)
def test_a_shell_hears_of_failures_by_the_exit_code(tmp_path, words, says, code):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "webapp.settings",
        "FOLDSTREAM_DATA": str(tmp_path / "data"),
    }
    ended = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == code
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_result_can_be_exported_and_sent_again(ada, user):
    job = folded.finished_job(user)
    exported = ada.get(reverse("job_export", args=[job.pk])).content
    answer = ada.post(
        reverse("submit"), form_data(mode="json", json=json.dumps(json.loads(exported)))
    )
    assert answer.status_code == 302
    assert Job.objects.exclude(pk=job.pk).get().fold_input == job.fold_input
