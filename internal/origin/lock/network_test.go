package lock

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// inside tells the test that it runs in a network namespace of its own.
const inside = "SEAWALL_TEST_INSIDE"

// TestLocked puts the rules in force on an origin with two neighbours, in network namespaces: the edge gets through, the other does not,
// and taking the rules back lets both in.
func TestLocked(t *testing.T) {
	if os.Getenv(inside) == "" {
		if out, err := exec.Command("unshare", "--net", "true").CombinedOutput(); err != nil {
			t.Skipf("this machine does not let a test make a network namespace: %s", out)
		}
		again := exec.Command("unshare", "--net", os.Args[0], "-test.run", "^TestLocked$", "-test.v")
		again.Env = append(os.Environ(), inside+"=1")
		out, err := again.CombinedOutput()
		if err != nil {
			t.Errorf("inside: %v\n%s", err, out)
		} else if strings.Contains(string(out), "SKIP") {
			t.Skipf("inside: %s", out)
		}
		return
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed")
	}
	edge := neighbour(t, 1)
	other := neighbour(t, 2)
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(l)
	defer server.Close()

	script, err := Script([]netip.Prefix{netip.MustParsePrefix("198.18.1.2/32")}, []uint16{8080})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, rules string
		other       bool
	}{
		{"without rules", "", true},
		{"locked", script, false},
		{"locked again", script, false},
		{"taken back", "delete table inet " + Table, true},
	} {
		nft := exec.Command("nft", "--file", "/dev/stdin")
		nft.Stdin = strings.NewReader(tt.rules)
		if out, err := nft.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		if !edge.reaches("198.18.1.1:8080") {
			t.Errorf("%s: the edge does not reach the origin", tt.name)
		}
		if got := other.reaches("198.18.2.1:8080"); got != tt.other {
			t.Errorf("%s: got %v for the other neighbour, want %v", tt.name, got, tt.other)
		}
	}
}

// A host is a neighbour in a namespace of its own.
type host struct{ pid string }

// neighbour makes a host at 198.18.N.2, with this one at 198.18.N.1.
func neighbour(t *testing.T, n int) host {
	t.Helper()
	sleeper := exec.Command("unshare", "--net", "sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sleeper.Process.Kill()
		sleeper.Wait()
	})
	h := host{fmt.Sprint(sleeper.Process.Pid)}
	own, _ := os.Readlink("/proc/self/ns/net")
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) { // until it is in its namespace
		if theirs, err := os.Readlink("/proc/" + h.pid + "/ns/net"); err == nil && theirs != own {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a neighbour does not come to be")
		}
	}
	here, there := fmt.Sprintf("here%d", n), fmt.Sprintf("there%d", n)
	for _, command := range []string{
		fmt.Sprintf("ip link add %s type veth peer name %s netns %s", here, there, h.pid),
		fmt.Sprintf("ip address add 198.18.%d.1/24 dev %s", n, here),
		fmt.Sprintf("ip link set %s up", here),
		fmt.Sprintf("nsenter --net --target %s ip address add 198.18.%d.2/24 dev %s", h.pid, n, there),
		fmt.Sprintf("nsenter --net --target %s ip link set %s up", h.pid, there),
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	return h
}

func (h host) reaches(address string) bool {
	return exec.Command("nsenter", "--net", "--target", h.pid, "curl", "--silent", "--max-time", "3", "http://"+address+"/").Run() == nil
}
