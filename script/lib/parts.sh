# shellcheck shell=bash
# What script/cluster and script/monitoring have in common: parts, which are processes that run on without the script, with
# all that they have in one folder, $data. Each part NAME has there its NAME.pid, NAME.address and NAME.log.
#
# Who reads this file gives for each kind of part: make_KIND NAME, all that it needs for its start, called unless is_made KIND
# NAME; run_KIND NAME, which spawns it; is_ready_KIND NAME: may it be used?; mark_KIND NAME, an argument by which its process is
# known; and its entries in the tables start_limit, stop_limit (seconds) and stop_signal.

me=script/$(basename "$0")

die() {
    echo "$me: $1" >&2
    exit "${2:-1}"
}

# Asking

# The answer to a GET: its status, then its lines. Fails if there is none within two seconds. The token is in no argument, since
# others can see those. Who cannot have the body in chunks says http_version=1.0.
http_get() { # ADDRESS PATH [TOKEN]
    local lines="GET $2 HTTP/${http_version:-1.1}"$'\r\n'"Host: $1"$'\r\n'"${3:+Authorization: Bearer $3$'\r\n'}Connection: close"$'\r\n\r\n'
    export -f talk
    REQUEST=$lines timeout 2 bash -c "talk ${1%:*} ${1##*:}" 2>/dev/null
}
talk() { # HOST PORT
    local status
    exec 3<>"/dev/tcp/$1/$2" && printf %s "$REQUEST" >&3 && read -r _ status _ <&3 && echo "$status" && cat <&3
}

wait_until() { # SECONDS CONDITION...
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

# The folder

address_of() { head -n1 "$data/$1.address"; }
port_of() { address_of "$1" | cut -d: -f2; }

# A port that nobody listens at and that is no other part's. Below 32768 the kernel gives it to nobody who asks for any.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((15000 + SRANDOM % 17000))
        if ! grep -qx ".*:$port" "$data"/*.address 2>/dev/null && ! is_taken $port; then
            echo $port
            return
        fi
    done
    die "there is no free port"
}
is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A file gets its name when all of it is there.
save() { # FILE
    cat >"$1.new"
    mv "$1.new" "$1"
}

lock() {
    exec 9>"$data/lock"
    flock -w 120 9 || die "another $me is at work in $data"
}

# The parts

kind_of() { echo "${1%%[0-9]*}"; }

# Runs on without this script, without its terminal, and with none of its settings; in the folder $run_in, if one is set.
spawn() { # NAME COMMAND...
    local name=$1
    shift
    (
        cd "${run_in:-/}"
        exec </dev/null >>"$data/$name.log" 2>&1 9>&-
        exec setsid env -i PATH="$PATH" LC_ALL=C.UTF-8 "$@"
    ) &
    echo $! >"$data/$name.pid"
}

pid_of() { cat "$data/$1.pid" 2>/dev/null; }

# Is the process that was started still there? A number may be somebody else's by now, so its arguments must have our mark.
is_running() { # NAME
    local pid arguments mark
    pid=$(pid_of "$1") || return
    mark=$("mark_$(kind_of "$1")" "$1")
    mapfile -d '' -t arguments 2>/dev/null <"/proc/$pid/cmdline" || return
    [[ " ${arguments[*]} " == *" $mark "* ]]
}

has_ended() { ! is_running "$1"; }

start_part() { # NAME
    local name=$1 kind
    kind=$(kind_of "$name")
    ! is_running "$name" || return 0
    is_made "$kind" "$name" || "make_$kind" "$name"
    "run_$kind" "$name"
    # Ready, or at its end already, which nobody needs to wait for.
    is_decided() { "is_ready_$kind" "$name" 2>/dev/null || ! kill -0 "$(pid_of "$name")" 2>/dev/null; }
    if ! wait_until "${start_limit[$kind]}" is_decided || has_ended "$name"; then
        tail -n 5 "$data/$name.log" >&2
        die "$name does not start; see $data/$name.log"
    fi
}

end_part() { # NAME [SIGNAL]
    local name=$1 kind pid children
    kind=$(kind_of "$name")
    is_running "$name" || return 0
    pid=$(pid_of "$name")
    children=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
    kill -s "${2:-${stop_signal[$kind]}}" "$pid" 2>/dev/null || true
    kill -s CONT "$pid" 2>/dev/null || true # should somebody have stopped it
    if ! wait_until "${stop_limit[$kind]}" has_ended "$name"; then
        echo "$name does not end in ${stop_limit[$kind]} s: SIGKILL" >&2
        kill -s KILL "$pid" 2>/dev/null || true
        wait_until 10 has_ended "$name" || die "$name, process $pid, does not end"
    fi
    # PostgreSQL's processes end by themselves when they see that their parent has.
    have_ended() { local child; for child in $children; do [ ! -e "/proc/$child" ] || return 1; done; }
    wait_until 10 have_ended || die "processes of $name do not end: $children"
    rm -f "$data/$name.pid"
}

usage() {
    sed -n '2,/^set /s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
