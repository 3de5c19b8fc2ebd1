# SPDX-License-Identifier: GPL-3.0-or-later
# What bash scripts for OpenGnsys expect around them: its variables, a PATH with the og* commands,
# and the few functions that only the shell itself can be. To be sourced:
#     source /opt/opengnsys/etc/preinit/loadenviron.sh
# Kernel parameters become variables through the list below and in no other way. Their values are
# text: nothing here evaluates them, and one that a careless script could take for code is left out.
# The tests name other files than /proc/cmdline and boot.env by OG_CMDLINE_FILE and
# OG_BOOT_ENV_FILE, which no kernel parameter can set.
# shellcheck shell=bash

# ---- places ----------------------------------------------------------------------------------------

export OPENGNSYS=${OPENGNSYS:-/opt/opengnsys}
export OGBIN=$OPENGNSYS/bin OGETC=$OPENGNSYS/etc OGLIB=$OPENGNSYS/lib
export OGAPI=$OGLIB/engine/bin OGSCRIPTS=$OPENGNSYS/scripts
export OGIMG=$OPENGNSYS/images OGCAC=$OPENGNSYS/cache OGLOG=$OPENGNSYS/log

_og_path=$OGSCRIPTS:$OGAPI:$OGBIN
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH=$_og_path:${PATH#"$_og_path:"}

# ---- what the boot told ----------------------------------------------------------------------------

_og_parameters="
    ip boot og2nd oglivedir oglive ogrepo oglog ogshare ogprotocol ogunit group hostname ogprof
    hardprofile ogactiveadmin ogdebug ogstatus oginit ogupdateinitrd ogtmpfs ognetmodule ogdns ogproxy
    ogntp ogengine engine winboot ogrsyncw ogrsyncz ogrsyncdel LANG TZ"
_og_facts="INTERFACE MAC IP SERVER"

# _og_take FILE PREFIX NAMES: exports PREFIXNAME for each NAME=value in FILE, if NAME is in NAMES.
_og_take() {
    local IFS=$' \t\n' words=() word name value
    [ -r "$1" ] || return 0
    read -r -d '' -a words < "$1" || : # read reports the end of the file
    for word in "${words[@]}"; do
        name=${word%%=*} value=${word#*=}
        [[ $word == *=* && $name =~ ^[A-Za-z][A-Za-z0-9]*$ && " ${3//$'\n'/ } " == *" $name "* ]] || continue
        if [[ $value == *[\;\&\|\<\>\(\)\$\`\"\'\\\*\?\[\]\{\}\~\!\#]* ]]; then
            printf 'loadenviron.sh: the value of %s is left out: it looks like code.\n' "$name" >&2
            continue
        fi
        export "$2$name=$value"
    done
}

_og_take "${OG_CMDLINE_FILE:-/proc/cmdline}" "" "$_og_parameters"
_og_take "${OG_BOOT_ENV_FILE:-/run/oglive/boot.env}" _og_ "$_og_facts"

# These two choose files by their value.
[[ ${LANG-} =~ ^[A-Za-z_]+([.][A-Za-z0-9-]+)?$ ]] || export LANG=C.UTF-8
[[ ${TZ-} =~ ^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$ ]] || unset TZ

export OGGROUP=${group-}
export OGSERVERIMAGES=${OGSERVERIMAGES:-${ogrepo:-${oglive:-${_og_SERVER-}}}}
export ROOTREPO=$OGSERVERIMAGES
[ -z "${_og_INTERFACE-}" ] || export DEVICE=$_og_INTERFACE
[ -z "${_og_IP-}" ] || export IPV4ADDR=$_og_IP
[ -z "${hostname-}" ] || export HOSTNAME=$hostname
[ -z "${ogproxy-}" ] || export http_proxy=$ogproxy

# ---- logs, knobs, error numbers --------------------------------------------------------------------

export OGLOGFILE=$OGLOG/${IPV4ADDR:-oglive}.log
export OGLOGCOMMAND=${OGLOGCOMMAND:-/tmp/command.log}
export OGLOGSESSION=${OGLOGSESSION:-/tmp/session.log}

# What a script takes from engine.cfg, or sets itself, is seen by the commands that it calls.
export OGENGINECONFIGURATE NODEBUGFUNCTIONS ACTIONCACHEFULL RESTOREPROTOCOLNOTCACHE
export IMGPROG IMGCOMP IMGEXT IMGREDUCE OGWINREDUCE

export OG_ERR_FORMAT=1 OG_ERR_NOTFOUND=2 OG_ERR_PARTITION=3 OG_ERR_LOCKED=4 OG_ERR_IMAGE=5
export OG_ERR_NOTOS=6 OG_ERR_NOTEXEC=7 OG_ERR_NOTWRITE=14 OG_ERR_NOTCACHE=15 OG_ERR_CACHESIZE=16
export OG_ERR_REDUCEFS=17 OG_ERR_EXTENDFS=18 OG_ERR_OUTOFLIMIT=19 OG_ERR_FILESYS=20 OG_ERR_CACHE=21
export OG_ERR_NOGPT=22 OG_ERR_REPO=23 OG_ERR_NOMSDOS=24 OG_ERR_IMGSIZEPARTITION=30
export OG_ERR_UPDATECACHE=31 OG_ERR_DONTFORMAT=32 OG_ERR_IMAGEFILE=33 OG_ERR_GENERIC=40
export OG_ERR_UCASTSYNTAXT=50 OG_ERR_UCASTSENDPARTITION=51 OG_ERR_UCASTSENDFILE=52
export OG_ERR_UCASTRECEIVERPARTITION=53 OG_ERR_UCASTRECEIVERFILE=54
export OG_ERR_MCASTSYNTAXT=55 OG_ERR_MCASTSENDFILE=56 OG_ERR_MCASTRECEIVERFILE=57
export OG_ERR_MCASTSENDPARTITION=58 OG_ERR_MCASTRECEIVERPARTITION=59 OG_ERR_PROTOCOLJOINMASTER=60
export OG_ERR_DONTMOUNT_IMAGE=70 OG_ERR_DONTSYNC_IMAGE=71 OG_ERR_DONTUNMOUNT_IMAGE=72
export OG_ERR_NOTDIFFERENT=73 OG_ERR_SYNCHRONIZING=74 OG_ERR_NOTUEFI=80 OG_ERR_NOTBIOS=81
export OG_ERR_NOTFITTED=100

# ---- what only the shell can be --------------------------------------------------------------------

# A process does not know which functions of the script called it: OG_CALLERS tells it.
ogEcho() {
    local IFS=' '
    OG_CALLERS="${FUNCNAME[*]:1}" command ogEcho "$@"
}

ogRaiseError() {
    local IFS=' '
    OG_CALLERS="${FUNCNAME[*]:1}" command ogRaiseError "$@"
}

# Inside $(...) too, PPID is the parent of the script.
ogGetCaller() {
    OG_CALLER_PID=$PPID command ogGetCaller "$@"
}

ogGetHostname() {
    local name
    name=$(command ogGetHostname "$@") || return
    [ "$#" -gt 0 ] || [ -z "$name" ] || export HOSTNAME=$name
    [ -z "$name" ] || printf '%s\n' "$name"
}

# A function or builtin of the shell runs here, and its output goes where a program's would.
ogExecAndLog() {
    local logs=()
    while [[ ${1-} =~ ^([Cc][Oo][Mm][Mm][Aa][Nn][Dd]|[Ll][Oo][Gg]|[Ss][Ee][Ss][Ss][Ii][Oo][Nn])$ ]]; do
        logs+=("$1")
        shift
    done
    case $(type -t -- "${1-}") in
    function | builtin) ;;
    *)
        command ogExecAndLog "${logs[@]}" "$@"
        return
        ;;
    esac
    case " ${logs[*]} " in
    *\ [Cc][Oo][Mm]*) "$@" 2>&1 ;;
    *) "$@" ;;
    esac | command ogExecAndLog "${logs[@]}" cat
    return "${PIPESTATUS[0]}"
}

export -f ogEcho ogRaiseError ogGetCaller ogGetHostname ogExecAndLog

# ---- the site's own --------------------------------------------------------------------------------

# Messages in the room's language, and more functions (ogengine=EXTENSION), where a site has them.
if [ -r "$OGETC/lang.${LANG%%.*}.conf" ]; then
    # shellcheck disable=SC1090
    source "$OGETC/lang.${LANG%%.*}.conf"
fi
if [[ ${ogengine-} =~ ^[A-Za-z0-9]+$ ]]; then
    for _og_file in "$OGAPI"/*."$ogengine"; do
        # shellcheck disable=SC1090
        [ ! -r "$_og_file" ] || source "$_og_file"
    done
fi

unset -f _og_take
unset _og_path _og_parameters _og_facts _og_file _og_INTERFACE _og_MAC _og_IP _og_SERVER
