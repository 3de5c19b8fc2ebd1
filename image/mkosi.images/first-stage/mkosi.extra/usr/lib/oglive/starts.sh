# SPDX-License-Identifier: GPL-3.0-or-later
# How often in a row ogLive failed to start on this PC, and what comes after the third time: the system
# on its own disk. Nothing of ogLive survives a restart but the UEFI firmware's variables, so the number
# is one of them, and a PC with a BIOS restarts for as long as its boot entry says ogLive. Read by the
# first stage and, from the copy that it leaves there, by the runtime. Says nothing; never fails.
# shellcheck shell=sh disable=SC2059

STARTS_MOST=3
EFIVARS=${EFIVARS:-/sys/firmware/efi/efivars}
GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c
# In the namespace in which Linux keeps what it says when it dies: the only one, beside the firmware's
# own, whose variables it lets be written over and removed.
STARTS=$EFIVARS/OgliveFailedStarts-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0

# hex FILE: its bytes as lower-case digits; no such file, no digits.
hex() { [ ! -f "$1" ] || od -An -v -tx1 -N4096 "$1" 2> /dev/null | tr -d ' \n'; }

# put FILE HEX...: bytes behind the attributes of a variable that is kept without power and seen before
# and after a system starts, in one write as the kernel wants it; whether it is so when read again.
put() {
    variable=$1 format='\007\000\000\000' wanted=07000000
    shift
    for byte in "$@"; do
        format="$format\\$(printf %03o "0x$byte")" wanted=$wanted$byte
    done
    { printf "$format" > "$variable"; } 2> /dev/null
    [ "$(hex "$variable")" = "$wanted" ]
}

# Prints how many starts failed up to and with this one; nothing where that cannot be kept.
starts_failed() {
    [ -d "$EFIVARS" ] || return 0
    before=$(hex "$STARTS")
    case $before in
    '') count=1 ;;
    0700000001) count=2 ;;
    *) count=$STARTS_MOST ;; # too many, or not our number: the disk sooner than for ever
    esac
    ! put "$STARTS" "0$count" || echo "$count"
}

starts_forget() { [ ! -e "$STARTS" ] || rm -f "$STARTS" 2> /dev/null || :; }

# Prints the number of the first active entry of the boot order that is a file on a disk's partition.
disk_entry() {
    order=$(hex "$EFIVARS/BootOrder-$GLOBAL")
    order=${order#????????}
    while [ "${#order}" -ge 4 ]; do
        next=${order#????} low=${order%??"$next"}
        high=${order%"$next"} high=${high#??} order=$next
        number=$(printf %s "$high$low" | tr a-f A-F)
        entry=$(hex "$EFIVARS/Boot$number-$GLOBAL")
        case ${entry#????????} in
        # active; behind the name's end a device path that begins with a partition (4, 1, 42 bytes)
        [0-9a-f][13579bdf]*000004012a00*)
            echo "$number"
            return 0
            ;;
        esac
    done
    return 1
}

# start_disk_next NUMBER: the next start alone takes this entry; and the count begins anew.
start_disk_next() {
    number=$(printf %s "$1" | tr A-F a-f)
    put "$EFIVARS/BootNext-$GLOBAL" "${number#??}" "${number%??}" && starts_forget
}
