# Installs, starts, upgrades, removes and purges the Debian package in a throw-away copy of this system: an
# overlay in a mount and a network namespace of our own, which go with this shell.
# Arguments: a folder to mount over, busybox, two packages of which the second is newer.
room=$1 busybox=$2 first=$3 second=$4
passed=0 failed=0
log=$room/log

mount -t tmpfs room "$room"
mkdir "$room/upper" "$room/work" "$room/root"
mount -t overlay -o "lowerdir=/,upperdir=$room/upper,workdir=$room/work" room "$room/root"
for folder in proc sys dev; do mount --rbind "/$folder" "$room/root/$folder"; done
mount -t tmpfs run "$room/root/run"
"$busybox" ip link set lo up

within() { chroot "$room/root" "$@"; }

# A test: its name, and what has to succeed.
check() {
    name=$1
    shift
    if ("$@") >"$log" 2>&1; then
        echo "test package::$name ... ok"
        passed=$((passed + 1))
    else
        echo "test package::$name ... FAILED"
        echo "---- package::$name ----"
        cat "$log"
        failed=$((failed + 1))
    fi
}

configuration=/etc/queue-trace/queue-trace.toml

installs() {
    set -e
    within dpkg --install "$first"
    within queue-trace --version
    within test -f "$configuration"
    within sh -c 'gzip --test /usr/share/man/man1/queue-trace*.gz'
    within bash -n /usr/share/bash-completion/completions/queue-trace
    within test -s /usr/share/zsh/vendor-completions/_queue-trace
    within test -s /usr/share/fish/vendor_completions.d/queue-trace.fish
}

configuration_is_right() { within queue-trace serve --check-config --config "$configuration"; }

unit_is_right() {
    set -e
    within systemd-analyze verify --man=no /usr/lib/systemd/system/queue-trace.service
    within systemd-analyze security --no-pager --offline=yes --threshold=33 \
        /usr/lib/systemd/system/queue-trace.service
}

# As the unit starts it, but by polling: this kernel need not let anything be traced.
starts() {
    set -e
    command=$(sed -n 's/^ExecStart=//p' "$room/root/usr/lib/systemd/system/queue-trace.service")
    # Words are meant to be split.
    chroot "$room/root" $command --attach poll &
    daemon=$!
    tries=0
    until "$busybox" wget -q -O "$room/answer" http://127.0.0.1:9846/-/ready; do
        tries=$((tries + 1))
        [ $tries -lt 100 ]
        kill -0 $daemon
        sleep 0.1
    done
    "$busybox" wget -q -O "$room/answer" http://127.0.0.1:9846/metrics
    grep -q '^queuetrace_build_info' "$room/answer"
    kill -TERM $daemon
    wait $daemon
}

upgrades() {
    set -e
    echo '# ours' >>"$room/root$configuration"
    within dpkg --install "$second"
    [ "$(within dpkg-query --show --showformat '${Version}' queue-trace)" != "$(dpkg-deb --field "$first" Version)" ]
    within grep -q '^# ours' "$configuration"
    within queue-trace --version
}

removes() {
    set -e
    within dpkg --remove queue-trace
    within test ! -e /usr/bin/queue-trace
    within test ! -e /usr/lib/systemd/system/queue-trace.service
    within test -f "$configuration"
}

purges() {
    set -e
    within dpkg --purge queue-trace
    within test ! -e /etc/queue-trace
    within test ! -e /usr/share/doc/queue-trace
    within test ! -e /etc/systemd/system/multi-user.target.wants/queue-trace.service
}

check installs installs
check configuration configuration_is_right
check unit unit_is_right
check starts starts
check upgrades upgrades
check removes removes
check purges purges
[ $failed = 0 ] && verdict=ok || verdict=FAILED
echo "test result: $verdict. $passed passed; $failed failed; 0 ignored; 0 measured; 0 filtered out"
[ $failed = 0 ]
