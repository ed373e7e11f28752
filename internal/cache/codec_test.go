package cache

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

// written are a response and a marker that use all that a form has.
func written() []*entry {
	t := target{zone: "z", scheme: "https", host: "example.org", path: "/a", query: "b=c", hasQuery: true, port: "8080", dimensions: "d"}
	e := newEntry(t, &httpcache.Metadata{
		Status: 200, Date: time.Unix(1e9, 5).UTC(), ResponseTime: time.Unix(-1, 0).UTC(), ETag: `W/"x"`, InitialAge: time.Second,
		Lifetime: time.Hour, StaleWhileRevalidate: 1, StaleIfError: 1 << 31 * time.Second, NoCache: true, Immutable: true, SharedDate: true, Vary: []string{"accept"}, Withheld: []string{"x-user"},
	}, 404, []flow.Field{{Name: "Content-Type", Value: "text/html"}, {Name: "X", Value: ""}, {Name: "Cache-Tag", Value: "a,b"}}, 1<<60)
	e.generation, e.variant = 1<<63, "variant"
	c := e.clone()
	c.survival = true
	return []*entry{e, c, newMarker(t, []string{"accept", "cookie"}, 7)}
}

func TestForm(t *testing.T) {
	for _, want := range written() {
		form := want.AppendMeta(nil)
		got, err := parseEntry(form)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(entry{}, target{}), cmpopts.IgnoreTypes(atomic.Int64{}, store.Place{}), cmp.Comparer(func(a, b *marker) bool {
			return a == b || a != nil && b != nil && a.generation == b.generation && cmp.Equal(a.vary, b.vary)
		})); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		for n := range form {
			if _, err := parseEntry(form[:n]); err == nil {
				t.Errorf("the first %d bytes of %d were read as a whole", n, len(form))
			}
		}
		if _, err := parseEntry(append(form, 0)); err == nil {
			t.Error("a form with something behind it was read")
		}
		form[0]++
		if _, err := parseEntry(form); err == nil {
			t.Error("a form of another version was read")
		}
	}
}

// What is read can be written, and read again as the same.
func FuzzParseEntry(f *testing.F) {
	for _, e := range written() {
		f.Add(e.AppendMeta(nil))
	}
	f.Fuzz(func(t *testing.T, form []byte) {
		e, err := parseEntry(form)
		if err != nil {
			return
		}
		once := e.AppendMeta(nil)
		e, err = parseEntry(once)
		if err != nil {
			t.Fatalf("%x was read, and then written as %x, which can't be read", form, once)
		}
		if twice := e.AppendMeta(nil); !bytes.Equal(once, twice) {
			t.Errorf("got %x, want %x", twice, once)
		}
	})
}
