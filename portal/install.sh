#!/bin/sh
# Installs perfagent, the agent of PerfAnalysis, on this Linux server:
#
#   curl -fsSL @PORTAL@/install.sh | sudo sh -s -- TOKEN         installs, registers, starts
#   curl -fsSL @PORTAL@/install.sh | sudo sh                     brings the agent up to date
#   curl -fsSL @PORTAL@/install.sh | sudo sh -s -- --uninstall   removes all of it
#
# What it writes: /usr/local/lib/perfagent/ and /usr/local/bin/perfagent (the program), /etc/perfagent/agent.conf (the
# settings with this machine's key, mode 0600), /var/lib/perfagent/ (samples that wait to be sent), and where systemd
# runs /etc/systemd/system/perfagent.service.
#
# Variables: PERFAGENT_CA_FILE (certificate of a private CA), PERFAGENT_MACHINE_ID (instead of the host name),
# PERFAGENT_PREFIX (a folder instead of /; nothing is started then).

set -eu
umask 022

PORTAL=@PORTAL_QUOTED@
SHA256='@SHA256@'

PREFIX=${PERFAGENT_PREFIX:-}
PROGRAM_DIR=$PREFIX/usr/local/lib/perfagent
PROGRAM=$PROGRAM_DIR/perfagent.pyz
COMMAND=$PREFIX/usr/local/bin/perfagent
CONFIG_DIR=$PREFIX/etc/perfagent
CONFIG=$CONFIG_DIR/agent.conf
SPOOL=$PREFIX/var/lib/perfagent
UNIT=$PREFIX/etc/systemd/system/perfagent.service

say() { printf '%s\n' "$*"; }

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# The whole file is read before anything runs: half a download does nothing.
main() {
    [ "$(uname -s)" = Linux ] || fail 'The agent measures Linux only.'
    [ -n "$PREFIX" ] || [ "$(id -u)" -eq 0 ] || fail 'Run it as root: curl … | sudo sh -s -- TOKEN'
    [ $# -le 1 ] || fail 'One argument is expected: TOKEN or --uninstall.'
    case ${1:-} in
        --uninstall) uninstall ;;
        -*) fail "There is no option $1. Expected: TOKEN or --uninstall." ;;
        *) install_agent "${1:-}" ;;
    esac
}

install_agent() {
    is_enrolled || [ -n "$1" ] || fail "This machine is not registered. Make a token on $PORTAL/add"
    PYTHON=$(find_python) || fail 'Python 3.9 or newer is needed (with its standard library): install python3.'
    download
    enrol "$1"
    machine=$(sed -n 's/^machine_id = //p' "$CONFIG")
    say "This machine is $machine."
    if has_systemd; then
        write_unit
        start_service
    else
        explain_run
    fi
    say "Its page: $PORTAL/machines/$machine"
}

# The path of the interpreter itself, not of a shim; some distributions have a python3 without ssl.
USABLE='import sys, ssl, http.client, json, csv; sys.version_info >= (3, 9) or sys.exit(1); print(sys.executable)'

find_python() {
    for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9; do
        path=$(command -v "$name") || continue
        "$path" -c "$USABLE" 2>/dev/null && return
    done
    return 1
}

download() {
    mkdir -p "$PROGRAM_DIR" "${COMMAND%/*}"
    partial=$PROGRAM.part
    trap 'rm -f "$partial"' EXIT
    fetch "$PORTAL/download/perfagent.pyz" "$partial" || fail "$PORTAL/download/perfagent.pyz cannot be downloaded."
    found=$("$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$partial")
    [ "$found" = "$SHA256" ] || fail 'The download does not have the checksum that the portal named; nothing was installed.'
    chmod 755 "$partial"
    mv "$partial" "$PROGRAM"
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$PYTHON" "$PROGRAM" >"$COMMAND"
    chmod 755 "$COMMAND"
    say "Installed $PROGRAM"
}

