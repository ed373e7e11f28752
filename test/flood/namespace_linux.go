package flood

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Mark is the alias (ip link set NAME alias) that an interface has to bear for floods to be sent on it.
const Mark = "seawall: floods may be sent here"

// firstNamespace is what the kernel calls the network namespace that it began with, since Linux 6.18.
const firstNamespace = "net:[4026531833]"

var errMachine = errors.New("this is the machine's own network namespace: floods are sent in one that was made for them")

// attackable returns the index of the link's interface, if the calling thread is in a namespace that a test made for floods: out of
// it no packet gets to anybody.
func attackable(link Link) (int, error) {
	here, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return 0, fmt.Errorf("find out which network namespace this is: %w", err)
	}
	first, _ := os.Readlink("/proc/1/ns/net") // not everybody may know, and in a container it is the container's
	if here == firstNamespace || here == first {
		return 0, errMachine
	}
	all, err := interfaces()
	if err != nil {
		return 0, fmt.Errorf("list interfaces: %w", err)
	}
	for _, i := range all {
		if i.up && !i.loopback && i.kind != "veth" {
			return 0, fmt.Errorf("interface %s is neither loopback nor veth: a flood might get out", i.name)
		}
	}
	found := slices.IndexFunc(all, func(i iface) bool { return i.name == link.Interface })
	if found < 0 {
		return 0, errors.New("no such interface in this namespace")
	}
	if all[found].alias != Mark {
		return 0, fmt.Errorf("its alias is %q: want %q", all[found].alias, Mark)
	}
	if got := all[found].address.String(); got != link.From.String() {
		return 0, fmt.Errorf("its address is %s: want %s", got, link.From)
	}
	return all[found].index, nil
}

// An iface is what rtnetlink(7) says of an interface.
type iface struct {
	index             int
	up, loopback      bool
	name, kind, alias string
	address           net.HardwareAddr
}

// interfaces lists those of the calling thread's namespace.
func interfaces() ([]iface, error) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETLINK, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, err
	}
	var all []iface
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWLINK {
			continue
		}
		i, err := parseInterface(&m)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

func parseInterface(m *syscall.NetlinkMessage) (iface, error) {
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return iface{}, err
	}
	// struct ifinfomsg, which the parser has seen to be there: family, padding, type (2), index (4), flags
	flags := binary.NativeEndian.Uint32(m.Data[8:])
	i := iface{index: int(binary.NativeEndian.Uint32(m.Data[4:])), up: flags&unix.IFF_UP != 0, loopback: flags&unix.IFF_LOOPBACK != 0}
	for _, a := range attributes {
		switch a.Attr.Type {
		case unix.IFLA_IFNAME:
			i.name = text(a.Value)
		case unix.IFLA_IFALIAS:
			i.alias = text(a.Value)
		case unix.IFLA_ADDRESS:
			i.address = a.Value
		case unix.IFLA_LINKINFO:
			i.kind = kindOf(a.Value)
		}
	}
	return i, nil
}

// kindOf finds the kind among nested attributes: length (2), type (2), value, and padding to 4 bytes.
func kindOf(b []byte) string {
	for len(b) >= unix.SizeofRtAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtAttr || length > len(b) {
			return ""
		}
		if binary.NativeEndian.Uint16(b[2:]) == unix.IFLA_INFO_KIND {
			return text(b[unix.SizeofRtAttr:length])
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return ""
}

func text(b []byte) string { return strings.TrimRight(string(b), "\x00") }
