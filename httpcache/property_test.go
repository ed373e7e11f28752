package httpcache

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// genLine draws field lines that matter to a cache, with values between sound and nonsense.
func genLine(names ...string) *rapid.Generator[Field] {
	date := rapid.Map(rapid.IntRange(-100000, 100000), func(s int) string { return at(time.Duration(s) * time.Second) })
	number := rapid.OneOf(rapid.StringMatching(`[0-9]{1,3}`), rapid.SampledFrom([]string{"", "x", "-1", `"60"`, "99999999999", "1.5"}))
	directive := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{
			"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "max-stale", "min-fresh", "no-cache", "no-store",
			"private", "public", "must-revalidate", "proxy-revalidate", "immutable", "must-understand", "only-if-cached", "ext",
		}).Draw(t, "directive")
		if rapid.Bool().Draw(t, "bare") {
			return name
		}
		return name + "=" + number.Draw(t, "number")
	})
	cacheControl := rapid.Map(rapid.SliceOfN(directive, 0, 5), func(ds []string) string { return strings.Join(ds, ", ") })
	value := rapid.OneOf(cacheControl, date, number, rapid.SampledFrom([]string{`"a"`, `W/"a"`, "*", "foo, bar", "bytes=0-5"}), rapid.String())
	return rapid.Custom(func(t *rapid.T) Field {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if name == "Cache-Control" && rapid.IntRange(0, 9).Draw(t, "sound") > 0 {
			return Field{name, cacheControl.Draw(t, "value")}
		}
		return Field{name, value.Draw(t, "value")}
	})
}

func genResponse() *rapid.Generator[*Response] {
	line := genLine("Cache-Control", "Date", "Age", "Expires", "ETag", "Last-Modified", "Vary", "Set-Cookie")
	return rapid.Custom(func(t *rapid.T) *Response {
		return &Response{
			Status: rapid.SampledFrom([]int{100, 200, 204, 206, 302, 304, 404, 416, 500, 599, 999}).Draw(t, "status"),
			Fields: rapid.SliceOfN(line, 0, 6).Draw(t, "response"),
		}
	})
}

func genRequest() *rapid.Generator[*Request] {
	line := genLine("Cache-Control", "Authorization", "If-None-Match", "If-Modified-Since", "Range", "If-Range", "Foo")
	return rapid.Custom(func(t *rapid.T) *Request {
		return &Request{
			Method: rapid.SampledFrom([]string{"GET", "GET", "GET", "HEAD", "POST"}).Draw(t, "method"),
			Fields: rapid.SliceOfN(line, 0, 4).Draw(t, "request"),
		}
	})
}

func genPolicy() *rapid.Generator[Policy] {
	return rapid.Custom(func(t *rapid.T) Policy {
		return Policy{RequestDirectives: rapid.Bool().Draw(t, "request directives"), StoreSetCookie: rapid.Bool().Draw(t, "cookies")}
	})
}

// genStored draws a stored response with what may allow or forbid its reuse.
func genStored() *rapid.Generator[*Metadata] {
	return rapid.Custom(func(t *rapid.T) *Metadata {
		directives := []string{"max-age=" + rapid.StringMatching(`[0-9]{1,2}`).Draw(t, "max-age")}
		for _, d := range []string{
			"s-maxage=20", "stale-while-revalidate=30", "stale-if-error=40", "no-cache", "must-revalidate", "immutable",
		} {
			if rapid.IntRange(0, 3).Draw(t, d) == 0 {
				directives = append(directives, d)
			}
		}
		resp := &Response{Status: 200, Fields: fields(
			"Cache-Control: "+strings.Join(directives, ", "), `ETag: "a"`, "Age: "+rapid.StringMatching(`[0-9]{1,2}`).Draw(t, "age"),
		)}
		delay := time.Duration(rapid.IntRange(0, 10).Draw(t, "delay")) * time.Second
		m, refusal := Store(&Request{Method: "GET"}, resp, t0.Add(-delay), t0, Policy{})
		if refusal != Storable {
			t.Fatalf("got %q, want %q", refusal, Storable)
		}
		return &m
	})
}

// genNow draws a time around the one when the stored response becomes stale.
func genNow(m *Metadata) *rapid.Generator[time.Time] {
	return rapid.Map(rapid.IntRange(-30, 60), func(s int) time.Time {
		return t0.Add(m.Lifetime - m.InitialAge + time.Duration(s)*time.Second)
	})
}

