package rules

import (
	"fmt"
	"strings"

	"github.com/seawall/seawall/internal/flow"
)

// Effect is what the rules of one phase that hold for a request do to it.
type Effect struct {
	Rules string // their names, in order, with their phase
	Does  string
}

// Preview judges a request as Judge does, and tells what rules do before the cache is asked. It writes the flow's verdict, but counts nothing:
// it is for a request that nobody has made. Rate limits are left out, as they are about whoever asks.
func (s *Ruleset) Preview(f *flow.Flow, grace Grace) (outcome Outcome, effects []Effect) {
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	j.begin(f)
	j.previews = true
	add := func(format string, args ...any) {
		if len(j.held) > 0 {
			effects = append(effects, Effect{strings.Join(j.held, ", "), fmt.Sprintf(format, args...)})
		}
		j.held = j.held[:0]
	}
	if s.redirect(j, f) {
		add("redirects with %d to %s", f.Verdict.Answer.Status, flow.Get(f.Verdict.Answer.Fields, "location"))
		return Redirected, effects
	}
	s.transform(j, f)
	add("the target is now %s", uri(f.Effective().Path, f.Effective().Query, f.Effective().HasQuery))
	s.configure(j, f, &s.phases[Config], nil)
	add("%s", settled(&f.Verdict.Settings))
	s.route(j, f)
	add("%s", led(f.Effective()))
	var spared Spared
	if s.firewall(j, f, grace, &spared, &s.phases[Firewall]) {
		j.held = j.held[len(j.held)-1:]
		add("refuses it with %d", f.Verdict.Refusal.Status)
		return Blocked, effects
	}
	add("logged, or spared others: it goes on")
	if !spared.phases[LateTransform] {
		s.lateTransform(j, f, &spared)
		add("the header that the cache and the origin see is changed")
	}
	if !spared.phases[CacheSettings] {
		s.configure(j, f, &s.phases[CacheSettings], spared.rules)
		add("%s", settled(&f.Verdict.Settings))
	}
	return Passed, effects
}

// led is where a request goes, in words.
func led(q *flow.Request) string {
	var says []string
	if q.Pool != "" {
		says = append(says, fmt.Sprintf("pool %s is asked", q.Pool))
	}
	if q.HostHeader != "" {
		says = append(says, "the origin is sent Host: "+q.HostHeader)
	}
	return strings.Join(says, "; ")
}

// settled is what settings come to, in words.
func settled(s *flow.Settings) string {
	var says []string
	if s.Bypass {
		says = append(says, "the cache is bypassed")
	}
	if s.EdgeTTL > 0 {
		says = append(says, fmt.Sprintf("responses are kept for %v, whatever they say, unless they are private or set a cookie", s.EdgeTTL))
	}
	if s.NoCompression {
		says = append(says, "nothing is compressed")
	}
	if s.NoHTTPSRedirect {
		says = append(says, "it is not sent to HTTPS")
	}
	return strings.Join(says, "; ")
}
