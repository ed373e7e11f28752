#!/usr/bin/env bash
# A machine for the package alone, as process 1 of namespaces that were made for it:
#
#	unshare --pid --mount --cgroup --uts --ipc --net --fork --kill-child machine.sh PACKAGE WORK
#
# Its root is this machine's with a layer on top that goes with it. It installs the files of the folder PACKAGE, and becomes systemd, which runs
# administer.sh. What that finds and what the service says is left in the folder WORK.
set -euo pipefail
package=$1 work=$2
cd "$(dirname "${BASH_SOURCE[0]}")"
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $root

mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount -t bpf -o nosuid,nodev,noexec,mode=0700 bpf $root/sys/fs/bpf # as systemd does where it is not in a container
for folder in run dev; do mount -t tmpfs -o mode=0755 tmpfs $root/$folder; done
mount -t tmpfs tmpfs $root/tmp
while read -r device numbers; do
	mknod -m 0666 $root/dev/"$device" c $numbers # shellcheck disable=SC2086 # two of them
done <<<$'null 1 3\nzero 1 5\nfull 1 7\nrandom 1 8\nurandom 1 9\ntty 5 0'
mkdir $root/dev/shm $root/dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
# Of this machine's parameters none is changed, but for those that the network namespace has of its own.
mount --bind $root/proc/sys $root/proc/sys
mount --bind $root/proc/sys/net $root/proc/sys/net
mount -o remount,bind,ro $root/proc/sys

ip link set lo up
ip link add outside type veth peer name inside
ip address add 198.18.0.1/24 dev outside
ip link set outside up
ip link set inside up

cp -a "$package"/* $root/
etc=$root/etc/systemd/system
systemd-sysusers --root=$root $root/usr/lib/sysusers.d/seawall.conf
chroot $root chgrp -R seawall /etc/seawall
printf 'node:\n  deny: [192.0.2.0/24]\n  packets: {interfaces: [outside]}\nzones_folder: zones.d\n' >$root/etc/seawall/seawall.yaml
mkdir -p $etc/seawall.service.d $root/work
cp administer.sh "$work/"
mount --bind "$work" $root/work
printf '[Unit]\nDefaultDependencies=no\nWants=\nAfter=\n[Service]\nStandardOutput=append:/work/said\nStandardError=append:/work/said\n' >$etc/seawall.service.d/alone.conf
printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/usr/bin/bash /work/administer.sh\nStandardOutput=append:/work/found\nStandardError=append:/work/found\n' >$etc/administer.service
printf '[Unit]\nDefaultDependencies=no\nWants=administer.service\n' >$etc/alone.target

cd $root
mkdir -p old
pivot_root . old
umount --lazy /old
exec env --ignore-environment container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/usr/lib/systemd/systemd --system --unit=alone.target --log-target=console --show-status=no
