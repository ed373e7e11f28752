package replay

import (
	"strings"
	"testing"
)

// TestRateLimits: rules' limits count in the time of the log, those of what reaches the origin, too.
func TestRateLimits(t *testing.T) {
	const limit = `rules: {http_ratelimit: [{name: few, expression: 'http.request.uri.path eq "/page"', action: block,
  ratelimit: {characteristics: [ip.src.prefix], requests_per_period: 2, period: 10s, requests_to_origin: ORIGIN}}]}`
	burst := strings.Repeat(hit(0, "192.0.2.1", "GET /page", firefox), 5)
	later := strings.Repeat(hit(60, "192.0.2.1", "GET /page", firefox), 5)
	for _, origin := range []string{"false", "true"} {
		got := replayed(t, burst+later, load(t, strings.ReplaceAll(limit, "ORIGIN", origin)), nil)
		if got.Rules.Refused.Requests != 6 {
			t.Errorf("requests_to_origin: %s: got %+v, want 6 of 10 refused: 3 in each burst of 5", origin, got.Rules.Rules)
		}
	}
}

// TestProfilesLimit: who guesses at a login form is refused after some attempts, and other visitors are not.
func TestProfilesLimit(t *testing.T) {
	forms := map[string]string{
		"website": "/login", "news": "/login", "wordpress": "/wp-login.php", "forum": "/ucp.php?mode=login", "wiki": "/doku.php?do=login",
		"forge": "/user/login", "api": "/oauth/token",
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			rules, err := Profile(name)
			if err != nil {
				t.Fatal(err)
			}
			log := strings.Repeat(hit(0, "192.0.2.1", "POST "+form, "curl/8"), 5)
			if got := replayed(t, log+hit(1, "192.0.2.9", "POST "+form, firefox), rules, nil); got.Rules.Refused.Requests > 0 {
				t.Errorf("got %d refused of a few attempts", got.Rules.Refused.Requests)
			}
			log = strings.Repeat(hit(0, "192.0.2.1", "POST "+form, "curl/8"), 200)
			got := replayed(t, log+hit(1, "192.0.2.9", "POST "+form, firefox), rules, nil).Rules.Refused
			if got.Kinds[Tools] < 100 || got.Kinds[Browsers] > 0 {
				t.Errorf("got %v refused, want most attempts of the one and none of the other", got.Kinds)
			}
		})
	}
}
