#!/bin/sh
# Installs the wheelhouse that this file lies in. Needs Python with its pip, and nothing else:
# no network, no compiler, no root. First it looks at the machine; if anything is wrong, it tells
# all of it and changes nothing.
set -eu

# What this wheelhouse is for.
name=@name@
title=@title@
version=@python@
python_path=@python_path@
implementation=@implementation@
free_threaded=@free_threaded@
arch=@arch@
libc=@libc@ # the oldest that all wheels run on; empty if any
libraries=@libraries@
programs=@programs@
packages=@packages@ # NAME=PACKAGE for those of which it is known
stated=@stated@ # further packages, known by their names alone
manager=@manager@ # apt, dnf, zypper or apk: who knows which of those are there
bypassed=@bypassed@ # NAME=VERSION of Python packages that something else brings here
cuda=@cuda@ # the version that all of it is for; empty if that is none
driver=@driver@ # the oldest of NVIDIA's that runs that, and the one that came with it
release_driver=@release_driver@
arches=@arches@ # compute capabilities of the GPUs that packages were built for, if any were named
makes=@makes@ # those that this CUDA makes code for
driver_libraries=@driver_libraries@
package_fix=@package_fix@
python_fix=@python_fix@

usage() {
    cat <<END
Installs the wheelhouse $name ($title), offline.

Usage: install.sh [--venv DIR | --target DIR] [--python PYTHON] [--without NAME]... [--check]
                  [--expect-gpu | --no-gpu-check] [--no-compile]

  --venv DIR       install into the virtual environment DIR, which is made if it is not there;
                   without any option: .venv in the current folder
  --target DIR     install into the folder DIR, which must not be there yet or be empty
  --python PYTHON  the Python to use; otherwise the first Python $version among python$version,
                   $python_path, python3 and python
  --without NAME   do without this shared library, program or package of the system
  --check          look at the machine, and install nothing
  --expect-gpu     refuse a machine that has no NVIDIA GPU; otherwise one without is told, and its
                   driver is not looked at
  --no-gpu-check   look neither for a GPU nor at its driver
  --no-compile     do not compile to bytecode: installs sooner, starts later

Exit status: 0 done; 1 the machine or the wheelhouse is not as it must be, nothing was changed;
2 wrong usage; 3 the installation failed; 4 installed, but packages there do not fit together.
END
}

wrong_usage() {
    printf 'install.sh: %s\nTry: install.sh --help\n' "$1" >&2
    exit 2
}

# The absolute form of a path that may not exist yet.
absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s/%s\n' "$PWD" "$1" ;;
    esac
}

