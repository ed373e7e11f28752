package xdp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/seawall/seawall/internal/packet"
)

// A Mode is where in the path of a packet the program runs.
type Mode string

// Modes.
const (
	Auto    Mode = "auto"    // native, or generic where the driver can't, or drops answers
	Native  Mode = "native"  // in the driver, before the kernel makes a buffer of its own
	Generic Mode = "generic" // behind it: slower, with any driver
)

var flagsOf = map[Mode]link.XDPAttachFlags{Native: link.XDPDriverMode, Generic: link.XDPGenericMode}

// Attached says where the program runs. Where it has been detached by others, or the interface is gone, it does not.
func (f *Filter) Attached() []packet.Attachment {
	f.attaching.Lock()
	defer f.attaching.Unlock()
	out := make([]packet.Attachment, 0, len(f.attached))
	for _, a := range f.attached {
		if running(a.link) {
			out = append(out, packet.Attachment{Interface: a.name, Mode: "xdp, " + string(a.mode)})
		}
	}
	return out
}

// detached tells whether the program runs nowhere any more.
func (f *Filter) detached() bool {
	f.attaching.Lock()
	defer f.attaching.Unlock()
	return len(f.attached) > 0 && !slices.ContainsFunc(f.attached, func(a attachment) bool { return running(a.link) })
}

// attachAll puts the program on each interface. Where an older one is pinned, it takes its place between two packets.
func (f *Filter) attachAll() error {
	if f.options.Pins != "" {
		if err := f.dropOthers(); err != nil {
			return err
		}
	}
	for _, name := range f.options.Interfaces {
		a, err := f.attach(name)
		if err != nil {
			return fmt.Errorf("attaching to %s: %w", name, err)
		}
		f.attached = append(f.attached, a)
	}
	return nil
}

// reattach puts the program on interfaces that were gone and have come back. Where Detach has ended it, there is no pin.
func (f *Filter) reattach() error {
	f.attaching.Lock()
	defer f.attaching.Unlock()
	var errs []error
	for i, a := range f.attached {
		if running(a.link) {
			continue
		}
		_, gone := net.InterfaceByName(a.name)
		_, ended := os.Stat(f.linkPath(a.name, a.mode))
		if gone != nil || ended != nil {
			continue
		}
		again, err := f.attach(a.name)
		if err != nil {
			errs = append(errs, fmt.Errorf("attaching to %s again: %w", a.name, err))
			continue
		}
		errs = append(errs, a.link.Close())
		f.attached[i] = again
	}
	return errors.Join(errs...)
}

func (f *Filter) attach(name string) (attachment, error) {
	itf, err := net.InterfaceByName(name)
	if err != nil {
		return attachment{}, err
	}
	modes := []Mode{f.options.Mode}
	switch {
	case f.options.Mode != Auto && f.options.Mode != "":
	case swallows(name):
		modes = []Mode{Generic}
	default:
		modes = []Mode{Native, Generic}
	}
	for _, mode := range modes {
		if l := f.takeOver(name, mode, itf.Index); l != nil {
			return attachment{name, mode, l}, nil
		}
	}
	var errs []error
	for _, mode := range modes {
		l, err := link.AttachXDP(link.XDPOptions{Program: f.objects.Filter, Interface: itf.Index, Flags: flagsOf[mode]})
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", mode, err))
			if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) { // in this mode, or in the other
				errs = append(errs, fmt.Errorf("another program is there: ip -details link show %s tells which", name))
			}
			continue
		}
		if err := f.pin(l, name, mode); err != nil {
			return attachment{}, errors.Join(err, l.Close())
		}
		return attachment{name, mode, l}, nil
	}
	return attachment{}, errors.Join(errs...)
}

// swallows tells whether what a native program answers may not arrive. One side of a veth pair leaves it in the other's ring for as long as there
// is no XDP program on that side, too (veth_xdp_flush): a container's visitors would be lost as soon as cookies begin.
func swallows(name string) bool {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(s) }()
	info, err := unix.IoctlGetEthtoolDrvinfo(s, name)
	return err == nil && unix.ByteSliceToString(info.Driver[:]) == "veth"
}

// takeOver has a pinned link run this program; nil if there is none, or its interface is gone.
func (f *Filter) takeOver(name string, mode Mode, index int) link.Link {
	if f.options.Pins == "" {
		return nil
	}
	path := f.linkPath(name, mode)
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return nil
	}
	if info, err := l.Info(); err == nil && info.XDP() != nil && int(info.XDP().Ifindex) == index && l.Update(f.objects.Filter) == nil {
		return l
	}
	_ = l.Unpin()
	_ = l.Close()
	return nil
}

const linksName = "links"

func (f *Filter) linksDir() string { return filepath.Join(f.options.Pins, linksName) }

func (f *Filter) linkPath(name string, mode Mode) string {
	return filepath.Join(f.linksDir(), string(mode)+":"+name)
}

func (f *Filter) pin(l link.Link, name string, mode Mode) error {
	if f.options.Pins == "" {
		return nil
	}
	if err := os.MkdirAll(f.linksDir(), 0o700); err != nil {
		return fmt.Errorf("making the folder for pins: %w", err)
	}
	return l.Pin(f.linkPath(name, mode))
}

// dropOthers detaches from interfaces that are no longer wanted, or wanted in another mode.
func (f *Filter) dropOthers() error {
	entries, err := os.ReadDir(f.linksDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		keep := slices.ContainsFunc(f.options.Interfaces, func(name string) bool {
			for mode := range flagsOf {
				if f.linkPath(name, mode) == filepath.Join(f.linksDir(), e.Name()) {
					return f.options.Mode == Auto || f.options.Mode == "" || f.options.Mode == mode
				}
			}
			return false
		})
		if keep {
			continue
		}
		if err := os.Remove(filepath.Join(f.linksDir(), e.Name())); err != nil {
			return fmt.Errorf("detaching: %w", err)
		}
	}
	return nil
}

// Detach removes all that a Filter with these pins has left in the kernel, whether or not its process lives, and gives the sysctls back
// the values that they had. It is no error if there is nothing.
func Detach(pins string) error {
	if _, err := os.Stat(pins); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{detachLinks(filepath.Join(pins, linksName))} // first: who tends it then changes sysctls no more
	s, err := openSysctls(pins)
	if err == nil {
		err = s.close(true)
	}
	errs = append(errs, err)
	// A map lasts as long as its pin or a program that uses it.
	for _, dir := range []string{linksName, "maps-" + layout} {
		errs = append(errs, os.RemoveAll(filepath.Join(pins, dir)))
	}
	if err := errors.Join(append(errs, os.RemoveAll(pins))...); err != nil {
		return fmt.Errorf("detaching the packet filter: %w", err)
	}
	return nil
}

// detachLinks has the pinned links run nothing any more, even if a process holds them.
func detachLinks(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		l, err := link.LoadPinnedLink(filepath.Join(dir, e.Name()), nil)
		if err == nil {
			err = errors.Join(l.Unpin(), l.Detach(), l.Close()) // in this order: what has no pin is not attached again
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// running tells whether a link has its program on an interface still: it has none when Detach was called, or the interface is gone.
func running(l link.Link) bool {
	info, err := l.Info()
	return err == nil && info.XDP() != nil && info.XDP().Ifindex != 0
}
