package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/ja4"
)

// outcome is a way in which a flow can end, with what its line and its story are.
type outcome struct {
	name  string
	flow  func(*flow.Flow) // what differs from a hit
	entry func(*Entry)     // what differs from a hit's entry
	story string           // from the verdict on
}

func outcomes() []outcome {
	miss := func(f *flow.Flow) {
		f.Cache = flow.Cache{Status: flow.Miss, Reason: "nothing stored", Stored: true, Message: &flow.Message{Status: 200}}
		f.Origin = flow.Origin{Address: "127.0.0.1:3000", Attempts: 1, Reused: true, FirstByte: 4200 * time.Microsecond, Status: 200}
	}
	refusedBy := func(r flow.Refusal, set func(*flow.Flow, *flow.Refusal)) func(*flow.Flow) {
		return func(f *flow.Flow) {
			f.Cache = flow.Cache{}
			f.Response = flow.Response{Status: r.Status, Bytes: 512, Done: f.Response.Done}
			set(f, &r)
		}
	}
	asRefused := func(reason flow.Reason, status int, rule, detail string) func(*Entry) {
		return func(e *Entry) {
			e.Cache, e.Age, e.TTL = "bypass", 0, 0
			e.Status, e.Bytes = status, 512
			e.Refusal, e.RefusalRule, e.RefusalDetail = reason.String(), rule, detail
		}
	}
	return []outcome{
		{"hit", func(*flow.Flow) {}, func(*Entry) {}, `
verdict    pass
cache      hit, 12 s old, fresh for 48 s
response   200 with 1024 bytes after 0.3 ms
`},
		{"miss stored", miss, func(e *Entry) {
			e.Cache, e.CacheReason, e.Stored, e.Age, e.TTL = "miss", "nothing stored", true, 0, 0
			e.Origin, e.OriginAttempts, e.OriginReused, e.OriginStatus, e.OriginMs = "127.0.0.1:3000", 1, true, 200, 4.2
		}, `
verdict    pass
cache      miss: nothing stored; stored
origin     127.0.0.1:3000 answered 200 after 4.2 ms on a kept connection
response   200 with 1024 bytes after 0.3 ms
`},
		{"collapsed", func(f *flow.Flow) {
			f.Cache = flow.Cache{Status: flow.Miss, Reason: "nothing stored", Collapsed: true, Message: &flow.Message{Status: 200}}
		}, func(e *Entry) {
			e.Cache, e.CacheReason, e.Collapsed, e.Age, e.TTL = "miss", "nothing stored", true, 0, 0
		}, `
verdict    pass
cache      miss: nothing stored; shared another request's fetch
response   200 with 1024 bytes after 0.3 ms
`},
		{"stale after a refusal", func(f *flow.Flow) {
			f.Cache.Status, f.Cache.Reason, f.Cache.TTL = flow.Stale, "the origin cannot be reached", -1500*time.Millisecond
			f.Admission.Waited = 10 * time.Second
			f.Admission.Refusal = &flow.Refusal{Reason: flow.QueueTimeout, Status: 503}
		}, func(e *Entry) {
			e.Cache, e.CacheReason, e.TTL = "stale", "the origin cannot be reached", -2
			e.QueueMs = 10000
		}, `
verdict    pass
cache      stale, 12 s old, stale for 2 s: the origin cannot be reached
admission  waited 10000.0 ms for the origin's budget
response   200 with 1024 bytes after 0.3 ms
`},
		{"revalidated", func(f *flow.Flow) {
			miss(f)
			f.Cache.Status, f.Cache.Reason = flow.Revalidated, "expired"
			f.Origin.Status, f.Origin.Reused, f.Origin.Attempts = 304, false, 2
		}, func(e *Entry) {
			e.Cache, e.CacheReason, e.Stored, e.Age, e.TTL = "revalidated", "expired", true, 0, 0
			e.Origin, e.OriginAttempts, e.OriginStatus, e.OriginMs = "127.0.0.1:3000", 2, 304, 4.2
		}, `
verdict    pass
cache      revalidated: expired; stored
origin     127.0.0.1:3000 answered 304 after 4.2 ms, in 2 attempts
response   200 with 1024 bytes after 0.3 ms
`},
		{"bypass by an allowed client", func(f *flow.Flow) {
			miss(f)
			f.Request.Method = "POST"
			f.Verdict = flow.Verdict{Action: flow.Allow, Rule: "allow"}
			f.Cache = flow.Cache{Reason: "method is not GET or HEAD"}
			f.Origin.Message = &flow.Message{Status: 200}
			f.Admission.Waited = 1500 * time.Microsecond
		}, func(e *Entry) {
			e.Method, e.Verdict, e.Rule = "POST", "allow", "allow"
			e.Cache, e.CacheReason, e.Age, e.TTL = "bypass", "method is not GET or HEAD", 0, 0
			e.QueueMs = 1.5
			e.Origin, e.OriginAttempts, e.OriginReused, e.OriginStatus, e.OriginMs = "127.0.0.1:3000", 1, true, 200, 4.2
		}, `
verdict    allow by allow
cache      bypass: method is not GET or HEAD
admission  waited 1.5 ms for the origin's budget
origin     127.0.0.1:3000 answered 200 after 4.2 ms on a kept connection
response   200 with 1024 bytes after 0.3 ms
`},
		{"dry run", func(f *flow.Flow) { f.Verdict.Dry = []string{"limits.requests", "limits.origin"} },
			func(e *Entry) { e.Dry = "limits.requests limits.origin" }, `
verdict    pass; in a dry run, would have been refused by limits.requests limits.origin
cache      hit, 12 s old, fresh for 48 s
response   200 with 1024 bytes after 0.3 ms
`},
		{"refused by a limit", refusedBy(flow.Refusal{
			Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", Detail: "more than 50 a second", RetryAfter: 300 * time.Millisecond,
		}, func(f *flow.Flow, r *flow.Refusal) {
			f.Verdict = flow.Verdict{Action: flow.Block, Rule: r.Rule, Refusal: r}
		}), func(e *Entry) {
			asRefused(flow.RequestLimit, 429, "limits.requests", "more than 50 a second")(e)
			e.Verdict, e.Rule, e.RetryAfterMs = "block", "limits.requests", 300
		}, `
verdict    block by limits.requests
cache      bypass
refused    request-limit by limits.requests: more than 50 a second
           the source is free again when its rate falls; lists.allow (--allow) spares a source for good, limits.requests (--limit) changes the rate, limits.per_network what a whole network may have
           the client was told to come back in 1 s
response   429 with 512 bytes after 0.3 ms
`},
		{"refused without a detail", refusedBy(flow.Refusal{Reason: flow.OnlyIfCached, Status: 504, Rule: "cache.only-if-cached"},
			func(f *flow.Flow, r *flow.Refusal) { f.Cache.Refusal, f.Cache.Status = r, flow.Stale },
		), func(e *Entry) {
			asRefused(flow.OnlyIfCached, 504, "cache.only-if-cached", "")(e)
			e.Cache = "stale"
		}, `
verdict    pass
cache      stale
refused    only-if-cached by cache.only-if-cached
           the client asked for stored responses only
response   504 with 512 bytes after 0.3 ms
`},
		{"origin without an answer", refusedBy(flow.Refusal{Reason: flow.OriginTimeout, Status: 504, Rule: "origin", Detail: "no answer in 60s"},
			func(f *flow.Flow, r *flow.Refusal) {
				f.Origin = flow.Origin{Address: "127.0.0.1:3000", Attempts: 1, Refusal: r}
			},
		), func(e *Entry) {
			asRefused(flow.OriginTimeout, 504, "origin", "no answer in 60s")(e)
			e.Origin, e.OriginAttempts = "127.0.0.1:3000", 1
		}, `
verdict    pass
cache      bypass
origin     127.0.0.1:3000 gave no answer
refused    origin-timeout by origin: no answer in 60s
           the origin was slower than its time-out; see its own logs
response   504 with 512 bytes after 0.3 ms
`},
		{"tunnel", func(f *flow.Flow) {
			miss(f)
			f.Cache = flow.Cache{Reason: "request asks for an upgrade"}
			f.Origin.Message = &flow.Message{Status: 101}
			f.Origin.Tunnel = &flow.Tunnel{Sent: 5, Received: 15, Duration: 90 * time.Second}
			f.Origin.Status, f.Response.Status, f.Response.Bytes = 101, 101, 0
		}, func(e *Entry) {
			e.Status, e.Bytes = 101, 0
			e.Cache, e.CacheReason, e.Age, e.TTL = "bypass", "request asks for an upgrade", 0, 0
			e.Origin, e.OriginAttempts, e.OriginReused, e.OriginStatus, e.OriginMs = "127.0.0.1:3000", 1, true, 101, 4.2
			e.TunnelMs, e.TunnelSent, e.TunnelReceived = 90_000, 5, 15
		}, `
verdict    pass
cache      bypass: request asks for an upgrade
origin     127.0.0.1:3000 answered 101 after 4.2 ms on a kept connection
response   101 after 0.3 ms, and then another protocol for 90 s: 5 bytes to the origin, 15 back
`},
		{"client gone", refusedBy(flow.Refusal{Reason: flow.ClientGone, Status: 499, Rule: "cache.collapse"},
			func(f *flow.Flow, r *flow.Refusal) {
				f.Cache.Refusal, f.Cache.Status = r, flow.Miss
				f.Response.Err, f.Response.Bytes = errors.New("client gone"), 0
			},
		), func(e *Entry) {
			asRefused(flow.ClientGone, 499, "cache.collapse", "")(e)
			e.Cache, e.Error, e.Bytes = "miss", "client gone", 0
		}, `
verdict    pass
cache      miss
refused    client-gone by cache.collapse
           the client left before it was answered
response   499 with 0 bytes after 0.3 ms; ended early: client gone
`},
		{"broken body", func(f *flow.Flow) { f.Response.Err = io.ErrUnexpectedEOF },
			func(e *Entry) { e.Error = "unexpected EOF" }, `
verdict    pass
cache      hit, 12 s old, fresh for 48 s
response   200 with 1024 bytes after 0.3 ms; ended early: unexpected EOF
`},
	}
}

