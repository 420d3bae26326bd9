#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that the tests of rows can fail: each patch of tests/rule/taken-out/ takes one
rule out of the router, and the row that it is named after must then fail.

    scripts/break_rules.py [--junit REPORT.xml] [PATCH...]

tests/rule/taken-out/T-R5.patch, T-R5.2.patch, ...: a unified diff against the top of
the tree. The tree is copied to build/taken-out, so that nothing here is touched.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

TREE = pathlib.Path("build/taken-out/tree")
BUILD = pathlib.Path("build/taken-out/build")
COPIED = ("CMakeLists.txt", "cmake", "core", "net", "xml", "dialback", "bench", "tests", "scripts")


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)


def tree_sync():
    """The copy holds what the tree holds. Unchanged files keep their times: the second run of this
    script, and each patch, builds little."""
    wanted = set()
    for name in COPIED:
        top = pathlib.Path(name)
        for file in [top] if top.is_file() else top.rglob("*"):
            if file.is_dir() or "__pycache__" in file.parts:
                continue
            wanted.add(TREE / file)
            copy = TREE / file
            if not copy.exists() or copy.read_bytes() != file.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
    for name in COPIED:
        for file in (TREE / name).rglob("*"):
            if file.is_file() and file not in wanted:
                file.unlink()


def tree_prepare():
    tree_sync()
    deps = TREE / ".deps"
    if not deps.is_symlink():
        deps.symlink_to(pathlib.Path(".deps").resolve())
    wolfssl = "ON" if pathlib.Path(".deps/wolfssl-system").exists() else "OFF"
    made = run("cmake", "-G", "Ninja", "-S", TREE, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Debug",
               "-DSLUICE_TESTS=ON", f"-DSLUICE_SYSTEM_WOLFSSL={wolfssl}")
    if made.returncode:
        sys.exit(made.stdout)


def build():
    return run("cmake", "--build", BUILD, "--target", "sim")


def row_plays(row):
    """The output of the row's scenarios, and whether they passed. A word is ended by a blank, so
    that T-R1 is not T-R10."""
    files = sorted(str(path) for path in pathlib.Path("tests/sim").glob("*.sim")
                   if path.name != "world.sim")
    sim = (BUILD / "tests/sim").resolve()
    played = run(sim, "tests/sim/world.sim", *files, cwd=TREE,
                 env={**os.environ, "SIM_ONLY": f"{row} "}, timeout=300)
    return played.stdout, played.returncode == 0


def patch_judge(patch):
    """What is wrong with the row's test, or None."""
    row = patch.name.split(".")[0]
    applied = run("patch", "-p1", "--no-backup-if-mismatch", "-i", patch.resolve(), cwd=TREE)
    try:
        if applied.returncode:
            return f"the patch does not apply any more:\n{applied.stdout}"
        built = build()
        if built.returncode:
            return f"does not build with the rule taken out:\n{built.stdout[-3000:]}"
        output, passed = row_plays(row)
        if passed:
            return f"passes although its rule is taken out:\n{output}"
        if f"FAILED {row}" not in output:
            return f"did not fail by a test of its own:\n{output[-3000:]}"
    finally:
        tree_sync()
    return None


def rows_pass(patches):
    """With all rules in place every one of the rows must pass; else a failure shows nothing."""
    built = build()
    if built.returncode:
        sys.exit(built.stdout[-3000:])
    for row in sorted({patch.name.split(".")[0] for patch in patches}):
        output, passed = row_plays(row)
        if not passed:
            sys.exit(f"{row} fails with its rule in place:\n{output}")


def main():
    parser = argparse.ArgumentParser(description="tests of rows must fail without the rule")
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("patches", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    patches = args.patches or sorted(pathlib.Path("tests/rule/taken-out").glob("*.patch"))
    tree_prepare()
    rows_pass(patches)
    suite = ElementTree.Element("testsuite", name="rules taken out")
    bad = 0
    for patch in patches:
        case = ElementTree.SubElement(suite, "testcase", name=patch.stem)
        wrong = patch_judge(patch)
        print(f"{patch.stem}: {wrong or 'fails without its rule, as it must'}", flush=True)
        if wrong:
            ElementTree.SubElement(case, "failure").text = wrong
            bad += 1
    if args.junit:
        ElementTree.ElementTree(suite).write(args.junit)
    print(f"{len(patches)} rules taken out, {bad} not noticed")
    return 1 if bad or not patches else 0


if __name__ == "__main__":
    sys.exit(main())
