package cache

import (
	"slices"
	"strings"

	"github.com/seawall/seawall/internal/spec"
)

// queryRule is what of a query belongs to the key.
type queryRule struct {
	none   bool
	sorted bool
	ignore []wildcard
	only   []wildcard
}

func compileQuery(k *spec.CacheKey) queryRule {
	return queryRule{none: k.Query == spec.QueryNone, sorted: k.QuerySort, ignore: wildcards(k.QueryIgnore), only: wildcards(k.QueryOnly)}
}

// apply returns the query that belongs to the key. It allocates only if that is another one. Names are compared as they are written, so that
// one that is percent-encoded without need is a parameter of its own.
func (r *queryRule) apply(query string, has bool) (string, bool) {
	switch {
	case !has || r.none:
		return "", false
	case !r.sorted && r.ignore == nil && r.only == nil:
		return query, true
	}
	kept := r.keeps(query)
	if kept == query {
		return query, true
	}
	return kept, kept != ""
}

// keeps is the query without what is left out, in order. It is the query itself if nothing is to be done.
func (r *queryRule) keeps(query string) string {
	changed, last := false, ""
	for rest, more := query, true; more; {
		var param string
		param, rest, more = strings.Cut(rest, "&")
		if !r.wants(param) || r.sorted && param < last {
			changed = true
			break
		}
		last = param
	}
	if !changed {
		return query
	}
	params := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool { return !r.wants(p) })
	if r.sorted {
		// By the whole text: a parameter that is there twice has the order of its values, too.
		slices.Sort(params)
	}
	return strings.Join(params, "&")
}

func (r *queryRule) wants(param string) bool {
	if r.ignore == nil && r.only == nil {
		return true
	}
	name, _, _ := strings.Cut(param, "=")
	return !matchAny(r.ignore, name) && (r.only == nil || matchAny(r.only, name))
}
