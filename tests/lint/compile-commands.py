#!/usr/bin/env python3
"""compile-commands.py: compile_commands.json (https://clang.llvm.org/docs/JSONCompilationDatabase.html)
of every C file by $COMPILE_FLAGS, for clang-tidy and editors. Options that only gcc knows are left out."""
import json
import os
import shlex
import sys

GCC_ONLY = {"-Wduplicated-cond", "-Wduplicated-branches", "-Wlogical-op", "-Werror"}
root = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
flags = [f for f in shlex.split(os.environ["COMPILE_FLAGS"]) if f not in GCC_ONLY]
commands = []
for top in ("proto", "syncd", "replay", "tests"):
    for folder, _, names in sorted(os.walk(os.path.join(root, top))):
        for name in sorted(names):
            if name.endswith(".c") and not name.endswith(".bpf.c"):
                path = os.path.relpath(os.path.join(folder, name), root)
                commands.append({"directory": root, "file": path,
                                 "arguments": ["cc", *flags, "-c", path]})
json.dump(commands, sys.stdout, indent=1)
sys.stdout.write("\n")
