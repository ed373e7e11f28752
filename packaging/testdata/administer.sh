#!/usr/bin/env bash
# What an administrator does with the service, and finds: a line each.
program() { echo "program: $(ip -details link show outside | grep --only-matching 'prog/xdp' || echo none)"; }
look() { # WHEN
	echo "$1: $(systemctl is-active seawall), $(seawall packets 2>&1 | head -1)"
}
echo "timestamps: $(cat /proc/sys/net/ipv4/tcp_timestamps)"
systemctl start seawall
look "without rights"
grep --only-matching 'the process lacks [A-Z_, ]*[A-Z]' /work/said
cp /usr/share/doc/seawall/examples/packets.conf /etc/systemd/system/seawall.service.d/
systemctl daemon-reload
systemctl restart seawall || systemctl --no-pager --lines=0 status seawall
look "with them"
seawall explain 192.0.2.1 | grep packets
systemctl restart seawall
look restarted
seawall upgrade | sed 's/process [0-9]*/another process/'
look upgraded
seawall explain 192.0.2.1 | grep packets
echo "timestamps: $(cat /proc/sys/net/ipv4/tcp_timestamps)"
systemctl stop seawall
program
seawall packets detach
program
echo "timestamps: $(cat /proc/sys/net/ipv4/tcp_timestamps)"
systemctl exit 0
