package cache

import (
	"slices"
	"strings"
	"testing"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/spec"
)

func TestCompileRules(t *testing.T) {
	usual := spec.DefaultZone().Cache
	tests := []struct {
		name  string
		cache spec.Cache
		is    func(p *httpcache.Policy) bool
		err   string
	}{
		{"nothing said", spec.Cache{}, safe, ""},
		{"the default", usual, safe, ""},
		{"set_cookie", spec.Cache{SetCookie: "store"}, func(p *httpcache.Policy) bool { return p.StoreSetCookie }, ""},
		{"request_directives", spec.Cache{RequestDirectives: "honor"}, func(p *httpcache.Policy) bool { return p.RequestDirectives }, ""},
		{"broken_age", spec.Cache{BrokenAge: "stale"}, func(p *httpcache.Policy) bool { return p.StrictAge }, ""},
		{"post", spec.Cache{Post: "store"}, func(p *httpcache.Policy) bool { return p.StorePost }, ""},
		{"languages", spec.Cache{Languages: []string{"en", "pt-BR"}}, func(p *httpcache.Policy) bool {
			return slices.Equal(p.Languages, []string{"en", "pt-br"})
		}, ""},
		{"unknown", spec.Cache{Post: "keep"}, nil, `cache.post: "keep" is unknown: want refuse or store`},
		{"too many languages", spec.Cache{Languages: make([]string, mostLanguages+1)}, nil, "cache.languages: 65 are too many: want at most 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := compileChoices(&tt.cache)
			if err != nil || tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || tt.err == "" {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if !tt.is(&p) {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func safe(p *httpcache.Policy) bool {
	return !p.StoreSetCookie && !p.RequestDirectives && !p.StrictAge && !p.StorePost && len(p.Languages) == 0
}
