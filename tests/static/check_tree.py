#!/usr/bin/env python3
"""Checks of the source tree that no compiler makes; tests/static/tree.sh runs one at a time.

    check_tree.py includes|libraries|banned|allocation|length|text|state [TREE [BUILD]]

Prints one line for each finding, with file and line; exit status 1 when there is one.
"""
import os
import re
import subprocess
import sys

FOLDERS = ["base", "oci", "layers", "builder/config", "builder/source", "builder/fetch",
           "builder/volume", "builder/build", "builder/runtime", "builder/buildkit", "builder/cli"]

BANNED = """strcpy strcat sprintf vsprintf gets atoi atol atoll atof strtok system popen alloca
    tmpnam tempnam mktemp stpcpy strncpy strncat scanf sscanf fscanf rand srand asctime ctime
    localtime gmtime vfork getwd usleep bcopy""".split()

# The one file that may call the C library's allocators: there running out ends the program.
ALLOCATORS = "malloc calloc realloc strdup strndup asprintf vasprintf posix_memalign aligned_alloc"
ALLOCATOR_FILE = "base/alloc.c"

# File-scope variables that change, outside cli: each with its reason in the file's header.
STATE_ALLOWED = {
    "base/secret.c": "the redactor must know every secret, also one that nobody passed along",
    "base/cancel.c": "a signal handler has no other place to write to",
    "base/sealed.c": "one process, whose memory is to be forgotten",
    "base/log.c": "one stderr",
    "base/mapped.c": "a signal handler has no other place to look at",
    "base/sha256.c": "the kernel is chosen once",
}

FILE_LINES = 800
FILE_BYTES = 1 << 20
TEST_FILE_LINES = 1000  # a list of cases
FUNCTION_LINES = 100


