"""The stage that finds alignments: from local databases, from a server, from the cache."""

from pathlib import Path

import pytest

from folding.errors import Cancelled, FoldingError, InvalidInput
from folding.inputs import FoldInput, ProteinChain, RnaChain
from tests.folding.search.relatives import letters, relative, write_fasta
from tests.webapp.integrations.msa.loopback import as_tar, running
from webapp import pipeline
from webapp.alignments import Aligner, merge
from webapp.integrations.msa.server import Patience, Server
from webapp.live.events import LogLine, Progress
from webapp.search_request import SearchRequest, Site, SiteDatabase, databases

ONE, TWO = letters(60, seed=1), letters(50, seed=2)


@pytest.fixture
def site(tmp_path) -> Site:
    records = {f"noise{i} OX=1": letters(100, seed=50 + i) for i in range(30)}
    for i, species in enumerate((9606, 10090)):
        records[f"one{i} OX={species}"] = relative(ONE, identity=0.7, seed=10 + i)
        records[f"two{i} OX={species}"] = relative(TWO, identity=0.7, seed=20 + i)
    path = write_fasta(tmp_path / "small.fasta", records)
    other = write_fasta(tmp_path / "b.fasta", {"b1": relative(ONE, identity=0.8, seed=30)})
    return Site(
        server_url="https://msa.example.org",
        databases=(
            SiteDatabase("small", path, "protein"),
            SiteDatabase("other", other, "protein"),
        ),
        cache_folder=tmp_path / "cache",
        cache_bytes=10**7,
    )


def job(*sequences: str, msa: str | None = None) -> FoldInput:
    ids = iter("ABCDEF")
    chains = tuple(ProteinChain((next(ids),), sequence, msa=msa) for sequence in sequences)
    return FoldInput("job", chains)


def aligner(site, source="local", *, report=None, server=None, agreed="msa.example.org", **changes):
    heard = changes.pop("heard", [])
    return Aligner(
        site,
        SearchRequest(msa=source, server=agreed if source == "server" else ""),
        search=changes.pop("search", pipeline.search_alignment),
        report=report or heard.append,
        server=server,
    )


def headers(a3m: str) -> list[str]:
    return [line[1:].split("/")[0] for line in a3m.splitlines() if line.startswith(">")]


def test_relatives_of_all_databases_become_the_chains_alignment(site):
    heard: list = []
    (chain,) = aligner(site, heard=heard).complete(job(ONE)).chains
    assert set(headers(chain.msa)) == {"query", "one0", "one1", "b1"}
    assert chain.paired_msa is None, "one protein pairs with nothing"
    stages = {event.stage for event in heard if isinstance(event, Progress)}
    assert stages == {"msa"}
    said = [event.message for event in heard if isinstance(event, LogLine)]
    assert said[-1] == "Chain A: the alignment has 3 relatives."


def test_two_proteins_get_rows_that_pair(site):
    found = aligner(site).complete(job(ONE, TWO))
    for chain in found.chains:
        assert chain.paired_msa == chain.msa
    from folding.data.msa import msa_features

    rows = msa_features(found)["msa"]
    paired = (rows[1:, :60] != 31).any(1) & (rows[1:, 60:] != 31).any(1)
    assert paired.sum() >= 2


def test_what_the_job_brings_is_left_alone(site):
    given = f">q\n{ONE}\n"
    assert aligner(site).complete(job(ONE, msa=given)).chains[0].msa == given


def test_a_chain_that_wants_none_is_not_searched(site):
    def search(*args, **kwargs):
        raise AssertionError("searched")

    asked = job(ONE, msa="")
    heard: list = []
    assert aligner(site, search=search, heard=heard).complete(asked) == asked
    (line,) = (event.message for event in heard if isinstance(event, LogLine))
    assert line == "Chain A: folds without an alignment, as it asks."


def test_rna_is_searched_in_rna_alone(site, tmp_path):
    rna = letters(80, seed=3, alphabet="ACGU")
    path = write_fasta(
        tmp_path / "rna.fasta", {"r1": relative(rna, identity=0.9, seed=4, alphabet="ACGU")}
    )
    both = Site(
        databases=(*site.databases, SiteDatabase("rna", path, "rna")),
        cache_folder=site.cache_folder,
        cache_bytes=10**7,
    )  # fmt: skip
    found = aligner(both).complete(FoldInput("rna", (RnaChain(("A",), rna),)))
    assert headers(found.chains[0].msa) == ["query", "r1"]


