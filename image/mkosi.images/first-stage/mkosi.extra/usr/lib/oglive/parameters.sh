# SPDX-License-Identifier: GPL-3.0-or-later
# What the boot line tells the first stage: the names below and no others, each with a shape of its own.
# Anybody in the room may write a boot line, so a value of another shape is never used: without one that
# the start stands on (ip, oglive, oglivedir, ogroot) it ends with a text, any other is told and left out.
# docs/compatibility.md has the table of all names; tests hold it and this file together.
# Read by /init, which has say, stop and text.
# shellcheck shell=sh disable=SC2034,SC2154

# ---- shapes ----------------------------------------------------------------------------------------

is_address() { # HOST or HOST:PORT
    case $1 in '' | *[!A-Za-z0-9.:-]* | [!A-Za-z0-9]*) return 1 ;; esac
}

is_addresses() { # several, parted by commas
    case $1 in '' | *[!A-Za-z0-9.,:-]* | [!A-Za-z0-9]*) return 1 ;; esac
}

is_ipv4() {
    case $1 in
    *[!0-9.]* | *..* | .* | *. | *.*.*.*.*) return 1 ;;
    *.*.*.*) ;;
    *) return 1 ;;
    esac
}

is_folder() {
    case $1 in '' | *[!A-Za-z0-9._/-]* | [!A-Za-z0-9]* | *..*) return 1 ;; esac
}

is_url() {
    case $1 in
    *[!A-Za-z0-9._:/%~-]* | *..*) return 1 ;;
    http://[A-Za-z0-9]*/*) ;;
    *) return 1 ;;
    esac
}

is_name() {
    case $1 in '' | *[!A-Za-z0-9.-]* | [!A-Za-z0-9]*) return 1 ;; esac
}

is_card() {
    case $1 in '' | *[!A-Za-z0-9._-]* | [!A-Za-z0-9]* | *..*) return 1 ;; esac
}

is_modules() {
    case $1 in '' | *[!A-Za-z0-9_,-]* | [!A-Za-z0-9]*) return 1 ;; esac
}

is_mac() {
    case $1 in
    *[!0-9a-f:]* | *::* | *:*:*:*:*:*:*) return 1 ;;
    ??:??:??:??:??:??) ;;
    *) return 1 ;;
    esac
}

is_zone() {
    case $1 in '' | *[!A-Za-z0-9_+/-]* | [!A-Za-z0-9]*) return 1 ;; esac
    [ -f "$NEWROOT/usr/share/zoneinfo/$1" ]
}

is_mebibytes() {
    case $1 in '' | *[!0-9]* | 0* | ???????*) return 1 ;; esac
}

is_status() {
    case $1 in online | offline) ;; *) return 1 ;; esac
}

is_true() {
    case $1 in true | false) ;; *) return 1 ;; esac
}

is_keyboard() {
    case $1 in '' | *[!a-z0-9-]*) return 1 ;; esac
    [ -f "$LIB/keymaps/$1.bmap" ]
}

# ---- what does not fit -----------------------------------------------------------------------------

leave_out() { say "  $(text LEFT_OUT "$1" "$(text "$2")")"; } # NAME= WHY

# take VARIABLE NAME= CHECK VALUE: what fits becomes the variable, anything else is left out.
take() {
    if "$3" "$4"; then eval "$1=\$4"; else leave_out "$2" NO_VALUE; fi
}

# must: the same for what the start stands on.
must() {
    if "$3" "$4"; then eval "$1=\$4"; else refuse_word "$2$4"; fi
}

refuse_word() { stop "$(text BAD_WORD "$(printf %.60s "$1" | tr -cd '!-~')")" "$(text BAD_WORD_DO)"; }

# ---- the names -------------------------------------------------------------------------------------

