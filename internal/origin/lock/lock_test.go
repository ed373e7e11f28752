package lock

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
)

func edges(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

func TestScript(t *testing.T) {
	tests := []struct {
		name  string
		edges []netip.Prefix
		ports []uint16
		has   []string
		lacks []string
	}{
		{"IPv4", edges("192.0.2.7/32", "192.0.2.1/32", "192.0.2.7/32"), []uint16{443, 80, 443},
			[]string{"elements = { 192.0.2.1/32, 192.0.2.7/32 }", "tcp dport { 80, 443 } ip saddr @edges4 accept", "udp dport { 80, 443 } counter drop"},
			[]string{"edges6", "ip6"}},
		{"both", edges("192.0.2.0/24", "2001:db8::/32"), []uint16{8080},
			[]string{"elements = { 192.0.2.0/24 }", "elements = { 2001:db8::/32 }", "ip6 saddr @edges6 accept"}, nil},
		{"bits beyond the prefix", edges("192.0.2.77/24"), []uint16{80}, []string{"{ 192.0.2.0/24 }"}, []string{"192.0.2.77"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Script(tt.edges, tt.ports)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.has {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s\nwant it to have %q", got, want)
				}
			}
			for _, bad := range tt.lacks {
				if strings.Contains(got, bad) {
					t.Errorf("got\n%s\nwant it not to have %q", got, bad)
				}
			}
		})
	}
}

func TestScriptOfNothing(t *testing.T) {
	for _, tt := range []struct {
		edges []netip.Prefix
		ports []uint16
		want  string
	}{
		{nil, []uint16{80}, "no edge is given"},
		{edges("192.0.2.1/32"), nil, "no port is given"},
	} {
		if got, err := Script(tt.edges, tt.ports); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %q, %v, want an error with %q", got, err, tt.want)
		}
	}
}

// TestScriptIsUnderstood has nft read the rules, without putting them in force.
func TestScriptIsUnderstood(t *testing.T) {
	nft, err := exec.LookPath("nft")
	if err != nil {
		t.Skip("nft is not installed")
	}
	script, err := Script(edges("192.0.2.0/24", "192.0.2.1/32", "2001:db8::1/128"), []uint16{80, 443})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(nft, "--check", "--file", "/dev/stdin")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "not permitted") || strings.Contains(string(out), "netlink") {
			t.Skipf("this machine does not let nft check: %s", out)
		}
		t.Errorf("nft: %v\n%s\n%s", err, out, script)
	}
}
