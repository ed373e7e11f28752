package cache

import (
	"fmt"
	"strings"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/spec"
)

// mostLanguages bounds a site's list, which is walked through for each language that a request names.
const mostLanguages = 64

// compileChoices makes httpcache's policy of what the owner chose. What is left out is as in spec.DefaultZone.
func compileChoices(c *spec.Cache) (p httpcache.Policy, err error) {
	for _, choice := range [...]struct {
		key, value, off, on string
		into                *bool
	}{
		{"set_cookie", string(c.SetCookie), string(spec.StoringRefuse), string(spec.StoringStore), &p.StoreSetCookie},
		{"request_directives", string(c.RequestDirectives), string(spec.ObeyingIgnore), string(spec.ObeyingHonor), &p.RequestDirectives},
		{"broken_age", string(c.BrokenAge), string(spec.BrokenAgeIgnore), string(spec.BrokenAgeStale), &p.StrictAge},
		{"post", string(c.Post), string(spec.StoringRefuse), string(spec.StoringStore), &p.StorePost},
	} {
		if *choice.into = choice.value == choice.on; !*choice.into && choice.value != choice.off && choice.value != "" {
			return p, fmt.Errorf("cache.%s: %q is unknown: want %s or %s", choice.key, choice.value, choice.off, choice.on)
		}
	}
	if len(c.Languages) > mostLanguages {
		return p, fmt.Errorf("cache.languages: %d are too many: want at most %d", len(c.Languages), mostLanguages)
	}
	for _, tag := range c.Languages {
		p.Languages = append(p.Languages, strings.ToLower(tag))
	}
	return p, nil
}
