"""The form of a new fold in a browser: it answers while one types, and keeps what was typed."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from folding.inputs import FoldOptions
from tests.folding.inputs.examples import user_component
from tests.folding.templates.structures import mmcif
from tests.webapp import folded
from webapp.models import Job

SEQUENCE = folded.TRP_CAGE


def open_form(site, user, query: str = "") -> Page:
    page = site.sign_in(user)
    page.goto(f"/jobs/new/{query}")
    page.wait_for_selector("#submit-form[data-ready]")
    return page


def area(page: Page, index: int = 0, name: str = "sequence"):
    return page.locator(f"[name=chains-{index}-{name}]")


def paste(page: Page, text: str) -> None:
    """What the browser does when somebody pastes; `text` is an expression of JavaScript."""
    page.evaluate(f"""() => {{
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", {text});
      const how = {{clipboardData, bubbles: true, cancelable: true}};
      const area = document.querySelector("[name=chains-0-sequence]");
      area.dispatchEvent(new ClipboardEvent("paste", how));
    }}""")


def test_the_form_answers_while_one_types(site, user):
    page = open_form(site, user)
    assert page.locator("#id_chains-0-sequence_error li").count() == 0
    area(page).fill("MQIF1VKT")
    expect(page.locator("#id_chains-0-sequence_error")).to_contain_text("letters only")
    expect(area(page)).to_have_attribute("aria-invalid", "true")
    assert not page.locator("#id_seeds_error").is_visible()
    area(page).fill(SEQUENCE.lower())
    expect(page.locator("#check")).to_contain_text("Tokens20")
    expect(area(page)).not_to_have_attribute("aria-invalid", "true")
    area(page, name="copies").fill("3")
    expect(page.locator("#check")).to_contain_text("Tokens60")
    expect(page.locator("#check")).to_contain_text("about")


def test_structures_become_templates_one_after_the_other(site, user):
    page = open_form(site, user)
    area(page).fill(SEQUENCE)
    page.locator("summary", has_text="Templates").click()
    structure = mmcif({"A": "AAAAAA", "B": SEQUENCE})
    file = {"name": "known.cif", "mimeType": "text/plain", "buffer": structure.encode()}
    page.set_input_files("[name=chains-0-templates_file]", files=[file])
    chain = area(page, name="template_chain")
    expect(page.locator("#id_chains-0-template_chain_error")).to_contain_text("Say which one")
    chain.fill("B")
    expect(page.locator("#check")).to_contain_text("does not read templates")
    expect(chain).not_to_have_attribute("aria-invalid", "true")
    page.set_input_files("[name=chains-0-templates_file]", files=[file, file])
    expect(area(page, name="templates")).to_have_value(re.compile("(data_1ABC.*){3}", re.S))
    area(page, name="template_mapping").fill("1-5=1-6 | 1-4=1-4 | 2-5=2-5")
    expect(page.locator("#id_chains-0-template_mapping_error")).to_contain_text("equal length")
    area(page, name="template_mapping").fill("1-6=1-6 | 1-4=1-4 | 2-5=2-5")
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_url("**/jobs/*-*/")
    (protein,) = Job.objects.get().fold_input["sequences"]
    places = [template["queryIndices"] for template in protein["protein"]["templates"]]
    assert places == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3], [1, 2, 3, 4]]


def test_chains_come_and_go_and_a_fasta_is_split(site, user):
    page = open_form(site, user)
    paste(page, "'>one\\nMQIFVKTLTG\\n>two\\nAAAAAAAA\\n>three\\nGGGGGGGG'")
    expect(page.locator("[data-chain]")).to_have_count(3)
    expect(area(page, 2)).to_have_value(">three\nGGGGGGGG")
    page.locator("[data-remove]").nth(1).click()
    expect(page.locator("[data-chain]")).to_have_count(2)
    expect(area(page, 1)).to_have_value(">three\nGGGGGGGG")
    expect(page.locator("#check")).to_contain_text("Tokens18")
    page.get_by_role("button", name="Protein", exact=True).click()
    area(page, 2).fill("AAAA")
    expect(page.locator("#check")).to_contain_text("Tokens22")


def test_strands_of_a_fasta_stay_what_their_row_is(site, user):
    page = open_form(site, user)
    area(page, name="kind").select_option("dna")
    paste(page, "'>one\\nACGTACGT\\n>two\\nGGGGCCCC'")
    expect(page.locator("#check")).to_contain_text("Tokens16")
    expect(area(page, 1, "kind")).to_have_value("dna")


def test_an_example_begins_anew(site, user):
    page = open_form(site, user)
    page.get_by_text("Alignments", exact=True).click()
    page.get_by_label("Folds without an alignment").check()
    page.get_by_text("Alignments", exact=True).click()
    page.get_by_role("link", name="GCN4").click()
    expect(page.locator("#check")).to_contain_text("Tokens62")
    assert not area(page, name="no_msa").is_checked()


def test_an_example_is_one_click_and_folding_leads_to_its_page(site, user):
    page = open_form(site, user)
    area(page).fill("something else")
    page.get_by_role("link", name="GCN4").click()
    expect(area(page, name="copies")).to_have_value("2")
    expect(page.locator("#check")).to_contain_text("Tokens62")
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_selector("#job[data-panel=live]")
    job = Job.objects.get()
    assert job.name == "GCN4 zipper, homodimer"
    assert page.url.endswith(f"/jobs/{job.pk}/")


def test_an_uploaded_alignment_is_read_into_the_form_and_stays_there(site, user, tmp_path):
    file = tmp_path / "other.a3m"
    file.write_text(f">q\n{SEQUENCE[:-1]}A\n")
    page = open_form(site, user)
    area(page).fill(SEQUENCE)
    page.get_by_text("Alignments", exact=True).click()
    page.set_input_files("[name=chains-0-msa_file]", str(file))
    expect(page.locator("#id_chains-0-msa_error")).to_contain_text("first row")
    page.get_by_role("button", name="Fold", exact=True).click()
    expect(area(page, name="msa")).to_be_focused()
    expect(area(page, name="msa")).to_have_value(file.read_text())
    assert not Job.objects.exists()


def test_the_estimate_counts_the_rows_of_an_alignment_that_it_does_not_send(site, user, tmp_path):
    file = tmp_path / "deep.a3m"
    file.write_text(f">q\n{SEQUENCE}\n" * 8000)
    page = open_form(site, user)
    area(page).fill(SEQUENCE)
    page.get_by_text("Alignments", exact=True).click()

    def counts(answer: Response) -> bool:
        said = answer.request.post_data or ""
        return bool(re.search(r'name="chains-0-msa_rows"\s+8000\s', said))

    with page.expect_response(counts) as answer:
        page.set_input_files("[name=chains-0-msa_file]", str(file))
    assert answer.value.json()["ok"]
    assert answer.value.request.post_data.count(SEQUENCE) < 5000


def test_a_paste_of_thirty_megabytes_is_answered_in_the_page(site, user):
    page = open_form(site, user)
    page.locator("[name=name]").fill("kept")
    paste(page, "'A'.repeat(30e6)")
    expect(page.locator("#id_chains-0-sequence_error")).to_contain_text("30,000,000 characters")
    expect(area(page)).to_have_value("")
    expect(page.locator("[name=name]")).to_have_value("kept")
    assert not Job.objects.exists()


def test_json_has_a_pane_of_its_own(site, user):
    page = open_form(site, user)
    page.get_by_role("radio", name="Job file").check()
    assert not area(page).is_visible()
    page.locator("[name=json]").fill('{"no": "job"}')
    expect(page.locator("#id_json_error")).to_contain_text("not a folding job")


def test_what_counts_for_a_job_file_is_seen_beside_it(site, user):
    page = open_form(site, user)
    page.get_by_role("link", name="Ubiquitin").click()
    name, seeds = page.locator("[name=name]"), page.locator("[name=seeds]")
    expect(name).to_have_value(re.compile("Ubiquitin"))
    seeds.fill("1-5")
    page.get_by_role("radio", name="Job file").check()
    expect(name).to_have_value("")
    page.locator("[name=json]").fill(f">Other\n{SEQUENCE}\n")
    page.get_by_role("button", name="Fold", exact=True).click()
    expect(seeds).to_be_focused()
    expect(page.locator("#id_seeds_error")).to_be_visible()
    seeds.fill("2")
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_url("**/jobs/*-*/")
    job = Job.objects.get()
    assert (job.name, job.fold_input["modelSeeds"]) == ("Other", [2])


def test_a_name_of_ones_own_goes_with_a_job_file(site, user):
    page = open_form(site, user)
    page.locator("[name=name]").fill("Mine")
    page.get_by_role("radio", name="Job file").check()
    page.locator("[name=json]").fill(f">Other\n{SEQUENCE}\n")
    expect(page.locator("[name=name]")).to_be_visible()
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_url("**/jobs/*-*/")
    assert Job.objects.get().name == "Mine"


def test_a_key_that_died_is_renewed_and_a_lost_session_is_said(site, user, console_errors):
    page = open_form(site, user)
    page.evaluate("document.forms['submit-form'].csrfmiddlewaretoken.value = 'x'.repeat(64)")
    area(page).fill(SEQUENCE)
    expect(page.locator("#check")).to_contain_text("Tokens20")
    page.context.clear_cookies()
    area(page).fill(SEQUENCE + SEQUENCE)
    expect(page.locator("#id_whole_error")).to_contain_text("no longer signed in")
    page.set_viewport_size({"width": 390, "height": 700})
    page.get_by_role("button", name="Fold", exact=True).click()
    expect(page.locator("#id_whole_error")).to_be_focused()
    expect(page.locator("#id_whole_error")).to_be_in_viewport()
    expect(area(page)).to_have_value(SEQUENCE + SEQUENCE)
    assert not Job.objects.exists()
    console_errors[:] = [error for error in console_errors if "403" not in error]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_job_goes_out_as_a_file_and_the_form_stays(site, user, scripts, tmp_path):
    page = site.sign_in(user, java_script_enabled=scripts)
    page.goto("/jobs/new/")
    if scripts:
        page.wait_for_selector("#submit-form[data-ready]")
    area(page).fill(SEQUENCE)
    for _ in range(2):
        page.get_by_role("button", name="AlphaFold 3 JSON").focus()
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        download.value.save_as(tmp_path / "job.json")
        document = json.loads(Path(tmp_path / "job.json").read_text())
        assert document["sequences"][0]["protein"]["sequence"] == SEQUENCE
    expect(area(page)).to_have_value(SEQUENCE)
    assert not Job.objects.exists()
    page.locator("[name=name]").press("Enter")
    page.wait_for_url("**/jobs/*-*/")
    assert Job.objects.count() == 1


def test_a_job_file_opens_in_the_form_instead_of_being_folded(site, user):
    page = open_form(site, user)
    page.get_by_role("radio", name="Job file").check()
    page.locator("[name=json]").fill(f">one\n{SEQUENCE}\n")
    page.get_by_role("button", name="Open in the form").click()
    expect(area(page)).to_have_value(SEQUENCE)
    expect(area(page)).to_be_visible()
    assert not Job.objects.exists()


def test_a_component_of_ones_own_is_drawn_under_its_name(site, user):
    page = open_form(site, user)
    area(page).fill(SEQUENCE)
    page.locator("[data-add=ligand]").click()
    area(page, 1, "ligand").fill("glucose")
    picture = page.locator("[data-molecule] img").last
    expect(picture).to_be_visible(timeout=20_000)
    expect(page.locator("#check")).to_contain_text("Tokens32")
    before = picture.get_attribute("src")
    page.locator("summary", has_text="Covalent bonds").click()
    with page.expect_response("**/ligands/drawing/") as answer:
        page.locator("[name=user_ccd]").fill(user_component("GLUCOSE", ["C1", "O1"]))
    assert answer.value.status == 200
    assert "data_GLUCOSE" in answer.value.request.post_data
    expect(page.locator("#check")).to_contain_text("Tokens22")
    expect(picture).not_to_have_attribute("src", before)


def test_a_job_of_a_model_that_is_gone_asks_for_another(site, user):
    options = FoldOptions(model="mine", n_samples=1, n_recycles=0, n_steps=2)
    job = folded.queued_job(user, options=options)
    page = open_form(site, user, f"?job={job.pk}")
    model, said = page.locator("[name=model]"), page.locator("#id_model_error")
    expect(said).to_contain_text("no such model here: “mine”")
    expect(model).to_have_value("mine")
    with page.expect_response("**/jobs/validate/"):
        page.get_by_role("button", name="Fold", exact=True).click()
    expect(model).to_be_focused()
    expect(said).to_contain_text("no such model here: “mine”")
    assert Job.objects.count() == 1
    model.select_option("small")
    expect(said).to_be_hidden()
    expect(page.locator("[name=n_steps]")).to_have_value("2")
    page.get_by_role("button", name="Fold", exact=True).click()
    page.wait_for_url(re.compile(r"/jobs/[0-9a-f]+-"))
    assert Job.objects.exclude(pk=job.pk).get().model == "small"
