#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds and runs the fuzz targets of tests/fuzz/ (docs/fuzzing.md).

    scripts/fuzz.py [--minutes M] [--engine libfuzzer|afl|both] [--jobs N] [TARGET...]
        the long run: M minutes in all, each target on all cores, with a corpus in
        build/fuzz/corpus/ that grows from run to run
    scripts/fuzz.py --runs N [--junit REPORT.xml] [TARGET...]
        the short run of the tests: N executions of each target, the same each time
    scripts/fuzz.py --coverage [TARGET...]
        what the corpus reaches in xml/, line by line, by llvm-cov

Exits with 1 when something was found, having said how to see it again.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

SEEDS = pathlib.Path("tests/fuzz/corpus")
REGRESSIONS = pathlib.Path("tests/fuzz/regressions")
WORK = pathlib.Path("build/fuzz-run") # corpus, findings and logs; the builds are beside it
PRESET = {"libfuzzer": "fuzz", "afl": "afl"}

# Share of the time, and the longest input. A scanner's states are reached by short ones.
SHARE = {"diff": 5, "header": 2}
LONGEST = {"address": 3200, "x509": 8192, "tls_hello": 20000}
DICTIONARY = {"address": None, "tls_hello": None, "x509": "x509.dict"} # else XML's
LONGEST_ELSE = 1200
# A single allocation of more than this is a finding: inputs are small, bounds are named.
LIMITS = ("-malloc_limit_mb=16", "-rss_limit_mb=1024", "-timeout=60")


def targets_known():
    return sorted(path.stem.removeprefix("fuzz_")
                  for path in pathlib.Path("tests/fuzz").glob("fuzz_*.c"))


def run(*command, **options):
    return subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **options)


def must(*command, **options):
    done = run(*command, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}:\n{done.stdout[-3000:]}")
    return done.stdout


def build(preset, targets):
    wolfssl = "ON" if pathlib.Path(".deps/wolfssl-system").exists() else "OFF"
    quiet = {**os.environ, "AFL_QUIET": "1"}
    must("cmake", "--preset", preset, f"-DSLUICE_SYSTEM_WOLFSSL={wolfssl}", env=quiet)
    must("cmake", "--build", "--preset", preset, "--target",
         *(f"fuzz_{target}" for target in targets), env=quiet)


def program(engine, target):
    return pathlib.Path("build") / PRESET[engine] / "fuzz" / f"fuzz_{target}"


def folder(*parts):
    path = WORK.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def seed_folders(target):
    return [path for path in (SEEDS / target, REGRESSIONS / target) if path.is_dir()]


def dictionary(target):
    name = DICTIONARY.get(target, "xml.dict")
    return f"tests/fuzz/{name}" if name else None


def libfuzzer(target, *options):
    """The command, but for the corpus."""
    longest = LONGEST.get(target, LONGEST_ELSE)
    return [str(program("libfuzzer", target)), f"-max_len={longest}", *LIMITS,
            *([f"-dict={dictionary(target)}"] if dictionary(target) else []),
            f"-artifact_prefix={folder('findings', target)}/", "-print_final_stats=1", *options]


# --- what was found ---------------------------------------------------------

def findings(target):
    return {path for path in folder("findings", target).iterdir()
            if path.name.startswith(("crash-", "oom-", "timeout-", "leak-", "afl-"))}


def minimise(target, finding):
    """A smaller input that fails as well, or the same one."""
    small = folder("findings", target) / ("min-" + hashlib.sha1(finding.read_bytes()).hexdigest())
    run(program("libfuzzer", target), *LIMITS, "-minimize_crash=1", "-max_total_time=30",
        f"-exact_artifact_path={small}", finding)
    return small if small.exists() else finding


def report_finding(target, finding):
    small = minimise(target, finding)
    said = run(program("libfuzzer", target), small).stdout
    what = re.search(r"^(FOUND: .*|.*ERROR: .*|.*runtime error: .*)$", said, re.MULTILINE)
    text = (f"{target}: {what.group(1) if what else 'fails'}\n"
            f"  again: {program('libfuzzer', target)} {small}\n"
            f"  keep:  mkdir -p {REGRESSIONS / target} && cp {small} {REGRESSIONS / target}/NAME")
    print(text, flush=True)
    return text


# --- the short run ----------------------------------------------------------