fetch() {
    if command -v curl >/dev/null; then
        curl -fsSL ${PERFAGENT_CA_FILE:+--cacert "$PERFAGENT_CA_FILE"} -o "$2" "$1"
    else
        wget -q ${PERFAGENT_CA_FILE:+--ca-certificate="$PERFAGENT_CA_FILE"} -O "$2" "$1"
    fi
}

is_enrolled() { [ -f "$CONFIG" ] && grep -q '^key = ' "$CONFIG"; }

# The key goes from the portal's answer into the file; it is in no command line. The token is good for this one use.
enrol() {
    if is_enrolled; then
        grep -qxF "url = $PORTAL" "$CONFIG" || fail "$CONFIG belongs to another portal; run this with --uninstall first."
        say "Registered already: $CONFIG stays as it is."
        return
    fi
    mkdir -p "$CONFIG_DIR"
    (umask 077 && PERFAGENT_CONFIG=$CONFIG && export PERFAGENT_CONFIG &&
        "$PYTHON" "$PROGRAM" enrol "$PORTAL" "$1" >/dev/null) || fail "This machine was not registered; $PROGRAM stays."
    if [ -n "$PREFIX" ]; then
        printf 'spool_dir = %s\n' "$SPOOL" >>"$CONFIG"
    fi
    chmod 600 "$CONFIG"
}

has_systemd() { [ -z "$PREFIX" ] && [ -d /run/systemd/system ]; }

write_unit() {
    sed "s|^ExecStart=/usr/bin/python3 |ExecStart=$PYTHON |" >"$UNIT" <<'UNIT_FILE'
@UNIT@
UNIT_FILE
    version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 247 ] || use_fixed_user
}

# systemd before 247 hands no credentials over: the service gets a user of its own, to whom the settings belong.
use_fixed_user() {
    id perfagent >/dev/null 2>&1 || useradd --system --no-create-home --home-dir "$SPOOL" --shell /sbin/nologin perfagent
    mkdir -p "$SPOOL"
    chmod 700 "$SPOOL"
    chown -R perfagent "$SPOOL" "$CONFIG"
    sed -i -e 's|^DynamicUser=.*|User=perfagent|' -e '/^LoadCredential=/d' \
        -e "s|^Environment=PERFAGENT_CONFIG=.*|Environment=PERFAGENT_CONFIG=$CONFIG|" "$UNIT"
}

start_service() {
    systemctl daemon-reload
    systemctl enable --quiet perfagent
    systemctl restart perfagent
    sleep 2
    systemctl is-active --quiet perfagent || fail 'The service does not stay up. See: journalctl -u perfagent'
    say 'The service perfagent runs. See: systemctl status perfagent'
}

explain_run() {
    if [ -n "$PREFIX" ]; then
        say "Nothing was started. Run it with: PERFAGENT_CONFIG=$CONFIG $COMMAND run"
        return
    fi
    say 'systemd does not run here. Start the agent with your init system, or now with:'
    say "  nohup $COMMAND run >/dev/null 2>&1 &"
    say 'and at every boot with a line in the crontab of root:'
    say "  @reboot $COMMAND run"
}

uninstall() {
    if has_systemd && [ -f "$UNIT" ]; then
        systemctl disable --now --quiet perfagent
    fi
    stop_others
    rm -rf "$PROGRAM_DIR" "$CONFIG_DIR" "$SPOOL" "$PREFIX/var/lib/private/perfagent"
    rm -f "$COMMAND" "$UNIT"
    if has_systemd; then
        systemctl daemon-reload
        ! id perfagent >/dev/null 2>&1 || userdel perfagent
    fi
    say "The agent is removed. Its samples stay in the portal; retire the machine there: $PORTAL/manage/machines"
}

# One that was started by hand: the status file names its process.
stop_others() {
    pid=$(sed -n 's/.*"pid": \([0-9]\{1,\}\).*/\1/p' "$SPOOL/status.json" 2>/dev/null) || return 0
    if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$PROGRAM run"; then
        kill "$pid" || return 0
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            kill -0 "$pid" 2>/dev/null || return 0
            sleep 1
        done
    fi
}

main "$@"
