"""The molecules of a job, joined: every residue of every chain, and the bonds between them.

Where a bond joins two residues, the leaving atoms of both ends are dropped: the oxygen behind the
last amino acid's carbon, the one before the first nucleotide's phosphorus, the anomeric oxygen of a
sugar that is linked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from folding.chemistry.components import (
    Component,
    from_class,
    from_dictionary,
    from_file,
    from_smiles,
    from_user,
)
from folding.chemistry.leaving import dropped
from folding.chemistry.residues import CLASSES, LETTERS, derived_class
from folding.errors import InvalidInput
from folding.inputs import DnaChain, FoldInput, Ligand, ProteinChain, RnaChain

_KINDS = {ProteinChain: "protein", RnaChain: "rna", DnaChain: "dna", Ligand: "ligand"}
_LINKS = {"protein": ("C", "N"), "rna": ("O3'", "P"), "dna": ("O3'", "P")}
UNKNOWN_CLASS = LETTERS.index("X")
"""The class of everything that is no polymer."""
_MAX_LIGAND_CODES = 10_000


@dataclass(frozen=True)
class ChainCopy:
    """One copy of a chain: `kind` is `protein`, `rna`, `dna` or `ligand`; ids count from 1."""

    id: str
    kind: str
    entity: int
    copy: int
    is_ring: bool
    description: str = ""


@dataclass(frozen=True)
class Site:
    """One residue of a chain's copy, or one component of a ligand.

    Args:
        chain: Index of the copy.
        number: Counts from 1 in the chain.
        kept: Atoms of the component that are there, by index.
        restype: Its class.
        is_token: Whether it is one token; else each atom is.
    """

    chain: int
    number: int
    component: Component
    kept: tuple[int, ...]
    restype: int
    is_token: bool


class Joint(NamedTuple):
    """A bond between two sites; atoms are indices into their components.

    `is_link` tells a bond between neighbours along a chain from any other.
    """

    first_site: int
    first_atom: int
    second_site: int
    second_atom: int
    is_link: bool


@dataclass(frozen=True)
class Assembly:
    """The whole job, ready to be cut into tokens."""

    chains: tuple[ChainCopy, ...]
    sites: tuple[Site, ...]
    joints: tuple[Joint, ...]


def assemble(
    fold_input: FoldInput, *, terminal_atoms: bool = True, bare_ends: bool = False
) -> Assembly:
    """The residues and bonds of a job; chains that are alike are copies of one entity.

    Args:
        terminal_atoms: Standard amino acids keep the oxygen that ends a chain where nothing
            follows.
        bare_ends: Standard residues of every kind lose the oxygens that begin or end a chain.

    Raises:
        InvalidInput: A component that is in no dictionary, or cannot be read, or a bond to an atom
            that the model is not shown.
    """
    chains = tuple(_copies(fold_input))
    components = _Components(fold_input, terminal_atoms=terminal_atoms)
    parts = {id(chain): components.of_chain(chain) for chain in fold_input.chains}
    sources = [chain for chain in fold_input.chains for _ in chain.ids]
    sites = [
        site for index, source in enumerate(sources) for site in _sites(index, parts[id(source)])
    ]
    joints = [*_links(chains, sites), *_given(fold_input, chains, sites)]
    gone = _leaving(sites, joints)
    if bare_ends:
        gone = [g | _ends(site) for g, site in zip(gone, sites, strict=True)]
    kept = [
        Site(s.chain, s.number, s.component, _remaining(s, gone[i]), s.restype, s.is_token)
        for i, s in enumerate(sites)
    ]
    _check_kept(chains, kept, joints)
    return Assembly(chains, tuple(kept), tuple(joints))


def _copies(fold_input: FoldInput) -> Iterator[ChainCopy]:
    entities: dict[object, int] = {}
    copies: Counter[int] = Counter()
    for chain in fold_input.chains:
        entity = entities.setdefault(_identity(chain), len(entities) + 1)
        ring = bool(getattr(chain, "cyclic", False))
        for chain_id in chain.ids:
            copies[entity] += 1
            kind = _KINDS[type(chain)]
            yield ChainCopy(chain_id, kind, entity, copies[entity], ring, chain.description)


def _identity(chain: ProteinChain | RnaChain | DnaChain | Ligand) -> object:
    """What two chains must share to be one entity."""
    if isinstance(chain, Ligand):
        return ("ligand", chain.ccd, chain.smiles, chain.file)
    return (_KINDS[type(chain)], chain.residue_names, chain.cyclic)


class _Part(NamedTuple):
    """A component in its place in a chain: its class where it is a standard residue."""

    component: Component
    standard: int | None
    derived: int = UNKNOWN_CLASS


class _Components:
    """Finds the components of a job's chains."""

    def __init__(self, fold_input: FoldInput, *, terminal_atoms: bool) -> None:
        self.own = from_user(fold_input.user_ccd) if fold_input.user_ccd else {}
        self.terminal_atoms = terminal_atoms
        self.codes: dict[str, str] = {}

    def of_chain(self, chain: ProteinChain | RnaChain | DnaChain | Ligand) -> list[_Part]:
        if isinstance(chain, Ligand):
            return [_Part(component, None) for component in self.of_ligand(chain)]
        modified = {modification.position for modification in chain.modifications}
        residues = enumerate(chain.residue_names, start=1)
        return [
            self.modified(code) if position in modified else self.standard(code)
            for position, code in residues
        ]

    def of_ligand(self, ligand: Ligand) -> list[Component]:
        if ligand.smiles is not None:
            return [from_smiles(ligand.smiles, code=self.code(ligand.smiles))]
        if ligand.file is not None:
            return [from_file(ligand.file, code=self.code(ligand.file))]
        return [self.find(code) for code in ligand.ccd]

    def code(self, text: str) -> str:
        """LIG1, LIG2 … for molecules that have no code of their own."""
        if text not in self.codes:
            taken = {*self.own, *self.codes.values()}
            free = (f"LIG{i}" for i in range(1, _MAX_LIGAND_CODES) if f"LIG{i}" not in taken)
            self.codes[text] = next(free)
        return self.codes[text]

    def find(self, code: str) -> Component:
        return self.own.get(code) or from_dictionary(code)

    def modified(self, code: str) -> _Part:
        if code in CLASSES and code not in self.own:
            return self.standard(code)
        component = self.find(code)
        return _Part(component, None, derived_class(component.kind, component.letter))

    def standard(self, code: str) -> _Part:
        number = CLASSES[code]
        if not self.terminal_atoms and number < len(LETTERS):
            return _Part(from_class(number), number)
        return _Part(from_dictionary(code), number)


