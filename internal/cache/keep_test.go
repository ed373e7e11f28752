package cache

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seawall/seawall/internal/flow"
)

func TestKeepStores(t *testing.T) {
	big := strings.Repeat("x", testObject)
	tests := []struct {
		name    string
		request []string
		answer  *flow.Message
		stored  bool
	}{
		{name: "max-age", answer: response(200, "b", "Cache-Control: max-age=60"), stored: true},
		{name: "no body", answer: response(204, "", "Cache-Control: max-age=60"), stored: true},
		{name: "no stream", answer: &flow.Message{Status: 200, Fields: lines("Cache-Control: max-age=60"), Length: 1, Body: []byte("b")}, stored: true},
		{name: "redirect", answer: response(301, "", "Location: /b", "Cache-Control: max-age=60"), stored: true},
		{name: "largest", answer: response(200, big, "Cache-Control: max-age=60"), stored: true},
		{name: "too large", answer: response(200, big+"x", "Cache-Control: max-age=60")},
		{name: "no-store", answer: response(200, "b", "Cache-Control: no-store")},
		{name: "private", answer: response(200, "b", "Cache-Control: private, max-age=60")},
		{name: "nothing to reuse", answer: response(200, "b")},
		{name: "error", answer: response(500, "b")},
		{name: "partial", answer: response(206, "b", "Cache-Control: max-age=60")},
		{name: "cookie", answer: response(200, "b", "Cache-Control: max-age=60", "Set-Cookie: a=b")},
		{name: "vary by all", answer: response(200, "b", "Cache-Control: max-age=60", "Vary: *")},
		{name: "credentials", request: []string{"Authorization: x"}, answer: response(200, "b", "Cache-Control: max-age=60")},
		{name: "credentials and public", request: []string{"Authorization: x"}, answer: response(200, "b", "Cache-Control: public, max-age=60"), stored: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(t)
			f := get("/a", tt.request...)
			length := int(tt.answer.Length)
			if got := fetch(t, p, f, tt.answer); len(got) != length {
				t.Errorf("body: got %d bytes, want %d", len(got), length)
			}
			if f.Cache.Stored != tt.stored {
				t.Errorf("stored: got %v (%s), want %v", f.Cache.Stored, f.Cache.Reason, tt.stored)
			}
			f = get("/a")
			p.Lookup(f)
			if hit := f.Cache.Message != nil; hit != tt.stored {
				t.Errorf("hit: got %v, want %v", hit, tt.stored)
			}
			if s, ok := tt.answer.Stream.(*scripted); ok && !s.isClosed() {
				t.Error("the origin's body was not closed")
			}
			if got := p.room.Stats().Filling; got != 0 {
				t.Errorf("memory of fetches: got %d bytes, want 0", got)
			}
		})
	}
}

