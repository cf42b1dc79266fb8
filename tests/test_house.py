"""Rules of the house that no other tool checks: sizes, names, where imports may stand."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

HOUSE = Path(__file__).parents[1]
APP = HOUSE / "app"
PYTHON = sorted(
    path for folder in ("app", "tests", "migrations") for path in (HOUSE / folder).rglob("*.py")
)

FILE_LINES = 400
FUNCTION_LINES = 40
ENGINE_FUNCTION_LINES = 80
ENGINE_COMPLEXITY = 15
DOMAIN = APP / "domain"
ENGINE = DOMAIN / "engine"
LONGER = {APP / "persistence" / "tables.py"}
NOT_A_MODULE_NAME = {
    "utils",
    "util",
    "common",
    "core",
    "base",
    "constants",
    "types",
    "helpers",
    "misc",
}

# Python's own modules that compute and nothing else.
DOMAIN_MAY_IMPORT = {
    "abc",
    "bisect",
    "calendar",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "string",
    "textwrap",
    "types",
    "typing",
    "unicodedata",
    "uuid",
    "zoneinfo",
}
DOMAIN_MAY_NOT_CALL = {"open", "print", "input", "now", "today", "utcnow", "uuid1", "uuid4"}


def named(path: Path) -> str:
    """The path from the top of the project."""
    return str(path.relative_to(HOUSE))


def modules(*folders: str) -> list[Path]:
    """The Python files of some folders."""
    return [path for path in PYTHON if path.relative_to(HOUSE).parts[0] in folders]


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax."""
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Every module which a file imports."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def called(path: Path) -> Iterator[str]:
    """The last name of everything which a file calls."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            yield (
                function.attr
                if isinstance(function, ast.Attribute)
                else getattr(function, "id", "")
            )


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_longer_than_it_may_be() -> None:
    too_long = {
        named(path): lines
        for path in modules("app", "tests")
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES and path not in LONGER
    }

    assert too_long == {}


def test_no_function_is_longer_than_it_may_be() -> None:
    too_long = {
        f"{named(path)}: {function.name}": lines
        for path in modules("app", "tests")
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1)
        > (ENGINE_FUNCTION_LINES if ENGINE in path.parents else FUNCTION_LINES)
    }

    assert too_long == {}


def test_the_engines_kernels_are_not_more_tangled_than_they_may_be() -> None:
    select = ["--isolated", "--select", "C901"]
    bound = ["--config", f"lint.mccabe.max-complexity = {ENGINE_COMPLEXITY}"]
    command = [sys.executable, "-m", "ruff", "check", *select, *bound, str(ENGINE)]

    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_every_module_says_in_one_to_three_lines_what_it_is_for() -> None:
    silent = [
        named(path)
        for path in modules("app")
        if not 1
        <= len((ast.get_docstring(tree(path)) or "").partition("\n\n")[0].splitlines())
        <= 3
    ]

    assert silent == []


def test_a_module_is_named_by_what_it_holds() -> None:
    unnamed = [
        named(path) for path in modules("app") if NOT_A_MODULE_NAME & {path.stem, path.parent.name}
    ]

    assert unnamed == []


def test_nothing_nests_deeper_than_two_levels_below_the_application() -> None:
    deep = [named(path) for path in modules("app") if len(path.relative_to(APP).parts) > 3]

    assert deep == []


def test_no_import_hides_a_cycle() -> None:
    hiding = [named(path) for path in modules("app") if "TYPE_CHECKING" in path.read_text("utf-8")]

    assert hiding == []


def test_the_domain_computes_and_does_nothing_else() -> None:
    domain = [path for path in modules("app") if DOMAIN in path.parents]

    foreign = {
        f"{named(path)}: {name}"
        for path in domain
        for name in imported(path)
        if name.partition(".")[0] not in DOMAIN_MAY_IMPORT and not name.startswith("app.domain")
    }
    acting = {
        f"{named(path)}: {name}"
        for path in domain
        for name in called(path)
        if name in DOMAIN_MAY_NOT_CALL
    }

    assert foreign == set()
    assert acting == set()


@pytest.mark.parametrize("folder", ["app", "tests"])
def test_one_module_at_most_speaks_http_to_others(folder: str) -> None:
    users = {
        named(path)
        for path in modules(folder)
        for name in imported(path)
        if name.partition(".")[0] == "httpx"
    }

    assert len(users) <= 1


def test_the_library_is_data() -> None:
    code = [path for path in modules("app") if APP / "library" in path.parents]

    for path in code:
        assert path.name == "__init__.py"
        assert [node for node in tree(path).body if not isinstance(node, ast.Expr)] == []


def test_only_one_module_loads_the_migration_tool() -> None:
    users = {
        named(path)
        for path in modules("app")
        for name in imported(path)
        if name.partition(".")[0] == "alembic"
    }

    assert users == {"app/persistence/migrate.py"}


def test_nothing_is_left_to_be_done() -> None:
    left = [
        f"{named(path)}: {found}"
        for path in modules("app")
        for found in re.findall(
            r"\b(?:TODO|FIXME|XXX|NotImplementedError)\b|pragma: no cover", path.read_text("utf-8")
        )
    ]

    assert left == []


def test_every_ignored_type_error_has_its_code_and_reason() -> None:
    bare = [
        f"{named(path)}: {line.strip()}"
        for path in PYTHON
        if path != Path(__file__)
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"# type: ignore(?!\[[\w, -]+\] +# \S)", line)
    ]

    assert bare == []


def test_no_requirement_names_an_index() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (HOUSE / name).read_text("utf-8")
        assert "://" not in text
        assert not re.search(r"^-", text, re.MULTILINE)
        pins = re.findall(r"^\S+==.*$", text, re.MULTILINE)
        assert all(pin.endswith("\\") for pin in pins), "every pin is followed by its hashes"


def test_the_development_requirements_are_a_superset_with_the_same_pins() -> None:
    pins = [
        set(re.findall(r"^\S+==\S+", (HOUSE / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]

    assert pins[0] < pins[1]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {
        name.lower()
        for name in re.findall(
            r"^([\w.-]+)==", (HOUSE / "requirements-dev.txt").read_text("utf-8"), re.MULTILINE
        )
    }
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]

    assert {re.match(r"[\w.-]+", line)[0].lower() for line in wanted} <= pinned  # type: ignore[index] # every line has a name


def test_what_goes_deeper_is_in_the_command_that_goes_deeper() -> None:
    goes_deeper = re.compile(r'"HYPOTHESIS_PROFILE"\) == "deep"')
    texts = {path: path.read_text("utf-8") for path in PYTHON if path.name.startswith("test_")}

    deep = {path for path, text in texts.items() if goes_deeper.search(text)}

    assert deep
    assert {path for path in deep if "mark.deep" not in texts[path]} == set()