# The texts' language comes first: every other word may have to be told of. An unknown one is English.
read_language() {
    language=en
    for word in $(cat "$CMDLINE"); do
        case $word in
        LANG=es | LANG=es[_.@]*) language=es ;;
        LANG=ca | LANG=ca[_.@]*) language=ca ;;
        LANG=*) language=en ;;
        esac
    done
    . "$LIB/texts/$language"
}

read_parameters() {
    oglive='' oglivedir=oglive/current ogroot='' hostname='' bootif=''
    static='' static_server='' static_gateway='' static_netmask='' static_name='' ip_card=''
    static_dns='' ogdns='' ogntp='' zone='' ogtmpfs='' ogdebug='' ogstatus=online ognetmodule=''
    keyboard=''
    case $language in es | ca) keyboard=es ;; esac
    for word in $(cat "$CMDLINE"); do
        value=${word#*=}
        case $word in
        ip=*) read_ip "$value" ;;
        BOOTIF=*)
            value=$(printf %s "$value" | tr A-Z- a-z:)
            take bootif BOOTIF= is_mac "${value#01:}"
            ;;
        oglive=*) must oglive oglive= is_address "$value" ;;
        oglivedir=*) must oglivedir oglivedir= is_folder "$value" ;;
        ogroot=*) must ogroot ogroot= is_url "$value" ;;
        ogrootsha256=*) # the UKI's command line names the digest a second time
            [ "$value" = "$ROOT_SHA256" ] || stop "$(text OTHER_ROOT)" "$(text OTHER_ROOT_DO)"
            ;;
        hostname=*) take hostname hostname= is_name "$value" ;;
        ogdns=*) take ogdns ogdns= is_addresses "$value" ;;
        ogntp=*) take ogntp ogntp= is_addresses "$value" ;;
        TZ=*) zone=$value ;; # judged when the root is there, which has the zones
        ogtmpfs=*) take ogtmpfs ogtmpfs= is_mebibytes "$value" ;;
        ogstatus=*) take ogstatus ogstatus= is_status "$value" ;;
        ognetmodule=*) take ognetmodule ognetmodule= is_modules "$value" ;;
        keyboard=*) take keyboard keyboard= is_keyboard "$value" ;;
        # Of an older ogLive: said, so that nobody waits for what it did there.
        og2nd=* | ogupdateinitrd=* | ogshare=* | oginit=* | winboot=*)
            leave_out "${word%%=*}=" RETIRED
            ;;
        ogdebug=*)
            take ogdebug ogdebug= is_true "$value"
            [ "$ogdebug" != true ] || [ "$PROFILE" = debug ] || {
                ogdebug=''
                leave_out ogdebug= DEBUG_ONLY
            }
            ;;
        esac
    done
}

# ADDRESS:SERVER:GATEWAY:NETMASK:NAME:INTERFACE:none[:DNS[:DNS]], the same with dhcp and no address, or
# a word alone: OpenGnsys' form and the kernel's.
read_ip() {
    case $1 in
    dhcp | on | any | both | bootp) return 0 ;;
    *[!A-Za-z0-9.:_-]*) refuse_word "ip=$1" ;;
    *:*) ;;
    *) refuse_word "ip=$1" ;;
    esac
    IFS=: read -r address server gateway netmask name card method dns dns2 _ <<E
$1
E
    for one in "$address" "$server" "$gateway" "$netmask" "$dns" "$dns2"; do
        [ -z "$one" ] || is_ipv4 "$one" || refuse_word "ip=$1"
    done
    [ -z "$name" ] || take static_name ip= is_name "$name"
    [ -z "$card" ] || take ip_card ip= is_card "$card"
    static_dns="$dns $dns2"
    case $method in
    dhcp | on | any | both | bootp) ;;
    '' | none | off | static)
        [ -n "$address" ] || [ -z "$method" ] || refuse_word "ip=$1"
        static=$address static_server=$server static_gateway=$gateway static_netmask=$netmask
        ;;
    *) refuse_word "ip=$1" ;;
    esac
}
