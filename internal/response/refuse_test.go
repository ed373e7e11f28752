package response

import (
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

var limited = flow.Refusal{
	Reason: flow.RequestLimit, Status: 429, Rule: "limits.requests", Detail: "198.51.100.7/32 asked <more>", RetryAfter: 1200 * time.Millisecond,
}

func refused(method, accept string) *flow.Flow {
	f := request(method)
	if accept != "" {
		f.Request.Fields = fields("Accept", accept)
	}
	f.Verdict.Refusal = &limited
	return f
}

// TestRefusal is promise 6: the id shown to the visitor carries zone, rule and reason.
func TestRefusal(t *testing.T) {
	f := refused("GET", "text/html")
	x := write(t, f)
	id := f.Response.SealedID
	want := fields("Date", t0Date, "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store", "Via", "1.1 edge1",
		"Proxy-Status", "edge1; error=http_request_denied", "X-Request-Id", id, "Retry-After", "2")
	if diff := cmp.Diff(want, x.fields); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	body := strings.Join(x.pieces, "")
	if x.status != 429 || !x.finished || !x.last || x.length != int64(len(body)) || f.Response.Bytes != x.length {
		t.Errorf("got %+v", x)
	}
	if strings.Contains(body, limited.Detail) || strings.Contains(body, limited.Rule) {
		t.Error("the page tells the visitor what is for the operator")
	}
	opened, evidence, err := sealer().Open(id)
	if err != nil {
		t.Fatal(err)
	}
	if opened != f.Request.ID || evidence.Zone != Hash("example") || evidence.Rule != Hash("limits.requests") || evidence.Reason != uint8(flow.RequestLimit) {
		t.Errorf("got %v with %+v", opened, evidence)
	}
}

func TestRefusalOfHead(t *testing.T) {
	f := refused("HEAD", "")
	x := write(t, f)
	if x.status != 429 || len(x.pieces) != 0 || !x.finished || x.length == 0 || f.Response.Bytes != 0 {
		t.Errorf("got %+v, want a head alone", x)
	}
}

func TestRefusalThatCannotBeWritten(t *testing.T) {
	for failAt := 1; failAt <= 3; failAt++ {
		f := refused("GET", "")
		f.Exchange.(*fakeExchange).failAt = failAt
		if x := write(t, f); !errors.Is(f.Response.Err, errOut) || x.finished {
			t.Errorf("call %d fails: got error %v, finished %v", failAt, f.Response.Err, x.finished)
		}
	}
}

func TestClientGone(t *testing.T) {
	f := request("GET")
	f.Cache.Refusal = &flow.Refusal{Reason: flow.ClientGone, Status: 499}
	if x := write(t, f); x.calls != 0 || f.Response.Status != 499 || f.Response.Err == nil {
		t.Errorf("got %d calls and %+v, want nothing written", x.calls, f.Response)
	}
}

// TestReset: who is to hear that its stream was reset gets no page.
func TestReset(t *testing.T) {
	f := request("GET")
	f.Origin.Refusal = &flow.Refusal{Reason: flow.OriginBroken, Status: 502, Reset: errOut}
	if x := write(t, f); x.calls != 0 || !errors.Is(f.Response.Err, errOut) {
		t.Errorf("got %d calls and %+v, want nothing written", x.calls, f.Response)
	}
}

// TestNobodyAnswered: a mistake of ours is a 500, not a panic.
func TestNobodyAnswered(t *testing.T) {
	f := request("GET")
	if x := write(t, f); x.status != 500 || !x.finished || len(x.pieces) != 1 {
		t.Errorf("got %+v", x)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""}, {-time.Second, ""}, {1, "1"}, {time.Second, "1"}, {time.Second + 1, "2"}, {time.Minute, "60"}, {1<<63 - 1, "9223372037"},
	} {
		f := refused("GET", "")
		r := limited
		r.RetryAfter = tt.after
		f.Verdict.Refusal = &r
		if got := flow.Get(write(t, f).fields, "retry-after"); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.after, got, tt.want)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		name   string
		accept []string
		want   pageFormat
	}{
		{"nothing", nil, asText},
		{"a browser", []string{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}, asHTML},
		{"curl", []string{"*/*"}, asText},
		{"an image", []string{"image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}, asText},
		{"a script", []string{"application/json, text/plain, */*"}, asJSON},
		{"a JSON dialect", []string{"application/vnd.api+json"}, asJSON},
		{"an activity", []string{`application/ld+json; profile="https://www.w3.org/ns/activitystreams"`}, asJSON},
		{"a feed reader", []string{"application/rss+xml, application/atom+xml, text/*;q=0.5"}, asText},
		{"any case", []string{"TEXT/HTML"}, asHTML},
		{"not HTML", []string{"text/html;q=0"}, asText},
		{"rather JSON", []string{"text/html;q=0.8, application/json;q=0.9"}, asJSON},
		{"rather text", []string{"text/html;q=0.8, text/plain"}, asText},
		{"the first of equals", []string{"application/json, text/html"}, asJSON},
		{"several lines", []string{"image/png", "text/html"}, asHTML},
		{"spaces", []string{" text/html ; level=1 ; Q=0.500 , application/json ; q=0.499"}, asHTML},
		{"a broken weight", []string{"text/html;q=high"}, asText},
		{"a weight above 1", []string{"text/html;q=1.001"}, asText},
		{"a long weight", []string{"text/html;q=0.0001"}, asText},
		{"a signed weight", []string{"text/html;q=0.-1"}, asText},
		{"the least", []string{"text/html;q=0.001"}, asHTML},
		{"no name before the suffix", []string{"+json"}, asText},
		{"a part of a name", []string{"text/htmlx, xtext/html"}, asText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []flow.Field
			for _, value := range tt.accept {
				asked = append(asked, flow.Field{Name: "accept", Value: value})
			}
			if got := format(asked); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// FuzzFormat: any Accept gets a page, and weights lie between 0 and 1.
func FuzzFormat(f *testing.F) {
	for _, seed := range []string{"text/html", "text/html;q=0.5,application/json", ";;q=1.0.0", "a/b;q", ",,;=", "text/html;q=1."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if got := format(fields("Accept", accept)); got >= pageFormats {
			t.Errorf("got format %d", got)
		}
		if got := weight(accept); got < 0 || got > 1000 {
			t.Errorf("got weight %d", got)
		}
	})
}

// TestPages: each reason has words of its own, in every format, and they say what is right for a reader of that format.
func TestPages(t *testing.T) {
	node := spec.Node{Name: "1 edge"}
	p := New(&node, sealer()).pages
	const id = "0123"
	for reason := flow.NoReason; int(reason) < flow.Reasons; reason++ {
		t.Run(reason.String(), func(t *testing.T) {
			w := wordings[reason]
			if w.title == "" || w.text == "" || w.proxyError == "" {
				t.Fatalf("got %+v, want a wording", w)
			}
			r := &flow.Refusal{Reason: reason}
			for as := range pageFormats {
				page := p.page(r, as)
				list, err := httpsfv.UnmarshalList([]string{page.proxyStatus})
				if err != nil || len(list) != 1 || !strings.HasSuffix(page.proxyStatus, "; error="+w.proxyError) {
					t.Errorf("Proxy-Status: got %s, error %v", page.proxyStatus, err)
				}
				if strings.Contains(page.before+page.after, idMark) || page.after == "" {
					t.Errorf("%s: the id has not one place", page.contentType)
				}
				const sealed = 46 // characters
				if size := len(page.before) + sealed + len(page.after); size > maxBody {
					t.Errorf("%s: got %d bytes, want at most %d", page.contentType, size, maxBody)
				}
			}
			text := p.page(r, asText)
			if got, want := text.before+id+text.after, w.title+"\n\n"+w.text+"\n\nRequest id: "+id+"\n"; got != want {
				t.Errorf("text: got %q, want %q", got, want)
			}
			var x explanation
			if err := json.Unmarshal([]byte(p.page(r, asJSON).before+id+p.page(r, asJSON).after), &x); err != nil {
				t.Fatal(err)
			}
			if want := (explanation{reason.String(), w.title, w.text, id}); x != want {
				t.Errorf("JSON: got %+v, want %+v", x, want)
			}
			said := textOf(t, p.page(r, asHTML).before+id+p.page(r, asHTML).after)
			for _, want := range []string{w.title, w.text, id} {
				if !strings.Contains(said, want) {
					t.Errorf("HTML: got %q, want %q in it", said, want)
				}
			}
		})
	}
}

// textOf is what a page of HTML says.
func textOf(t *testing.T, page string) string {
	t.Helper()
	var text strings.Builder
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				t.Fatal(z.Err())
			}
			return text.String()
		case html.TextToken:
			text.WriteString(html.UnescapeString(string(z.Text())))
			text.Write([]byte{' '})
		}
	}
}

// TestEveryReasonHasItsWording: reasons that say the same to a visitor are meant to.
func TestEveryReasonHasItsWording(t *testing.T) {
	alike := map[flow.Reason]flow.Reason{flow.OriginLimit: flow.RequestLimit, flow.QueueTimeout: flow.QueueFull}
	by := make(map[string]flow.Reason)
	for i, w := range wordings {
		reason := flow.Reason(i)
		other, taken := by[w.text]
		if want, meant := alike[reason]; taken != meant || taken && other != want {
			t.Errorf("%v says %q, as does %v", reason, w.text, other)
		}
		by[w.text] = reason
	}
}

// TestHash fixes it: ids shown to visitors must open in later versions.
func TestHash(t *testing.T) {
	for _, name := range []string{"", "a", "limits.requests", "Zürich"} {
		h := fnv.New32a()
		io.WriteString(h, name)
		if got, want := Hash(name), h.Sum32(); got != want {
			t.Errorf("%q: got %x, want FNV-1a's %x", name, got, want)
		}
	}
}