# MAJOR.MINOR of a Python, with a "t" behind it if it is free-threaded; nothing if it does not run.
# In / so that it imports no file from here.
version_of() {
    (cd / && "$1" -E -s -c 'import sys, sysconfig
threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
sys.stdout.write("%d.%d" % sys.version_info[:2] + ("t" if threaded else ""))') 2>/dev/null || :
}

# Sets `python`, if there is one.
find_python() {
    if [ -n "$python" ]; then
        found=$(command -v "$python") || found=
        python=${found:+$(absolute "$found")}
        return
    fi
    for candidate in "python$version" "$python_path" python3 python; do
        if [ "$(version_of "$candidate")" = "$version" ]; then
            python=$(command -v "$candidate")
            return
        fi
    done
}

# Whether pip can make the folder $1, or write into it.
writable() {
    folder=$1
    while [ ! -d "$folder" ]; do
        [ ! -e "$folder" ] || return 1
        folder=$(dirname "$folder")
    done
    [ -w "$folder" ]
}

is_empty() {
    [ -z "$(ls -A "$1" 2>/dev/null)" ]
}

# What an installation that was stopped leaves behind in a virtual environment.
marker=.wheelhouse-installing

# "new": to be made, or made anew after an installation that was stopped; "old": there already.
state_of_destination() {
    mark=
    if [ -f "$destination/$marker" ]; then
        # Nothing in it yet: it was stopped as it wrote "old", since what is new has no pyvenv.cfg.
        read -r mark <"$destination/$marker" || :
    fi
    if [ "$mode" = venv ] && [ -f "$destination/pyvenv.cfg" ] && [ "$mark" != new ]; then
        echo old
    else
        echo new
    fi
}

# --- The look at the machine ---------------------------------------------------------------------

problems=0

problem() {
    [ "$problems" -gt 0 ] || printf 'install.sh: cannot install %s here:\n' "$name" >&2
    problems=$((problems + 1))
    printf '  * %s\n    -> %s\n' "$1" "$2" >&2
}

remarks=

# What is worth a word, and keeps nobody from installing.
remark() {
    remarks=$remarks"install.sh: $1
"
}

check_destination() {
    if [ "$state" = new ] && [ -e "$destination" ] && [ ! -f "$destination/$marker" ]; then
        if [ ! -d "$destination" ]; then
            problem "$destination is not a folder" "name another with --$mode"
        elif ! is_empty "$destination"; then
            if [ "$mode" = venv ]; then
                problem "$destination is not empty, and no virtual environment" \
                    "name another folder with --venv, or remove it"
            else
                problem "$destination is not empty" "name another folder with --target, or remove it"
            fi
        fi
    fi
    if ! writable "$destination"; then
        problem "you may not write to $destination" "name another folder with --$mode"
    fi
}

check_python() {
    find_python
    if [ "$state" = old ]; then
        python=$destination/bin/python
    fi
    if [ -z "$python" ] && [ -n "$wanted" ]; then
        problem "there is no $wanted" "name a Python $version that exists with --python"
    elif [ -z "$python" ]; then
        problem "there is no Python $version" \
            "$python_fix; if it is there already, name it with --python"
    fi
}

# Everything that Python can tell, in Python that any version understands. It prints each problem
# and its fix on a line of its own.
machine_problems() {
    (cd / && "$python" -E -s - "$here" "$version" "$implementation" "$free_threaded" "$arch" \
        "$libc" "$libraries" "$programs" "$packages" "$stated" "$manager" "$package_fix" "$without" \
        "$mode" "$state" "$python_fix" "$bypassed" "$destination") <<'END'
import glob, hashlib, os, platform, re, struct, subprocess, sys, sysconfig

(house, version, implementation, free_threaded, arch, libc, libraries, programs, packages, stated,
 manager, package_fix, without, mode, state, python_fix, bypassed, destination) = sys.argv[1:]
PACKAGE_OF = dict(each.split("=", 1) for each in packages.split())
PACKAGE_OF.update((name, name) for name in stated.split())
ANOTHER = "%s; name it with --python" % python_fix
AGAIN = "copy the wheelhouse here again: it was damaged on its way, or changed"


def tell(problem, fix):
    text = problem.replace("\n", " ") + "\n" + fix + "\n"
    if not isinstance(text, bytes):
        text = text.encode("utf-8", "surrogateescape")
    os.write(1, text)


def check_interpreter():
    here = "%d.%d" % sys.version_info[:2]
    if here != version.rstrip("t"):
        tell("%s is Python %s; the wheels are for %s" % (sys.executable, here, version), ANOTHER)
        return  # whatever else that one lacks does not matter
    check_pip()
    if platform.python_implementation() != implementation:
        tell("%s is %s; the wheels are for %s"
             % (sys.executable, platform.python_implementation(), implementation), ANOTHER)
    if bool(sysconfig.get_config_var("Py_GIL_DISABLED")) != (free_threaded == "yes"):
        kind = "a free-threaded" if free_threaded == "yes" else "an ordinary"
        tell("the wheels are for %s Python, and %s is the other kind" % (kind, sys.executable),
             ANOTHER)


def check_machine():
    if not sys.platform.startswith("linux"):
        tell("this is %s; the wheels are for Linux" % sys.platform, "use a Linux machine")
        return
    if platform.machine() != arch:
        tell("this machine is %s; the wheels are for %s" % (platform.machine(), arch),
             "build a wheelhouse for %s, or use another machine" % platform.machine())
    elif struct.calcsize("P") != 8:
        tell("%s is a 32-bit Python" % sys.executable, "use a 64-bit one")
    if libc:
        check_libc()


def libc_here():
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION")
        if found:
            return found
    except (AttributeError, ValueError, OSError):
        pass
    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        said = subprocess.Popen([loader], stderr=subprocess.PIPE).communicate()[1]
        found = re.search(r"Version (\d+\.\d+)", said.decode("ascii", "replace"))
        if found:
            return "musl " + found.group(1)
    return "an unknown C library 0.0"


def check_libc():
    here = libc_here()
    family, needed = libc.split()
    numbers = [int(part) for part in re.findall(r"\d+", here)[:2]]
    if here.split()[0] != family:
        tell("this machine has %s; the wheels need %s" % (here, family),
             "build a wheelhouse for this platform")
    elif numbers < [int(part) for part in needed.split(".")]:
        tell("this machine has %s; the wheels need %s or later" % (here, libc),
             "build a wheelhouse for this platform, or upgrade the machine")


def check_system():
    lacking = lacking_libraries() + lacking_programs() + lacking_packages()
    lacking = [name for name in lacking if name not in without.split()]
    known = [name for name in lacking if name in PACKAGE_OF]
    if known:
        tell("not on this machine: %s" % ", ".join(known),
             package_fix % " ".join(sorted(set(PACKAGE_OF[name] for name in known))))
    for name in lacking:
        if name not in known:
            tell("not on this machine: %s" % name,
                 "install the distribution's package that has it")


def lacking_libraries():
    try:
        import ctypes
    except ImportError:
        return []  # a Python compiled without it can use the wheels, and cannot ask for these
    lacking = []
    for soname in libraries.split():
        try:
            ctypes.CDLL(soname)
        except OSError:
            lacking.append(soname)
    return lacking


def lacking_programs():
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [name for name in programs.split()
            if not any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders)]


def lacking_packages():
    return [name for name in stated.split() if is_lacking(name)]


# Only what the package manager clearly says counts: it may not be here, or not answer.
def is_lacking(name):
    ask = {"apt": ["dpkg-query", "--show", "--showformat", "${db:Status-Status}"],
           "apk": ["apk", "info", "--installed"]}.get(manager, ["rpm", "-q", "--whatprovides"])
    try:
        asked = subprocess.Popen(ask + [name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=dict(os.environ, LC_ALL="C"))
    except OSError:
        return False
    said, complaint = [each.decode("utf-8", "replace") for each in asked.communicate()]
    if manager == "apt":
        return "no packages found" in complaint or said in ("not-installed", "config-files")
    if manager == "apk":
        return asked.returncode != 0 and not complaint
    return "no package provides" in said


# What is left to the server has to be there, in the version that all wheels were chosen to fit.
def check_bypassed():
    for name, wanted in [each.split("=", 1) for each in bypassed.split()]:
        if name in without.split():
            continue
        there = version_here(name)
        if there is None or parts_of(there) != parts_of(wanted):
            tell("%s %s is to be here already, and %s" % (
                name, wanted, "%s is" % there if there else "is not"),
                "install it for %s as the machine does that, or say --without %s"
                % (sys.executable, name))


def version_here(name):
    try:
        from importlib.metadata import PackageNotFoundError, version as version_of
    except ImportError:
        return None  # too old a Python, which is told already
    try:
        return version_of(name)
    except PackageNotFoundError:
        return None


# A version has many spellings: 2021.01 is 2021.1, 1.0-beta1 is 1.0b1.
def parts_of(version):
    spelled = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc", "r": "post",
               "rev": "post", "v": ""}
    found = re.findall(r"[0-9]+|[a-z]+", version.lower())
    parts = [spelled.get(part, part.lstrip("0") or "0") for part in found]
    return [part for part in parts if part]


def check_pip():
    if state == "old":
        check_version_of_pip("its virtual environment has no pip",
                             "name another folder with --venv")
    elif mode == "target":
        check_version_of_pip("%s has no pip" % sys.executable,
                             "install it with the distribution's packages, or use --venv")
    else:
        check_venv()


def check_version_of_pip(missing, fix):
    try:
        import pip
    except ImportError:
        tell(missing, fix)
        return
    check_number_of_pip(pip.__version__,
                        "upgrade it to 20.3 or later, or use a new folder with --venv")


def check_number_of_pip(number, fix):
    if [int(part) for part in re.findall(r"\d+", number)[:2]] < [20, 3]:
        tell("its pip %s is too old to know these wheels" % number, fix)


def check_venv():
    try:
        import ensurepip
        import venv
    except ImportError:
        tell("%s cannot make virtual environments (%s is missing)"
             % (sys.executable, sys.exc_info()[1].name), python_fix)
        return
    check_number_of_pip(str(ensurepip.version()), "upgrade %s" % sys.executable)


# Of a regular file that may be read; of anything else, nothing.
def hash_of(path):
    digest = hashlib.sha256()
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except (IOError, OSError):
        return None
    return digest.hexdigest()


def check_files():
    found = {"missing": [], "changed": [], "added": []}
    listed = os.path.join(house, "SHA256SUMS")
    try:
        if hash_of(listed) is None:
            raise ValueError
        with open(listed) as lines:
            pairs = [line.rstrip("\n").split("  ", 1) for line in lines]
        sums = dict((name, digest) for digest, name in pairs)
        if len(sums) != len(pairs):
            raise ValueError
    except (IOError, ValueError):
        tell("%s has no readable SHA256SUMS" % house, AGAIN)
        return
    present = files_here()
    for name in sorted(sums):
        if name not in present:
            found["missing"].append(name)
        elif hash_of(os.path.join(house, name)) != sums[name]:
            found["changed"].append(name)
    found["added"] = sorted(present - set(sums) - set(["SHA256SUMS"]))
    for kind, what in (("missing", "missing"), ("changed", "changed"), ("added", "not its own")):
        tell_files(found[kind], what)


# No link is followed. What was installed into this very folder does not count, halves included.
def files_here():
    found = set()
    for top, folders, names in os.walk(house):
        found.update(os.path.relpath(os.path.join(top, name), house) for name in names)
        for name in folders[:]:
            path = os.path.join(top, name)
            if os.path.islink(path):
                found.add(os.path.relpath(path, house))
            elif is_installed(path):
                folders.remove(name)
    return found


def is_installed(folder):
    marks = ("pyvenv.cfg", ".wheelhouse-installing")
    return (os.path.realpath(folder) == os.path.realpath(destination)
            or folder.endswith(".wheelhouse-installing")
            or any(os.path.exists(os.path.join(folder, mark)) for mark in marks))


def tell_files(names, what):
    if names:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        files = "1 file" if len(names) == 1 else "%d files" % len(names)
        verb = "is" if len(names) == 1 else "are"
        tell("%s of the wheelhouse %s %s: %s" % (files, verb, what, shown), AGAIN)


for check in (check_interpreter, check_machine, check_system, check_bypassed, check_files):
    check()
END
}

