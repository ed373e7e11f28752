package cache

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/seawall/seawall/internal/flow"
)

// RFC 9111 §3.1: trailers are not stored, and never become header fields.
func TestTrailersAreNotStored(t *testing.T) {
	p := newPolicy(t)
	m := response(200, "", cacheable)
	m.Length, m.Stream = -1, &trailing{pieces(io.EOF, "bo", "dy")}
	fetch(t, p, get("/a"), m)
	f := get("/a")
	mustHit(t, p, f, "body")
	if got := flow.Get(f.Cache.Message.Fields, "x-trailer"); got != "" || f.Cache.Message.Stream != nil {
		t.Errorf("got %q and a stream %v, want neither", got, f.Cache.Message.Stream)
	}
}

type trailing struct{ *scripted }

func (t *trailing) Trailers() []flow.Field { return lines("X-Trailer: 1") }

// RFC 9111 §4: of several responses that would do, the latest by Date is used.
func TestLatestIsUsed(t *testing.T) {
	now := time.Now()
	for _, age := range []time.Duration{0, time.Hour} {
		p := newPolicy(t)
		pass(t, p, ranged("4-9"), part(4, 9, "Cache-Control: max-age=7200", "Date: "+httpDate(now.Add(-age))))
		fetch(t, p, get("/a"), response(200, alphabet, "Cache-Control: max-age=0", strong, "Date: "+httpDate(now.Add(-time.Minute))))
		if age == 0 {
			mustServe(t, p, ranged("4-9"), "efghij", "bytes 4-9/26")
		} else {
			mustMiss(t, p, ranged("4-9")) // the whole one is newer, and stale
		}
	}
}

// RFC 9111 §4.3.3: a full response to a validation request is the answer, and takes the stored one's place.
func TestFullResponseToValidation(t *testing.T) {
	p := newPolicy(t)
	fetch(t, p, get("/a"), response(200, "old", "Cache-Control: max-age=0", strong))
	f := get("/a")
	if got := fetch(t, p, f, response(200, "new", cacheable, `ETag: "v2"`)); got != "new" {
		t.Errorf("got %q, want the full response", got)
	}
	if len(f.Cache.Validators) == 0 {
		t.Error("the origin was not asked by validators")
	}
	mustHit(t, p, get("/a"), "new")
}

// made is what TestPropertyOfStoredResponses knows of a response by its body.
type made struct {
	path, accept    string
	varies, noCache bool
	mustRevalidate  bool
	at              time.Time // when it was made, or last confirmed
	lifetime, stale time.Duration
	age             time.Duration // that it was last served with
}

// stage is a cache, its origin, what was drawn for both to do, and what was wrong with what the cache served.
type stage struct {
	policy  *Policy
	made    map[string]*made
	choices []byte
	wrong   string
}

// choose takes the next of what was drawn: a number below n.
func (s *stage) choose(n int) int {
	if len(s.choices) == 0 {
		return 0
	}
	c := int(s.choices[0])
	s.choices = s.choices[1:]
	return c % n
}

func (s *stage) failf(format string, args ...any) {
	if s.wrong == "" {
		s.wrong = fmt.Sprintf(format, args...)
	}
}

// TestPropertyOfStoredResponses: whatever an origin says and clients ask, in any order and at any time, nothing is served for another path
// or to a request with other Vary values (RFC 9111 §4, §4.1), nothing is called fresh past its lifetime or served stale past what allows
// that (§4.2, §4.2.4, §5.2.2.2), and the age of a response never falls between validations (§4.2.3).
func TestPropertyOfStoredResponses(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &stage{made: make(map[string]*made), choices: rapid.SliceOfN(rapid.Byte(), 20, 300).Draw(rt, "choices")}
		synctest.Test(t, func(t *testing.T) { // in which nothing can be drawn
			s.policy = newPolicy(t)
			for len(s.choices) > 0 && s.wrong == "" {
				time.Sleep(time.Duration(s.choose(12)) * time.Second)
				s.ask()
			}
		})
		if s.wrong != "" {
			rt.Fatal(s.wrong)
		}
	})
}

// ask has one client ask, and looks at what it gets.
func (s *stage) ask() {
	path := []string{"/a", "/b"}[s.choose(2)]
	accept := []string{"x", "y", "z"}[s.choose(3)]
	f := get(path, "Accept: "+accept)
	if s.choose(5) == 0 {
		f.Request.Fields = append(f.Request.Fields, flow.Field{Name: "Cache-Control", Value: "max-stale=3"})
	}
	run(s.policy, f, func(*flow.Flow) (*flow.Message, *flow.Refusal) { return s.answer(path, accept, f) })
	if m := f.Message(); m == nil {
		return // refused
	}
	body, err := read(f)
	m := s.made[body]
	switch {
	case err != nil || m == nil:
		s.failf("got %q, %v, which the origin never sent", body, err)
		return
	case m.path != path || m.varies && m.accept != accept:
		s.failf("got a response for %s and Accept: %s, asked for %s and %s", m.path, m.accept, path, accept)
	}
	s.judge(f, m)
}

// answer is the origin's: an error, a confirmation, or something new.
func (s *stage) answer(path, accept string, f *flow.Flow) (*flow.Message, *flow.Refusal) {
	kind := s.choose(10)
	if kind == 0 {
		return nil, &flow.Refusal{Reason: flow.OriginUnreachable, Status: 502}
	}
	id := fmt.Sprint(len(s.made))
	for _, v := range f.Cache.Validators {
		if kind < 5 {
			m := s.made[strings.Trim(v.Value, `"`)]
			m.at, m.age = time.Now(), 0
			return &flow.Message{Status: 304, Fields: lines("ETag: " + v.Value)}, nil
		}
	}
	m := &made{
		path: path, accept: accept, at: time.Now(),
		varies:         s.choose(2) == 0,
		noCache:        kind == 5,
		mustRevalidate: kind == 6,
		lifetime:       time.Duration(s.choose(20)) * time.Second,
		stale:          time.Duration(s.choose(5)) * time.Second,
	}
	s.made[id] = m
	control := fmt.Sprintf("Cache-Control: max-age=%d, stale-while-revalidate=%d", int(m.lifetime.Seconds()), int(m.stale.Seconds()))
	if m.noCache {
		control += ", no-cache"
	}
	if m.mustRevalidate {
		control += ", must-revalidate"
	}
	fields := []string{control, `ETag: "` + id + `"`}
	if m.varies {
		fields = append(fields, "Vary: Accept")
	}
	return response(200, id, fields...), nil
}

// judge looks at how old a response was served.
func (s *stage) judge(f *flow.Flow, m *made) {
	age := time.Since(m.at)
	c := &f.Cache
	disconnected := f.Origin.Refusal != nil
	switch {
	case c.Status == flow.Hit && (age >= m.lifetime || m.noCache):
		s.failf("a hit after %v of %v, no-cache %v", age, m.lifetime, m.noCache)
	case c.Status == flow.Stale && (m.noCache || m.mustRevalidate):
		s.failf("stale after %v of %v, although that is forbidden", age, m.lifetime)
	case c.Status == flow.Stale && !disconnected && age > m.lifetime+max(m.stale, 3*time.Second):
		s.failf("stale after %v of %v", age, m.lifetime)
	case c.Status == flow.Hit || c.Status == flow.Stale:
		if c.Age < m.age || c.Age != age {
			s.failf("Age is %v after %v, and was %v before", c.Age, age, m.age)
		}
		m.age = c.Age
	}
}
