package cache

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/seawall/seawall/internal/flow"
)

// TestInvalidate is RFC 9111 §4.4.
func TestInvalidate(t *testing.T) {
	tests := []struct {
		name   string
		method string
		target string
		status int
		fields []string
		drops  []string
	}{
		{name: "POST", method: "POST", target: "/a", status: 200, drops: []string{"/a"}},
		{name: "PUT with query", method: "PUT", target: "/a?x=1", status: 204, drops: []string{"/a?x=1"}},
		{name: "redirect", method: "POST", target: "/none", status: 303, fields: []string{"Location: /b"}, drops: []string{"/b"}},
		{name: "absolute location", method: "POST", target: "/a", status: 201, drops: []string{"/a", "/b"},
			fields: []string{"Location: https://example.org/b"}},
		{name: "content-location with query", method: "PATCH", target: "/b", status: 200, drops: []string{"/b", "/a?x=1"},
			fields: []string{"Content-Location: a?x=1"}},
		{name: "another host's location", method: "POST", target: "/a", status: 201, drops: []string{"/a"},
			fields: []string{"Location: https://example.com/b"}},
		{name: "variants", method: "DELETE", target: "/vary", status: 200, drops: []string{"/vary"}},
		{name: "error", method: "POST", target: "/a", status: 500},
		{name: "refused by the origin", method: "POST", target: "/a", status: 403},
		{name: "safe", method: "GET", target: "/a", status: 200},
	}
	all := []string{"/a", "/a?x=1", "/b", "/vary"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolicy(t)
			for _, target := range all {
				m := response(200, target, cacheable)
				if target == "/vary" {
					m.Fields = append(m.Fields, flow.Field{Name: "Vary", Value: "Accept"})
				}
				fetch(t, p, get(target), m)
			}
			f := get(tt.target)
			f.Request.Method = tt.method
			f.Origin.Message = &flow.Message{Status: tt.status, Fields: lines(tt.fields...)}
			p.Invalidate(f)
			for _, target := range all {
				dropped := false
				for _, d := range tt.drops {
					dropped = dropped || d == target
				}
				if dropped {
					mustMiss(t, p, get(target))
				} else {
					mustHit(t, p, get(target), target)
				}
			}
		})
	}
}

// What was fetched before an invalidation is read by who asked for it, but not stored.
func TestInvalidateDuringFetch(t *testing.T) {
	post := func(p *Policy) {
		f := get("/a")
		f.Request.Method = "POST"
		f.Origin.Message = &flow.Message{Status: 200}
		p.Invalidate(f)
	}
	t.Run("body on its way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p, body := newPolicy(t), newScripted(nil)
			body.steps <- step{"old", nil}
			f := startFill(p, body, -1)
			post(p)
			late := get("/a")
			p.Lookup(late)
			if got := p.Join(late); got != Lead {
				t.Errorf("one who comes after: got %v, want lead", got)
			}
			p.Abandon(late)
			body.steps <- step{"", io.EOF}
			if got, err := read(f); got != "old" || err != nil {
				t.Errorf("got %q, %v, want the old body", got, err)
			}
			synctest.Wait()
			mustMiss(t, p, get("/a"))
		})
	})
	t.Run("head on its way", func(t *testing.T) {
		p := newPolicy(t)
		f := get("/a")
		run(p, f, func(f *flow.Flow) (*flow.Message, *flow.Refusal) {
			post(p)
			return response(200, "old", cacheable), nil
		})
		if got, err := read(f); got != "old" || err != nil || f.Cache.Stored {
			t.Errorf("got %q, %v, stored %v, want the old body, not stored", got, err, f.Cache.Stored)
		}
		mustMiss(t, p, get("/a"))
	})
}
