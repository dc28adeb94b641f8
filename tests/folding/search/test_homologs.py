"""Relatives planted among random sequences are found, aligned, and nothing else is."""

import pytest

from folding.errors import Cancelled
from folding.inputs.a3m import aligned_columns, read_a3m
from folding.search import homologs
from folding.search.homologs import Database, DatabaseMissing, SearchOptions, search, to_a3m
from tests.folding.search.relatives import NUCLEOTIDES, letters, relative, write_fasta

QUERY = letters(90, seed=1)


@pytest.fixture
def database(tmp_path) -> Database:
    records = {f"noise{i} OX=1": letters(150, seed=100 + i) for i in range(60)}
    near, far = relative(QUERY, identity=0.7, seed=2), relative(QUERY, identity=0.5, seed=3)
    records |= {
        "sp|P00001|NEAR_HUMAN near one OX=9606": letters(30, seed=4) + near,
        "far": far[10:] + letters(20, seed=5),
        "inserted": near[:45] + "WWWWW" + near[45:],
        "deleted": near[:40] + near[48:],
    }
    return Database("small", write_fasta(tmp_path / "small.fasta", records))


def silent(progress):
    """Hears nothing."""


def find(database, sequence=QUERY, **options):
    return search(sequence, database, SearchOptions(**options), report=silent)


def test_relatives_are_found_the_best_first_and_no_noise(database):
    rows = find(database)
    names = [row.header.split("/")[0] for row in rows]
    assert set(names) == {"sp|P00001|NEAR_HUMAN", "far", "inserted", "deleted"}
    assert names[-1] == "far"
    assert [row.e_value for row in rows] == sorted(row.e_value for row in rows)
    assert all(row.e_value <= 1e-4 for row in rows)


def test_headers_keep_the_place_and_the_description(database):
    (near,) = [row for row in find(database) if "NEAR" in row.header]
    name, _, rest = near.header.partition(" ")
    first, last = map(int, name.rpartition("/")[2].split("-"))
    assert (first >= 31, last <= 120, rest) == (True, True, "near one OX=9606")
    assert last - first + 1 == sum(letter != "-" for letter in near.row)


def test_rows_are_a3m_of_the_query(database):
    rows = find(database)
    read = read_a3m(to_a3m(QUERY, rows), sequence=QUERY)
    assert len(read) == len(rows) + 1
    by_name = {row.header.split("/")[0]: row.row for row in rows}
    assert "wwwww" in by_name["inserted"].lower()
    assert sum(letter.islower() for letter in by_name["inserted"]) == 5
    middle = aligned_columns(by_name["deleted"]).strip("-")
    assert middle.count("-") == 8


def test_the_e_value_and_the_depth_are_limits(database):
    assert len(find(database, max_rows=2)) == 2
    worst = find(database)[-1]
    stricter = find(database, e_value=worst.e_value / 10)
    assert worst.header not in {row.header for row in stricter}
    assert len(stricter) >= 2


def test_blocks_give_the_same_as_one_piece(database, monkeypatch):
    whole = find(database)
    monkeypatch.setattr(homologs, "BLOCK_RESIDUES", 700)
    heard = []
    rows = search(QUERY, database, SearchOptions(), report=heard.append)
    assert rows == whole
    assert len(heard) > 10
    assert [p.n_done for p in heard] == sorted(p.n_done for p in heard)
    assert heard[-1].n_done == heard[-1].n_targets == 64
    assert heard[-1].n_found == len(rows)


def test_a_second_iteration_reaches_further(tmp_path):
    parent = relative(QUERY, identity=0.55, seed=9)
    records = {f"noise{i}": letters(150, seed=i) for i in range(40)}
    records |= {f"link{i}": relative(parent, identity=0.8, seed=50 + i) for i in range(8)}
    records |= {"cousin": relative(parent, identity=0.3, seed=70)}
    database = Database("links", write_fasta(tmp_path / "links.fasta", records))
    once = {row.header.split("/")[0] for row in find(database)}
    twice = find(database, iterations=2)
    assert "cousin" not in once
    assert "cousin" in {row.header.split("/")[0] for row in twice}
    assert all(len(aligned_columns(row.row)) == len(QUERY) for row in twice)


def test_a_search_ends_where_its_listener_says_so(database, monkeypatch):
    monkeypatch.setattr(homologs, "BLOCK_RESIDUES", 700)
    heard = []

    def report(progress):
        heard.append(progress)
        if len(heard) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        search(QUERY, database, SearchOptions(), report=report)
    assert len(heard) == 3


def test_rna_is_searched_in_dna_and_rna(tmp_path):
    query = letters(100, seed=1, alphabet=NUCLEOTIDES)
    near = relative(query, identity=0.85, seed=2, alphabet=NUCLEOTIDES)
    records = {f"noise{i}": letters(400, seed=i + 9, alphabet=NUCLEOTIDES) for i in range(20)}
    records |= {"rna": "ACGU" + near, "dna": near.replace("U", "T") + "ACGT"}
    database = Database("rna", write_fasta(tmp_path / "rna.fasta", records), "rna")
    rows = find(database, query)
    assert {row.header.split("/")[0] for row in rows} == {"rna", "dna"}
    assert all(set(row.row) <= set("ACGUacgu-") for row in rows)
    assert len(read_a3m(to_a3m(query, rows), sequence=query)) == 3


def test_proteins_longer_than_hmmer_takes_are_passed_over(database, monkeypatch):
    monkeypatch.setattr(homologs, "MAX_TARGET_RESIDUES", 100)
    assert {row.header.split("/")[0] for row in find(database)} == {"inserted", "deleted", "far"}


