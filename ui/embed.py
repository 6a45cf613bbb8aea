#!/usr/bin/env python3
"""Bundle the web interface and turn it into one C table (src/api/web_files.h).

Usage: embed.py auto|enabled|disabled SOURCE_FOLDER BUILD_FOLDER OUTPUT.c

The build calls it each time. It looks whether a source or an installed package has changed, and if not, it is done;
and it writes only what is another text than before, so that nothing is compiled or linked for nothing. Without node or
without the packages the table is empty, and the program is the API alone: that is told once, or is an error with
`enabled`. What the bundler refuses fails the build.
"""
import gzip
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}
NODE_MIN_VERSION = 18
NOT_SOURCES = {"node_modules", "dist"}
GZIP_LEVEL = 9
TAG_DIGITS = 32
LINE_BYTES = 96


def give_up(text):
    sys.exit(f"ui/embed.py: {text}")


def node_version(node):
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    number = answer.strip().lstrip("v").split(".")[0]
    return int(number) if number.isdigit() else 0


def what_is_missing(node, source):
    """Why there can be no interface, or None."""
    if node is None:
        return f"there is no node in the PATH; it takes {NODE_MIN_VERSION} or newer, script/dependencies ui installs it"
    if node_version(node) < NODE_MIN_VERSION:
        return f"it takes node {NODE_MIN_VERSION} or newer, and {node} is older"
    if not (source / "node_modules/esbuild").is_dir():
        return "its packages are not there; script/ui installs them"
    return None


def state_of(mode, node, source):
    """A digest of all that the table is made from."""
    digest = hashlib.sha256(f"{mode} {node} {shutil.which('zopfli')}".encode())
    if mode != "disabled":
        top = [path for path in source.iterdir() if path.name not in NOT_SOURCES]
        files = [file for path in top for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
        for file in [*sorted(files), source / "node_modules/.package-lock.json"]:
            content = file.read_bytes() if file.exists() else b""
            digest.update(f"{file.relative_to(source)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def bundle(node, source, folder):
    result = subprocess.run([node, source / "build.mjs", folder], stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        installed, wanted = source / "node_modules/.installed.json", source / "package-lock.json"
        if not installed.exists() or installed.read_bytes() != wanted.read_bytes():
            print("ui/embed.py: the packages are not those of ui/package-lock.json; script/ui installs them", file=sys.stderr)
        give_up("the web interface could not be bundled")


def literal(data):
    """A C string literal in pieces. A three-digit escape ends there, whatever follows; "??" would be a trigraph."""
    table = [chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in range(256)]
    pieces = (data[at:at + LINE_BYTES] for at in range(0, len(data), LINE_BYTES))
    return "".join('\n    "' + "".join(table[byte] for byte in piece) + '"' for piece in pieces) or ' ""'


def compressed(data):
    """As gzip. Zopfli takes longer and finds four in a hundred more; without it, what Python has."""
    zopfli = shutil.which("zopfli")
    if zopfli is None:
        return gzip.compress(data, GZIP_LEVEL, mtime=0)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return subprocess.run([zopfli, "-c", file.name], stdout=subprocess.PIPE, check=True).stdout


def row(folder, file):
    if file.suffix not in MEDIA_TYPES:
        give_up(f"no media type is known for {file.name}; add it to MEDIA_TYPES")
    data = file.read_bytes()
    small = compressed(data)
    path = f"/{file.relative_to(folder).as_posix()}"
    tag = hashlib.sha256(data).hexdigest()[:TAG_DIGITS]
    forms = [f'{{"\\"{tag}\\"", {len(data)},{literal(data)}}}']
    if len(small) < len(data):
        forms.append(f'{{"\\"{tag}.gz\\"", {len(small)},{literal(small)}}}')
    immutable = "true" if path.startswith("/ui/") else "false"
    return f'{{"{path}", "{MEDIA_TYPES[file.suffix]}", {immutable}, {{{", ".join(forms)}}}}},\n'


def table_of(folder):
    """Both tables end with a row that has nothing."""
    rows, pages = "", ""
    if folder is not None:
        files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "pages")
        rows = "".join(row(folder, file) for file in files)
        pages = "".join(f'"{line}", ' for line in (folder / "pages").read_text(encoding="utf-8").split())
    return ('#include "api/web_files.h"\n\n'
            f"const struct web_file web_files[] = {{\n{rows}{{0}}}};\n"
            f"const char *const web_pages[] = {{{pages}NULL}};\n")


def main():
    mode, source, build, out = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    node = shutil.which("node")
    stamp, folder = build / "ui-dist.stamp", (build / "ui-dist").resolve()
    state = state_of(mode, node, source)
    if out.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        return
    stamp.unlink(missing_ok=True)
    why = None if mode == "disabled" else what_is_missing(node, source)
    if why and mode == "enabled":
        give_up(f"the web interface cannot be built: {why}")
    if why:
        print(f"The program is built without the web interface: {why}.", file=sys.stderr)
    if mode == "disabled" or why:
        shutil.rmtree(folder, ignore_errors=True)
        text = table_of(None)
    else:
        bundle(node, source.resolve(), folder)
        text = table_of(folder)
    if not out.exists() or out.read_text(encoding="ascii") != text:
        out.write_text(text, encoding="ascii")
    stamp.write_text(state, encoding="utf-8")


main()