def _sites(chain: int, parts: Sequence[_Part]) -> Iterator[Site]:
    for number, part in enumerate(parts, start=1):
        every = tuple(range(len(part.component.atom_names)))
        is_token = part.standard is not None
        restype = part.derived if part.standard is None else part.standard
        yield Site(chain, number, part.component, every, restype, is_token)


def _links(chains: Sequence[ChainCopy], sites: Sequence[Site]) -> Iterator[Joint]:
    """The bonds along every polymer, and those that close rings."""
    for index, chain in enumerate(chains):
        if chain.kind not in _LINKS:
            continue
        members = [i for i, site in enumerate(sites) if site.chain == index]
        pairs = [(a, b, True) for a, b in pairwise(members)]
        if chain.is_ring:
            pairs.append((members[-1], members[0], False))
        tail, head = _LINKS[chain.kind]
        for a, b, is_link in pairs:
            before, behind = sites[a].component.atom_names, sites[b].component.atom_names
            if tail in before and head in behind:
                yield Joint(a, before.index(tail), b, behind.index(head), is_link)


def _given(
    fold_input: FoldInput, chains: Sequence[ChainCopy], sites: Sequence[Site]
) -> Iterator[Joint]:
    """The bonds that the job names."""
    index = {(chains[site.chain].id, site.number): i for i, site in enumerate(sites)}
    for bond in fold_input.bonds:
        ends = [(index[end.chain_id, end.position], end.atom) for end in (bond.first, bond.second)]
        (a, first), (b, second) = ends
        names = (sites[a].component.atom_names, sites[b].component.atom_names)
        for end, known in zip((bond.first, bond.second), names, strict=True):
            if end.atom not in known:
                raise _not_seen(str(bond), str(end))
        yield Joint(a, names[0].index(first), b, names[1].index(second), False)


def _not_seen(bond: str, atom: str) -> InvalidInput:
    return InvalidInput(
        f"The bond {bond} cannot be made with this model, which does not see the atom {atom}. "
        "Choose another model, or leave the bond out."
    )


def _leaving(sites: Sequence[Site], joints: Sequence[Joint]) -> list[frozenset[int]]:
    """Atoms that leave each site: one group for every bond that an atom makes."""
    joined: list[list[int]] = [[] for _ in sites]
    for joint in joints:
        joined[joint.first_site].append(joint.first_atom)
        joined[joint.second_site].append(joint.second_atom)
    return [
        dropped(site.component.leaving_groups(atom) for atom in atoms)
        for site, atoms in zip(sites, joined, strict=True)
    ]


def _check_kept(
    chains: Sequence[ChainCopy], sites: Sequence[Site], joints: Sequence[Joint]
) -> None:
    """Refuses bonds to atoms that the model is not shown."""
    for joint in joints:
        if not joint.is_link:
            ends = ((joint.first_site, joint.first_atom), (joint.second_site, joint.second_atom))
            names = [
                f"{chains[sites[i].chain].id}/{sites[i].number}/{sites[i].component.atom_names[a]}"
                for i, a in ends
            ]
            for (site, atom), name in zip(ends, names, strict=True):
                if atom not in sites[site].kept:
                    raise _not_seen("–".join(names), name)


def _ends(site: Site) -> frozenset[int]:
    """The oxygens of a standard residue that begin or end a chain."""
    names = site.component.atom_names if site.is_token else ()
    return frozenset(index for index, name in enumerate(names) if name in ("OXT", "OP3"))


def _remaining(site: Site, gone: frozenset[int]) -> tuple[int, ...]:
    return tuple(index for index in site.kept if index not in gone)