@pytest.mark.parametrize("text", ["", "no FASTA at all\n", ">a\nAC1DEF!!\n"])
def test_what_is_no_database_is_said(tmp_path, text):
    path = tmp_path / "bad.fasta"
    path.write_text(text)
    with pytest.raises(DatabaseMissing, match="bad one"):
        find(Database("bad one", path))


def test_a_missing_database_is_said(tmp_path):
    with pytest.raises(DatabaseMissing, match="gone"):
        find(Database("gone", tmp_path / "gone.fasta"))


@pytest.mark.parametrize("letter", "AQGX")
def test_one_letter_alone_is_a_sequence_like_any_other(database, letter):
    assert find(database, letter * 40, iterations=2) == ()


@pytest.mark.parametrize("iterations", [1, 3])
def test_what_is_no_residue_spoils_no_row(tmp_path, iterations):
    """Translated databases hold “*” where translation stopped."""
    near = relative(QUERY, identity=0.7, seed=2)
    records = {
        "column": near[:45] + "*" + near[46:],
        "inserted": near[:45] + "WW*WW" + near[45:],
        "missing": near[:45] + "~" + near[46:],
        "last": near + "*",
    }
    rows = find(Database("d", write_fasta(tmp_path / "d.fasta", records)), iterations=iterations)
    found = read_a3m(to_a3m(QUERY, rows), sequence=QUERY)
    columns = {row.header.split("/")[0]: row.row for row in found[1:]}
    assert set(columns) == set(records)
    assert columns["inserted"].count("w") == 4
    assert columns["column"] == columns["missing"], "and none shifts what follows"


def test_headers_are_one_line_of_text(tmp_path):
    near = relative(QUERY, identity=0.7, seed=2)
    path = tmp_path / "odd.fasta"
    path.write_bytes(f">a one\u2028two\x0ethree\x85 OX=9606\n{near}\n".encode())
    (row,) = find(Database("odd", path))
    (_, found) = read_a3m(to_a3m(QUERY, (row,)), sequence=QUERY)
    assert found.header.endswith("one two three  OX=9606")


def test_records_are_counted_over_the_borders_of_pieces(tmp_path, monkeypatch):
    path = write_fasta(tmp_path / "many.fasta", {f"s{i}": "AC" for i in range(57)})
    for size in (1, 2, 3, 7, 4096):
        monkeypatch.setattr(homologs, "_COUNTED_BYTES", size)
        assert homologs.count_targets(Database("many", path)) == 57


def test_the_alignment_of_a_hit_says_which_residues_stand_for_which(tmp_path):
    """A target that is the query with a piece put in and a piece taken out, by construction."""
    target = QUERY[:30] + "WWWWWWW" + QUERY[30:60] + QUERY[66:]
    database = Database("one", write_fasta(tmp_path / "one.fasta", {"target": target}))
    (row,) = find(database)
    assert row.row.replace("-", "").upper() == target
    columns = aligned_columns(row.row)
    assert len(columns) == len(QUERY)
    wrong = [i for i in range(90) if columns[i] not in ("-", QUERY[i])]
    assert len(wrong) <= 4, "but for a few at the seams, columns hold the query's own residues"
    assert columns.count("-") == 6


def test_the_same_search_gives_the_same_rows(database):
    assert find(database) == find(database)


def test_the_order_of_a_database_does_not_matter(tmp_path):
    records = {f"noise{i}": letters(120, seed=300 + i) for i in range(20)}
    records |= {f"near{i}": relative(QUERY, identity=0.7, seed=i) for i in range(6)}
    upside_down = dict(reversed(records.items()))
    one, other = (
        find(Database("d", write_fasta(tmp_path / f"{name}.fasta", given)))
        for name, given in (("one", records), ("other", upside_down))
    )
    assert one == other
    assert len(one) == 6


def test_e_values_grow_with_the_database(tmp_path):
    near = {"near": relative(QUERY, identity=0.5, seed=2)}
    noise = {f"noise{i}": letters(120, seed=i) for i in range(99)}
    small, large = (
        find(Database("d", write_fasta(tmp_path / f"{len(given)}.fasta", given)))
        for given in (near, near | noise)
    )
    assert large[0].e_value == pytest.approx(100 * small[0].e_value, rel=1e-3)


def test_two_domains_of_one_target_are_two_rows(tmp_path):
    target = QUERY + letters(60, seed=8) + relative(QUERY, identity=0.8, seed=9)
    database = Database("two", write_fasta(tmp_path / "two.fasta", {"twice": target}))
    rows = find(database)
    places = sorted(tuple(map(int, row.header.rpartition("/")[2].split("-"))) for row in rows)
    assert len(places) == 2
    assert places[0][1] <= 90 < 150 < places[1][0] + 5


def test_unknown_residues_of_the_query_stay_its_columns(database):
    unknown = QUERY[:40] + "XXX" + QUERY[43:]
    rows = find(database, unknown)
    assert rows
    read_a3m(to_a3m(unknown, rows), sequence=unknown)


def test_what_finds_nothing_is_the_sequence_alone(tmp_path):
    noise = {f"noise{i}": letters(100, seed=i) for i in range(5)}
    database = Database("noise", write_fasta(tmp_path / "noise.fasta", noise))
    assert find(database, letters(80, seed=77)) == ()
    assert to_a3m(QUERY, ()) == f">query\n{QUERY}\n"


def test_lower_case_and_long_lines_of_a_database_are_read(tmp_path):
    near = relative(QUERY, identity=0.8, seed=2)
    path = tmp_path / "odd.fasta"
    path.write_text(f">wrapped\n{near[:40].lower()}\n{near[40:]}\n")
    (row,) = find(Database("odd", path))
    assert row.row.replace("-", "").isupper()
