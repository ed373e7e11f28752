package bots

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// TestFetchDirectory asks a real server over TLS.
func TestFetchDirectory(t *testing.T) {
	many := `{"keys":[` + strings.Repeat(`{"kty":"RSA"},`, 100) + `{"kty":"RSA"}]}`
	tests := []struct {
		name, media, control, body string
		status                     int
		hold                       time.Duration
		err                        string // "" for none
	}{
		{"good", directoryType, "", directory, 200, time.Hour, ""},
		{"plain JSON, for a day", "application/json; charset=utf-8", "public, max-age=86400", directory, 200, 24 * time.Hour, ""},
		{"for too long", directoryType, "max-age=31536000", directory, 200, mostHold, ""},
		{"not at all", directoryType, "max-age=0", directory, 200, leastHold, ""},
		{"another type", "text/html", "", directory, 200, 0, `got "text/html", want ` + directoryType},
		{"another status", directoryType, "", directory, 404, 0, "status 404, want 200"},
		{"elsewhere", directoryType, "", directory, 302, 0, "status 302, want 200"},
		{"too large", directoryType, "", directory + strings.Repeat(" ", maxDirectory), 200, 0, "more than 65536 bytes"},
		{"nothing", directoryType, "", "", 200, 0, "there are none"},
		{"no JSON", directoryType, "", "keys", 200, 0, "keys: invalid character"},
		{"no such key", directoryType, "", `{"keys":[{"kty":"RSA"}]}`, 200, 0, "has no key of kty OKP and crv Ed25519"},
		{"too many", directoryType, "", many, 200, 0, "has 101 keys: want at most 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != directoryPath || r.Header.Get("Accept") != directoryType {
					t.Errorf("got asked for %s, accepting %q", r.URL, r.Header.Get("Accept"))
				}
				w.Header().Set("Content-Type", tt.media)
				w.Header().Set("Cache-Control", tt.control)
				w.Header().Set("Location", "/other")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer s.Close()
			keys, hold, err := fetchDirectory(t.Context(), s.Client().Transport, s.Listener.Addr().String())
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || keys[rfcThumbprint] == nil || hold != tt.hold {
				t.Errorf("got %d keys for %v, %v, want that of the RFC for %v", len(keys), hold, err, tt.hold)
			}
		})
	}
	t.Run("an authority that nobody trusts", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		s.StartTLS()
		defer s.Close()
		ask := new(http.Transport)
		defer ask.CloseIdleConnections()
		if _, _, err := fetchDirectory(t.Context(), ask, s.Listener.Addr().String()); err == nil {
			t.Error("got no error")
		}
	})
}

// hosts answer with their directories, unless they are gone, and count what they are asked.
type hosts struct {
	mu    sync.Mutex
	pages map[string]string
	asked map[string]int
}

func (h *hosts) RoundTrip(q *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked[q.URL.Host]++
	page, ok := h.pages[q.URL.Host]
	if !ok || q.URL.Scheme != "https" {
		return nil, errors.New("nobody is there")
	}
	header := http.Header{"Content-Type": {directoryType}, "Cache-Control": {"max-age=3600"}}
	return &http.Response{StatusCode: 200, Header: header, Body: io.NopCloser(strings.NewReader(page))}, nil
}

func (h *hosts) set(host, page string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pages[host] = page; page == "" {
		delete(h.pages, host)
	}
}

func (h *hosts) times(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[host]
}

// signedNow is a request that the RFC's key has signed just now.
func signedNow(t *testing.T) *flow.Flow {
	t.Helper()
	seed, err := base64.RawURLEncoding.DecodeString(rfcPrivate)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	params := fmt.Sprintf(`("@authority");created=%d;expires=%d;keyid="%s";tag="web-bot-auth"`, now.Unix(), now.Unix()+60, rfcThumbprint)
	signed := ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte("\"@authority\": example.com\n\"@signature-params\": "+params))
	return &flow.Flow{Request: flow.Request{
		Method: "GET", Target: "/", Authority: "example.com", Scheme: "https", Received: now, Fields: []flow.Field{
			{Name: "Signature-Agent", Value: `"https://unnamed.example"`}, {Name: "Signature-Input", Value: "s=" + params},
			{Name: "Signature", Value: "s=:" + base64.StdEncoding.EncodeToString(signed) + ":"},
		},
	}}
}

