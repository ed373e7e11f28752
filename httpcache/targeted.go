package httpcache

import (
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

// OwnField is the targeted field of this cache alone (RFC 9213 §2): whoever forwards a response to a client leaves it out.
const OwnField = "Seawall-Cache-Control"

// surrogateTarget is what Surrogate-Control calls this cache in the parameters of its directives.
const surrogateTarget = "seawall"

// governing returns the directives that this cache goes by: those of the first targeted field that has a valid value, in the order of
// this cache's target list, and only without any those of Cache-Control (RFC 9213 §2.2). A targeted field that is empty or no
// Dictionary is as if it were not there (§2.1).
func governing(fields []Field) responseDirectives {
	for _, name := range [...]string{OwnField, "CDN-Cache-Control"} {
		if d, ok := parseTargeted(fields, name); ok {
			return d
		}
	}
	if d, ok := parseSurrogate(fields); ok {
		return d
	}
	return parseResponseDirectives(fields)
}

// parseTargeted reads a targeted field. ok is false if it has nothing to say.
func parseTargeted(fields []Field, name string) (d responseDirectives, ok bool) {
	var values []string
	for line := range lines(fields, name) {
		values = append(values, line)
	}
	if len(values) == 0 {
		return d, false
	}
	dictionary, err := httpsfv.UnmarshalDictionary(values)
	if err != nil || len(dictionary.Names()) == 0 {
		return d, false
	}
	d.targeted = true
	for _, name := range dictionary.Names() {
		member, _ := dictionary.Get(name)
		if dir, ok := targetedDirective(name, member); ok {
			d.set(dir)
		}
	}
	return d, true
}

// targetedDirective makes a member of a Dictionary what it would be in Cache-Control. Numbers have to be Integers: of anything else a
// directive that wants one makes 0, as it does of broken ones. Parameters mean nothing (RFC 9213 §2.1).
func targetedDirective(name string, member httpsfv.Member) (dir directive, ok bool) {
	dir = directive{name: name}
	item, ok := member.(httpsfv.Item)
	if !ok { // an Inner List
		return dir, true
	}
	lists := name == "no-cache" || name == "private"
	switch v := item.Value.(type) {
	case bool:
		return dir, v
	case int64:
		dir.arg, dir.hasArg = strconv.FormatInt(v, 10), true
	case string:
		dir.hasArg = true
		if lists {
			dir.arg = v
		}
	default:
		dir.hasArg = true
	}
	return dir, true
}

// parseSurrogate reads Surrogate-Control (W3C's Edge Architecture 1.0), which older origins send: max-age, of which the part after a "+"
// says how long the response may be served stale, no-store, and what Cache-Control has beside them. A directive with parameters is for
// those that they name. ok is false if no directive is for this cache.
func parseSurrogate(fields []Field) (d responseDirectives, ok bool) {
	for line := range lines(fields, "Surrogate-Control") {
		for line != "" {
			var element string
			element, line, _ = cutElement(line)
			element, targets, targeted := strings.Cut(element, ";")
			if targeted && !names(targets, surrogateTarget) {
				continue
			}
			dir, _ := cutDirective(element)
			if sameName(dir.name, "no-store-remote") {
				dir.name = "no-store"
			}
			ok = d.setSurrogate(dir) || ok
		}
	}
	d.targeted = ok
	return d, ok
}

// setSurrogate reports whether the directive is one that governs storing or freshness.
func (d *responseDirectives) setSurrogate(dir directive) bool {
	switch {
	case dir.malformed:
		d.malformed = true
		return true
	case sameName(dir.name, "max-age"):
		age, extension, extended := strings.Cut(dir.arg, "+")
		if dir.arg = age; extended {
			d.staleWhileRevalidate.lower(extension)
			d.staleIfError.lower(extension)
		}
	case sameName(dir.name, "no-store"), sameName(dir.name, "private"), sameName(dir.name, "no-cache"),
		sameName(dir.name, "stale-while-revalidate"), sameName(dir.name, "stale-if-error"):
	default:
		return false
	}
	d.set(dir)
	return true
}

// names reports whether a list of parameters, separated by semicolons, has the token.
func names(parameters, token string) bool {
	for parameter := range strings.SplitSeq(parameters, ";") {
		if sameName(trimOWS(parameter), token) {
			return true
		}
	}
	return false
}
