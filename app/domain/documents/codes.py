"""Check digits of published codes: a mistyped or wrongly copied one is found before it is used."""

# The dihedral group of order ten, and the permutation of the Verhoeff scheme (SNOMED CT ids).
_PRODUCTS = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTATIONS = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def is_snomed_id(code: str) -> bool:
    """Whether the last digit is the right check digit: of 30085007 it is, of 53053002 not."""
    check = 0
    for place, digit in enumerate(reversed(code)):
        permuted = int(_PERMUTATIONS[place % 8][int(digit)])
        check = int(_PRODUCTS[check][permuted])
    return check == 0


def is_loinc(code: str) -> bool:
    """Whether the digit after the hyphen is the mod 10 check digit of the number: 72514-3."""
    number, _, check = code.partition("-")
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10 == int(check)
