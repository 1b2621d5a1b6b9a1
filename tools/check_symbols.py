#!/usr/bin/env python3
"""Check the public face of every folder of src/.

For each header: a public function (1) has a comment above it, alone or above the group of declarations it stands in,
and (2) begins with the header's name or with the name of a type that the header declares (SqlTx: sql_tx_). For each
built library: (3) a symbol that other files can see is declared in a header. Usage: check_symbols.py [BUILD_DIR].
Prints one line for each offence and exits 1 when there is any.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
TYPE = re.compile(r"typedef\s+(?:struct|enum|union)\s+(\w+)|\}\s*(\w+);|typedef\s+\w[\w\s\*]*?\b(\w+)\s*\(")
FUNCTION = re.compile(r"^(?!typedef|static|#|\s|\}|extern|HAWK_DEFINE)[\w][\w\s\*]*?\b(\w+)\s*\(", re.MULTILINE)
INLINE = re.compile(r"^static inline [\w\s\*]*?\b(\w+)\s*\(", re.MULTILINE)


def snake(name: str) -> str:
    """Return CamelCase as camel_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def prefixes(header: pathlib.Path, text: str) -> set[str]:
    """Return what the names of a header's functions may begin with."""
    names = {header.stem.removesuffix("_priv")}
    for match in TYPE.finditer(text):
        names.add(snake(next(group for group in match.groups() if group)))
    return names


def has_comment(lines: list[str], index: int) -> bool:
    """Whether the declaration at lines[index] has a comment above its group (no blank line between)."""
    for i in range(index - 1, -1, -1):
        line = lines[i].strip()
        if line.endswith("*/"):
            return True
        if not line:
            return False
    return False


def check_header(header: pathlib.Path) -> tuple[list[str], set[str]]:
    """Return the offences of one header and the functions that it declares."""
    text = header.read_text()
    lines = text.splitlines()
    allowed = prefixes(header, text)
    found, declared = [], set()
    for pattern in (FUNCTION, INLINE):
        for match in pattern.finditer(text):
            name = match.group(1)
            line = text[: match.start()].count("\n")
            declared.add(name)
            where = f"{header.relative_to(ROOT)}:{line + 1}: {name}"
            if not has_comment(lines, line):
                found.append(f"{where} has no comment")
            if not any(name == p or name.startswith(p + "_") for p in allowed):
                found.append(f"{where} begins with none of {', '.join(sorted(allowed))}")
    return found, declared


def visible_symbols(build: pathlib.Path) -> dict[str, str]:
    """Return name -> library of every function and object that the folders' libraries export."""
    symbols = {}
    for library in sorted(build.glob("libhawk_*.a")):
        done = subprocess.run(["nm", "--defined-only", "--extern-only", str(library)], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[1] in "TDRB":
                symbols[parts[2]] = library.name
    return symbols


def main() -> int:
    found: list[str] = []
    declared: set[str] = set()
    texts = ""
    for header in sorted(SRC.rglob("*.h")):
        offences, names = check_header(header)
        found += offences
        declared |= names
        texts += header.read_text()
    if len(sys.argv) > 1:
        for name, library in sorted(visible_symbols(pathlib.Path(sys.argv[1])).items()):
            if name.startswith(("embed_", "__")) or name.endswith("_embed_files") or name in declared or re.search(rf"\b{name}\b", texts):
                continue
            found.append(f"{library}: {name} is visible outside its file but in no header")
    print("\n".join(found) if found else f"symbols: {len(declared)} public functions, all named and described")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
