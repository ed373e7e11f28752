package replay

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seawall/seawall/internal/spec/config/profiles"
)

// TestProfilesCompile: a broken profile can't be released. Each expression is compiled, of phases that are not in force, too.
func TestProfilesCompile(t *testing.T) {
	for _, name := range profiles.Names() {
		t.Run(name, func(t *testing.T) {
			rules, err := Profile(name)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := profiles.Text(name)
			if about := profiles.About(text); about == "" || !strings.Contains(text, "# Spared: ") {
				t.Errorf("it does not say what it is for and whom it spares; about: %q", about)
			}
			for _, phase := range rules.zone.Rules.Phases() {
				for _, rule := range *phase.Rules {
					if _, err := rules.room.Try(rule.Expression, &rules.zone); err != nil {
						t.Errorf("%s/%s: %v", phase.Phase, rule.Name, err)
					}
					if !strings.HasPrefix(rule.Name, name+".") {
						t.Errorf("%s: want a name that begins with %s.", rule.Name, name)
					}
				}
			}
		})
	}
}

// TestProfilesRefuse: what no visitor asks for is refused.
func TestProfilesRefuse(t *testing.T) {
	everywhere := []string{"TRACE /", "GET /.env", "GET /.git/config", "POST /cgi-bin/luci", "POST /boaform/admin/formLogin", "GET /vendor/phpunit/phpunit/eval-stdin.php"}
	own := map[string][]string{
		"wordpress": {"GET /wp-config.php.bak", "GET /wp-content/uploads/2024/x.php", "GET /blog/wp-admin/install.php", "GET /wp-content/debug.log"},
		"forum":     {"GET /uploads/avatars/shell.php"},
		"wiki":      {"GET /conf/users.auth.php", "GET /w/LocalSettings.php~"},
		"api":       {"GET /wp-login.php", "GET /phpmyadmin/index.php", "GET /actuator/env"},
		"forge":     {"GET /wp-login.php"},
		"website":   {"GET /app/.env.production", "GET /.aws/credentials", "GET /_ignition/execute-solution"},
		"news":      {"GET /x/.svn/entries"},
	}
	for _, name := range profiles.Names() {
		for _, request := range append(everywhere, own[name]...) {
			t.Run(name+" "+request, func(t *testing.T) {
				if got := refusedBy(t, name, request); got == "" {
					t.Errorf("got no refusal")
				}
			})
		}
	}
}

// TestProfilesSpare: feeds, webhooks, API clients and what sites of the kind need pass.
func TestProfilesSpare(t *testing.T) {
	everywhere := []string{
		"GET /", "GET /feed", "GET /feed/", "GET /rss.xml", "GET /index.xml", "GET /atom.xml", "GET /robots.txt", "GET /sitemap.xml",
		"GET /.well-known/acme-challenge/x", "GET /.well-known/security.txt", "POST /webhooks/github", "POST /hooks/stripe",
		"GET /api/v1/items", "POST /api/v1/items", "DELETE /api/v1/items/1", "OPTIONS /api/v1/items", "GET /environment", "GET /about.git.html",
	}
	own := map[string][]string{
		"wordpress": {"GET /wp-login.php", "POST /wp-login.php", "GET /wp-admin/", "POST /wp-admin/admin-ajax.php", "GET /wp-json/wp/v2/posts",
			"POST /wc-api/v3/orders", "POST /xmlrpc.php", "GET /?s=x", "GET /comments/feed/", "GET /wp-content/uploads/2024/x.jpg", "GET /wp-cron.php"},
		"forum": {"GET /ucp.php?mode=login", "POST /session", "GET /feed.php", "GET /latest.rss", "GET /search?q=x", "GET /uploads/a.png"},
		"wiki": {"GET /doku.php?id=start&do=login", "GET /feed.php", "GET /index.php?title=Special:RecentChanges&feed=atom", "POST /lib/exe/xmlrpc.php",
			"GET /api.php?action=query", "GET /doku.php?id=a&do=diff", "GET /data:start"},
		"forge": {"GET /a/b.git/info/refs?service=git-upload-pack", "POST /a/b.git/git-upload-pack", "POST /a/b.git/git-receive-pack",
			"GET /a/b/src/branch/main/.env", "GET /a/b/raw/branch/main/.git/config", "GET /a/b/archive/v1.tar.gz", "GET /a/b/commits/branch/main",
			"GET /v2/", "POST /a/b.git/info/lfs/objects/batch", "GET /a.rss", "GET /a/wp-login.php"},
		"api":  {"POST /oauth/token", "POST /v1/sessions", "GET /healthz", "GET /v1/search?q=x"},
		"news": {"GET /search?q=x", "GET /?s=x", "POST /comments", "GET /tag/a/feed/"},
	}
	for _, name := range profiles.Names() {
		for _, request := range append(everywhere, own[name]...) {
			t.Run(name+" "+request, func(t *testing.T) {
				if got := refusedBy(t, name, request); got != "" {
					t.Errorf("got a refusal by %s", got)
				}
			})
		}
	}
}

// refusedBy is the rule of a profile that refuses a request, if one does.
func refusedBy(t *testing.T, profile, request string) string {
	t.Helper()
	rules, err := Profile(profile)
	if err != nil {
		t.Fatal(err)
	}
	report := replayed(t, hit(0, "192.0.2.1", request, "curl/8"), rules, nil)
	if report.All.Requests != 1 {
		t.Fatalf("got %+v, want one request", report)
	}
	for _, r := range report.Rules.Rules {
		if r.Action == "block" && r.Requests > 0 {
			return r.Name
		}
	}
	return ""
}

// TestOrdinary replays the log of a real site against each profile: no crawler and no reader of feeds is refused.
func TestOrdinary(t *testing.T) {
	const path = "../../../shared/data/log/ordinary-2015.combined.log"
	log, err := os.ReadFile(path)
	if err != nil {
		t.Skip("no log at " + path)
	}
	docs, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range profiles.Names() {
		t.Run(name, func(t *testing.T) {
			rules, err := Profile(name)
			if err != nil {
				t.Fatal(err)
			}
			report := replayed(t, string(log), rules, nil)
			all, refused := report.All.Kinds, report.Rules.Refused
			if all[Crawlers] < 1000 || all[Feeds] < 500 {
				t.Fatalf("got %v, want the crawlers and feed readers of this log", all)
			}
			if refused.Kinds[Crawlers] > 0 || refused.Kinds[Feeds] > 0 {
				t.Errorf("refused: got %v, want no crawlers and no feed readers", refused.Kinds)
			}
			row := fmt.Sprintf("| `%s` | %d | %d | %d | %d | %d | %d | %d |\n", name, refused.Requests, refused.Clients, refused.Kinds[Browsers],
				refused.Kinds[Nameless], refused.Kinds[Tools], refused.Kinds[Crawlers], refused.Kinds[Feeds])
			if !strings.Contains(string(docs), row) {
				t.Errorf("docs/profiles.md has other figures: want %s", row)
			}
		})
	}
}
