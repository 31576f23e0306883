#!/usr/bin/env python3
"""Reports which lines of the folders below ran in a build of the preset "coverage".

    coverage.py BUILD OUT

Prints a table of folders and files, writes it to OUT/summary.txt, with every line to
OUT/index.html and for machines to OUT/cobertura.xml, then says "ok" or "not ok" for each folder.
Exit status 1 when a folder is below its part.
"""
import json
import os
import subprocess
import sys

FOLDERS = ["oci", "layers", "builder/source", "builder/fetch"]
LEAST = 90  # per cent of a folder's lines


def gcovr(build, out):
    """Runs gcovr; its summary."""
    objects = os.path.join(build, "CMakeFiles")  # the libraries and programs, not the tests
    os.makedirs(out, exist_ok=True)
    summary = os.path.join(out, "summary.json")
    subprocess.run(
        ["gcovr", "--root", ".", "-j", str(os.cpu_count()),
         *(arg for folder in FOLDERS for arg in ("--filter", f"{folder}/[^/]*$")),
         "--json-summary", summary,
         "--html-details", os.path.join(out, "index.html"), "--html-title", "wbuild: lines run",
         "--html-medium-threshold", "75", "--html-high-threshold", str(LEAST),
         "--xml-pretty", "--xml", os.path.join(out, "cobertura.xml"), objects],
        check=True)
    with open(summary, encoding="utf-8") as f:
        return json.load(f)["files"]


def share(covered, total):
    return 100.0 * covered / total if total else 0.0


def main():
    build, out = sys.argv[1:]
    files = [f for f in gcovr(build, out) if f["line_total"]]
    table, results, sums = [], [], [0, 0]

    for folder in FOLDERS:
        mine = [f for f in files if os.path.dirname(f["filename"]) == folder]
        covered = sum(f["line_covered"] for f in mine)
        total = sum(f["line_total"] for f in mine)
        sums = [sums[0] + covered, sums[1] + total]
        table.append(f"{folder + '/':40} {covered:6} of {total:6} lines  {share(covered, total):5.1f} %")
        for f in sorted(mine, key=lambda f: share(f["line_covered"], f["line_total"])):
            table.append(f"  {os.path.basename(f['filename']):38} {f['line_covered']:6} of "
                         f"{f['line_total']:6}        {share(f['line_covered'], f['line_total']):5.1f} %")
        # compared as integers: what shows as 90.0 must be no less
        enough = total and covered * 100 >= LEAST * total
        results.append(f"{'ok' if enough else 'not ok'} - coverage: {LEAST} % of the lines of "
                       f"{folder}/ run: {share(covered, total):.1f} %")
    text = "\n".join(table) + "\n"
    with open(os.path.join(out, "summary.txt"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text + "\n".join(results))
    print(f"# counts coverage: {sums[1]} lines measured, {sums[0]} lines run by tests")
    return any(r.startswith("not ") for r in results)


sys.exit(main())
