package flood_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

var server = netip.MustParseAddrPort("198.18.0.1:443")

// arrived is how many packets the host has had.
func arrived(t *testing.T, h *lab.Host, name string) int {
	t.Helper()
	text, err := h.Get("net/dev")
	if err != nil {
		t.Fatal(err)
	}
	var bytes, packets int
	_, after, found := strings.Cut(text, name+":")
	if _, err := fmt.Sscan(after, &bytes, &packets); err != nil || !found {
		t.Fatalf("no counters of %s in %q: %v", name, text, err)
	}
	return packets
}

// TestMachine: in the machine's own namespace nothing is sent, whatever the interface is called.
func TestMachine(t *testing.T) {
	if here, _ := os.Readlink("/proc/self/ns/net"); here != "net:[4026531833]" {
		t.Skipf("the tests run in a network namespace already, or before Linux 6.18: %s", here)
	}
	const want = "send on lo: this is the machine's own network namespace: floods are sent in one that was made for them"
	link := flood.Link{Interface: "lo", From: make([]byte, 6), To: make([]byte, 6)}
	sent, err := flood.Send(t.Context(), link, flood.Plan{Kind: "syn", Target: server, Packets: 1})
	if err == nil || err.Error() != want || sent.Packets != 0 {
		t.Errorf("got %d packets, %v; want none, %s", sent.Packets, err, want)
	}
}

// TestNamespace: a namespace has to be marked, and to lead nowhere.
func TestNamespace(t *testing.T) {
	l := lab.For(t)
	plan := flood.Plan{Kind: "syn", Target: server, Packets: 10}
	send := func(h *lab.Host, link flood.Link) error {
		return h.Do(func() error {
			_, err := flood.Send(t.Context(), link, plan)
			return err
		})
	}
	unmarked := flood.Link{Interface: l.Management.Interface, From: l.Management.MAC, To: l.Server.MAC}
	want := fmt.Sprintf(`send on %s: its alias is "": want "seawall: floods may be sent here"`, unmarked.Interface)
	if err := send(l.Management, unmarked); err == nil || err.Error() != want {
		t.Errorf("unmarked: got %v, want %s", err, want)
	}
	wrong := l.Link()
	wrong.From = l.Server.MAC
	want = fmt.Sprintf("send on %s: its address is %s: want %s", wrong.Interface, l.Attacker.MAC, l.Server.MAC)
	if err := send(l.Attacker, wrong); err == nil || err.Error() != want {
		t.Errorf("in another's name: got %v, want %s", err, want)
	}
	before := arrived(t, l.Server, l.Server.Interface)
	if _, err := l.Attacker.Run(t.Context(), "", "ip", "link", "add", "out", "up", "type", "bridge"); err != nil {
		t.Fatal(err)
	}
	want = fmt.Sprintf("send on %s: interface out is neither loopback nor veth: a flood might get out", l.Link().Interface)
	if err := send(l.Attacker, l.Link()); err == nil || err.Error() != want {
		t.Errorf("with a way out: got %v, want %s", err, want)
	}
	if got := arrived(t, l.Server, l.Server.Interface) - before; got != 0 {
		t.Errorf("after refusals the server has %d packets, want none", got)
	}
}

// TestSend: what is sent arrives, at the plan's rate and not for longer than the plan says.
func TestSend(t *testing.T) {
	l := lab.For(t)
	tests := []struct {
		name        string
		plan        flood.Plan
		least, most int
	}{
		{"by number", flood.Plan{Packets: 150}, 150, 150},
		{"by time", flood.Plan{Rate: 10_000, Lasting: 200 * time.Millisecond}, 1000, 2000}, // less if the machine is busy
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.plan.Kind, tt.plan.Target = "syn-varied", server
			before := arrived(t, l.Server, l.Server.Interface)
			sent, err := l.Flood(t.Context(), tt.plan)
			if err != nil {
				t.Fatal(err)
			}
			if sent.Packets < tt.least || sent.Packets > tt.most || sent.Bytes < 54*sent.Packets {
				t.Errorf("got %+v, want %d to %d packets", sent, tt.least, tt.most)
			}
			for end := time.Now().Add(5 * time.Second); ; { // the receiver is a thread of its own
				got := arrived(t, l.Server, l.Server.Interface) - before
				if got >= sent.Packets {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("%d packets arrived of %d", got, sent.Packets)
				}
			}
		})
	}
}

// TestProgram: the command does the same in the namespace that it is started in.
func TestProgram(t *testing.T) {
	l := lab.For(t)
	program := t.TempDir() + "/flood"
	if out, err := exec.Command("go", "build", "-o", program, "./cmd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	link := l.Link()
	args := flood.Args(link, flood.Plan{
		Kind: "mixed", Target: server, Packets: 100, Lasting: time.Second, Seed: 3, VLAN: []uint16{7, 8},
		Sources: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("192.0.2.0/24")},
	})
	out, err := l.Attacker.Run(t.Context(), "", program, args...)
	if err != nil {
		t.Fatal(err)
	}
	var sent flood.Sent
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.Packets != 100 {
		t.Errorf("got %q, %v; want 100 packets", out, err)
	}
	outside := exec.Command(program, args...)
	var said bytes.Buffer
	outside.Stderr = &said
	if err := outside.Run(); err == nil || !strings.HasPrefix(said.String(), "flood: send on "+link.Interface+": ") {
		t.Errorf("outside the lab: got %v, %q; want it to refuse", err, said.String())
	}
}

// BenchmarkSend is a flood from one core to a server that drops it at once: it bears the tag of a network that is not there.
func BenchmarkSend(b *testing.B) {
	l := lab.For(b)
	for _, kind := range []string{"syn", "syn-varied", "ntp", "quic", flood.Mixed} {
		b.Run(kind, func(b *testing.B) {
			plan := flood.Plan{Kind: kind, Target: server, VLAN: []uint16{7}, Packets: b.N}
			sent, err := l.Flood(b.Context(), plan)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(sent.Packets)/sent.Elapsed.Seconds(), "packets/s")
			b.ReportMetric(float64(sent.Refused)/sent.Elapsed.Seconds(), "refused/s")
		})
	}
}