check_machine() {
    [ -n "$python" ] || return 0
    if ! found=$(machine_problems); then
        problem "$python does not run" "name another with --python"
        return
    fi
    while read -r what && read -r fix; do
        [ -z "$what" ] || problem "$what" "$fix"
    done <<END
$found
END
}

# What is told of the NVIDIA GPU and its driver: a line each, and one with the fix, or a hyphen where
# that is only a remark.
gpu_findings() {
    (cd / && "$python" -E -s - "$cuda" "$driver" "$release_driver" "$arches" "$makes" \
        "$driver_libraries" "$without" "$expect_gpu") <<'END'
@gpu_program@END
}

# With the Python that is going to use the wheels: another one is told already.
check_gpu() {
    [ -n "$cuda" ] && [ "$gpu_check" = yes ] && [ -n "$python" ] || return 0
    [ "$(version_of "$python")" = "$version" ] || return 0
    way_out=
    [ -n "$expect_gpu" ] || way_out="; or say --no-gpu-check"
    found=$(gpu_findings) || problem "the GPU cannot be looked at (see above)" "say --no-gpu-check"
    while read -r what && read -r fix; do
        case $fix in
            '') ;;
            -) remark "$what" ;;
            *) problem "$what" "$fix$way_out" ;;
        esac
    done <<END
