"""One row of the form of a new fold: a chain or a ligand, its copies, and what goes with it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from django import forms
from django.forms import formset_factory

from folding.chemistry.catalog import codes_of
from folding.errors import InvalidInput
from folding.inputs import (
    MAX_A3M_CHARACTERS,
    MAX_TEMPLATES,
    Chain,
    DnaChain,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    Template,
    assign_chain_ids,
    parse_fasta,
    parse_sequences,
    read_alignment,
)
from folding.templates.mapping import make_template
from folding.templates.structure_file import read_structure
from webapp.form_fields import (
    RawText,
    SeveralFiles,
    complain,
    complaints,
    take_upload,
    whole_numbers,
)

MAX_ROWS = 100
KINDS = (
    ("protein", "Protein"),
    ("dna", "DNA"),
    ("rna", "RNA"),
    ("ligand", "Ligand or ion"),
)
LIGAND_FORMS = (("ccd", "Code"), ("smiles", "SMILES"), ("file", "SDF or MOL2 file"))
_MODIFICATION = re.compile(r"(\S+?)\s*[@ ]\s*(\d{1,6})")
_TYPED = (
    *("sequence", "ligand", "molecule", "msa", "paired_msa", "templates", "ids", "modifications"),
)
# What a row may bring, and the field that says that it is not wanted.
_DECLINED = (("msa", "no_msa", "an alignment"), ("templates", "no_templates", "templates"))
# What may be aligned to a chain of this kind.
_ALIGNMENTS = {"protein": ("msa", "paired_msa"), "rna": ("msa",)}
# Where a row shows what the rules say about a part that has no field of that name.
_SHOWN_AT = {
    **{"ccd": "ligand", "smiles": "ligand", "file": "molecule"},
    **{"cif": "templates", "template": "templates", "mapping": "template_mapping"},
}


def read_modifications(text: str) -> tuple[Modification, ...]:
    """The modified residues of `SEP 5, MSE 12`.

    Raises:
        InvalidInput: Something else than a code and a position.
    """
    found = []
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        match = _MODIFICATION.fullmatch(part)
        if not match:
            raise InvalidInput(
                f"“{part[:40]}” is not a modification. Write the code and the residue, such as "
                "SEP 5, with commas between several.",
                field="modifications",
            )
        try:
            found.append(Modification(match[1], int(match[2])))
        except InvalidInput as error:
            raise InvalidInput(str(error), field="modifications") from error
    return tuple(found)


def write_modifications(modifications: tuple[Modification, ...]) -> str:
    """Modified residues as `read_modifications` reads them."""
    return ", ".join(f"{m.ccd} {m.position}" for m in modifications)


class EntityForm(forms.Form):
    """One row of the job: a chain or a ligand, how many copies, and what goes with it.

    After `clean`, `entities` holds the row's chains, whose ids only count the copies as yet, and
    `is_blank` says whether nothing at all was put into the row.
    """

    kind = forms.ChoiceField(choices=KINDS, initial="protein", required=False, label="Kind")
    sequence = RawText(rows=4, label="Sequence or FASTA")
    ligand_as = forms.ChoiceField(
        choices=LIGAND_FORMS, initial="ccd", required=False, label="Given as"
    )
    ligand = RawText(
        label="Code or SMILES",
        help_text="Such as ATP, MG or caffeine; several codes for a glycan: NAG NAG BMA.",
    )
    molecule = RawText(rows=5, label="Molecule (SDF or MOL2)", max_echo=MAX_A3M_CHARACTERS)
    molecule_file = forms.FileField(required=False, label="SDF or MOL2 file", allow_empty_file=True)
    copies = RawText(label="Copies", initial="1")
    ids = RawText(label="Chain ids", help_text="Such as A, B. Empty: given in order.")
    modifications = RawText(
        label="Modified residues", help_text="Code and residue, such as SEP 5, MSE 12."
    )
    cyclic = forms.BooleanField(required=False, label="Cyclic: the ends are joined")
    no_msa = forms.BooleanField(
        required=False, label="Folds without an alignment: none is looked for"
    )
    msa = RawText(rows=5, label="Alignment", max_echo=MAX_A3M_CHARACTERS)
    msa_file = forms.FileField(required=False, label="Alignment file", allow_empty_file=True)
    paired_msa = RawText(
        rows=3,
        label="Paired alignment",
        max_echo=MAX_A3M_CHARACTERS,
        help_text="Rows that pair with those of other chains: by species in UniProt or UniRef "
        "headers, or by the key of a CSV.",
    )
    paired_msa_file = forms.FileField(
        required=False, label="Paired alignment file", allow_empty_file=True
    )
    no_templates = forms.BooleanField(
        required=False, label="Folds without templates: none are looked for"
    )
    templates = RawText(rows=5, label="Structures", max_echo=MAX_A3M_CHARACTERS)
    templates_file = SeveralFiles(
        required=False, label="Structure files (mmCIF)", allow_empty_file=True
    )
    template_chain = RawText(
        label="Chain of the structure", help_text="Such as A. Empty: the only protein chain."
    )
    template_mapping = RawText(
        label="Residues that correspond",
        help_text="Of the sequence = of the template, such as 1-30=5-34, 40=44. Empty: aligned.",
    )

    entities: tuple[Chain, ...] = ()
    own_codes: tuple[str, ...] = ()
    """Codes of the components that the user defines in the same form."""
    copy_count = 1
    is_blank = True

    def clean(self) -> dict[str, Any]:
        take_upload(self, file="msa_file", text="msa")
        take_upload(self, file="paired_msa_file", text="paired_msa")
        take_upload(self, file="templates_file", text="templates")
        self._name_what_is_no_structure()
        take_upload(self, file="molecule_file", text="molecule")
        self.is_blank = not any(self.text(name).strip() for name in _TYPED)
        if not self.is_blank:
            self.read()
        return self.cleaned_data

    def _name_what_is_no_structure(self) -> None:
        """Of several files, one that is no mmCIF would vanish in the one before it."""
        for upload in self.cleaned_data.get("templates_file") or ():
            upload.seek(0)
            if not any(line.startswith(b"data_") for line in upload):
                self.add_error(
                    "templates",
                    f"“{upload.name}” must be an mmCIF file: it has no line that begins with "
                    "“data_”. Save the structure as mmCIF (.cif).",
                )

    def text(self, name: str) -> str:
        return str(self.cleaned_data.get(name) or "")

    @property
    def has_more(self) -> bool:
        """Whether the folded-in part of the row holds anything."""
        return any(self[name].value() or self[name].errors for name in ("modifications", "cyclic"))

    @property
    def kind_name(self) -> str:
        return self.text("kind") or "protein"

    @property
    def main_field(self) -> str:
        """The field that what concerns the whole row is said at."""
        if self.kind_name != "ligand":
            return "sequence"
        return "molecule" if self.text("ligand_as") == "file" else "ligand"

    @property
    def chain_ids(self) -> tuple[str, ...]:
        typed = self.text("ids").strip()
        return tuple(re.split(r"[\s,;]+", typed)) if typed else ()

    def complaints(self, *, at: str = "") -> Any:
        """Goes on after what the rules refuse, with a complaint at the field that it is about."""
        return complaints(self, at=at or self.main_field, shown_at=_SHOWN_AT)

    def complain(self, error: InvalidInput) -> None:
        """Puts what the rules refuse at the field that it is about."""
        complain(self, error, at=self.main_field, shown_at=_SHOWN_AT)

    def read(self) -> None:
        """Asks the rules for the row's parts; what they refuse becomes errors of this row."""
        with self.complaints():
            self.entities = self._read_entities()
        with self.complaints(at="copies"):
            numbers = whole_numbers(self.text("copies")) or (1,)
            self.copy_count = numbers[0] if len(numbers) == 1 else 0
            assign_chain_ids([self.copy_count])
        self._check_single()

    def _read_entities(self) -> tuple[Chain, ...]:
        if self.kind_name == "protein":
            return parse_sequences(self.text("sequence"))
        if self.kind_name == "ligand":
            return (self._read_ligand(),)
        kind = DnaChain if self.kind_name == "dna" else RnaChain
        text = self.text("sequence")
        if ">" not in text:
            return (kind(("A",), text),)
        records = parse_fasta(text)
        return tuple(kind(("A",), r.sequence, description=r.header[:500]) for r in records)

    def _read_ligand(self) -> Ligand:
        given = self.text("ligand_as") or "ccd"
        if given == "file":
            if not self.text("molecule").strip():
                raise InvalidInput("Read the molecule from a file, or paste it.", field="molecule")
            return Ligand(("A",), file=self.text("molecule"))
        typed = self.text("ligand").strip()
        if not typed:
            raise InvalidInput("Write what the ligand is, such as ATP.", field="ligand")
        if given == "smiles":
            return Ligand(("A",), smiles=typed)
        return Ligand(("A",), ccd=codes_of(typed, own=self.own_codes))

    def _check_single(self) -> None:
        nouns = {
            "ids": "Ids",
            "msa": "An alignment",
            "paired_msa": "An alignment",
            "templates": "Templates",
            "modifications": "Modified residues",
        }
        for name, noun in nouns.items():
            if len(self.entities) > 1 and self.text(name).strip():
                self.add_error(
                    name,
                    f"{noun} can go with one sequence only, but this row has {len(self.entities)}. "
                    "Give each sequence a row of its own.",
                )
        for name, declined, noun in _DECLINED:
            if self.cleaned_data.get(declined) and self.text(name).strip():
                self.add_error(
                    name, f"This row brings {noun}, but asks to fold without. Clear one of the two."
                )
        if self.chain_ids and self.copy_count not in (1, len(self.chain_ids)):
            self.add_error(
                "ids",
                f"Each copy needs an id of its own, but there are {len(self.chain_ids)} ids for "
                f"{self.copy_count} copies. Correct either, or leave the ids empty.",
            )

    def chains(self, *, taken: set[str]) -> tuple[Chain, ...]:
        """The row's chains with their ids; nothing where the rules refuse them."""
        chains: tuple[Chain, ...] = ()
        with self.complaints():
            counts = [len(entity.ids) * self.copy_count for entity in self.entities]
            named = [self.chain_ids] if self.chain_ids else assign_chain_ids(counts, taken=taken)
            extras = self._extras()
            chains = tuple(
                replace(
                    entity,
                    ids=ids,
                    **extras,
                    **self._alignments(entity),
                    **self._templates(entity),
                )
                for entity, ids in zip(self.entities, named, strict=True)
            )
        return chains

    def _extras(self) -> dict[str, Any]:
        """What the row says beside sequence and ids."""
        if self.kind_name == "ligand":
            return {}
        extras: dict[str, Any] = {
            "modifications": read_modifications(self.text("modifications")),
            "cyclic": bool(self.cleaned_data.get("cyclic")),
        }
        return extras

    @property
    def has_alignment(self) -> bool:
        """Whether the part of the row about alignments holds anything."""
        names = ("no_msa", "msa", "paired_msa")
        return any(self[name].value() or self[name].errors for name in names)

    @property
    def n_rows(self) -> int:
        """Rows of the alignments together; as the page counted them where it sent a part of one."""
        names = _ALIGNMENTS.get(self.kind_name, ())
        return 1 + sum(max(self.text(n).count("\n>"), self._told_rows(n) - 1) for n in names)

    def _told_rows(self, name: str) -> int:
        told = str(self.data.get(self.add_prefix(f"{name}_rows"), ""))
        return int(told) if re.fullmatch("[0-9]{1,9}", told) else 0

    def _alignments(self, entity: Chain) -> dict[str, Any]:
        """The alignments of the row, in whatever dialect they came, as A3M."""
        if isinstance(entity, Ligand | DnaChain):
            return {}
        found: dict[str, Any] = {"msa": ""} if self.cleaned_data.get("no_msa") else {}
        for name in _ALIGNMENTS[self.kind_name]:
            if self.text(name).strip():
                texts = read_alignment(self.text(name), sequence=entity.sequence, field=name)
                if name == "paired_msa":
                    found["paired_msa"] = texts.paired_msa or texts.msa
                else:
                    found["msa"] = texts.msa
                    if texts.paired_msa and isinstance(entity, ProteinChain):
                        found["paired_msa"] = texts.paired_msa
        return found

    @property
    def has_templates(self) -> bool:
        """Whether the part of the row about templates holds anything."""
        names = ("no_templates", "templates", "template_chain", "template_mapping")
        return any(self[name].value() or self[name].errors for name in names)

    def _templates(self, entity: Chain) -> dict[str, Any]:
        """The templates of the row, each cut out of its structure and mapped to the chain."""
        text = self.text("templates")
        if not isinstance(entity, ProteinChain):
            return {}
        if not text.strip():
            return {"templates": ()} if self.cleaned_data.get("no_templates") else {}
        chain, mapping = self.text("template_chain"), self.text("template_mapping")
        return {"templates": read_templates(text, entity.sequence, chain=chain, mapping=mapping)}