def unmoved():
    """What comes before a command that shall have the same addresses each time: libFuzzer makes inputs
    of what it sees compared, and addresses are. Nothing where it is not permitted."""
    words = ["setarch", os.uname().machine, "--addr-no-randomize"]
    if shutil.which("setarch") and run(*words, "true").returncode == 0:
        return words
    print("no fixed addresses here: the runs are not the same each time", flush=True)
    return []


def short_run(target, runs):
    """What is wrong, or None. The same each time: an empty folder for what is new, the seeds in their
    order by name and not in the folder's, the addresses (those on the stack depend on the
    environment, too)."""
    corpus = folder("short", target)
    shutil.rmtree(corpus)
    corpus.mkdir()
    seeds = folder("short") / f"{target}.seeds"
    seeds.write_text(",".join(str(path) for place in seed_folders(target)
                              for path in sorted(place.iterdir())))
    before = findings(target)
    log = folder("logs") / f"{target}-short.log"
    with log.open("wb") as out:
        done = subprocess.run([*unmoved(),
                               *libfuzzer(target, f"-runs={runs}", "-seed=1", "-reload=0",
                                          f"-seed_inputs=@{seeds}"), str(corpus)],
                              stdout=out, stderr=subprocess.STDOUT, check=False,
                              env={"PATH": "/usr/bin:/bin"})
    text = log.read_text(errors="replace")
    print(f"{target}: {executions(text)} executions, {coverage(text)}", flush=True)
    found = [report_finding(target, path) for path in sorted(findings(target) - before)]
    if done.returncode or found:
        return "\n".join(found) or text[-3000:]
    if executions(text) < runs:
        return f"{executions(text)} executions of {runs}"
    return None


def short_runs(targets, runs, junit):
    suite = ElementTree.Element("testsuite", name="fuzz")
    bad = 0
    for target in targets:
        case = ElementTree.SubElement(suite, "testcase", name=f"fuzz.{target}.run")
        wrong = short_run(target, runs)
        if wrong:
            bad += 1
            # XML itself cannot hold every byte of a message.
            ElementTree.SubElement(case, "failure").text = ascii(wrong)
    if junit:
        ElementTree.ElementTree(suite).write(junit)
    return bad


# --- the long run -----------------------------------------------------------

def executions(text):
    return sum(map(int, re.findall(r"stat::number_of_executed_units: *(\d+)", text)))


def coverage(text):
    last = re.findall(r"cov: (\d+) ft: (\d+)", text)
    return f"{last[-1][0]} edges, {last[-1][1]} features" if last else "no coverage told"


def start_libfuzzer(target, seconds, number):
    log = folder("logs") / f"{target}-{number}.log"
    command = libfuzzer(target, f"-max_total_time={seconds}", "-reload=1")
    with log.open("wb") as out:
        process = subprocess.Popen([*command, str(folder("corpus", target)),
                                    *map(str, seed_folders(target))],
                                   stdout=out, stderr=subprocess.STDOUT)
    return process, log