func TestStoredFields(t *testing.T) {
	p, date := newPolicy(t), "Date: "+httpDate(time.Now())
	fetch(t, p, get("/a"), response(200, "body", date, "cache-control: public, max-age=31536000",
		"Connection: close, X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Content-Length: 4", "Age: 7", "ETag: \"e\"", "X-B: 1", "X-B: 2"))
	f := get("/a")
	mustHit(t, p, f, "body")
	want := lines(date, "cache-control: public, max-age=31536000", `ETag: "e"`, "X-B: 1", "X-B: 2")
	if diff := cmp.Diff(want, f.Cache.Message.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if got := f.Cache.Message.Length; got != 4 {
		t.Errorf("length: got %d, want 4", got)
	}
}

// expired stores a response that has become stale, and returns the flow that leads the next fetch.
func expired(t *testing.T, p *Policy, fields ...string) *flow.Flow {
	t.Helper()
	fetch(t, p, get("/a"), response(200, "old", append(fields, `ETag: "1"`)...))
	time.Sleep(30 * time.Second)
	return get("/a")
}

// TestRevalidation: RFC 9111 §4.3.3, §4.3.4.
func TestRevalidation(t *testing.T) {
	tests := []struct {
		name   string
		answer *flow.Message
		status flow.CacheStatus
		body   string
		field  string // X-Version afterwards
		stored bool
	}{
		{"confirmed", response(304, "", `ETag: "1"`, "Cache-Control: max-age=60", "X-Version: 2"), flow.Revalidated, "old", "2", true},
		{"confirmed without validators", response(304, "", "X-Version: 2"), flow.Revalidated, "old", "2", true},
		{"another one confirmed", response(304, "", `ETag: "2"`, "X-Version: 2"), flow.Revalidated, "old", "1", false},
		{"confirmed, no longer storable", response(304, "", "Cache-Control: no-store", "X-Version: 2"), flow.Revalidated, "old", "2", false},
		{"replaced", response(200, "new", "Cache-Control: max-age=60", "X-Version: 2"), flow.Miss, "new", "2", true},
		{"replaced, not storable", response(200, "new", "Cache-Control: no-store", "X-Version: 2"), flow.Miss, "new", "2", false},
		{"error without leave to be stale", response(503, "sorry", "X-Version: 2"), flow.Miss, "sorry", "2", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t)
				f := expired(t, p, "Cache-Control: max-age=10", "X-Version: 1")
				got := fetch(t, p, f, tt.answer)
				if got != tt.body || f.Cache.Status != tt.status {
					t.Errorf("got %v with %q, want %v with %q", f.Cache.Status, got, tt.status, tt.body)
				}
				if diff := cmp.Diff(lines(`If-None-Match: "1"`), f.Cache.Validators); diff != "" || !f.Cache.Whole {
					t.Errorf("validators (-want +got), whole %v:\n%s", f.Cache.Whole, diff)
				}
				if got := flow.Get(f.Message().Fields, "x-version"); got != tt.field {
					t.Errorf("X-Version: got %q, want %q", got, tt.field)
				}
				if !tt.answer.Stream.(*scripted).isClosed() {
					t.Error("the origin's body was not closed")
				}
				f = get("/a")
				p.Lookup(f)
				if got := f.Cache.Status == flow.Hit; got != tt.stored {
					t.Errorf("fresh afterwards: got %v (%v), want %v", got, f.Cache.Status, tt.stored)
				}
			})
		})
	}
}

// TestStaleInPlaceOfFailure: RFC 9111 §4.2.4, RFC 5861 §4.
func TestStaleInPlaceOfFailure(t *testing.T) {
	refusal := func(r flow.Reason) *flow.Refusal { return &flow.Refusal{Reason: r, Status: 503} }
	tests := []struct {
		name    string
		control string
		wait    time.Duration
		answer  *flow.Message
		refusal *flow.Refusal
		stale   bool
	}{
		{name: "5xx within stale-if-error", control: "max-age=10, stale-if-error=60", answer: response(503, "sorry"), stale: true},
		{name: "5xx after stale-if-error", control: "max-age=10, stale-if-error=60", wait: time.Hour, answer: response(503, "sorry")},
		{name: "501 is not meant", control: "max-age=10, stale-if-error=60", answer: response(501, "sorry")},
		{name: "404 within stale-if-error", control: "max-age=10, stale-if-error=60", answer: response(404, "gone")},
		{name: "5xx and must-revalidate", control: "max-age=10, stale-if-error=60, must-revalidate", answer: response(503, "sorry")},
		{name: "unreachable", control: "max-age=10", refusal: refusal(flow.OriginUnreachable), stale: true},
		{name: "unreachable for days", control: "max-age=10", wait: 48 * time.Hour, refusal: refusal(flow.OriginUnreachable)},
		{name: "unreachable for days within stale-if-error", control: "max-age=10, stale-if-error=864000", wait: 48 * time.Hour, refusal: refusal(flow.OriginUnreachable), stale: true},
		{name: "unreachable and must-revalidate", control: "max-age=10, must-revalidate", refusal: refusal(flow.OriginUnreachable)},
		{name: "unreachable and s-maxage", control: "s-maxage=10", refusal: refusal(flow.OriginTimeout)},
		{name: "unreachable and no-cache", control: "no-cache", refusal: refusal(flow.OriginUnreachable)},
		{name: "queue full", control: "max-age=10", refusal: refusal(flow.QueueFull), stale: true},
		{name: "over the client's own limit", control: "max-age=10", refusal: refusal(flow.OriginLimit)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t)
				f := expired(t, p, "Cache-Control: "+tt.control)
				time.Sleep(tt.wait)
				f.Request.Received = time.Now()
				run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return tt.answer, tt.refusal })
				if got := f.Cache.Status == flow.Stale; got != tt.stale {
					t.Fatalf("stale: got %v (%v, %s), want %v", got, f.Cache.Status, f.Cache.Reason, tt.stale)
				}
				body, _ := read(f)
				if tt.stale && (body != "old" || f.Cache.TTL >= 0) {
					t.Errorf("got %q with TTL %v, want the old body and a negative one", body, f.Cache.TTL)
				}
				if tt.answer != nil && !tt.answer.Stream.(*scripted).isClosed() {
					t.Error("the origin's body was not closed")
				}
			})
		})
	}
}

