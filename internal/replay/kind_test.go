package replay

import (
	"fmt"
	"hash/maphash"
	"math"
	"testing"
)

func TestKind(t *testing.T) {
	tests := []struct {
		agent string
		want  Kind
	}{
		{"", Nameless},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", Browsers},
		{"Mozilla/5.0 (Linux; Android 13; CUBOT X50) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36", Browsers},
		{"Opera/9.80 (J2ME/MIDP; Opera Mini/7.1)", Browsers},
		{"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Crawlers},
		{"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", Crawlers},
		{"Some Thing/1.0 (+https://thing.example/about)", Crawlers},
		{"Feedfetcher-Google; (+http://www.google.com/feedfetcher.html; 3 subscribers)", Feeds},
		{"Tiny Tiny RSS/1.11 (http://tt-rss.org/)", Feeds},
		{"Mozilla/5.0 (compatible; Miniflux/2.1; +https://miniflux.app)", Feeds},
		{"curl/8.5.0", Tools},
		{"git/2.45.1", Tools},
		{"Mozilla/5.0 (compatible; digital/1.0)", Browsers},
		{"python-requests/2.31", Tools},
		{"Go-http-client/2.0", Tools},
		{"Chef Client/10.18.2 (ruby-1.9.3; +http://opscode.com)", Tools},
		{"x", Others},
	}
	remembered := make(kindsOf)
	for _, tt := range tests {
		for range 2 {
			if got := remembered.of(tt.agent); got != tt.want {
				t.Errorf("%s: got %v, want %v", tt.agent, got, tt.want)
			}
		}
	}
}

// TestKindsAreBounded: inventing agents costs no memory.
func TestKindsAreBounded(t *testing.T) {
	k := make(kindsOf)
	for i := range 2 * maxAgents {
		k.of(fmt.Sprint("curl/", i))
	}
	if got := len(k); got != maxAgents {
		t.Errorf("got %d agents, want %d", got, maxAgents)
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 100, distinctKept, 10_000, 300_000} {
		d := newDistinct(maphash.MakeSeed())
		for range 2 {
			for i := range n {
				d.add(fmt.Sprint(i))
			}
		}
		off := 0.0
		if n > distinctKept {
			off = 0.08 * float64(n) // five times the standard error
		}
		if got := d.count(); math.Abs(float64(got-n)) > off {
			t.Errorf("got %d, want %d, or %.0f off", got, n, off)
		}
		if got := len(d.fresh); got > 2*distinctKept {
			t.Errorf("of %d: got %d hashes, want at most %d", n, got, 2*distinctKept)
		}
	}
}
