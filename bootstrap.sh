#!/bin/sh
# Prepares a fresh clone: system packages, autoreconf, configure.
# Run it again at any time: it does only what is missing, and nothing when nothing is.
#
# It must not start, stop or configure an httpd service: it installs Debian's
# apache2-bin (the program and its modules), not apache2 (the service).

set -eu

# Needed by `make`. An entry a|b is satisfied by either; the first is installed.
build_packages='apache2-bin apache2-dev python3 python3-dev gcc libc6-dev make
  autoconf automake libtool pkg-config|pkgconf'
# Needed by `make check` and `make bench`. apache2-utils has htpasswd,
# media-types has the mime.types of static files.
check_packages='apache2-utils media-types curl openssl binutils libcmocka-dev
  python3-pytest python3-flask python3-django nghttp2-client wrk'

usage() {
    cat <<'USAGE'
Usage: ./bootstrap.sh [--no-packages] [--no-configure] [configure arguments]

Installs missing system packages (Debian and its relatives, as root), runs
autoreconf and ./configure where they are needed. Doing it twice does nothing twice.

  --no-packages    do not look at packages; the tools must be there
  --no-configure   stop before ./configure (for a build in another directory)

All other arguments go to ./configure, for example
  ./bootstrap.sh --with-apxs=/opt/httpd/bin/apxs --with-python=/opt/python/bin/python3
Without arguments an existing configuration is kept. Without --with-python and
without PYTHON in the environment, /usr/bin/python3 is taken if it is 3.11 or newer.
./configure --help lists what it takes.
USAGE
}

say() { printf 'bootstrap: %s\n' "$*"; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

# --- packages ---------------------------------------------------------------

# Sets `missing` to those entries of $1 that are not installed. "hi" (on hold)
# counts as installed: the second letter is the package's actual state.
missing_of() {
    missing=
    for entry in $1; do
        found=no
        for name in $(printf '%s' "$entry" | tr '|' ' '); do
            case " $installed " in *" $name "*) found=yes ;; esac
        done
        [ $found = yes ] || missing="$missing ${entry%%|*}"
    done
    missing=${missing# }
}

read_installed() {
    # dpkg-query exits 1 when it does not know one of the names; that is an answer too.
    installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' \
        $(printf '%s ' $build_packages $check_packages | tr '|' ' ') 2>/dev/null |
        awk 'substr($1, 2, 1) == "i" { print $2 }' | tr '\n' ' ') || true
}

# A package that this release does not have stops us only if the build needs it.
drop_unknown() {
    kept=
    for name in $1; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            kept="$kept $name"
        else
            case " $build_missing " in
            *" $name "*) fail "this system's package lists have no $name, which the build needs" ;;
            *) say "this system's package lists have no $name; some tests will be skipped" ;;
            esac
        fi
    done
    wanted=${kept# }
}

debian_packages() {
    read_installed
    missing_of "$build_packages"; build_missing=$missing
    missing_of "$build_packages $check_packages"; wanted=$missing
    [ -n "$wanted" ] || return 0

    if [ "$(id -u)" -ne 0 ]; then
        cat >&2 <<NOTROOT
bootstrap: these packages are missing: $wanted
bootstrap: installing them needs root. Run this, then ./bootstrap.sh again:

    sudo apt-get update && sudo apt-get install --no-install-recommends $wanted

bootstrap: (or, if you have the tools from elsewhere: ./bootstrap.sh --no-packages)
NOTROOT
        exit 1
    fi

    say "installing: $wanted"
    apt-get update -qq || say "apt-get update failed; going on with the lists there are"
    drop_unknown "$wanted"
    [ -z "$wanted" ] ||
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted ||
        fail "apt-get could not install the packages (see above)"
}

# --- tools, on every other system -------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

# need LEVEL WHAT COMMAND...: notes WHAT unless one of the commands exists.
need() {
    level=$1 what=$2
    shift 2
    for tool; do
        case $tool in '') ;; *) if have "$tool"; then return 0; fi ;; esac
    done
    if [ "$level" = build ]; then lacking="$lacking
    $what"; else lacking_check="$lacking_check
    $what"; fi
}