// hitEntry is the entry of hit.
func hitEntry() Entry {
	return Entry{
		Time: t0, ID: idOf(1).String(), Zone: "example", Client: "198.51.100.0/24", Method: "GET", Host: "www.example.org",
		Target: "/news/2026/11/22/harbour-wall-holds", Proto: "HTTP/1.1", TLS: "1.3", JA4: fingerprint, Status: 200, Bytes: 1024, Ms: 0.31,
		Verdict: "pass", Cache: "hit", Age: 12, TTL: 48,
		Referer: "https://www.example.org/news/2026/11/",
		Agent:   "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	}
}

// line makes a flow's line, which has to be found by its id.
func line(t testing.TB, f *flow.Flow, edit func(*spec.Node)) []byte {
	t.Helper()
	r := newRoom(t, edit)
	policy(t, r, "example").Add(f)
	line, ok := r.Find(f.Request.ID.String())
	if !ok {
		t.Fatal("the line was not found")
	}
	return line
}

func TestEntryOfEveryOutcome(t *testing.T) {
	for _, tt := range outcomes() {
		t.Run(tt.name, func(t *testing.T) {
			f := hit()
			tt.flow(f)
			got, err := Parse(line(t, f, nil))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Visitor) != 2*hashed {
				t.Errorf("visitor: got %q, want %d hexadecimal digits", got.Visitor, 2*hashed)
			}
			got.Visitor = ""
			want := hitEntry()
			tt.entry(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExplainEveryOutcome(t *testing.T) {
	const head = `request    METHOD www.example.org/news/2026/11/22/harbour-wall-holds over HTTP/1.1 with TLS 1.3 at 2026-11-22 21:22:28.123 UTC
           from https://www.example.org/news/2026/11/
           by Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36
client     198.51.100.0/24
           with the TLS fingerprint t13d1516h2_8daaf6152771_e5627efa2ab1
zone       example`
	for _, tt := range outcomes() {
		t.Run(tt.name, func(t *testing.T) {
			e := hitEntry()
			tt.entry(&e)
			var got strings.Builder
			if err := e.Explain(&got); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(head, "METHOD", e.Method, 1) + tt.story
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestClientCertificate: a line tells whose certificate the client showed.
func TestClientCertificate(t *testing.T) {
	f := hit()
	f.Conn.TLS.Client = &flow.ClientCertificate{Subject: `CN="a",O=b`}
	e, err := Parse(line(t, f, nil))
	if err != nil || e.ClientSubject != f.Conn.TLS.ClientSubject() {
		t.Errorf("got %q, %v, want %q", e.ClientSubject, err, f.Conn.TLS.ClientSubject())
	}
	var got strings.Builder
	if err := e.Explain(&got); err != nil || !strings.Contains(got.String(), "\n           with a certificate of "+e.ClientSubject+"\n") {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

// atlas has every client in one place.
type atlas flow.Location

func (a atlas) Locate(netip.Addr) flow.Location { return flow.Location(a) }

// TestLocation: a line tells what is known of the client's address, and nothing where nothing is.
func TestLocation(t *testing.T) {
	f := hit()
	if got := string(line(t, f, nil)); strings.Contains(got, `"country"`) || strings.Contains(got, `"asn"`) || strings.Contains(got, `"bot"`) {
		t.Errorf("got %s, want none of it", got)
	}
	f = hit()
	f.Request.Locator = atlas{Country: "DE", ASN: 64496}
	f.Verdict.BotName = "Googlebot" // as it says itself
	if e, err := Parse(line(t, f, nil)); err != nil || e.Country != "DE" || e.ASN != 64496 || e.Bot != "" {
		t.Errorf("got %q, %d, %q, %v, want DE, 64496 and no bot", e.Country, e.ASN, e.Bot, err)
	}
	f.Verdict.VerifiedBot = true
	e, err := Parse(line(t, f, nil))
	if err != nil || e.Bot != "Googlebot" {
		t.Errorf("got %q, %v, want Googlebot", e.Bot, err)
	}
	var got strings.Builder
	if err := e.Explain(&got); err != nil || !strings.Contains(got.String(), "\n           from DE, AS64496\n") || !strings.Contains(got.String(), "\n           which is Googlebot's\n") {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

// TestHTTPFingerprint: a line tells the fingerprint of the head, if that was understood.
func TestHTTPFingerprint(t *testing.T) {
	f := hit()
	if e, err := Parse(line(t, f, nil)); err != nil || e.HFP != "" {
		t.Errorf("without: got %q, %v", e.HFP, err)
	}
	f.Request.Fingerprint = hfp.Of(hfp.HTTP11, f.Request.Fields)
	e, err := Parse(line(t, f, nil))
	if err != nil || e.HFP != f.Request.Fingerprint.String() {
		t.Errorf("got %q, %v, want %v", e.HFP, err, f.Request.Fingerprint)
	}
	var got strings.Builder
	if err := e.Explain(&got); err != nil || !strings.Contains(got.String(), "\n           with the HTTP fingerprint "+e.HFP+"\n") {
		t.Errorf("got %q, %v", got.String(), err)
	}
}

// TestNoFingerprint: a line says nothing of a fingerprint that is not known.
func TestNoFingerprint(t *testing.T) {
	f := hit()
	f.Conn.TLS.JA4 = ja4.Fingerprint{}
	if got := line(t, f, nil); bytes.Contains(got, []byte("ja4")) || !bytes.Contains(got, []byte(`"tls":"1.3","status"`)) {
		t.Errorf("got %s", got)
	}
}

func TestExplainWhatWasNotUnderstood(t *testing.T) {
	f := &flow.Flow{
		Conn: &flow.Conn{}, Zone: zone("-"),
		Request: flow.Request{
			ID: idOf(2), Received: t0, Client: netip.MustParseAddr("2001:db8:1:2::3"), Proto: "HTTP/1.1",
			Refusal: &flow.Refusal{Reason: flow.Malformed, Status: 400, Rule: "http", Detail: "bare line feed"},
		},
		Response: flow.Response{Status: 400, Done: t0},
	}
	e, err := Parse(line(t, f, nil))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := e.Explain(&got); err != nil {
		t.Fatal(err)
	}
	want := `request    what was not understood over HTTP/1.1 at 2026-11-22 21:22:28.123 UTC
client     2001:db8:1::/48 (visitor ` + e.Visitor + ` today)
zone       none serves this host
verdict    pass
cache      bypass
refused    malformed by http: bare line feed
           the client's software has to be mended; nothing on this side lets it through
response   400 with 0 bytes after 0.0 ms
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExplainIsNotObeyedByTerminals(t *testing.T) {
	e := Entry{Method: "GET", Target: "/\x1b[2J\u009b1m\u202e", Agent: "a\nb"}
	var got strings.Builder
	if err := e.Explain(&got); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(got.String(), "\x1b\u009b\u202e") || strings.Contains(got.String(), "a\nb") {
		t.Errorf("got %q", got.String())
	}
}

func TestExplainSaysThatItCannotWrite(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	e := hitEntry()
	if err := e.Explain(w); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want %v", err, io.ErrClosedPipe)
	}
}

func TestEveryReasonHasARemedy(t *testing.T) {
	for reason := flow.NoReason + 1; int(reason) < flow.Reasons; reason++ {
		if _, ok := remedies[reason.String()]; !ok {
			t.Errorf("no remedy for %v", reason)
		}
	}
	if got := len(remedies); got != flow.Reasons-1 {
		t.Errorf("got %d remedies for %d reasons", got, flow.Reasons-1)
	}
}

// FuzzLine: whatever a client sends, its flow is one line that JSON's readers understand, of bounded length, without anything that a
// terminal would obey, and no shorter text differs from what was sent.
func FuzzLine(f *testing.F) {
	f.Add("GET", "example.org", "/", "curl/8")
	f.Add("G\"T", "ex\\ample", "/\x00\x1f\x7f\xff", "é\u009b\u2028\xe2\x82")
	f.Add("", "", strings.Repeat("\x01", 5000), strings.Repeat("\xff", 5000))
	f.Add("12345678", "1234567\"", "12345678\\", `","id":"x"}`+"\n{")
	f.Fuzz(func(t *testing.T, method, host, target, agent string) {
		x := hit()
		x.Request.Method, x.Request.Host, x.Request.Target = method, host, target
		x.Request.Fields = []flow.Field{{Name: "user-agent", Value: agent}}
		x.Response.Err = errors.New(agent)
		x.Conn.TLS.Client = &flow.ClientCertificate{Subject: host}
		r := &Room{}
		got := r.appendLine(nil, x, &shard{})
		if bytes.Count(got, newline) != 1 || got[len(got)-1] != '\n' {
			t.Fatalf("got %q, want one line", got)
		}
		if len(got) > minRing/4 {
			t.Fatalf("got %d bytes", len(got))
		}
		for i, c := range got[:len(got)-1] {
			if c < ' ' || c == 0x7f || c == 0xc2 && got[i+1] < 0xa0 {
				t.Fatalf("got control character %#x in %q", c, got)
			}
		}
		var e Entry
		d := json.NewDecoder(bytes.NewReader(got))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil {
			t.Fatalf("%v in %q", err, got)
		}
		for _, text := range [][2]string{{method, e.Method}, {host, e.Host}, {target, e.Target}, {agent, e.Agent}, {agent, e.Error}, {host, e.ClientSubject}} {
			sent, kept := text[0], text[1]
			if len(sent) < maxText/6 && kept != strings.ToValidUTF8(sent, "\ufffd") && utf8.ValidString(sent) {
				t.Fatalf("got %q, want %q", kept, sent)
			}
			if !utf8.ValidString(kept) {
				t.Fatalf("got %q, want UTF-8", kept)
			}
		}
	})
}

// FuzzParse: no line makes a reader panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"time":"2026-11-22T21:22:28.123Z","id":"x","status":200}`))
	f.Add([]byte(`{"time":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := Parse(line)
		if err != nil {
			if e != (Entry{}) {
				t.Errorf("got %+v with error %v", e, err)
			}
			return
		}
		if err := e.Explain(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

func TestLongTextsAreCut(t *testing.T) {
	f := hit()
	f.Request.Target = "/" + strings.Repeat("a", 3*maxTarget)
	f.Request.Method = strings.Repeat("\x01", 3*maxText)
	e, err := Parse(line(t, f, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(e.Target); got != maxTarget {
		t.Errorf("target: got %d bytes, want %d", got, maxTarget)
	}
	if got, want := len(e.Method), (maxText+5)/6; got != want {
		t.Errorf("method, of escapes: got %d bytes, want %d", got, want)
	}
}

func TestClock(t *testing.T) {
	var c clock
	for _, tt := range []struct {
		time time.Time
		want string
	}{
		{time.Unix(0, 0), "1970-01-01T00:00:00.000Z"},
		{t0, "2026-11-22T21:22:28.123Z"},
		{t0.Add(876 * time.Millisecond).In(time.FixedZone("", 3600)), "2026-11-22T21:22:28.999Z"},
		{t0.Add(877 * time.Millisecond), "2026-11-22T21:22:29.000Z"},
		{t0, "2026-11-22T21:22:28.123Z"},
	} {
		if got := string(c.append(nil, tt.time)); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestPlain: each byte, at each place of texts of up to several words of eight bytes.
func TestPlain(t *testing.T) {
	for n := 1; n <= 41; n++ {
		for at := range n {
			for c := range 256 {
				text := bytes.Repeat([]byte{'a'}, n)
				text[at] = byte(c)
				want := c >= ' ' && c < 0x7f && c != '"' && c != '\\'
				if got := plain(text); got != want {
					t.Fatalf("%q: got %v, want %v", text, got, want)
				}
			}
		}
	}
}
