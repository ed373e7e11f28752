package cache

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/spec"
)

func TestCompilePrefetch(t *testing.T) {
	second := spec.Rate{Requests: 2, Per: time.Second}
	tests := []struct {
		name   string
		change func(z *spec.Zone)
		want   *Prefetch
		err    string
	}{
		{"none", func(z *spec.Zone) { z.Cache.Prefetch = spec.Prefetch{Sitemap: "/map.xml", Rate: second} }, nil, ""},
		{"by robots.txt", func(*spec.Zone) {}, &Prefetch{"http", "www.example.org", "", time.Hour, time.Second / 2}, ""},
		{"over HTTPS", func(z *spec.Zone) { z.HTTPS.Redirect = true }, &Prefetch{"https", "www.example.org", "", time.Hour, time.Second / 2}, ""},
		{"a path", func(z *spec.Zone) { z.Cache.Prefetch.Sitemap = "/map.xml" }, &Prefetch{"http", "www.example.org", "/map.xml", time.Hour, time.Second / 2}, ""},
		{"a URL", func(z *spec.Zone) {
			z.Hosts = []string{"*"}
			z.Cache.Prefetch.Sitemap = "https://a.test:8443/doku.php?do=sitemap"
		}, &Prefetch{"https", "a.test:8443", "/doku.php?do=sitemap", time.Hour, time.Second / 2}, ""},
		{"no cache", func(z *spec.Zone) { z.Cache.Enabled = false }, nil, ""},
		{"no host", func(z *spec.Zone) { z.Hosts = []string{"*.example.org"} }, nil, "cache.prefetch.sitemap: the zone has no host"},
		{"no rate", func(z *spec.Zone) { z.Cache.Prefetch.Rate = spec.Rate{} }, nil, "cache.prefetch.rate: is off"},
		{"no URL", func(z *spec.Zone) { z.Cache.Prefetch.Sitemap = "http://a b/" }, nil, "cache.prefetch.sitemap: "},
		{"back in time", func(z *spec.Zone) { z.Cache.Prefetch.Every = -1 }, nil, "cache.prefetch.every: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			room, err := New(&spec.Node{Cache: spec.Memory{Size: testSize, Object: testObject}})
			if err != nil {
				t.Fatal(err)
			}
			z := spec.DefaultZone()
			z.Hosts = []string{"*.example.org", "www.example.org"}
			z.Cache.Prefetch = spec.Prefetch{Every: time.Hour, Rate: second}
			tt.change(&z)
			p, err := room.Compile(&z)
			if tt.err != "" || err != nil {
				if err == nil || tt.err == "" || !strings.HasPrefix(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if d := cmp.Diff(tt.want, p.Prefetch()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