$found
END
}

# --- The installation ----------------------------------------------------------------------------

# pip as it is, whatever the environment and the configuration files of this machine want of it.
# -I keeps the current folder and PYTHONPATH out of it. --isolated is not enough: pip reads its
# general options from the environment all the same, such as PIP_PYTHON and PIP_VERSION.
run_pip() {
    pip_python=$1
    shift
    for pip_variable in $(env | sed -n 's/^\(PIP_[A-Z_]*\)=.*/\1/p'); do
        unset "$pip_variable"
    done
    PIP_CONFIG_FILE=/dev/null "$pip_python" -I -m pip --isolated --no-input \
        --disable-pip-version-check --no-cache-dir "$@"
}

fail() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 3
}

# The set is complete, and what is in it was proven to fit together: pip need not resolve anything.
install_with() {
    pip_python=$1
    shift
    [ -z "$no_compile" ] || set -- --no-compile "$@"
    run_pip "$pip_python" install --quiet --no-index --no-deps --require-hashes \
        --only-binary :all: --requirement "$here/requirements.txt" "$@" ||
        fail "pip could not install the wheelhouse; what it says is above"
}

# A package is whole once pip has noted who installed it, which it does last.
remove_halves() {
    "$destination/bin/python" -I - <<'END'
import glob, os, shutil, sysconfig

for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
    for info in glob.glob(os.path.join(glob.escape(folder), "*.dist-info")):
        whole = all(os.path.exists(os.path.join(info, name)) for name in ("INSTALLER", "RECORD"))
        if not whole or os.path.basename(info).startswith("~"):
            shutil.rmtree(info)
END
}