def test_a_search_that_was_asked_for_is_not_left_out_in_silence(site):
    """As on a worker that lacks the settings of the machine that took the job."""
    bare = Site(cache_folder=site.cache_folder, cache_bytes=10**7)
    with pytest.raises(FoldingError, match="FOLDSTREAM_MSA_DATABASES is not set there"):
        aligner(bare).complete(job(ONE))
    with pytest.raises(FoldingError, match="FOLDSTREAM_MSA_SERVER is not set there"):
        aligner(bare, "server").complete(job(ONE))
    brought = job(ONE, msa=f">q\n{ONE}\n")
    assert aligner(bare).complete(brought) == brought
    heard: list = []
    (chain,) = aligner(site, heard=heard).complete(
        FoldInput("rna", (RnaChain(("A",), "ACGUACGU"),))
    ).chains  # fmt: skip
    assert chain.msa is None
    assert "nothing here searches" in heard[-1].message


def test_an_alignment_that_would_be_too_long_loses_its_worst_rows(site, monkeypatch):
    (whole,) = aligner(site).complete(job(ONE)).chains
    monkeypatch.setattr("webapp.alignments.MAX_A3M_CHARACTERS", len(whole.msa) - 1)
    heard: list = []
    (chain,) = aligner(site, heard=heard).complete(job(ONE)).chains
    assert len(chain.msa) < len(whole.msa)
    _, best, _, other = headers(whole.msa)
    assert headers(chain.msa) == ["query", best, other], "the best of each database"
    said = [event.message for event in heard if isinstance(event, LogLine)]
    assert any("Of 3 relatives the best 2 are kept" in message for message in said)


def test_what_does_not_fit_is_not_kept(site):
    def spoilt(sequence, *rest, **words):
        return f">q\n{sequence}\n>r\n{sequence}A\n"

    with pytest.raises(FoldingError, match="search of small gave an alignment that does not fit"):
        aligner(site, search=spoilt).complete(job(ONE))
    assert aligner(site).complete(job(ONE)).chains[0].msa.count(">") == 4


def test_the_second_time_comes_from_the_cache(site):
    first = aligner(site).complete(job(ONE))
    calls: list = []
    heard: list = []
    again = aligner(site, heard=heard, search=lambda *a, **k: calls.append(a)).complete(job(ONE))
    assert again == first
    assert calls == []
    assert any("found before" in e.message for e in heard if isinstance(e, LogLine))


def test_a_database_that_changed_is_searched_again(site):
    aligner(site).complete(job(ONE))
    path = site.databases[1].path
    path.write_text(path.read_text() + f">new\n{relative(ONE, identity=0.9, seed=77)}\n")
    (chain,) = aligner(site).complete(job(ONE)).chains
    assert "new" in headers(chain.msa)


def test_a_cancelled_job_stops_searching(site, monkeypatch):
    monkeypatch.setattr("webapp.alignments.PROGRESS_SECONDS", -1.0)

    def report(event):
        if isinstance(event, Progress) and "read" in event.detail:
            raise Cancelled

    with pytest.raises(Cancelled):
        aligner(site, report=report).complete(job(ONE))


def test_percent_only_grows_and_stays_within_its_share(site, monkeypatch):
    monkeypatch.setattr("webapp.alignments.PROGRESS_SECONDS", -1.0)
    heard: list = []
    aligner(site, heard=heard).complete(job(ONE, TWO))
    percents = [event.percent for event in heard if isinstance(event, Progress)]
    assert percents == sorted(percents)
    assert 9.9 <= percents[-1] <= 10.0
    assert any("100% read" in event.detail for event in heard if isinstance(event, Progress))


# From a server ----------------------------------------------------------------------------------


@pytest.fixture
def remote(site):
    with running() as loopback:
        quick = Patience(request=1.0, pause=(0.01, 0.02), poll=(0.01, 0.01))
        yield loopback, Server(loopback.url, patience=quick)


def test_a_server_is_asked_once_for_each_sequence(site, remote):
    loopback, server = remote
    agreed = {"source": "server", "server": server}
    first = aligner(site, **agreed).complete(job(ONE, TWO))
    assert [query["kind"] for query in loopback.queries] == ["msa", "pair"]
    for chain in first.chains:
        assert [name[:4] for name in headers(chain.msa)[1:]] == ["uni_", "bfd_"]
        assert "key=pair1" in chain.paired_msa
    assert aligner(site, **agreed).complete(job(ONE, TWO)) == first
    aligner(site, **agreed).complete(job(TWO))
    assert len(loopback.queries) == 2


def test_a_homodimer_is_not_paired(site, remote):
    loopback, server = remote
    aligner(site, "server", server=server).complete(job(ONE, ONE))
    assert [query["kind"] for query in loopback.queries] == ["msa"]
    assert loopback.queries[0]["q"].count(">") == 1


