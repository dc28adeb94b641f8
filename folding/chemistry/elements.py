"""The elements, hydrogen to oganesson."""

_SYMBOLS = """
    H HE LI BE B C N O F NE NA MG AL SI P S CL AR K CA SC TI V CR MN FE CO NI CU ZN GA GE AS SE BR
    KR RB SR Y ZR NB MO TC RU RH PD AG CD IN SN SB TE I XE CS BA LA CE PR ND PM SM EU GD TB DY HO ER
    TM YB LU HF TA W RE OS IR PT AU HG TL PB BI PO AT RN FR RA AC TH PA U NP PU AM CM BK CF ES FM MD
    NO LR RF DB SG BH HS MT DS RG CN NH FL MC LV TS OG
""".split()  # noqa: SIM905

SYMBOLS = dict(enumerate(_SYMBOLS, start=1))
"""Symbols in capitals by atomic number."""

ATOMIC_NUMBERS = {symbol: number for number, symbol in SYMBOLS.items()} | {"X": 119}
"""Atomic numbers by symbol; `X`, which the dictionary has for an unknown element, comes behind."""

HYDROGEN = frozenset({"H", "D"})
"""What is left out everywhere."""