func TestBodyThatIsNotWhole(t *testing.T) {
	const control = "Cache-Control: max-age=60"
	broken := errors.New("connection reset")
	tests := []struct {
		name   string
		answer *flow.Message
	}{
		{"broken at once", &flow.Message{Status: 200, Fields: lines(control), Length: -1, Stream: pieces(broken, "")}},
		{"broken later", &flow.Message{Status: 200, Fields: lines(control), Length: -1, Stream: pieces(broken, "a", "b", "")}},
		{"shorter than announced", &flow.Message{Status: 200, Fields: lines(control), Length: 9, Stream: pieces(io.EOF, "abc")}},
		{"shorter than announced, later", &flow.Message{Status: 200, Fields: lines(control), Length: 9, Stream: pieces(io.EOF, "a", "b", "")}},
		{"longer than announced", &flow.Message{Status: 200, Fields: lines(control), Length: 2, Stream: pieces(io.EOF, "a", "bc")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPolicy(t)
				f := get("/a")
				run(p, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return tt.answer, nil })
				if _, err := read(f); err != io.ErrUnexpectedEOF {
					t.Errorf("reading: got %v, want unexpected EOF", err)
				}
				synctest.Wait()
				mustMiss(t, p, get("/a"))
				if !tt.answer.Stream.(*scripted).isClosed() {
					t.Error("the origin's body was not closed")
				}
				if got := p.room.Stats().Filling; got != 0 {
					t.Errorf("memory of fetches: got %d bytes, want 0", got)
				}
			})
		})
	}
}

// A queue in front of the origin must not use up a short lifetime (RFC 9111 §4.2.3).
func TestAdmissionDoesNotAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		f := get("/a")
		run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			time.Sleep(8 * time.Second)
			f.Origin.FirstByte = time.Second
			return response(200, "a", "Cache-Control: max-age=5"), nil
		})
		f = get("/a")
		mustHit(t, p, f, "a")
		if got, want := f.Cache.Age, time.Second; got != want {
			t.Errorf("age: got %v, want %v", got, want)
		}
	})
}

// TestEventStream: the head of a stream of events goes out before its first event comes, and nobody waits for its end.
func TestEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t)
		for range 2 {
			f := get("/events")
			if p.Join(f) == Lead {
				f.Origin.Message = &flow.Message{
					Status: 200, Length: -1, Stream: newScripted(f.Abort), // without a step: Keep would wait for ever
					Fields: lines("Content-Type: text/event-stream; charset=utf-8", "Cache-Control: no-cache", `ETag: "e"`),
				}
				p.Keep(f)
			}
			if f.Cache.Stored || f.Cache.Collapsed {
				t.Errorf("stored %v, collapsed %v, want neither", f.Cache.Stored, f.Cache.Collapsed)
			}
			if m := f.Cache.Message; m != nil {
				m.Stream.Close()
			}
		}
	})
}