// TestDirectories: keys are fetched from the hosts that are named and from no other, again when they have aged, and kept for a week when they
// can't be.
func TestDirectories(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ask := &hosts{pages: map[string]string{"bot.example": directory}, asked: make(map[string]int)}
		r := New()
		r.UseDirectories(ask, slog.New(slog.DiscardHandler))
		defer r.Close()
		named := &spec.Crawlers{Known: []spec.Crawler{{Name: "Signer", Agent: "SignerBot", Directory: "Bot.example"}}}
		configure := func(s *spec.Crawlers) {
			t.Helper()
			if problems := r.Configure(s); problems != nil {
				t.Fatal(problems)
			}
			synctest.Wait()
		}
		wants := func(when string, want bool) {
			t.Helper()
			f := signedNow(t)
			if r.Judge(f); f.Verdict.VerifiedBot != want {
				t.Errorf("%s: got verified %v, want %v", when, f.Verdict.VerifiedBot, want)
			}
		}
		asks := func(when string, least, most int) {
			t.Helper()
			if got := ask.times("bot.example"); got < least || got > most {
				t.Errorf("%s: got the host asked %d times, want %d to %d", when, got, least, most)
			}
		}
		configure(named)
		wants("fetched", true)
		configure(named)
		asks("configured again", 1, 1)
		time.Sleep(3*time.Hour + time.Minute)
		asks("three hours later", 4, 5)

		ask.set("bot.example", "no keys")
		before := ask.times("bot.example")
		time.Sleep(24 * time.Hour)
		wants("a day after it broke", true)
		asks("a day after it broke", before+24, before+36)
		time.Sleep(7 * 24 * time.Hour)
		wants("a week after it broke", false)
		ask.set("bot.example", directory)
		time.Sleep(time.Hour)
		wants("mended", true)

		if got := ask.times("unnamed.example"); got != 0 {
			t.Errorf("got a host asked %d times that only requests name", got)
		}
		configure(&spec.Crawlers{Known: []spec.Crawler{{Name: "Signer", Agent: "SignerBot", Directory: "other.example"}}})
		wants("of another host", false)
		before = ask.times("bot.example")
		time.Sleep(24 * time.Hour)
		asks("no longer named", before, before)
		configure(&spec.Crawlers{})
		wants("without any", false)
	})
}

// TestDirectoryOfMany: of a key that several hosts publish, the first crawler is the signer; a file comes before all.
func TestDirectoryOfMany(t *testing.T) {
	tests := []struct {
		name  string
		known []spec.Crawler
		want  string
	}{
		{"two hosts", []spec.Crawler{{Name: "A", Agent: "ABot", Directory: "a.example"}, {Name: "B", Agent: "BBot", Directory: "b.example"}}, "A"},
		{"a file", []spec.Crawler{{Name: "A", Agent: "ABot", Directory: "a.example"}, {Name: "B", Agent: "BBot", Keys: directory}}, "B"},
		{"one host is gone", []spec.Crawler{{Name: "A", Agent: "ABot", Directory: "gone.example"}, {Name: "B", Agent: "BBot", Directory: "b.example"}}, "B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := New()
				r.UseDirectories(&hosts{pages: map[string]string{"a.example": directory, "b.example": directory}, asked: make(map[string]int)}, slog.New(slog.DiscardHandler))
				defer r.Close()
				if problems := r.Configure(&spec.Crawlers{Known: tt.known}); problems != nil {
					t.Fatal(problems)
				}
				synctest.Wait()
				f := signedNow(t)
				if r.Judge(f); f.Verdict.BotName != tt.want {
					t.Errorf("got %q, want %q", f.Verdict.BotName, tt.want)
				}
			})
		})
	}
	many := make([]spec.Crawler, maxDirectories+1)
	for i := range many {
		many[i] = spec.Crawler{Name: fmt.Sprint("bot", i), Agent: "Bot", Directory: fmt.Sprintf("bot%d.example", i)}
	}
	if problems := New().Configure(&spec.Crawlers{Known: many}); len(problems) != 1 || problems[0].Error() != "crawlers.known[100].directory: is one of more than 100" {
		t.Errorf("too many: got %v", problems)
	}
}
