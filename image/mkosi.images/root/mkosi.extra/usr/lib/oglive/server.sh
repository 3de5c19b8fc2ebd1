# SPDX-License-Identifier: GPL-3.0-or-later
# For the scripts beside it: how a server is asked, without a program for it.
# shellcheck shell=bash
ask_s=8 # how long one question may take

# Sets scheme, host and port from HOST[:PORT] or its http or https address; status 1: it is none.
take_apart() {
    [[ $1 =~ ^((https?)://)?([A-Za-z0-9][A-Za-z0-9.-]*)(:([0-9]{1,5}))?/?$ ]] || return 1
    scheme=${BASH_REMATCH[2]:-http} host=${BASH_REMATCH[3]}
    port=${BASH_REMATCH[5]:-$([[ $scheme == https ]] && echo 443 || echo 80)}
}

# exchange HOST PORT REQUEST: the head of a server's answer, in a process of its own with an end.
exchange() {
    timeout "$ask_s" bash -c '
        exec 3<> "/dev/tcp/$1/$2" || exit 1
        printf "%s HTTP/1.0\r\nHost: %s\r\n\r\n" "$3" "$1" >&3
        for ((count = 0; count < 64; count++)); do
            IFS= read -r -n 1000 line <&3 || break
            [[ -n ${line%$'\''\r'\''} ]] || break
            printf "%s\n" "$line"
        done' _ "$@" 2> /dev/null
}

# Whether a server may hear of this boot: it is known, and its entry was made by `ognetboot`.
heard() {
    local scheme host port
    [[ $(told ogentry) =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ && $(told ogstamp) =~ ^[A-Za-z0-9]{1,64}$ ]] &&
        take_apart "${SERVER:-}" && [[ $scheme == http && ${MAC:-} =~ ^[0-9A-Fa-f:]{17}$ ]]
}

# reached WORDS: the head of the server's answer to the report that this PC got to its entry; WORDS are
# more of the query, "&" before each.
reached() {
    local scheme host port mac=${MAC//:/-}
    take_apart "$SERVER"
    exchange "$host" "$port" "GET /netboot/do/reached?mac=${mac^^}&entry=$(told ogentry)$1"
}

# encoded TEXT: as the value of a query.
encoded() {
    local LC_ALL=C text=$1 made='' char code at
    for ((at = 0; at < ${#text}; at++)); do
        char=${text:at:1}
        if [[ $char != [A-Za-z0-9._~-] ]]; then
            printf -v code %d "'$char"
            printf -v char %%%02X "$((code & 255))"
        fi
        made+=$char
    done
    printf %s "$made"
}

# Whether the boot entry has a job that may put other systems on disks: what was known of them before it
# is not known any more. Of a work that is not named here it is believed.
changes_systems() {
    case $(told ogjob) in
    '' | boot:* | create:* | update_cache:* | inventory | inventory:* | configure:* | adapt:*) return 1 ;;
    esac
}
