# SPDX-License-Identifier: GPL-3.0-or-later
# For the scripts beside it: what the boot line says, and the sentences in the screen's language (TEXTS
# of boot.env, which the first stage found in LANG=).
# shellcheck shell=bash

# told NAME: the value of a kernel parameter, the last one as in the kernel; text that nobody has judged.
told() {
    local words=() word value=
    read -r -d '' -a words < "${OGLIVE_CMDLINE:-/proc/cmdline}" || : # read reports the end of the file
    for word in "${words[@]}"; do
        [[ $word != "$1="* ]] || value=${word#*=}
    done
    printf '%s' "$value"
}

# shellcheck source=/dev/null
case ${TEXTS-} in
es | ca) source "${BASH_SOURCE[0]%/*}/texts/$TEXTS" ;;
*) source "${BASH_SOURCE[0]%/*}/texts/en" ;;
esac

# text NAME WORD...: the sentence of that name with the words in it.
text() {
    local format=T_$1
    shift
    # shellcheck disable=SC2059
    printf -- "${!format}" "$@"
}