def read_templates(
    text: str, sequence: str, *, chain: str = "", mapping: str = ""
) -> tuple[Template, ...]:
    """The templates of mmCIF text, one for each of its data blocks.

    Args:
        chain: Ids of the chains to use, one for each block with commas between; one for all.
        mapping: What corresponds, for each block, with `|` between; "" aligns.

    Raises:
        InvalidInput: No structures, too many, or chains or mappings that do not fit.
    """
    parts = re.split(r"(?m)^(?=data_)", text)
    blocks = [part for part in parts if part.startswith("data_")] or [text]
    if len(blocks) > MAX_TEMPLATES:
        raise InvalidInput(
            f"A chain can have at most {MAX_TEMPLATES} templates, but these are {len(blocks)}. "
            "Keep the best ones.",
            field="templates",
        )
    names = _for_each(chain, ",", len(blocks), field="template_chain", noun="Chains")
    maps = _for_each(mapping, "|", len(blocks), field="template_mapping", noun="Mappings")
    return tuple(
        make_template(block, sequence=sequence, chain=name, mapping=pairs)
        for block, name, pairs in zip(blocks, names, maps, strict=True)
    )


def _for_each(text: str, between: str, count: int, *, field: str, noun: str) -> list[str]:
    """What is written for each of so many templates; what is written once counts for all."""
    parts = [part.strip() for part in text.split(between)]
    if len(parts) == 1:
        return parts * count
    if len(parts) != count:
        raise InvalidInput(
            f"{noun} are given for {len(parts)} templates, but there are {count}. Write one for "
            f"each, with {between} between.",
            field=field,
        )
    return parts


