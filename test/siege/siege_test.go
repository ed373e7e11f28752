package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/seawall/seawall/test/flood"
	"github.com/seawall/seawall/test/flood/lab"
)

// programFolder is the environment's name for where tests find Seawall's program, or build it.
const programFolder = "SIEGE_PROGRAM_FOLDER"

// TestMain is the server and the attacker, too, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == serving || os.Args[1] == attacking) {
		main()
		return
	}
	folder, err := os.MkdirTemp("", "siege-")
	if err == nil {
		err = os.Setenv(programFolder, folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "siege:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// TestContenders: who denies sources answers none of their SYNs, over IPv4 and IPv6; who does not, answers.
func TestContenders(t *testing.T) {
	answering := map[string]bool{"bare": true, "cookies": true, "iptables-raw": false, "conntrack": false, "nft": true, "nft-denied": false, "xdp": true, "xdp-denied": false}
	for _, c := range contenders() {
		if c.mode != "" { // a node: see TestFloods
			continue
		}
		for _, s := range []siege{{}, {ipv6: true}} {
			t.Run(fmt.Sprint(c.name, " IPv6 ", s.ipv6), func(t *testing.T) {
				l := lab.For(t)
				if err := c.prepare(t.Context(), l, s.sources()); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Server.Listen(t.Context(), "tcp", fmt.Sprintf(":%d", port)); err != nil {
					t.Fatal(err)
				}
				target := netip.AddrPortFrom(l.Server.IPv4[0], port)
				if s.ipv6 {
					target = netip.AddrPortFrom(l.Server.IPv6[0], port)
				}
				answers, server := counter(t, l.Answers), counter(t, l.Receiver)
				before := answers()
				const n = 100
				if _, err := l.Flood(t.Context(), flood.Plan{Kind: "syn", Target: target, Sources: s.sources(), Packets: n}); err != nil {
					t.Fatal(err)
				}
				want, ok := answering[c.name]
				if !ok {
					t.Fatal("does it answer?")
				}
				got := 0
				for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
					arrived := server() >= n
					if got = answers() - before; arrived && (got >= n/2) == want {
						break
					}
				}
				if (got >= n/2) != want || !want && got > n/10 {
					t.Errorf("the attacker had %d packets after %d SYNs, want answers: %v", got, n, want)
				}
			})
		}
	}
}

// counter tells how many packets a receiver has had.
func counter(t *testing.T, end func() (*lab.Receiver, error)) func() int {
	t.Helper()
	r, err := end()
	if err != nil {
		t.Fatal(err)
	}
	return func() int {
		now, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		return now.Packets
	}
}

// TestRun is a whole siege, a short one.
func TestRun(t *testing.T) {
	if err := lab.Unavailable(); err != nil {
		t.Skip(err)
	}
	if _, _, err := lab.Cores(); err != nil {
		t.Skip(err)
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, []string{"-rounds", "1", "-lasting", "200ms", "-rate", "5000", "-floods", "ntp", "cookies", "iptables-raw"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^ *contender +quiet +kept +of quiet +failed`,
		`(?m)^siege cookies ntp kept [0-9.]+ failed 0 p99-us [1-9][0-9]* ns-a-packet [1-9][0-9]* programs-percent [0-9.]+ first-ms - operator-failed 0$`,
		`(?m)^siege iptables-raw ntp kept [0-9.]+ failed 0 p99-us [1-9][0-9]* ns-a-packet [1-9][0-9]* programs-percent [0-9.]+ first-ms - operator-failed 0$`,
	} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("got\n%s\nwant %s", &out, want)
		}
	}
}

func TestArguments(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"nobody"}, `no contender is called "nobody"`},
		{[]string{"-floods", "syn,smurf"}, `no flood is called "smurf"`},
		{[]string{"-lasting", "1h"}, "-lasting 1h0m0s: want 100ms to 10s"},
		{[]string{"-rounds", "0"}, "-rounds 0: want 1 to 9"},
	}
	for _, tt := range tests {
		if err := run(t.Context(), &bytes.Buffer{}, tt.args); err == nil || err.Error() != tt.want {
			t.Errorf("%v: got %v, want %s", tt.args, err, tt.want)
		}
	}
}

func TestMedian(t *testing.T) {
	outcomes := []outcome{{alone: lab.Received{CPU: 300, Packets: 1}}, {alone: lab.Received{CPU: 100, Packets: 1}}, {alone: lab.Received{CPU: 200, Packets: 1}}}
	if got := median(outcomes, outcome.each); got != 200 {
		t.Errorf("got %v of 300, 100, 200; want 200", got)
	}
	if got := median(outcomes[:2], outcome.each); got != 300 {
		t.Errorf("got %v of 300, 100; want 300", got)
	}
}
