package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Receiver is the kernel's thread that takes packets off an interface.
type Receiver struct {
	thread    int
	host      *Host
	Interface string
}

// Received is what a receiver has done since there was one.
type Received struct {
	CPU     time.Duration // of its thread
	Packets int           // that arrived at the interface, be they dropped by a program on it or not
	Dropped int           // for want of room between sender and receiver
}

// Receiver returns the thread that receives at the server. Its time, which the scheduler counts in nanoseconds, is all that a packet
// costs until it is dropped, or until the kernel has answered it and handed the answer over to the other end of the cable, or it
// waits in a socket: XDP, netfilter, IP, TCP's handshakes. What is not in there: timers (SYN-ACKs that are sent again), the
// server program's system calls, and what the sender pays to hand a packet over, which on real hardware the network card would do.
func (l *Lab) Receiver() (*Receiver, error) { return l.Server.receiver() }

// Answers returns the thread that receives what the server sends, for attacker and visitors.
func (l *Lab) Answers() (*Receiver, error) { return l.Attacker.receiver() }

func (h *Host) receiver() (*Receiver, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil, err
	}
	for _, file := range names {
		name, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(name), "napi/"+h.Interface+"-") {
			thread, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return &Receiver{thread, h, h.Interface}, err
		}
	}
	return nil, fmt.Errorf("no thread receives at %s: does the kernel have threaded NAPI?", h.Interface)
}

// Pin keeps the receiver to one core, and puts it before programs there, as the interrupts are that it stands for.
func (r *Receiver) Pin(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return errors.Join(unix.SchedSetaffinity(r.thread, &set), unix.Setpriority(unix.PRIO_PROCESS, r.thread, -20))
}

// Read tells what it has done so far.
func (r *Receiver) Read() (Received, error) {
	schedule, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", r.thread))
	if err != nil {
		return Received{}, err
	}
	first, _, _ := strings.Cut(string(schedule), " ") // time on a core in ns, time waiting for one, turns
	ran, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return Received{}, fmt.Errorf("schedstat %q: %w", schedule, err)
	}
	counters, err := r.host.Get("net/dev")
	if err != nil {
		return Received{}, err
	}
	received, err := parseCounters(counters, r.Interface)
	received.CPU = time.Duration(ran)
	return received, err
}

// parseCounters reads /proc/net/dev: NAME: bytes packets errors dropped …
func parseCounters(text, name string) (Received, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[0] != name+":" {
			continue
		}
		packets, err1 := strconv.Atoi(fields[2])
		dropped, err2 := strconv.Atoi(fields[4])
		return Received{Packets: packets, Dropped: dropped}, errors.Join(err1, err2)
	}
	return Received{}, fmt.Errorf("no counters of %s", name)
}

// Since is what was done after an earlier reading.
func (r Received) Since(earlier Received) Received {
	return Received{r.CPU - earlier.CPU, r.Packets - earlier.Packets, r.Dropped - earlier.Dropped}
}

// Separate keeps the server's receiver to one core, and the attacker's, which has the answers, to another.
func (l *Lab) Separate(server, others int) error {
	for _, end := range []struct {
		host *Host
		core int
	}{{l.Server, server}, {l.Attacker, others}} {
		r, err := end.host.receiver()
		if err == nil {
			err = r.Pin(end.core)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Cores chooses one for the server and another for everybody else, of those that this process may use.
func Cores() (server, others int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, 0, err
	}
	var cores []int
	for i := 0; len(cores) < set.Count(); i++ {
		if set.IsSet(i) {
			cores = append(cores, i)
		}
	}
	if len(cores) < 2 {
		return 0, 0, errors.New("two cores are needed, one of them for the server")
	}
	return cores[0], cores[1], nil
}
