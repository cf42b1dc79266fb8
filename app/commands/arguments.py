"""Arguments of the commands that administer clinics and callers. Loads nothing else."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

PROGRAM = "python -m app"

CLINICS = f"""\
Makes and lists clinics. Each has its own patients, plans, protocols and callers; nothing crosses
from one to another. The first is there from the beginning.

examples:
  {PROGRAM} clinics list
  {PROGRAM} clinics create "West clinic"
  {PROGRAM} clinics create "For trying out" --sandbox
"""
AUDIT = f"""\
Looks through the account of who read and changed patients' data, in every clinic, for accesses
that were removed or altered since. It ends with 1 when there are some. It prints the number and
hash with which each account ends. Note the hash elsewhere: told again with --noted, it shows
whether what was accounted for until then still stands, even where somebody wrote the whole account
anew.

examples:
  {PROGRAM} audit verify
  {PROGRAM} audit verify --noted 70db3f16ff7fd4bd6a2a2b9f2c6d1f5b0c6a7e8f9d0b1c2d3e4f5061728394a5
"""
KEYS = f"""\
Makes, lists, rotates and revokes the keys by which callers are known. A key is shown once, when
it is made, on the standard output; of the key itself only a hash is stored. Its caller sends it
as `Authorization: Bearer KEY`.

roles:
  read-only     reads plans, patients, protocols and events
  front-desk    and makes and changes plans and patients
  integration   and sets up webhooks
  clinician     as front-desk, and decides, waives rules, writes protocols and closures
  approver      as clinician, and lets plans be made by protocols which others wrote
  admin         keys, clinic, audit; reads, and changes no plan

examples:
  {PROGRAM} keys create booking --role front-desk --days 365
  {PROGRAM} keys create ehr --role integration --scope patients:write --scope patients:read
  {PROGRAM} keys create admin --role admin --clinic "West clinic"
  {PROGRAM} keys list
  {PROGRAM} keys rotate rgm_h3kq7wz2np --overlap-hours 24
  {PROGRAM} keys revoke rgm_h3kq7wz2np
"""
CLIENTS = f"""\
Makes, lists and revokes clients: systems that ask for tokens at /oauth/token, by assertions which
they sign with a private key that never leaves them (OAuth 2 private_key_jwt, RS384 or ES384, as
SMART Backend Services asks). Only their public keys are known here, as a file or by an https URL.

examples:
  {PROGRAM} clients create ehr --role integration --jwks ehr-public-keys.json
  {PROGRAM} clients create ehr --role integration --jwks-url https://ehr.example.org/jwks.json
  {PROGRAM} clients list
  {PROGRAM} clients revoke rgc_AZOKXgAAcACAAAAAAAAAAQGTil4AAHAAgAAAAAAACgA
"""


def clinics_options(parser: ArgumentParser) -> None:
    """What is asked of `clinics`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a clinic and print its id")
    create.add_argument("name", metavar="NAME", help="what the clinic is called")
    create.add_argument("--sandbox", action="store_true", help="its clock can be set")
    actions.add_parser("list", help="list all clinics")


def audit_options(parser: ArgumentParser) -> None:
    """What is asked of `audit`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="look for accesses that were removed or altered")
    verify.add_argument(
        "--noted",
        action="append",
        default=[],
        metavar="HASH",
        help="a hash that was printed before and must still be in an account, as often as needed",
    )


def _of_clinic() -> ArgumentParser:
    of_clinic = ArgumentParser(add_help=False)
    of_clinic.add_argument(
        "--clinic", metavar="ID", help="the clinic, by id or name, where there are several"
    )
    return of_clinic


def _caller_options(parser: ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME", help="what the caller is called")
    parser.add_argument("--role", required=True, help="what the caller is to the clinic")
    parser.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        default=[],
        metavar="SCOPE",
        help="only this scope of the role, as often as needed",
    )


def clients_options(parser: ArgumentParser) -> None:
    """What is asked of `clients`."""
    of_clinic = _of_clinic()
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", parents=[of_clinic], help="make a client, print its id")
    _caller_options(create)
    keys = create.add_mutually_exclusive_group(required=True)
    keys.add_argument("--jwks", type=Path, metavar="FILE", help="its public keys, a JWKS file")
    keys.add_argument("--jwks-url", metavar="URL", help="where its public keys are found")
    actions.add_parser("list", parents=[of_clinic], help="list the clinic's clients")
    revoke = actions.add_parser("revoke", parents=[of_clinic], help="give it no more tokens")
    revoke.add_argument("client", metavar="CLIENT", help="the client's id")


def keys_options(parser: ArgumentParser) -> None:
    """What is asked of `keys`."""
    of_clinic = _of_clinic()
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", parents=[of_clinic], help="make a key and print it")
    _caller_options(create)
    create.add_argument("--days", type=_days, help="after how many days it ends, else never")
    actions.add_parser("list", parents=[of_clinic], help="list the clinic's keys")
    rotate = actions.add_parser("rotate", parents=[of_clinic], help="replace a key by a new one")
    rotate.add_argument("prefix", metavar="BEGINNING", help="how the key begins")
    rotate.add_argument(
        "--overlap-hours", type=_hours, default=24, help="the old one holds so long: %(default)s"
    )
    rotate.add_argument(
        "--days", type=_days, help="after how many days the new one ends, else as the old one"
    )
    revoke = actions.add_parser("revoke", parents=[of_clinic], help="let a key end now")
    revoke.add_argument("prefix", metavar="BEGINNING", help="how the key begins")


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text):
        raise ArgumentTypeError("must be lower-case letters, digits, - and _, as in booking-desk")
    return text


def _days(text: str) -> int:
    return whole_number(text, 1, 3650)


def _hours(text: str) -> int:
    return whole_number(text, 0, 720)


def whole_number(text: str, least: int, most: int) -> int:
    """A number within bounds. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and least <= int(text[:10]) <= most):
        raise ArgumentTypeError(f"must be a whole number from {least} to {most}")
    return int(text)