func TestPropertyNeverFreshPastLifetime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, req, p := genStored().Draw(t, "stored"), genRequest().Draw(t, "request"), genPolicy().Draw(t, "policy")
		now := genNow(m).Draw(t, "now")
		d := m.Decide(req, now, p)
		switch {
		case d.Outcome == Fresh && m.Age(now) >= m.Lifetime:
			t.Fatalf("fresh at %v of %v", m.Age(now), m.Lifetime)
		case d.Outcome == Fresh && m.NoCache:
			t.Fatal("fresh although stored with no-cache")
		case d.Outcome == Stale && (m.NoCache || m.MustRevalidate):
			t.Fatal("stale although forbidden")
		case d.Outcome == Stale && d.TTL > 0:
			t.Fatalf("stale with %v left", d.TTL)
		case (d.StaleIfError > 0 || d.MayBeStale) && (m.NoCache || m.MustRevalidate && d.TTL <= 0):
			t.Fatal("may be stale although forbidden")
		case d.StaleIfError < 0:
			t.Fatalf("got StaleIfError %v, want 0 or more", d.StaleIfError)
		}
	})
}

// TestPropertyClientsCannotForce is the shield: by default no field of a request makes the cache forward what it would
// have answered without it.
func TestPropertyClientsCannotForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, req := genStored().Draw(t, "stored"), genRequest().Draw(t, "request")
		now := genNow(m).Draw(t, "now")
		plain := m.Decide(&Request{Method: req.Method}, now, Policy{})
		d := m.Decide(req, now, Policy{})
		forwards := d.Outcome == Miss || d.Outcome == Revalidate
		if forwards && plain.Outcome != d.Outcome {
			t.Fatalf("%v becomes %v (%v)", plain.Outcome, d.Outcome, d.Reason)
		}
	})
}

func TestPropertyAgeNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genStored().Draw(t, "stored")
		a := time.Duration(rapid.Int64().Draw(t, "a"))
		b := time.Duration(rapid.Int64().Draw(t, "b"))
		if a > b {
			a, b = b, a
		}
		young, old := m.Age(t0.Add(a)), m.Age(t0.Add(b))
		if young < 0 || young > old || old > maxDelta {
			t.Fatalf("got age %v after %v and %v after %v", young, a, old, b)
		}
	})
}

// TestPropertyAuthorizationNeedsPermission is RFC 9111 §3.5.
func TestPropertyAuthorizationNeedsPermission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req, resp, p := genRequest().Draw(t, "request"), genResponse().Draw(t, "response"), genPolicy().Draw(t, "policy")
		req.Fields = append(req.Fields, Field{"authorization", "Basic x"})
		if _, refusal := Store(req, resp, t0, t0, p); refusal != Storable {
			return
		}
		var all []string
		for line := range lines(resp.Fields, "Cache-Control") {
			for d := range strings.SplitSeq(line, ",") {
				name, _, _ := strings.Cut(strings.TrimSpace(d), "=")
				all = append(all, name)
			}
		}
		for _, permission := range []string{"public", "must-revalidate", "proxy-revalidate", "s-maxage"} {
			if slices.Contains(all, permission) {
				return
			}
		}
		t.Fatalf("stored with only %q", all)
	})
}

// TestPropertyVaryKey compares keys with a plain reading of RFC 9111 §4.1: lists of members, without quotes here.
func TestPropertyVaryKey(t *testing.T) {
	line := rapid.Custom(func(t *rapid.T) Field {
		name := rapid.SampledFrom([]string{"A", "a", "B", "C"}).Draw(t, "name")
		return Field{name, rapid.StringMatching(`[ab, \x00\x01]{0,4}`).Draw(t, "value")}
	})
	members := func(fs []Field, name string) (all []string) {
		for _, f := range fs {
			if strings.EqualFold(f.Name, name) {
				for m := range strings.SplitSeq(f.Value, ",") {
					all = append(all, strings.Trim(m, " "))
				}
			}
		}
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		vary := []string{"a", "b"}
		one, two := rapid.SliceOfN(line, 0, 3).Draw(t, "one"), rapid.SliceOfN(line, 0, 3).Draw(t, "two")
		want := slices.Equal(members(one, "a"), members(two, "a")) && slices.Equal(members(one, "b"), members(two, "b"))
		if got := bytes.Equal(new(Policy).AppendVaryKey(nil, vary, one), new(Policy).AppendVaryKey(nil, vary, two)); got != want {
			t.Fatalf("got same = %v, want %v", got, want)
		}
	})
}

func TestPropertyNothingPanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req, resp, p := genRequest().Draw(t, "request"), genResponse().Draw(t, "response"), genPolicy().Draw(t, "policy")
		m, _ := Store(req, resp, t0, t0, p)
		m.Decide(req, t0, p)
		m.NotModified(req)
		m.Freshens(resp)
		m.Range(req, 100)
		m.Validators(nil)
		m.StoredFields(nil, Merge(resp.Fields, resp.Fields, p))
		Invalidated(nil, req.Method, "https://example.org/", resp)
	})
}