def write_mapping(template: Template) -> str:
    """The residues that correspond, as the form takes them: `1-30=5-34, 40=44`."""
    pairs = sorted(zip(template.query_indices, template.template_indices, strict=True))
    runs: list[list[int]] = []
    for query, place in pairs:
        if runs and (query, place) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1][2] += 1
        else:
            runs.append([query, place, 1])
    return ", ".join(f"{_stretch(q, n)}={_stretch(t, n)}" for q, t, n in runs)


def _stretch(first: int, count: int) -> str:
    return f"{first + 1}-{first + count}" if count > 1 else str(first + 1)


def initial_of(chain: Chain) -> dict[str, Any]:
    """What the row of this chain is filled with."""
    row: dict[str, Any] = {"copies": str(len(chain.ids)), "ids": ", ".join(chain.ids)}
    if isinstance(chain, Ligand):
        given = "file" if chain.file else "smiles" if chain.smiles else "ccd"
        ligand = chain.smiles or " ".join(chain.ccd)
        return row | {
            "kind": "ligand",
            "ligand_as": given,
            "ligand": ligand,
            "molecule": chain.file or "",
        }
    kinds = {ProteinChain: "protein", DnaChain: "dna", RnaChain: "rna"}
    return row | {
        "kind": kinds[type(chain)],
        "sequence": chain.sequence,
        "modifications": write_modifications(chain.modifications),
        "cyclic": chain.cyclic,
        "no_msa": getattr(chain, "msa", None) == "",
        "msa": getattr(chain, "msa", None) or "",
        "paired_msa": getattr(chain, "paired_msa", None) or "",
        "no_templates": getattr(chain, "templates", None) == (),
        **_initial_templates(getattr(chain, "templates", None) or ()),
    }


def _initial_templates(templates: tuple[Template, ...]) -> dict[str, str]:
    if not templates:
        return {}
    return {
        "templates": "\n".join(template.cif.strip() for template in templates) + "\n",
        "template_chain": ", ".join(map(_first_chain, templates)),
        "template_mapping": " | ".join(map(write_mapping, templates)),
    }


def _first_chain(template: Template) -> str:
    """The chain that a template is: its first. Nothing where it cannot be read: the form says."""
    try:
        return read_structure(template.cif).chains[0].chain_id
    except InvalidInput:
        return ""


class _Rows(forms.BaseFormSet):  # type: ignore[type-arg]
    """At least one row, whatever number a script sends: what is missing is said in the first."""

    def total_form_count(self) -> int:
        return max(1, super().total_form_count())


EntityFormSet = formset_factory(
    EntityForm, formset=_Rows, extra=0, min_num=1, max_num=MAX_ROWS, absolute_max=MAX_ROWS
)