def start_afl(target, seconds):
    """From a copy of the corpus, which AFL++ must not see change."""
    start, out = folder("afl-in", target), WORK / "afl-out" / target
    for place in (start, out):
        shutil.rmtree(place, ignore_errors=True)
    start.mkdir(parents=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    for place in (*seed_folders(target), folder("corpus", target)):
        for file in place.iterdir():
            shutil.copyfile(file, start / file.name)
    words = ["-x", dictionary(target)] if dictionary(target) else []
    command = ["afl-fuzz", "-i", start, "-o", out, "-V", seconds, "-m", "none", "-t", "2000",
               "-G", LONGEST.get(target, LONGEST_ELSE), *words, "--", program("afl", target)]
    env = {**os.environ, "AFL_NO_UI": "1", "AFL_SKIP_CPUFREQ": "1", "AFL_NO_AFFINITY": "1",
           "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES": "1", "AFL_AUTORESUME": "0",
           "ASAN_OPTIONS": "abort_on_error=1:symbolize=0:detect_leaks=0"}
    log = folder("logs") / f"{target}-afl.log"
    with log.open("wb") as to:
        process = subprocess.Popen(list(map(str, command)), stdout=to, stderr=subprocess.STDOUT,
                                   env=env)
    return process, log


def collect_afl(target):
    """AFL++'s findings and inputs go where libFuzzer's are. Returns its executions."""
    out = WORK / "afl-out" / target / "default"
    stats = out / "fuzzer_stats"
    if not stats.is_file():
        sys.exit(f"AFL++ did not run: see {folder('logs')}/{target}-afl.log")
    for kind, to, name in (("queue", "corpus", ""), ("crashes", "findings", "afl-"),
                           ("hangs", "findings", "afl-hang-")):
        for file in (out / kind).glob("id:*"):
            digest = hashlib.sha1(file.read_bytes()).hexdigest()
            shutil.copyfile(file, folder(to, target) / (name + digest))
    return int(re.search(r"execs_done *: (\d+)", stats.read_text()).group(1))


def merge(target):
    """The corpus without what adds nothing; says what it reaches."""
    corpus, merged = folder("corpus", target), WORK / "merged" / target
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    done = run(*libfuzzer(target, "-merge=1"), merged, *seed_folders(target), corpus)
    if done.returncode == 0:
        shutil.rmtree(corpus)
        merged.rename(corpus)
    reached = run(*libfuzzer(target, "-runs=0"), corpus).stdout
    return f"{len(list(corpus.iterdir()))} inputs, {coverage(reached)}"


def long_run(target, seconds, engines, jobs):
    before, count, found = findings(target), 0, 0
    running = []
    if "afl" in engines:
        running.append(start_afl(target, seconds))
    libfuzzers = jobs - len(running) if "libfuzzer" in engines else 0
    running += [start_libfuzzer(target, seconds, number) for number in range(libfuzzers)]
    for process, log in running:
        process.wait()
        count += executions(log.read_text(errors="replace"))
        # A target that ends early without having left an input is a finding too.
        if process.returncode and findings(target) == before and "afl" not in log.name:
            print(f"{target}: ended with {process.returncode}, see {log}")
            found += 1
    if "afl" in engines:
        count += collect_afl(target)
    for finding in sorted(findings(target) - before):
        report_finding(target, finding)
        found += 1
    print(f"{target}: {count} executions in {seconds} s, {merge(target)}, {found} findings",
          flush=True)
    return found


def long_runs(targets, minutes, engines, jobs):
    shares = sum(SHARE.get(target, 1) for target in targets)
    return sum(long_run(target, max(5, int(60 * minutes * SHARE.get(target, 1) / shares)), engines,
                        jobs) for target in targets)


# --- coverage ---------------------------------------------------------------

def coverage_report(targets):
    """Plain replay programs with clang's own counters, over seeds and grown corpus."""
    top = pathlib.Path("build/coverage")
    must("cmake", "-S", ".", "-B", top, "-G", "Ninja", "-DCMAKE_C_COMPILER=clang-14",
         "-DCMAKE_BUILD_TYPE=Debug", "-DSLUICE_TESTS=ON",
         "-DCMAKE_C_FLAGS=-fprofile-instr-generate -fcoverage-mapping")
    must("cmake", "--build", top, "--target", *(f"fuzz_{target}_replay" for target in targets))
    profiles, programs = [], []
    for target in targets:
        profiles.append(top / f"{target}.profraw")
        programs.append(top / "tests" / f"fuzz_{target}_replay")
        must(programs[-1], *seed_folders(target), folder("corpus", target),
             env={**os.environ, "LLVM_PROFILE_FILE": str(profiles[-1])})
    must("llvm-profdata-14", "merge", "-o", top / "all.profdata", *profiles)
    objects = [word for path in programs[1:] for word in ("-object", path)]
    print(must("llvm-cov-14", "report", programs[0], *objects,
               f"-instr-profile={top / 'all.profdata'}", "xml", "core/base/domain.c"))
    print(f"lines: llvm-cov-14 show {programs[0]} {' '.join(map(str, objects))} "
          f"-instr-profile={top / 'all.profdata'} xml")


def main():
    parser = argparse.ArgumentParser(description="runs the fuzz targets")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--engine", choices=("libfuzzer", "afl", "both"), default="libfuzzer")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int)
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    args = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    targets = args.targets or targets_known()
    if unknown := set(targets) - set(targets_known()):
        parser.error(f"no such target: {' '.join(sorted(unknown))}")
    if args.coverage:
        coverage_report(targets)
        return 0
    build("fuzz", targets)
    if args.runs:
        return 1 if short_runs(targets, args.runs, args.junit) else 0
    engines = {"both": ("libfuzzer", "afl")}.get(args.engine, (args.engine,))
    if "afl" in engines:
        build("afl", targets)
    return 1 if long_runs(targets, args.minutes, engines, args.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
