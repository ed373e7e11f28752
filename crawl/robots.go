package crawl

import "strings"

// MostRobots is how much of a robots.txt counts, in bytes (RFC 9309 §2.5 wants at least as much).
const MostRobots = 500 << 10

// Robots is what a robots.txt tells one crawler.
type Robots struct {
	rules []robotsRule
	// Sitemaps are the addresses of the site's maps, in order.
	Sitemaps []string
}

// robotsRule is an allow or disallow line.
type robotsRule struct {
	pattern string
	allow   bool
}

// ParseRobots reads what a robots.txt tells the crawler with a product token: the groups that name it, or if none does, those for all.
func ParseRobots(text, agent string) *Robots {
	text = strings.TrimPrefix(text[:min(len(text), MostRobots)], "\ufeff")
	r := new(Robots)
	var own, all []robotsRule
	var named, starred, known bool // whom the group is for, and whether any group is for the agent
	heading := false               // the line before named somebody, too
	for line := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '\n' || c == '\r' }) {
		switch key, value := keyed(line); key {
		case "user-agent":
			if !heading {
				named, starred = false, false
			}
			heading = true
			named = named || strings.EqualFold(value, agent)
			starred = starred || value == "*"
			known = known || named
		case "allow", "disallow":
			heading = false
			rule := robotsRule{value, key == "allow"}
			if named {
				own = append(own, rule)
			}
			if starred {
				all = append(all, rule)
			}
		case "sitemap":
			if len(r.Sitemaps) < MostURLs {
				r.Sitemaps = append(r.Sitemaps, value)
			}
		}
	}
	if r.rules = all; known {
		r.rules = own
	}
	return r
}

// keyed is a line's key in lower case, and its value, without a comment.
func keyed(line string) (key, value string) {
	line, _, _ = strings.Cut(line, "#")
	key, value, _ = strings.Cut(line, ":")
	return strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value)
}

// Allowed tells whether the crawler may ask for a path with its query. The longest pattern that fits decides, allow among equals.
func (r *Robots) Allowed(target string) bool {
	if target == "/robots.txt" {
		return true
	}
	allowed, longest := true, -1
	for _, rule := range r.rules {
		n := len(rule.pattern)
		if n == 0 || n < longest || n == longest && !rule.allow || !fits(rule.pattern, target) {
			continue
		}
		allowed, longest = rule.allow, n
	}
	return allowed
}

// fits tells whether a target begins as a pattern says, in which * is anything, and $ at the end means that nothing follows.
func fits(pattern, target string) bool {
	pattern, whole := strings.CutSuffix(pattern, "$")
	first, rest, starred := strings.Cut(pattern, "*")
	target, ok := strings.CutPrefix(target, first)
	for ok && starred {
		var part string
		if part, rest, starred = strings.Cut(rest, "*"); !starred && whole {
			return strings.HasSuffix(target, part)
		}
		_, target, ok = strings.Cut(target, part)
	}
	return ok && (!whole || target == "")
}
