"""Build and run fuzz targets with clang's libFuzzer: `make fuzz T=frame`, `make check-fuzz`.

A target is tests/fuzz/fuzz_NAME.c, linked with the floors below Python and httpd and with what
MORE names. It starts from seeds.py and tests/fuzz/corpus/NAME/, where inputs that once
found a bug are kept. What it finds is left in BUILDDIR/build-fuzz/.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import seeds

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
FLOORS = ("base", "wire", "exchange")
MORE = {"control": ["src/supervisor/message.c", "src/supervisor/warm.c"],
        "status": [f"src/supervisor/{name}.c" for name in ("board", "elastic", "look", "report", "status",
                                                           "step", "tally", "wear")]}
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1", "-fno-omit-frame-pointer",
         "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
PROBE = "#include <stddef.h>\n#include <stdint.h>\n" \
        "int LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return d && n > 99 ? 0 : 0; }\n"


def why_not(clang):
    """Return why nothing can be fuzzed here; "" if it can."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "probe.c"
        path.write_text(PROBE)
        try:
            done = subprocess.run([clang, *FLAGS, path, "-o", path.with_suffix("")],
                                  capture_output=True, text=True, check=False)
        except OSError as error:
            return f"{clang} does not run: {error.strerror} (Debian: clang, libclang-rt-dev)"
    return "" if done.returncode == 0 else \
        f"{clang} has no libFuzzer (Debian: libclang-rt-dev): {done.stderr.strip()[-200:]}"


def build(clang, name, folder):
    """Compile a target; return its path, or None where a source of it is not there."""
    missing = [path for path in MORE.get(name, ()) if not (SOURCE / path).exists()]
    if missing:
        print(f"fuzz_{name}: skipped, there is no {missing[0]}")
        return None
    program = folder / f"fuzz_{name}"
    sources = [path for floor in FLOORS for path in sorted((SOURCE / "src" / floor).glob("*.c"))]
    subprocess.run([clang, *FLAGS, f"-I{SOURCE}/src", f"-I{SOURCE}/include", HERE / f"fuzz_{name}.c",
                    *sources, *(SOURCE / path for path in MORE.get(name, ())), "-lpthread",
                    "-o", program], check=True)
    return program


def run(program, name, seconds, folder):
    """Fuzz for some seconds; return whether nothing was found."""
    found, given = folder / "corpus" / name, folder / "seeds" / name
    for one in (found, given):
        one.mkdir(parents=True, exist_ok=True)
    seeds.write(name, given)
    kept = HERE / "corpus" / name
    done = subprocess.run(
        [program, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-verbosity=1",
         "-print_final_stats=1", "-max_len=4096", f"-artifact_prefix={folder}/{name}-", found, given,
         *([kept] if kept.exists() else [])],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    count = [line.split()[-1] for line in done.stdout.splitlines() if "number_of_executed" in line]
    print(f"fuzz_{name}: {seconds} s, {''.join(count) or '?'} inputs, "
          f"{'nothing found' if done.returncode == 0 else 'FOUND SOMETHING'}", flush=True)
    if done.returncode != 0:
        print(done.stdout[-6000:])
    return done.returncode == 0


def main():
    """Run the targets that are named, else all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clang", default="clang")
    parser.add_argument("--builddir", default=".")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    folder = pathlib.Path(options.builddir).resolve() / "build-fuzz"
    os.makedirs(folder, exist_ok=True)
    reason = why_not(options.clang)
    if reason:
        print(f"fuzz: skipped, {reason}")
        sys.exit(1 if options.names else 0)
    known = sorted(path.stem[len("fuzz_"):] for path in HERE.glob("fuzz_*.c"))
    unknown = set(options.names) - set(known)
    if unknown:
        sys.exit(f"fuzz: no target {', '.join(unknown)}; there are: {', '.join(known)}")
    failed = 0
    for name in options.names or known:
        program = build(options.clang, name, folder)
        failed += bool(program) and not run(program, name, options.seconds, folder)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
