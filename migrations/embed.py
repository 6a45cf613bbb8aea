#!/usr/bin/env python3
"""Turn migrations/NNNN_name.sql and NNNN_name.ENGINE.sql into one C table. Usage: embed.py OUT SQL…"""
import pathlib
import sys

out, *sources = map(pathlib.Path, sys.argv[1:])
migrations = {}
for source in sources:
    number, _, rest = source.name.partition("_")
    name, engine = (rest.split(".")[0], rest.split(".")[1] if rest.count(".") == 2 else "")
    migrations.setdefault(int(number), {"name": name})[engine] = source.read_text(encoding="utf-8")


def literal(text):
    # A piece per line: compilers need not take literals beyond 4,095 characters in one piece.
    escape = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
    return "\n    ".join(f'"{line.translate(escape)}"' for line in text.splitlines(keepends=True)) or '""'


rows = []
for number, parts in sorted(migrations.items()):
    texts = (f'[DIALECT_{engine.upper()}] =\n    {literal(parts.get("", "") + parts.get(engine, ""))}'
             for engine in ("sqlite", "postgres"))
    rows.append(f'{{{number}, "{parts["name"]}",\n    {{{", ".join(texts)}}}}},')
out.write_text('#include "store/migrate.h"\n\nconst struct migration migrations[] = {\n'
               + "\n".join(rows) + "\n};\nconst size_t migration_count = "
               "sizeof migrations / sizeof migrations[0];\n", encoding="utf-8")