def test_a_server_never_hears_of_a_chain_that_wants_none(site, remote):
    loopback, server = remote
    wanting, other = job(ONE, letters(40, seed=9)).chains
    declining = ProteinChain(("C",), TWO, msa="")
    found = aligner(site, "server", server=server).complete(
        FoldInput("job", (wanting, declining, other))
    )
    assert found.chains[1] == declining
    assert "key=pair1" in found.chains[0].paired_msa
    assert [query["kind"] for query in loopback.queries] == ["msa", "pair"]
    assert not any(TWO in query["q"] for query in loopback.queries)
    aligner(site, "server", server=server).complete(job(TWO, msa=""))
    assert len(loopback.queries) == 2


def test_a_chain_that_brought_its_alignment_gets_the_rows_that_pair(site, remote):
    loopback, server = remote
    asked = FoldInput(
        "job", (ProteinChain(("A",), ONE, msa=f">q\n{ONE}\n"), *job(ONE, TWO).chains[1:])
    )
    first, second = aligner(site, "server", server=server).complete(asked).chains
    assert [query["kind"] for query in loopback.queries] == ["msa", "pair"]
    assert first.msa == f">q\n{ONE}\n"
    assert "key=pair1" in first.paired_msa and "key=pair1" in second.paired_msa


def test_a_chain_that_brought_its_own_pairs_is_not_paired_by_place(site, remote):
    loopback, server = remote
    paired = f">q\n{ONE}\n>r key=1\n{ONE[:-1]}A\n"
    asked = FoldInput(
        "job", (ProteinChain(("A",), ONE, paired_msa=paired), *job(ONE, TWO).chains[1:])
    )
    first, second = aligner(site, "server", server=server).complete(asked).chains
    assert [query["kind"] for query in loopback.queries] == ["msa"]
    assert (first.paired_msa, second.paired_msa) == (paired, None)
    assert first.msa and second.msa


def test_a_result_that_is_too_long_loses_its_worst_rows(site, remote, monkeypatch):
    loopback, server = remote
    rows = "".join(f">r{number}\n{ONE[:-1]}W\n" for number in range(100))
    loopback.result = lambda ticket: as_tar({"uniref.a3m": f">101\n{ONE}\n{rows}"})
    for module in ("webapp.alignments", "folding.inputs.a3m"):
        monkeypatch.setattr(f"{module}.MAX_A3M_CHARACTERS", 2000)
    (chain,) = aligner(site, "server", server=server).complete(job(ONE)).chains
    found = headers(chain.msa)
    assert found == ["101", *(f"r{number}" for number in range(len(found) - 1))]
    assert 1900 < len(chain.msa) <= 2000
    assert aligner(site, "server", server=server).complete(job(ONE)).chains == (chain,)


def test_the_queue_is_shown(site, remote):
    loopback, server = remote
    loopback.faults["status"] = ["PENDING", "RUNNING"]
    loopback.faults["submit"] = ["RATELIMIT"]
    heard: list = []
    hasty = aligner(site, "server", server=server, heard=heard)
    hasty._next_progress = -1.0
    hasty._clock = iter(range(10_000)).__next__
    hasty.complete(job(ONE))
    details = " | ".join(event.detail for event in heard if isinstance(event, Progress))
    for words in ("asks for patience", "in the queue of", "is searching", "downloading from"):
        assert words in details


def test_without_consent_to_this_very_server_nothing_is_sent(site, remote):
    loopback, server = remote
    with pytest.raises(InvalidInput, match="agree"):
        aligner(site, "server", server=server, agreed="other.example.org").complete(job(ONE))
    assert loopback.seen == []


def test_an_alignment_of_something_else_is_refused(site, remote):
    loopback, server = remote
    loopback.result = lambda ticket: as_tar({"uniref.a3m": ">101\nAAAA\n"})
    with pytest.raises(FoldingError, match="does not fit"):
        aligner(site, "server", server=server).complete(job(ONE))


def test_merging_keeps_the_sequence_once():
    assert merge([">q\nAC\n>a\nA-\n", ">q\nAC\n", ">q\nAC\n>b\n-C\n"]) == ">q\nAC\n>a\nA-\n>b\n-C\n"


def test_merging_shortens_the_deepest_first(monkeypatch):
    deep = ">q\nAC\n" + "".join(f">a{number}\nA-\n" for number in range(5))
    flat = ">q\nAC\n>b0\n-C\n"
    monkeypatch.setattr("webapp.alignments.MAX_A3M_CHARACTERS", 30)
    found = merge([deep, flat])
    assert headers(found) == ["q", "a0", "a1", "b0"]
    assert len(found) <= 30 < len(found) + len(">a2\nA-\n")


def test_databases_are_named_or_called_after_their_files():
    found = databases(["/data/uniref50.fasta", "mine=/data/x.fa"], kind="protein")
    assert [(d.name, d.path) for d in found] == [
        ("uniref50", Path("/data/uniref50.fasta")),
        ("mine", Path("/data/x.fa")),
    ]
