# SPDX-License-Identifier: GPL-3.0-or-later
# What bash scripts for OpenGnsys expect around them: its variables, a PATH with the og* commands,
# and the few functions that only the shell itself can be. To be sourced:
#     source /opt/opengnsys/etc/preinit/loadenviron.sh
# Kernel parameters become variables through the list below and in no other way. Their values are
# text: nothing here evaluates them, and one that a careless script could take for code is left out.
# The tests name other files than /proc/cmdline and boot.env by OG_CMDLINE_FILE and
# OG_BOOT_ENV_FILE, and another folder than /tmp by OG_NET_FOLDER; no kernel parameter can set these.
# shellcheck shell=bash

# ---- places ----------------------------------------------------------------------------------------

export OPENGNSYS=${OPENGNSYS:-/opt/opengnsys}
export OGBIN=$OPENGNSYS/bin OGETC=$OPENGNSYS/etc OGLIB=$OPENGNSYS/lib
export OGAPI=$OGLIB/engine/bin OGSCRIPTS=$OPENGNSYS/scripts
export OGIMG=$OPENGNSYS/images OGCAC=$OPENGNSYS/cache OGLOG=$OPENGNSYS/log

# The commands come first: each of them looks among the site's scripts for one of its name that the
# site wrote, and passes over what OpenGnsys published.
_og_path=$OGAPI:$OGSCRIPTS:$OGBIN
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export PATH=$_og_path:${PATH#"$_og_path:"}

# ---- what the boot told ----------------------------------------------------------------------------

_og_parameters="
    ip boot og2nd oglivedir oglive ogrepo oglog ogshare ogprotocol ogunit group hostname ogprof
    hardprofile ogactiveadmin ogdebug ogstatus oginit ogupdateinitrd ogtmpfs ognetmodule ogdns ogproxy
    ogntp ogengine engine winboot ogrsyncw ogrsyncz ogrsyncdel ogmethod ogmcast
    ogtorrent LANG TZ"
_og_facts="INTERFACE MAC IP SERVER NAME"

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
[ -n "${hostname-}" ] || [ -z "${_og_NAME-}" ] || export hostname=$_og_NAME # the one in ip=
[ -z "${hostname-}" ] || export HOSTNAME=$hostname
[ -z "${ogproxy-}" ] || export http_proxy=$ogproxy

# What the network gave this PC is also a file of shell variables, which scripts source by its name.
# _og_net_facts ADDRESS/PREFIX BROADCAST GATEWAY SERVER: its lines, none for what is not known.
_og_net_facts() {
    local prefix=${1##*/} mask= octet bits word
    if [[ $prefix =~ ^[0-9]+$ ]] && [ "$prefix" -le 32 ]; then
        for octet in 0 8 16 24; do
            bits=$((prefix - octet < 0 ? 0 : prefix - octet > 8 ? 8 : prefix - octet))
            mask=$mask.$((256 - (1 << (8 - bits))))
        done
    fi
    for word in "DEVICE=$DEVICE" "IPV4ADDR=${1%%/*}" "IPV4NETMASK=${mask#.}" "IPV4BROADCAST=$2" \
        "IPV4GATEWAY=$3" "ROOTSERVER=$4" "HOSTNAME=${HOSTNAME-}"; do
        [[ $word =~ ^[A-Z0-9]+=[A-Za-z0-9.:_-]+$ ]] && printf "%s='%s'\n" "${word%%=*}" "${word#*=}"
    done
    return 0
}

# One that somebody else left there, or a link, is not believed: it will be run as shell.
_og_net_config() {
    local IFS=$' \t\n' made address=${IPV4ADDR-} broadcast= gateway= words=()
    [ -L "$DEVICECFG" ] || [ ! -f "$DEVICECFG" ] || [ ! -O "$DEVICECFG" ] || return 0
    read -r -a words <<< "$(ip -4 -oneline address show dev "$DEVICE" 2> /dev/null)" || :
    [ "${words[2]-}" != inet ] || address=${words[3]}
    [ "${words[4]-}" != brd ] || broadcast=${words[5]}
    read -r -a words <<< "$(ip -4 route show default dev "$DEVICE" 2> /dev/null)" || :
    [ "${words[1]-}" != via ] || gateway=${words[2]}
    made=$(mktemp "$DEVICECFG.XXXXXXXX" 2> /dev/null) || return 0
    _og_net_facts "$address" "$broadcast" "$gateway" "${_og_SERVER-}" > "$made"
    chmod 644 "$made"
    mv -fT "$made" "$DEVICECFG"
}

if [[ ${DEVICE-} =~ ^[A-Za-z0-9_.-]+$ ]]; then
    export DEVICECFG=${OG_NET_FOLDER:-/tmp}/net-$DEVICE.conf
    _og_net_config || :
fi

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
    DEBUG=${DEBUG-} OG_CALLERS="${FUNCNAME[*]:1}" command ogEcho "$@"
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

# A function or builtin of the shell runs here, and its output goes where a program's would. A
# single word with blanks in it is a line of shell.
ogExecAndLog() {
    local logs=()
    while [[ ${1-} =~ ^([Cc][Oo][Mm][Mm][Aa][Nn][Dd]|[Ll][Oo][Gg]|[Ss][Ee][Ss][Ss][Ii][Oo][Nn])$ ]]; do
        logs+=("$1")
        shift
    done
    [[ $# != 1 || ${1-} != *[[:blank:]]* ]] || set -- eval "$1"
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

# Messages in the room's language over the English ones, and more functions (ogengine=EXTENSION),
# where a site has them. What a script calls sees the messages too. A function goes before a command
# of its name, so a library that OpenGnsys published is left out.
for _og_file in "$OGETC/lang.en_GB.conf" "$OGETC/lang.${LANG%%.*}.conf" "$OGETC/lang.$LANG.conf"; do
    # shellcheck disable=SC1090
    [ ! -r "$_og_file" ] || source "$_og_file" || :
done
[ -z "${!MSG_*}" ] || export "${!MSG_@}"
if [[ ${ogengine-} =~ ^[A-Za-z0-9]+$ ]]; then
    for _og_file in "$OGAPI"/*."$ogengine"; do
        [ -r "$_og_file" ] && og-shim --is-the-sites "$_og_file" || continue
        # shellcheck disable=SC1090
        source "$_og_file"
    done
fi

unset -f _og_take _og_net_facts _og_net_config
unset _og_path _og_parameters _og_facts _og_file _og_INTERFACE _og_MAC _og_IP _og_SERVER _og_NAME