other_system() {
    lacking= lacking_check=
    with_apxs=
    with_python=${PYTHON-}
    for arg; do
        case $arg in
        --with-apxs=*) with_apxs=${arg#*=} ;;
        --with-python=*) with_python=${arg#*=} ;;
        esac
    done
    need build 'apxs, with the headers of Apache httpd 2.4, APR and APR-util (httpd-devel; apr-devel apr-util-devel)' "$with_apxs" apxs apxs2
    need build 'a C compiler: gcc or clang' "${CC-}" cc gcc clang
    need build 'make' make gmake
    need build 'autoconf 2.69 or newer' autoreconf
    need build 'automake' automake
    need build 'libtool' libtoolize glibtoolize
    need build 'pkg-config (pkgconf)' pkg-config pkgconf
    need build 'Python 3.11 or newer with its headers and a shared libpython (python3-devel)' "$with_python" python3
    need check 'curl' curl
    need check 'openssl (the command)' openssl
    need check 'h2load and nghttp (nghttp2), for HTTP/2' nghttp
    need check 'wrk, for make bench' wrk
    if have pkg-config && ! pkg-config --exists cmocka; then
        lacking_check="$lacking_check
    cmocka with its headers (libcmocka-devel)"
    fi
    for module in pytest flask django; do
        "${with_python:-python3}" -c "import $module" 2>/dev/null || lacking_check="$lacking_check
    $module, importable by ${with_python:-python3}"
    done
    [ -z "$lacking_check" ] || say "make check and make bench want also:$lacking_check"
    [ -z "$lacking" ] || fail "this is not a Debian-like system, so please install yourself:$lacking"
}

# --- autoreconf and configure -----------------------------------------------

older() { # older FILE REFERENCE...: FILE is absent or older than one of them
    file=$1
    shift
    [ -e "$file" ] || return 0
    for reference; do
        # find -newer is POSIX; `test -nt` is not.
        if [ -e "$reference" ] && [ -n "$(find "$reference" -prune -newer "$file")" ]; then return 0; fi
    done
    return 1
}

run_autoreconf() {
    if ! older configure configure.ac Makefile.am && ! older Makefile.in Makefile.am configure.ac &&
        ! older configure m4/*.m4; then
        return 0
    fi
    [ -e configure.ac ] || fail "no configure.ac here: is this a whole checkout?"
    say "autoreconf -fi"
    autoreconf -fi || fail "autoreconf failed (see above)"
    # A regenerated file with the same content may keep its old time; make would then
    # run the autotools again, for ever. One time for all of them.
    touch aclocal.m4
    for made in configure config.h.in Makefile.in; do
        [ ! -e $made ] || touch -r aclocal.m4 $made
    done
}

# With the previous configure arguments in the positional parameters and the
# wanted ones in $wanted_arguments (one per line): are they the same?
same_arguments() {
    previous=$(printf '%s\n' "$@")
    for arg; do
        case "
$wanted_arguments
" in *"
$arg
"*) continue ;; esac
        # configure itself records what it took from the environment, such as CC.
        case $arg in
        -*) return 1 ;;
        [A-Z]*=*)
            eval "now=\${${arg%%=*}-}"
            [ "$now" = "${arg#*=}" ] || return 1 ;;
        *) return 1 ;;
        esac
    done
    while IFS= read -r arg; do
        case "
$previous
" in *"
$arg
"*) ;; *) return 1 ;; esac
    done <<ARGUMENTS
$wanted_arguments
ARGUMENTS
}

default_python() {
    [ -z "${PYTHON-}" ] || return 0
    for arg; do case $arg in --with-python=* | PYTHON=*) return 0 ;; esac; done
    if [ -x /usr/bin/python3 ] &&
        /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python_argument=--with-python=/usr/bin/python3
    fi
}

run_configure() {
    python_argument=
    default_python "$@"
    given=$#
    [ -z "$python_argument" ] || set -- "$@" "$python_argument"
    wanted_arguments=$(printf '%s\n' "$@")
    if [ -x config.status ]; then
        before=$(./config.status --config)
        if [ "$given" -eq 0 ] || (eval "set -- $before"; same_arguments "$@"); then
            if [ -e Makefile ] && ! older config.status configure; then
                say "already configured with: $before"
                return 0
            fi
            eval "set -- $before"
        fi
    fi
    say "./configure $*"
    ./configure "$@" || fail "configure failed; config.log has the details"
}

# --- main -------------------------------------------------------------------

packages=yes configure=yes
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) usage; exit 0 ;;
    --no-packages) packages=no; shift ;;
    --no-configure) configure=no; shift ;;
    *) break ;;
    esac
done

cd "$(dirname "$0")"

if [ $packages = yes ]; then
    if have dpkg-query && have apt-get; then
        debian_packages
    else
        other_system "$@"
    fi
fi
run_autoreconf
[ $configure = no ] || run_configure "$@"
say "ready: make, make serve, make check"
