"""Checks what README, docs/ and CONTRIBUTING name: linked files, paths, presets and variables exist; every shell script
parses and every Python script compiles."""
import json
import re
import subprocess
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
failures = []


def files(pattern):
    return sorted(path for path in root.glob(pattern) if "build" not in path.relative_to(root).parts)


documents = [root / "README.md", root / "CONTRIBUTING.md", *files("docs/*.md"), root / "tools/README.md"]


def expect(condition, document, what):
    if not condition:
        failures.append(f"{document.relative_to(root)}: {what}")


def links_lead_somewhere(document, text):
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
        if "://" not in target:
            expect((document.parent / target).exists(), document, f"links to {target}, which is not there")


def paths_exist(document, text):
    """`src/...`, `tests/...` and the like, and `ops/rmsnorm.h` for files below src/; a NAME stands for any."""
    for span in re.findall(r"`([\w./-]+/[\w./-]*\w)`", text):
        top = span.split("/")[0]
        if span != span.lower() and re.search(r"[A-Z]{3}", span) or ".." in span:
            continue
        if (root / top).is_dir() and top != "data":
            expect((root / span).exists(), document, f"names {span}, which is not there")
        elif (root / "src" / top).is_dir():
            expect((root / "src" / span).exists() or list((root / "src").glob(span + "*")), document,
                   f"names {span}, which is not in src/")


def presets_exist(document, text, presets):
    for preset in re.findall(r"--preset[ =](\w+)", text):
        expect(preset in presets, document, f"names the preset {preset}, which is not in CMakePresets.json")


def variables_are_read(document, text, sources):
    for name in sorted(set(re.findall(r"\bFATHOM_[A-Z_]+\b", text))):
        expect(re.search(rf"\b{name}\b", sources), document, f"names {name}, which nothing reads")


presets = {p["name"] for p in json.loads((root / "CMakePresets.json").read_text())["configurePresets"]}
sources = "".join(path.read_text() for pattern in ("src/**/*.cpp", "tests/**/*.h", "tests/**/*.cpp", "tests/**/*.py",
                                                   "tools/*.sh", "**/CMakeLists.txt") for path in files(pattern))
for document in documents:
    text = document.read_text()
    links_lead_somewhere(document, text)
    paths_exist(document, text)
    presets_exist(document, text, presets)
    variables_are_read(document, text, sources)

scripts = [root / "check", root / "quickstart", *files("tools/*.sh"), *files("bench/**/*.sh")]
for script in scripts:
    run = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    expect(run.returncode == 0, script, run.stderr.strip())
programs = [*files("tools/*.py"), *files("tests/**/*.py"), *files("bench/**/*.py")]
for program in programs:
    try:
        compile(program.read_text(), str(program), "exec")
    except SyntaxError as error:
        expect(False, program, str(error))

print("\n".join(failures) or f"{len(documents)} documents, {len(scripts)} shell and {len(programs)} Python scripts hold")
sys.exit(bool(failures))
