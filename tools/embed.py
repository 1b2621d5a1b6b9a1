#!/usr/bin/env python3
"""Turn the files below a folder into C byte arrays.

Usage: embed.py FOLDER OUT, writes OUT.c and OUT.h. Each file becomes `const Embedded embed_<path>`, with a NUL after
the last byte that the size does not count; `<OUT>_files` lists them with their paths. Exits 1 when a file cannot be
read.
"""

import pathlib
import re
import sys


def main() -> int:
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.parent.mkdir(parents=True, exist_ok=True)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    names = {p: "embed_" + re.sub(r"[^A-Za-z0-9]", "_", str(p.relative_to(folder))) for p in files}
    guard = re.sub(r"[^A-Za-z0-9]", "_", out.name).upper() + "_H"
    header = [f"#ifndef {guard}", f"#define {guard}", "", '#include "base/embedded.h"', ""]
    header += [f"extern const Embedded {names[p]};" for p in files]
    header += [f"extern const EmbeddedFile {out.name}_files[{len(files)}];", "", "#endif", ""]
    source = [f'#include "{out.name}.h"', ""]
    for path in files:
        data = path.read_bytes() + b"\0"
        rows = (",".join(str(b) for b in data[i : i + 32]) for i in range(0, len(data), 32))
        source += [f"static const unsigned char {names[path]}_bytes[] = {{", ",\n".join(rows), "};"]
        source += [f"const Embedded {names[path]} = {{ {names[path]}_bytes, sizeof({names[path]}_bytes) - 1 }};", ""]
    source += [f"const EmbeddedFile {out.name}_files[{len(files)}] = {{"]
    source += [f'    {{ "{p.relative_to(folder)}", &{names[p]} }},' for p in files] + ["};", ""]
    out.with_suffix(".h").write_text("\n".join(header))
    out.with_suffix(".c").write_text("\n".join(source))
    return 0


if __name__ == "__main__":
    sys.exit(main())
