#!/usr/bin/env python3
"""Hold the includes of src/ to tools/arrows.txt, and each header to compiling alone.

Usage: check_arrows.py [--alone]. Prints one line for each offence and exits 1 when there is any. With --alone every
header is also given to the compiler by itself (slower).
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"/]+)/([^"]+)"', re.MULTILINE)


def read_arrows() -> dict[str, set[str]]:
    """Return folder -> folders it may include; raise SystemExit when a row names a folder that is not above it."""
    arrows: dict[str, set[str]] = {}
    for number, line in enumerate((ROOT / "tools/arrows.txt").read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        folder, _, targets = line.partition(":")
        wanted = set(targets.split())
        if unknown := wanted - arrows.keys():
            raise SystemExit(f"tools/arrows.txt:{number}: {folder} may not point at {', '.join(sorted(unknown))}: not above it")
        arrows[folder.strip()] = wanted
    return arrows


def offences(arrows: dict[str, set[str]]) -> list[str]:
    """Return a line for each include that no row allows."""
    found = []
    for path in sorted(SRC.rglob("*.[ch]")):
        folder, *inner = path.relative_to(SRC).parts
        part = f"{folder}/{inner[0]}" if len(inner) > 1 else None
        if path.parent == SRC:
            continue
        if missing := {folder, part} - arrows.keys() - {None}:
            found.append(f"{path.relative_to(ROOT)}: folder {missing.pop()} has no row in tools/arrows.txt")
            continue
        text = path.read_text()
        for match in INCLUDE.finditer(text):
            target, name = match.groups()
            line = text[: match.start()].count("\n") + 1
            where = f"{path.relative_to(ROOT)}:{line}"
            if target != folder and target not in arrows[folder]:
                found.append(f"{where}: {folder} may not include {target}/{name}")
            other = f"{target}/{name.partition('/')[0]}"
            if part in arrows and other in arrows and other != part and other not in arrows[part]:
                found.append(f"{where}: {part} may not include {target}/{name}")
            if target != folder and name.endswith("_priv.h"):
                found.append(f"{where}: {target}/{name} is private to {target}")
    return found


def headers_alone() -> list[str]:
    """Return a line for each header that does not compile by itself."""
    found = []
    libpq = subprocess.run(["pkg-config", "--cflags", "libpq"], capture_output=True, text=True, check=True).stdout.split()
    for header in sorted(SRC.rglob("*.h")):
        command = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", '-DHAWK_VERSION="0"', f"-I{SRC}", *libpq, "-fsyntax-only", "-x", "c", str(header)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            found.append(f"{header.relative_to(ROOT)}: does not compile alone: {done.stderr.splitlines()[0]}")
    return found


def main() -> int:
    found = offences(read_arrows())
    if "--alone" in sys.argv[1:]:
        found += headers_alone()
    print("\n".join(found) if found else "arrows: every include points down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