make_venv() {
    mkdir -p "$destination"
    echo new >"$destination/$marker"
    for entry in "$destination"/* "$destination"/.[!.]*; do
        [ "$entry" = "$destination/$marker" ] || rm -rf "$entry"
    done
    # shellcheck disable=SC2086  # one word, or none
    "$python" -I -m venv ${bypassed:+--system-site-packages} "$destination" || fail "the virtual environment could not be made"
}

# Whether the packages do. Of those that the machine has by itself, the wheelhouse's count: others
# may be at odds among themselves.
fits_together() {
    if [ -z "$bypassed" ]; then
        run_pip "$destination/bin/python" check >&2
        return
    fi
    run_pip "$destination/bin/python" check |
        "$destination/bin/python" -I -c 'import re, sys
def named(text):
    return re.sub("[-_.]+", "-", text).lower()
own = {named(line.split("==")[0]) for line in open(sys.argv[1]) if "==" in line and line[0] != "#"}
without = set(map(named, sys.argv[2].split()))
def counts(line):
    lacks = re.search(" (?:requires|has requirement) ([A-Za-z0-9._-]+)", line)
    return named(line.split(" ")[0]) in own and not (lacks and named(lacks.group(1)) in without)
told = [line for line in sys.stdin if counts(line)]
sys.stderr.write("".join(told))
sys.exit(1 if told else 0)' "$here/requirements.txt" "$without"
}

install_into_venv() {
    if [ "$state" = new ]; then
        make_venv
    else
        [ ! -e "$destination/$marker" ] || remove_halves
        echo old >"$destination/$marker"
    fi
    # The same version may be there with other contents, or in a new one of the machine itself.
    install_with "$destination/bin/python" --force-reinstall
    rm -f "$destination/$marker"
    if ! fits_together; then
        printf 'install.sh: installed, but not all packages in %s fit together (see above)\n' \
            "$destination" >&2
        exit 4
    fi
}

# Into a folder beside it first: the folder is whole, or not there.
install_into_target() {
    partial=$(dirname "$destination")/.$(basename "$destination").wheelhouse-installing
    rm -rf "$partial"
    mkdir -p "$partial"
    install_with "$python" --target "$partial"
    [ ! -d "$destination" ] || rmdir "$destination"
    mv "$partial" "$destination"
}

# --- From here on it runs ------------------------------------------------------------------------

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mode=venv
destination=
python=
check_only=
no_compile=
without=
gpu_check=yes
expect_gpu=

while [ $# -gt 0 ]; do
    case $1 in
        --venv=* | --target=* | --python=* | --without=*)
            option=${1%%=*}
            value=${1#*=}
            shift
            set -- "$option" "$value" "$@"
            ;;
        --venv | --target)
            [ -n "${2-}" ] || wrong_usage "$1 needs a folder"
            [ -z "$destination" ] || wrong_usage "there can be only one --venv or --target"
            mode=${1#--}
            destination=$2
            shift 2
            ;;
        --python)
            [ -n "${2-}" ] || wrong_usage "$1 needs a Python"
            python=$2
            shift 2
            ;;
        --without)
            [ -n "${2-}" ] || wrong_usage "$1 needs the name of a library or program"
            without="$without $2"
            shift 2
            ;;
        --check)
            check_only=yes
            shift
            ;;
        --expect-gpu)
            [ -n "$cuda" ] || wrong_usage "$name is for no GPU"
            expect_gpu=yes
            shift
            ;;
        --no-gpu-check)
            gpu_check=no
            shift
            ;;
        --no-compile)
            no_compile=yes
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) wrong_usage "what is '$1'?" ;;
    esac
done

if [ -n "$expect_gpu" ] && [ "$gpu_check" = no ]; then
    wrong_usage "--expect-gpu and --no-gpu-check exclude each other"
fi
destination=$(absolute "${destination:-.venv}")
destination=${destination%/}
wanted=$python
state=$(state_of_destination)

check_python
check_destination
check_machine
check_gpu
if [ "$problems" -gt 0 ]; then
    printf 'Nothing was changed.\n' >&2
    exit 1
fi
printf '%s' "$remarks" >&2
if [ -n "$check_only" ]; then
    printf '%s can be installed here, with %s.\n' "$name" "$python"
    exit 0
fi

printf 'Installing %s into %s ...\n' "$name" "$destination"
case $mode in
    venv)
        install_into_venv
        printf 'Done. Its Python is %s\n' "$destination/bin/python"
        ;;
    target)
        install_into_target
        printf 'Done. Put it on the path: PYTHONPATH=%s\n' "$destination"
        ;;
esac