class Tree:
    def __init__(self, root):
        self.root = root
        self.bad = 0

    def say(self, path, line, text):
        self.bad += 1
        where = f"{path}:{line}" if line else path
        print(f"{where}: {text}")

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            return f.read()

    def files(self, *ends, under=None):
        """Paths below the root that git would keep, in order."""
        listed = subprocess.run(
            ["git", "-C", self.root, "-c", "core.quotePath=false", "ls-files", "-co",
             "--exclude-standard"],
            capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            names = listed.stdout.splitlines()
        else:
            names = [os.path.relpath(os.path.join(d, f), self.root)
                     for d, _, fs in os.walk(self.root) for f in fs]
        return [n for n in sorted(set(names))
                if (not ends or n.endswith(ends)) and os.path.isfile(os.path.join(self.root, n))
                and (under is None or n.startswith(tuple(u + "/" for u in under)))]


def folder_of(path):
    """The folder of the house that a file is in, or None."""
    return next((f for f in sorted(FOLDERS, key=len, reverse=True)
                 if path.startswith(f + "/")), None)


def blank(text):
    """C text with comments, strings and characters replaced by spaces, lines kept."""
    def spaces(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text,
                  flags=re.S)


def include_table(text):
    """The table of docs/architecture.md: folder -> {folder it may include: headers or None}.

    "`oci` (descriptors only)" allows the headers of oci whose names begin like the words in the
    brackets; "all of the above" is every folder of an earlier row; "and what ..." is everything.
    """
    table = {}
    for row in re.findall(r"^\| (`[^|]*) \| [^|]* \| ([^|]*) \|$", text, re.M):
        name, allowed = row[0].strip("`/"), row[1]
        if name not in FOLDERS:
            continue
        may = {name: None}
        if "all of the above" in allowed:
            may.update({f: None for f in table})
        if "and what" in allowed:
            may.update({f: None for f in FOLDERS})
        for other, only in re.findall(r"`([^`]*)`(?: \(([^)]*)\))?", allowed):
            words = re.findall(r"\w+", only.replace("only", "")) or None
            may[other.rstrip("/")] = [w.rstrip("s") for w in words] if words else None
        table[name] = may
    return table


def check_includes(tree):
    table = include_table(tree.read("docs/architecture.md"))
    for folder in FOLDERS:
        if folder not in table:
            tree.say("docs/architecture.md", 0, f'no row for "{folder}" in the include table')
    for path in tree.files(".c", ".h", under=FOLDERS):
        may = table.get(folder_of(path), {})
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m:
                continue
            target = m.group(1)
            home = folder_of(target)
            if home is None:
                if not os.path.exists(os.path.join(tree.root, target)):
                    continue  # a generated header
                tree.say(path, number, f'includes "{target}", which is in no folder of the house')
            elif home not in may:
                tree.say(path, number, f'includes "{target}": the table gives '
                         f'{folder_of(path)}/ nothing of {home}/')
            elif may[home] is not None and home != folder_of(path):
                stem = os.path.basename(target)
                if not any(stem.startswith(w) for w in may[home]):
                    tree.say(path, number, f'includes "{target}": of {home}/ the table gives '
                             f'{folder_of(path)}/ only {", ".join(may[home])}')
            if not os.path.exists(os.path.join(tree.root, target)) and home:
                tree.say(path, number, f'includes "{target}", which does not exist')


# Of the C library, POSIX, Linux and the compiler; uthash is a set of macros, not a library.
SYSTEM = re.compile(r"^(assert|complex|ctype|errno|float|inttypes|limits|locale|math|setjmp|signal|"
                    r"stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|"
                    r"time|unistd|fcntl|dirent|pthread|sched|semaphore|termios|glob|fnmatch|ftw|"
                    r"regex|netdb|nss|poll|pwd|grp|spawn|getopt|libgen|link|elf|malloc|syslog|utime|"
                    r"uchar|wchar|wctype|langinfo|byteswap|endian|features|cpuid|immintrin|"
                    r"arm_neon|uthash)\.h$|^(sys|linux|arpa|netinet|net|asm)/")


def check_libraries(tree):
    users = {}
    for path in tree.files(".c", ".h", under=FOLDERS):
        for header in re.findall(r"^\s*#\s*include\s+<([^>]+)>", tree.read(path), re.M):
            if not SYSTEM.match(header):
                users.setdefault(header, set()).add(path)
    for header, paths in sorted(users.items()):
        if len(paths) > 2:
            tree.say(header, 0, f'included by {len(paths)} files, more than two: '
                     f'{", ".join(sorted(paths))}')


def calls(tree, names):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
    for path in tree.files(".c", ".h", under=FOLDERS):
        for number, line in enumerate(blank(tree.read(path)).splitlines(), 1):
            for m in pattern.finditer(line):
                yield path, number, m.group(1)


# The text inside a struct that a function returned by value ends with the statement.
DANGLING = re.compile(r"=[^=;(]*\bwb_\w+\([^;]*\)\.s;")


def check_banned(tree):
    for path, number, name in calls(tree, BANNED):
        tree.say(path, number, f"calls {name}()")
    for path in tree.files(".c", ".h", under=FOLDERS):
        for number, line in enumerate(blank(tree.read(path)).splitlines(), 1):
            if DANGLING.search(line):
                tree.say(path, number, "points into a value that is gone after this statement")


def check_allocation(tree):
    for path, number, name in calls(tree, ALLOCATORS.split()):
        if path != ALLOCATOR_FILE:
            tree.say(path, number, f"calls {name}(); base/alloc.h has one that never gives NULL")


def check_length(tree):
    for path in tree.files(".c", ".h", ".py", ".sh", ".cmake"):
        lines = tree.read(path).splitlines()
        limit = TEST_FILE_LINES if path.startswith("tests/") else FILE_LINES
        if len(lines) > limit:
            tree.say(path, 0, f"{len(lines)} lines, more than {limit}")
        if not path.endswith(".c"):
            continue
        began = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                began = number
            elif line.startswith("}") and began:
                if number - began - 1 > FUNCTION_LINES:
                    tree.say(path, began, f"a function of {number - began - 1} lines, more than "
                             f"{FUNCTION_LINES}")
                began = None


def check_text(tree):
    # Put together here, so that this file does not find itself.
    wanted = re.compile("|".join([r"\bTO" + "DO", r"\bFIX" + "ME", r"\bXX" + "X\b", "/wor" + "k/",
                                  r"registry\.npmjs", r"files\.pythonhosted", r"\bpypi\.org",
                                  r"proxy\.golang", r"deb\.debian\.org", "crates" + r"\.io"]))
    for path in tree.files():
        if not re.fullmatch(r"[\w./@+-]+", path):
            tree.say(path, 0, "a name that is not plain")
        if os.path.getsize(os.path.join(tree.root, path)) > FILE_BYTES:
            tree.say(path, 0, f"more than {FILE_BYTES >> 20} MiB")
            continue
        if path.startswith("tests/fuzz/corpus/") or path == "LICENSE":
            continue
        try:
            text = tree.read(path)
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            m = wanted.search(line)
            if m:
                tree.say(path, number, f'has "{m.group(0)}"')
            if re.search(r"[ \t]+$", line) and not path.startswith(("tests/data/", "tests/golden/",
                                                                     "tests/fuzz/")) \
                    and not path.endswith((".md", ".yaml", ".yml", ".patch")):
                tree.say(path, number, "white space at the end")
        if text and not text.endswith("\n") and path.endswith((".c", ".h", ".sh", ".py", ".md")):
            tree.say(path, 0, "no newline at the end")


def check_state(tree, build):
    """Writable symbols of the objects that the libraries are made of."""
    objects = [os.path.join(d, f) for d, _, fs in os.walk(os.path.join(build, "CMakeFiles"))
               for f in fs if f.endswith(".c.o")]
    if not objects:
        tree.say(build, 0, "no object files: build it first")
    for path in sorted(objects):
        source = re.sub(r"^.*?\.dir/(.*)\.o$", r"\1", path)
        home = folder_of(source)
        if home in (None, "builder/cli") or source in STATE_ALLOWED:
            continue
        out = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            kind, name = line.split()[-2:]
            # .data.rel.ro holds constant tables of pointers; nm calls it "d" too.
            if kind in "bBdDC" and not constant(path, name):
                tree.say(source, 0, f'has a variable at file scope: "{name}"')


def constant(path, name):
    out = subprocess.run(["objdump", "-t", path], capture_output=True, text=True, check=True).stdout
    row = next((r for r in out.splitlines() if r.split()[-1:] == [name]), "")
    return ".rel.ro" in row or ".rodata" in row


def main():
    check, root = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "."
    tree = Tree(root)
    if check == "state":
        check_state(tree, sys.argv[3] if len(sys.argv) > 3 else os.path.join(root, "build/dev"))
    else:
        {"includes": check_includes, "libraries": check_libraries, "banned": check_banned,
         "allocation": check_allocation, "length": check_length, "text": check_text}[check](tree)
    return 1 if tree.bad else 0


sys.exit(main())
